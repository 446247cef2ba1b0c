"""Stage `evaluate`: the tuned model against base, BM25 and their hybrid; metrics, verdict and report.

Run as `python -m stages.evaluate`.
"""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import shutil
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.corpus.vectors import PASSAGES, StoredVectors, iterate
from fieldtune.models import processes
from fieldtune.models.corpus_vectors import write_all
from fieldtune.models.drift import mean_cosine
from fieldtune.retrieval import judged_queries
from fieldtune.retrieval.formatting import difference
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.systems import SYSTEMS
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.evaluate import measure, output_files, query_facts, report
from stages.evaluate.comparison import same_model
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.evaluation import Evaluation
from stages.evaluate.inputs import Inputs, Models, load_models, read_inputs
from stages.evaluate.probe import probe
from stages.evaluate.query_facts import QueryFacts
from stages.evaluate.rankings import rank


def work() -> str:
    config = load("evaluate", EvaluateConfig)
    processes.launch("evaluate", config.launcher)
    inputs, models = read_inputs(), load_models(config)
    forgetting = probe(models.base, models.tuned, config.forgetting)
    similarity = encode(inputs, models)
    if processes.rank() != 0:
        return ""
    if forgetting.forgot:
        note(forgetting.message)

    ranked = rank(inputs, config)
    facts = query_facts.describe(
        inputs.judged, inputs.corpus, inputs.passages, inputs.generated, inputs.real, set(inputs.trained)
    )
    set_rows = test_sets(inputs.judged, facts)
    evaluation = measure.evaluate(
        inputs, facts, set_rows, ranked, similarity=similarity, probe=forgetting, config=config
    )
    if models.reranker is not None:
        evaluation = replace(evaluation, reranked=measure.reranked(inputs, ranked, models.reranker, config))
    if config.data_curve and "pinned" not in inputs.history:  # a pinned model was not trained here
        curve = measure.curve(inputs, ranked, similarity, config)
        note(curve.message)
        evaluation = replace(evaluation, curve=curve)

    files.write_text(paths.REPORT, report.html(evaluation))
    files.write_text(paths.REPORT_MD, report.markdown(evaluation))
    output_files.write_per_query(inputs, facts, set_rows, ranked)
    output_files.write(evaluation)
    return _line(evaluation)


def encode(inputs: Inputs, models: Models) -> float:
    """Write the tuned model's vectors; return the mean cosine between the corpus's new and old ones."""
    if same_model(models.tuned.model, models.base.model):  # `embed` has encoded all of it with this very model
        if processes.rank() == 0:
            with files.replace_dir(paths.TUNED_VECTORS) as folder:
                shutil.copytree(paths.VECTORS, folder, dirs_exist_ok=True)
        return 1.0
    # Of the generated queries those that are scored.
    new_passages, new_queries = write_all(models.tuned, paths.TUNED_VECTORS, inputs.passages, inputs.judged.texts)
    texts = inputs.corpus.texts
    note(
        f"{new_passages:,} of {len(texts):,} passages and {new_queries:,} of {len(inputs.judged.texts):,} queries "
        "encoded with the tuned model"
    )
    old = StoredVectors(paths.VECTORS, PASSAGES, texts)
    parts = iterate(paths.TUNED_VECTORS, PASSAGES, texts)
    return sum(mean_cosine(old[rows], new) * len(rows) for rows, new in parts) / len(texts)


def test_sets(judged: Judged, facts: QueryFacts) -> dict[str, npt.NDArray[np.int64]]:
    """The rows of each set of test queries, and of the real queries by whether their answers were trained on."""
    rows = {name: rows for name, rows in judged.sets.items() if name in judged_queries.TEST_SETS}
    return rows | facts.parts(rows)


def _line(evaluation: Evaluation) -> str:
    """The evaluation in one line."""
    judgement, scores = evaluation.judgement, evaluation.main
    ndcg = {system: scores.means[system]["ndcg@10"] for system in SYSTEMS}
    return (
        f"{judgement.verdict}: NDCG@10 {ndcg['base']:.3f} → {ndcg['tuned']:.3f} on {scores.n:,} {evaluation.main_set} "
        f"queries, {difference(scores.lead('tuned', 'base'), evaluation.confidence)}; "
        f"BM25 {ndcg['bm25']:.3f}, hybrid {ndcg['hybrid']:.3f}, hybrid(tuned) {ndcg['tuned_hybrid']:.3f}; "
        f"recommended: {judgement.recommend}; {paths.REPORT}"
    )


if __name__ == "__main__":
    run_stage("evaluate", work)
