"""`fieldtune serve`: serve the export over HTTP.

The container runs it as `python -m fieldtune.commands.serve`.
"""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldtune.runtime.errors import UserError
from fieldtune.serve.settings import MODELS, VECTORS, ServeSettings

ABOUT = "serve the export over HTTP with OpenAI's embeddings API; FIELDTUNE_API_KEY sets the key that clients must send"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    number: Any = {"type": _positive, "metavar": "N"}
    parser.add_argument("folder", type=Path, nargs="?", default=Path("data/export"), help="default: data/export")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0: any free port")
    parser.add_argument("--name", default="fieldtune", help="the model's name for clients (default: fieldtune)")
    parser.add_argument(
        "--model",
        choices=MODELS,
        default="auto",
        help="int8 and fp32: ONNX; auto: torch on a GPU, otherwise int8 if it was exported",
    )
    parser.add_argument(
        "--vectors",
        choices=VECTORS,
        default="float32",
        help="of the passages in /v1/search; int8, if exported: a quarter of the memory (default: float32)",
    )
    parser.add_argument("--workers", default=1, help="processes, each with its own model (default: 1)", **number)
    parser.add_argument("--threads", help="threads per worker's model (default: its share of the cores)", **number)
    parser.add_argument("--batch-tokens", help="tokens encoded at once (default: 256, on a GPU 16384)", **number)
    parser.add_argument(
        "--queue-tokens", default=600_000, help="tokens that may wait; beyond that: 429 (default: 600000)", **number
    )
    parser.add_argument("--max-requests", default=512, help="requests per worker; beyond: 429 (default: 512)", **number)
    parser.add_argument("--max-inputs", default=2048, help="texts per request (default: 2048)", **number)
    parser.add_argument("--max-tokens", default=300_000, help="tokens per request (default: 300000)", **number)
    parser.add_argument("--max-bytes", default=8_000_000, help="bytes of a request's body (default: 8000000)", **number)
    parser.add_argument(
        "--cors-origin",
        action="append",
        default=[],
        dest="cors_origins",
        metavar="ORIGIN",
        help="origin of web pages that may ask, such as https://example.com; *: any; repeatable",
    )
    parser.add_argument(
        "--prefix",
        type=_prefix,
        default="",
        help="prefix of all paths that a proxy does not strip, such as /embed (default: none)",
    )
    parser.add_argument(
        "--token-ids",
        action="store_true",
        help="accept token ids without this model's special tokens around them",
    )


def serve(host: str, port: int, threads: int | None, workers: int, cors_origins: Sequence[str], **options: Any) -> str:
    """Serve until SIGTERM or Ctrl-C; the other `options` are those of ServeSettings.

    Raises UserError if the export is incomplete or the address is in use.
    """
    from fieldtune.serve import server

    each = threads or max(1, cores() // workers)
    origins = tuple(origin.rstrip("/") for origin in cors_origins)
    server.serve(ServeSettings(threads=each, workers=workers, cors_origins=origins, **options), host, port)
    return ""  # everything is in the log


def cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The cores that this process may use: by the machine, its affinity, and its container's `quota` (cgroup 2)."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, _, period = quota.read_text(encoding="utf-8").partition(" ")
    except OSError:  # not Linux, or cgroup 1
        return available
    return available if allowed == "max" else max(1, min(available, round(int(allowed) / int(period))))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _prefix(text: str) -> str:
    path = f"/{text.strip('/')}".rstrip("/")
    if not re.fullmatch(r"(/[\w.~-]+)*", path, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a path such as /embed")
    return path


if __name__ == "__main__":
    main_parser = argparse.ArgumentParser(prog="python -m fieldtune.commands.serve", description=ABOUT)
    arguments(main_parser)
    try:
        serve(**vars(main_parser.parse_args()))
    except UserError as error:
        sys.exit(str(error))
