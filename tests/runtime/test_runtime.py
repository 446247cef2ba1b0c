"""fieldtune/runtime, which no stage has as a dependency in dvc.yaml: it writes nothing that could be an output."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.imports import modules

# Runs every function of the package as a stage does, and prints what is called and which paths are written.
PROGRAM = """
import json, os, sys, threading

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.truncate", "os.utime")
called, written = set(), set()

def watch(event, args):
    if event in CHANGES or event == "open" and args[2] & WRITES:
        written.add(str(args[0]))

def trace(frame, event, _):
    if event == "call":
        called.add((frame.f_code.co_filename, frame.f_code.co_name))

sys.addaudithook(watch)
sys.setprofile(trace)
threading.setprofile(trace)

import fieldtune.runtime.environment
import time
from dataclasses import dataclass
from fieldtune.runtime import console, memory, settings, stage
from fieldtune.runtime.errors import UserError

@dataclass
class Settings:
    share: float = settings.between(0, 1)
    sizes: list[int] = settings.numbers_between(0, 1)
    word: str = settings.one_of("a", "b")
    words: list[str] = settings.some_of("a", "b")
    names: list[str] = settings.any_words()
    tags: list[str] | None = settings.language_tags()
    more: dict[str, int] = settings.any_mapping()
    revision: str | None = settings.commit()

def succeed():
    assert memory.limit() > 0
    problems = list(settings.violations(settings.load("embed", Settings), "embed"))
    assert len(problems) == 1, problems
    console.note(console.printable(str(problems)))
    with console.progress("passages", 2) as bar:
        bar.expect(3)
        bar.advance()
        bar.note("a note")
    return "done"

def fail():
    raise UserError("a message")

stage.run_stage("embed", succeed)
try:
    stage.run_stage("embed", fail)
except SystemExit:
    pass
time.sleep(0.2)  # the watch runs in a thread of its own
sys.setprofile(None)
print(json.dumps([sorted(called), sorted(written)]))
"""


def test_runtime_writes_only_state_and_no_output(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "data/config").mkdir(parents=True)
    (tmp_path / "data/config/embed.yaml").write_text(
        "share: 2\nsizes: []\nword: a\nwords: [a]\nnames: []\ntags: []\nmore: {a: 1}\n"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "DVC_STAGE": "embed"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    called, written = json.loads(run.stdout.splitlines()[-1])
    assert functions() - {(file, name) for file, name in called} == set(), "PROGRAM does not run these"
    assert {path for path in written if not Path(path).is_relative_to(tmp_path / ".fieldtune")} == set()
    assert written


def functions() -> set[tuple[str, str]]:
    """File and name of every function of the package."""
    return {
        (str(module), node.name)
        for module in modules("fieldtune/runtime")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
