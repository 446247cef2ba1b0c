"""The facts about each test query."""

import numpy as np

from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.retrieval.judged_queries import Judged
from stages.evaluate.query_facts import describe

IDS = ["d#copy-image", "d#copy-image-2", "d#share-disk", "d#tag"]
PASSAGES = [
    {"id": id_, "source": "d", "document": "d", "section": section, "title": "", "text": ""}
    for id_, section in zip(IDS, ("Copy Image", "Copy Image", "Share Disk", "Tag"), strict=True)
]
CORPUS = Corpus.from_passages(PASSAGES)
REAL = [RealQuery(f"real {n}", "test", [], [], overlap) for n, overlap in enumerate((0.25, 1.0))]
GENERATED = [{"kind": "task"}, {"kind": "keyword"}, {"kind": "task"}]
JUDGED = Judged(
    ids=["r000001", "r000000", "q000002", "q000001"],
    texts=["real 1", "real 0", "share my disks", "image"],
    grades=[{0: 1}, {1: 1, 2: 0.5}, {1: 1}, {0: 1, 2: 2}],
    clusters=np.arange(4),
    sets={"real": np.array([0, 1]), "synthetic": np.array([2, 3])},
)


def test_kind_overlap_and_whether_an_answer_was_trained_on() -> None:
    facts = describe(
        JUDGED, CORPUS, PASSAGES, GENERATED, REAL, {"d#copy-image-2"}
    )  # one piece of the section is enough
    assert facts.kinds == ["real", "real", "task", "keyword"]
    assert facts.seen.tolist() == [True, False, False, True]
    # Of a real query what the stage `real` said; "disks" and "share" are all of "Share Disk", "image" half of its one
    assert facts.overlaps.tolist() == [1.0, 0.25, 1.0, 0.5]


def test_the_heading_is_that_of_which_real_queries_are_measured() -> None:
    passages = [
        {"source": "C#/intro.md", "document": "C#/intro.md", "section": "Setup~2", "title": "Intro Setup"},
        {"source": "all.jsonl", "document": "Stop a disk", "section": "r1", "title": "Stop a disk"},
        {"source": "all.jsonl", "document": "all.jsonl#r2", "section": "r2", "title": ""},
    ]
    passages = [{"id": str(number), "text": "", **passage} for number, passage in enumerate(passages)]
    queries = ["the setup", "stop it", "anything"]
    judged = Judged([f"q00000{n}" for n in range(3)], queries, [{0: 1}, {1: 1}, {2: 1}], np.arange(3), {})
    facts = describe(judged, Corpus.from_passages(passages), passages, [{"kind": "task"}] * 3, [], set())
    assert facts.overlaps.tolist() == [1.0, 0.5, 1.0]  # a record without a title has nothing to repeat


def test_parts_of_the_real_queries() -> None:
    facts = describe(JUDGED, CORPUS, PASSAGES, GENERATED, REAL, {"d#copy-image"})
    assert {name: rows.tolist() for name, rows in facts.parts(JUDGED.sets).items()} == {
        "real_seen": [0],
        "real_unseen": [1],
    }
    assert describe(JUDGED, CORPUS, PASSAGES, GENERATED, REAL, set()).parts(JUDGED.sets) == {}
    assert describe(JUDGED, CORPUS, PASSAGES, GENERATED, REAL, set(IDS)).parts(JUDGED.sets) == {}
    assert facts.parts({"synthetic": np.array([2, 3])}) == {}


def test_kinds_have_their_rows() -> None:
    facts = describe(JUDGED, CORPUS, PASSAGES, GENERATED, REAL, set())
    assert {kind: rows.tolist() for kind, rows in facts.by_kind(np.array([3, 2])).items()} == {
        "keyword": [3],
        "task": [2],
    }
    assert facts.by_kind(np.array([], dtype=np.int64)) == {}


def test_languages_have_their_rows_if_there_are_several() -> None:
    def by_language(*generated: dict[str, str]) -> dict[str, list[int]]:
        facts = describe(JUDGED, CORPUS, PASSAGES, [{"kind": "task", **row} for row in generated], REAL, set())
        return {tag: rows.tolist() for tag, rows in facts.by_language(np.array([2, 3])).items()}

    german, english, unknown = {"language": "de"}, {"language": "en"}, dict[str, str]()
    assert by_language(unknown, german, english) == {"de": [3], "en": [2]}  # rows 2 and 3 are q000002 and q000001
    assert by_language(german, english, english) == {}
    assert by_language(german, english, unknown) == {}
    assert by_language(unknown, unknown, unknown) == {}
