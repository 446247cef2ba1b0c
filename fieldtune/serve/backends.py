"""The model behind the service: an exported graph in onnxruntime, or the model folder in torch."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fieldtune.runtime.errors import UserError
from fieldtune.serve.exported import Exported

Vectors = npt.NDArray[np.float32]

# `batch_tokens` and `run_cost`. On a CPU, batches gain nothing beyond 256 tokens: MiniLM in int8 takes 4.1 ms of CPU
# for a text of 10 tokens alone and 2.0 ms among 16, and a text of 256 tokens is no faster among others.
_CPU = (256, 16)
_GPU = (16_384, 2048)
_AT_ONCE = 32  # tokens; 3 to 7 ms with a file of up to
_SMALL = 100_000_000  # bytes


class Backend(Protocol):
    """An encoder of token ids as they are; called by one thread at a time, whichever."""

    name: str  # int8, fp32 or torch, with the device
    dimension: int
    batch_tokens: int  # a larger batch is no faster
    run_cost: int  # the fixed cost of a run, in tokens
    at_once: int  # tokens of a run that takes hardly longer than waking a thread; 0: there is none

    def encode(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """Unit vectors, float32 [len(ids), dimension]."""
        ...


def choose(exported: Exported, model: str) -> str:
    """Resolve `auto`: torch on a GPU, otherwise the first of int8, fp32 and torch that was exported.

    Raises UserError if the export does not have the model.
    """
    available = [name for name in ("int8", "fp32") if exported.graph(name).is_file()]
    if exported.weights("torch") and find_spec("torch"):  # the container has neither
        available.append("torch")
    if model == "auto":
        if "torch" in available and _has_gpu():
            return "torch"
        if available:
            return available[0]
        raise UserError(f"{exported.folder} contains no model: run `dvc repro export`")
    if model not in available:
        raise UserError(
            f"{exported.folder} has no model for `--model {model}`; available: {', '.join(available) or 'none'}"
        )
    return model


def open_backend(exported: Exported, model: str, threads: int) -> Backend:
    """Load the chosen backend and encode once, so that the first request is no slower than others.

    Raises UserError if the files are broken.
    """
    backend: Backend
    if model == "torch":
        backend = TorchBackend(exported.torch_model, exported.padding, threads)
    else:
        backend = OnnxBackend(exported.graph(model), model, exported.padding, threads)
    backend.encode([[exported.padding] * 8])
    return backend


class OnnxBackend:
    """An exported graph on the CPU."""

    def __init__(self, path: Path, precision: str, padding: int, threads: int) -> None:
        # A large model's weights lie beside the graph.
        small = sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*")) <= _SMALL
        self._session = _onnx_session(path, threads)
        # Threads that share a short run wait for each other more than they save, so it has a single-threaded session.
        self._short = _onnx_session(path, 1) if small and threads > 1 else self._session
        self._padding = padding
        self.name = f"{precision} on the CPU"
        self.batch_tokens, self.run_cost = _CPU
        self.at_once = _AT_ONCE if small else 0
        self.dimension = int(self._session.get_outputs()[0].shape[1])

    def encode(self, ids: Sequence[Sequence[int]]) -> Vectors:
        tokens, mask = padded(ids, self._padding)
        session = self._short if tokens.size <= self.at_once else self._session
        vectors: Vectors = session.run(["sentence_embedding"], {"input_ids": tokens, "attention_mask": mask})[0]
        return vectors


def _onnx_session(path: Path, threads: int) -> Any:
    """An onnxruntime session. Raises UserError if the file is broken."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors
    # Batches have any shape: memory planned for one is useless for the next, and is never released.
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = False
    # Otherwise the model's threads spin between batches, on the cores that the server itself needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            path,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"],  # slower than its parts: int8 takes a quarter longer
        )
    except Exception as error:  # the class depends on what is broken
        raise UserError(f"{path} could not be loaded ({error}): run `dvc repro export`") from error


class TorchBackend:
    """The Sentence Transformers folder in float32, on a GPU if there is one."""

    at_once = 0

    def __init__(self, folder: Path, padding: int, threads: int) -> None:
        import torch

        from fieldtune.models import encoder

        torch.set_num_threads(threads)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._torch: Any = torch
        self._model = encoder.load_folder(folder, device=device).eval()
        self._padding = padding
        self.name = f"torch on the {'GPU' if device == 'cuda' else 'CPU'}"
        self.batch_tokens, self.run_cost = _GPU if device == "cuda" else _CPU
        self.dimension = self._model.get_embedding_dimension() or 0

    def encode(self, ids: Sequence[Sequence[int]]) -> Vectors:
        torch = self._torch
        tokens, mask = (torch.from_numpy(each).to(self._model.device) for each in padded(ids, self._padding))
        with torch.inference_mode():
            features = self._model({"input_ids": tokens, "attention_mask": mask})
            embedded = features["sentence_embedding"][:, : self.dimension].float()
            vectors: Vectors = torch.nn.functional.normalize(embedded, dim=1).cpu().numpy()
        return vectors


def padded(ids: Sequence[Sequence[int]], padding: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Token ids and attention mask, [len(ids), longest] each."""
    lengths = np.array([len(row) for row in ids])
    mask = np.arange(lengths.max()) < lengths[:, None]
    tokens = np.full(mask.shape, padding, dtype=np.int64)
    tokens[mask] = np.concatenate([np.asarray(row, dtype=np.int64) for row in ids])
    return tokens, mask.astype(np.int64)


def _has_gpu() -> bool:
    """Tell if torch would use a GPU; torch, which takes seconds to import, is imported only if there is a driver."""
    if not any(Path(place).exists() for place in ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")):
        return False
    import torch

    return torch.cuda.is_available()
