"""The proposed split: style first, all of a small set for the test, the rest of a large one for training."""

from collections import Counter

from fieldtune.corpus.passages import Corpus
from fieldtune.judging.split import JudgedQuery, linked_sections, propose, with_splits

THINGS = ["lamp", "door", "vent", "pump", "valve", "sensor", "fan", "gate", "roof", "cable"]


def answered(count: int) -> list[JudgedQuery]:
    """Queries of which two each have one section."""
    return [JudgedQuery(f"w{n} x{n * 7} y{n * 3}", [f"a.md#{n // 2}"], True) for n in range(count)]


def alone(queries: list[JudgedQuery]) -> dict[str, int]:
    return {section: n for n, section in enumerate(dict.fromkeys(s for each in queries for s in each.sections))}


def test_below_150_all_but_the_style_is_test() -> None:
    queries = [*answered(149), *(JudgedQuery(f"{thing} q{n}", [], False) for n, thing in enumerate(THINGS * 2))]
    proposal = propose(queries, alone(queries), [])
    assert Counter(proposal.splits.values()) == {"style": 12, "test": 149}
    assert all(proposal.splits[each.query] == "test" for each in queries if each.sections)
    assert proposal.reasons[0] == "149 queries with an answer, 95 clusters; a cluster has one split"
    assert any(line.startswith("test 149: with fewer than 150") for line in proposal.reasons)
    assert any(line.startswith("no split 8:") for line in proposal.reasons)


def test_above_150_the_rest_trains_and_no_cluster_is_divided() -> None:
    queries = answered(400)
    proposal = propose(queries, alone(queries), [])
    counts = Counter(proposal.splits.values())
    assert counts["test"] in (150, 151)
    assert 12 <= counts["style"] <= 24  # with those that share a section with an example
    assert counts.total() == 400
    for one, other in zip(queries[::2], queries[1::2], strict=True):
        assert proposal.splits[one.query] == proposal.splits[other.query]
    assert propose(list(reversed(queries)), alone(queries), []).splits == proposal.splits


def test_the_style_file_decides_what_is_style_and_a_split_that_is_there_stays() -> None:
    queries = [*answered(10), JudgedQuery("old one here", ["a.md#0"], True, "train")]
    proposal = propose(queries, alone(queries), ["W9 x63 y27"])
    assert proposal.splits["w0 x0 y0"] == proposal.splits["w1 x7 y3"] == "train"  # they share its section
    assert proposal.splits["w9 x63 y27"] == proposal.splits["w8 x56 y24"] == "style"
    assert "old one here" not in proposal.splits
    assert Counter(proposal.splits.values()) == {"train": 2, "style": 2, "test": 6}


def test_a_part_of_an_answer_is_in_the_test_and_does_not_count_towards_150() -> None:
    queries = [*answered(160), JudgedQuery("only a part", ["a.md#900"], False)]
    proposal = propose(queries, alone(queries), ["none like these"])
    assert Counter(proposal.splits.values())["test"] >= 150
    assert "only a part" in proposal.splits


def test_copies_of_a_section_are_one_cluster() -> None:
    text = " ".join(f"word{n}" for n in range(40))
    passages = [
        {"source": source, "section": "S", "title": "", "text": body}
        for source, body in [("a.md", text), ("b.md", f"{text} more"), ("c.md", "something else in here")]
    ]
    cluster_of = linked_sections(Corpus.from_passages(passages), [row["text"] for row in passages], 0.8)
    assert cluster_of["a.md#S"] == cluster_of["b.md#S"] != cluster_of["c.md#S"]


def test_splits_are_written_into_the_rows_of_their_queries() -> None:
    table = '{"query": "A",  "source": "x"}\n{"query":"b"}\n{"query": "a", "source": "y", "split": "dev"}\n'
    assert with_splits(table, {"a": "test"}).split("\n") == [
        '{"query": "A", "source": "x", "split": "test"}',
        '{"query":"b"}',
        '{"query": "a", "source": "y", "split": "dev"}',
        "",
    ]
