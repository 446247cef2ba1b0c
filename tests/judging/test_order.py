"""Which queries are judged, and in which order."""

import time
from collections import Counter

from fieldtune.judging.order import FIRST, near_copies, order


def test_near_copies_are_judged_once_and_a_short_table_keeps_its_order() -> None:
    long = " ".join(f"word{number}" for number in range(40))
    queries = [
        "reset the lamp",
        "Reset  the LAMP",
        "lamps: reset",
        "reset the door",
        long,
        f"{long} more",
        "?",
        "!",
        "RESET the lamp",
    ]
    assert order(queries) == ["reset the lamp", "reset the door", long, "?", "!"]
    assert near_copies([]).tolist() == []


def test_the_first_fifty_are_spread_over_lengths_and_topics() -> None:
    things = [f"thing{number}" for number in range(100)]
    short = [f"reset {thing}" for thing in things]
    middle = [f"how to open {thing}" for thing in things]
    long = [f"why does my {thing} stop again after the first cold night" for thing in things]
    longest = [f"why does my {thing} stop again whenever it rains for days on end" for thing in things]
    chosen = order([*short, *middle, *long, *longest])
    assert sorted(chosen) == sorted([*short, *middle, *long, *longest])
    lengths = Counter(len(query.split()) for query in chosen[:FIRST])
    assert sorted(lengths.values()) == [12, 12, 13, 13]
    assert len({word for query in chosen[:FIRST] for word in query.split() if word.startswith("thing")}) > 35
    assert order([*reversed(short), *middle, *long, *longest])[FIRST:] == chosen[FIRST:]


def test_a_long_log_takes_seconds() -> None:
    queries = [f"query {number % 977} about {number % 613} and {number}" for number in range(30_000)]
    started = time.process_time()
    assert 29_000 < len(order(queries)) <= 30_000
    assert time.process_time() - started < 10
