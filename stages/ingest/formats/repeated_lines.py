"""Headers and footers of pages and slides: lines at their edges that come again and again."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

_EDGE = 3  # lines at the top and at the bottom of a page, where headers and footers stand
_LEAST = 4  # pages
_NUMBER = re.compile(r"(?<![\w.,:/-])\d{1,4}(?![\w.,:/-])")
_PAGE_WORD = re.compile(
    r"\b(?:page|seite|página|pagina|pág|pag|sida|side|strona|sivu|oldal|folio|slide|folie|стр|p|s)\b\.?"
    r"|[页頁第]|페이지|ページ",
    re.IGNORECASE,
)
_COPYRIGHT = re.compile(r"©|\(c\)|copyright|all rights reserved", re.IGNORECASE)


def strip_repeated_lines(pages: Sequence[list[str]]) -> tuple[list[list[str]], dict[str, int]]:
    """Pages, as lines, without those of their edges that are on at least half of the pages, and their numbers.

    Two lines are the same only verbatim: a number tells facts apart. It counts as a page's own where it runs with the
    pages, one up for each, at an end of the line; and years of a copyright make no difference. The other part is how
    many lines were left out: `{"repeated_page_lines": …}`, or nothing.
    """
    needed = max(_LEAST, len(pages) // 2)
    kept = [list(page) for page in pages]
    while places := _repeated(kept, needed):
        for number, line in places:
            kept[number][line] = ""
    dropped = sum(bool(old.strip()) and not new for a, b in zip(pages, kept, strict=True)
                  for old, new in zip(a, b, strict=True))  # fmt: skip
    return kept, {"repeated_page_lines": dropped} if dropped else {}


def _repeated(pages: Sequence[list[str]], needed: int) -> list[tuple[int, int]]:
    """The lines, as page and line, that repeat or number the pages."""
    same: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    running: defaultdict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for number, page in enumerate(pages):
        filled = [line for line, text in enumerate(page) if text.strip()]
        for line in dict.fromkeys([*filled[:_EDGE], *filled[-_EDGE:]]):
            text = " ".join(page[line].split())
            if text.startswith("|"):
                continue
            if any(map(str.isalpha, text)):
                same[re.sub(r"\d+", "0", text) if _COPYRIGHT.search(text) else text].append((number, line))
            if line in (filled[0], filled[-1]):
                for key in _page_numbers(text):
                    running[key[0], key[1] - number].append((number, line))
    places = [place for group in itertools.chain(same.values(), running.values())
              if len({page for page, _ in group}) >= needed for place in group]  # fmt: skip
    return list(dict.fromkeys(places))


def _page_numbers(text: str) -> Iterator[tuple[str, int]]:
    """The numbers of a line that may be its page's, each with the rest of the line."""
    numbers = list(_NUMBER.finditer(text))
    for match in numbers:
        rest = f"{text[: match.start()]}#{text[match.end() :]}"
        at_end = match.start() == 0 or match.end() == len(text)
        only_number = not any(map(str.isalpha, text)) and len(numbers) <= 2
        if (
            (at_end and not text[: match.start()].rstrip().endswith((":", "=", "№")))
            or only_number
            or _PAGE_WORD.search(text)
        ):
            yield rest, int(match[0])
