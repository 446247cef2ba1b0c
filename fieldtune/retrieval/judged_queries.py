"""The judged queries: their texts, their answers, and the sets in which they are counted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Literal

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files, real_queries
from fieldtune.corpus.judgements import ANSWER
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.retrieval.significance import fewest_clusters
from fieldtune.retrieval.words import overlap
from fieldtune.runtime import paths

TITLES = {"real": "real queries", "real_hard": "hard real queries", "synthetic": "generated queries, held out"}
TEST_SETS = tuple(TITLES)
HARD = 0.5  # a real query that repeats at most this share of its answer's heading is hard
_FEWEST_CLUSTERS = fewest_clusters(0.95)  # of real queries: fewer cannot be significant, even if all of them gain
DEV = "dev"  # chooses: the checkpoint, and the hybrids' shares if there are too few real queries
GIVEN = 0.98  # generated queries that repeat this share of their words from the passage were made of its words


@dataclass(frozen=True)
class Judged:
    """Queries with their answers. A query may be in several sets; all arrays are in the order of `ids`."""

    ids: list[str]  # `q<row of queries.jsonl>` or `r<row of the distinct real queries>`
    texts: list[str]
    grades: list[dict[int, float]]  # by section, as index into the corpus; `metrics.Grades` says what they mean
    clusters: npt.NDArray[np.int64]  # the split unit of the first answer: queries of one cluster are not independent
    sets: dict[str, npt.NDArray[np.int64]]  # set name → rows
    main_set: str = ""  # the test set that the verdict rests on; empty if no test set has queries
    own: Mapping[str, str] = field(default_factory=dict)  # query → the section that is the query itself, by its id

    @cached_property
    def relevant(self) -> list[set[int]]:
        """[queries]: the sections that answer each, without those that answer partly."""
        return [{section for section, grade in graded.items() if grade >= ANSWER} for graded in self.grades]

    def rows(self, names: Iterable[str]) -> npt.NDArray[np.int64]:
        """The rows of the queries in any of the sets, sorted."""
        members = [self.sets[name] for name in names if name in self.sets]
        return np.unique(np.concatenate(members)) if members else np.array([], dtype=np.int64)

    def at(self, rows: npt.NDArray[np.int64]) -> "Judged":
        """The queries in these rows, in their order; they belong to no set."""
        ids, texts = [self.ids[row] for row in rows], [self.texts[row] for row in rows]
        return Judged(ids, texts, [self.grades[row] for row in rows], self.clusters[rows], {}, own=self.own)


def generated_id(row: int) -> str:
    return f"q{row:06d}"


def real_id(row: int) -> str:
    return f"r{row:06d}"


def row_of(query_id: str) -> int:
    """The row that `generated_id` or `real_id` named."""
    return int(query_id[1:])


def read(names: Iterable[str], corpus: Corpus) -> Judged:
    """The judged queries of the named sets of qrels.parquet; sets without queries are left out.

    The sets come in the order of the names, except that real queries too few for a verdict come last.
    """
    qrels = files.read_table(paths.QRELS)
    section_index = {section: number for number, section in enumerate(corpus.sections)}
    rows: dict[str, int] = {}
    grades: list[dict[int, float]] = []
    cluster_ids: list[int] = []
    in_set: dict[str, list[int]] = {name: [] for name in names}
    columns = (qrels[name] for name in ("set", "query_id", "section", "relevance", "group"))
    for name, query, section, grade, cluster in zip(*columns, strict=True):
        if name not in in_set:
            continue
        if query not in rows:
            rows[query] = len(rows)
            grades.append({})
            cluster_ids.append(cluster)
        row = rows[query]
        grades[row][section_index[section]] = grade
        if not in_set[name] or in_set[name][-1] != row:
            in_set[name].append(row)
    real = real_queries.read()
    texts = _texts(list(rows), real)
    own = {real_id(row): query.own for row, query in enumerate(real) if query.own}
    sets = {name: np.array(members, dtype=np.int64) for name, members in in_set.items() if members}
    clusters = np.array(cluster_ids, dtype=np.int64)
    main_set = _main_set(sets, clusters)
    if main_set == "synthetic":
        sets = {name: sets[name] for name in sorted(sets, key=lambda name: name.startswith("real"))}
    return Judged(list(rows), texts, grades, clusters, sets, main_set, own)


def _main_set(sets: Mapping[str, npt.NDArray[np.int64]], clusters: npt.NDArray[np.int64]) -> str:
    """The real queries, or the generated ones if the real ones are too few for a verdict."""
    if "real" in sets and ("synthetic" not in sets or len(np.unique(clusters[sets["real"]])) >= _FEWEST_CLUSTERS):
        return "real"
    return "synthetic" if "synthetic" in sets else ""


def labels(ids: Sequence[str], column: Literal["kind", "provider"]) -> list[str]:
    """The column of queries.jsonl for each query; `real` for a real one."""
    rows = list(files.read_jsonl(paths.QUERIES))
    return [rows[row_of(query)][column] if query[0] == "q" else "real" for query in ids]


def _texts(ids: Sequence[str], real: Sequence[RealQuery]) -> list[str]:
    texts = {
        "q": [row["query"] for row in files.read_jsonl(paths.QUERIES)],
        "r": [query.query for query in real],
    }
    return [texts[query[0]][row_of(query)] for query in ids]


def words_in_answers(judged: Judged, corpus: Corpus) -> float:
    """The share of a query's word stems that the best of its answers' passages repeats, the mean over queries; 0 if
    there are no queries.
    """
    passages_of: dict[int, list[int]] = {}
    for passage, section in enumerate(corpus.section_of.tolist()):
        passages_of.setdefault(section, []).append(passage)
    shares = [
        max(overlap(corpus.texts[passage], text) for section in sections for passage in passages_of[section])
        for text, sections in zip(judged.texts, judged.relevant, strict=True)
    ]
    return fmean(shares) if shares else 0.0
