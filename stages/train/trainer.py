"""The training run: SentenceTransformerTrainer with our batches, our loss and our choice of checkpoint."""

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from safetensors.torch import load_model, save_model
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from torch.nn import Dropout
from torch.utils.data import RandomSampler
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from fieldtune.corpus import files
from fieldtune.models import flat_attention, processes
from fieldtune.runtime.console import Bar
from fieldtune.runtime.errors import UserError
from stages.train import adapters, memory
from stages.train.batches import Collator, Shares
from stages.train.config import TrainConfig, refuse_too_large
from stages.train.dev import METRIC, DevEvaluator
from stages.train.loss import MultiQueryRankingLoss
from stages.train.memory import Plan

_METRIC = f"eval_{METRIC}"  # as the trainer calls it
_WEIGHTS = "weights.safetensors"
_PLAN = "plan.json"
_MICROBATCH_TOKENS = {"cpu": 512, "cuda": 32768}  # a CPU's activations stay in its caches: 2,048 take a third longer
# Operations of a run: compiling takes 11 s and saves a seventh, which breaks even on an H100 at 1.6e16.
_WORTH_COMPILING = 2e16
SAVED_EVERY = 60.0  # seconds


@dataclass(frozen=True)
class Round:
    """Inputs and settings of a round of training."""

    rows: Dataset  # passages with their queries, as `batches.by_passage` makes them
    evaluator: DevEvaluator
    config: TrainConfig
    bf16: bool


@dataclass(frozen=True)
class Outcome:
    """Measurements of a training run, as (step, value)."""

    losses: list[tuple[int, float]]  # each the mean of the steps since the last
    dev: list[tuple[int, float]]  # NDCG@10 of each checkpoint
    best: int  # the step of the best checkpoint
    steps: int  # done: fewer than planned if patience ended the run


def join(rounds: list[Outcome]) -> tuple[Outcome, int]:
    """The outcomes of rounds joined end to end, and which round has the best checkpoint."""
    whole, best = Outcome([], [], 0, 0), 0
    for number, part in enumerate(rounds):
        before = whole.steps
        if number == 0 or dict(part.dev)[part.best] > dict(whole.dev)[whole.best]:
            whole, best = replace(whole, best=before + part.best), number
        whole = Outcome(
            whole.losses + [(before + step, loss) for step, loss in part.losses],
            whole.dev + [(before + step, score) for step, score in part.dev],
            whole.best,
            before + part.steps,
        )
    return whole, best


class _Trainer(SentenceTransformerTrainer):
    batch_size: int  # passages per step, of all processes together

    def get_batch_sampler(
        self,
        dataset: Dataset,
        batch_size: int,
        drop_last: bool,
        valid_label_columns: list[str] | None = None,
        generator: torch.Generator | None = None,
        seed: int = 0,
    ) -> Any:
        if processes.count() == 1:
            return super().get_batch_sampler(dataset, batch_size, drop_last, valid_label_columns, generator, seed)
        return Shares(RandomSampler(dataset, generator=generator), self.batch_size, processes.count())

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """No model card from the trainer: it quotes training texts."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_model(self.model, str(folder / _WEIGHTS))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_model(self.model, str(Path(resume_from_checkpoint, _WEIGHTS)))

    def _load_best_model(self) -> None:
        # The library's own logs a failure, and continues with the last checkpoint as if it were the best.
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))


class _Watch(TrainerCallback):
    """A callback that measures at even distances, at last at the end; saves then and every minute; moves the bar."""

    def __init__(self, steps: int, evaluations: int, saved_every: float, bar: Bar, pairs: float) -> None:
        self._at = {math.ceil(steps * number / evaluations) for number in range(1, evaluations + 1)}
        self._saved_every = saved_every
        self._bar = bar
        self._pairs = pairs  # per step
        self._notes = {"loss": "", "dev": "", "speed": ""}
        self._saved = self._started = time.monotonic()
        self._first = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._first = state.global_step
        self._bar.advance(state.global_step)
        self._saved = self._started = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._bar.advance()
        if state.global_step in self._at:
            control.should_evaluate = control.should_save = control.should_log = True
        elif state.global_step % args.logging_steps == 0:  # otherwise a loss would be reported in two parts
            due = [time.monotonic() - self._saved >= self._saved_every]
            control.should_save = bool(broadcast_object_list(due)[0])

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._saved = time.monotonic()

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        last = state.log_history[-1]
        if "loss" in last:
            self._notes["loss"] = f"loss {last['loss']:.3f}"
            speed = (state.global_step - self._first) * self._pairs / (time.monotonic() - self._started)
            self._notes["speed"] = f"{speed:,.0f} pairs/s"
        if _METRIC in last:
            self._notes["dev"] = f"dev NDCG@10 {last[_METRIC]:.3f}"
        self._bar.note("  ".join(note for note in self._notes.values() if note))


def disable_attention_dropout(model: SentenceTransformer) -> None:
    """Set dropout of attention weights to 0 in place: above 0, torch cannot use its fused kernel on CPU (2-3x slower).

    The modules' dropout, not the config's, so that the saved model says the same as its base.
    """
    for module in model.modules():
        dropout = getattr(module, "dropout", None)
        if type(module).__name__.endswith("SelfAttention") and isinstance(dropout, Dropout):  # BERT and its relatives
            dropout.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):  # newer models
            module.attention_dropout = 0.0  # type: ignore[assignment]


def steps_of(passages: int, config: TrainConfig) -> int:
    """Optimizer steps of a round."""
    return max(1, math.ceil(math.ceil(passages / config.batch_size) * epochs_of(config)))


def epochs_of(config: TrainConfig) -> float:
    """The passes over the training passages, chosen by `tuning.with_epochs` if the settings did not."""
    assert config.epochs is not None
    return config.epochs


def train(
    model: SentenceTransformer,
    data: Round,
    folder: Path,
    bar: Bar,
    say: Callable[[str], None] = lambda line: None,
    saved_every: float = SAVED_EVERY,
) -> Outcome:
    """Train `model` in place and leave it at its best checkpoint by dev NDCG@10.

    `folder` takes the checkpoints; a killed run continues from its last one, and ends as if it had not been killed.
    `say` takes one line if memory is short.

    Raises UserError if no way to train fits into memory, or a setting does not fit the model or the processes.
    """
    config = data.config
    _prepare(model, config, data.bf16)
    tokens = config.microbatch_tokens or _MICROBATCH_TOKENS.get(model.device.type, _MICROBATCH_TOKENS["cpu"])
    loss = MultiQueryRankingLoss(
        model, config.temperature, tokens, symmetric=config.symmetric, dimensions=config.matryoshka
    )
    collator = Collator(model, data.rows, config.negatives)
    checkpoint = last_checkpoint(folder)
    if checkpoint is not None and (folder / _PLAN).is_file():  # as it began, whatever else uses the memory now
        plan = Plan(**files.read_json(folder / _PLAN))
    else:
        size = min(config.batch_size, len(data.rows))
        first = Plan(size, tokens, config.gradient_cache, config.gradient_checkpointing)
        plan = _choose_plan(loss, collator, data, first, say)
    memory.apply(model, loss, plan)
    if processes.rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / _PLAN, asdict(plan))
    data = replace(data, config=replace(config, batch_size=plan.batch_size))
    steps = steps_of(len(data.rows), data.config)
    bar.expect(steps)
    if _worth_compiling(model, collator, data) if config.compile is None else config.compile:
        for layer in adapters.layers(model.transformers_model):
            layer.compile(dynamic=True)
    pairs = sum(map(len, data.rows["anchor"])) / len(data.rows) * plan.batch_size
    watch = _Watch(steps, min(config.evaluations, steps), saved_every, bar, pairs)
    trainer = _trainer(loss, collator, data, folder, watch)
    _run(trainer, checkpoint)
    if config.lora:
        adapters.merge(model)
    return _outcome(trainer.state, steps)


def _prepare(model: SentenceTransformer, config: TrainConfig, bf16: bool) -> None:
    """Seed the random numbers, and prepare the model in place for training."""
    set_seed(config.seed)  # for the adapters, whatever ran before
    refuse_too_large(config.matryoshka, model.get_embedding_dimension() or 0)
    disable_attention_dropout(model)
    pooler = getattr(model.transformers_model, "pooler", None)
    if isinstance(pooler, torch.nn.Module):
        pooler.requires_grad_(False)  # nothing reads it; processes would wait for its gradient
    if bf16:
        flat_attention.enable(model)
    if config.lora:
        adapters.add(model, config.lora)


def _trainer(loss: MultiQueryRankingLoss, collator: Collator, data: Round, folder: Path, watch: _Watch) -> _Trainer:
    config = data.config
    callbacks: list[TrainerCallback] = [watch]
    if config.patience is not None:
        callbacks.append(EarlyStoppingCallback(config.patience))
    trainer = _Trainer(
        model=loss.model,
        args=_arguments(loss.model, folder, config, data.bf16, steps_of(len(data.rows), config)),
        train_dataset=data.rows,
        loss=loss,
        data_collator=collator,
        evaluator=data.evaluator,
        callbacks=callbacks,
    )
    trainer.batch_size = config.batch_size
    trainer.remove_callback(PrinterCallback)  # it prints what the progress bar shows
    return trainer


def _run(trainer: _Trainer, checkpoint: str | None) -> None:
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except torch.OutOfMemoryError as error:
        raise UserError(
            "the GPU ran out of memory in the middle of training: stop other programs on the GPU, and `dvc repro` "
            "continues from the last checkpoint; or set `train.gradient_cache: true` in params.yaml to start over"
        ) from error


def _outcome(state: TrainerState, steps: int) -> Outcome:
    """The curves of a run of `steps` steps, and its best checkpoint."""
    log = state.log_history
    losses = [(int(entry["step"]), round(entry["loss"], 6)) for entry in log if "loss" in entry]
    scores = [(int(entry["step"]), round(entry[_METRIC], 6)) for entry in log if _METRIC in entry]
    return Outcome(losses, scores, state.best_global_step or steps, state.global_step)


def _worth_compiling(model: SentenceTransformer, collator: Collator, data: Round) -> bool:
    """Decide by the operations of the run, 6 per weight and token, not by the clock: equal runs are trained alike."""
    layers = adapters.layers(model.transformers_model)
    weights = sum(parameter.numel() for layer in layers for parameter in layer.parameters())
    operations = 6 * weights * sum(map(collator.size, data.rows)) * epochs_of(data.config) / processes.count()
    return data.bf16 and model.device.type == "cuda" and operations > _WORTH_COMPILING


def last_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint; an incomplete one, left by a killed run, is deleted."""
    newest = None
    if processes.rank() != 0:
        processes.wait()  # until the first has cleaned
    for path in sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2])):
        try:
            files.read_json(path / "trainer_state.json")  # the last file written
            # Deletion may begin with any file.
            whole = all((path / name).is_file() for name in (_WEIGHTS, "optimizer.pt", "scheduler.pt"))
        except (OSError, ValueError):
            whole = False
        if whole:
            newest = str(path)
        else:
            shutil.rmtree(path)
    if processes.rank() == 0:
        processes.wait()
    return newest


def _choose_plan(
    loss: MultiQueryRankingLoss, collator: Collator, data: Round, first: Plan, say: Callable[[str], None]
) -> Plan:
    """The first plan from `first` on whose longest batch fits into the memory of every process."""
    model = loss.model
    longest = sorted(data.rows, key=lambda row: -collator.size(row))
    model.train()
    number = processes.count()
    fits_here = memory.fits(model, loss, lambda size: collator(longest[: math.ceil(size / number)]), data.bf16)

    def fits_everywhere(plan: Plan) -> bool:
        with processes.as_single_process():  # one that runs out of memory leaves no other waiting
            fits = fits_here(plan)
        return processes.total(int(fits), model.device) == number

    return memory.choose(first, fits_everywhere, say)


def _arguments(
    model: SentenceTransformer, folder: Path, config: TrainConfig, bf16: bool, steps: int
) -> SentenceTransformerTrainingArguments:
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=math.ceil(config.batch_size / processes.count()),
        learning_rate=config.learning_rate,
        warmup_steps=round(steps * config.warmup),  # none for a single step
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        bf16=bf16,
        use_cpu=model.device.type == "cpu",
        seed=config.seed,
        eval_strategy="steps",
        eval_steps=steps + 1,  # _Watch decides when
        save_strategy="steps",
        save_steps=steps + 1,
        save_total_limit=1,  # besides the best
        load_best_model_at_end=True,
        restore_callback_states_from_checkpoint=True,  # how long patience has lasted
        metric_for_best_model=_METRIC,
        logging_steps=max(1, steps // 50),
        logging_nan_inf_filter=False,  # it waits for the GPU at every step
        dataloader_pin_memory=model.device.type != "cpu",
        accelerator_config={
            "non_blocking": model.device.type != "cpu",  # otherwise each batch waits for the one before
            "even_batches": False,  # `Shares` gives each process its part of every batch
        },
        dataloader_drop_last=processes.count() > 1,  # the library requires it; `Shares` leaves out nothing
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,  # it would run at every forward pass, and processes may have unequal microbatches
        disable_tqdm=True,
        report_to="none",
    )
    # One GPU per process: with several the trainer would split batches over them in its own way (DataParallel).
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments
