"""The processes that run a stage together, one per device; usually there is one, and nothing here does anything.

`accelerate launch` or torchrun start them. What they share is gathered in the order of their ranks.
"""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
import yaml
from torch import Tensor

from fieldtune.models import checks
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.stage import LAUNCHED

_ROWS = 65536  # added up at once
_single = False


def launch(stage: str, launcher: str | None) -> None:
    """Run the stage once per process that `launcher`, a file of `accelerate config`, names; then end this process.

    Returns at once, with the processes connected, in a launched process; and if there is no launcher, or one for a
    single process. Raises UserError if the file is not found, or starts processes that are not connected.
    """
    if "WORLD_SIZE" in os.environ:
        from accelerate import PartialState

        warnings.filterwarnings(
            "ignore", "`broadcast_buffers` is deprecated", FutureWarning
        )  # accelerate always triggers it
        PartialState(cpu=not torch.cuda.is_available())
    elif launcher is not None:
        checks.check_launcher(launcher)
        config = yaml.safe_load(Path(launcher).read_text(encoding="utf-8"))
        if config.get("num_processes") == 1:
            return
        if LAUNCHED in os.environ:
            raise UserError(
                f"launcher: {launcher} starts no processes that train together: run `accelerate config --config_file "
                f"{launcher}`, and choose multi-GPU, even without a GPU"
            )
        here = (config.get("num_processes") or 1) // (config.get("num_machines") or 1)
        threads = os.environ.get("OMP_NUM_THREADS", str(max(1, torch.get_num_threads() // max(1, here))))
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "accelerate.commands.launch", "--config_file", launcher),
                *("--mixed_precision", "no"),  # `precision:` decides
                *("-m", f"stages.{stage}"),
            ],
            env={**os.environ, LAUNCHED: "1", "OMP_NUM_THREADS": threads},  # the default is one thread
            check=False,
        )
        sys.exit(ended.returncode)


@contextmanager
def as_single_process() -> Iterator[None]:
    """A block in which each process counts as the only one: what it does may fail in one and not in others."""
    global _single
    _single = True
    try:
        yield
    finally:
        _single = False


def count() -> int:
    """The number of processes."""
    if _single:
        return 1
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number; the first, 0, writes the outputs."""
    return dist.get_rank() if count() > 1 else 0


def wait() -> None:
    """Wait until all processes are here."""
    if count() > 1:
        dist.barrier()


def gather(rows: Tensor) -> tuple[Tensor, int]:
    """The rows of all processes, and where this one's begin; gradients flow back to the process a row came from.

    `rows`: [n, …], with a different n per process.
    """
    if count() == 1:
        return rows, 0
    sizes = [int(size) for size in _all(torch.tensor([len(rows)], device=rows.device))]
    padded = torch.zeros((max(sizes), *rows.shape[1:]), dtype=rows.dtype, device=rows.device)
    padded[: len(rows)] = rows
    parts: Tensor = _Gather.apply(padded) if rows.requires_grad else torch.stack(_all(padded))  # type: ignore[no-untyped-call]
    joined = torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
    return joined, sum(sizes[: rank()])


def total(number: int, device: torch.device) -> int:
    """The sum of a number over all processes."""
    if count() == 1:
        return number
    summed = torch.tensor(number, device=device)
    dist.all_reduce(summed)
    return int(summed)


def add_up(table: npt.NDArray[np.float32], device: torch.device) -> None:
    """Add the processes' tables, [n, dimension], in place: each has filled its own rows, the others are 0."""
    if count() == 1:
        return
    for start in range(0, len(table), _ROWS):
        part = torch.from_numpy(table[start : start + _ROWS]).to(device)
        dist.all_reduce(part)
        table[start : start + _ROWS] = part.cpu().numpy()


def _all(tensor: Tensor) -> list[Tensor]:
    tensors = [torch.empty_like(tensor) for _ in range(count())]
    dist.all_gather(tensors, tensor.contiguous())
    return tensors


class _Gather(torch.autograd.Function):
    """[n, …] of each process → [processes, n, …]; torch.distributed.nn's is deprecated."""

    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        return torch.stack(_all(rows))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient[rank()]
