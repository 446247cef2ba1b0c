"""The passages that a model writes queries for."""

import random
from typing import Any

from stages.generate.selection import select_passages


def passages(*documents: int) -> list[dict[str, Any]]:
    """So many passages of each document, of random words."""
    draw = random.Random(0)
    return [
        {
            "id": f"d{document}#{number}",
            "document": f"d{document}",
            "text": " ".join(f"w{draw.randrange(10**6)}" for _ in range(20)),
        }
        for document, count in enumerate(documents)
        for number in range(count)
    ]


def names(rows: list[dict[str, Any]]) -> set[str]:
    return {row["id"] for row in rows}


def test_all_of_a_small_corpus_and_all_if_nothing_is_said() -> None:
    rows = passages(3, 2)
    assert select_passages(rows, 5) == rows
    assert select_passages(rows, None) == rows


def test_documents_take_turns() -> None:
    chosen = select_passages(passages(50, 2, 5), 9)
    count = {name: sum(row["document"] == name for row in chosen) for name in ("d0", "d1", "d2")}
    assert count in ({"d0": 4, "d1": 2, "d2": 3}, {"d0": 3, "d1": 2, "d2": 4})  # by hash who has the last turn


def test_fewer_are_the_beginning_of_more_and_the_order_of_files_changes_nothing() -> None:
    rows = passages(40, 30, 20)
    few, more = select_passages(rows, 20), select_passages(rows, 40)
    assert names(few) < names(more)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert names(select_passages(shuffled, 20)) == names(few)
    assert [row["id"] for row in few] == [row["id"] for row in rows if row["id"] in names(few)]  # in their own order


def test_a_document_more_moves_only_the_last_turns() -> None:
    before = select_passages(passages(40, 30, 20), 30)
    after = select_passages(passages(40, 30, 20, 10), 30)
    kept = names(before) & names(after)
    assert len(kept) >= 30 - 8  # ten of three documents before; seven or eight of four now
    assert {name for name in names(after) if not name.startswith("d3")} == kept


def test_copies_are_asked_for_once() -> None:
    rows = passages(6, 6)
    for number, row in enumerate(rows):
        row["text"] = rows[0]["text"] + (" Only this." if number % 2 else "")
    rows.append({"id": "other", "document": "d2", "text": "something else altogether that nobody has said before"})
    assert len(select_passages(rows, 3)) == 2
