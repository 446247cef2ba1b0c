"""Structured logs: one JSON object per line on standard output, never a text or a key."""

import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

import orjson


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # Not the exception's own words: they may quote a text.
            frames = traceback.extract_tb(record.exc_info[2])
            line["error"] = record.exc_info[0].__name__
            line["at"] = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-5:]]
        return orjson.dumps(line, default=str).decode()


def configure() -> None:
    """Send everything that this process logs to standard output; uvicorn's own lines from warnings up."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Json())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("fieldtune").setLevel(logging.INFO)
