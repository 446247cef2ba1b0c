"""The choice of arithmetic, on what some processors say of themselves."""

import platform
import time
from pathlib import Path

import pytest
import torch

from fieldtune.models import precision

INTEL = (
    "processor\t: 0\nmodel name\t: Intel(R) Xeon(R)\nflags\t\t: fpu avx512f amx_bf16 amx_tile\nbugs\t\t: spectre_v2\n"
)
INTEL_WITHOUT_AMX = "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R)\nflags\t\t: fpu avx512f avx512_bf16\n"
AMD = "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx512f avx512_bf16\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd sve bf16\nCPU implementer\t: 0x41\n"
OLD = "processor\t: 0\nmodel name\t: an old one, without bf16\nflags\t\t: fpu sse4_2 avx2\n"


@pytest.mark.parametrize(
    ("cpuinfo", "has"),
    [(INTEL, True), (INTEL_WITHOUT_AMX, False), (AMD, True), (ARM, True), (OLD, False), ("", False)],
)
def test_the_flags_say_what_is_fast_on_the_cpu(cpuinfo: str, has: bool) -> None:
    assert precision.cpu_has_bf16(cpuinfo) is has


@pytest.mark.skipif(
    torch.cuda.is_available() or not Path("/proc/cpuinfo").is_file() or platform.machine() != "x86_64",
    reason="a GPU decides, or there is nothing to compare with",
)
def test_this_cpu_is_read_as_torch_reads_it() -> None:
    capabilities = torch.cpu.get_capabilities()
    amd = "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    has = capabilities.get("amx_bf16") or (amd and capabilities.get("avx512_bf16"))
    assert precision.use_bf16("auto") is bool(has)


@pytest.mark.parametrize("has", [True, False])
def test_the_hardware_decides_unless_the_user_does(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_reported", lambda: has)
    chosen = {choice: precision.use_bf16(choice) for choice in ("auto", "bf16", "fp32")}
    assert chosen == {"auto": has, "bf16": True, "fp32": False}


def test_a_cpu_that_multiplies_wrongly_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_reported", lambda: True)
    exact = torch.Tensor.bfloat16
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: exact((tensor * 8).round() / 8))  # 3 bits are kept
    assert precision.use_bf16("auto") is False


def test_no_clock_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> float:
        raise AssertionError("a clock was read")

    for clock in ("time", "monotonic", "perf_counter", "process_time", "perf_counter_ns", "monotonic_ns", "time_ns"):
        monkeypatch.setattr(time, clock, refuse)
    monkeypatch.setattr(precision, "_reported", lambda: True)
    assert precision.use_bf16("auto") is True
