"""`make picture`: the outputs in examples/tour.ipynb, out of the last run."""

from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbclient import NotebookClient

NOTEBOOK = Path("examples/tour.ipynb")
SOURCE = "export"  # key of the notebook's metadata: the hash that dvc.lock has of data/export
TIMEOUT = 4 * 3600  # seconds per cell, one of which runs the whole pipeline


def run(notebook: Path) -> nbformat.NotebookNode:
    """Run a notebook where it lies; return it with its outputs.

    Raises nbclient.exceptions.CellExecutionError with the cell and its error.
    """
    document: nbformat.NotebookNode = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        document, timeout=TIMEOUT, record_timing=False, resources={"metadata": {"path": str(notebook.parent)}}
    )
    client.execute()
    return document


def exported(lock: Path) -> str:
    """The hash that a dvc.lock has of the export."""
    outs: list[dict[str, Any]] = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]["export"]["outs"]
    return next(str(out["md5"]) for out in outs if out["path"] == "data/export")


def main() -> None:
    """Run the tour, and write it back with its outputs and with the export that they are of."""
    document = run(NOTEBOOK)
    document.metadata[SOURCE] = exported(Path("dvc.lock"))
    nbformat.write(document, NOTEBOOK)


if __name__ == "__main__":
    main()
