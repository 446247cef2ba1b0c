"""`make constraints`: constraints.txt, the whole environment as pip resolves it, `name==version` a line."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from fieldtune.corpus import files

FILE = Path("constraints.txt")
HEADER = """\
# All packages of `pip install -e '.[test,docs]'`, in the versions that the tests run with: Python {python} on {system}.
# `make constraints` writes this file; `pip install --constraint constraints.txt -e .` installs these versions.
"""


def resolve() -> dict[str, Any]:
    """pip's report of what it would install into an empty environment."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
    done = subprocess.run([*command, "--report", "-", "-e", ".[test,docs]"], check=True, stdout=subprocess.PIPE)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def constraints(report: Mapping[str, Any]) -> str:
    """The lines of constraints.txt, without this project itself; a build's local label (`+cpu`) is left out."""
    packages = [entry["metadata"] for entry in report["install"] if "dir_info" not in entry["download_info"]]
    versions = {canonicalize_name(each["name"]): each["version"].partition("+")[0] for each in packages}
    version = ".".join(platform.python_version_tuple()[:2])
    header = HEADER.format(python=version, system=platform.system())
    return header + "".join(f"{name}=={versions[name]}\n" for name in sorted(versions))


if __name__ == "__main__":
    files.write_text(FILE, constraints(resolve()))
