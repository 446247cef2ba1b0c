"""Wheels in the shape of botocore's and awscli's, small enough to make in a test."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from stages.sample.operations import SERVICES

LONG = "This text says at some length what the operation does and to whom."  # more than twelve words


def service(name: str, *operations: tuple[str, str], abbreviation: str | None = None) -> dict[str, Any]:
    """A service model: its operations as (name, documentation)."""
    metadata = {"serviceFullName": f"Amazon {name}"} | ({"serviceAbbreviation": abbreviation} if abbreviation else {})
    return {
        "metadata": metadata,
        "operations": {name: {"name": name, "documentation": text} for name, text in operations},
    }


def write_botocore(file: Path, models: dict[str, dict[str, Any]]) -> None:
    """`models` by folder and version, as `ec2/2016-11-15`; the other services get one operation each."""
    others = {
        f"{name}/2000-01-01": service(name, ("DoIt", f"<p>{LONG} In {name}.</p>"))
        for name in SERVICES.values()
        if not any(key.startswith(f"{name}/") for key in models)
    }
    with ZipFile(file, "w") as archive:
        for key, model in (others | models).items():
            archive.writestr(f"botocore/data/{key}/service-2.json.gz", gzip.compress(json.dumps(model).encode()))
            archive.writestr(f"botocore/data/{key}/paginators-1.json", "{}")
        _metadata(archive, "botocore")


def write_awscli(file: Path, examples: dict[str, str]) -> None:
    """`examples` by path below awscli/examples/."""
    with ZipFile(file, "w") as archive:
        for path, text in examples.items():
            archive.writestr(f"awscli/examples/{path}", text)
        _metadata(archive, "awscli")


def _metadata(archive: ZipFile, package: str) -> None:
    """What pip needs to take it for a wheel."""
    folder = f"{package}-1.0.dist-info"
    archive.writestr(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    archive.writestr(f"{folder}/RECORD", "")


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
