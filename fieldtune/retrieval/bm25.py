"""BM25's index of passages, in bm25s's own files: built block by block, memory-mapped to search.

There are two fields: the whole text that the encoder sees, and the headings above it. A passage's score is that of the
whole text, or a convex combination of both.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.retrieval.words import bm25_words_of

K1, B = 1.5, 0.75
STOP_WORDS, STEMMER = "en", "english"
WHOLE, HEADINGS = "whole", "headings"  # the fields: a folder each
_BLOCK = 20_000  # texts whose words are held at once
_STOP_WORD = -1

Scores = npt.NDArray[np.float32]  # [passages]; 0: no word of the query


@dataclass(frozen=True)
class Postings:
    """A block of texts: each word of each text once, in the order of the texts."""

    texts: npt.NDArray[np.int32]
    words: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]  # of the word in the text


class Bm25Index:
    """Both fields of a folder of `build`. Words of queries and texts are stemmed, English stop words left out."""

    def __init__(self, folder: Path) -> None:
        import bm25s

        self.sizes = {name: files.disk_size(folder / name) for name in (WHOLE, HEADINGS)}  # bytes
        self._fields: dict[str, Any] = {
            name: bm25s.BM25.load(folder / name, mmap=_has_words(folder / name)) for name in (WHOLE, HEADINGS)
        }

    def scores(self, query: str, heading_share: float = 0.0) -> Scores:
        """Score all passages: (1 - share) × BM25 of the whole text + share × BM25 of the headings."""
        return self.combined(self.field_scores(query, heading_share > 0), heading_share)

    def field_scores(self, query: str, headings: bool = True) -> list[Scores]:
        """The scores of the whole texts and, if asked for, of the headings."""
        words = stems(query)
        return [self._score(name, words) for name in ((WHOLE, HEADINGS) if headings else (WHOLE,))]

    @staticmethod
    def combined(fields: Sequence[Scores], heading_share: float) -> Scores:
        """One score of a passage from those of its fields."""
        if heading_share == 0:
            return fields[0]
        whole, headings = fields
        return np.float32(1 - heading_share) * whole + np.float32(heading_share) * headings

    def _score(self, field: str, words: Sequence[str]) -> Scores:
        index = self._fields[field]
        ids = index.get_tokens_ids(words)
        scores: Scores = index.get_scores_from_ids(ids) if ids else np.zeros(index.scores["num_docs"], np.float32)
        return scores


def _has_words(field: Path) -> bool:
    """An empty file cannot be mapped."""
    return (field / "vocab.index.json").stat().st_size > len("{}")


def stems(text: str) -> list[str]:
    """The words of a text as the index has them: those of bm25s.tokenize, in half the time."""
    vocabulary: dict[str, int] = {}
    numbers = _StemNumbers(vocabulary)
    of_words = [numbers[word] for word in bm25_words_of(text)]
    names = list(vocabulary)
    return [names[number] for number in of_words if number != _STOP_WORD]


class _StemNumbers(dict[str, int]):
    """The number of each word's stem in a vocabulary, which new stems are added to; _STOP_WORD for a stop word."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        import Stemmer
        from bm25s.stopwords import STOPWORDS_EN

        super().__init__(dict.fromkeys(STOPWORDS_EN, _STOP_WORD))
        self._vocabulary = vocabulary
        # Its own cache takes longer than stemming.
        self._stem: Callable[[str], str] = Stemmer.Stemmer(STEMMER, 0).stemWord

    def __missing__(self, word: str) -> int:
        number = self[word] = self._vocabulary.setdefault(self._stem(word), len(self._vocabulary))
        return number


def headings(texts: Iterable[str]) -> Iterator[str]:
    """The first line of each text, which is the document's title and the headings (`passage_text`)."""
    return (text.partition("\n")[0] for text in texts)


@contextmanager
def temporary_index(texts: Sequence[str]) -> Iterator[Bm25Index]:
    """An index of texts that is gone at the end of the block."""
    with TemporaryDirectory() as folder:
        build(texts, Path(folder))
        yield Bm25Index(Path(folder))


def build(texts: Sequence[str], folder: Path) -> None:
    """Write the index of both fields. Memory is that of a block and of the vocabulary, whatever the number of texts.

    BM25 in Lucene's form (Kamphuis et al. 2020, "Which BM25 do you mean?"), as bm25s computes it. The same texts give
    the same bytes.
    """
    _build_field(texts, len(texts), folder / WHOLE)
    _build_field(headings(texts), len(texts), folder / HEADINGS)


def _build_field(texts: Iterable[str], count: int, folder: Path) -> None:
    import bm25s

    vocabulary: dict[str, int] = {}
    lengths = np.zeros(count, dtype=np.int32)  # words of a text
    folder.mkdir(parents=True)
    with TemporaryDirectory(dir=folder.parent) as temporary:
        blocks = []
        left = iter(texts)
        for start in range(0, count, _BLOCK):
            block = list(islice(left, _BLOCK))
            blocks.append(Path(temporary) / f"{start}.npz")
            postings = _postings(block, start, vocabulary, lengths[start : start + len(block)])
            np.savez(blocks[-1], texts=postings.texts, words=postings.words, counts=postings.counts)
        index = bm25s.BM25(method="lucene", k1=K1, b=B)
        index.scores = _score_blocks(blocks, lengths, len(vocabulary), Path(temporary))
        index.vocab_dict = vocabulary
        index.nonoccurrence_array = None
        index.save(folder, show_progress=False)
        index.scores = None  # its files are mapped


def _postings(texts: Sequence[str], start: int, vocabulary: dict[str, int], lengths: npt.NDArray[np.int32]) -> Postings:
    """Count the words of texts, the first of which is number `start`; new words go into `vocabulary`."""
    number_of = _StemNumbers(vocabulary).__getitem__
    flat, counted = array("i"), array("q")
    for text in texts:
        words = bm25_words_of(text)
        flat.extend(map(number_of, words))
        counted.append(len(words))
    ids = np.array(flat, dtype=np.int64)
    of_text = np.repeat(np.arange(len(texts)), np.array(counted, dtype=np.int64))
    kept = ids != _STOP_WORD
    lengths[:] = np.bincount(of_text[kept], minlength=len(texts))
    pairs, counts = np.unique((start + of_text[kept] << 32) | ids[kept], return_counts=True)
    return Postings((pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32), counts.astype(np.int32))


def _read_block(path: Path) -> Postings:
    with np.load(path) as arrays:
        return Postings(arrays["texts"], arrays["words"], arrays["counts"])


def _score_blocks(
    blocks: Sequence[Path], lengths: npt.NDArray[np.int32], vocabulary: int, folder: Path
) -> dict[str, Any]:
    """The scores of all postings by word, and in it by text, as bm25s has them; the long arrays are files."""
    frequencies = np.zeros(vocabulary, dtype=np.int64)  # texts that have the word
    for path in blocks:
        frequencies += np.bincount(_read_block(path).words, minlength=vocabulary)
    idf = np.log(1 + (len(lengths) - frequencies + 0.5) / (frequencies + 0.5)).astype(np.float32)
    ends = np.concatenate([[0], np.cumsum(frequencies)])
    size = int(ends[-1])
    data: npt.NDArray[np.float32] = _mapped(folder / "data", np.float32, size)
    indices: npt.NDArray[np.int32] = _mapped(folder / "indices", np.int32, size)
    mean_length = float(lengths.mean()) if len(lengths) else 0.0
    filled = ends[:-1].copy()
    for path in blocks:
        block = _read_block(path)
        order = np.argsort(block.words, kind="stable")
        words, texts, counts = block.words[order], block.texts[order], block.counts[order].astype(np.float64)
        length = K1 * ((1 - B) + B * lengths[texts] / (mean_length or 1.0))
        here = np.bincount(words, minlength=vocabulary)
        first = np.cumsum(here) - here  # of each word among the block's
        places = filled[words] + np.arange(len(words)) - first[words]
        data[places] = idf[words] * (counts / (length + counts))
        indices[places] = texts
        filled += here
    return {"data": data, "indices": indices, "indptr": ends, "num_docs": len(lengths)}


def _mapped(path: Path, dtype: Any, size: int) -> Any:
    if size == 0:
        return np.zeros(0, dtype=dtype)
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(size,))
