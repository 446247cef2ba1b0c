"""The page of all settings, docs/settings.md, from the config classes and conf/.

    python -m scripts.settings_page

A setting's meaning is the comment on its field in the stage's config.py: the lines above it and the rest of its line.
Its default is that of conf/config.yaml, as it is spelled there, or of a group's first file.
"""

import ast
import dataclasses
import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf

from fieldtune.models.base_models import ModelConfig
from stages.compose.schema import STAGES, Config, section
from stages.generate.config import GeneratorConfig

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/settings.md"
GROUPS = {"model": ModelConfig, "generator": GeneratorConfig}  # each key's value names a file of conf/<key>/
_INTRODUCTION = """\
<!-- Written by `python -m scripts.settings_page`; do not edit. -->
# Settings

Places, choices and the values that people sweep are in `params.yaml`. All other values are in `conf/config.yaml`, under
their stage's name, or in the file of a choice. Values of `conf/config.yaml` may be set in `params.yaml` too, under the
same keys:

```yaml title="params.yaml"
train:
  epochs: 2
  negatives: 1
```

An unknown key, a wrong type and a value out of range are errors that name the file and the key, before any work.
"""


class Setting(NamedTuple):
    """A row of a table."""

    key: str
    default: str
    allowed: str
    meaning: str


def comments(schema: Any) -> dict[str, str]:
    """The comment on each field of a dataclass: the lines above it and what follows it on its line."""
    source = inspect.getsource(schema).splitlines()
    (body,) = ast.parse(inspect.cleandoc("\n".join(source))).body
    assert isinstance(body, ast.ClassDef)
    meanings = {}
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            above: list[str] = []
            row = node.lineno - 2
            while source[row].lstrip().startswith("#"):
                above.insert(0, source[row].lstrip("# "))
                row -= 1
            _, _, beside = source[(node.end_lineno or node.lineno) - 1].partition("  #")
            beside = re.sub(r"^ *noqa: \w+ *(\([^)]*\))?:? *", "", beside).strip()
            meanings[node.target.id] = ": ".join(filter(None, [" ".join(above).rstrip(".:"), beside]))
    return meanings


def settings(schema: Any, defaults: Any, prefix: str = "") -> Iterator[Setting]:
    """The settings of a dataclass and of the dataclasses in it; `defaults` is a mapping like it, unresolved."""
    meanings, hints = comments(schema), get_type_hints(schema)
    for field in dataclasses.fields(schema):
        kinds = [kind for kind in _parts(hints[field.name]) if dataclasses.is_dataclass(kind)]
        value = defaults.get(field.name) if isinstance(defaults, dict) else None
        key = f"{prefix}{field.name}"
        if kinds and key not in GROUPS and not isinstance(value, str):
            inner = f"{key}.<name>." if get_origin(hints[field.name]) is dict else f"{key}."
            yield from settings(kinds[0], value if inner == f"{key}." else None, inner)
        else:
            allowed = "" if kinds else _allowed(field, hints[field.name])
            yield Setting(key, _shown(value) if defaults else "", allowed, meanings[field.name])


def _parts(kind: Any) -> list[Any]:
    """A type, or those of a union, a list or a mapping."""
    if get_origin(kind) in (dict, list):
        return [kind, *get_args(kind)]
    return list(get_args(kind)) if isinstance(kind, UnionType) else [kind]


def _allowed(field: "dataclasses.Field[Any]", kind: Any) -> str:
    """The values that a field takes, in words."""
    rule = field.metadata.get("rule")
    if rule is None:
        return " or ".join(_name(part) for part in ([kind] if get_origin(kind) in (dict, list) else _parts(kind)))
    words = re.sub(r"^it must |\b(must )?lie (?=between)|^it must be ", "", rule.words)
    words = re.sub(r"\bbetween ([-\d.e]+) and ([-\d.e]+)", _range, words).removeprefix("be one of ").removeprefix("be ")
    words = re.sub(r"^list ", "a list of ", re.sub(r"^each ", "a list, each ", words))
    return f"{words}, or null" if type(None) in get_args(kind) else words


def _range(found: "re.Match[str]") -> str:
    low, high = (f"{float(number):,.10g}" for number in found.groups())
    return f"{low} to {high}"


def _name(kind: Any) -> str:
    if get_origin(kind) in (dict, list):
        return "a list of words" if get_origin(kind) is list else "a mapping"
    names = {str: "text", bool: "true or false", type(None): "null", int: "a number", float: "a number"}
    return names.get(kind, "text")


def _shown(value: object) -> str:
    """A default as YAML has it; of a value that is another one's, that key."""
    if value is None:
        return "`null`"
    if isinstance(value, str) and (reference := re.fullmatch(r"\$\{([\w.]+)\}", value)):
        return f"that of `{reference[1]}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    text = OmegaConf.to_yaml([value]).strip().removeprefix("- ") if not isinstance(value, list) else str(value)
    return f"`{text}`" if len(text) <= 60 and "\n" not in text else "see the file"


def first_level(file: str) -> Iterator[Setting]:
    """The keys of a file's first level, whose comments say what each is."""
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if row := re.fullmatch(r"(\w+): (\S+) +# (.*)", line):
            key, value, meaning = row.groups()
            yield Setting(key, f"`{value}`", "", meaning)


def table(rows: Iterator[Setting], allowed: bool = True) -> str:
    """A table in Markdown."""
    header = ["key", "default", *(["values"] if allowed else []), "meaning"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in rows:
        cells = [f"`{row.key}`", row.default, *([row.allowed] if allowed else []), row.meaning]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def page() -> str:
    """The whole page."""
    config = OmegaConf.to_container(OmegaConf.load(ROOT / "conf/config.yaml"), resolve=False)
    assert isinstance(config, dict)
    hints = get_type_hints(Config)
    parts = [
        _INTRODUCTION,
        "## params.yaml",
        "The sample's values are the defaults. The last rows are of `conf/config.yaml`, for all stages.",
        table(itertools.chain(first_level("params.yaml"), first_level("conf/config.yaml")), allowed=False),
    ]
    for group, schema in GROUPS.items():
        files = sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml") if not path.stem.startswith("_"))
        parts += [
            f"## {group}",
            f"`{group}:` in `params.yaml` names a file of `conf/{group}/`: {', '.join(f'`{name}`' for name in files)}. "
            f"Defaults are those of `{_EXAMPLE[group]}`.",
            table(settings(schema, _group_file(group, _EXAMPLE[group]))),
        ]
    for stage in STAGES:
        parts += [f"## {stage}", table(settings(hints[section(stage)], config[section(stage)]))]
    return "\n\n".join(part.strip() for part in parts) + "\n"


_EXAMPLE = {"model": "minilm", "generator": "claude"}


def _group_file(group: str, name: str) -> Any:
    """A file of a group with the files that its `defaults:` name below it."""
    file = OmegaConf.to_container(OmegaConf.load(ROOT / f"conf/{group}/{name}.yaml"), resolve=False)
    assert isinstance(file, dict)
    merged: Any = {}
    for default in file.pop("defaults", []):
        if default != "_self_":
            merged = OmegaConf.merge(merged, _group_file(group, default))
    return OmegaConf.to_container(OmegaConf.merge(merged, file), resolve=False)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
