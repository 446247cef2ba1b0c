"""A Sentence Transformers model as one ONNX graph in float32, and its encoder."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import ast
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import onnxruntime
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fieldtune.runtime.console import progress
from fieldtune.runtime.errors import UserError
from stages.export.int8_graph import linear

_OPSET = 20  # the first with Gelu as one operator instead of five, a sixth faster; runtimes since January 2024 read it
_LARGEST_FILE = 1_900_000_000  # bytes of weights; Protocol Buffers' limit for the whole is 2 GiB


class _Sentence(torch.nn.Module):
    """The whole pipeline as a function of two tensors; models make their own zeros for token_type_ids.

    Returns the vectors of the texts, and those of their tokens for libraries that do the pooling themselves.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
        vectors = features["sentence_embedding"][:, : self.model.truncate_dim]
        return torch.nn.functional.normalize(vectors, dim=1), features["token_embeddings"]


def _transformer(model: SentenceTransformer) -> PreTrainedModel:
    transformer = getattr(model[0], "auto_model", None)
    if not isinstance(transformer, PreTrainedModel):
        raise UserError("only transformer models export to ONNX: set `export.onnx: false`")
    return transformer


@contextmanager
def _exportable(model: SentenceTransformer) -> Iterator[None]:
    """Use eager attention for a while: its graph lacks the NaN guards of sdpa's and runs half again as fast."""
    transformer, training = _transformer(model), model.training
    attention = transformer.config._attn_implementation
    transformer.set_attn_implementation("eager")
    try:
        yield
    finally:
        transformer.set_attn_implementation(attention)
        model.train(training)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress torch's exporter warnings that come on every run and call for no action."""
    torchvision_missing = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = torchvision_missing.level
    torchvision_missing.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*LeafSpec.* is deprecated", FutureWarning)
            warnings.filterwarnings("ignore", r"# The axis name: \w+ will not be used", UserWarning)
            yield
    finally:
        torchvision_missing.setLevel(level)


def write_fp32(model: SentenceTransformer, path: Path) -> None:
    """Export transformer, pooling and normalisation to `path`, with the weights in `<path>_data` from 2 GB up.

    Inputs `input_ids` and `attention_mask`, int64 [batch, sequence]; outputs `sentence_embedding`, float32
    [batch, dimension], unit length, and `last_hidden_state`, float32 [batch, sequence, hidden size]. The same model
    gives the same bytes. Raises UserError if the architecture cannot be exported.
    """
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")}
    # Neither axis may be 1 here: the exporter would take it as fixed.
    ids = torch.zeros(3, 7, dtype=torch.int64, device=model.device)
    with _quiet(), _exportable(model):
        try:
            program = torch.onnx.export(
                _Sentence(model).eval(),  # without dropout
                (ids, torch.ones_like(ids)),
                input_names=["input_ids", "attention_mask"],
                output_names=["sentence_embedding", "last_hidden_state"],
                dynamic_shapes={"input_ids": axes, "attention_mask": axes},
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            kind = type(_transformer(model)).__name__
            raise UserError(f"{kind} cannot be exported to ONNX: set `export.onnx: false`") from error
    assert program is not None
    _name_linear(program.model.graph)
    # The exporter puts a stack trace on every node, with paths of this machine.
    ClearMetadataAndDocStringPass()(program.model)
    # Constants are folded and shapes inferred already: this silences the quantizer's warning that they are not.
    program.model.metadata_props["onnx.quant.pre_process"] = "onnxruntime.quant"
    weights = sum(value.const_value.nbytes for value in program.model.graph.initializers.values() if value.const_value)
    # The name that optimum and transformers.js look for.
    ir.save(program.model, path, external_data=f"{path.name}_data" if weights > _LARGEST_FILE else None)


def _name_linear(graph: ir.Graph) -> None:
    """Name the matrix products with weights as torch names their modules, for the summary."""
    for node in linear(graph):
        scopes = ast.literal_eval(node.metadata_props["pkg.torch.onnx.name_scopes"])
        node.name = scopes[-2].removeprefix("model.0.model.")  # the last is the function that the module calls


class OnnxEncoder:
    """An encoder that runs an exported graph in onnxruntime, on all cores."""

    def __init__(self, path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count() or 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._tokenizer = tokenizer

    def encode(self, texts: Sequence[str], *, batch_size: int, label: str | None = None) -> npt.NDArray[np.float32]:
        """Encode texts, prompts included: unit vectors, float32 [len(texts), dimension], in input order.

        Texts are cut at the tokenizer's `model_max_length`. `label` shows a progress bar.
        """
        dimension = self._session.get_outputs()[0].shape[1]
        vectors = np.zeros((len(texts), dimension), dtype=np.float32)
        if not texts:
            return vectors  # tokenizers refuse an empty list
        ids = self._tokenizer(list(texts), truncation=True)["input_ids"]
        # Neighbours of similar length share a batch, so that little of it is padding.
        order = sorted(range(len(ids)), key=lambda i: (-len(ids[i]), i))
        with progress(label or "", len(order)) as bar:
            for start in range(0, len(order), batch_size):
                chunk = order[start : start + batch_size]
                batch = self._tokenizer.pad({"input_ids": [ids[i] for i in chunk]}, return_tensors="np")
                inputs = {name: batch[name].astype(np.int64) for name in ("input_ids", "attention_mask")}
                vectors[chunk] = self._session.run(["sentence_embedding"], inputs)[0]
                bar.advance(len(chunk))
        return vectors
