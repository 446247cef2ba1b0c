"""Recorded queries: kept where their section is as it was, and given to the right piece of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from fieldtune.corpus.passages import section_hash
from fieldtune.runtime.errors import UserError
from stages.generate.pairs import Recorded


def passage(id_: str, text: str, section: str | None = None, whole: str | None = None) -> dict[str, Any]:
    source, _, slug = id_.partition("#")
    return {
        "id": id_,
        "source": source,
        "document": source,
        "section": section or slug,
        "title": "Title",
        "text": text,
        "section_sha256": section_hash(whole or text),
    }


PARTS = ("Stop the instance first.", "Then delete its volume.", "At last tell the owner.")
WHOLE = " ".join(PARTS)
PASSAGES = [
    passage("a.md#copy", "Copies an image.", "Copy"),
    passage("a.md#end", PARTS[0], "The End", WHOLE),
    passage("a.md#end-2", PARTS[1], "The End", WHOLE),
    passage("a.md#end-3", PARTS[2], "The End", WHOLE),
    passage("b.md#copy", "Copies a stack.", "Copy"),
    passage("b.md#copy~2", "Copies a set.", "copy"),
]


def recorded(rows: list[dict[str, object]], folder: Path) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Each query with the passage that it went to, and the counts."""
    (folder / "recorded.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    queries, counts = Recorded(folder / "recorded.jsonl").queries(PASSAGES)
    return [(query.query, query.passage_id) for query in queries], counts


def row(query: str, **place: str) -> dict[str, object]:
    return {"query": query, "kind": "task", **place}


def test_a_query_goes_to_its_place_however_that_is_named(tmp_path: Path) -> None:
    rows = [
        row("hash", text_sha256=section_hash("Copies  an\nimage.")),
        row("id", passage_id="a.md#end-3"),
        row("heading", source="b.md", section="Copy"),
        row("slug", source="a.md", section="copy"),
        row("heading before slug", source="b.md", section="copy"),
        row("hash before all else", text_sha256=section_hash("Copies a stack."), source="a.md", section="Copy"),
    ]
    assert recorded(rows, tmp_path) == (
        [
            ("hash", "a.md#copy"),
            ("id", "a.md#end-3"),
            ("heading", "b.md#copy"),
            ("slug", "a.md#copy"),
            ("heading before slug", "b.md#copy~2"),
            ("hash before all else", "b.md#copy"),
        ],
        {"recorded": 6, "recorded_dropped_not_in_the_documents": 0},
    )


def test_a_row_that_answers_only_partly_is_no_pair(tmp_path: Path) -> None:
    rows = [row(f"rated {grade}", passage_id="a.md#copy") | {"relevance": grade} for grade in (0, 1, 2)]
    assert recorded(rows, tmp_path) == (
        [("rated 2", "a.md#copy")], {"recorded": 1, "recorded_dropped_not_in_the_documents": 0},
    )  # fmt: skip


def test_a_query_whose_section_changed_or_went_is_dropped_and_counted(tmp_path: Path) -> None:
    rows = [
        row("changed", text_sha256=section_hash("Copies an image?"), source="a.md", section="Copy"),
        row("gone", passage_id="a.md#end-4"),
        row("another file", source="c.md", section="Copy"),
        row("kept", source="a.md", section="Copy"),
    ]
    assert recorded(rows, tmp_path) == (
        [("kept", "a.md#copy")],
        {"recorded": 1, "recorded_dropped_not_in_the_documents": 3},
    )


@pytest.mark.parametrize(
    ("query", "piece"),
    [
        ("stop an instance", "a.md#end"),
        ("delete the volume", "a.md#end-2"),
        ("who is the owner", "a.md#end-3"),
        ("unrelated words", "a.md#end"),  # nothing tells: the first
        ("the", "a.md#end"),
    ],
)
def test_a_query_of_a_section_that_was_cut_goes_to_the_piece_that_answers_it(
    query: str, piece: str, tmp_path: Path
) -> None:
    for place in ({"text_sha256": section_hash(WHOLE)}, {"source": "a.md", "section": "The End"}):
        assert recorded([row(query, **place)], tmp_path)[0] == [(query, piece)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"query": "a", "kind": "task"}', "line 3: `query` and its answer's place are needed"),
        ('{"query": "a", "kind": "poem", "passage_id": "a.md#copy"}', "line 3: kind is poem: it must be one of task, "),
        ('{"query": " ", "kind": "task", "passage_id": "a.md#copy"}', "line 3: `query` and its answer's place"),
        ("not JSON", "line 3 is not valid JSON"),
        ("3", "line 3 must be a JSON object"),
    ],
)
def test_a_malformed_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text(json.dumps(row("q", passage_id="a.md#copy")) + f"\n\n{line}\n")
    with pytest.raises(UserError) as error:
        Recorded(tmp_path / "own.jsonl").queries(PASSAGES)
    assert str(error.value).startswith(f"{tmp_path / 'own.jsonl'}, {message}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.jsonl not found"):
        Recorded(tmp_path / "gone.jsonl").queries(PASSAGES)
