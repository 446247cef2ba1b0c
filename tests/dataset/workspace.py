"""Inputs of the stage `dataset`, made by hand in a test's folder: passages, queries, vectors and config."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text, section_hash
from fieldtune.corpus.vectors import PASSAGES, QUERIES, write_vectors
from fieldtune.runtime import paths
from stages.real.matching import match

DIMENSION = 64
CONFIG = """\
dev: 0.1
test: 0.1
round_trip: 100
dollars_per_passage: 1.0e-4
near_duplicates: {cosine: 0.9, overlap: 0.8}
negatives: {count: 4, first_rank: 5, last_rank: 50, margin: 0.95}
seed: 0
"""

Vector = npt.NDArray[np.float64]


class Workspace:
    """Collects passages and queries with their vectors, then writes them below a folder."""

    def __init__(self, seed: int = 0) -> None:
        self.passages: list[dict[str, Any]] = []
        self.queries: list[dict[str, Any]] = []
        self.real: list[dict[str, Any]] = []
        self._vectors: dict[str, list[Vector]] = {"passages": [], "queries": [], "real": []}
        self._random = random.Random(seed)
        self._numbers = np.random.default_rng(seed)

    def words(self, count: int) -> list[str]:
        """Random words, so many different ones that two texts never share three in a row by chance."""
        return [f"w{self._random.randrange(10**6)}" for _ in range(count)]

    def direction(self) -> Vector:
        return unit(self._numbers.normal(size=DIMENSION))

    def near(self, vector: Vector, cosine: float) -> Vector:
        """A random unit vector of just this cosine with `vector`."""
        other = self.direction()
        other = unit(other - (other @ vector) * vector)
        return cosine * vector + float(np.sqrt(1 - cosine**2)) * other

    def passage(
        self, source: str, section: str, text: str | None = None, vector: Vector | None = None, piece: int = 1
    ) -> tuple[str, str, Vector]:
        """Add a passage, by default a random one; returns its id, text and vector."""
        text = text or " ".join(self.words(40))
        vector = self.direction() if vector is None else vector
        slug = section.lower().replace(" ", "-")
        name = f"{source}#{slug}" + (f"-{piece}" if piece > 1 else "")
        self.passages.append(
            {
                "id": name,
                "source": source,
                "document": source,
                "section": section,
                "title": f"{source} {section}",
                "text": text,
                "section_sha256": section_hash(text),
                "language": "",
            }
        )
        self._vectors["passages"].append(vector)
        return name, text, vector

    def query(self, passage: tuple[str, str, Vector], text: str | None = None, kind: str = "question") -> None:
        """Add a generated query whose vector is close to its passage's."""
        name, _, vector = passage
        row = {"passage_id": name, "query": text or " ".join(self.words(5)), "kind": kind, "provider": "test"}
        self.queries.append(row)
        self._vectors["queries"].append(self.near(vector, 0.8))

    def ask(self, query: str, source: str, section: str = "", **more: Any) -> None:
        """Add a row of the real queries; its place must be there."""
        new = query not in {row["query"] for row in self.real}
        self.real.append({"query": query, "source": source, "section": section, **more})
        if new:
            self._vectors["real"].append(self.direction())

    def vectors(self, name: str) -> npt.NDArray[np.float32]:
        """The vectors of `passages`, `queries` or `real`, row by row."""
        return np.array(self._vectors[name], dtype=np.float32).reshape(-1, DIMENSION)

    def write(self, folder: Path) -> None:
        """Write `data/` below `folder`; an empty .dvc marks it as a repository of its own."""
        for name, rows in ((paths.PASSAGES, self.passages), (paths.QUERIES, self.queries)):
            files.write_jsonl(folder / name, rows)
        real_rows = ((f"line {number}", row) for number, row in enumerate(self.real, start=1))
        files.write_jsonl(folder / paths.REAL, (query.row() for query in match(real_rows, self.passages).queries))
        files.write_text(folder / paths.REAL_LOG, "")
        real = [row["query"] for row in files.read_jsonl(folder / paths.REAL)]
        queries = [row["query"] for row in self.queries] + real
        vectors = np.concatenate([self.vectors("queries"), self.vectors("real")])
        write_vectors(folder / paths.VECTORS, QUERIES, queries, vectors)
        texts = [passage_text(row) for row in self.passages]
        write_vectors(folder / paths.VECTORS, PASSAGES, texts, self.vectors("passages"))
        files.write_text(folder / paths.CONFIG / "dataset.yaml", CONFIG)
        files.write_text(folder / ".dvc/config", "")


def unit(vector: Vector) -> Vector:
    return vector / np.linalg.norm(vector)


def changed(text: str, *places: int) -> str:
    """The text with other words at some places, counted from 0."""
    words = text.split()
    for place in places:
        words[place] = f"other{place}"
    return " ".join(words)


def jaccard(left: str, right: str) -> float:
    """The Jaccard index of three-word shingles, counted the plain way."""
    a, b = ({tuple(words[i : i + 3]) for i in range(len(words) - 2)} for words in (left.split(), right.split()))
    return len(a & b) / len(a | b)


def documents(sections: int, queries: int = 3, in_each: int = 10, seed: int = 0) -> Workspace:
    """Sections without copies, `in_each` of them in a document, each one passage with so many queries."""
    made = Workspace(seed)
    for number in range(sections):
        passage = made.passage(f"doc{number // in_each}.md", f"Part {number}")
        for _ in range(queries):
            made.query(passage)
    return made
