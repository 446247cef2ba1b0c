"""The stage's files beside the report: all numbers, the summary, a row per query, the bars of `dvc plots`."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.retrieval.systems import SYSTEMS
from fieldtune.runtime import paths
from stages.evaluate.data_curve import DataCurve
from stages.evaluate.evaluation import Evaluation
from stages.evaluate.inputs import Inputs
from stages.evaluate.query_facts import QueryFacts
from stages.evaluate.query_keys import graded_answers
from stages.evaluate.rankings import Ranked
from stages.evaluate.scores import SetScores


def write(evaluation: Evaluation) -> None:
    """Write metrics.json, the summary and the plots."""
    write_systems(evaluation.sets)
    write_curve(evaluation.curve)
    files.write_json(paths.METRICS, metrics(evaluation))
    files.write_json(paths.SUMMARY, summary(evaluation))


def metrics(evaluation: Evaluation) -> dict[str, Any]:
    """metrics.json: every number of the scores, and how similar the corpus is before and after tuning."""
    judgement = evaluation.judgement
    blocks: dict[str, Any] = {name: scores.json() for name, scores in evaluation.sets.items()}
    if evaluation.kinds:
        blocks["synthetic"]["kinds"] = {kind: scores.json() for kind, scores in evaluation.kinds.items()}
    if evaluation.languages:
        blocks["synthetic"]["languages"] = {tag: scores.json() for tag, scores in evaluation.languages.items()}
    optional = {
        "reranked": evaluation.reranked,
        "forgetting": evaluation.probe,
        "data_curve": evaluation.curve,
        "crossfitted": evaluation.crossfitted,
    }
    blocks |= {name: part.json() for name, part in optional.items() if part is not None}
    return {
        **blocks,
        "hybrid_weight": dict(evaluation.weights),
        "heading_share": evaluation.heading_share,
        "crossfitted_shares": dict(evaluation.crossfitted_shares),
        **({"rivals": [row.json() for row in evaluation.rivals]} if evaluation.rivals else {}),
        "deployments": [row.json() for row in evaluation.deployments],
        "vectors": [row.json() for row in evaluation.vectors],
        "similarity_to_base": round(evaluation.similarity, 6),
        "test_set": evaluation.test_set,
        "verdict": evaluation.judgement.verdict,
        "recommend": judgement.recommend,
        **({"recommend_of_ours": judgement.of_ours} if judgement.of_ours != judgement.recommend else {}),
        "chosen_by": evaluation.chosen_by,
        "reasons": evaluation.judgement.reasons,
    }


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """The numbers of `dvc exp show` and `dvc metrics diff`: on the main set NDCG@10, and MRR@10 of the two models."""
    scores, judgement = evaluation.main, evaluation.judgement
    gain = scores.lead("tuned", "base")
    ends = {"gain_low": gain.low, "gain_high": gain.high}
    return {
        "verdict": judgement.verdict,
        "recommend": judgement.recommend,
        **{system: round(scores.means[system]["ndcg@10"], 4) for system in SYSTEMS if system != "bm25_fields"},
        "gain": round(gain.mean, 4),
        **{name: round(end, 4) if gain.known else None for name, end in ends.items()},
        **{f"{system}_mrr": round(scores.means[system]["mrr@10"], 4) for system in ("base", "tuned")},
    }


def write_per_query(
    inputs: Inputs, facts: QueryFacts, set_rows: Mapping[str, npt.NDArray[np.int64]], ranked: Ranked
) -> None:
    """per_query.parquet: the test queries with their facts and each system's metrics."""
    judged, rows = inputs.judged, inputs.test_rows
    in_sets: dict[int, list[str]] = {row: [] for row in rows.tolist()}
    for name, members in set_rows.items():
        for row in members.tolist():
            in_sets[row].append(name)
    sections = inputs.corpus.sections
    graded = [graded_answers({sections[n]: grade for n, grade in judged.grades[row].items()}) for row in rows]
    columns: dict[str, list[Any]] = {
        "query_id": [judged.ids[row] for row in rows],
        "query": [judged.texts[row] for row in rows],
        "sets": list(in_sets.values()),
        "kind": [facts.kinds[row] for row in rows],
        **({"language": [facts.languages[row] for row in rows]} if any(facts.languages) else {}),
        "seen": facts.seen[rows].tolist(),
        "overlap": facts.overlaps[rows].round(6).tolist(),
        "answers": [sorted(sections[section] for section in judged.relevant[row]) for row in rows],
        **({"graded": graded} if any(graded) else {}),
        "group": judged.clusters[rows].tolist(),
    }
    for system, metrics_of in ranked.values.items():
        for metric, values in metrics_of.items():
            columns[f"{system}_{metric}"] = values[rows].tolist()
    files.write_table(paths.PER_QUERY, columns)


def write_systems(sets: Mapping[str, SetScores]) -> None:
    """The bars of `dvc plots`."""
    rows = [
        (f"{name}: {system}", round(scores.means[system]["ndcg@10"], 4))
        for name, scores in sets.items()
        for system in SYSTEMS
    ]
    _write_csv(paths.SYSTEMS_PLOT, ("system", "ndcg@10"), rows)


def write_curve(curve: DataCurve | None) -> None:
    """The line of `dvc plots`, which leaves out plots without rows."""
    points = [] if curve is None else [(0, curve.base), *((point.passages, point.ndcg) for point in curve.points)]
    _write_csv(paths.CURVE_PLOT, ("passages", "ndcg@10"), [(passages, round(ndcg, 4)) for passages, ndcg in points])


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    files.write_text(path, text.getvalue())
