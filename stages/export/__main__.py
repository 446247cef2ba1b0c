"""Stage `export`: the recommended system for use → data/export/. Run as `python -m stages.export`.

The model is the tuned one; the base model, if it is to be kept or if its hybrid is what is recommended.

model/                      Sentence Transformers folder with its prompts, and the model card
onnx/                       model.onnx and model_quantized.onnx with the tokenizer and prompts they need
vectors/passages.parquet    the corpus, encoded
search/                     BM25's index, the passages' places, each system's shares and which one is recommended
vectors/int8_ranges.npy     what its int8 vectors were made with, if there are any
parity.json                 how near the vectors and the ONNX files are to the model in float32
manifest.json               size and sha256 of every file
"""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import PASSAGES, QUERIES, open_vectors, read_vectors
from fieldtune.models import base_models, encoder, tuned_model
from fieldtune.models.base_models import ModelConfig
from fieldtune.models.cached_encoder import CachedEncoder
from fieldtune.models.drift import UNCHANGED
from fieldtune.retrieval import exported_search, judged_queries, ranking
from fieldtune.retrieval.ranking import Table
from fieldtune.retrieval.self_passages import own_sections
from fieldtune.retrieval.systems import exports_base, recommended_of_ours
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.export.card import Example, Interface, render_card
from stages.export.config import ExportConfig
from stages.export.int8_loss import draw
from stages.export.manifest import write_manifest
from stages.export.model_folder import check_reload, write_model_folder
from stages.export.onnx_folder import write_onnx_folder
from stages.export.parity import Sample, Vectors
from stages.export.passage_vectors import write_passage_vectors

_SAME_TEXTS = 0.99  # lowest cosine of two encodings, one of which may be in bf16 (`not >=` below rejects NaN, too)
_EXAMPLES = 5  # in the model card


def work() -> str:
    config = load("export", ExportConfig)
    passages = files.JsonLines(paths.PASSAGES)
    corpus = Corpus.from_passages(passages)
    metrics = files.read_json(paths.METRICS)
    exported = choose_model(metrics, config.model)
    vectors = open_vectors(exported.vectors, PASSAGES, corpus.texts)
    judged = judged_queries.read(judged_queries.TEST_SETS, corpus)
    query_vectors = read_vectors(exported.vectors, QUERIES, judged.texts)
    check = draw(
        judged,
        own_sections(judged, passages, corpus.sections),
        corpus,
        (query_vectors, vectors),
        most=config.check.queries,
        size=config.check.passages,
        seed=config.seed,
    )
    model = exported.load()
    own = exported.folder == paths.MODEL
    encode = CachedEncoder(model, exported.folder, bf16=False, batch_size=config.batch_size, tuned=own)
    rows = sorted(random.Random(config.seed).sample(range(len(passages)), min(config.check.texts, len(passages))))
    sample = _encode_sample(encode, [corpus.texts[row] for row in rows])
    report: dict[str, Any] = {
        "texts": len(rows),
        "vectors/passages.parquet": {"cosine": sample.cosines(vectors[rows])},
    }
    if not report["vectors/passages.parquet"]["cosine"]["min"] >= _SAME_TEXTS:
        raise UserError(f"{exported.vectors} was not made by {exported.folder}: run `dvc repro`")
    examples = []  # nothing of documents and queries unless requested
    if config.card_examples:
        examples = _examples(judged, query_vectors, passages, corpus, vectors, config.seed)

    with files.replace_dir(paths.EXPORT) as folder:
        write_model_folder(
            folder / "model",
            model if exported.name == "base" else None,
            _card(config, metrics, _interface(model, exported.name, vectors.shape[1]), examples),
        )
        check_reload(model, folder / "model", check.queries[: config.check.texts], sample)
        _write_corpus(folder, passages, corpus, vectors, exported.name, metrics, config)
        summary = f"{exported.name} model {files.human_size(files.disk_size(folder / 'model'))}"
        if config.onnx:
            losses, onnx_summary = write_onnx_folder(model, folder / "onnx", check, sample, config)
            report |= losses
            summary += f", {onnx_summary}"
        files.write_json(folder / "parity.json", report)
        write_manifest(folder)
    if (warning := not_to_deploy(metrics)) is not None:
        note(warning)
    return summary


def _write_corpus(
    folder: Path,
    passages: Sequence[Mapping[str, Any]],
    corpus: Corpus,
    vectors: Table,
    model: str,
    metrics: Mapping[str, Any],
    config: ExportConfig,
) -> None:
    """Write vectors/ and search/. `model`: base or tuned; `metrics`: the evaluation's metrics.json."""
    (folder / "vectors").mkdir()
    write_passage_vectors(
        folder / "vectors/passages.parquet",
        [passage["id"] for passage in passages],
        corpus.texts,
        vectors,
        int8=config.int8_vectors,
        binary=config.binary_vectors,
    )
    hybrid = "tuned_hybrid" if model == "tuned" else "hybrid"
    systems = exported_search.systems_of(model, metrics["hybrid_weight"][hybrid], metrics["heading_share"])
    recommended = recommended_of_ours(metrics)
    exported_search.write(folder / exported_search.FOLDER, passages, systems, recommended, texts=config.texts)


@dataclass(frozen=True)
class Exported:
    """The model that goes into the export, and its vectors."""

    name: str  # base | tuned
    folder: Path  # of the model
    vectors: Path
    load: Callable[[], SentenceTransformer]


def choose_model(metrics: Mapping[str, Any], base: ModelConfig) -> Exported:
    """The base model if the verdict keeps it or its hybrid is recommended, otherwise the tuned one.

    `metrics` is the evaluation's metrics.json.
    """
    keeps_base = exports_base(metrics["verdict"], recommended_of_ours(metrics))
    if keeps_base and metrics["similarity_to_base"] <= UNCHANGED:
        load = partial(encoder.load_base, base, device="cpu")
        return Exported("base", base_models.locate(base), paths.VECTORS, load)
    load = partial(encoder.load_folder, paths.MODEL, device="cpu")  # where tuning changed nothing, it is the base
    return Exported("base" if keeps_base else "tuned", paths.MODEL, paths.TUNED_VECTORS, load)


def not_to_deploy(metrics: Mapping[str, Any]) -> str | None:
    """A note if the export holds the base model, in spite of a tuned one. `metrics`: the evaluation's metrics.json."""
    if metrics["verdict"] == "keep_base":
        return (
            "The verdict is keep_base, and the export is the base model, with "
            f"{recommended_of_ours(metrics)} as the recommended system."
        )
    if recommended_of_ours(metrics) == "hybrid":
        return "The hybrid of base model and BM25 is recommended, so the export is the base model."
    return None


def _interface(model: SentenceTransformer, name: str, dimension: int) -> Interface:
    return Interface(model.prompts, model.max_seq_length, dimension, is_base=name == "base")


def _encode_sample(encode: CachedEncoder, texts: Sequence[str]) -> Sample:
    return Sample(texts, encode.encode(texts, "document", label="encoding a sample in float32"))


def _card(config: ExportConfig, metrics: Mapping[str, Any], interface: Interface, examples: Sequence[Example]) -> str:
    return render_card(
        config.model,
        metrics,
        files.read_json(paths.DATASET_REPORT),
        files.read_json(paths.MODEL / tuned_model.HISTORY),
        interface=interface,
        confidence=config.confidence,
        examples=examples,
    )


def _examples(
    judged: judged_queries.Judged,
    queries: Vectors,
    passages: Sequence[Mapping[str, Any]],
    corpus: Corpus,
    vectors: Table,
    seed: int,
) -> list[Example]:
    """Queries of the main test set, drawn at random, with the model's first result for each."""
    main_rows = judged.sets[judged.main_set].tolist()
    rows = sorted(random.Random(seed).sample(main_rows, min(_EXAMPLES, len(main_rows))))
    nearest = ranking.nearest(queries[rows], vectors, 1)[0][:, 0].tolist()
    return [
        Example(
            judged.texts[row],
            passages[one]["title"],
            passages[one]["text"],
            answers=int(corpus.section_of[one]) in judged.relevant[row],
        )
        for row, one in zip(rows, nearest, strict=True)
    ]


if __name__ == "__main__":
    run_stage("export", work)
