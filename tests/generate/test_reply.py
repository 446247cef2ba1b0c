"""What makes a reply usable."""

import json

import pytest

from stages.generate.reply import UnusableError, read_queries

PASSAGE = {"text": "Press the red lever. The lid of the box then opens slowly by itself, with a hiss.\nStand back!"}
GOOD = [
    ("task", "open the lid"),
    ("question", "how do I open it?"),
    ("keyword", "lever lid"),
    ("problem", "it is shut"),
]


def reply(queries: list[tuple[str, str]]) -> str:
    return json.dumps({"queries": [{"kind": kind, "query": query} for kind, query in queries]})


@pytest.mark.parametrize(
    "text",
    [
        reply(GOOD),
        f"```json\n{reply(GOOD)}\n```",
        f"Here is {{what}} you asked for: {reply(GOOD)} Anything else?",
        reply([(kind, f"  {query.replace(' ', chr(10))} ") for kind, query in GOOD]),
        reply([(kind, f"{query}\ud83d") for kind, query in GOOD]),  # half of a character, which UTF-8 cannot hold
    ],
)
def test_the_queries_are_found_wherever_the_json_stands(text: str) -> None:
    assert read_queries(text, "end_turn", PASSAGE, 4) == GOOD


def test_one_fewer_or_one_more_will_do() -> None:
    assert len(read_queries(reply(GOOD[:3]), "end_turn", PASSAGE, 4)) == 3
    assert len(read_queries(reply([*GOOD, ("task", "lift the cover")]), "end_turn", PASSAGE, 4)) == 5


def test_of_one_query_there_must_be_one() -> None:
    assert read_queries(reply(GOOD[:1]), "end_turn", PASSAGE, 1) == GOOD[:1]
    with pytest.raises(UnusableError, match="wrong number of queries"):
        read_queries(reply([]), "end_turn", PASSAGE, 1)


def changed(query: str, kind: str = "task") -> str:
    return reply([*GOOD[:3], (kind, query)])


@pytest.mark.parametrize(
    ("text", "stop_reason", "reason"),
    [
        ("", "refusal", "refused by the model"),
        (reply(GOOD), "max_tokens", "cut off at max_tokens"),
        ("no", "end_turn", "not the JSON asked for"),
        (reply(GOOD)[:-9], "end_turn", "not the JSON asked for"),
        ('{"queries": "none"}', "end_turn", "not the JSON asked for"),
        ('{"queries": [1, 2, 3, 4]}', "end_turn", "not the JSON asked for"),
        ("{" * 100_000, "end_turn", "not the JSON asked for"),
        (changed("lift the cover", kind="poem"), "end_turn", "not the JSON asked for"),
        (reply(GOOD[:2]), "end_turn", "wrong number of queries"),
        (reply([*GOOD, ("task", "a b"), ("task", "c d")]), "end_turn", "wrong number of queries"),
        ('{"queries": []}', "end_turn", "wrong number of queries"),
        (changed("  "), "end_turn", "an empty query"),
        (changed("?!"), "end_turn", "an empty query"),
        (changed("lid " * 100), "end_turn", "an overlong query"),
        (changed("Open the LID!"), "end_turn", "a repeated query"),
        (changed("press the red lever"), "end_turn", "a query copied from the passage"),
        (changed("stand back"), "end_turn", "a query copied from the passage"),
        (changed("the box then opens slowly by itself, with"), "end_turn", "a query copied from the passage"),
    ],
)
def test_an_unusable_reply_says_why_without_quoting(text: str, stop_reason: str, reason: str) -> None:
    with pytest.raises(UnusableError) as error:
        read_queries(text, stop_reason, PASSAGE, 4)
    assert str(error.value) == reason


def test_a_few_words_of_the_passage_are_no_copy() -> None:
    assert read_queries(changed("opens slowly by itself"), "end_turn", PASSAGE, 4)
