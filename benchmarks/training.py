"""How fast training is: the tutorial recipe, ours, and ours with each part taken away.

    python -m benchmarks.training                       # the sample (`dvc repro` before), this machine's device
    python -m benchmarks.training --shape bge_base      # random weights of that shape, made-up texts
    python -m benchmarks.training --yardstick           # 2,000 pairs, 3 epochs, bge-base's shape: seconds
    python -m benchmarks.training --quality --seeds 3   # the sample: how soon ours is as good as the tutorial's result

The tutorial recipe is sentence-transformers' own: pairs, MultipleNegativesRankingLoss, batch 64, no duplicates in a
batch, bf16 on a GPU that has it and float32 on a CPU. A row's speed is of `--steps` steps after `--skip`, of the
whole training loop, data loading and optimizer included; recipes take turns, `--turns` of them, and the median
counts. `share` is of the peak that a matrix product reaches in the same run and in the recipe's own arithmetic:
operations are 6 a weight and token, and 12 × length² × width × layers a text for attention.

`--quality` trains with the values of conf/config.yaml and scores the real queries four times on the way, with the clock
stopped. The tutorial's own result takes hours on a CPU: benchmarks/tutorial.jsonl keeps it, by seed; its time is that
of 3 epochs at the speed of `--steps` steps in the same run.

Seen, bge-base's shape, 256 tokens, on one H100 80 GB (bf16, torch 2.11; 782 TFLOP/s in a matrix product), 24 steps of
which 8 are skipped; in so few steps every loss is logged, for which the GPU waits:

    tutorial, batch 64                            554 pairs/s   10% of the peak     9.1 GB
    ours, batch 128                             4,931 pairs/s   25% of the peak    17.5 GB
    ours, batch 128, compiled                   5,727 pairs/s   29% of the peak    17.9 GB; 10 seconds more to start
    ours, batch 256, compiled                   6,373 pairs/s   32% of the peak    33.3 GB
    yardstick, batch 64, not compiled             7.2 s

With LayerNorm in bf16, which autocast keeps in float32, batch 128 reached 27%, compiled 32%; that is not built in.

The sample with MiniLM on two cores in float32, other work beside it (`--steps 6 --skip 2`): tutorial 2.0 pairs/s, ours
with one hard negative a passage 14.3. Quiet, `--quality --steps 5 --skip 2` (seconds with the measurements of dev):

    recipe                    seconds   NDCG@10 of real queries   hard ones
    base model                      0   .738                      .582
    tutorial, 2.8 pairs/s       4,861   .825 (H100 in bf16)       .687
    ours, seed 0                  106   .821                      .674
                                  189   .838                      .689       25.7 times sooner
                                  268   .843                      .698
                                  332   .844                      .701
"""

import argparse
import contextlib
import ctypes
import gc
import json
import math
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import psutil
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, TrainerCallback

from benchmarks.prepared import Domain
from benchmarks.recipes import EPOCHS, Clock, settings, tutorial_trainer
from fieldtune.corpus import files
from fieldtune.models import encoder, flat_attention
from fieldtune.models.precision import use_bf16
from fieldtune.runtime import paths
from stages.train import adapters, batches, trainer
from stages.train.batches import by_passage
from stages.train.config import TrainConfig
from stages.train.dev import METRIC

SHAPES = {  # width, layers, heads, inner width
    "minilm": (384, 6, 12, 1536),
    "bge_base": (768, 12, 12, 3072),
    "e5_large": (1024, 24, 16, 4096),
}
WORDS = 30000
TUTORIAL = Path(__file__).parent / "tutorial.jsonl"
Pairs = tuple[list[str], list[str], list[list[str]]]  # anchors, positives, hard negatives


@dataclass(frozen=True)
class Speed:
    seconds: float
    pairs: float
    operations: float
    memory: float  # bytes
    bf16: bool


class Nothing(BaseEvaluator):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.primary_metric = METRIC

    def __call__(self, *_: Any, **__: Any) -> dict[str, float]:
        return {METRIC: 0.0}


def made_up_pairs(passages: int, tokens: int, queries: int) -> Pairs:
    """Passages of about `tokens` words drawn at random, each with `queries` of eight words."""
    draw = random.Random(0)

    def text(words: int) -> str:
        return " ".join(f"w{draw.randrange(WORDS)}" for _ in range(words))

    positives = [text(tokens) for _ in range(passages)]
    anchors = [text(8) for _ in positives for _ in range(queries)]
    return anchors, [text for text in positives for _ in range(queries)], [[] for _ in anchors]


def made_up_model(shape: str, folder: Path, tokens: int) -> SentenceTransformer:
    """Random weights of a shape, for made-up texts."""
    names = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
    vocabulary = {word: number for number, word in enumerate([*names.values(), *(f"w{n}" for n in range(WORDS))])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 0))
    PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=tokens, **names).save_pretrained(folder)  # type: ignore[no-untyped-call]
    width, layers, heads, inner = SHAPES[shape]
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        pad_token_id=1,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    transformer = Transformer(str(folder), model_kwargs={"dtype": torch.float32})
    made = SentenceTransformer(modules=[transformer, Pooling(width), Normalize()])
    made.prompts = {"query": "", "document": ""}
    return made


def peak(bf16: bool) -> float:
    """Operations a second of a large matrix product on this device."""
    cuda = torch.cuda.is_available()
    size, kind = 8192 if cuda else 2048, torch.bfloat16 if bf16 else torch.float32
    left, right = (torch.randn(size, size, dtype=kind, device="cuda" if cuda else "cpu") for _ in range(2))
    best = math.inf
    for _ in range(12):
        started = time.perf_counter()
        for _ in range(5):
            left @ right
        if cuda:
            torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - started) / 5)
    return float(2 * size**3 / best)


def operations(model: SentenceTransformer, texts: Sequence[str]) -> float:
    """Of a training step over the texts."""
    layers = adapters.layers(model.transformers_model)
    parameters = sum(parameter.numel() for layer in layers for parameter in layer.parameters())
    lengths = [len(ids) for ids in encoder.tokenize(model, texts, "document").ids]
    width = model.get_embedding_dimension() or 0
    return float(sum(6 * parameters * length + 12 * length**2 * width * len(layers) for length in lengths))


def ours(
    model: SentenceTransformer, pairs: Pairs, steps: int, skip: int, bf16: bool, multi: bool = True, **changes: Any
) -> Speed:
    anchors, positives, hard = pairs
    if multi:
        clusters = {text: number for number, text in enumerate(dict.fromkeys(positives))}
        rows = by_passage(
            anchors, positives, hard, clusters | {text: -1 for texts in hard for text in texts if text not in clusters}
        )
    else:
        rows = Dataset.from_list(
            [
                {
                    "anchor": [anchor],
                    "positive": positive,
                    "negative": negatives,
                    "cluster": number,
                    "negative_cluster": [-1] * len(negatives),
                }
                for number, (anchor, positive, negatives) in enumerate(zip(anchors, positives, hard, strict=True))
            ]
        )
    size = changes.get("batch_size", settings().batch_size)
    config = settings(**{"epochs": steps / math.ceil(len(rows) / size), **changes})
    clock = Clock(skip, trainer.steps_of(len(rows), config))
    done = trainer.steps_of(len(rows), config) - skip
    with tempfile.TemporaryDirectory() as folder, measured() as memory:
        data = trainer.Round(rows, Nothing(), config, bf16)  # type: ignore[arg-type]
        trainer.train(model, data, Path(folder), clock, saved_every=math.inf)
    share = done * size / len(rows)
    negatives = [text for texts in rows["negative"] for text in texts[: config.negatives]]
    texts = [*rows["positive"], *negatives, *(anchor for anchors in rows["anchor"] for anchor in anchors)]
    plain = operations(model, texts) * share
    return Speed(clock.seconds, sum(map(len, rows["anchor"])) * share, plain, memory(), bf16)


def tutorial(model: SentenceTransformer, pairs: Pairs, steps: int, skip: int, bf16: bool, batch: int = 64) -> Speed:
    clock = Clock(skip, steps)

    class Steps(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.advance()

    with tempfile.TemporaryDirectory() as folder, measured() as memory:
        run = tutorial_trainer(
            model, pairs[0], pairs[1], folder, bf16, max_steps=steps, per_device_train_batch_size=batch
        )
        run.add_callback(Steps())
        run.train()
    count = (steps - skip) * batch
    texts = [*dict.fromkeys(pairs[0]), *pairs[1]]
    plain = operations(model, texts) * count / len(pairs[0])
    return Speed(clock.seconds, count, plain, memory(), bf16 and torch.cuda.is_available())


@contextmanager
def measured() -> Iterator[Callable[[], float]]:
    """The most memory that the block takes: on the device, or of this process."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        yield lambda: float(torch.cuda.max_memory_allocated())
        return
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the recipe before left
    most, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.05):
            most = max(most, psutil.Process().memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: float(most)
    finally:
        ended.set()
        thread.join()


def table(
    load: Callable[[], SentenceTransformer], pairs: Pairs, arguments: argparse.Namespace, bf16: bool
) -> Iterator[str]:
    """Rows of Markdown."""
    steps, skip, batch = arguments.steps, arguments.skip, arguments.batch_size
    cuda = torch.cuda.is_available()
    top = {kind: peak(kind) for kind in ((True, False) if bf16 else (False,))}
    device = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
    products = ", ".join(f"{'bf16' if kind else 'fp32'} {most / 1e12:.2f} TFLOP/s" for kind, most in top.items())
    yield f"{device}; matrix product: {products}; torch {torch.__version__}"
    yield "| recipe | pairs/s | to the tutorial's | operations, TFLOP/s | share of peak | memory, GB |"
    yield "|---|---|---|---|---|---|"
    usual: dict[str, Any] = {"batch_size": batch, "microbatch_tokens": arguments.microbatch_tokens}
    recipes: dict[str, Callable[[], Speed]] = {
        "tutorial": lambda: tutorial(load(), pairs, steps, skip, bf16),
        "ours": lambda: ours(load(), pairs, steps, skip, bf16, **usual),
        "ours, no hard negative": lambda: ours(load(), pairs, steps, skip, bf16, negatives=0, **usual),
        "ours, a passage for each query": lambda: ours(load(), pairs, steps, skip, bf16, multi=False, **usual),
        "ours, gradient cache": lambda: ours(load(), pairs, steps, skip, bf16, gradient_cache=True, **usual),
        "ours, gradient checkpointing": lambda: ours(
            load(), pairs, steps, skip, bf16, gradient_checkpointing=True, **usual
        ),
    }
    if cuda:
        recipes["ours, compiled"] = lambda: ours(load(), pairs, steps, skip, bf16, compile=True, **usual)
    if bf16:
        recipes["ours, fp32"] = lambda: ours(load(), pairs, steps, skip, False, **usual)
    recipes["ours, padded" if cuda else "ours, not sorted by length"] = lambda: _unsorted(
        lambda: ours(load(), pairs, steps, skip, bf16, **usual)
    )
    recipes["ours, padded, attention dropout .1"] = lambda: _dropped(
        lambda: ours(load(), pairs, steps, skip, bf16, **usual)
    )
    chosen = {name: recipe for name, recipe in recipes.items() if not arguments.only or name in arguments.only}
    speeds_by_name: dict[str, list[Speed]] = {name: [] for name in chosen}
    for _ in range(arguments.turns):
        for name, recipe in chosen.items():
            with contextlib.suppress(torch.OutOfMemoryError):
                speeds_by_name[name].append(recipe())
    rates = {
        name: median(speed.pairs / speed.seconds for speed in speeds)
        for name, speeds in speeds_by_name.items()
        if speeds
    }
    for name, speeds in speeds_by_name.items():
        if not speeds:
            yield f"| {name} | out of memory | | | | |"
            continue
        done = median(speed.operations / speed.seconds for speed in speeds)
        to_tutorial = f"{rates[name] / rates['tutorial']:.1f}" if "tutorial" in rates else ""
        yield (
            f"| {name} | {rates[name]:,.1f} | {to_tutorial} | {done / 1e12:.2f} | {done / top[speeds[0].bf16]:.0%} "
            f"| {max(speed.memory for speed in speeds) / 1e9:.1f} |"
        )


def _unsorted(run: Callable[[], Speed]) -> Speed:
    if torch.cuda.is_available():
        with patch.object(flat_attention, "enable", lambda model: False):
            return run()
    with patch.object(batches.Collator, "_by_length", lambda self, texts, kind: list(range(len(texts)))):
        return run()


def _dropped(run: Callable[[], Speed]) -> Speed:
    with patch.object(trainer, "disable_attention_dropout", lambda model: None):
        return _unsorted(run) if torch.cuda.is_available() else run()


class Scored(BaseEvaluator):
    """Scores the real queries whenever dev is measured, and keeps the time that this takes out of the clock."""

    def __init__(self, domain: Domain) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.primary_metric = METRIC
        self.points: list[tuple[float, dict[str, float]]] = []  # seconds of training, scores
        self._domain = domain
        self._stopped = 0.0
        self._started = time.perf_counter()

    def __call__(self, model: Any, *_: Any, **__: Any) -> dict[str, float]:
        scores = self._domain.evaluator(model)
        now = time.perf_counter()
        self.points.append((now - self._started - self._stopped, self._domain.scores(model)))
        self._stopped += time.perf_counter() - now
        return scores


def quality(arguments: argparse.Namespace) -> Iterator[str]:
    """Rows of Markdown: time and NDCG@10 of real queries, all and hard, beside the tutorial's."""
    domain = Domain()
    kept = [json.loads(line) for line in TUTORIAL.read_text(encoding="utf-8").splitlines()]
    pairs: Pairs = domain.pairs["anchor"], domain.pairs["positive"], []
    speed = tutorial(encoder.load_base(domain.config.model), pairs, arguments.steps, arguments.skip, domain.bf16)
    slow = EPOCHS * len(pairs[0]) * speed.seconds / speed.pairs
    yield "| recipe | seed | seconds | NDCG@10 of real queries | hard ones | times faster |"
    yield "|---|---|---|---|---|---|"
    yield f"| base model | | 0 | {domain.base['test/real']:.3f} | {domain.base['test/real_hard']:.3f} | |"
    for row in kept:
        yield (
            f"| tutorial, {row['device']} | {row['seed']} | {slow:,.0f} | {row['real']:.3f} | {row['real_hard']:.3f} "
            "| 1 |"
        )
    for seed in range(arguments.seeds):
        scored = Scored(domain)
        domain.train({"evaluations": 4}, seed, scored)
        for seconds, scores in scored.points:
            faster = f"{slow / seconds:.1f}" if scores["test/real"] >= max(row["real"] for row in kept) else ""
            yield (
                f"| ours | {seed} | {seconds:,.0f} | {scores['test/real']:.3f} | {scores['test/real_hard']:.3f} "
                f"| {faster} |"
            )


def yardstick(arguments: argparse.Namespace, bf16: bool) -> str:
    """The mission's: 2,000 pairs, 3 epochs, bge-base's shape; start-up not counted."""
    pairs = made_up_pairs(2000, arguments.tokens, 1)
    with tempfile.TemporaryDirectory() as folder:
        model = made_up_model("bge_base", Path(folder), arguments.tokens)
        steps = 3 * math.ceil(2000 / arguments.batch_size)
        usual: dict[str, Any] = {"batch_size": arguments.batch_size, "microbatch_tokens": arguments.microbatch_tokens}
        speed = ours(model, pairs, steps, 2, bf16, **usual)
    seconds = speed.seconds * steps / (steps - 2)
    return f"yardstick: 2,000 pairs of {arguments.tokens} tokens, 3 epochs, bge-base: {seconds:.1f} s ({steps} steps)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES)
    parser.add_argument("--tokens", type=int, default=256, help="of a made-up passage")
    parser.add_argument("--queries", type=int, default=4, help="of a made-up passage")
    parser.add_argument("--steps", type=int, default=250 if torch.cuda.is_available() else 60)
    parser.add_argument("--skip", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--microbatch-tokens", type=int, default=None)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names of rows")
    parser.add_argument("--yardstick", action="store_true")
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--seeds", type=int, default=1, help="of --quality")
    arguments = parser.parse_args()
    bf16 = use_bf16("auto")
    if arguments.yardstick:
        print(yardstick(arguments, bf16), flush=True)
        return
    if arguments.quality:
        for line in quality(arguments):
            print(line, flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.shape:
            made = made_up_model(arguments.shape, Path(folder, "transformer"), arguments.tokens)
            made.save(str(Path(folder, "model")), create_model_card=False)
            pairs = made_up_pairs(max(512, 4 * arguments.batch_size), arguments.tokens - 2, arguments.queries)

            def load() -> SentenceTransformer:
                model = encoder.load_folder(Path(folder, "model"))
                model.prompts = {"query": "", "document": ""}
                return model
        else:
            from fieldtune.runtime.settings import load as load_settings

            config = load_settings("train", TrainConfig)
            columns = files.read_table(paths.TRAIN)
            hard = [[text] for text in columns["negative_1"]]
            pairs = columns["anchor"], columns["positive"], hard

            def load() -> SentenceTransformer:
                return encoder.load_base(replace(config.model))

        for line in table(load, pairs, arguments, bf16):
            print(line, flush=True)


if __name__ == "__main__":
    main()
