"""What STYLE.md and dvc.yaml's readers may count on: short functions, names to grep for, one place for a place."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from fieldtune.runtime import paths
from tests.imports import ROOT, modules

STYLE = (ROOT / "STYLE.md").read_text(encoding="utf-8")


def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def names(module: Path) -> Iterator[tuple[int, str]]:
    """The names that a module gives, with their lines: of functions, classes, parameters, values and imports."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias):
            yield node.lineno, (node.asname or node.name).rpartition(".")[2]


def test_no_name_is_one_that_style_md_forbids() -> None:
    (sentence,) = re.findall(r"^- Never (.*?) as a name", STYLE, flags=re.MULTILINE | re.DOTALL)
    forbidden = set(re.findall(r"`(\w+)`", sentence))
    assert {"of", "said", "found", "together"} <= forbidden
    given = [
        f"{module.relative_to(ROOT)}:{line}: {name}"
        for module in modules("fieldtune", "stages", "benchmarks")
        for line, name in [*names(module), (1, module.stem), (1, module.parent.name)]
        if name.strip("_") in forbidden
    ]
    assert given == []


def test_no_function_has_more_than_60_lines() -> None:
    long = [
        f"{module.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for module in modules("fieldtune", "stages")
        for node in ast.walk(tree(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or node.lineno) - node.lineno >= 60
    ]
    assert long == []


def test_dvc_yaml_has_at_most_300_lines() -> None:
    assert len((ROOT / "dvc.yaml").read_text(encoding="utf-8").splitlines()) <= 300


def test_the_place_of_an_empty_table_stands_in_the_code_once() -> None:
    assert paths.NONE.as_posix() == "data/none.jsonl"
    for module in modules("fieldtune", "stages", "benchmarks"):
        literals = [node.value for node in ast.walk(tree(module)) if isinstance(node, ast.Constant)]
        places = [text for text in literals if isinstance(text, str) and text.endswith("none.jsonl")]
        assert places == (["none.jsonl"] if module == ROOT / "fieldtune/runtime/paths.py" else []), module
