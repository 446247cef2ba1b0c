"""Stage `evaluate`: the tuned model against base, BM25 and their hybrid; metrics, verdict and report.

Run as `python -m stages.evaluate`.
"""

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stages import encoder, files, metrics, paths, processes, query_sets, ranking, real_queries
from stages.evaluate import report
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.examples import most_changed
from stages.evaluate.scores import SYSTEMS, SetScores, rows_of_kinds, score
from stages.evaluate.verdict import Judgement, judge, said
from stages.metrics import Values
from stages.precision import use_bf16
from stages.query_sets import Judged
from stages.running import run
from stages.settings import load
from stages.stored_rankings import read_rankings

_EXAMPLES = 10  # wins, and losses, in the report


def work() -> str:
    config = load("evaluate", EvaluateConfig)
    processes.together("evaluate", config.launcher)
    corpus = ranking.corpus(list(files.read_jsonl(paths.PASSAGES)))
    queries = list(files.read_jsonl(paths.QUERIES))
    judged = query_sets.read(query_sets.TEST_SETS, corpus)
    similarity = _encode(config, corpus.texts, [row["query"] for row in queries])
    if processes.rank() != 0:
        return ""

    systems = read_rankings(paths.BASELINE_RANKINGS, judged.ids, corpus)
    systems["tuned"] = ranking.dense(
        query_sets.vectors(judged.ids, paths.TUNED_VECTORS),
        files.read_vectors(paths.TUNED_VECTORS / "passages.safetensors"),
        corpus,
    )
    systems["tuned_hybrid"] = ranking.fuse(systems["tuned"], systems["bm25"], corpus)
    values = {system: metrics.per_query(systems[system], judged.relevant) for system in SYSTEMS}

    def scored(rows: npt.NDArray[np.int64]) -> SetScores:
        return score(values, rows, judged.groups, config.draws, config.confidence, config.seed)

    sets = {name: scored(rows) for name, rows in judged.sets.items()}
    synthetic = judged.sets.get("synthetic", np.array([], dtype=np.int64))
    kind_of = [queries[query_sets.row_of(judged.ids[row])]["kind"] for row in synthetic.tolist()]
    kinds = {kind: scored(synthetic[rows]) for kind, rows in rows_of_kinds(kind_of).items()}
    main_set = next(iter(sets))
    judgement = judge(main_set, sets[main_set], kinds, similarity, config)

    gains = values["tuned"]["ndcg@10"] - values["base"]["ndcg@10"]
    wins, losses = most_changed(
        judged, judged.sets[main_set], gains, systems["base"], systems["tuned"], corpus.sections, _EXAMPLES
    )
    page = report.html(
        judgement,
        sets,
        kinds,
        wins,
        losses,
        files.read_json(paths.DATASET_REPORT),
        files.read_json(paths.BASELINE_METRICS)["advice"],
        config.model.name,
        ingest=files.read_json(paths.PASSAGES_REPORT),
        real=files.read_json(paths.REAL_REPORT),
    )
    files.write_text(paths.REPORT, page)
    _write_per_query(judged, values)
    _write_systems(sets)
    files.write_json(paths.METRICS, _metrics(sets, kinds, judgement, similarity))
    files.write_json(paths.SUMMARY, _summary(sets[main_set], judgement))
    gain = sets[main_set].lead("tuned", "base")
    found = {system: sets[main_set].means[system]["ndcg@10"] for system in SYSTEMS}
    return (
        f"{judgement.verdict}: NDCG@10 {found['base']:.3f} → {found['tuned']:.3f} on {sets[main_set].n:,} {main_set} "
        f"queries, {said(gain, config.confidence)}; "
        f"BM25 {found['bm25']:.3f}, hybrid {found['hybrid']:.3f}, hybrid(tuned) {found['tuned_hybrid']:.3f}; "
        f"recommended: {judgement.recommend}; {paths.REPORT}"
    )


def _encode(config: EvaluateConfig, passages: list[str], generated: list[str]) -> float:
    """Write the tuned model's vectors; return the mean cosine between the corpus's new and old ones."""
    model = encoder.load_folder(paths.MODEL)
    real = [query.query for query in real_queries.read()]
    encoder.write_all(
        model,
        paths.TUNED_VECTORS,
        passages=passages,
        queries=generated,
        real=real,
        bf16=use_bf16(config.precision),
        batch_size=config.batch_size,
    )
    old = files.read_vectors(paths.VECTORS / "passages.safetensors")
    new = files.read_vectors(paths.TUNED_VECTORS / "passages.safetensors")
    return float(np.mean(np.einsum("ij,ij->i", old, new, dtype=np.float64)))


def _metrics(
    sets: Mapping[str, SetScores], kinds: Mapping[str, SetScores], judgement: Judgement, similarity: float
) -> dict[str, Any]:
    blocks: dict[str, Any] = {name: scores.json() for name, scores in sets.items()}
    if kinds:
        blocks["synthetic"]["kinds"] = {kind: scores.json() for kind, scores in kinds.items()}
    return {
        **blocks,
        "similarity_to_base": round(similarity, 6),
        "verdict": judgement.verdict,
        "recommend": judgement.recommend,
        "reasons": judgement.reasons,
    }


def _summary(scores: SetScores, judgement: Judgement) -> dict[str, Any]:
    """What `dvc exp show` and `dvc metrics diff` show: NDCG@10 on the main query set."""
    gain = scores.lead("tuned", "base")
    return {
        "verdict": judgement.verdict,
        "recommend": judgement.recommend,
        **{system: round(scores.means[system]["ndcg@10"], 4) for system in SYSTEMS},
        "gain": round(gain.mean, 4),
        "gain_low": round(gain.low, 4),
        "gain_high": round(gain.high, 4),
    }


def _write_per_query(judged: Judged, values: Mapping[str, dict[str, Values]]) -> None:
    sets: list[list[str]] = [[] for _ in judged.ids]
    for name, rows in judged.sets.items():
        for row in rows.tolist():
            sets[row].append(name)
    columns: dict[str, list[Any]] = {
        "query_id": judged.ids,
        "query": judged.texts,
        "sets": sets,
        "group": judged.groups.tolist(),
    }
    for system, of in values.items():
        for metric, found in of.items():
            columns[f"{system}_{metric}"] = found.tolist()
    files.write_table(paths.PER_QUERY, columns)


def _write_systems(sets: Mapping[str, SetScores]) -> None:
    """The bars of `dvc plots`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["system", "ndcg@10"])
    for name, scores in sets.items():
        table.writerows([f"{name}: {system}", round(scores.means[system]["ndcg@10"], 4)] for system in SYSTEMS)
    files.write_text(paths.SYSTEMS_PLOT, text.getvalue())


if __name__ == "__main__":
    run("evaluate", work)
