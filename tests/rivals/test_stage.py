"""The file of the rivals, models among them, and a stage that takes no time without any."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fieldtune.corpus import files
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.rivals.__main__ import work
from tests.rivals.workspace import ROOT, block, configure, name_rivals


def own_model(path: str) -> dict[str, Any]:
    """A model of conf/model/, at a path."""
    minilm: dict[str, Any] = yaml.safe_load((ROOT / "conf/model/minilm.yaml").read_text(encoding="utf-8"))
    return {**minilm, "name": "a/tiny", "package": None, "path": path, "max_tokens": 64, "dimension": 32}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "must be a mapping of names to rivals"),
        ("a: [\n", r"rivals\.yaml, line \d: not valid YAML"),
        ("a b: {folder: last_year}\n", "a b: a name has up to 40 letters"),
        ("a: last_year\n", "a does not say what it is: write one of `folder:`, `base:`, `url:`"),
        ("a: {folder: x, run: y}\n", "a has folder and run: write one of"),
        ("a: {folder: gone}\n", "a: rivals/gone is not a model folder"),
        ("a: {folder: ../elsewhere}\n", "must be inside rivals, and not by a link"),
        ("a: {folder: linked}\n", "must be inside rivals, and not by a link"),
        ("a: {folder: last_year, promt: x}\n", "a: unknown key promt; available: folder, query_prompt"),
        ("a: {base: bge_smal}\n", "a: bge_smal is not a file in conf/model/; available: tiny"),
        ("a: {url: http://x, model: m, price: much}\n", "a: price: "),
        ("a: {url: http://x, model: m, price: -1}\n", "a: price is -1.0: it must be at least 0"),
        ("a: {url: http://x, model: m}\n", "a: price: "),
        ("a: {url: ftp://x, model: m, price: 1}\n", r"rivals\.yaml: a: url is ftp://x: it must begin with http"),
        ("a: {run: gone.run}\n", "rivals/gone.run not found"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(folder: Path, text: str, message: str) -> None:
    configure(folder, tiny=own_model("own"))
    (folder / "rivals/linked").symlink_to(folder / "rivals/last_year")
    files.write_text(folder / "rivals/rivals.yaml", text)
    with pytest.raises(UserError, match=message) as raised:
        work()
    assert "\n" not in str(raised.value)


def test_a_model_of_conf_is_a_rival_with_the_prompts_of_its_file(folder: Path) -> None:
    base = own_model("rivals/last_year")
    configure(folder, tiny=base)
    name_rivals(folder, tiny={"base": "tiny"}, last_year={"folder": "last_year"}, prompted={
        "folder": "last_year", "query_prompt": "word1 word2 word3 word4: "})  # fmt: skip
    work()
    rivals = block(folder)
    assert rivals["tiny"]["real"] == rivals["last_year"]["real"] != rivals["prompted"]["real"]
    assert rivals["tiny"]["model"] == "a/tiny"
    assert rivals["last_year"]["model_bytes"] == (folder / "rivals/last_year/model.safetensors").stat().st_size


def test_without_rivals_the_stage_loads_no_torch_and_reads_nothing(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    files.write_text(tmp_path / "none.jsonl", "")
    settings = "rivals: none.jsonl\nbases: {}\nprecision: auto\nbatch_size: 8\n"
    files.write_text(tmp_path / "data/config/rivals.yaml", settings)
    code = (
        "import sys; from stages.rivals.__main__ import work; print(work()); "
        "sys.exit(bool({'torch', 'openai', 'anthropic', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "none: `rivals:` in params.yaml names what you run today\n"
    assert files.read_json(tmp_path / paths.RIVALS_METRICS) == {}
    assert files.read_table(tmp_path / paths.RIVALS_RANKINGS)["system"] == []
