"""params.yaml edited by keys: what DVC's reader and ours find there afterwards, and that no other byte changes."""

from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from ruamel.yaml import YAML

from fieldtune.commands import params
from fieldtune.runtime.errors import UserError

ROOT = Path(__file__).parents[2]


def test_only_the_values_change() -> None:
    text = (
        "# one\ndocuments: data/sample/docs   # a folder\n\nmodel:   minilm\npairs:   # none\ntrain:\n  pairs: 3 # x\n"
    )
    assert params.edited(text, {"documents": "own", "model": "minilm", "pairs": "p.csv"}) == (
        "# one\ndocuments: own   # a folder\n\nmodel:   minilm\npairs: p.csv   # none\ntrain:\n  pairs: 3 # x\n"
    )


def test_the_repositorys_own_file_can_be_edited() -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    values = {"documents": "a", "queries": "b", "pairs": "c", "generator": "d"}
    before, after = text.splitlines(), params.edited(text, values).splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new.split()[:2] for _, new in changed] == [[f"{key}:", value] for key, value in values.items()]
    assert [old.partition("#")[2] for old, _ in changed] == [new.partition("#")[2] for _, new in changed]


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("a: x\r\nb: 'old' # ü\r\n", "a: x\r\nb: new # ü\r\n"),
        ('\ufeff# ü\nb: "old"', "\ufeff# ü\nb: new"),
        ("a: x\nb:", "a: x\nb: new"),
        ("b: null\n", "b: new\n"),
        ("{a: x, b: old}\n", "{a: x, b: new}\n"),
        ("a: x", "a: x\nb: new\n"),  # not there: added
        ("", "b: new\n"),
        ("b: 'new' # quoted, and the same\n", "b: 'new' # quoted, and the same\n"),
    ],
)
def test_line_ends_quotes_and_gaps_stay(text: str, new: str) -> None:
    assert params.edited(text, {"b": "new"}) == new


@pytest.mark.parametrize(
    "value",
    ["my docs", "a: b", "a #b", "2024", "2024-01-01", "5e-05", "1_0", "yes", "null", "~", ".5e3", "0o7", "größe/ü",
     'with "quotes"', "it's", "-x", "[a]", "a\\b", "a\tb", "@home", "a/b-c_d.e+f=g@h", "/abs/path", "../up", "日本"],
)  # fmt: skip
def test_every_path_reads_back_as_it_is_by_all_readers(value: str, tmp_path: Path) -> None:
    new = params.edited("documents: docs # here\nn: 1\n", {"documents": value})
    assert new.endswith(" # here\nn: 1\n")
    expected = {"documents": value, "n": 1}
    (tmp_path / "params.yaml").write_text(new, encoding="utf-8")
    assert yaml.safe_load(new) == expected
    assert YAML(typ="safe", pure=True).load(new) == expected  # as DVC reads it
    assert OmegaConf.to_container(OmegaConf.load(tmp_path / "params.yaml")) == expected


@pytest.mark.parametrize("text", ["b: |\n  docs\nc: 1\n", "b: &x docs\nc: *x\n", "{c: 1}\n"])
def test_what_cannot_be_edited_is_to_be_set_by_hand(text: str) -> None:
    with pytest.raises(
        UserError, match=r"params\.yaml cannot be edited automatically as it is written; set there: `b: new`"
    ):
        params.edited(text, {"b": "new"})


def test_a_missing_file_and_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="run this from the root of the repository"):
        params.read()
    Path("params.yaml").write_bytes(b"a: \xff")
    with pytest.raises(UserError, match="not UTF-8"):
        params.read()
    Path("params.yaml").write_bytes(b"a: 1\r\nb: [\r\n")
    with pytest.raises(UserError, match=r"params\.yaml, line \d"):
        params.read()
    Path("params.yaml").write_bytes(b"a: 1\r\n")
    assert params.read() == ("a: 1\r\n", {"a": 1})
