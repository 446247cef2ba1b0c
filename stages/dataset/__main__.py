"""Stage `dataset`: queries and passages → a data set without leaks. Run as `python -m stages.dataset`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, disable_progress_bars

from stages import files, paths, ranking, real_queries
from stages.console import note
from stages.dataset import answers, filters, near_duplicates, negatives
from stages.dataset.config import DatasetConfig
from stages.dataset.guidance import size_guidance
from stages.dataset.split import groups, split
from stages.errors import UserError
from stages.query_sets import generated_id, real_id
from stages.real_queries import highest_overlap
from stages.running import run
from stages.settings import load

HARD = 0.5  # a real query that repeats at most this share of its answer's heading is a hard one
Row = dict[str, Any]


def work() -> str:
    config = load("dataset", DatasetConfig)
    passages = list(files.read_jsonl(paths.PASSAGES))
    queries = list(files.read_jsonl(paths.QUERIES))
    real = real_queries.read(Path(config.queries))
    vectors = {
        name: files.read_vectors(paths.VECTORS / f"{name}.safetensors") for name in ("passages", "queries", "real")
    }
    corpus = ranking.corpus(passages)
    section_of = corpus.section_of.tolist()
    passage_row = {passage["id"]: row for row, passage in enumerate(passages)}

    copies = answers.find_copies([p["text"] for p in passages], vectors["passages"], corpus, config.near_duplicates)
    cluster = near_duplicates.clusters(len(corpus.sections), copies.linked)
    place_of = {section: (p["source"], p["section"]) for p, section in zip(passages, section_of, strict=True)}
    group, whole_documents = groups([place_of[s][0] for s in range(len(corpus.sections))], copies.linked)

    # Queries: which are kept, and on which side.
    positives = [passage_row[query["passage_id"]] for query in queries]
    texts = [query["query"] for query in queries]
    systems = [
        ranking.dense(vectors["queries"], vectors["passages"], corpus).sections,
        ranking.bm25(texts, corpus).sections,
    ]
    own = [section_of[row] for row in positives]
    right = [copies.alike[section_of[row]] | copies.holding[row] for row in positives]
    kept, dropped = filters.keep(texts, own, right, systems, config.round_trip, [query.query for query in real])
    asked = sorted({own[row] for row in kept})
    side_of = dict(
        zip(
            asked,
            split([group[s] for s in asked], [corpus.sections[s] for s in asked], config.dev, config.test, config.seed),
            strict=True,
        )
    )
    rows = {side: [row for row in kept if side_of[own[row]] == side] for side in ("train", "dev", "test")}
    for side, found in rows.items():
        if not found:
            raise UserError(
                f"the data set has 0 {side} queries of {len(queries)} generated ones ({len(kept)} kept): look at "
                "`documents:`, `queries:` and `generator:` in params.yaml; more passages need queries"
            )

    # Qrels: every answer's copies answer too.
    named, unmatched = answers.of_real(real, passages, corpus)
    qrels = _Qrels(passages, corpus, group)
    for row, (query, places) in enumerate(zip(real, named, strict=True)):
        if places:
            answering = {other for place in places for other in copies.alike[place]}
            qrels.add("real", real_id(row), places[0], answering)
            if highest_overlap(query, [_heading(place_of[place][1]) for place in places]) <= HARD:
                qrels.add("real_hard", real_id(row), places[0], answering)
    for name, side in (("synthetic", "test"), ("dev", "dev")):
        for row in rows[side]:
            qrels.add(name, generated_id(row), own[row], right[row])

    passage_cluster = [cluster[section] for section in section_of]
    report: Row = {
        "generated": len(queries),
        "dropped": dropped,
        "kept": len(kept),
        "passages": len(passages),
        "copies": {
            "passages": len({i for pair in copies.passages for i in pair}),
            "sections_alike": sum(len(found) > 1 for found in copies.alike),
        },
        "split": {"unit": "document" if whole_documents else "section", "groups": len(set(group))},
        "real": {
            "queries": len(real),
            "matched": sum(bool(places) for places in named),
            "places_not_in_the_documents": len(unmatched),
        },
    }
    with files.replace_dir(paths.DATASET) as folder:
        for side, found in rows.items():
            mined, random_ones = negatives.mine(
                vectors["queries"][found],
                [positives[row] for row in found],
                vectors["passages"],
                passage_cluster,
                config.negatives,
                config.seed,
            )
            width = min(len(chosen) for chosen in mined)
            mined = [chosen[:width] for chosen in mined]
            _write_side(folder, side, found, queries, positives, mined, passages, corpus.texts)
            report[side] = {
                "pairs": len(found),
                "passages": len({positives[row] for row in found}),
                "negatives": width,
                "random_negatives": random_ones,
            }
        qrels.write(folder / paths.QRELS.name)
        ids = [passage["id"] for passage in passages]
        files.write_table(folder / paths.CLUSTERS.name, {"passage_id": ids, "cluster": passage_cluster})
        report["guidance"] = size_guidance(len(rows["train"]), len(set(positives)))
        files.write_json(folder / paths.DATASET_REPORT.name, report)
    if unmatched:
        note(f"{len(unmatched)} places of real queries are not in the documents, the first: {unmatched[0]}")
    if not report["guidance"].startswith("reliable"):
        note(report["guidance"])
    lost = sum(dropped.values())
    return (
        f"{len(rows['train']):,} train, {len(rows['dev']):,} dev, {len(rows['test']):,} test pairs "
        f"({lost:,} queries dropped); {report['real']['matched']:,} real queries"
    )


def _heading(section: str) -> str:
    """A section's heading without the number that a repeated one has."""
    return re.sub(r"~\d+$", "", section)


class _Qrels:
    """Rows of qrels.parquet."""

    def __init__(self, passages: Sequence[Row], corpus: ranking.Corpus, group: Sequence[int]) -> None:
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


def _write_side(
    folder: Path,
    side: str,
    found: Sequence[int],
    queries: Sequence[Row],
    positives: Sequence[int],
    mined: Sequence[Sequence[int]],
    passages: Sequence[Row],
    texts: Sequence[str],
) -> None:
    """Write <side>.parquet (texts) and <side>_ids.parquet, row by row alike."""
    columns = {
        "anchor": [queries[row]["query"] for row in found],
        "positive": [texts[positives[row]] for row in found],
    }
    ids = {
        "query_id": [generated_id(row) for row in found],
        "kind": [queries[row]["kind"] for row in found],
        "positive_id": [passages[positives[row]]["id"] for row in found],
    }
    for number in range(len(mined[0])):
        columns[f"negative_{number + 1}"] = [texts[chosen[number]] for chosen in mined]
        ids[f"negative_{number + 1}_id"] = [passages[chosen[number]]["id"] for chosen in mined]
    Dataset.from_dict(columns).to_parquet(folder / f"{side}.parquet")
    files.write_table(folder / f"{side}_ids.parquet", {name: list(values) for name, values in ids.items()})


if __name__ == "__main__":
    disable_progress_bars()
    run("dataset", work)
