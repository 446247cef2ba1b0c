"""The places of answers as people name them, and the passages there."""

import difflib
import heapq
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.scripts import NO_WORDS, slug
from fieldtune.corpus.tables import cell
from fieldtune.corpus.unicode import repair
from fieldtune.retrieval.words import bm25_words, words_of

if TYPE_CHECKING:
    import bm25s  # takes half a second with SciPy, and every command imports this module

NAMES = ("text_sha256", "passage_id", "passage", "source")  # the first one that a row has gives the place
_COLUMNS = {
    *NAMES, "section", "query", "query_id", "relevance", "answered", "split", "group", "overlap", "kind", "judged",
}  # fmt: skip
_SHINGLE = 3  # words
_SAME_TEXT = 0.8  # share of a text's shingles that a section must contain to be its place
_LOOKED_AT = 20  # sections compared with a text that appears nowhere verbatim
_FEWEST_WORDS = 3  # of a text: `1987` or `yes` stands anywhere, and answers little
_MOST_TEXTS = 3  # different sections that contain a text and still all count as its place
_CANDIDATES = 3
_CLOSE = 0.4  # of difflib's ratio
_LEVELS = re.compile(r"\s+(?:>|»|›|→|/|::)\s+")  # between a heading and the one below it
_COMPARED = 100  # names, by difflib, which is slow

_Place = tuple[str, ...]


class Places:
    """A finder of passages by what a row of a table says: `text_sha256` (of a section's text, `section_hash`),
    `passage_id` (or a record's own id), `passage` (a text taken from the documents), or `source`, a file, with
    `section` (a heading or its slug; without one the whole file). A file may be named with the documents folder
    in front of it, in other case or without its suffix, and with the heading behind a `#`; a heading in other case, by
    its id, or under those above it (`FAQ > Seals`), and if there is none a line of text. A heading without text of its
    own stands for all sections below it. What fits two places fits none. Of a text, three words are the least; it
    may stand in three different sections at most, and run over three that follow each other.
    """

    def __init__(self, passages: Sequence[Mapping[str, Any]], documents: str = "") -> None:
        """`passages`: rows of passages.jsonl; `documents`: their folder, as params.yaml names it."""
        self._passages = passages
        self._documents = _parts(documents)
        self._rows: dict[_Place, list[int]] = defaultdict(list)
        by_slug: dict[_Place, list[int]] = {}
        records: dict[_Place, list[int]] = {}
        for row, passage in enumerate(passages):
            source, section, id_ = _source_of(passage), passage["section"], repair(passage["id"])
            of_section = self._rows["section", source, section]
            if not of_section:  # the first piece: its id ends in the section's slug
                by_slug.setdefault(("section", source, id_.removeprefix(f"{source}#")), of_section)
                if anchor := passage.get("anchor"):
                    by_slug.setdefault(("section", source, anchor), of_section)
                if passage["document"] != passage["source"]:
                    place = "passage_id", section
                    records[place] = [] if place in records else of_section  # an id in two files gives no place
            of_section.append(row)
            self._rows["passage_id", id_].append(row)
            self._rows["text_sha256", passage["section_sha256"]].append(row)
            self._rows["source", source].append(row)
        self._rows = defaultdict(list, {**records, **by_slug, **self._rows})

    def find(self, row: Mapping[str, Any]) -> list[int] | None:
        """The passages at the place that a row names: all pieces of its sections, or of a `passage_id`
        only its own; [] if the place is not in the documents, None if the row names none.
        """
        for name in NAMES[:2]:
            if value := cell(row, name):
                return self._rows.get((name, value), [])
        if text := cell(row, "passage"):
            hits = self._by_text(text)
            return [] if self._unclear(text, hits) else hits
        source, section = self._source(row)
        if not source:
            return None
        if not section:
            return self._rows.get(("source", source), [])
        return self._rows.get(("section", source, section)) or self._below(source, section)

    def best(self, query: str, candidates: Sequence[int]) -> int:
        """The one of these passages that shares most words with a query (BM25); the first if words do not decide."""
        if len(candidates) == 1 or not (tokens := _tokens(query)):
            return candidates[0]
        scores = self._index.get_scores(tokens)
        return max(candidates, key=lambda row: (float(scores[row]), -row))

    def why_not(self, row: Mapping[str, Any]) -> str:
        """The reason why a place that is in the documents does not count; "" if it is not in them."""
        column = next((name for name in NAMES if cell(row, name)), "")
        value = cell(row, column)
        if column == "passage":
            return self._unclear(value, self._by_text(value))
        source, section = self._source(row)
        if column == "source" and len(self._headings(source, section)) > 1:
            return "several headings fit"
        if column == "passage_id" and self._rows.get((column, value)) == []:
            return "several files have a record with this id: put its file before it, as `file#id`"
        return ""

    def nearest(self, row: Mapping[str, Any]) -> list[str]:
        """Suggestions for a place that was not found: up to three ids of passages, or files."""
        if text := cell(row, "passage"):
            return [self._passages[hit]["id"] for hit in self._similar(text)[:_CANDIDATES]]
        source, section = self._source(row)
        if ("source", source) in self._rows:
            if fitting := self._headings(source, section):
                return [f"{source}#{' > '.join(path)}" for path in list(fitting.values())[:_CANDIDATES]]
            headings = {self._passages[hit]["section"]: hit for hit in self._rows["source", source]}
            return [f"{source}#{name}" for name in _close(section, list(headings))]
        if source:
            files = [place[1] for place in self._rows if place[0] == "source"]
            same = [file for file in files if PurePosixPath(file).name == PurePosixPath(source).name]
            return same[:_CANDIDATES] or _close(source, files)
        passage_id = cell(row, "passage_id")
        of_file = self._rows.get(("source", passage_id.rpartition("#")[0]), range(len(self._passages)))
        return _close(passage_id, [self._passages[hit]["id"] for hit in of_file])

    def _source(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """The file that a row names, as the passages name it where they have it, and the heading in it, or ""."""
        source, section = cell(row, "source"), cell(row, "section")
        if not source or ("source", source) in self._rows:
            return source, section
        file, _, fragment = source.partition("#")
        known = self._known_source(file)
        return (known, section or unquote(fragment)) if known else (source, section)

    def _known_source(self, source: str) -> str:
        """The file of the passages that a name means: below the folder, in another clone, by another spelling."""
        source = unquote(source).replace("\\", "/")
        parts, folder = _parts(source), self._documents
        if folder and source.startswith("/"):  # of another clone, too: a queued experiment runs in a copy
            rests = [parts[at + len(folder) :] for at in range(len(parts)) if parts[at : at + len(folder)] == folder]
        else:
            ends = [folder[at:] for at in range(len(folder))]
            rests = [parts, *(parts[len(end) :] for end in ends if parts[: len(end)] == end)]
        names = ["/".join(rest) for rest in rests]
        if name := next((name for name in names if ("source", name) in self._rows), ""):
            return name
        if "://" in source:  # an address whose path ends as a file's does
            path = _parts(urlsplit(source).path.strip("/"))
            names = ["/".join(path[at:]) for at in range(len(path))]
        for name in names:
            for spelling in (name.casefold(), _without_suffix(name)):
                if len(files := self._spellings.get(spelling, ())) == 1:
                    return next(iter(files))
        return ""

    @cached_property
    def _spellings(self) -> dict[str, set[str]]:
        """Files by their name in small letters, with and without the suffix."""
        spellings: defaultdict[str, set[str]] = defaultdict(set)
        for name in {_source_of(passage) for passage in self._passages}:
            spellings[name.casefold()].add(name)
            spellings[_without_suffix(name)].add(name)
        return dict(spellings)

    @cached_property
    def _outlines(self) -> dict[str, list[tuple[_Place, _Place, str]]]:
        """File → the headings of each section, as slugs and as they are, and its name."""
        outlines: defaultdict[str, dict[str, tuple[_Place, _Place, str]]] = defaultdict(dict)
        for passage in self._passages:
            headings = tuple(repair(words) for words in passage.get("headings", ())) or (passage["section"],)
            named = tuple(slug(words) for words in headings), headings, passage["section"]
            outlines[_source_of(passage)].setdefault(passage["section"], named)
        return {source: list(sections.values()) for source, sections in outlines.items()}

    def _headings(self, source: str, section: str) -> dict[_Place, _Place]:
        """The headings of a file that a name fits, each with those above it: as slugs → as they are."""
        named = section.strip().lstrip("#").strip()
        wanted = tuple(slug(words) for words in _LEVELS.split(named)) if named else ()
        fitting: dict[_Place, _Place] = {}
        if all(words == NO_WORDS for words in wanted):
            return fitting
        for slugs, headings, _ in self._outlines.get(source, ()):
            for end in range(len(wanted), len(slugs) + 1):
                if slugs[end - 1] == wanted[-1] and _are_within(wanted, slugs[:end]):
                    fitting.setdefault(slugs[:end], headings[:end])
        return fitting or self._with_line(source, wanted)

    def _with_line(self, source: str, wanted: _Place) -> dict[_Place, _Place]:
        """The headings of a file that stand above a line of these words: what a reader takes for a heading, and a text
        file, a page of a PDF or a bold line is none.
        """
        rows = [self._passages[row] for row in self._rows.get(("source", source), ())]
        (line, *above) = wanted
        names = {row["section"] for row in rows if not above and line in map(slug, row["text"].splitlines())}
        return {slugs: headings for slugs, headings, name in self._outlines.get(source, ()) if name in names}

    def _below(self, source: str, section: str) -> list[int]:
        """The passages of the one heading that a name fits: its own, or if it has none those of all sections below."""
        fitting = self._headings(source, section)
        if len(fitting) != 1:
            return []
        ((path, _),) = fitting.items()
        sections = self._outlines[source]
        own = [name for slugs, _, name in sections if slugs == path]
        if len(own) > 1:
            return []
        below = own or [name for slugs, _, name in sections if slugs[: len(path)] == path]
        return [row for name in below for row in self._rows["section", source, name]]

    def _by_text(self, text: str) -> list[int]:
        wanted = _bare(text)
        if len(wanted.split()) < _FEWEST_WORDS:
            return []
        places = []
        place = self._all_texts.find(wanted)
        while place >= 0:
            places.append(int(np.searchsorted(self._starts, place, side="right")) - 1)
            place = self._all_texts.find(wanted, place + 1)
        if not places:
            shingles = _shingles(wanted)
            runs = (self._run_with(shingles, row) for row in self._similar(text))
            places = next(filter(None, runs), [])
        return list(dict.fromkeys(piece for row in places for piece in self._section_of(row)))

    def _run_with(self, shingles: set[tuple[str, ...]], row: int) -> list[int]:
        """The first passages of the fewest sections in a row, this passage's among them, that have most of a text with
        the headings between them; [] if they do not, or would be more than three.
        """
        source = _source_of(self._passages[row])
        starts = [self._rows["section", source, name][0] for _, _, name in self._outlines[source]]
        at = starts.index(self._section_of(row)[0])

        def shared(first: int, last: int) -> int:
            return len(shingles & _shingles(_bare(self._read_on(source, first, last))))

        first, last, most = at, at, shared(at, at)
        while most < _SAME_TEXT * len(shingles):
            wider = [(first - 1, last)] * (first > 0) + [(first, last + 1)] * (last + 1 < len(starts))
            counts = {run: shared(*run) for run in wider}
            if last - first + 1 == _MOST_TEXTS or max(counts.values(), default=0) <= most:
                return []
            first, last = max(counts, key=lambda run: counts[run])
            most = counts[first, last]
        return starts[first : last + 1]

    def _read_on(self, source: str, first: int, last: int) -> str:
        """The sections of a file from one number to another as they are read: each under its headings that are new."""
        parts: list[str] = []
        outline = self._outlines[source]
        for number in range(first, last + 1):
            _, headings, name = outline[number]
            above = outline[number - 1][1] if number else ()
            parts += [words for words in headings if words not in above]
            parts += [self._passages[piece]["text"] for piece in self._rows["section", source, name]]
        return " ".join(parts)

    def _unclear(self, text: str, hits: Sequence[int]) -> str:
        if len(_bare(text).split()) < _FEWEST_WORDS:
            return f"a text of fewer than {_FEWEST_WORDS} words is too short to locate"
        texts = len({self._passages[row]["section_sha256"] for row in hits})
        return f"its text appears in {texts:,} different sections" if texts > _MOST_TEXTS else ""

    def _section_of(self, row: int) -> list[int]:
        passage = self._passages[row]
        return self._rows["section", _source_of(passage), passage["section"]]

    def _similar(self, text: str) -> list[int]:
        tokens = _tokens(text)
        if not tokens:
            return []
        scores = self._index.get_scores(tokens)
        order = np.argsort(-scores, kind="stable")[:_LOOKED_AT]
        return [row for row in order.tolist() if scores[row] > 0]

    @cached_property
    def _index(self) -> "bm25s.BM25":
        import bm25s

        index = bm25s.BM25()
        index.index(bm25_words(passage["text"] for passage in self._passages), show_progress=False)
        return index

    @cached_property
    def _all_texts(self) -> str:
        """All texts in one, a line each: `_bare` leaves no line breaks."""
        return "\n".join(_bare(passage["text"]) for passage in self._passages)

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        lengths = [len(part) + 1 for part in self._all_texts.split("\n")]
        return np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)


def misnamed(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """A warning if a table has no column for a place, but others that may be meant as one; otherwise None."""
    names = dict.fromkeys(name for row in rows for name in row if name)
    unknown = [name for name in names if name not in _COLUMNS]
    if not unknown or not names.keys().isdisjoint(NAMES):
        return None
    are = f"unknown column {unknown[0]}" if len(unknown) == 1 else f"unknown columns {', '.join(unknown)}"
    return f"{are}; a place is source and section, passage, or passage_id"


def _parts(path: str) -> tuple[str, ...]:
    return PurePosixPath(posixpath.normpath(path)).parts


def _without_suffix(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix().casefold() if PurePosixPath(name).name else ""


def _are_within(wanted: _Place, slugs: _Place) -> bool:
    """Tell if the wanted headings are among these, in their order."""
    rest = iter(slugs)
    return all(heading in rest for heading in wanted)


def _source_of(passage: Mapping[str, Any]) -> str:
    """A passage's file as tables name it: file systems may spell it in another Unicode form."""
    return repair(passage["source"])


def _tokens(text: str) -> list[str]:
    tokens: list[str] = bm25_words([text], return_ids=False)[0]
    return tokens


def _close(name: str, names: list[str]) -> list[str]:
    """The most similar names; if there are many, among those that share most pairs of letters."""
    folded = {other.casefold(): other for other in names}
    pairs = set(pairwise(name.casefold()))
    compared = heapq.nlargest(_COMPARED, folded, key=lambda other: len(pairs.intersection(pairwise(other))))
    return [folded[match] for match in difflib.get_close_matches(name.casefold(), compared, _CANDIDATES, _CLOSE)]


def _bare(text: str) -> str:
    """Words only, in lower case, with one space around each: a text is searched for as whole words."""
    return f" {' '.join(words_of(text.replace('_', ' ')))} "


def _shingles(bare: str) -> set[tuple[str, ...]]:
    words = bare.split()
    return {tuple(words[i : i + _SHINGLE]) for i in range(len(words) - _SHINGLE + 1)}
