"""What STYLE.md and dvc.yaml's readers may count on: short functions, names to grep for, one place for a place."""

import ast
import io
import re
import tokenize
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


FORBIDDEN = {  # a habit, and what STYLE.md writes instead
    r"\b(is|are|was|were) not there\b": "not found",
    r"\bthere already\b": "already exists",
    r"\b(is|are) there and\b": "exists and",
    r"\bthere (is|are):": "available:",
    r"(?<!\b[Tt]here )\b(is|are) no (?!(longer|more|better|worse|slower|faster|other)\b)[a-z]": "is not a",
    r"\banew\b": "again",
    r"\ball others\b": "otherwise",
    r"\bof its own accord\b": "automatically",
    r"\bin vain\b": "without effect",
    r"\b(if|where) there (is|are) none of\b|\bwhere (there|one|none)\b": "if there is",
    r"\bbut for\b": "except",
    r"\b(takes|write|writes|is|of|has) all that\b": "everything that",
    r"\bgo(es)? on (with|from)\b": "continues",
    r"\b(lies?|lie) in one another\b": "overlap",
    r"\bto the letter\b": "verbatim",
    r"\bwhoever clones\b": "a clone",
    r"\bmend(s|ed)?\b": "repair",
    r"\bat hand\b": "current",
    r"\bnot known\b(?! (to|by)\b)": "unknown",
    r"\b(passages?|queries|numbers?|tokens?|lines?|requests?|bytes|negatives) an? "
    r"(query|passage|second|minute|line|row|request|batch|token|word|pair)\b": "per",
    r"\d %": "95%",
    r"(?<![\w.\])/*`{-])\.\d\d+\b": "0.843",
}
DOCSTRING_STARTS = ("What ", "How ", "Which ", "Whether ", "Where ")
STYLE_EXCEPTIONS = {
    "stages/dataset/report.py": r"\d %",  # labels of report.json's histograms, which are a contract
    "stages/evaluate/report.html.j2": r"\d %",  # Jinja's `{%`, where a text ends in a number
    "benchmarks/readers.py": r"(?<![\w.\])/*`{-])\.\d\d+\b",  # regular expressions with a price
    "benchmarks/serving.py": r"(?<![\w.\])/*`{-])\.\d\d+\b",  # columns of a table
    "benchmarks/training.py": r"(?<![\w.\])/*`{-])\.\d\d+\b",  # columns of a table
}


def prose(file: Path) -> Iterator[tuple[int, str]]:
    """The texts of a file for people, with their lines: Python's literals and comments, YAML's comments, templates."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.lineno, " ".join(node.value.split())
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
        return
    for number, line in enumerate(text.splitlines(), 1):
        comment = line if file.suffix == ".j2" else line.partition("#")[2]
        yield number, comment


def written_for_people() -> Iterator[tuple[str, int, str]]:
    files = [
        *modules("fieldtune", "stages", "benchmarks"),
        *sorted((ROOT / "conf").rglob("*.yaml")),
        *sorted((ROOT / "stages").rglob("*.j2")),
        ROOT / "params.yaml",
    ]
    for file in files:
        place = file.relative_to(ROOT).as_posix()
        for line, text in prose(file):
            yield place, line, text


def test_no_text_has_a_phrase_that_style_md_forbids() -> None:
    found_in = [
        f"{place}:{line}: {hit.group()!r}, write {instead!r}"
        for place, line, text in written_for_people()
        for phrase, instead in FORBIDDEN.items()
        if STYLE_EXCEPTIONS.get(place) != phrase and (hit := re.search(phrase, text))
    ]
    assert found_in == []


def test_the_forbidden_phrases_are_those_of_style_md_and_good_english_passes() -> None:
    table = re.findall(r"^\| `.*?` \| (.*?) \|$", STYLE, flags=re.MULTILINE)
    for phrase in ("is no folder of a model", "is not there", "there are: minilm", "all others", "anew"):
        assert any(phrase in row for row in table), phrase
        assert any(re.search(habit, phrase) for habit in FORBIDDEN), phrase
    for text in (
        "there is no model",
        "is no longer used",
        "no better than the base",
        "if there is none",
        "95% of them",
    ):
        assert not any(re.search(habit, text) for habit in FORBIDDEN), text


def test_docstrings_start_with_a_noun_or_an_imperative() -> None:
    starts = [
        f"{module.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}: {docstring.splitlines()[0]}"
        for module in modules("fieldtune", "stages")
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if (docstring := ast.get_docstring(node) or "").startswith(DOCSTRING_STARTS)
    ]
    assert starts == []
