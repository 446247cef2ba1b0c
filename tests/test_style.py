"""What STYLE.md and dvc.yaml's readers may count on: one place for a place."""

import ast
from pathlib import Path

from fieldtune.runtime import paths
from tests.imports import ROOT, modules


def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def test_dvc_yaml_has_at_most_300_lines() -> None:
    assert len((ROOT / "dvc.yaml").read_text(encoding="utf-8").splitlines()) <= 300


def test_the_place_of_an_empty_table_stands_in_the_code_once() -> None:
    assert paths.NONE.as_posix() == "data/none.jsonl"
    for module in modules("fieldtune", "stages", "benchmarks"):
        literals = [node.value for node in ast.walk(tree(module)) if isinstance(node, ast.Constant)]
        places = [text for text in literals if isinstance(text, str) and text.endswith("none.jsonl")]
        assert places == (["none.jsonl"] if module == ROOT / "fieldtune/runtime/paths.py" else []), module
