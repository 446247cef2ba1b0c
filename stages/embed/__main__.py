"""Stage `embed`: the base model encodes passages, generated and real queries once, for every later stage.

Run as `python -m stages.embed`.
"""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fieldtune.corpus import files, real_queries
from fieldtune.corpus.passages import passage_text
from fieldtune.models import base_models, encoder, processes, soundness
from fieldtune.models.base_models import ModelConfig
from fieldtune.models.cached_encoder import CachedEncoder
from fieldtune.models.corpus_vectors import write_all
from fieldtune.models.precision import use_bf16
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.embed.config import EmbedConfig

_SAMPLE = 10_000  # passages that show whether the model knows their words
_FOREIGN = 0.2  # share of the passages; language detection errs on short and technical ones


def work() -> str:
    config = load("embed", EmbedConfig)
    processes.launch("embed", config.launcher)
    passages = files.JsonLines(paths.PASSAGES)
    queries, documents = _queries(passages)
    if warning := foreign_language_warning(config.model, Counter(row["language"] for row in passages)):
        note(warning)
    model = encoder.load_base(config.model)
    for line in encoder.assumptions(model, config.model):
        note(line)
    soundness.refuse_broken_weights(model, config.model.name)
    sample = passages[:: max(1, len(passages) // _SAMPLE)]
    soundness.refuse_uninformative(model, config.model.name, [passage_text(row) for row in sample])
    bf16 = use_bf16(config.precision)
    encode = CachedEncoder(
        model,
        base_models.locate(config.model),
        bf16=bf16,
        batch_size=config.batch_size,
        name=config.model.name,
    )
    new_passages, new_queries = write_all(encode, paths.VECTORS, passages, queries, documents)
    if processes.rank() == 0:
        files.write_text(paths.VECTORS / base_models.WEIGHTS, base_models.weights(config.model))
    return (
        f"{new_passages:,} of {len(passages):,} passages and {new_queries:,} of {len(queries):,} queries encoded in "
        f"{'bf16' if bf16 else 'fp32'}"
    )


def _queries(passages: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Generated and real queries, and what each belongs to: the document of its passage, or the query itself."""
    generated = list(files.read_jsonl(paths.QUERIES))
    real = [query.query for query in real_queries.read()]
    with_queries = {row["passage_id"] for row in generated}
    document_of = {row["id"]: row["document"] for row in passages if row["id"] in with_queries}
    documents = [document_of[row["passage_id"]] for row in generated]
    return [row["query"] for row in generated] + real, documents + real


def foreign_language_warning(model: ModelConfig, languages: Mapping[str, int]) -> str | None:
    """A warning if many passages are in a language that the model does not know; `languages`: counts by code."""
    known = sum(count for code, count in languages.items() if code)
    others = Counter({code: count for code, count in languages.items() if code and code != model.language})
    if model.language is None or others.total() < _FOREIGN * known or not others:
        return None
    most = ", ".join(f"{count:,} in {code}" for code, count in others.most_common(3))
    return (
        f"{model.name} knows only one language, {model.language}, but {others.total():,} of {known:,} passages seem to "
        f"be in others ({most}): set a multilingual model, `model: bge_m3` or `model: e5_multilingual` in params.yaml"
    )


if __name__ == "__main__":
    run_stage("embed", work)
