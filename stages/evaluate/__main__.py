"""Stage `evaluate`: the tuned model against base, BM25 and their hybrid; metrics, verdict and report.

Run as `python -m stages.evaluate`.
"""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sentence_transformers import CrossEncoder, SentenceTransformer

from fieldtune.corpus import files, real_queries
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import read_vectors
from fieldtune.models import base_models, encoder, processes
from fieldtune.models.drift import UNCHANGED, mean_cosine
from fieldtune.models.encoder import Kind
from fieldtune.models.precision import use_bf16
from fieldtune.models.tuned_model import HISTORY
from fieldtune.retrieval import curve_points, fusion, judged_queries, metrics, ranking
from fieldtune.retrieval.curve_points import CurvePoint
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.ranking import Rankings
from fieldtune.retrieval.stored_rankings import read_rankings
from fieldtune.retrieval.systems import COMPARED, SYSTEMS
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.evaluate import asked, report, written
from stages.evaluate.comparison import named_models, same_model
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.data_curve import DataCurve, data_curve
from stages.evaluate.examples import beginnings, most_changed, strata
from stages.evaluate.probe import probe
from stages.evaluate.report import Report
from stages.evaluate.reranker import load as load_reranker
from stages.evaluate.reranker import rerank
from stages.evaluate.scores import SetScores, score
from stages.evaluate.vectors import vector_scores
from stages.evaluate.verdict import judge, said

_EXAMPLES = 8  # wins, and losses, of each choice that the report's reader has
_SETTINGS = ("embed", "dataset", "baseline", "train", "evaluate")  # whose hash the report has


def work() -> str:
    config = load("evaluate", EvaluateConfig)
    processes.launch("evaluate", config.launcher)
    passages = list(files.read_jsonl(paths.PASSAGES))
    corpus = Corpus.from_passages(passages)
    queries = list(files.read_jsonl(paths.QUERIES))
    real = real_queries.read()
    baseline = files.read_json(paths.BASELINE_METRICS)
    judged = judged_queries.read((*judged_queries.TEST_SETS, judged_queries.DEV), corpus)
    dev, test = judged.rows([judged_queries.DEV]), judged.rows(judged_queries.TEST_SETS)
    reranker = None if config.reranker is None else load_reranker(Path(config.reranker))
    others = named_models(config.compare)
    base_models.refuse_others_than_embedded(config.model, paths.VECTORS)
    tuned_model, base_model = encoder.load_folder(paths.MODEL), encoder.load_base(config.model)
    forgetting = probe(base_model, tuned_model, config.forgetting, use_bf16(config.precision), config.batch_size)
    similarity = _encode(
        config,
        tuned_model,
        base_model,
        corpus.texts,
        [row["query"] for row in queries],
        [query.query for query in real],
    )
    if processes.rank() != 0:
        return ""
    if forgetting.forgot:
        note(forgetting.said)

    tuned_passages = read_vectors(paths.TUNED_VECTORS, "passages")
    tuned_queries = judged_queries.vectors(judged.ids, paths.TUNED_VECTORS)
    systems, weight = _rankings(judged, dev, corpus, tuned_queries, tuned_passages)
    known = [(base_model, systems["base"]), (tuned_model, systems["tuned"])]
    systems |= _compared(config, others, known, judged.texts, corpus)
    values = {system: metrics.per_query(found, judged.relevant) for system, found in systems.items()}

    trained = set(files.read_table(paths.TRAIN_IDS)["positive_id"])
    of_queries = asked.describe(judged, corpus, passages, queries, real, trained)
    rows = {name: of for name, of in judged.sets.items() if name in judged_queries.TEST_SETS}
    rows |= of_queries.parts(rows)

    def scored(of: npt.NDArray[np.int64]) -> SetScores:
        return score(values, of, judged.clusters, config)

    sets = {name: scored(of) for name, of in rows.items()}
    kinds = {kind: scored(of) for kind, of in of_queries.of_kinds(judged.rows(["synthetic"])).items()}
    main_set = judged.main_set
    history = files.read_json(paths.MODEL / HISTORY)
    chosen = {"doubt": None, "guarded": 0} | history.get("chosen", {})
    judgement = judge(
        main_set,
        sets[main_set],
        kinds,
        similarity,
        config,
        doubt=chosen["doubt"],
        guarded=chosen["guarded"],
        asked=sets["real"].n if "real" in sets else 0,
    )

    main_rows = rows[main_set]
    main_answers = [judged.relevant[row] for row in main_rows]
    vectors = vector_scores(tuned_queries[main_rows], tuned_passages, corpus, main_answers)
    reranked = None if reranker is None else _reranked(config, reranker, systems, judged, main_rows, corpus)
    gains = values["tuned"]["ndcg@10"] - values["base"]["ndcg@10"]
    wins, losses = most_changed(
        judged,
        of_queries,
        strata(of_queries, test),
        gains=gains,
        base=systems["base"],
        tuned=systems["tuned"],
        sections=corpus.sections,
        texts=beginnings(passages, corpus),
        count=_EXAMPLES,
    )
    curve = None
    if config.data_curve and "pinned" not in history:  # a pinned model was not trained here
        curve = _curve(config, judged, main_rows, values, similarity)
        note(curve.said)
    weights = {"hybrid": baseline["hybrid_weight"], "tuned_hybrid": weight}
    told = Report(
        main_set=main_set,
        judgement=judgement,
        sets=sets,
        kinds=kinds,
        wins=wins,
        losses=losses,
        base_model=config.model.name,
        advice=baseline["advice"],
        weights=weights,
        negligible=config.negligible,
        meaningful=config.meaningful,
        confidence=config.confidence,
        dataset=files.read_json(paths.DATASET_REPORT),
        ingest=files.read_json(paths.PASSAGES_REPORT),
        real=files.read_json(paths.REAL_REPORT),
        history=history,
        cost=files.read_json(paths.COST),
        sizes={
            "the model": files.folder_size(paths.MODEL),
            f"vectors of the {len(passages):,} passages": tuned_passages.nbytes,
        },
        settings=files.digest(*(paths.CONFIG / f"{stage}.yaml" for stage in _SETTINGS)),
        vectors=vectors,
        probe=forgetting,
        reranked=reranked,
        reranker=config.reranker,
        curve=curve,
    )
    files.write_text(paths.REPORT, report.html(told))
    files.write_text(paths.REPORT_MD, report.markdown(told))
    written.write_per_query(judged, test, rows, of_queries, corpus.sections, values)
    written.write_systems(sets)
    written.write_curve(curve)
    files.write_json(paths.METRICS, written.metrics(told, similarity))
    files.write_json(paths.SUMMARY, written.summary(sets[main_set], judgement))
    return _line(told)


def _line(report: Report) -> str:
    """The report in one line."""
    judgement, scores = report.judgement, report.sets[report.main_set]
    found = {system: scores.means[system]["ndcg@10"] for system in SYSTEMS}
    return (
        f"{judgement.verdict}: NDCG@10 {found['base']:.3f} → {found['tuned']:.3f} on {scores.n:,} {report.main_set} "
        f"queries, {said(scores.lead('tuned', 'base'), report.confidence)}; "
        f"BM25 {found['bm25']:.3f}, hybrid {found['hybrid']:.3f}, hybrid(tuned) {found['tuned_hybrid']:.3f}; "
        f"recommended: {judgement.recommend}; {paths.REPORT}"
    )


def _encode(
    config: EvaluateConfig,
    tuned: SentenceTransformer,
    base: SentenceTransformer,
    passages: list[str],
    generated: list[str],
    real: list[str],
) -> float:
    """Write the tuned model's vectors; return the mean cosine between the corpus's new and old ones."""
    if same_model(tuned, base):  # `embed` has encoded all of it with this very model
        if processes.rank() == 0:
            with files.replace_dir(paths.TUNED_VECTORS) as folder:
                shutil.copytree(paths.VECTORS, folder, dirs_exist_ok=True)
        return 1.0
    encoder.write_all(
        tuned,
        paths.TUNED_VECTORS,
        passages=passages,
        queries=generated,
        real=real,
        bf16=use_bf16(config.precision),
        batch_size=config.batch_size,
    )
    old = read_vectors(paths.VECTORS, "passages")
    new = read_vectors(paths.TUNED_VECTORS, "passages")
    return mean_cosine(old, new)


def _rankings(
    judged: Judged,
    dev: npt.NDArray[np.int64],
    corpus: Corpus,
    queries: npt.NDArray[np.float32],
    passages: npt.NDArray[np.float32],
) -> tuple[dict[str, Rankings], float]:
    """Rankings of the judged queries by each of SYSTEMS, and the tuned model's share of its hybrid.

    The `dev` rows choose it; `queries` and `passages` are the tuned model's vectors.
    """
    systems = read_rankings(paths.BASELINE_RANKINGS, judged.ids, corpus)
    tuned, bm25 = ranking.dense(queries, passages, corpus), systems["bm25"]
    answers = [judged.relevant[row] for row in dev]
    weight = fusion.choose_weight(tuned[dev], bm25[dev], answers, judged.clusters[dev], corpus)
    systems |= {"tuned": tuned, "tuned_hybrid": ranking.fuse(tuned, bm25, corpus, weight)}
    return {system: systems[system] for system in SYSTEMS}, weight


def _reranked(
    config: EvaluateConfig,
    model: CrossEncoder,
    systems: Mapping[str, Rankings],
    judged: Judged,
    rows: npt.NDArray[np.int64],
    corpus: Corpus,
) -> SetScores:
    """The systems' scores behind a reranker, on some of these rows of the judged queries."""
    count = min(config.reranker_queries, len(rows))
    some = np.sort(np.random.default_rng(config.seed).choice(rows, count, replace=False))
    ranked = rerank(
        model,
        [judged.texts[row] for row in some],
        judged_queries.vectors([judged.ids[row] for row in some], paths.VECTORS),
        read_vectors(paths.VECTORS, "passages"),
        {system: found[some] for system, found in systems.items()},
        corpus,
        bf16=use_bf16(config.precision),
        batch_size=config.batch_size,
    )
    answers = [judged.relevant[row] for row in some]
    values = {system: metrics.per_query(found, answers) for system, found in ranked.items()}
    return score(values, np.arange(count), judged.clusters[some], config)


def _curve(
    config: EvaluateConfig,
    judged: Judged,
    rows: npt.NDArray[np.int64],
    values: Mapping[str, Mapping[str, metrics.Values]],
    similarity: float,
) -> DataCurve:
    """What the stage `curve` measured on these rows of the judged queries, with the tuned model."""
    points = curve_points.read(paths.CURVE, [judged.ids[row] for row in rows])
    unchanged = similarity > UNCHANGED
    pairs = files.read_table(paths.TRAIN_IDS)["positive_id"]
    tuned, base = (values[system]["ndcg@10"][rows] for system in ("tuned", "base"))
    points.append(CurvePoint(1.0, len(set(pairs)), len(pairs), unchanged, tuned))
    return data_curve(points, base, judged.clusters[rows], unchanged, config)


def _compared(
    config: EvaluateConfig,
    others: Mapping[str, SentenceTransformer],
    known: Sequence[tuple[SentenceTransformer, Rankings]],
    queries: Sequence[str],
    corpus: Corpus,
) -> dict[str, Rankings]:
    """Rankings by the other models; one whose like is `known`, with its rankings, does not encode again."""
    seen = list(known)
    found: dict[str, Rankings] = {}
    for name, model in others.items():
        ranked = next((of for one, of in seen if same_model(one, model)), None)
        if ranked is None:
            kinds: tuple[tuple[Kind, Sequence[str]], ...] = (("query", queries), ("document", corpus.texts))
            asked, passages = (
                encoder.encode(
                    model,
                    texts,
                    kind,
                    bf16=use_bf16(config.precision),
                    batch_size=config.batch_size,
                    label=f"encoding with {name}",
                )
                for kind, texts in kinds
            )
            ranked = ranking.dense(asked, passages, corpus)
            seen.append((model, ranked))
        found[COMPARED + name] = ranked
    return found


if __name__ == "__main__":
    run_stage("evaluate", work)
