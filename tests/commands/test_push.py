"""What goes where: the Hub (a server that speaks its API), a folder, a DVC remote; and what is refused."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldtune.commands import version_control
from fieldtune.commands.push import push
from fieldtune.corpus import files
from fieldtune.runtime.errors import UserError
from stages.export.manifest import write_manifest
from tests.commands import fake_hub
from tests.commands.fake_hub import TOKEN, Hub

pytestmark = pytest.mark.integrations

ROOT = Path(__file__).parents[2]
CONTENT = {
    "model/README.md": b"---\nlicense: mit\n---\n# A model\n",
    "model/model.safetensors": b"weights" * 100,
    "model/1_Pooling/config.json": b"{}",
    "onnx/model.onnx": b"graph" * 100,
    "onnx/tokenizer.json": b"{}",
    "vectors/passages.parquet": b"vectors",
    "search/bm25/whole/vocab.index.json": b"words",
    "parity.json": b"{}",
}
PUSHED = {  # by place on the Hub
    "README.md": "model/README.md",
    "model.safetensors": "model/model.safetensors",
    "1_Pooling/config.json": "model/1_Pooling/config.json",
    "onnx/model.onnx": "onnx/model.onnx",
    "onnx/tokenizer.json": "onnx/tokenizer.json",
}


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("data/export")
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    write_manifest(folder)
    return folder


def list_again(export: Path) -> None:
    (export / "manifest.json").unlink()
    write_manifest(export)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with fake_hub.running() as started:
        yield started


def fieldtune(hub: Hub, *arguments: str, token: str | None = TOKEN) -> "subprocess.CompletedProcess[str]":
    """`fieldtune push` in a process of its own, since the Hub's address is read when its library is imported."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(Path("home").resolve())}
    environment |= {"PYTHONPATH": str(ROOT)} | ({"HF_TOKEN": token} if token else {})
    command = [sys.executable, "-m", "fieldtune.commands.cli", "push", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_hub_gets_the_model_where_it_looks_for_one_and_keeps_it_private(export: Path, hub: Hub) -> None:
    done = fieldtune(hub, "me/search")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"went to {hub.url}/me/search (private)\n{hub.url}/me/search/commit/abc" in done.stdout
    assert hub.private == {"me/search": True}
    there = hub.files["me/search"]
    listed = json.loads(there.pop("manifest.json"))
    assert there == {".gitattributes": b"", **{place: CONTENT[name] for place, name in PUSHED.items()}}
    entries = files.read_json(export / "manifest.json")
    assert listed == {place: entries[name] for place, name in PUSHED.items()}
    assert list(hub.objects.values())  # weights went as LFS has them


def test_another_push_takes_away_what_the_one_before_brought_and_is_no_more(export: Path, hub: Hub) -> None:
    for name in ("model/.gitattributes", "model/vocab.txt", "onnx/model_int8.onnx"):
        (export / name).write_bytes(b"old")
    list_again(export)
    assert fieldtune(hub, "me/search", "--vectors").returncode == 0
    mine = {"notes.md": b"mine", "onnx/mine.onnx": b"mine", ".gitattributes": b"of the Hub"}
    hub.files["me/search"] |= mine
    before = dict(hub.files["me/search"])
    for name in ("model/.gitattributes", "model/vocab.txt", "onnx/model_int8.onnx"):
        (export / name).unlink()
    list_again(export)
    for dry_run in (["--dry-run"], []):
        assert hub.files["me/search"] == before
        done = fieldtune(hub, "me/search", *dry_run)
        gone = [line.split()[1] for line in done.stdout.splitlines() if line.split()[0] == "deleted"]
        assert gone == ["onnx/model_int8.onnx", "vectors/passages.parquet", "vocab.txt"], done.stdout
    assert set(hub.files["me/search"]) == {*PUSHED, "manifest.json", *mine}


@pytest.mark.parametrize("manifest", [{}, {"manifest.json": b'{"name": "An app"}'}])
def test_graphs_and_vectors_without_a_manifest_of_ours_are_an_earlier_push(
    manifest: dict[str, bytes], export: Path, hub: Hub
) -> None:
    hub.private["me/search"] = True
    hub.files["me/search"] = {"onnx/model_int8.onnx": b"old", "vectors/passages.parquet": b"old", "vocab.txt": b"mine"}
    hub.files["me/search"] |= manifest
    done = fieldtune(hub, "me/search")
    assert "   deleted  onnx/model_int8.onnx\n   deleted  vectors/passages.parquet\n" in done.stdout
    assert set(hub.files["me/search"]) == {*PUSHED, "manifest.json", "vocab.txt"}


def test_a_private_repository_that_stays_so_is_not_said_to_be_public(export: Path, hub: Hub) -> None:
    assert fieldtune(hub, "me/search").returncode == 0
    for dry_run in (["--dry-run"], []):
        printed = fieldtune(hub, "me/search", "--public", *dry_run).stdout
        assert f" {hub.url}/me/search (private), as before: change that in its settings on the Hub" in printed
    assert hub.private == {"me/search": True}


def test_nothing_private_goes_into_a_public_repository_unless_that_is_said(export: Path, hub: Hub) -> None:
    assert fieldtune(hub, "me/open", "--public").returncode == 0
    assert hub.private == {"me/open": False}
    before = dict(hub.files["me/open"])
    (export / "model/README.md").write_bytes(b"# changed\n")
    list_again(export)
    for dry_run in (["--dry-run"], []):
        done = fieldtune(hub, "me/open", *dry_run)
        assert done.returncode == 1
        assert "me/open already exists and is public: make it private on the Hub, or pass `--public`" in done.stdout
    assert hub.files["me/open"] == before


@pytest.mark.parametrize(
    ("name", "token", "printed"),
    [
        ("me/search", None, "no Hub token: run `hf auth login`, or set HF_TOKEN"),
        ("me/search", "hf_wrong", "the Hub rejected the token"),
        ("others/search", TOKEN, "the token may not write to others/search"),
    ],
)
def test_a_token_that_is_missing_or_wrong(export: Path, hub: Hub, name: str, token: str | None, printed: str) -> None:
    done = fieldtune(hub, name, token=token)
    assert done.returncode == 1
    assert printed in done.stdout
    assert "hf_" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert hub.files == {}


STORAGE = "Private repository storage limit reached, please upgrade your plan to increase your private storage limit."


@pytest.mark.parametrize(
    ("path", "status", "words", "advice"),
    [
        ("/commit/main", 403, STORAGE, None),
        ("objects/batch", 403, STORAGE, None),
        ("/commit/main", 403, "This repository is disabled by its owner", None),
        ("/repos/create", 403, 'You don\'t have the rights to create a model under the namespace "me"', "write access"),
        ("/commit/main", 403, "Forbidden: pass a token with the right scope", "write access"),
        ("/commit/main", 402, "Payment required: add a card", None),
        ("/commit/main", 500, "Internal Error - We're working hard to fix this!", "try again later"),
        ("/commit/main", 412, "A commit has happened since. Please refresh and try again.", "try again later"),
        ("/validate-yaml", 400, '"license" must be one of [apache-2.0, mit]', None),
    ],
)
def test_the_hubs_own_words_come_first(
    export: Path, hub: Hub, path: str, status: int, words: str, advice: str | None
) -> None:
    hub.refusals[path] = status, words
    done = fieldtune(hub, "me/search")
    printed = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert words in printed
    for hint in ("write access", "try again later"):
        assert (hint in printed) == (advice is not None and hint in advice), printed
    if advice:
        assert printed.index(words) < printed.index(advice)
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["me/..", "me/a--b", "me/-a"])
def test_a_name_that_no_repository_can_have_is_not_tried_again(export: Path, hub: Hub, name: str) -> None:
    done = fieldtune(hub, name)
    assert done.returncode == 1
    assert "try again" not in done.stdout
    assert re.search("repo[ _]id", done.stdout, flags=re.IGNORECASE)


def test_a_hub_that_is_not_there(export: Path) -> None:
    with fake_hub.running() as gone:
        pass
    done = fieldtune(gone, "me/search")
    assert done.returncode == 1
    assert f"pushing to {gone.url} failed" in done.stdout


def test_a_dry_run_says_what_would_go_and_changes_nothing(export: Path, hub: Hub, tmp_path: Path) -> None:
    printed = fieldtune(hub, "me/search", "--dry-run").stdout.splitlines()
    assert [line.split()[2] for line in printed[:-1]] == sorted([*PUSHED, "manifest.json"])
    # 31 + 700 + 2 + 500 + 2 bytes, and the manifest.
    assert printed[-1].split(maxsplit=2) == ["1.87", "kB", f"would go to {hub.url}/me/search (private)"]
    with_vectors = fieldtune(hub, "me/search", "--vectors", "--dry-run").stdout
    assert "vectors/passages.parquet" in with_vectors
    assert "vocab.index.json" not in with_vectors  # the words of the documents go if they are asked for
    with_search = fieldtune(hub, "me/search", "--search", "--dry-run").stdout
    assert "search/bm25/whole/vocab.index.json" in with_search
    assert "vectors/passages.parquet" not in with_search
    printed = fieldtune(hub, "me/search", "--dry-run", token=None).stdout.splitlines()
    assert printed[-1].endswith(f"{hub.url}/me/search (private); its present files are unknown: no token")
    assert hub.private == {}
    printed = push("./registry/v1", export, public=False, vectors=False, search=False, dry_run=True).splitlines()
    assert printed[-1].endswith(f"would go to {tmp_path / 'registry/v1'}")
    assert not Path("registry").exists()


def test_a_folder_gets_all_of_it_and_only_an_export_is_replaced(export: Path, tmp_path: Path) -> None:
    target = tmp_path / "registry/v1"
    push(str(target), export, public=False, vectors=False, search=False, dry_run=False)
    there = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert there == {**CONTENT, "manifest.json": (export / "manifest.json").read_bytes()}
    (export / "onnx/model.onnx").unlink()
    list_again(export)
    push(str(target), export, public=False, vectors=False, search=False, dry_run=False)
    assert not (target / "onnx/model.onnx").exists()
    with pytest.raises(UserError, match=r"registry exists and is not an export"):
        push(str(target.parent), export, public=False, vectors=False, search=False, dry_run=False)
    for inside in ("./data/export/copy", "./data"):
        with pytest.raises(UserError, match="overlap: choose another target"):
            push(inside, export, public=False, vectors=False, search=False, dry_run=False)
    assert target.is_dir()


@pytest.mark.parametrize(
    ("manifest", "printed"),
    [
        (b'{"manifest_version": 3, "icons": {"16": "a.png"}}', r"v1 exists and is not an export \(it contains js/app"),
        (b'[{"src": "a.png"}]', "v1 exists and is not an export"),
        (b"\xff", "v1 exists and is not an export"),
        (None, r"js/app.js in \S*/v1 is not part of that export and would be lost: move it"),
    ],
)
def test_a_folder_with_a_file_of_no_export_is_left_alone(
    manifest: bytes | None, printed: str, export: Path, tmp_path: Path
) -> None:
    target = tmp_path / "v1"
    push(str(target), export, public=False, vectors=False, search=False, dry_run=False)
    (target / "js").mkdir()
    (target / "js/app.js").write_bytes(b"mine")
    if manifest is not None:
        (target / "manifest.json").write_bytes(manifest)
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    for dry_run in (True, False):
        with pytest.raises(UserError, match=printed):
            push(str(target), export, public=False, vectors=False, search=False, dry_run=dry_run)
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before


def test_an_empty_folder_is_filled_and_a_file_is_not_replaced(export: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    push("./empty", export, public=False, vectors=False, search=False, dry_run=False)
    assert (tmp_path / "empty/manifest.json").is_file()
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(UserError, match="file exists and is not a folder"):
        push("./file", export, public=False, vectors=False, search=False, dry_run=False)


@pytest.mark.parametrize("target", ["search", "a/b/c", "s3://bucket/model", ""])
def test_a_target_that_is_none(export: Path, target: str) -> None:
    with pytest.raises(UserError, match="is neither owner/name on the Hub, nor a path"):
        push(target, export, public=False, vectors=False, search=False, dry_run=True)


def test_an_export_that_was_changed_goes_nowhere(export: Path) -> None:
    (export / "onnx/tokenizer.json").write_bytes(b"[]")
    with pytest.raises(UserError, match=r"onnx/tokenizer.json does not match data/export/manifest.json"):
        push("./copy", export, public=False, vectors=False, search=False, dry_run=False)
    with pytest.raises(UserError, match="is not an export"):
        push("./copy", Path("data"), public=False, vectors=False, search=False, dry_run=False)
    (export / "manifest.json").write_bytes(b'{"name": "An app"}')
    with pytest.raises(UserError, match=r"manifest.json not found, or it lists no files"):
        push("./copy", export, public=False, vectors=False, search=False, dry_run=False)


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def remote(export: Path, tmp_path: Path) -> Path:
    """The folder of DVC's remote `store`; DVC has the export."""
    run("git", "init", "--quiet")
    run(sys.executable, "-m", "dvc", "init", "--quiet")
    run(sys.executable, "-m", "dvc", "add", "--quiet", "data/export")
    files.write_text(Path(".dvc/config"), f"['remote \"store\"']\n    url = {tmp_path / 'store'}\n")
    return tmp_path / "store"


def stored(remote: Path) -> set[bytes]:
    return {path.read_bytes() for path in remote.rglob("*") if path.is_file()}


def test_a_dvc_remote_gets_the_export(export: Path, remote: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"DVC has no remote 'other' \(available: store\): dvc remote add other <url>"):
        push("dvc:other", export, public=False, vectors=False, search=False, dry_run=True)
    with pytest.raises(UserError, match="DVC tracks only data/export"):
        push("dvc:store", tmp_path / "data/export", public=False, vectors=False, search=False, dry_run=True)
    assert "would go to DVC remote store" in push("dvc:store", export, False, False, False, dry_run=True)
    assert not remote.exists()
    assert "went to DVC remote store" in push("dvc:store", export, False, False, False, dry_run=False)
    assert set(CONTENT.values()) <= stored(remote)
    files.write_text(Path(".dvc/config"), "")
    with pytest.raises(UserError, match=r"DVC has no remote 'store' \(available: none\): dvc remote add store <url>"):
        push("dvc:store", export, False, False, False, dry_run=True)


def test_an_export_that_dvc_has_otherwise_or_not_at_all_is_not_said_to_have_gone(export: Path, remote: Path) -> None:
    before = (export / "model/README.md").read_bytes()
    (export / "model/README.md").write_bytes(b"# changed\n")
    list_again(export)
    otherwise = r"data/export has changed since DVC recorded it .*: run `dvc repro export`, or `dvc commit export`"
    for dry_run in (True, False):
        with pytest.raises(UserError, match=otherwise):
            push("dvc:store", export, public=False, vectors=False, search=False, dry_run=dry_run)
    (export / "model/README.md").write_bytes(before)
    list_again(export)
    shutil.rmtree(".dvc/cache")
    with pytest.raises(UserError, match=otherwise):
        push("dvc:store", export, False, False, False, dry_run=False)
    assert not remote.exists()
    files.write_text(Path("data/export.dvc"), "broken")
    with pytest.raises(UserError, match=r"`dvc status --json -- data/export` failed"):
        push("dvc:store", export, False, False, False, dry_run=False)


def test_what_the_cache_loses_meanwhile_is_missed_in_the_remote(
    export: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing(*arguments: str) -> str:
        if arguments[0] == "push":  # as `dvc gc` in another terminal
            digest = hashlib.md5(CONTENT["vectors/passages.parquet"]).hexdigest()
            (Path(".dvc/cache/files/md5") / digest[:2] / digest[2:]).unlink()
        return version_control.run_dvc(*arguments)

    monkeypatch.setattr("fieldtune.commands.push.run_dvc", losing)
    with pytest.raises(UserError, match=r"DVC remote store lacks a part of data/export \(data/export"):
        push("dvc:store", export, False, False, False, dry_run=False)
    assert CONTENT["vectors/passages.parquet"] not in stored(remote)
