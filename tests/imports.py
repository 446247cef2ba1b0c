"""Which modules of this repository a module imports."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("fieldtune", "stages", "benchmarks", "scripts", "tests")


def modules(*folders: str) -> list[Path]:
    """All modules below these folders of the repository."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def imported(module: Path) -> frozenset[Path]:
    """The modules of this repository that a module imports, also inside functions, packages' `__init__` included."""
    return frozenset(_imported(module))


def _imported(module: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            assert node.module and node.level == 0, f"{module}: a relative import, which this does not follow"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.split(".")[0] in PACKAGES:
                path = ROOT.joinpath(*name.split("."))
                yield from (p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file())


def reached(modules: Iterable[Path]) -> set[Path]:
    """These modules, all that they import, all that those import, and so on."""
    todo = list(modules)
    seen = set(todo)
    while todo:
        new = set(imported(todo.pop())) - seen
        seen |= new
        todo += new
    return seen


def package(module: Path) -> str:
    """`fieldtune/corpus` of a module in it, `stages/train` of one of that stage."""
    return "/".join(module.relative_to(ROOT).parent.parts[:2])
