"""Stage `export`: the tuned model for use → data/export/. Run as `python -m stages.export`.

model/                      Sentence Transformers folder with its prompts, and the model card
onnx/                       model.onnx and model_int8.onnx with the tokenizer and prompts they need
vectors/passages.parquet    the corpus, encoded
vectors/int8_ranges.npy     what its int8 vectors were made with, where they are asked for
parity.json                 how near the vectors and the ONNX files are to the model in float32
manifest.json               size and sha256 of every file
"""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import read_vectors
from fieldtune.models import encoder, tuned_model
from fieldtune.models.drift import UNCHANGED
from fieldtune.retrieval import judged_queries, ranking
from fieldtune.runtime import paths
from fieldtune.runtime.console import note, progress
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.export.card import Example, card
from stages.export.config import ExportConfig
from stages.export.int8_graph import by_harm, write_int8
from stages.export.int8_loss import Check, Loss, draw
from stages.export.manifest import write_manifest
from stages.export.onnx import OnnxEncoder, parity, write_fp32
from stages.export.passage_vectors import write_passage_vectors
from stages.export.reload import encode_afresh

Vectors = npt.NDArray[np.float32]

# Least cosines between two encodings of one text that count as the same (`not >=` below refuses NaN too):
_SAME_GRAPH = 0.9999  # both in float32, by different code
_SAME_MODEL = 0.99999  # by the same code
_SAME_TEXTS = 0.99  # one may be computed in bf16
_EXAMPLES = 5  # in the model card
_PROMPTS = "config_sentence_transformers.json"


def work() -> str:
    config = load("export", ExportConfig)
    passages = list(files.read_jsonl(paths.PASSAGES))
    corpus = Corpus.from_passages(passages)
    vectors = read_vectors(paths.TUNED_VECTORS, "passages")
    judged = judged_queries.read(judged_queries.TEST_SETS, corpus)
    query_vectors = judged_queries.vectors(judged.ids, paths.TUNED_VECTORS)
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
    rows = sorted(random.Random(config.seed).sample(range(len(passages)), min(config.check.texts, len(passages))))
    sample = [corpus.texts[row] for row in rows]
    reference = encoder.encode(
        model, sample, "document", bf16=False, batch_size=config.batch_size, label="encoding a sample in float32"
    )
    kept = _cosines(reference, vectors[rows])
    report: dict[str, Any] = {"texts": len(sample), "vectors/passages.parquet": {"cosine": kept}}
    if not kept["min"] >= _SAME_TEXTS:
        raise UserError(f"{paths.TUNED_VECTORS} was not made by {paths.MODEL}: run `dvc repro`")

    with files.replace_dir(paths.EXPORT) as folder:
        examples = []  # nothing of documents and queries but on request
        if config.card_examples:
            examples = _examples(judged, query_vectors, passages, corpus, vectors, config.seed)
        _write_model(config, model, folder / "model", vectors.shape[1], examples)
        _check_reload(model, folder / "model", check.queries[: config.check.texts], sample, reference)
        (folder / "vectors").mkdir()
        ids = [passage["id"] for passage in passages]
        write_passage_vectors(
            folder / "vectors/passages.parquet",
            ids,
            corpus.texts,
            vectors,
            int8=config.int8_vectors,
            binary=config.binary_vectors,
        )
        said = f"model {_megabytes(folder / 'model')}"
        if config.onnx:
            of_onnx, summary = _write_onnx(model, folder / "onnx", check, sample, reference, config)
            report |= of_onnx
            said += f", {summary}"
        files.write_json(folder / "parity.json", report)
        write_manifest(folder)
    if (warning := not_to_deploy(files.read_json(paths.METRICS))) is not None:
        note(warning)
    return said


def not_to_deploy(metrics: Mapping[str, Any]) -> str | None:
    """What to say where the verdict, in the evaluation's metrics.json, is against the model that is exported."""
    if metrics["verdict"] != "keep_base":
        return None
    if metrics["similarity_to_base"] > UNCHANGED:
        return "The verdict is keep_base, and the export is the base model: it need not be deployed anew."
    return (
        "The verdict is keep_base: the export holds the tuned model nevertheless. Do not deploy it in place of the "
        f"base model; the report recommends {metrics['recommend']}."
    )


def _examples(
    judged: judged_queries.Judged,
    queries: Vectors,
    passages: Sequence[Mapping[str, Any]],
    corpus: Corpus,
    vectors: Vectors,
    seed: int,
) -> list[Example]:
    """Some queries of the main test set, drawn at random, with what the model finds first for each."""
    main_rows = judged.sets[judged.main_set].tolist()
    rows = sorted(random.Random(seed).sample(main_rows, min(_EXAMPLES, len(main_rows))))
    found = ranking.nearest(queries[rows], vectors, 1)[0][:, 0].tolist()
    return [
        Example(
            judged.texts[row],
            passages[one]["title"],
            passages[one]["text"],
            answers=int(corpus.section_of[one]) in judged.relevant[row],
        )
        for row, one in zip(rows, found, strict=True)
    ]


def _write_model(
    config: ExportConfig, model: SentenceTransformer, folder: Path, dimension: int, examples: Sequence[Example]
) -> None:
    # copyfile, since some of the files are private to their owner.
    shutil.copytree(
        paths.MODEL,
        folder,
        copy_function=shutil.copyfile,
        ignore=shutil.ignore_patterns(tuned_model.HISTORY, tuned_model.PASSAGES),
    )
    text = card(
        config.model,
        files.read_json(paths.METRICS),
        files.read_json(paths.DATASET_REPORT),
        files.read_json(paths.MODEL / tuned_model.HISTORY),
        prompts=model.prompts,
        max_tokens=model.max_seq_length,
        dimension=dimension,
        confidence=config.confidence,
        examples=examples,
    )
    files.write_text(folder / "README.md", text)


def _check_reload(
    model: SentenceTransformer, folder: Path, queries: Sequence[str], passages: Sequence[str], reference: Vectors
) -> None:
    """Raise UserError where the written model is not `model`; `reference` has its vectors of `passages`."""
    with progress("loading the export in a fresh process", 1) as bar:
        found = encode_afresh(folder, queries, passages)
        bar.advance()
    expected = (encoder.encode(model, queries, "query", bf16=False, batch_size=32), reference)
    worst = min(parity(a, b).min for a, b in zip(expected, found, strict=True))
    if not worst >= _SAME_MODEL:
        raise UserError(f"the exported model gives other vectors than {paths.MODEL} (cosine {worst:.6f})")


def _write_onnx(
    model: SentenceTransformer,
    folder: Path,
    check: Check,
    sample: Sequence[str],
    reference: Vectors,
    config: ExportConfig,
) -> tuple[dict[str, Any], str]:
    """Write the ONNX folder; return what its files lose, for the report and in words.

    `reference` has the vectors of `sample` by `model`. Where int8 loses too much, the layers that hurt most are kept in
    float32, one, two, four and so on up to half of them; where that does not save it, there is no int8 file.
    """
    folder.mkdir()
    model.tokenizer.save_pretrained(str(folder))
    shutil.copyfile(paths.MODEL / _PROMPTS, folder / _PROMPTS)  # they are not in the graph
    fp32, int8 = folder / "model.onnx", folder / "model_int8.onnx"
    with progress("writing ONNX", 2) as bar:
        write_fp32(model, fp32)
        bar.advance()
        write_int8(fp32, int8)
        bar.advance()

    def encode(path: Path, kind: encoder.Kind, texts: Sequence[str], label: str) -> Vectors:
        prompted = [f"{model.prompts[kind]}{text}" for text in texts]
        return OnnxEncoder(path, model.tokenizer).encode(prompted, batch_size=config.batch_size, label=label)

    same = _cosines(reference, encode(fp32, "document", sample, "encoding the sample in ONNX"))
    if not same["min"] >= _SAME_GRAPH:
        raise UserError("the ONNX graph gives other vectors than the model: set `export.onnx` to false")

    def near() -> dict[str, float]:
        return _cosines(reference, encode(int8, "document", sample, "encoding the sample in int8"))

    def lost() -> Loss:
        return check.loss(
            encode(int8, "query", check.queries, "encoding queries in int8"),
            encode(int8, "document", check.passages.texts, "encoding passages in int8"),
        )

    kept: list[list[str]] = []
    loss = lost()
    if loss.lost > config.max_loss:
        order = by_harm(fp32, int8, lambda _: 1 - near()["mean"])
        for count in (2**power for power in range((len(order) // 2).bit_length())):
            kept = order[:count]
            write_int8(fp32, int8, {name for layer in kept for name in layer})
            if (loss := lost()).lost <= config.max_loss:
                break
    exported = loss.lost <= config.max_loss
    cosine = near()
    names = [name for layer in kept for name in layer]
    report = {
        "onnx/model.onnx": {"cosine": same},
        "onnx/model_int8.onnx": {
            "cosine": cosine, "ndcg@10": asdict(loss), "kept_in_float32": names, "exported": exported,
        },
    }  # fmt: skip
    said = f"ONNX {_megabytes(*folder.glob('model.onnx*'))}"
    change = f"NDCG@10 {0 - loss.lost:+.4f} ± {loss.standard_error:.4f}"
    if exported:
        measured = f"cosine {cosine['mean']:.4f}, least {cosine['min']:.4f}; {change}"
        still = f", with {', '.join(names)} in float32" if names else ""
        return report, f"{said}, int8 {_megabytes(int8)} ({measured}){still}"
    int8.unlink()
    tried = f", with {len(kept)} of {len(order)} layers in float32 too" if kept else ""
    return report, f"{said}, no int8: {change}, more than `export.max_loss` allows ({config.max_loss}){tried}"


def _cosines(reference: Vectors, candidate: Vectors) -> dict[str, float]:
    return {name: round(value, 6) for name, value in asdict(parity(reference, candidate)).items()}


def _megabytes(*places: Path) -> str:
    """The size of files and folders."""
    size = sum(files.folder_size(place) if place.is_dir() else place.stat().st_size for place in places)
    return f"{size / 1e6:.0f} MB"


if __name__ == "__main__":
    run_stage("export", work)
