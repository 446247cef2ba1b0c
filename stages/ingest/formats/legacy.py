"""Office files from before 2007, and Outlook's messages, as xberg reads them."""

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, UnreadableError, html, markdown, pandoc

_ESCAPED = re.compile(r"\\([<>*_#.()\[\]-])")
_BETWEEN_SLIDES = re.compile(r"^-{5}$", re.MULTILINE)
_SUBJECT = re.compile(r"\*\*Subject\*\*: (.*)\n")
_FIELD = re.compile(r"^\*\*(From|To|Cc|Date)\*\*:", re.MULTILINE)


def read(path: Path, source: str, _: Fields) -> Content:
    """The file as Markdown: headings, lists and tables as far as xberg finds them."""
    try:
        import xberg  # noqa: F401
    except ImportError:
        raise UnreadableError(f"needs xberg: {pandoc.EXTRA}") from None

    with silenced_stderr():
        results = extract(path).results
    if not results:
        raise UnreadableError(f"broken, or no {path.suffix[1:].upper()} file")
    text = _ESCAPED.sub(r"\1", repair(results[0].content))
    if subject := _SUBJECT.match(text):
        return html.sections(path, source, subject[1], _FIELD.sub(r"\1:", text[subject.end() :])), {}
    return markdown.sections(path, source, _BETWEEN_SLIDES.sub("", text)), {}


def extract(path: Path, **options: Any) -> Any:
    """Extract a file with xberg, as Markdown and with nothing left out; `options` are further ones of its own."""
    import xberg

    config = xberg.ExtractionConfig(
        output_format="markdown",
        use_cache=False,
        disable_ocr=True,
        escape_markdown=False,
        enable_quality_processing=False,
        content_filter=xberg.ContentFilterConfig(strip_repeating_text=False, include_footnotes=True),
        **options,
    )
    data = xberg.ExtractInput(kind="bytes", bytes=path.read_bytes(), filename=path.name)
    return asyncio.run(xberg.extract(data, config))


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Keep what a failing library prints, which may quote the text, out of the log."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
