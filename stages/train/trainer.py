"""The training run: SentenceTransformerTrainer with our batches, our loss and our choice of checkpoint."""

import math
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from torch.nn import Dropout
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stages.console import Bar
from stages.train.batches import Collator
from stages.train.config import TrainConfig
from stages.train.dev import METRIC, DevEvaluator
from stages.train.loss import MultiQueryRankingLoss

_METRIC = f"eval_{METRIC}"  # as the trainer calls it
History = list[dict[str, float]]


class _Trainer(SentenceTransformerTrainer):
    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """No model card from the trainer: it quotes training texts."""


class _Evaluations(TrainerCallback):
    """Measures and saves at even distances, the last time at the end, and moves the progress bar."""

    def __init__(self, steps: int, evaluations: int, bar: Bar) -> None:
        self._at = {math.ceil(steps * number / evaluations) for number in range(1, evaluations + 1)}
        self._bar = bar
        self._notes = {"loss": "", "dev": ""}

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._bar.advance()
        if state.global_step in self._at:
            control.should_evaluate = control.should_save = True

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        last = state.log_history[-1]
        if "loss" in last:
            self._notes["loss"] = f"loss {last['loss']:.3f}"
        if _METRIC in last:
            self._notes["dev"] = f"dev NDCG@10 {last[_METRIC]:.3f}"
        self._bar.note("  ".join(note for note in self._notes.values() if note))


def drop_no_attention(model: SentenceTransformer) -> None:
    """Set dropout of attention weights to 0 in place: above 0 torch leaves its fused kernel on CPU (2-3 times slower).

    The module's, not the config's, so that the saved model says what its base said.
    """
    for module in model.modules():
        dropout = getattr(module, "dropout", None)
        if hasattr(module, "query") and isinstance(dropout, Dropout):
            dropout.p = 0.0


def steps_of(passages: int, config: TrainConfig) -> int:
    """Optimizer steps of a whole run."""
    return max(1, math.ceil(math.ceil(passages / config.batch_size) * config.epochs))


def train(
    model: SentenceTransformer,
    rows: Dataset,
    evaluator: DevEvaluator,
    config: TrainConfig,
    bf16: bool,
    folder: Path,
    bar: Bar,
) -> tuple[History, int, float]:
    """Train `model` in place and leave it at its best checkpoint by dev NDCG@10.

    Returns the history (`step` with `loss` or `dev_ndcg@10`), the best checkpoint's step and its dev NDCG@10.
    `folder` takes the checkpoints.
    """
    steps = steps_of(len(rows), config)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        bf16=bf16,
        use_cpu=model.device.type == "cpu",
        gradient_checkpointing=config.gradient_checkpointing,
        seed=config.seed,
        eval_strategy="steps",
        eval_steps=steps + 1,  # _Evaluations says when
        save_strategy="steps",
        save_steps=steps + 1,
        save_total_limit=1,
        save_only_model=True,
        load_best_model_at_end=True,
        metric_for_best_model=_METRIC,
        logging_steps=max(1, steps // 50),
        dataloader_pin_memory=model.device.type != "cpu",
        disable_tqdm=True,
        report_to="none",
    )
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        loss=MultiQueryRankingLoss(model, config.temperature, config.microbatch_tokens),
        data_collator=Collator(model, config.negatives),
        evaluator=evaluator,
        callbacks=[_Evaluations(steps, min(config.evaluations, steps), bar)],
    )
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ == "PrinterCallback":
            trainer.remove_callback(callback)
    trainer.train()
    history = [
        {"step": entry["step"], name: round(entry[key], 6)}
        for entry in trainer.state.log_history
        for key, name in (("loss", "loss"), (_METRIC, METRIC))
        if key in entry
    ]
    checkpoint = trainer.state.best_model_checkpoint or ""
    return history, int(checkpoint.rpartition("-")[2] or steps), float(trainer.state.best_metric or 0.0)
