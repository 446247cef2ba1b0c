"""Jupyter notebooks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, UnreadableError, markdown, writing
from stages.ingest.formats.records import load_json


def read(path: Path, source: str, _: Fields) -> Content:
    """Markdown cells as they are, code cells fenced, their output left out."""
    notebook = load_json(path)
    if notebook is None:
        return [], {}
    if not isinstance(notebook, dict) or "cells" not in notebook:
        raise UnreadableError("no cells in it: not a notebook of format 4")
    language = notebook.get("metadata", {}).get("language_info", {}).get("name", "")
    cells = (_cell(cell, language) for cell in notebook["cells"])
    return markdown.sections(path, source, repair("\n\n".join(filter(None, cells)))), {}


def _cell(cell: Mapping[str, Any], language: str) -> str:
    text = "".join(cell.get("source", "")).strip("\n")  # a list of lines, or one text
    if cell["cell_type"] == "markdown":
        return text
    return writing.fenced(text, language if cell["cell_type"] == "code" else "")
