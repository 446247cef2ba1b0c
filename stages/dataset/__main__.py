"""Stage `dataset`: queries and passages → a data set without leaks. Run as `python -m stages.dataset`."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
from itertools import chain, pairwise
from operator import itemgetter

from datasets import disable_progress_bars

from fieldtune.corpus import files
from fieldtune.corpus.passages import TextsOfRows
from fieldtune.retrieval.near_duplicates import clusters
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.dataset.answers import find_copies
from stages.dataset.config import DatasetConfig
from stages.dataset.filters import drop_reasons
from stages.dataset.inputs import Inputs, read_inputs
from stages.dataset.pairs import mine_pairs, write_pairs
from stages.dataset.qrels import generated_judgements, qrels_columns, real_judgements
from stages.dataset.queries import training_queries
from stages.dataset.report import make_report
from stages.dataset.round_trip import rank_generated
from stages.dataset.split import split_queries, split_units
from stages.dataset.style import style_apart, style_sections


def work() -> str:
    config = load("dataset", DatasetConfig)
    inputs = read_inputs()
    passages, corpus = inputs.passages, inputs.corpus

    bodies = TextsOfRows(passages, itemgetter("text"))
    copies = find_copies(bodies, lambda rows: inputs.passage_vectors[rows], corpus, config.near_duplicates)
    passage_vectors = inputs.passage_vectors.loaded()
    linked = copies.linked | _answers_of_one_query(inputs)
    cluster_of = clusters(len(corpus.sections), linked)
    passage_clusters = [cluster_of[section] for section in corpus.section_of.tolist()]
    inputs = style_apart(inputs, cluster_of)
    units = split_units(inputs.documents, linked, min(config.dev, config.test))

    candidates = training_queries(inputs, copies)
    round_trip = rank_generated(inputs, passage_vectors, config.round_trip)
    dropped = drop_reasons(
        candidates.generated,
        [round_trip.dense, round_trip.bm25],
        config.round_trip,
        [query.query for query in inputs.real],
    )
    for_training = {query.section for query in candidates.real} | style_sections(inputs)
    queries = split_queries(candidates, dropped, units.unit_of, corpus.sections, for_training, config)

    judgements = chain(real_judgements(inputs, copies.alike), generated_judgements(queries))
    qrels = qrels_columns(judgements, passages, corpus, units.unit_of)
    query_vectors = candidates.vectors(inputs)
    pairs = {
        split: mine_pairs(
            [candidates.all[row] for row in rows], query_vectors[rows], passage_vectors, passage_clusters, config
        )
        for split, rows in queries.rows.items()
    }
    report = make_report(inputs, copies, units, queries, round_trip, pairs, config)

    with files.replace_dir(paths.DATASET) as folder:
        for split in pairs:
            write_pairs(folder, split, pairs[split], passages, corpus.texts)
        files.write_table(folder / paths.QRELS.name, qrels)
        ids = [passage["id"] for passage in passages]
        files.write_table(folder / paths.CLUSTERS.name, {"passage_id": ids, "cluster": passage_clusters})
        files.write_json(folder / paths.DATASET_REPORT.name, report)
    if not report["guidance"].startswith("reliable"):
        note(report["guidance"])
    for remark in report["remarks"]:
        note(remark)
    counts = ", ".join(f"{len(rows):,} {split}" for split, rows in queries.rows.items())
    return f"{counts} pairs ({len(dropped):,} queries dropped); {report['real']['test']:,} real test queries"


def _answers_of_one_query(inputs: Inputs) -> set[tuple[int, int]]:
    """Pairs of sections that answer one query of the training set, even partly: never negatives of the others there."""
    return {
        pair
        for query, grades in zip(inputs.real, inputs.real_grades, strict=True)
        if query.split == "train"
        for pair in pairwise(grades)
    }


if __name__ == "__main__":
    disable_progress_bars()
    run_stage("dataset", work)
