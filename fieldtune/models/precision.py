"""The arithmetic that this machine should use: by what its hardware reports, never by a stopwatch.

A stopwatch could choose another arithmetic, and so give other results, on another day.
"""

from pathlib import Path

import torch

_CPU_FLAGS = {"amx_bf16", "bf16"}  # x86 with AMX, ARM
# Twice as fast as fp32 on AMD's; Intel's, without AMX, reach .16 TFLOP/s in bf16 and .24 in fp32 on two cores.
_AMD, _AMD_FLAG = "AuthenticAMD", "avx512_bf16"
_MAX_ERROR = 0.02  # relative, of a bf16 product against fp32; bf16 keeps 8 bits, so 0.004 is usual


def use_bf16(choice: str) -> bool:
    """Tell whether to compute in bf16 under autocast; `choice` is `auto`, `bf16` or `fp32`."""
    if choice == "auto":
        return _reported() and _accurate()
    return choice == "bf16"


def _reported() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and cpu_has_bf16(cpuinfo.read_text(encoding="utf-8", errors="replace"))


def cpu_has_bf16(cpuinfo: str) -> bool:
    """Tell if Linux's /proc/cpuinfo lists instructions that multiply faster in bf16 than in fp32."""
    names = ("flags", "features", "vendor_id")
    words = {word for line in cpuinfo.splitlines() if line.lower().startswith(names) for word in line.split()}
    return bool(_CPU_FLAGS & words) or {_AMD, _AMD_FLAG} <= words


def _accurate() -> bool:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(64, 384, generator=generator).to(device) for _ in range(2))
    exact = left @ right.T
    rounded = (left.bfloat16() @ right.bfloat16().T).float()
    return float((exact - rounded).norm() / exact.norm()) < _MAX_ERROR
