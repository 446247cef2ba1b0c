"""The memory that a process may take: what is free, and the bound on what it holds of a large corpus."""

import os
from pathlib import Path

from fieldtune.runtime.errors import UserError

MEMORY_GB = "FIELDTUNE_MEMORY_GB"  # environment variable; no setting of a stage: no output depends on it
_SHARE = 0.75  # of the free memory
_CGROUP = Path("/sys/fs/cgroup")


def limit() -> int:
    """Bytes that a corpus's vectors may take: FIELDTUNE_MEMORY_GB, or three quarters of what is free.

    Raises UserError if the variable is not a number above 0.
    """
    given = os.environ.get(MEMORY_GB, "").strip()
    if not given:
        return int(_SHARE * free_memory())
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = 0.0
    if not 0 < gigabytes < float("inf"):
        raise UserError(f"{MEMORY_GB}: {given} is not a number of gigabytes above 0: correct or unset it")
    return int(gigabytes * 1e9)


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, or of its container."""
    import psutil  # not in the container of the service

    free = psutil.virtual_memory().available
    limit, used, parts = (_CGROUP / f"memory.{name}" for name in ("max", "current", "stat"))
    if limit.is_file() and used.is_file() and parts.is_file() and (most := limit.read_text().strip()) != "max":
        # The container's usage includes cached files, which it drops when memory is short.
        stat = dict(line.split() for line in parts.read_text().splitlines())
        free = min(free, int(most) - int(used.read_text()) + int(stat.get("inactive_file", 0)))
    return free // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # of the processes on this machine
