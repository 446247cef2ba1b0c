"""The two steps of one file, reading and cutting; each is done once and then found in the cache."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tokenizers import Tokenizer

from fieldtune.corpus import files, passages, scripts
from stages.ingest import boilerplate, cutting, language, readers
from stages.ingest.cache import Cache, key_of
from stages.ingest.formats import Content, Fields, UnreadableError
from stages.ingest.sections import Section

_STEPS = files.digest(Path(__file__))
# Of what cutting does.
_CUTTING = files.digest(*(Path(str(module.__file__)) for module in (boilerplate, cutting, language, passages, scripts)))


@dataclass(frozen=True)
class Read:
    """The result of reading a file."""

    key: str
    problem: str  # why there is no text of it; "" if there is some
    counts: dict[str, int]  # what was left out
    sections: int
    blocks: list[int]  # hashes, for `boilerplate.repeated`

    @property
    def empty(self) -> bool:
        """Tell if the file can be read and has no text."""
        return not (self.sections or self.problem)


@dataclass(frozen=True)
class Cut:
    """The result of cutting a file."""

    rows: bytes  # lines of passages.jsonl
    passages: int
    sections: int
    sections_cut: int
    boilerplate: int  # blocks dropped
    languages: dict[str, int]  # passages by language


@dataclass(frozen=True)
class Rules:
    """The settings that the steps depend on, besides the files."""

    folder: Path
    fields: Fields
    max_tokens: int
    overlap: int
    tokenizer: Path
    cache: Path
    max_megabytes: float = readers.MAX_MEGABYTES


class Steps:
    """Both steps, in one process."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._cache = Cache(rules.cache)
        self._tokenizer_key = files.digest(rules.tokenizer)
        self._count_tokens: Callable[[Sequence[str]], list[int]] | None = None

    def close(self) -> None:
        self._cache.close()

    def known_read(self, path: Path) -> Read | None:
        """The reading of a file that was read before, and is the same."""
        try:
            stored = self._cache.get(f"{self._read_key(path)} about")
        except (OSError, ValueError):
            return None
        return Read(**json.loads(stored)) if stored else None

    def read(self, path: Path) -> Read:
        """Read a file; what goes wrong with it is its `problem`."""
        key = ""
        try:
            key = self._read_key(path)
            sections, counts = self._read_file(path)
            blocks = sorted(boilerplate.blocks(sections))
            read = Read(key, "", counts, len(sections), blocks)
        except UnreadableError as error:
            sections, read = [], Read(key, str(error), {}, 0, [])
        except OSError as error:
            return Read(key, error.strerror or type(error).__name__, {}, 0, [])
        except Exception as error:  # of whatever library: one file must not end the run
            sections, read = [], Read(key, f"its reader failed ({type(error).__name__})", {}, 0, [])
        kept = json.dumps([asdict(section) for section in sections], ensure_ascii=False).encode()
        self._cache.put((f"{key} about", json.dumps(asdict(read)).encode()), (f"{key} sections", kept))
        return read

    def is_cut(self, read: Read, repeated: frozenset[int]) -> bool:
        """Tell if a file was cut before, and is the same."""
        return self._cache.has(f"{self._cut_key(read, repeated)} rows")

    def cut(self, path: Path, read: Read, repeated: frozenset[int]) -> Cut:
        """Cut the sections of a file that was read; `repeated`: those of its blocks that are boilerplate."""
        key = self._cut_key(read, repeated)
        if (known := self._cache.get(f"{key} about")) and (lines := self._cache.get(f"{key} rows")) is not None:
            return Cut(rows=lines, **json.loads(known))
        sections, dropped = boilerplate.strip_boilerplate(self._sections(path, read), repeated)
        # One function for all files: what it has counted once is remembered.
        self._count_tokens = self._count_tokens or _counter(self._rules.tokenizer)
        rows = cutting.passages(sections, self._count_tokens, self._rules.max_tokens, self._rules.overlap)
        for row in rows:
            row["language"] = language.language(row["text"])
        pieces = Counter(row["section"] for row in rows)
        cut = Cut(
            rows=b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows),
            passages=len(rows),
            sections=len(pieces),
            sections_cut=sum(count > 1 for count in pieces.values()),
            boilerplate=dropped,
            languages=dict(sorted(Counter(row["language"] for row in rows).items())),
        )
        about = {name: value for name, value in vars(cut).items() if name != "rows"}
        self._cache.put((f"{key} about", json.dumps(about).encode()), (f"{key} rows", cut.rows))
        return cut

    def _read_key(self, path: Path) -> str:
        settings = asdict(self._rules.fields), self._rules.max_megabytes
        return key_of("read", readers.VERSION, _STEPS, files.sha256(path), self._source(path), settings)

    def _cut_key(self, read: Read, repeated: frozenset[int]) -> str:
        rules = self._rules
        settings = rules.max_tokens, rules.overlap, self._tokenizer_key
        return key_of("cut", _CUTTING, read.key, sorted(repeated), settings)

    def _source(self, path: Path) -> str:
        return path.relative_to(self._rules.folder).as_posix()

    def _sections(self, path: Path, read: Read) -> list[Section]:
        stored = self._cache.get(f"{read.key} sections")
        if stored is None:  # it was too long for the cache
            return self._read_file(path)[0]
        stored_sections = json.loads(stored)
        return [Section(**{**fields, "headings": tuple(fields["headings"])}) for fields in stored_sections]

    def _read_file(self, path: Path) -> Content:
        return readers.read(path, self._source(path), self._rules.fields, self._rules.max_megabytes)


def _counter(file: Path) -> Callable[[Sequence[str]], list[int]]:
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(texts: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    return count
