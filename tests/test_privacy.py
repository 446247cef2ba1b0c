"""What runs here reports to nobody."""

import os
import subprocess
import sys
from pathlib import Path


def test_onnxruntime_makes_no_identifier_of_the_machine(tmp_path: Path) -> None:
    """Its telemetry begins with one, in the home directory, unless it is switched off before it loads."""
    # Without `CI`, for which it is silent by itself.
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", "import fieldtune.serve.app, onnxruntime"], check=True, env=environment)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
