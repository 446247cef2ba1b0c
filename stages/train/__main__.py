"""Stage `train`: MNRL fine-tuning of the base model → data/model/. Run as `python -m stages.train`."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import shutil
from pathlib import Path
from typing import Any

from fieldtune.corpus import files
from fieldtune.corpus.vectors import QUERIES, shards
from fieldtune.models import checks, encoder, processes, tuned_model
from fieldtune.runtime import paths, state
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.train import pinned
from stages.train.config import TrainConfig
from stages.train.dev import METRIC
from stages.train.real_evidence import RealEvidence
from stages.train.tuning import Inputs, Tuned, read_inputs, tune, with_epochs


def work() -> str:
    config = with_epochs(load("train", TrainConfig))
    processes.launch("train", config.launcher)
    pairs = files.read_table(paths.TRAIN)
    inputs = read_inputs(config)
    pin = checks.pinned_model(config.pin)
    if pin is not None:
        if processes.rank() != 0:
            return ""
        return pinned.use_pinned_model(pin, inputs.evaluator, inputs.before, inputs.corpus)

    # Everything that the run depends on; a change of the base model's weights shows in its vectors.
    depends = (
        paths.CONFIG / "train.yaml",
        paths.TRAIN,
        paths.PASSAGES,
        paths.QRELS,
        *shards(paths.VECTORS, QUERIES),
    )
    checkpoints = state.root() / "checkpoints" / files.digest(*depends)
    tuned = tune(config, inputs, pairs, checkpoints)
    return "" if tuned is None else _keep(tuned, config, inputs, checkpoints)


def _keep(tuned: Tuned, config: TrainConfig, inputs: Inputs, checkpoints: Path) -> str:
    """Write data/model/; returns the stage's summary."""
    model, outcome, score, share = tuned.model, tuned.outcome, tuned.score, tuned.share
    base = inputs.before.score
    if share and config.matryoshka and model.transformers_model is not None:
        sizes = [*config.matryoshka, model.get_embedding_dimension()]
        model.transformers_model.config.matryoshka_dimensions = sorted(sizes)  # vLLM's key: the service reads it, too
    with files.replace_dir(paths.MODEL) as folder:
        encoder.save(model, folder)
        files.write_json(folder / tuned_model.HISTORY, history(tuned, base))
        if tuned.evidence is not None:
            files.write_table(folder / tuned_model.REAL_EVIDENCE, evidence_table(tuned.evidence))
        files.write_text(
            folder / tuned_model.PASSAGES, "".join(f"{line}\n" for line in pinned.passage_hashes(inputs.corpus.texts))
        )
    shutil.rmtree(checkpoints, ignore_errors=True)
    kept = "the base model is kept" if share == 0 else f"step {outcome.best}"
    if 0 < share < 1:
        kept += f", {share:.0%} of the way from the base model"
    if tuned.decision.by == "real" and tuned.evidence is not None:
        kept += f", chosen by {len(tuned.evidence.ids):,} real queries"
    arithmetic = "bf16" if inputs.bf16 else "fp32"
    return f"{outcome.steps} steps in {arithmetic}; dev NDCG@10 {base:.3f} → {score:.3f}: {kept}"


def history(tuned: Tuned, base: float) -> dict[str, Any]:
    """The two curves as DVC plots them: it puts the lists of a file side by side, so no name may be in both."""
    outcome = tuned.outcome
    return {
        "loss": [{"step": step, "loss": loss} for step, loss in outcome.losses],
        "dev": [{"dev_step": step, METRIC: score} for step, score in [(0, base), *outcome.dev]],
        "chosen": {
            "step": outcome.best,
            "share": round(tuned.share, 6),
            "by": tuned.decision.by,
            "doubt": tuned.decision.doubt,
        },
    }


def evidence_table(evidence: RealEvidence) -> dict[str, list[Any]]:
    """The real queries that took part in the choice: each one's half, 1 or 2, and gain on the part of the corpus."""
    halves = [2 if second else 1 for second in evidence.second.tolist()]
    return {"query_id": evidence.ids, "half": halves, "gain": evidence.gains.tolist()}


if __name__ == "__main__":
    run_stage("train", work)
