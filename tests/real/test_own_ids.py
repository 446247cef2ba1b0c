"""Queries that are documents by their ids, as in ArguAna: from a BEIR folder through the stages to their score."""

from pathlib import Path

import pytest
import pytrec_eval

from fieldtune.corpus import files, real_queries
from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import judged_queries, metrics, ranking
from fieldtune.retrieval.self_passages import leave_out, message, own_sections
from fieldtune.runtime import paths
from stages.dataset.inputs import Inputs
from stages.dataset.qrels import qrels_columns, real_judgements
from stages.ingest.__main__ import work as ingest
from stages.real.__main__ import work as real
from tests.dataset.test_qrels import NONE
from tests.ingest.test_stage import configure

ARGUMENTS = {  # each as a query is the argument without its source, and is answered by the one against it
    "diet-pro": "Vegetarian meals spare animals cruel slaughter and keep rivers clean.",
    "diet-con": "Vegetarian meals alone cannot feed poor regions where animals graze on bare hills.",
    "tax-pro": "Sugar taxes make children healthier since lemonade becomes expensive.",
    "tax-con": "Sugar taxes burden poor families while lemonade remains cheap abroad.",
    "vote-pro": "Voting at sixteen gives pupils influence over schools and future pensions.",
    "vote-con": "Voting at sixteen asks pupils to judge budgets before they ever earned money.",
    "vote-other": "Voting pupils gained influence over schools at sixteen in Austria.",
}
SOURCE = " [1] Institute for Made-up Studies, Yearbook of Results, 2011, pages 12 to 19."
ANSWERS = {name: f"{name.removesuffix('pro')}con" for name in ARGUMENTS if name.endswith("pro")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    configure()
    Path(".dvc").mkdir()
    Path("style.yaml").touch()
    files.write_text(paths.NONE, "\n")
    files.write_text(paths.CONFIG / "real.yaml", f"documents: docs\nqueries: {paths.NONE}\nstyle: style.yaml\n")
    files.write_jsonl(paths.QUERIES, [])
    rows = [{"_id": name, "title": "", "text": text + SOURCE} for name, text in ARGUMENTS.items()]
    files.write_jsonl(Path("docs/corpus.jsonl"), rows)
    return tmp_path


def judged_of(ids: dict[str, str]) -> tuple[judged_queries.Judged, list[dict[str, str]], Corpus]:
    """The stages' outputs, with these ids of the queries that are arguments."""
    rows = [{"_id": id_, "text": ARGUMENTS[name]} for name, id_ in ids.items()]
    files.write_jsonl(Path("docs/queries.jsonl"), rows)
    lines = [f"{id_}\t{ANSWERS[name]}\t1\n" for name, id_ in ids.items()]
    files.write_text(Path("docs/qrels/test.tsv"), "query-id\tcorpus-id\tscore\n" + "".join(lines))
    ingest()
    real()
    passages = list(files.read_jsonl(paths.PASSAGES))
    corpus = Corpus.from_passages(passages)
    inputs = Inputs(passages, corpus, [], real_queries.read(), [], NONE, NONE, NONE)
    units = list(range(len(corpus.sections)))
    judgements = real_judgements(inputs, [{unit} for unit in units])
    files.write_table(paths.QRELS, qrels_columns(judgements, passages, corpus, units))
    return judged_queries.read(["real"], corpus), passages, corpus


def test_the_score_is_that_of_beirs_rule(folder: Path) -> None:
    judged, passages, corpus = judged_of({name: name for name in ANSWERS})
    own = own_sections(judged, passages, corpus.sections)
    assert [corpus.sections[section] for section in own] == [f"corpus.jsonl#{name}" for name in ANSWERS]
    assert message(own).startswith("3 queries are themselves passages")
    ranked = ranking.bm25(judged.texts, corpus)
    with_own, right = (
        float(metrics.per_query(rankings, judged.grades)["ndcg@10"].mean())
        for rankings in (ranked, leave_out(ranked, own))
    )
    # By hand: each finds itself first, then its answer, but the third another argument between them.
    assert with_own == pytest.approx((0.6309 + 0.6309 + 0.5) / 3, abs=1e-4)
    assert right == pytest.approx((1 + 1 + 0.6309) / 3, abs=1e-4)
    # By BEIR's evaluation: the document with the query's id is taken out, and trec_eval scores the rest.
    run = {
        name: {
            id_: float(score)
            for section, score in zip(ranked.sections[row], ranked.scores[row], strict=True)
            if section >= 0 and (id_ := corpus.sections[section].partition("#")[2]) != name
        }
        for row, name in enumerate(ANSWERS)
    }
    scored = pytrec_eval.RelevanceEvaluator({name: {to: 1} for name, to in ANSWERS.items()}, {"ndcg_cut.10"})
    values = [each["ndcg_cut_10"] for each in scored.evaluate(run).values()]
    assert right == pytest.approx(sum(values) / len(values))


def test_ids_that_are_equal_by_chance_leave_nothing_out(folder: Path) -> None:
    """Queries and documents both numbered from 0: BEIR's own rule would take an innocent document from each."""
    names = list(ARGUMENTS)
    rows = [{"_id": str(number), "text": text + SOURCE} for number, text in enumerate(ARGUMENTS.values())]
    files.write_jsonl(Path("docs/corpus.jsonl"), rows)
    asked = list(reversed(ANSWERS))  # vote, tax, diet: the documents 0 to 2 are of diet and tax
    queries = [{"_id": str(number), "text": ARGUMENTS[name]} for number, name in enumerate(asked)]
    files.write_jsonl(Path("docs/queries.jsonl"), queries)
    lines = [f"{number}\t{names.index(ANSWERS[name])}\t1\n" for number, name in enumerate(asked)]
    files.write_text(Path("docs/qrels/test.tsv"), "".join(lines))
    ingest()
    real()
    assert [query.own for query in real_queries.read()] == ["", "", ""]
    assert "own" not in next(iter(files.read_jsonl(paths.REAL)))


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("sugar taxes and children", "corpus.jsonl#tax-pro"),  # the ticket's title, as a query
        ("Sugar taxes", "corpus.jsonl#tax-pro"),
        ("opening hours of libraries", ""),
        ("children like museums, parks and rivers", ""),  # a word in common
    ],
)
def test_half_of_the_words_make_equal_ids_the_same_thing(folder: Path, text: str, own: str) -> None:
    files.write_jsonl(Path("docs/queries.jsonl"), [{"_id": "tax-pro", "text": text}])
    files.write_text(Path("docs/qrels/test.tsv"), "tax-pro\ttax-con\t1\n")
    ingest()
    real()
    assert [query.own for query in real_queries.read()] == [own]


def test_an_answer_is_never_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "tax-pro", "tax-pro")
    judged, passages, corpus = judged_of({"tax-pro": "tax-pro"})
    assert judged.own == {"r000000": "corpus.jsonl#tax-pro"}
    assert own_sections(judged, passages, corpus.sections).tolist() == [-1]
