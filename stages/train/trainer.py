"""The training run: SentenceTransformerTrainer with our batches, our loss and our choice of checkpoint."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from torch.nn import Dropout
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from stages import encoder
from stages.console import Bar
from stages.encoder import Kind
from stages.train.batches import Collator, Vectors
from stages.train.config import TrainConfig
from stages.train.dev import METRIC, DevEvaluator
from stages.train.loss import MultiQueryRankingLoss

_METRIC = f"eval_{METRIC}"  # as the trainer calls it


@dataclass(frozen=True)
class Outcome:
    """What a training run measured, as (step, value)."""

    losses: list[tuple[int, float]]  # the mean of the steps since the one before
    dev: list[tuple[int, float]]  # NDCG@10 of each checkpoint
    best: int  # the step of the best checkpoint


class _Trainer(SentenceTransformerTrainer):
    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """No model card from the trainer: it quotes training texts."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        encoder.save(self.model, Path(output_dir or str(self.args.output_dir)))

    def _load_best_model(self) -> None:
        # The library's logs a failure, and goes on with the last checkpoint as if it were the best.
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))


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


def disable_attention_dropout(model: SentenceTransformer) -> None:
    """Set dropout of attention weights to 0 in place: above 0 torch leaves its fused kernel on CPU (2-3 times slower).

    The modules', not the config's, so that the saved model says what its base said.
    """
    for module in model.modules():
        dropout = getattr(module, "dropout", None)
        if type(module).__name__.endswith("SelfAttention") and isinstance(dropout, Dropout):  # BERT and its kin
            dropout.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):  # newer models
            module.attention_dropout = 0.0  # type: ignore[assignment]


def steps_of(passages: int, config: TrainConfig) -> int:
    """Optimizer steps of a whole run."""
    return max(1, math.ceil(math.ceil(passages / config.batch_size) * config.epochs))


def train(
    model: SentenceTransformer,
    rows: Dataset,
    base: dict[Kind, Vectors] | None,
    evaluator: DevEvaluator,
    config: TrainConfig,
    bf16: bool,
    folder: Path,
    bar: Bar,
) -> Outcome:
    """Train `model` in place and leave it at its best checkpoint by dev NDCG@10; `folder` takes the checkpoints.

    `base`: the base model's vectors of the training texts, where `mask_margin` is set.
    """
    disable_attention_dropout(model)
    if config.gradient_checkpointing:
        # Not by the trainer's argument: it calls a method of SentenceTransformer that is deprecated.
        for module in model.modules():
            if isinstance(module, PreTrainedModel):
                module.activation_checkpointing_enable()
    steps = steps_of(len(rows), config)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        warmup_steps=math.ceil(steps * config.warmup),
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        bf16=bf16,
        use_cpu=model.device.type == "cpu",
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
        loss=MultiQueryRankingLoss(model, config.temperature, config.microbatch_tokens, config.mask_margin),
        data_collator=Collator(model, config.negatives, base),
        evaluator=evaluator,
        callbacks=[_Evaluations(steps, min(config.evaluations, steps), bar)],
    )
    trainer.remove_callback(PrinterCallback)  # it prints what the progress bar shows
    trainer.train()
    log = trainer.state.log_history
    losses = [(int(entry["step"]), round(entry["loss"], 6)) for entry in log if "loss" in entry]
    scores = [(int(entry["step"]), round(entry[_METRIC], 6)) for entry in log if _METRIC in entry]
    return Outcome(losses, scores, trainer.state.best_global_step or steps)
