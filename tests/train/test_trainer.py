"""Training runs of tiny models, in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator
from torch.nn import Dropout

from fieldtune.corpus import files
from fieldtune.runtime.console import Bar, progress
from stages.train import memory, trainer
from stages.train.batches import Collator, by_passage
from stages.train.config import TrainConfig
from stages.train.dev import METRIC
from stages.train.trainer import Outcome, Round, disable_attention_dropout, train
from tests.tiny_model import WORDS, tiny_model
from tests.train.workspace import PROMPTS, train_config

PASSAGES = [f"{WORDS[i]} {WORDS[i + 1]} {WORDS[(7 * i) % 60]}" for i in range(20)]
ROWS = by_passage(
    [WORDS[i] for i in range(20)] + [WORDS[i + 1] for i in range(10)],
    PASSAGES + PASSAGES[:10],
    [[]] * 30,
    {passage: number for number, passage in enumerate(PASSAGES)},
)
Weights = dict[str, torch.Tensor]


@pytest.fixture
def bar() -> Iterator[Bar]:
    with progress("training", 1) as shown:
        yield shown


@pytest.fixture
def model(tmp_path: Path) -> SentenceTransformer:
    made = tiny_model(tmp_path / "model")
    made.prompts = dict(PROMPTS)
    return made


def weights(model: SentenceTransformer) -> Weights:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


class Scripted(BaseEvaluator):
    """Gives the scores it was told to, and keeps the weights that it gave them to."""

    def __init__(self, scores: list[float], at: Callable[[int], object] = lambda number: None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.primary_metric = METRIC
        self.scores, self.at = scores, at
        self.seen: list[Weights] = []

    def __call__(self, model: SentenceTransformer, *_: Any, **__: Any) -> dict[str, float]:  # type: ignore[override]
        self.at(len(self.seen))
        self.seen.append(weights(model))
        return {METRIC: self.scores[len(self.seen) - 1]}


def run(
    model: SentenceTransformer,
    scripted: Scripted,
    folder: Path,
    bar: Bar,
    rows: Dataset = ROWS,
    saved_every: float = 60.0,
    say: Callable[[str], None] = lambda line: None,
    **changes: Any,
) -> Outcome:
    values = {"epochs": 3, "batch_size": 8, "evaluations": len(scripted.scores), **changes}
    config: TrainConfig = train_config(**values)
    data = Round(rows, scripted, config, False)  # type: ignore[arg-type]
    return train(model, data, folder, bar, say, saved_every)


@pytest.mark.parametrize("architecture", ["bert", "xlmr"])
def test_attention_has_no_dropout_and_the_rest_keeps_it(architecture: str, tmp_path: Path) -> None:
    made = tiny_model(tmp_path / "transformer", architecture=architecture)
    made.save(str(tmp_path / "base"), create_model_card=False)
    disable_attention_dropout(made)
    dropout = {
        name.partition("auto_model.")[2] or name: module.p
        for name, module in made.named_modules()
        if isinstance(module, Dropout)
    }
    none = {name for name, p in dropout.items() if p == 0}
    assert {name.rpartition("attention.")[2] for name in none} == {"self.dropout"}
    assert len(none) == 2  # layers
    assert {p for name, p in dropout.items() if name not in none} == {0.1}
    assert len(dropout) == 7  # of the embeddings, and of each layer's attention, its output and the layer's output
    made.save(str(tmp_path / "tuned"), create_model_card=False)
    base, tuned = (files.read_json(tmp_path / name / "config.json") for name in ("base", "tuned"))
    assert tuned["attention_probs_dropout_prob"] == base["attention_probs_dropout_prob"] == 0.1
    assert tuned == base


@pytest.mark.parametrize(("scores", "best"), [([0.5, 0.9, 0.3], 1), ([0.3, 0.5, 0.9], 2), ([0.9, 0.9, 0.9], 0)])
def test_the_model_is_left_at_its_best_checkpoint(
    scores: list[float], best: int, model: SentenceTransformer, tmp_path: Path, bar: Bar
) -> None:
    scripted = Scripted(scores)
    outcome = run(model, scripted, tmp_path / "checkpoints", bar)
    # 20 passages are 3 batches of 8, three times.
    assert outcome.dev == list(zip([3, 6, 9], scores, strict=True))
    assert outcome.best == [3, 6, 9][best]
    assert [step for step, _ in outcome.losses] == list(range(1, 10))
    left = weights(model)
    same = [all(torch.equal(left[name], seen[name]) for name in left) for seen in scripted.seen]
    assert same == [number == best for number in range(3)]


def test_a_best_checkpoint_that_is_gone_is_an_error(model: SentenceTransformer, tmp_path: Path, bar: Bar) -> None:
    def lose_the_best(number: int) -> None:
        for path in (tmp_path / "checkpoints").glob("checkpoint-*/weights.safetensors"):
            path.write_bytes(b"")

    with pytest.raises(Exception, match=r"(?i)header|safetensors"):
        run(model, Scripted([0.9, 0.1], at=lose_the_best), tmp_path / "checkpoints", bar)


def test_every_passage_is_in_one_batch_of_an_epoch_with_all_its_queries(
    model: SentenceTransformer, tmp_path: Path, bar: Bar, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[dict[str, Any]]] = []

    class Watched(Collator):
        def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
            batches.append(features)
            return super().__call__(features)

    monkeypatch.setattr(trainer, "Collator", Watched)
    run(model, Scripted([0.5]), tmp_path / "checkpoints", bar, epochs=2)
    longest = batches.pop(0)  # to see how it fits into memory
    assert len(longest) == 8
    assert [len(batch) for batch in batches] == [8, 8, 4, 8, 8, 4]
    epochs = [[row for batch in batches[start : start + 3] for row in batch] for start in (0, 3)]
    queries = {row["positive"]: row["anchor"] for row in ROWS}
    for rows in epochs:
        assert sorted(row["positive"] for row in rows) == sorted(PASSAGES)
        assert all(row["anchor"] == queries[row["positive"]] for row in rows)
    assert [row["positive"] for row in epochs[0]] != [row["positive"] for row in epochs[1]]


def test_gradient_checkpointing_changes_nothing_but_memory(tmp_path: Path, bar: Bar) -> None:
    runs = []
    for checkpointing in (False, True):
        made = tiny_model(tmp_path / "model")
        outcome = run(
            made, Scripted([0.5]), tmp_path / f"{checkpointing}", bar, gradient_checkpointing=checkpointing, epochs=1
        )
        assert made.transformers_model is not None
        assert made.transformers_model.is_activation_checkpointing is checkpointing
        runs.append((dict(outcome.losses), weights(made)))
    assert runs[0][0] == pytest.approx(runs[1][0], abs=1e-5)
    for name, value in runs[0][1].items():
        torch.testing.assert_close(value, runs[1][1][name], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("warmup", "moves"), [(0.0, [1.0, 8 / 9]), (1.0, [0.0, 1 / 9])])
def test_warmup_is_a_share_of_the_steps(
    warmup: float, moves: list[float], model: SentenceTransformer, tmp_path: Path, bar: Bar
) -> None:
    """Adam moves a weight by the step's learning rate at most: here 1e-3 at its peak, of nine steps."""
    scripted = Scripted([0.1] * 9)
    before = weights(model)
    run(model, scripted, tmp_path / "checkpoints", bar, warmup=warmup, learning_rate=1e-3, weight_decay=0.0)
    for earlier, later, move in zip([before, scripted.seen[0]], scripted.seen[:2], moves, strict=True):
        largest = max((later[name] - earlier[name]).abs().max().item() for name in before)
        assert largest == pytest.approx(1e-3 * move, rel=0.2, abs=1e-9)


class Killed(Exception):
    """Stands for a kill: nothing of the library's catches it."""


def kill(number: int) -> None:
    raise Killed


def kill_in_step(number: int, patched: pytest.MonkeyPatch) -> None:
    collate = Collator.__call__
    calls = []

    def counted(self: Collator, features: list[dict[str, Any]]) -> dict[str, Any]:
        calls.append(features)
        if len(calls) == number + 1:  # the first call is not of a step
            raise Killed
        return collate(self, features)

    patched.setattr(Collator, "__call__", counted)


def fresh(folder: Path) -> SentenceTransformer:
    """The model as it began, with another state of the random numbers."""
    made = tiny_model(folder / "model")
    made.prompts = dict(PROMPTS)
    torch.rand(3)
    return made


def assert_equal(first: Weights, second: Weights) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({}, 9),
        ({"gradient_cache": True}, 9),
        ({"lora": 2}, 9),
        # 102 steps are told by twos and measured by threes; the second measurement is the best, two later ones end it.
        ({"epochs": 34, "evaluations": 34, "patience": 2}, 12),
    ],
)
def test_a_run_that_was_killed_goes_on_and_ends_as_if_it_had_not_been(
    changes: dict[str, Any], steps: int, tmp_path: Path, bar: Bar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in a step where nothing was to be saved, and in a measurement."""
    scores = [0.3, 0.5, 0.4, 0.45] if "patience" in changes else [0.5, 0.4, 0.6]
    changes = {"evaluations": 3, **changes}
    undisturbed, whole = fresh(tmp_path), Scripted(scores)
    expected = run(undisturbed, whole, tmp_path / "undisturbed", bar, **changes)
    assert expected.steps == steps

    folder = tmp_path / "disturbed"
    first = Scripted(scores)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_in_step(steps // 3 + 2, patched)
        run(fresh(tmp_path), first, folder, bar, saved_every=0, **changes)
    assert trainer.last_checkpoint(folder) is not None
    second = Scripted(scores[len(first.seen) :], at=kill)
    with pytest.raises(Killed):
        run(fresh(tmp_path), second, folder, bar, saved_every=0, **changes)
    assert trainer.last_checkpoint(folder) is not None
    done = len(first.seen) + len(second.seen)
    model, rest = fresh(tmp_path), Scripted(scores[done:])
    assert run(model, rest, folder, bar, saved_every=0, **changes) == expected
    assert done + len(rest.seen) == len(whole.seen)
    assert_equal(weights(model), weights(undisturbed))
    if "patience" in changes:
        assert [step for step, _ in expected.losses] == [2, 3, 4, 6, 8, 9, 10, 12]
        return
    # What ended can be taken up too: the model and its curves are there already.
    again = fresh(tmp_path)
    assert run(again, Scripted([]), folder, bar, **changes) == expected
    assert_equal(weights(again), weights(undisturbed))


def test_a_half_written_checkpoint_is_deleted(tmp_path: Path) -> None:
    whole = ("weights.safetensors", "optimizer.pt", "scheduler.pt")
    states = (("9", '{"whole": 1}'), ("10", '{"whole": 1}'), ("11", '{"half'), ("12", None), ("13", '{"whole": 1}'))
    for name, state in states:
        folder = tmp_path / f"checkpoint-{name}"
        for file in whole if name != "13" else whole[1:]:  # what was being deleted
            files.write_text(folder / file, "")
        if state is not None:
            files.write_text(folder / "trainer_state.json", state)
    assert trainer.last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-9"]
    assert trainer.last_checkpoint(tmp_path / "nowhere") is None


def test_short_memory_is_said_and_a_smaller_batch_takes_more_steps(
    model: SentenceTransformer, tmp_path: Path, bar: Bar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "fits", lambda *_: lambda plan: plan.batch_size <= 4)
    lines: list[str] = []
    outcome = run(model, Scripted([0.5]), tmp_path / "checkpoints", bar, say=lines.append, epochs=1)
    assert (outcome.steps, outcome.best) == (5, 5)  # 20 passages
    assert lines == [
        "memory is short for the longest batch: batches of 4 passages instead of 8: fewer negatives per query"
    ]


def test_a_run_that_was_killed_goes_on_with_the_batches_that_it_began_with(
    model: SentenceTransformer, tmp_path: Path, bar: Bar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever memory is free now: other batches are other steps."""
    monkeypatch.setattr(memory, "fits", lambda *_: lambda plan: plan.batch_size <= 4)
    with pytest.raises(Killed):
        run(model, Scripted([0.5], at=kill), tmp_path / "checkpoints", bar, saved_every=0, epochs=2, evaluations=1)
    monkeypatch.undo()
    lines: list[str] = []
    outcome = run(
        model, Scripted([0.5]), tmp_path / "checkpoints", bar, saved_every=0, say=lines.append, epochs=2, evaluations=1
    )
    assert (outcome.steps, outcome.best) == (10, 10)  # 20 passages, twice
    assert lines == []


def test_adapters_are_trained_alone_and_end_in_the_weights(
    model: SentenceTransformer, tmp_path: Path, bar: Bar
) -> None:
    before = weights(model)
    scripted = Scripted([0.5])
    outputs: list[torch.Tensor] = []
    sentences = ["word1 word2", "word3"]
    scripted.at = lambda number: outputs.append(torch.tensor(model.encode(sentences)))
    run(model, scripted, tmp_path / "checkpoints", bar, lora=4, gradient_checkpointing=True)
    after = weights(model)
    assert list(after) == list(before)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    parts = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")
    assert {name.partition("layer.")[2] for name in moved} >= {f"{number}.output.dense.weight" for number in (0, 1)}
    assert len(moved) == 2 * len(parts)
    assert all(name.endswith(".weight") and "pooler" not in name for name in moved)
    for name in moved:
        assert torch.linalg.matrix_rank(after[name] - before[name], rtol=1e-4) <= 4
    # What was measured had the adapters beside the weights.
    torch.testing.assert_close(torch.tensor(model.encode(sentences)), outputs[0], atol=1e-5, rtol=0)


def test_rounds_are_joined_one_behind_the_other() -> None:
    rounds = [
        Outcome([(2, 0.5), (4, 0.4)], [(4, 0.7)], best=4, steps=4),
        Outcome([(2, 0.3)], [(1, 0.8), (2, 0.6)], best=1, steps=2),
        Outcome([(3, 0.2)], [(3, 0.9)], best=3, steps=3),
    ]
    assert trainer.join(rounds[:1]) == (rounds[0], 0)
    losses, dev = [(2, 0.5), (4, 0.4), (6, 0.3), (9, 0.2)], [(4, 0.7), (5, 0.8), (6, 0.6), (9, 0.9)]
    assert trainer.join(rounds) == (Outcome(losses, dev, best=9, steps=9), 2)
    # A last round that is worse is not what is kept.
    assert trainer.join([*rounds[:2], Outcome([], [(3, 0.8)], best=3, steps=3)])[0].best == 5


def test_on_apples_gpu_memory_is_neither_pinned_nor_copied_meanwhile(tmp_path: Path) -> None:
    class OnApple:  # the name of a device that this machine lacks
        device = torch.device("mps")

    arguments = trainer._arguments(OnApple(), tmp_path, train_config(), bf16=False, steps=10)  # type: ignore[arg-type]
    assert not arguments.use_cpu
    assert not arguments.dataloader_pin_memory
    assert vars(arguments.accelerator_config)["non_blocking"] is False
