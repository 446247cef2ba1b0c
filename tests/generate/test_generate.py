"""The stage: providers in their order, queries in that of the passages."""

from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.generate.__main__ import work

CONFIG = """\
generator: {{providers: [{providers}], words: 3, share: 1.0}}
pairs: {pairs}
style: none.jsonl
passages: 300
seed: 0
"""
PASSAGES = [
    {"id": f"a.md#{name}", "source": "a.md", "section": name, "title": f"A {name}", "text": f"All about {name}."}
    | {"section_sha256": name, "document": "a.md"}
    for name in ("alpha", "beta")
]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files.write_jsonl(paths.PASSAGES, PASSAGES)
    record("beta", "alpha", "changed")


def record(*hashes: str) -> None:
    rows = [{"query": f"what is {name}", "kind": "question", "text_sha256": name} for name in hashes]
    files.write_jsonl(paths.RECORDED, rows)


def configure(providers: str, pairs: str = "none.jsonl") -> None:
    Path("none.jsonl").write_text("\n")
    files.write_text(Path("data/config/generate.yaml"), CONFIG.format(providers=providers, pairs=pairs))


def test_queries_stand_in_the_order_of_passages_then_of_providers() -> None:
    configure("recorded, keyphrases")
    assert work() == "8 queries for 2 of 2 passages; 1 dropped whose section is no longer in the documents"
    assert [(q["passage_id"], q["query"], q["kind"], q["provider"]) for q in files.read_jsonl(paths.QUERIES)] == [
        ("a.md#alpha", "what is alpha", "question", "recorded"),
        ("a.md#alpha", "A alpha", "keyword", "keyphrases"),
        ("a.md#alpha", "alpha", "keyword", "keyphrases"),
        ("a.md#alpha", "All about alpha", "keyword", "keyphrases"),
        ("a.md#beta", "what is beta", "question", "recorded"),
        ("a.md#beta", "A beta", "keyword", "keyphrases"),
        ("a.md#beta", "beta", "keyword", "keyphrases"),
        ("a.md#beta", "All about beta", "keyword", "keyphrases"),
    ]
    assert files.read_json(paths.QUERIES.with_name("report.json")) == {
        "queries": 8,
        "passages_with_queries": 2,
        "kinds": {"keyword": 6, "question": 2},
        "recorded": 2,
        "recorded_dropped_not_in_the_documents": 1,
        "keyphrases": 6,
    }


def test_no_query_at_all_says_what_to_change() -> None:
    record("changed")
    configure("recorded")
    with pytest.raises(UserError, match=r"0 queries: .* `generator: keyphrases` fits any"):
        work()
    assert not paths.QUERIES.parent.exists()


def test_pairs_of_ones_own_are_used_beside_any_generator_and_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("faq.csv").write_text("query,passage\nhow about beta,All about BETA\nlost,nowhere at all\n")
    configure("recorded", pairs="faq.csv")
    assert work() == "3 queries for 2 of 2 passages; 2 dropped whose section is no longer in the documents"
    assert "faq.csv, line 3: its place is not in the documents" in capsys.readouterr().out
    rows = list(files.read_jsonl(paths.QUERIES))
    assert [(q["query"], q["kind"], q["provider"]) for q in rows][-1] == ("how about beta", "own", "pairs")
    configure("pairs", pairs="faq.csv")
    assert work().startswith("1 queries for 1 of 2 passages")
    configure("keyphrases", pairs="gone.csv")
    with pytest.raises(UserError, match=r"pairs: gone\.csv not found"):
        work()
