"""Stage `embed`: the base model encodes passages, generated and real queries once, for every later stage.

Run as `python -m stages.embed`.
"""

from pathlib import Path

from stages import encoder, files, paths, real_queries
from stages.embed.config import EmbedConfig
from stages.precision import use_bf16
from stages.running import run
from stages.settings import load
from stages.text import passage_text


def work() -> str:
    config = load("embed", EmbedConfig)
    passages = [passage_text(row) for row in files.read_jsonl(paths.PASSAGES)]
    generated = [row["query"] for row in files.read_jsonl(paths.QUERIES)]
    real = [query.query for query in real_queries.read(Path(config.queries))]
    model = encoder.load_base(config.model)
    bf16 = use_bf16(config.precision)
    encoder.write_all(
        model,
        paths.VECTORS,
        passages=passages,
        queries=generated,
        real=real,
        bf16=bf16,
        batch_size=config.batch_size,
    )
    arithmetic = "bf16" if bf16 else "fp32"
    return f"{len(passages):,} passages and {len(generated) + len(real):,} queries encoded in {arithmetic}"


if __name__ == "__main__":
    run("embed", work)
