"""What makes a reply usable."""

import json
import time

import pytest

from stages.generate.reply import ONLY_THOUGHT, UnusableError, read_queries

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


def changed(query: str, kind: str = "task", good: int = 2) -> str:
    """A reply with a further query after some good ones: with two of four there are too few without it."""
    return reply([*GOOD[:good], (kind, query)])


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
    assert len(read_queries(changed("opens slowly by itself"), "end_turn", PASSAGE, 4)) == 3


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("lift the cover", "poem"),
        ("  ", "task"),
        ("?!", "task"),
        ("lid " * 100, "task"),
        ("Open the LID!", "task"),
        ("stand back", "task"),
        ("the box then opens slowly by itself, with", "task"),
    ],
)
def test_one_bad_query_costs_that_query_alone(query: str, kind: str) -> None:
    assert read_queries(changed(query, kind, good=3), "end_turn", PASSAGE, 4) == GOOD[:3]
    assert read_queries(changed(query, kind, good=4), "end_turn", PASSAGE, 4) == GOOD


DRAFT = '{"queries": [{"kind": "task", "query": "a draft"}]}'
LINES = [json.dumps({"kind": kind, "query": query}) for kind, query in GOOD]


@pytest.mark.parametrize(
    "text",
    [
        f"<think>Perhaps {DRAFT}, but it needs four.</think>\n{reply(GOOD)}",
        f'e.g. {{"kind": "task", "query": "one"}} and so on</think>{reply(GOOD)}',  # opened in the template
        f"<thinking>{' {x} ' * 30}</thinking>{reply(GOOD)}",
        f'{{"type": "object", "properties": {{"queries": {{"type": "array"}}}}}}\n{reply(GOOD)}',
        f'{{"queries": []}}\n{reply(GOOD)}',
        f"{DRAFT}\n{reply(GOOD)}\n{reply(GOOD)}",
        f"{reply(GOOD)}\nShorter: {DRAFT}",  # the last of the shape that gives enough
        f"{' {x} ' * 25}{reply(GOOD)}",
        "\ufeff" + reply(GOOD),
        reply(GOOD).replace("open the lid", "open\nthe\tlid"),  # raw, inside a string
        f"[{', '.join(LINES)}]",
        "\n".join(LINES),
        "\n".join(f"{number}. {line}" for number, line in enumerate(LINES, 1)),
        f'{{"result": {reply(GOOD)}}}',
        f'{{"answer": {{"data": {reply(GOOD)}}}}}',
        reply([(kind.upper(), query) for kind, query in GOOD]),
        reply([(f" {kind}s", query) for kind, query in GOOD]),
        reply(GOOD).replace('"queries"', '"Queries"').replace('"kind"', '"Kind"').replace('"query"', '"QUERY"'),
        reply(GOOD).replace("}]}", "},]}"),
        f'{{"note": NaN, {reply(GOOD)[1:]}',
        reply([(kind, f'"{query}"') for kind, query in GOOD]),
        reply([(kind, f"„{query}“") for kind, query in GOOD]),
        reply([(kind, f"**{query}**") for kind, query in GOOD]),
        reply([(kind, f"{number}. {query}") for number, (kind, query) in enumerate(GOOD, 1)]),
        reply([(kind, f"Query {number}: *{query}*") for number, (kind, query) in enumerate(GOOD, 1)]),
        reply([(kind, f"- `{query}`") for kind, query in GOOD]),
        reply([(kind, f"{query}\x00") for kind, query in GOOD]),
    ],
)
def test_what_is_meant_is_taken(text: str) -> None:
    assert read_queries(text, "end_turn", PASSAGE, 4) == GOOD


@pytest.mark.parametrize(
    "query",
    [
        '"open lid" or "open box"',
        "2. amendment of the contract",  # a number that is not its own
        "3 keys for one lid",
        "*args and **kwargs",
        "-v flag of the lid",
        "how to write \\u00e9 in json",
        "it's the lid's edge",
        "می\u200cخواهم",  # the joiner is part of a word
    ],
)
def test_what_belongs_to_a_query_stays(query: str) -> None:
    assert read_queries(changed(query, good=3), "end_turn", PASSAGE, 4)[-1] == ("task", query)


def test_a_letter_that_was_escaped_twice_is_read() -> None:
    assert read_queries(changed("num\\u00e9ro du colis", good=3), "end_turn", PASSAGE, 4)[-1][1] == "numéro du colis"


@pytest.mark.parametrize(
    ("text", "stop_reason"),
    [
        ("<think>long", "max_tokens"),
        ("", ONLY_THOUGHT),
        ("<think>all of it</think>\n", "end_turn"),
        ("no beginning, but an end</think>", "max_tokens"),
    ],
)
def test_a_reply_of_thinking_alone_says_so(text: str, stop_reason: str) -> None:
    with pytest.raises(UnusableError, match="the model only thought"):
        read_queries(text, stop_reason, PASSAGE, 4)


@pytest.mark.parametrize("stop_reason", ["length", "model_context_window_exceeded"])
def test_other_servers_words_for_cut_off(stop_reason: str) -> None:
    with pytest.raises(UnusableError, match="cut off at max_tokens"):
        read_queries(reply(GOOD[:2])[:-5], stop_reason, PASSAGE, 4)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 100_000, '{"queries": [], "n": ' + "9" * 5000 + "}", "[1," * 9]
)
def test_what_no_parser_ends_is_given_up_quickly(text: str) -> None:
    started = time.process_time()
    with pytest.raises(UnusableError):
        read_queries(text, "end_turn", PASSAGE, 4)
    assert time.process_time() - started < 1


def test_with_one_kind_the_kind_may_be_left_out() -> None:
    text = json.dumps([{"query": query} for _, query in GOOD])
    assert [kind for kind, _ in read_queries(text, "end_turn", PASSAGE, 4, ("styled",))] == ["styled"] * 4
    with pytest.raises(UnusableError, match="not the JSON asked for"):
        read_queries(text, "end_turn", PASSAGE, 4)
