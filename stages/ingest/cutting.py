"""Sections → passages that fit the encoder, cut at the widest border that fits.

The borders, from wide to narrow: blank lines and the edges of tables and fenced code; list items, table rows and lines
of code; sentences; line breaks in wrapped text; clauses; words; letters. What fits is never cut inside: a table, a code
block, a paragraph, a list item, a sentence.

Why not semchunk 4.1 or chonkie 1.7 alone: in 2.1 MB of the Node.js manual, cut at 256 tokens, they (chonkie's recursive
chunker) cut 469 and 656 of 1,583 code blocks that fit, and 4% of their pieces have under 32 tokens; here none, and
0.5%. Of Chinese text, 1 of 24 and 7 of 21 pieces end where a sentence ends; here 22 of 22. A section of 1 MB takes
semchunk 38 s; here 1.2 s. semantic-text-splitter 0.33 cuts none of 233 code blocks of FastAPI's manual, and 7% of its
pieces have under 32 tokens; here 0.3%.
"""

import bisect
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeVar

from fieldtune.corpus.passages import passage_text, section_hash
from fieldtune.corpus.scripts import SENTENCE_END
from stages.ingest.sections import Section

_SPECIAL_TOKENS = 2  # that the encoder puts around each text
_LARGEST_TITLE = 0.5  # share of the limit; the end of a longer title gives way to the text
_LARGEST_HEAD = 0.25  # share of a piece that a table's repeated head may take
# No token of real text holds more letters. But WordPiece gives a word of over 100 letters one unknown token, however
# long it is: base64, or a sentence in Thai, which puts no blanks between words.
_LETTERS_PER_TOKEN = 16
_CACHED_LETTERS = 2_000_000  # of the words whose tokens are known, about 30 MB
_BATCH = 1_000_000  # letters that are tokenized at once; the tokenizer needs about 100 bytes for each

_BLOCK, _EDGE, _LINE, _SENTENCE, _BREAK, _CLAUSE, _WORD, _LETTER = range(8)  # widths of borders, the widest first

_MARKERS = r"(?:[ \t>]|[-*+][ \t]|\d+[.)][ \t])*"  # of quotations and list items
_MARKED = re.compile(rf"\A{_MARKERS}")
_FENCE = re.compile(rf"{_MARKERS}(?P<fence>`{{3,}}(?=[^`]*$)|~{{3,}})")
_HEADING = re.compile(rf"{_MARKERS}#{{1,6}}(?:\s|$)")
_DELIMITER_ROW = re.compile(r"[ \t>]*+(?!-(?:[ \t]|$))\|?[ \t]*+:?-+:?[ \t]*+(?:\|[ \t]*+:?-+:?[ \t]*+)*+\|?[ \t]*+")
_DASHES = re.compile(r"-{4,}")
_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
_LIST_NUMBER = re.compile(r"[ \t>]*\d+\.")
_INITIAL = re.compile(r"\W?[^\W\d_]\.")
_CLOSING = re.compile(r"[。！？」』”’）】》〉]*\s*")
_ITEM = re.compile(r"(?:  |\\)\n|\n(?=[ \t>]*(?:[-*+]|\d+[.)])[ \t])")  # hard breaks, and before list items
_BORDERS = {
    _LINE: re.compile(r"\n"),
    _BREAK: re.compile(r"(?<=[^\W\d_][.!?])\s+|\n+"),  # also full stops before small letters
    _CLAUSE: re.compile(r"(?<=[;,:،؛])\s+|(?<=[，；：、])\s*"),
    _WORD: re.compile(r"\s+"),
}
# What continues the letter before, beside marks: joiners, Thai and Lao AM, vowels and finals of Hangul letters, skin
# tones, the tags of flags.
_CONTINUES = re.compile(
    "[\u200c\u200d\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7fb\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")

_T = TypeVar("_T")
_CountTokens = Callable[[Sequence[str]], list[int]]
_Kind = Literal["prose", "table", "code"]


class Block(NamedTuple):
    """Lines of Markdown that belong together: a paragraph, a list, a table, fenced code."""

    start: int
    end: int  # where the next one begins
    kind: _Kind
    body: int  # where the rows of a table begin, below its head; else `start`
    width: int  # of the border before it


class _Atom(NamedTuple):
    """A part that is not cut."""

    start: int
    end: int  # where the next one begins: white space belongs to what it follows
    width: int  # of the border before it
    size: int  # tokens
    block: Block


def passages(
    sections: Sequence[Section], count_tokens: _CountTokens, max_tokens: int, overlap: int
) -> list[dict[str, Any]]:
    """Cut the sections of one source into rows of passages.jsonl.

    A row has id, source, document, section, title, text, section_sha256, headings (those that the title joins, from the
    document's own), and `anchor`, if the heading has an id of its own. `count_tokens` counts many texts at once,
    without special tokens; two of them are allowed for. A passage with its title has at most `max_tokens`. A section
    that does not fit is cut into slices, without white space at the cuts, except for three things. The delimiter row
    of a table is `---` a column, since WordPiece counts each dash. A table's head stands above each part of it, if it
    takes no more than a quarter of the piece. And a piece that is not the first begins with the last whole sentences
    (or lines) of the one before: at most `overlap` tokens, and no more than what is new in it.

    Raises ValueError if one letter has more tokens than there is room for.
    """
    slugs = {section.slug for section in sections}
    rows = []
    for batch in _batches(sections, lambda section: len(section.text)):
        for section, (title, texts) in zip(batch, _cut(batch, count_tokens, max_tokens, overlap), strict=True):
            sha256 = section_hash(section.text)
            for number, text in enumerate(texts, start=1):
                name = section.slug if number == 1 else f"{section.slug}-{number}"
                if number > 1 and name in slugs:  # "Step", cut in two, beside "Step 2"
                    name = f"{section.slug}~1-{number}"
                rows.append(
                    {
                        "id": f"{section.source}#{name}",
                        "source": section.source,
                        "document": section.document or section.source,
                        "section": section.section,
                        "title": title,
                        "text": text,
                        "section_sha256": sha256,
                        "headings": list(section.headings),
                        **({"anchor": section.anchor} if section.anchor else {}),
                    }
                )
    return rows


def blocks(text: str) -> list[Block]:
    """The blocks of Markdown, by a scan of its lines: a parser's inline rules take most of its time, for nothing.

    Blank lines, fences and tables (GitHub's) separate them; a fence that is not closed runs to the end.
    """
    result: list[Block] = []
    lines = text.split("\n")
    inside: _Kind | None = None
    fence = ""  # of the code that these lines are in
    blank = True  # whether a blank line stands before this one
    previous = ""  # the last line that is not blank
    offset = 0
    for line, below in itertools.pairwise([*lines, ""]):
        begins: _Kind | None = None
        body = offset
        if fence:
            closing = line.strip(" \t>")
            if closing.startswith(fence) and not closing.strip(fence[0]):
                fence, inside = "", None
        elif not line.strip():
            inside = None
        elif opening := _FENCE.match(line):
            fence = opening["fence"]
            begins = "code"
        elif inside != "table" and "|" in line and _is_head(line, below):
            begins = "table"
            body = min(offset + len(line) + 1 + len(below) + 1, len(text))
        elif inside is None:
            begins = "prose"
        if begins:
            inside = begins
            introduced = previous.endswith((":", "："))  # "As follows:" goes with what follows
            width = _BLOCK if blank and not introduced else _EDGE
            result.append(Block(offset, len(text), begins, body, width))
        blank = not line.strip()
        previous = previous if blank else line.rstrip()
        offset += len(line) + 1
    return [block._replace(end=after.start) for block, after in itertools.pairwise(result)] + result[-1:]


def _is_head(line: str, below: str) -> bool:
    def cells(row: str) -> int:
        return row.replace("\\|", "").strip(" \t>").strip("|").count("|")

    return bool(_DELIMITER_ROW.fullmatch(below)) and cells(_MARKED.sub("", line)) == cells(below)


def _cut(
    sections: Sequence[Section], count_tokens: _CountTokens, max_tokens: int, overlap: int
) -> list[tuple[str, list[str]]]:
    """The title and the pieces of each section."""
    sizes = _sizes(count_tokens, max_tokens)
    sizes(f"{section.title}\n{section.text}" for section in sections)  # tokenizes all words in one batch
    most = int(max_tokens * _LARGEST_TITLE)
    titles = [next(iter(_pieces(section.title, most, 0, sizes)), "") for section in sections]
    rooms = [max_tokens - _SPECIAL_TOKENS - size for size in sizes(titles)]
    pieces = [_pieces(section.text, room, overlap, sizes) for section, room in zip(sections, rooms, strict=True)]
    # Sizes are sums over words, which the tokenizer's own count need not equal: the sections that turn out too long
    # are cut again, with less room.
    unchecked = list(range(len(sections)))
    while unchecked:
        seen = [passage_text({"title": titles[index], "text": piece}) for index in unchecked for piece in pieces[index]]
        counts = _counted(seen, count_tokens)
        longest = {i: _SPECIAL_TOKENS + max(itertools.islice(counts, len(pieces[i])), default=0) for i in unchecked}
        unchecked = [index for index in unchecked if longest[index] > max_tokens]
        for index in unchecked:
            rooms[index] = min(rooms[index] - 1, rooms[index] * max_tokens // longest[index])
            if rooms[index] < 1:
                raise ValueError(f"{max_tokens} tokens are too few for one letter of {sections[index].source}")
            pieces[index] = _pieces(sections[index].text, rooms[index], overlap, sizes)
    return list(zip(titles, pieces, strict=True))


class _Sizes:
    """Tokens of texts, as sums over their words: each word is tokenized once."""

    def __init__(self, count_tokens: _CountTokens, max_tokens: int) -> None:
        self._count_tokens = count_tokens
        self._worth_counting = max_tokens * _LETTERS_PER_TOKEN  # letters; what is longer is cut by any count
        self._known: dict[str, int] = {}
        self._letters = 0  # of the known words

    def __call__(self, texts: Iterable[str]) -> list[int]:
        if self._letters > _CACHED_LETTERS:
            self._known.clear()
            self._letters = 0
        known = self._known
        split = [text.split() for text in texts]
        new = [word for word in dict.fromkeys(itertools.chain.from_iterable(split)) if word not in known]
        if new:
            self._letters += sum(map(len, new))
            known.update((word, len(word)) for word in new if len(word) > self._worth_counting)
            new = [word for word in new if len(word) <= self._worth_counting]
            for word, tokens in zip(new, _counted(new, self._count_tokens), strict=True):
                known[word] = max(tokens, len(word) // _LETTERS_PER_TOKEN)
        return [sum(map(known.__getitem__, words)) for words in split]


@lru_cache(maxsize=1)
def _sizes(count_tokens: _CountTokens, max_tokens: int) -> _Sizes:
    """Kept from file to file: most words of one stand in the last one too."""
    return _Sizes(count_tokens, max_tokens)


def _counted(texts: Sequence[str], count_tokens: _CountTokens) -> Iterator[int]:
    for batch in _batches(texts, len):
        yield from count_tokens(batch)


def _batches(items: Iterable[_T], letters: Callable[[_T], int]) -> Iterator[list[_T]]:
    batch: list[_T] = []
    total = 0
    for item in items:
        batch.append(item)
        total += letters(item)
        if total >= _BATCH:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _pieces(text: str, room: int, overlap: int, sizes: _Sizes) -> list[str]:
    """The text in pieces of at most `room` tokens, as far as sizes add up; none where it is blank."""
    if not text.strip():
        return []
    if sizes([text])[0] <= room:
        return [text]
    text = _with_short_rules(text)
    if sizes([text])[0] <= room:
        return [text]
    atoms = _atoms(text, room, sizes)
    totals = list(itertools.accumulate((atom.size for atom in atoms), initial=0))
    heads = _heads(text, atoms, room, sizes)
    lines = _sentences(text, atoms, sizes) if overlap else []
    line_starts = [line.start for line in lines]
    pieces = []
    before = first = 0  # the atoms that the piece before, and this one, begin with
    while first < len(atoms):
        atom = atoms[first]
        is_row = atom.width == _LINE and atom.start >= atom.block.body
        head, head_size = heads.get(atom.block, ("", 0)) if is_row else ("", 0)
        if head_size + atom.size > room:  # a long row is whole rather than under its head
            head, head_size = "", 0
        most = min(overlap, room // 2, room - head_size - atom.size)
        since, until = (bisect.bisect_left(line_starts, atoms[index].start) for index in (before, first))
        again = _repeatable(text, lines[since:until], atom, most)
        last = _last(atoms, totals, first, room - head_size - sum(line.size for line in again))
        while sum(line.size for line in again) > totals[last] - totals[first]:
            again = again[1:]
        start = again[0].start if again else atom.start
        if piece := text[start : atoms[last - 1].end].rstrip():
            pieces.append(head + _BLANK_LINES.sub("", piece))
        before, first = first, last
    return pieces


def _with_short_rules(text: str) -> str:
    """The text with `---` below each column of a table: dashes up to the column's width cost a token each."""
    parts = []
    at = 0
    for table in blocks(text):
        if table.kind == "table":
            rule = text.index("\n", table.start) + 1
            parts += [text[at:rule], _DASHES.sub("---", text[rule : table.body])]
            at = table.body
    return "".join([*parts, text[at:]])


def _last(atoms: list[_Atom], totals: list[int], first: int, room: int) -> int:
    """The number of the atom before which the piece that begins with atom `first` ends.

    It ends at the widest border in the second half of its room, and at the last of these. But where what is left would
    fill no more than one piece and a half, it ends near the middle of that: a passage of a few words answers nothing.
    """
    begin, end = totals[first], totals[-1]
    fits = max(bisect.bisect_right(totals, begin + room) - 1, first + 1)
    if fits == len(atoms):
        return fits
    least, best, most = begin + room / 2, float(begin + room), float(begin + room)
    if end - begin <= 1.5 * room:
        quarter = (end - begin) / 4
        least, best, most = max(end - room, begin + quarter), (begin + end) / 2, end - quarter
    ends = [index for index in range(first + 1, fits + 1) if least <= totals[index] <= most]
    return min(ends, key=lambda index: (atoms[index].width, abs(totals[index] - best)), default=fits)


def _repeatable(text: str, lines: list[_Atom], atom: _Atom, most: int) -> list[_Atom]:
    """The last lines and sentences of a piece that the next one, which begins with `atom`, may repeat.

    They have at most `most` tokens, are whole, no headings, and no part of a table or of code that ended with them.
    """
    chosen: list[_Atom] = []
    end_width = atom.width
    for line in reversed(lines):
        most -= line.size
        whole = line.width <= _BREAK and end_width <= _BREAK
        of_place = line.block.kind == "prose" or line.block == atom.block
        if most < 0 or not whole or not of_place or _HEADING.match(text, line.start):
            break
        chosen.append(line)
        end_width = line.width
    return chosen[::-1]


def _atoms(text: str, room: int, sizes: _Sizes) -> list[_Atom]:
    """The widest parts that fit."""
    text_blocks = blocks(text)
    counted = sizes(text[block.start : block.end] for block in text_blocks)
    atoms = [_Atom(b.start, b.end, b.width, size, b) for b, size in zip(text_blocks, counted, strict=True)]

    def too_long(atom: _Atom) -> bool:
        return atom.size > room and atom.end - atom.start > 1

    # Lines twice: first a table's rows, then its head and first row.
    for width in (_LINE, _LINE, _SENTENCE, _BREAK, _CLAUSE, _WORD):
        atoms = _divided(text, atoms, width, too_long, sizes)
    while any(map(too_long, atoms)):
        atoms = _divided(text, atoms, _LETTER, too_long, sizes)
    return atoms


def _sentences(text: str, atoms: list[_Atom], sizes: _Sizes) -> list[_Atom]:
    """The atoms, but prose as its lines and sentences."""
    for width in (_LINE, _SENTENCE):
        atoms = _divided(text, atoms, width, lambda atom: atom.block.kind == "prose", sizes)
    return atoms


def _divided(text: str, atoms: list[_Atom], width: int, divides: Callable[[_Atom], bool], sizes: _Sizes) -> list[_Atom]:
    """The atoms, but some of them cut at all their borders of one width."""
    parts: list[_Atom] = []
    new: list[int] = []
    for atom in atoms:
        borders = _borders(text, atom, width) if divides(atom) else []
        if not borders:
            parts.append(atom)
            continue
        new += range(len(parts), len(parts) + len(borders) + 1)
        parts.append(atom._replace(end=borders[0]))
        for start, end in itertools.pairwise([*borders, atom.end]):
            wide = width == _LINE and _is_outer_line(text, start, atom.block)
            parts.append(_Atom(start, end, _EDGE if wide else width, 0, atom.block))
    for index, size in zip(new, sizes(text[parts[index].start : parts[index].end] for index in new), strict=True):
        parts[index] = parts[index]._replace(size=size)
    return parts


def _is_outer_line(text: str, start: int, block: Block) -> bool:
    """Tell if code goes on after a blank line here, or a list item begins that is not inside another."""
    if block.kind == "code":
        return text[start - 2 : start] == "\n\n"
    return block.kind == "prose" and not text[start].isspace()


def _borders(text: str, atom: _Atom, width: int) -> list[int]:
    """The places where a part may be cut: never at its ends, nor between a letter and its marks."""
    part = text[atom.start : atom.end]
    is_prose = atom.block.kind == "prose"
    places: Iterable[int]
    if width == _LETTER:
        middle = len(part) // 2
        outwards = itertools.chain(range(middle, 0, -1), range(middle + 1, len(part)))
        return [atom.start + next((at for at in outwards if not _continues(part, at)), middle)]
    if width == _SENTENCE:
        places = _sentence_starts(part, is_prose)
    else:
        places = [match.end() for match in (_ITEM if is_prose and width == _LINE else _BORDERS[width]).finditer(part)]
    borders = [atom.start + at for at in places if at < len(part) and not _continues(part, at)]
    if atom.block.kind == "table" and width == _LINE:  # its head goes with its first row, if there is room
        return [at for at in borders if at > atom.block.body] or [at for at in borders if at == atom.block.body]
    return borders


def _sentence_starts(part: str, is_prose: bool) -> Iterable[int]:
    """The beginnings of sentences.

    They are not after the number of a list item or an initial, nor with a small letter ("e.g. this").
    Prose that is wrapped goes on in the next line; closing quotes belong to what they close.
    """
    starts = {}
    for end in SENTENCE_END.finditer(part.replace("\n", " ") if is_prose else part):
        start = end.end()
        if not end[0] and (closing := _CLOSING.match(part, start)):
            start = closing.end()
        line = part.rfind("\n", 0, end.start()) + 1
        if not (
            part[start : start + 1].islower()
            or _LIST_NUMBER.fullmatch(part, line, end.start())
            or _INITIAL.fullmatch(part, max(0, end.start() - 3), end.start())
        ):
            starts[start] = True
    return starts


def _continues(text: str, at: int) -> bool:
    """Tell if the letter before goes on here."""
    return (
        unicodedata.category(text[at])[0] == "M"
        or text[at - 1] == "\u200d"
        or unicodedata.combining(text[at - 1]) == 9  # a virama joins consonants
        or bool(_CONTINUES.match(text, at) or _FLAG.match(text, at - 1))
    )


def _heads(text: str, atoms: list[_Atom], room: int, sizes: _Sizes) -> dict[Block, tuple[str, int]]:
    """The heads to repeat, and their sizes, of the tables that are cut."""
    cut = list(dict.fromkeys(atom.block for atom in atoms if atom.block.kind == "table" and atom.width == _LINE))
    heads = [text[table.start : table.body].rstrip() + "\n" for table in cut]
    measured = zip(cut, heads, sizes(heads), strict=True)
    return {table: (head, size) for table, head, size in measured if size <= room * _LARGEST_HEAD}
