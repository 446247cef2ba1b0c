"""`fieldtune doctor`: the facts that a bug report needs, and what comes next; no key, text or path of a document."""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import yaml

from fieldtune.commands import params
from fieldtune.commands.estimate import estimate
from fieldtune.commands.serve import cores
from fieldtune.commands.version_control import run_dvc
from fieldtune.corpus import files
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError

ABOUT = "show versions, hardware, memory and disk, keys, the stages' states and the next command, for a bug report"

_PACKAGES = (
    *("fieldtune", "torch", "sentence-transformers", "transformers", "tokenizers", "accelerate", "datasets"),
    *("onnxruntime", "numpy", "dvc", "hydra-core", "omegaconf", "fastapi", "uvicorn", "huggingface-hub"),
)
_KEYS = (
    *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "HF_TOKEN", "FIELDTUNE_API_KEY"),
    *("HTTP_PROXY", "HTTPS_PROXY", "CUDA_VISIBLE_DEVICES"),
)
_WEIGHTS = 4  # bytes of a parameter in float32
_ADAM = 4  # weights, gradients, two moments
_COPIES = 5  # of the model on the disk: checkpoints, the tuned one, its export and graphs
_TABLES = 4  # of vectors on the disk: the base's, the tuned model's, the export's, the cache's
_BESIDE = 2_000_000_000  # bytes of memory for libraries, texts and activations
_UTILISED = 0.3  # share of the speed of a large product that a small model reaches
_QUERIES = 4  # per passage, if there are none yet


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", dest="as_json", help="for programs: one JSON object")


def doctor(as_json: bool) -> str:
    """Examine the machine and the repository; nothing is changed, bought or sent.

    What cannot be examined is said in its place, and ends nothing.
    """
    sizes = _sizes()
    stages = _tried(_stages)
    checked = _tried(_settings)
    report = {
        "versions": _versions(),
        "machine": _machine(),
        "memory": {"available": psutil.virtual_memory().available, "needed": _memory_needed(sizes)},
        "disk": {"free": shutil.disk_usage(Path.cwd()).free, "needed": _disk_needed(sizes)},
        "environment": {name: bool(os.environ.get(name, "").strip()) for name in _KEYS},
        "settings": checked,
        "stages": stages,
        "cost": _tried(lambda: estimate(None)),
        "seconds": _tried(lambda: _seconds(sizes)),
        "next": _next(stages, checked),
    }
    return json.dumps(report, indent=2) if as_json else _text(report)


def _tried(work: Callable[[], Any]) -> Any:
    """Return the work's result, or its message if it fails, whatever it fails with."""
    try:
        return work()
    except UserError as error:
        return {"error": str(error)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"python": platform.python_version(), "system": platform.platform()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _machine() -> dict[str, Any]:
    import torch

    from fieldtune.models.precision import use_bf16

    cuda = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    gpus = [{"name": gpu.name, "memory": gpu.total_memory} for gpu in cuda]
    if torch.backends.mps.is_available():  # Apple's, which shares the CPU's memory
        gpus.append({"name": torch.backends.mps.get_name(), "memory": psutil.virtual_memory().total})
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory": psutil.virtual_memory().total,
        "gpus": gpus,
        "arithmetic": "bf16" if use_bf16("auto") else "fp32",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _settings() -> dict[str, Any]:
    """The choices of params.yaml. Raises UserError as composing does."""
    from fieldtune.models import base_models
    from stages.compose.compose import compose

    params.refuse_unreadable_places(params.read()[1])
    config = compose(paths.PARAMS, paths.CONF)
    return {
        "model": config.model.name,
        "downloaded": not config.model.on_hub or base_models.find(config.model) is not None,
        "providers": list(config.generate.generator.providers),
        "pinned": config.pin != str(paths.NONE),
    }


def _sizes() -> dict[str, int]:
    """Passages, queries, characters of both, parameters and dimension of the base model, as far as they are known."""
    sizes = {"passages": 0, "queries": 0, "characters": 0, "parameters": 22_700_000, "dimension": 384}
    if paths.PASSAGES.is_file():
        lengths = [len(row["text"]) + len(row["title"]) for row in files.read_jsonl(paths.PASSAGES)]
        sizes |= {"passages": len(lengths), "characters": sum(lengths)}
    sizes["queries"] = _QUERIES * sizes["passages"]
    if paths.QUERIES.is_file():
        sizes["queries"] = sum(1 for _ in files.read_jsonl(paths.QUERIES))
    model = _tried(_model)
    return sizes | (model if "error" not in model else {})


def _model() -> dict[str, int]:
    from fieldtune.models import base_models
    from stages.compose.compose import compose

    folder = base_models.find(compose(paths.PARAMS, paths.CONF).model)
    if folder is None:
        return {}
    weights = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    width = files.read_json(folder / "config.json").get("hidden_size", 384)
    return {"parameters": max(1, weights // _WEIGHTS), "dimension": int(width)}


def _memory_needed(sizes: Mapping[str, int]) -> int:
    table = 4 * sizes["dimension"] * (sizes["passages"] + sizes["queries"])
    return _ADAM * _WEIGHTS * sizes["parameters"] + 2 * table + _BESIDE


def _disk_needed(sizes: Mapping[str, int]) -> int:
    table = 4 * sizes["dimension"] * (sizes["passages"] + sizes["queries"])
    return _COPIES * _WEIGHTS * sizes["parameters"] + _TABLES * table + 4 * sizes["characters"]


def _seconds(sizes: Mapping[str, int]) -> int | None:
    """A rough time of embed, train and evaluate: two operations per parameter and token, three times that in training
    (Kaplan et al. 2020, arXiv:2001.08361), at a part of this machine's speed; None before there are passages.
    """
    if not sizes["passages"]:
        return None
    tokens = sizes["characters"] / 4 * (2 + 3) + sizes["queries"] * 10 * (2 + 3)  # embed and evaluate; train
    return round(2 * sizes["parameters"] * tokens / (_UTILISED * _speed()))


def _speed() -> float:
    """Operations a second of a large product in the arithmetic that would be used."""
    import torch

    from fieldtune.models.precision import use_bf16

    mps = "mps" if torch.backends.mps.is_available() else "cpu"
    device = "cuda" if torch.cuda.is_available() else mps
    kind = torch.bfloat16 if use_bf16("auto") else torch.float32
    left = torch.randn(1024, 1024, device=device, dtype=kind)
    (left @ left).sum().item()
    started = time.perf_counter()
    (left @ left @ left).sum().item()
    return 4 * 1024**3 / max(time.perf_counter() - started, 1e-6)


def _stages() -> dict[str, str]:
    """Each stage's state: done, changed, or never run."""
    lock = Path("dvc.lock")
    run = (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {}) if lock.is_file() else {}
    named = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    params.refuse_unreadable_places(params.read()[1])
    changed = {name.rpartition(":")[2] for name in json.loads(run_dvc("status", "--json"))}
    return {name: "never run" if name not in run else "changed" if name in changed else "done" for name in named}


def _next(stages: Mapping[str, str], checked: Mapping[str, Any]) -> str:
    if "error" in checked:
        return f"correct {paths.PARAMS}"
    if not checked.get("downloaded", True):
        return f"fieldtune use --model {checked['model']}"
    if "error" in stages:
        return "dvc status"
    if any(state != "done" for state in stages.values()):
        return "dvc repro"
    return "fieldtune serve"


def _text(report: Mapping[str, Any]) -> str:
    size = files.human_size
    machine, memory, disk = report["machine"], report["memory"], report["disk"]
    gpus = ", ".join(f"{gpu['name']} ({size(gpu['memory'])})" for gpu in machine["gpus"]) or "none"
    too_little = {"memory": memory["available"] < memory["needed"], "disk": disk["free"] < disk["needed"]}
    arithmetic = f"{machine['cores']} cores; GPU: {gpus}; arithmetic: {machine['arithmetic']}"
    set_now = [name for name, there in report["environment"].items() if there]
    lines = [
        *(f"{name} {version or 'not installed'}" for name, version in report["versions"].items()),
        f"processor: {machine['processor']}, {arithmetic}",
        f"memory: {size(memory['available'])} available, about {size(memory['needed'])} needed",
        f"disk: {size(disk['free'])} free, about {size(disk['needed'])} needed",
        *(f"! too little {name}" for name, true in too_little.items() if true),
        f"set in the environment: {', '.join(set_now) or 'none'} (of {', '.join(_KEYS)})",
        f"settings: {_line(report['settings'])}",
        f"stages: {_line(report['stages'])}",
        f"cost: {_line(report['cost'])}",
        f"time of embed, train and evaluate: {_duration(report['seconds'])}",
        f"next: {report['next']}",
    ]
    return "\n".join(lines)


def _line(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    if "error" in value:
        return str(value["error"])
    return ", ".join(
        f"{key} {', '.join(map(str, one)) if isinstance(one, list) else one}" for key, one in value.items()
    )


def _duration(seconds: Any) -> str:
    if not isinstance(seconds, int):
        return "unknown before `dvc repro ingest`" if seconds is None else _line(seconds)
    return f"about {max(1, round(seconds / 60)):,} min"
