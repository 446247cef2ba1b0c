"""Stage `export`: the tuned model for use → data/export/. Run as `python -m stages.export`.

model/                      Sentence Transformers folder with its prompts, and the model card
onnx/                       model.onnx and model_int8.onnx with the tokenizer and prompts they need
vectors/passages.parquet    the corpus, encoded
vectors/int8_ranges.npy     what its int8 vectors were made with, if there are any
parity.json                 how near the vectors and the ONNX files are to the model in float32
manifest.json               size and sha256 of every file
"""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import random
from collections.abc import Mapping, Sequence
from typing import Any

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import PASSAGES, QUERIES, read_vectors
from fieldtune.models import encoder, tuned_model
from fieldtune.models.cached_encoder import CachedEncoder
from fieldtune.models.drift import UNCHANGED
from fieldtune.retrieval import judged_queries, ranking
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
    passages = list(files.read_jsonl(paths.PASSAGES))
    corpus = Corpus.from_passages(passages)
    vectors = read_vectors(paths.TUNED_VECTORS, PASSAGES, corpus.texts)
    judged = judged_queries.read(judged_queries.TEST_SETS, corpus)
    query_vectors = read_vectors(paths.TUNED_VECTORS, QUERIES, judged.texts)
    metrics = files.read_json(paths.METRICS)
    check = draw(
        judged,
        corpus,
        query_vectors,
        vectors,
        most=config.check.queries,
        size=config.check.passages,
        seed=config.seed,
    )
    model = encoder.load_folder(paths.MODEL, device="cpu")
    encode = CachedEncoder(model, paths.MODEL, bf16=False, batch_size=config.batch_size, tuned=True)
    rows = sorted(random.Random(config.seed).sample(range(len(passages)), min(config.check.texts, len(passages))))
    sample = _encode_sample(encode, [corpus.texts[row] for row in rows])
    report: dict[str, Any] = {
        "texts": len(rows),
        "vectors/passages.parquet": {"cosine": sample.cosines(vectors[rows])},
    }
    if not report["vectors/passages.parquet"]["cosine"]["min"] >= _SAME_TEXTS:
        raise UserError(f"{paths.TUNED_VECTORS} was not made by {paths.MODEL}: run `dvc repro`")
    examples = []  # nothing of documents and queries unless requested
    if config.card_examples:
        examples = _examples(judged, query_vectors, passages, corpus, vectors, config.seed)

    with files.replace_dir(paths.EXPORT) as folder:
        write_model_folder(
            folder / "model",
            _card(config, metrics, Interface(model.prompts, model.max_seq_length, vectors.shape[1]), examples),
        )
        check_reload(model, folder / "model", check.queries[: config.check.texts], sample)
        (folder / "vectors").mkdir()
        write_passage_vectors(
            folder / "vectors/passages.parquet",
            [passage["id"] for passage in passages],
            corpus.texts,
            vectors,
            int8=config.int8_vectors,
            binary=config.binary_vectors,
        )
        summary = f"model {files.human_size(files.disk_size(folder / 'model'))}"
        if config.onnx:
            losses, onnx_summary = write_onnx_folder(model, folder / "onnx", check, sample, config)
            report |= losses
            summary += f", {onnx_summary}"
        files.write_json(folder / "parity.json", report)
        write_manifest(folder)
    if (warning := not_to_deploy(metrics)) is not None:
        note(warning)
    return summary


def not_to_deploy(metrics: Mapping[str, Any]) -> str | None:
    """A warning if the verdict, in the evaluation's metrics.json, is against the exported model."""
    if metrics["verdict"] != "keep_base":
        return None
    if metrics["similarity_to_base"] > UNCHANGED:
        return "The verdict is keep_base, and the export is the base model: no need to deploy it again."
    return (
        "The verdict is keep_base, but the export contains the tuned model: do not deploy it in place of the "
        f"base model; the report recommends {metrics['recommend']}."
    )


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
    vectors: Vectors,
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
