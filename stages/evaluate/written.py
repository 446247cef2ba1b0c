"""What the stage writes beside the report: every number, the summary, a row for each query, the bars of `dvc plots`."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.metrics import Values
from fieldtune.retrieval.systems import SYSTEMS
from fieldtune.runtime import paths
from stages.evaluate.asked import Asked
from stages.evaluate.data_curve import DataCurve
from stages.evaluate.report import Report
from stages.evaluate.scores import SetScores
from stages.evaluate.verdict import Judgement


def metrics(report: Report, similarity: float) -> dict[str, Any]:
    """metrics.json: every number of the report's scores, and how alike the corpus is before and after tuning."""
    blocks: dict[str, Any] = {name: scores.json() for name, scores in report.sets.items()}
    if report.kinds:
        blocks["synthetic"]["kinds"] = {kind: scores.json() for kind, scores in report.kinds.items()}
    if report.reranked is not None:
        blocks["reranked"] = report.reranked.json()
    if report.probe is not None:
        blocks["forgetting"] = report.probe.json()
    if report.curve is not None:
        blocks["data_curve"] = report.curve.json()
    return {
        **blocks,
        "hybrid_weight": dict(report.weights),
        "vectors": [row.json() for row in report.vectors],
        "similarity_to_base": round(similarity, 6),
        "verdict": report.judgement.verdict,
        "recommend": report.judgement.recommend,
        "reasons": report.judgement.reasons,
    }


def summary(scores: SetScores, judgement: Judgement) -> dict[str, Any]:
    """What `dvc exp show` and `dvc metrics diff` show: on the main query set NDCG@10, and MRR@10 of the two models."""
    gain = scores.lead("tuned", "base")
    ends = {"gain_low": gain.low, "gain_high": gain.high}
    return {
        "verdict": judgement.verdict,
        "recommend": judgement.recommend,
        **{system: round(scores.means[system]["ndcg@10"], 4) for system in SYSTEMS},
        "gain": round(gain.mean, 4),
        **{name: round(end, 4) if gain.told else None for name, end in ends.items()},
        **{f"{system}_mrr": round(scores.means[system]["mrr@10"], 4) for system in ("base", "tuned")},
    }


def write_per_query(
    judged: Judged,
    rows: npt.NDArray[np.int64],
    sets: Mapping[str, npt.NDArray[np.int64]],
    asked: Asked,
    sections: Sequence[str],
    values: Mapping[str, Mapping[str, Values]],
) -> None:
    """per_query.parquet: `rows` of the judged queries, with what each is and each system's metrics of it."""
    in_sets: dict[int, list[str]] = {row: [] for row in rows.tolist()}
    for name, of_set in sets.items():
        for row in of_set.tolist():
            in_sets[row].append(name)
    columns: dict[str, list[Any]] = {
        "query_id": [judged.ids[row] for row in rows],
        "query": [judged.texts[row] for row in rows],
        "sets": list(in_sets.values()),
        "kind": [asked.kinds[row] for row in rows],
        "seen": asked.seen[rows].tolist(),
        "overlap": asked.overlaps[rows].round(6).tolist(),
        "answers": [sorted(sections[section] for section in judged.relevant[row]) for row in rows],
        "group": judged.clusters[rows].tolist(),
    }
    for system, of in values.items():
        for metric, found in of.items():
            columns[f"{system}_{metric}"] = found[rows].tolist()
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
    """The line of `dvc plots`, which leaves out a plot that has no rows."""
    points = [] if curve is None else [(0, curve.base), *((point.passages, point.ndcg) for point in curve.points)]
    _write_csv(paths.CURVE_PLOT, ("passages", "ndcg@10"), [(passages, round(ndcg, 4)) for passages, ndcg in points])


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    files.write_text(path, text.getvalue())
