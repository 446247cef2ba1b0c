"""`fieldtune search`: the results of the recommended system and of BM25 for a query, side by side.

They come from the export through onnxruntime, so that the first answer is there before torch would have loaded. `--all`
takes the pipeline's own models: base model, BM25 and tuned model, with torch.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from fieldtune.commands.preconditions import check_ranking
from fieldtune.corpus import files
from fieldtune.retrieval.formatting import beginning
from fieldtune.retrieval.systems import LABELS
from fieldtune.runtime import paths
from fieldtune.runtime.console import console, printable
from fieldtune.runtime.errors import UserError

_LETTERS = 110  # of a passage's text that are shown
Hits = dict[str, list[tuple[int, float]]]  # system → rows of passages.jsonl with their scores, best first


ABOUT = "show the results of the recommended system and BM25 for a query, side by side"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("words", help="the query")
    parser.add_argument("--top", type=int, default=5, help="sections shown per system (default: 5)")
    parser.add_argument("--all", action="store_true", help="base model, BM25 and tuned model instead, with torch")


def search(words: str, top: int, all: bool) -> str:
    """Print the first `top` sections of each system for a query; return a summary.

    A section that no other system returns is bold. Raises UserError if the earlier stages have not run.
    """
    if not words.strip():
        raise UserError('the query is empty: run `fieldtune search "words to search for"`')
    check_ranking(top)
    if all or not (paths.EXPORT / "search").is_dir() or not _graph().is_file():
        return _by_all(words, top)
    hits, count, recommended = _exported(words, top)
    console.print(side_by_side(hits, _passages(hits)))
    return f"{count:,} passages searched; recommended: {LABELS[recommended]}"


def _graph() -> Path:
    """The export's ONNX file: in int8 if there is one."""
    int8 = paths.EXPORT / "onnx/model_quantized.onnx"
    return int8 if int8.is_file() else paths.EXPORT / "onnx/model.onnx"


def _exported(words: str, top: int) -> tuple[Hits, int, str]:
    """The hits of the recommended system and of BM25, how many passages there are, and which is recommended."""
    from fieldtune.retrieval import exported_search
    from fieldtune.serve import backends, exported, tokens

    export = exported.read(paths.EXPORT)
    model = backends.OnnxBackend(_graph(), _graph().stem, export.padding, threads=1)
    index = exported_search.ExportedSearch(paths.EXPORT, model.dimension)
    vector = model.encode(tokens.Reader(export).texts([words], "query").ids)[0]
    systems = dict.fromkeys((index.recommended, "bm25"))
    answers = {system: index.search(system, words, vector, top) for system in systems}
    hits = {system: [(hit.row, hit.score) for hit in of_system] for system, of_system in answers.items()}
    ids = {hit.row: hit.id for of_system in answers.values() for hit in of_system}
    shown = _rows(set(ids))
    if any(shown.get(row, {}).get("id") != name for row, name in ids.items()):
        raise UserError(f"{paths.EXPORT} is not of the present passages: run `dvc repro`")
    return hits, len(index), index.recommended


def _passages(hits: Hits) -> dict[int, dict[str, Any]]:
    return _rows({row for rows in hits.values() for row, _ in rows})


def _rows(numbers: set[int]) -> dict[int, dict[str, Any]]:
    """These rows of passages.jsonl; of the other lines no JSON is read."""
    last = max(numbers, default=-1)
    with paths.PASSAGES.open(encoding="utf-8", newline="\n") as lines:
        return {number: json.loads(line) for number, line in enumerate(islice(lines, last + 1)) if number in numbers}


def _by_all(words: str, top: int) -> str:
    """Base model, BM25 and tuned model, as the pipeline has them."""
    from fieldtune.commands.loaded_systems import Systems

    passages = list(files.read_jsonl(paths.PASSAGES))
    with console.status("loading the models"):
        systems = Systems(passages)
    hits = systems.best(words, top)
    console.print(side_by_side(hits, dict(enumerate(passages))))
    left_out = "" if "tuned" in hits else "; no tuned model yet: run `dvc repro`"
    return f"{len(passages):,} passages searched{left_out}"


def side_by_side(hits: Mapping[str, Sequence[tuple[int, float]]], passages: Mapping[int, Mapping[str, Any]]) -> Table:
    """A column per system; `hits` has its passages (rows of passages.jsonl) with their scores, best first."""
    shown = Table(show_lines=True)
    shown.add_column("", justify="right")
    for name in hits:
        shown.add_column(LABELS[name], ratio=1, overflow="fold")
    places = {name: [_place(passages[row]) for row, _ in rows] for name, rows in hits.items()}
    for rank in range(max(map(len, hits.values()), default=0)):
        cells = []
        for name, rows in hits.items():
            if rank >= len(rows):
                cells.append(Text())
                continue
            row, score = rows[rank]
            others = {place for other, ranked in places.items() if other != name for place in ranked}
            cells.append(_cell(passages[row], score, unique=_place(passages[row]) not in others))
        shown.add_row(str(rank + 1), *cells)
    return shown


def _place(passage: Mapping[str, Any]) -> tuple[str, str]:
    return passage["source"], passage["section"]


def _cell(passage: Mapping[str, Any], score: float, unique: bool) -> Text:
    return Text.assemble(
        (printable(passage["title"] or passage["section"]), "bold" if unique else ""),
        (f"  {score:.3f}\n", "dim"),
        (printable(f"{passage['source']}#{passage['section']}\n"), "cyan"),
        (printable(beginning(passage["text"], _LETTERS)), "dim"),
    )
