"""Judgements as plain data: what is in force, what people agree on, the rows that are written."""

import json

from fieldtune.judging.journal import Event, in_force
from fieldtune.judging.judgements import disagreements, merged, outcome, rows, sheets


def judged(person: str, query: str, section: str, relevance: int, finished: bool = False) -> Event:
    return Event(person, "judge", query, "a.md", section, f"a.md#{section}", relevance, finished)


def test_undo_takes_back_the_last_press_of_the_same_person_each_time_one_more() -> None:
    one, two, other = judged("ann", "q", "A", 2), judged("ann", "q", "B", 0), judged("bob", "q", "A", 1)
    undo = Event("ann", "undo")
    assert in_force([one, two, other, undo]) == [one, other]
    assert in_force([one, two, other, undo, undo]) == [other]
    assert in_force([one, undo, undo, two]) == [two]


def test_a_query_is_judged_when_it_is_finished_and_the_last_judgement_of_a_section_counts() -> None:
    begun = [judged("ann", "q", "A", 2), judged("ann", "q", "A", 1), judged("ann", "q", "B", 0)]
    assert outcome("q", sheets(begun)) is None
    done = outcome("q", sheets([*begun, Event("ann", "finish", "q")]))
    assert done is not None and not done.answered
    assert rows("q", done) == [
        {"query": "q", "source": "a.md", "section": "A", "relevance": 1, "judged": ["a.md#A", "a.md#B"]}
    ]
    full = outcome("q", sheets([*begun, judged("ann", "q", "C", 2, finished=True)]))
    assert full is not None and full.answered
    assert [(row["relevance"], row.get("judged")) for row in rows("q", full)] == [
        (1, ["a.md#A", "a.md#B", "a.md#C"]),
        (2, None),
    ]


def test_no_answer_is_a_row_of_its_own_and_skipped_is_none() -> None:
    assert rows("q", outcome("q", sheets([Event("ann", "unanswered", "q")]))) == [{"query": "q", "answered": False}]
    skipped = [Event("ann", "skip", "q")]
    assert outcome("q", sheets(skipped)) is None
    assert sheets(skipped).sheet("q", "ann").state == "skipped"
    assert sheets([*skipped, Event("ann", "resume")]).sheet("q", "ann").state == "open"
    assert sheets([*skipped, Event("bob", "resume")]).sheet("q", "ann").state == "skipped"


def test_the_text_above_the_first_heading_is_named_by_its_passage() -> None:
    done = outcome("q", sheets([judged("ann", "q", "", 2, finished=True)]))
    assert rows("q", done) == [{"query": "q", "passage_id": "a.md#", "relevance": 2, "judged": ["a.md#"]}]


def test_the_rest_that_was_shown_counts_as_judged_until_the_end_of_the_query_is_undone() -> None:
    begun, end = judged("ann", "q", "A", 2), Event("ann", "finish", "q", rest=["a.md#B", "a.md#C"])
    (row,) = rows("q", outcome("q", sheets([begun, end])))
    assert (row["section"], row["judged"]) == ("A", ["a.md#A", "a.md#B", "a.md#C"])
    again = in_force([begun, end, Event("ann", "undo"), judged("ann", "q", "B", 0, finished=True)])
    assert rows("q", outcome("q", sheets(again)))[0]["judged"] == ["a.md#A", "a.md#B"]
    none = Event("ann", "unanswered", "q", rest=["a.md#A"])
    assert rows("q", outcome("q", sheets([none]))) == [{"query": "q", "answered": False, "judged": ["a.md#A"]}]


def test_two_people_disagree_until_it_is_settled() -> None:
    ann = [judged("ann", "q", "A", 2), judged("ann", "q", "B", 1), judged("ann", "q", "C", 0, finished=True)]
    bob = [judged("bob", "q", "B", 1), judged("bob", "q", "A", 0), judged("bob", "q", "D", 2, finished=True)]
    assert disagreements(sheets(ann)) == []
    both = sheets([*ann, *bob[:2]])
    assert disagreements(both) == []  # bob is not done
    both = sheets([*ann, *bob])
    assert [(each.place.section, each.relevance) for each in disagreements(both)] == [
        ("A", {"ann": 2, "bob": 0}),
        ("D", {"ann": None, "bob": 2}),
    ]
    assert [(row["section"], row["relevance"]) for row in rows("q", outcome("q", both))] == [("A", 2), ("B", 1)]
    settled = Event("bob", "settle", "q", "a.md", "A", "a.md#A", 0)
    also = Event("bob", "settle", "q", "a.md", "D", "a.md#D", 2)
    both = sheets([*ann, *bob, settled, also])
    assert disagreements(both) == []
    assert [(row["section"], row["relevance"]) for row in rows("q", outcome("q", both))] == [("B", 1), ("D", 2)]


def test_one_who_finds_no_answer_disagrees_with_one_who_does() -> None:
    both = sheets([Event("ann", "unanswered", "q"), judged("bob", "q", "A", 2, finished=True)])
    assert [each.relevance for each in disagreements(both)] == [{"ann": None, "bob": 2}]
    assert rows("q", outcome("q", both)) == [{"query": "q", "answered": False}]  # the first one, until it is settled


def test_other_lines_stay_to_the_byte_and_a_query_keeps_its_place_and_split() -> None:
    table = '{ "query":"old",  "source": "b.md"}\n\n{"query": "Q", "passage_id": "x", "split": "dev"}\n{"query": "q"}\n'
    table += '{"a": 1}'
    new = merged(table, {"q": [{"query": "q", "relevance": 2}], "n": [{"query": "n", "answered": False}]})
    assert new.split("\n") == [
        '{ "query":"old",  "source": "b.md"}',
        "",
        '{"query": "q", "relevance": 2, "split": "dev"}',
        '{"a": 1}',
        '{"query": "n", "answered": false}',
        "",
    ]
    assert merged(new, {"q": [], "n": []}).splitlines() == [new.split("\n")[0], "", '{"a": 1}']
    assert merged("", {"ü": [{"query": "ü"}]}) == json.dumps({"query": "ü"}, ensure_ascii=False) + "\n"
