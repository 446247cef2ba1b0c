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

from stages import files
from stages.console import Bar, progress
from stages.train import trainer
from stages.train.batches import Collator, by_passage
from stages.train.config import TrainConfig
from stages.train.dev import METRIC
from stages.train.trainer import Outcome, disable_attention_dropout, train
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
    model: SentenceTransformer, scripted: Scripted, folder: Path, bar: Bar, rows: Dataset = ROWS, **changes: Any
) -> Outcome:
    values = {"epochs": 3, "batch_size": 8, "evaluations": len(scripted.scores), **changes}
    config: TrainConfig = train_config(**values)
    return train(model, rows, None, scripted, config, False, folder, bar)  # type: ignore[arg-type]


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
    asked = {row["positive"]: row["anchor"] for row in ROWS}
    for rows in epochs:
        assert sorted(row["positive"] for row in rows) == sorted(PASSAGES)
        assert all(row["anchor"] == asked[row["positive"]] for row in rows)
    assert [row["positive"] for row in epochs[0]] != [row["positive"] for row in epochs[1]]


def test_gradient_checkpointing_changes_nothing_but_memory(tmp_path: Path, bar: Bar) -> None:
    found = []
    for checkpointing in (False, True):
        made = tiny_model(tmp_path / "model")
        outcome = run(
            made, Scripted([0.5]), tmp_path / f"{checkpointing}", bar, gradient_checkpointing=checkpointing, epochs=1
        )
        assert made.transformers_model is not None
        assert made.transformers_model.is_activation_checkpointing is checkpointing
        found.append((dict(outcome.losses), weights(made)))
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-5)
    for name, value in found[0][1].items():
        torch.testing.assert_close(value, found[1][1][name], atol=1e-5, rtol=0)


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
