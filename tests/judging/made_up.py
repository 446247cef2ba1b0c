"""The program behind the page with made-up systems: no model, so it starts in a second. Run as
`python -m tests.judging.made_up FOLDER TYPED SECONDS PORT`.
"""

import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldtune.corpus import files
from fieldtune.judging import server
from fieldtune.judging.candidates import Candidate, SearchBy
from fieldtune.retrieval.words import words_of

TOP = 3
TOKEN = "a-token-of-the-test-0123"


def passages() -> list[dict[str, Any]]:
    """Twenty sections about numbers, and some that are hard to show."""
    hard = [
        (
            "Script",
            "<script>document.title = 'run'</script><img src=x onerror=\"document.title='run'\"> &amp; <b>bold</b>",
        ),
        ("Steering", "ends here\u202e reversed \x1b[31m \x00 and\u2066 isolated\x07"),
        ("Right to left", "كيف أنسخ صورة من الخزانة؟"),
        ("Long", "a_word_without_any_break_" * 30),
    ]
    plain = [(f"Number {n}", f"All about number {n}.\n\nIt follows number {n - 1}.") for n in range(1, 21)]
    return [
        {
            "id": f"guide.md#{n}",
            "source": "guide.md",
            "section": section,
            "headings": ["Guide", section],
            "title": f"Guide {section}",
            "text": text,
            "language": "ar" if section == "Right to left" else "en",
        }
        for n, (section, text) in enumerate([*hard, *plain])
    ]


class MadeUpSystems:
    """Sections by shared words; the pool of a query that begins with `hard` is the hard ones."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = rows

    def pools(self, queries: Sequence[str], top: int) -> list[list[Candidate]]:
        pools = []
        for query in queries:
            chosen = range(4) if query.startswith("hard") else self._ranked(query)[:top]
            by_hash = sorted(chosen, key=lambda row: hashlib.sha256(f"{query}{row}".encode()).hexdigest())
            pools.append([Candidate("guide.md", self._rows[row]["section"], [row]) for row in by_hash])
        return pools

    def search(self, text: str, by: SearchBy, top: int) -> list[int]:
        ranked = self._ranked(text)
        return (ranked if by == "words" else ranked[::-1])[:top]

    def _ranked(self, text: str) -> list[int]:
        wanted = set(words_of(text))
        return sorted(range(len(self._rows)), key=lambda row: -len(wanted & set(words_of(self._rows[row]["text"]))))


if __name__ == "__main__":
    folder, typed, seconds = Path(sys.argv[1]), sys.argv[2] == "typed", float(sys.argv[3])

    def load() -> Any:
        time.sleep(seconds)
        return passages(), MadeUpSystems(passages())

    def opened(port: int) -> None:
        print(server.link("127.0.0.1", port, server.token(), ""), flush=True)

    log = [row["query"] for row in files.read_jsonl(folder / "log.jsonl")]
    out = folder / "real.jsonl"
    judging = server.Judging(
        log, folder / "real.queries.jsonl" if typed else None, folder / "real.judgements.jsonl", out
    )
    counts = server.serve(judging, load, TOP, "127.0.0.1", int(sys.argv[4]), server.token(), opened)
    print(sorted(counts.items()))
