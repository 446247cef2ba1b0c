"""The store of vectors: what is kept is read as it was, by all processes, and whatever is wrong with its file."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fieldtune.corpus import files
from fieldtune.models import kept_vectors
from fieldtune.models.kept_vectors import VectorStore, fingerprint, kept, prune

ROOT = Path(__file__).parents[2]
KEYS = [f"{number:016d}".encode() for number in range(1200)]
VECTORS = np.random.default_rng(0).standard_normal((1200, 24), dtype=np.float32)
WRITES = """
import sys
from tests.models.test_kept_vectors import KEYS, VECTORS, VectorStore
store = VectorStore("model", "name", stays=True)
for row in range(*map(int, sys.argv[1:])):
    store.put(KEYS[row : row + 1], VECTORS[row : row + 1])
    print(row, flush=True)
"""


@pytest.fixture(autouse=True)
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)


def store(model: str = "model", *, stays: bool = True) -> VectorStore:
    return VectorStore(model, f"the {model}", stays=stays)


def read(one: VectorStore, keys: Sequence[bytes] = KEYS) -> set[int]:
    """The rows that are kept; each is asserted to be what was written."""
    rows = set()
    for place, vector in one.get(keys):
        np.testing.assert_array_equal(vector, VECTORS[KEYS.index(keys[place])])
        rows.add(KEYS.index(keys[place]))
    return rows


def start(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def file() -> Path:
    return kept_vectors.folder() / "model.sqlite"


def filled() -> None:
    one = store()
    one.put(KEYS[:1000], VECTORS[:1000])
    one.close()


def test_what_was_kept_is_found_and_nothing_else(tmp_path: Path) -> None:
    filled()
    one = store()
    assert read(one) == set(range(1000))
    assert read(one, KEYS[:3][::-1]) == {0, 1, 2}
    assert read(store("another")) == set()
    assert file().parent == tmp_path / ".fieldtune/vectors"
    assert files.disk_size(file()) < 1000 * (24 * 4 + 8) * 3


def test_a_process_that_is_killed_has_kept_what_it_reported() -> None:
    with start(WRITES, 0, 1200) as process:
        assert process.stdout
        reported = [int(process.stdout.readline()) for _ in range(40)]
        process.send_signal(signal.SIGKILL)
        reported += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    assert process.returncode == -signal.SIGKILL
    assert set(reported) <= read(store()) < set(range(1200))


def test_two_processes_write_at_the_same_time() -> None:
    running = [start(WRITES, 0, 300), start(WRITES, 200, 500)]
    for process in running:
        output, _ = process.communicate()
        assert process.returncode == 0, output
        assert "store of vectors" not in output
    assert read(store()) == set(range(500))


def test_a_damaged_vector_is_not_read_and_is_kept_anew(capsys: pytest.CaptureFixture[str]) -> None:
    filled()
    content = bytearray(file().read_bytes())
    for row in (3, 700):
        place = content.index(VECTORS[row].tobytes())
        content[place + 5] ^= 1
    file().write_bytes(content)
    one = store()
    assert read(one) == set(range(1000)) - {3, 700}
    one.put(KEYS[3:4], VECTORS[3:4])
    assert read(one) == set(range(1000)) - {700}
    # A vector under another key, as a bug might write it, is none either.
    with sqlite3.connect(file()) as db:
        db.execute("UPDATE vectors SET vector = (SELECT vector FROM vectors WHERE key = ?) WHERE key = ?", KEYS[:2])
    assert read(one) == set(range(1000)) - {1, 700}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("damage", ["start", "middle", "cut"])
def test_a_damaged_file_gives_nothing_wrong_and_begins_again(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    filled()
    content = bytearray(file().read_bytes())
    noise = np.random.default_rng(0).bytes(len(content))
    if damage == "start":
        content[:200] = noise[:200]
    elif damage == "middle":
        content[32_768:] = noise[32_768:]
    else:
        del content[40_000:]
    file().write_bytes(content)
    one = store()
    assert read(one) < set(range(1000))
    for again in (one, store()):  # at once, or at the next start
        again.put(KEYS, VECTORS)
        again.close()
    assert read(store()) == set(range(1200))
    assert " ".join(capsys.readouterr().out.split()).count("the store of vectors begins again") >= 1


def test_a_full_disk_costs_what_is_not_kept_and_is_said() -> None:
    code = """
import signal, sys
from tests.models.test_kept_vectors import KEYS, VECTORS, VectorStore, read, store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
one = store()
for start in range(0, 1200, 100):
    one.put(KEYS[start : start + 100], VECTORS[start : start + 100])
print(len(read(one)))
"""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))  # noqa: E731
    output, _ = start(code, preexec_fn=limit).communicate()
    *notes, number = output.strip().split("\n")
    assert 0 <= int(number) < 1200, output
    assert " ".join(" ".join(notes).split()).count("the store of vectors takes no more") == 1
    assert len(read(store())) == int(number)


def test_a_store_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    filled()
    file().chmod(0o444)
    file().parent.chmod(0o555)
    code = """
import os
import numpy.testing
from tests.models.test_kept_vectors import KEYS, VECTORS, kept_vectors, read, store
place = kept_vectors.folder()  # imports what the other user may not read
kept_vectors.folder = lambda: place
if os.geteuid() == 0:  # whom no mode of a file stops
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
one = store()
one.put(KEYS[1000:], VECTORS[1000:])
print(len(read(one)))
"""
    for folder in (tmp_path, *tmp_path.parents[:-2]):  # pytest's own: what is in them is for their owner alone
        folder.chmod(folder.stat().st_mode | 0o055)
    output, _ = start(code).communicate()
    file().parent.chmod(0o755)
    *notes, number = output.strip().split("\n")
    assert number == "1000", output
    assert " ".join(" ".join(notes).split()).count("the store of vectors takes no more") == 1


def test_of_tuned_models_the_last_two_are_kept() -> None:
    for model in ("base", "one", "two", "three", "pinned"):
        store(model, stays=model in ("base", "pinned")).close()
    store("one", stays=False).close()  # used again
    store("pinned", stays=False).close()  # as what `train` wrote: it stays
    prune()
    assert [model.file.stem for model in kept()] == ["pinned", "one", "three", "base"]
    assert kept()[-1].name == "the base"
    (kept_vectors.folder() / "broken.sqlite").write_bytes(b"no database at all, of any kind" * 100)
    prune()
    assert [model.file.stem for model in kept()] == ["pinned", "one", "three", "base"]


def test_a_fingerprint_is_of_all_that_makes_a_model(tmp_path: Path) -> None:
    made = tmp_path / "model"
    contents = {
        "model.safetensors": "weights",
        "tokenizer.json": "{}",
        "config.json": "{}",
        "1_Pooling/config.json": "{}",
    }
    for name, content in contents.items():
        files.write_text(made / name, content)
    before = fingerprint(made)
    for name in contents:
        files.write_text(made / name, "other")
        assert fingerprint(made) != before, name
        files.write_text(made / name, contents[name])
    for name in ("README.md", "history.json", "known_passages.txt", "onnx/config.json", "pytorch_model.bin"):
        files.write_text(made / name, "more")
    assert fingerprint(made) == before
