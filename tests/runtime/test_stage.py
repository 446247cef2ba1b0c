"""The ends of a stage: with its summary, with one clear line, or with its parent. Real processes, real signals."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.imports import ROOT

# As a stage's __main__ begins
LOCK = """
import fieldtune.runtime.environment
import time
from fieldtune.runtime.stage import run_stage
def work():
    print("working", flush=True)
    time.sleep(60)
run_stage("train", work)
"""
WAITER = "import fieldtune.runtime.stage as r; r._WAIT_FOR_ORPHAN = {wait}; r.run_stage({stage!r}, lambda: 'all done')"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def start(program: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def working(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A stage `train` that holds its lock."""
    process = start(LOCK, folder)
    assert process.stdout
    try:
        assert process.stdout.readline() == "working\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process, which may stay as a zombie that nobody waits for."""
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("work", "line"),
    [
        ("raise UserError('no [bold]file[/] here: :x: run it again')", "no [bold]file[/] here: :x: run it again"),
        *(
            (
                f"{read}('nowhere/file')",
                "nowhere/file not found: run `dvc repro ingest`, which makes the files that the stage reads",
            )
            for read in ("open", "read_table", "load_file")
        ),
        ("open('.dvc', 'w')", "Is a directory: .dvc"),
        ("os.link('.dvc', 'other')", "Operation not permitted: .dvc"),
        ("open('/dev/full', 'w').write('x' * 100_000)", "No space left on device: while writing"),
        (
            "fill_the_disk(); raise SafetensorError('file write failed')",
            "no space left on the disk of {temporary}, {folder}, {folder}/.dvc: free some, then run `dvc repro` again",
        ),
        (
            "fill_the_disk(); raise sqlite3.OperationalError('disk I/O')",
            "no space left on the disk of {temporary}, {folder}, {folder}/.dvc: free some, then run `dvc repro` again",
        ),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", "interrupted: run `dvc repro` again to continue"),
    ],
)
def test_an_error_is_exit_1_and_one_line(work: str, line: str, repository: Path) -> None:
    line = line.format(folder=repository, temporary=tempfile.gettempdir()) if "{folder}" in line else line
    program = (
        "import os, shutil, signal, sqlite3, time\nfrom pyarrow.parquet import read_table\n"
        "from safetensors import SafetensorError\nfrom safetensors.numpy import load_file\n"
        "from fieldtune.runtime.errors import UserError\nfrom fieldtune.runtime.stage import run_stage\n"
        "def fill_the_disk():\n    shutil.disk_usage = lambda _: shutil._ntuple_diskusage(9, 9, 0)\n"
        f"def work():\n    {work}\n    return ''\nrun_stage('ingest', work)"
    )
    process = start(program, repository)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (1, f"✗ ingest  {line}\n", "")


@pytest.mark.parametrize("words", ["No space left on device", "database or disk is full"])
def test_words_alone_are_no_full_disk(words: str, repository: Path) -> None:
    program = "from fieldtune.runtime.stage import run_stage\ndef work():\n    raise ValueError(f'row 3: {words}')\n"
    process = start(f"words = {words!r}\n{program}run_stage('ingest', work)", repository)
    out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert "ValueError" in err


ENCODINGS: dict[str, dict[str, str]] = {
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "GBK": {"PYTHONIOENCODING": "gbk"},
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "Windows": {"PYTHONIOENCODING": "cp1252"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
PRINTS = "from fieldtune.runtime import console, stage\ndef work():\n    console.note('→ ± \u4e2d')\n    {work}\n"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("work", "code"), [("return 'done ±.5'", 0), ("raise stage.UserError('no → ±')", 1)], ids=["done", "failed"]
)
def test_an_exit_code_is_of_the_work_in_any_encoding(repository: Path, encoding: str, work: str, code: int) -> None:
    program = repository / "program.py"
    program.write_text(PRINTS.format(work=work) + "stage.run_stage('train', work)", encoding="utf-8")
    process = subprocess.run(
        [sys.executable, "program.py"],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(ROOT), **ENCODINGS[encoding]},
        capture_output=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (code, b"")
    assert b"train" in process.stdout


@pytest.mark.parametrize("output", ["| true", ">&-", "> /dev/full", "2>&1 | head -c 1 > /dev/null"])
def test_an_output_that_breaks_off_ends_no_work(repository: Path, output: str) -> None:
    work = "[console.note('x' * 9999) for _ in range(99)]; __import__('pathlib').Path('kept').touch(); return 'done'"
    program = repository / "program.py"
    program.write_text(PRINTS.format(work=work) + "stage.run_stage('train', work)", encoding="utf-8")
    command = f"set +o pipefail; {sys.executable} program.py {output}; echo ${{PIPESTATUS[0]}} >&2"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        ["bash", "-c", command], cwd=repository, env=environment, stderr=subprocess.PIPE, check=False
    )
    assert process.stderr.decode().split() == ["0"]
    assert (repository / "kept").is_file()


def test_a_defect_of_ours_keeps_its_traceback(repository: Path) -> None:
    process = start("from fieldtune.runtime.stage import run_stage; run_stage('ingest', lambda: 1 / 0)", repository)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "ZeroDivisionError" in err


def test_a_second_run_of_a_stage_reports_the_first_after_a_while(repository: Path) -> None:
    with working(repository) as first:
        second = start(WAITER.format(stage="train", wait=0.5), repository)
        out, err = second.communicate()
        assert (second.returncode, err) == (1, "")
        assert (
            out
            == f"✗ train  another train stage is running here (process {first.pid}): wait for it to finish, or stop "
            "it\n"
        )


def test_a_second_run_goes_on_when_the_first_is_gone(repository: Path) -> None:
    with working(repository) as first:
        second = start(WAITER.format(stage="train", wait=60), repository)
        time.sleep(1)
        assert second.poll() is None
        first.kill()
        out, _ = second.communicate(timeout=30)
    assert second.returncode == 0
    assert out.startswith("✓ train  all done  (")


def test_other_stages_and_other_working_directories_do_not_wait(repository: Path) -> None:
    other = repository / "other"
    (other / ".dvc").mkdir(parents=True)
    # A temporary experiment has its own directory and the main repository's cache.
    (other / ".dvc/config.local").write_text(f"[cache]\n    dir = {repository / '.dvc/cache'}\n")
    with working(repository):
        for folder, stage in ((repository, "embed"), (other, "train")):
            process = start(WAITER.format(stage=stage, wait=0.5), folder)
            out, _ = process.communicate()
            assert (process.returncode, out.split("  ")[1]) == (0, "all done")
    assert not (other / ".fieldtune").exists()


@pytest.mark.parametrize("command", ["exec {python} stage.py", "{python} stage.py; true"], ids=["no shell", "a shell"])
def test_a_stage_ends_when_dvc_is_killed(command: str, repository: Path) -> None:
    """Killing `dvc` leaves its child alive; some shells stand between the two, and outlive `dvc` as well."""
    (repository / "stage.py").write_text(LOCK.replace('"working"', "__import__('os').getpid()"))
    started = command.format(python=sys.executable)
    program = f"import os, subprocess; subprocess.run({started!r}, shell=True, env={{**os.environ, 'DVC_STAGE': 'x'}})"
    dvc = start(program, repository)
    assert dvc.stdout
    stage = int(dvc.stdout.readline())
    try:
        time.sleep(1)
        assert psutil.Process(stage).is_running()
        dvc.kill()
        wait_until_gone(stage)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(stage, signal.SIGKILL)
        dvc.communicate()


def test_a_stage_that_dvc_did_not_start_outlives_its_parent(repository: Path) -> None:
    program = (
        "import fieldtune.runtime.environment, time; from fieldtune.runtime.stage import run_stage\n"
        "def work():\n    time.sleep(2); open('done', 'w'); return ''\n"
    )
    (repository / "stage.py").write_text(program + "print('on', flush=True); run_stage('train', work)")
    parent = start("import subprocess, sys; subprocess.run([sys.executable, 'stage.py'])", repository)
    assert parent.stdout
    parent.stdout.readline()
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while not (repository / "done").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
