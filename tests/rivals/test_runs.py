"""A run file of a search of one's own among the rivals."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import judged_queries, metrics, ranking
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.rivals.__main__ import work
from tests.rivals.workspace import block, name_rivals

Row = tuple[str, str, list[str], list[float]]  # id, text, sections and scores of a query


def bm25() -> tuple[Judged, list[Row], dict[str, dict[str, float]]]:
    """Our own BM25's ranking of the judged queries, and its metrics by set."""
    corpus = Corpus.from_passages(list(files.read_jsonl(paths.PASSAGES)))
    judged = judged_queries.read(judged_queries.TEST_SETS, corpus)
    ranked = ranking.bm25(judged.texts, corpus)
    rows: list[Row] = []
    for query, text, sections, scores in zip(judged.ids, judged.texts, ranked.sections, ranked.scores, strict=True):
        there = sections >= 0
        rows.append((query, text, [corpus.sections[place] for place in sections[there]], scores[there].tolist()))
    values = metrics.per_query(ranked, judged.grades)
    return judged, rows, {name: metrics.means(values, members) for name, members in judged.sets.items()}


def trec(rows: Sequence[Row]) -> str:
    lines = [
        f"{query} Q0 {section} {rank} {score!r} ours"
        for query, _, sections, scores in rows
        for rank, (section, score) in enumerate(zip(sections, scores, strict=True), 1)
    ]
    return "\n".join(reversed(lines)) + "\n"  # the scores decide, not the order


def as_texts(rows: Sequence[Row]) -> str:
    return "".join(json.dumps({"query": text.upper(), "results": sections}) + "\n" for _, text, sections, _ in rows)


def as_places(rows: Sequence[Row]) -> str:
    def place(section: str, score: float) -> dict[str, Any]:
        source, _, heading = section.partition("#")
        return {"source": source, "section": heading, "score": score}

    return "".join(
        json.dumps({"query": text, "results": list(map(place, sections, scores))}) + "\n"
        for _, text, sections, scores in rows
    )


@pytest.mark.parametrize(("name", "write"), [("a.run", trec), ("a.jsonl", as_texts), ("b.jsonl", as_places)])
def test_our_own_bm25_as_a_run_file_scores_as_bm25(
    folder: Path, name: str, write: Callable[[Sequence[Row]], str]
) -> None:
    _, rows, expected = bm25()
    files.write_text(folder / "rivals" / name, write(rows))
    name_rivals(folder, search={"run": name})
    work()
    for name_of_set, means in expected.items():
        assert block(folder)["search"][name_of_set] == pytest.approx(means, abs=1e-9)
    assert set(expected) == {"real", "synthetic"}


def test_a_run_of_the_real_queries_alone_says_nothing_of_generated_ones(folder: Path) -> None:
    _, rows, expected = bm25()
    files.write_text(folder / "rivals/a.run", trec([row for row in rows if row[0][0] == "r"]))
    name_rivals(folder, search={"run": "a.run"})
    work()
    assert block(folder)["search"] == {"kind": "run", "real": expected["real"]}


def test_a_query_without_results_counts_and_foreign_places_are_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, rows, _ = bm25()
    rows = [(query, text, [*sections, "elsewhere.md#X"], [*scores, -1.0]) for query, text, sections, scores in rows]
    files.write_text(folder / "rivals/a.run", trec(rows[:-1]))
    name_rivals(folder, search={"run": "a.run"})
    work()
    printed = capsys.readouterr().out
    assert "rival search: 29 places of rivals/a.run are not in the documents, and are left out" in printed
    assert "rival search: 1 of 30 queries have no results in rivals/a.run" in printed


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.run", "r000000 Q0 doc 1 2.0\n", r"a\.run, line 1: it must have TREC's six columns"),
        ("a.run", "r000000 Q0 doc 1 high x\n", r"a\.run, line 1: it must have TREC's six columns"),
        ("a.run", "r000000 Q0 no.md#1 1 2.0 x\n", r"1 of 1 places are not in the documents: a place is the id"),
        ("a.run", "42 Q0 doc0.md#part-0 1 2.0 x\n", r"rival search has no results for any of the 20 real queries"),
        ("a.jsonl", '{"query": "x"}\n', r"a\.jsonl, line 1: it must have `query`, a text, and `results`"),
        ("a.jsonl", '{"query": "x", "results": [3]}\n', r"line 1: result 1 is not a place"),
    ],
)
def test_a_wrong_run_file_is_one_line(folder: Path, name: str, text: str, message: str) -> None:
    files.write_text(folder / "rivals" / name, text)
    name_rivals(folder, search={"run": name})
    with pytest.raises(UserError, match=message):
        work()
