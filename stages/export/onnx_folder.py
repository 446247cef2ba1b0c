"""The ONNX folder of the export: the graph in float32, and the one in int8 if that loses little enough."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.models import encoder
from fieldtune.runtime.console import progress
from fieldtune.runtime.errors import UserError
from stages.export.config import ExportConfig
from stages.export.int8_graph import by_harm, write_int8
from stages.export.int8_loss import Check, Loss
from stages.export.model_folder import rename_tokenizer_class
from stages.export.onnx import OnnxEncoder, write_fp32
from stages.export.parity import Sample, Vectors

_SAME_GRAPH = 0.9999  # lowest cosine of two encodings in float32 by different code (`not >=` below rejects NaN, too)
_CONFIG, _PROMPTS = "config.json", "config_sentence_transformers.json"

_Encode = Callable[[Path, encoder.Kind, Sequence[str], str], Vectors]  # a graph, kind of text, texts, progress label


@dataclass(frozen=True)
class _Int8:
    """The graph in int8: its loss, and the layers kept in float32 to limit it."""

    loss: Loss
    cosine: dict[str, float]
    kept: list[list[str]]  # names of products, by layer
    layers: int  # those that were compared; 0 if none had to be kept

    @property
    def kept_names(self) -> list[str]:
        return [name for layer in self.kept for name in layer]


def write_onnx_folder(
    model: SentenceTransformer, folder: Path, check: Check, sample: Sample, config: ExportConfig
) -> tuple[dict[str, Any], str]:
    """Write the ONNX folder; return what its files lose, for parity.json and in words.

    There is no int8 file if it loses more than `export.max_loss`. Raises UserError if the graph in float32 does not
    match the model.
    """
    folder.mkdir()
    model.tokenizer.save_pretrained(str(folder))
    rename_tokenizer_class(folder)
    for name in (_CONFIG, _PROMPTS):  # optimum and transformers.js look for the first; prompts are not in the graph
        shutil.copyfile(folder.parent / "model" / name, folder / name)
    fp32, int8 = folder / "model.onnx", folder / "model_quantized.onnx"
    with progress("writing ONNX", 2) as bar:
        write_fp32(model, fp32)
        bar.advance()
        write_int8(fp32, int8)
        bar.advance()

    def encode(path: Path, kind: encoder.Kind, texts: Sequence[str], label: str) -> Vectors:
        prompted = [f"{model.prompts[kind]}{text}" for text in texts]
        return OnnxEncoder(path, model.tokenizer).encode(prompted, batch_size=config.batch_size, label=label)

    cosine = sample.cosines(encode(fp32, "document", sample.texts, "encoding the sample in ONNX"))
    if not cosine["min"] >= _SAME_GRAPH:
        raise UserError("the ONNX graph's vectors differ from the model's: set `export.onnx: false`")
    quantized = _mend_int8(fp32, int8, encode, check, sample, config.max_loss)
    exported = quantized.loss.lost <= config.max_loss
    report = {
        "onnx/model.onnx": {"cosine": cosine},
        "onnx/model_quantized.onnx": {
            "cosine": quantized.cosine,
            "ndcg@10": asdict(quantized.loss),
            "kept_in_float32": quantized.kept_names,
            "exported": exported,
        },
    }
    summary = f"ONNX {files.human_size(files.disk_size(*folder.glob('model.onnx*')))}, "
    if exported:
        return report, summary + _exported_summary(quantized, files.human_size(files.disk_size(int8)))
    int8.unlink()
    return report, summary + _left_out_summary(quantized, config.max_loss)


def _mend_int8(fp32: Path, int8: Path, encode: _Encode, check: Check, sample: Sample, max_loss: float) -> _Int8:
    """Measure the graph in int8, and write it again with layers in float32 if it loses more than `max_loss`.

    The layers that lose most are kept: one, two, four and so on up to half of them.
    """

    def cosine() -> dict[str, float]:
        return sample.cosines(encode(int8, "document", sample.texts, "encoding the sample in int8"))

    def measure() -> Loss:
        return check.loss(
            encode(int8, "query", check.queries, "encoding queries in int8"),
            encode(int8, "document", check.passages.texts, "encoding passages in int8"),
        )

    order: list[list[str]] = []
    kept: list[list[str]] = []
    loss = measure()
    if loss.lost > max_loss:
        order = by_harm(fp32, int8, lambda _: 1 - cosine()["mean"])
        for count in (2**power for power in range((len(order) // 2).bit_length())):
            kept = order[:count]
            write_int8(fp32, int8, {name for layer in kept for name in layer})
            if (loss := measure()).lost <= max_loss:
                break
    return _Int8(loss, cosine(), kept, len(order))


def _exported_summary(int8: _Int8, size: str) -> str:
    cosine = f"cosine {int8.cosine['mean']:.4f}, lowest {int8.cosine['min']:.4f}"
    still = f", with {', '.join(int8.kept_names)} in float32" if int8.kept else ""
    return f"int8 {size} ({cosine}; {_change(int8.loss)}){still}"


def _left_out_summary(int8: _Int8, max_loss: float) -> str:
    tried = f", even with {len(int8.kept)} of {int8.layers} layers in float32" if int8.kept else ""
    return f"no int8: {_change(int8.loss)}, more than `export.max_loss` allows ({max_loss}){tried}"


def _change(loss: Loss) -> str:
    return f"NDCG@10 {0 - loss.lost:+.4f} ± {loss.standard_error:.4f}"
