"""Stage `dataset`: queries and passages → a data set without leaks. Run as `python -m stages.dataset`."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, disable_progress_bars

from fieldtune.corpus import files, real_queries
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.providers import traits
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.corpus.vectors import read_vectors
from fieldtune.retrieval import hard_negatives, ranking
from fieldtune.retrieval.judged_queries import HARD, generated_id, real_id, row_of
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.dataset import answers, filters, near_duplicates
from stages.dataset.config import DatasetConfig
from stages.dataset.guidance import size_guidance
from stages.dataset.report import describe, dropped_examples
from stages.dataset.split import groups, split

SIDES = ("train", "dev", "test")
Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A query that may be trained on, with the one passage that it was written for."""

    id: str
    text: str
    kind: str
    passage: int
    section: int
    right: set[int]  # the sections that answer it


def work() -> str:
    config = load("dataset", DatasetConfig)
    passages = list(files.read_jsonl(paths.PASSAGES))
    real = real_queries.read()
    vectors = {name: read_vectors(paths.VECTORS, name) for name in ("passages", "queries", "real")}
    corpus = Corpus.from_passages(passages)
    section_of = corpus.section_of.tolist()
    passage_row = {passage["id"]: row for row, passage in enumerate(passages)}
    section_row = {section: row for row, section in enumerate(corpus.sections)}
    answers_of = [[section_row[section] for section in query.sections] for query in real]
    for_training = [row for row, query in enumerate(real) if query.split == "train"]

    copies = answers.find_copies([p["text"] for p in passages], vectors["passages"], corpus, config.near_duplicates)
    # What answers one query of the training set is never a negative of the others there.
    linked = copies.linked | {pair for row in for_training for pair in itertools.pairwise(answers_of[row])}
    cluster = near_duplicates.clusters(len(corpus.sections), linked)
    document_of = {section: p["document"] for p, section in zip(passages, section_of, strict=True)}
    sources = [document_of[s] for s in range(len(corpus.sections))]
    group, whole_documents = groups(sources, linked, min(config.dev, config.test))

    def asked(query_id: str, text: str, kind: str, passage_id: str) -> Asked:
        passage = passage_row[passage_id]
        section = section_of[passage]
        return Asked(query_id, text, kind, passage, section, copies.alike[section] | copies.holding[passage])

    # Queries: which are kept, and on which side. Real ones are kept as they are.
    written = list(files.read_jsonl(paths.QUERIES))
    generated = [
        asked(generated_id(row), query["query"], query["kind"], query["passage_id"])
        for row, query in enumerate(written)
    ]
    texts = [query.text for query in generated]
    dense = lexical = np.empty((len(texts), 0), dtype=np.int64)  # without the round trip nobody looks
    if config.round_trip:
        dense = ranking.dense(vectors["queries"], vectors["passages"], corpus).sections
        lexical = ranking.bm25(texts, corpus).sections
    dropped = filters.keep(
        texts,
        [query.section for query in generated],
        [query.right for query in generated],
        [dense, lexical],
        config.round_trip,
        [query.query for query in real],
    )
    own = [
        asked(real_id(row), real[row].query, "real", passage) for row in for_training for passage in real[row].passages
    ]
    queries = [*generated, *own]
    query_vectors = np.concatenate([vectors["queries"], vectors["real"][[row_of(query.id) for query in own]]])
    kept = [row for row in range(len(queries)) if row not in dropped]
    side_of = _side_of({queries[row].section for row in kept}, {query.section for query in own}, group, corpus, config)
    rows = {side: [row for row in kept if side_of[queries[row].section] == side] for side in SIDES}
    for side, found in rows.items():
        if not found:
            raise UserError(
                f"the data set has 0 {side} queries of {len(generated)} generated ones ({len(kept)} kept): look at "
                "`documents:`, `queries:` and `generator:` in params.yaml; more passages need queries"
            )

    qrels = _Qrels(passages, corpus, group)
    _add_real(qrels, real, answers_of, copies.alike)
    for name, side in (("synthetic", "test"), ("dev", "dev")):
        for row in rows[side]:
            qrels.add(name, queries[row].id, queries[row].section, queries[row].right)

    passage_cluster = [cluster[section] for section in section_of]
    counts = Counter(dropped.values())
    described: Row = describe(
        queries=[query.text for query in queries],
        kinds=[query.kind for query in queries],
        positives=[query.passage for query in queries],
        passages=corpus.texts,
        generated=len(generated),
        dropped=dropped,
        sides=rows,
        real=[
            (query.query, [passage_row[passage] for passage in query.passages])
            for query in real
            if query.split == "test"
        ],
        log=[row["query"] for row in files.read_jsonl(paths.REAL_LOG)],
    )
    report: Row = {
        "generated": len(generated),
        "dropped": {reason: counts[reason] for reason in filters.REASONS},
        "dropped_examples": dropped_examples(
            dropped=dropped,
            queries=texts,
            positives=[query.passage for query in generated],
            right=[query.right for query in generated],
            passages=passages,
            section_of=corpus.section_of,
            top=config.round_trip,
            query_vectors=vectors["queries"],
            passage_vectors=vectors["passages"],
            bm25=lexical,
        ),
        "kept": len(generated) - len(dropped),
        **described,
        "passages": len(passages),
        "copies": {
            "passages": len({i for pair in copies.passages for i in pair}),
            "sections_alike": sum(len(found) > 1 for found in copies.alike),
        },
        "split": {"unit": "document" if whole_documents else "section", "groups": len(set(group))},
        "real": {name: sum(query.split == name for query in real) for name in real_queries.SPLITS},
    }
    with files.replace_dir(paths.DATASET) as folder:
        for side, found in rows.items():
            asking = [queries[row] for row in found]
            mined, random_ones = hard_negatives.mine(
                query_vectors[found],
                [query.passage for query in asking],
                vectors["passages"],
                passage_cluster,
                config.negatives,
                config.seed,
            )
            width = min(map(len, mined))
            _write_side(folder, side, asking, [chosen[:width] for chosen in mined], passages, corpus.texts)
            report[side] = {
                "pairs": len(asking),
                "passages": len({query.passage for query in asking}),
                "negatives": width,
                "random_negatives": random_ones,
            }
        qrels.write(folder / paths.QRELS.name)
        ids = [passage["id"] for passage in passages]
        files.write_table(folder / paths.CLUSTERS.name, {"passage_id": ids, "cluster": passage_cluster})
        with_queries = len({query.passage for query in queries})
        report["guidance"] = size_guidance(
            len(rows["train"]),
            with_queries,
            config.dollars_per_passage,
            len(passages),
            by_model=any(traits(query["provider"]).by_model for query in written),
        )
        files.write_json(folder / paths.DATASET_REPORT.name, report)
    if not report["guidance"].startswith("reliable"):
        note(report["guidance"])
    for remark in report["remarks"]:
        note(remark)
    return (
        f"{len(rows['train']):,} train, {len(rows['dev']):,} dev, {len(rows['test']):,} test pairs "
        f"({len(dropped):,} queries dropped); {report['real']['test']:,} real test queries"
    )


def _side_of(
    sections: set[int], for_training: set[int], group: Sequence[int], corpus: Corpus, config: DatasetConfig
) -> dict[int, str]:
    """Each section's side; the groups of those `for_training` are on that one."""
    order = sorted(sections)
    sides = split(
        [group[section] for section in order],
        [corpus.sections[section] for section in order],
        config.dev,
        config.test,
        config.seed,
        {group[section] for section in for_training},
    )
    return dict(zip(order, sides, strict=True))


class _Qrels:
    """Rows of qrels.parquet."""

    def __init__(self, passages: Sequence[Row], corpus: Corpus, group: Sequence[int]) -> None:
        self._corpus = corpus
        self._group = group
        self._passages: dict[int, list[str]] = {}
        for passage, section in zip(passages, corpus.section_of.tolist(), strict=True):
            self._passages.setdefault(section, []).append(passage["id"])
        names = ("set", "query_id", "section", "passage_id", "relevance", "group")
        self._columns: dict[str, list[Any]] = {name: [] for name in names}

    def add(self, name: str, query_id: str, asked: int, right: set[int]) -> None:
        """A query of a set, asked of one section, is answered by all those in `right`."""
        for section in sorted(right):
            for passage_id in self._passages[section]:
                row = (name, query_id, self._corpus.sections[section], passage_id, 1, self._group[asked])
                for column, value in zip(self._columns.values(), row, strict=True):
                    column.append(value)

    def write(self, path: Path) -> None:
        files.write_table(path, self._columns)


def _add_real(
    qrels: _Qrels, real: Sequence[RealQuery], answers_of: Sequence[Sequence[int]], alike: Sequence[set[int]]
) -> None:
    """The real queries of the test and dev sets: every answer's copies, `alike`, answer too."""
    for row, (query, places) in enumerate(zip(real, answers_of, strict=True)):
        sets = {"test": ["real", "real_hard"] if query.overlap <= HARD else ["real"], "dev": ["dev"], "train": []}
        answering = {other for place in places for other in alike[place]}
        for name in sets[query.split]:
            qrels.add(name, real_id(row), places[0], answering)


def _write_side(
    folder: Path,
    side: str,
    queries: Sequence[Asked],
    mined: Sequence[Sequence[int]],
    passages: Sequence[Row],
    texts: Sequence[str],
) -> None:
    """Write <side>.parquet (texts) and <side>_ids.parquet, row by row alike."""
    columns = {
        "anchor": [query.text for query in queries],
        "positive": [texts[query.passage] for query in queries],
    }
    ids = {
        "query_id": [query.id for query in queries],
        "kind": [query.kind for query in queries],
        "positive_id": [passages[query.passage]["id"] for query in queries],
    }
    for number in range(len(mined[0])):
        columns[f"negative_{number + 1}"] = [texts[chosen[number]] for chosen in mined]
        ids[f"negative_{number + 1}_id"] = [passages[chosen[number]]["id"] for chosen in mined]
    Dataset.from_dict(columns).to_parquet(folder / f"{side}.parquet")
    files.write_table(folder / f"{side}_ids.parquet", {name: list(values) for name, values in ids.items()})


if __name__ == "__main__":
    disable_progress_bars()
    run_stage("dataset", work)
