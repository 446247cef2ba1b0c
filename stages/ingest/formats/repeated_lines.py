"""Headers and footers of pages and slides: lines at their edges that come again and again."""

import re
from collections import Counter
from collections.abc import Sequence

_EDGE = 3  # lines at the top and at the bottom of a page, where headers and footers stand
_LEAST = 4  # pages


def strip_repeated_lines(pages: Sequence[list[str]]) -> tuple[list[list[str]], dict[str, int]]:
    """Pages, as lines, without those of their edges that are on at least half of the pages, digits aside.

    The other part is how many were left out: `{"repeated_page_lines": …}`, or nothing.
    """
    edges = [_edge_lines(page) for page in pages]
    counts = Counter(key for page in edges for key in set(page.values()))
    repeated = {key for key, count in counts.items() if count >= max(_LEAST, len(pages) // 2)}
    kept = [
        [line for number, line in enumerate(page) if edge.get(number) not in repeated]
        for page, edge in zip(pages, edges, strict=True)
    ]
    dropped = sum(map(len, pages)) - sum(map(len, kept))
    return kept, {"repeated_page_lines": dropped} if dropped else {}


def _edge_lines(page: Sequence[str]) -> dict[int, str]:
    """The lines at a page's edges by their number, digits aside; without rows of tables."""
    filled = [number for number, line in enumerate(page) if line.strip()]
    keys: dict[int, str] = {}
    for number in {*filled[:_EDGE], *filled[-_EDGE:]}:
        key = re.sub(r"\d+", "0", " ".join(page[number].split()))
        # Without letters it is a page's number, alone in the first or last line.
        number_alone = key.count("0") <= 2 and number in (filled[0], filled[-1])
        if not key.startswith("|") and (number_alone or any(map(str.isalpha, key))):
            keys[number] = key
    return keys
