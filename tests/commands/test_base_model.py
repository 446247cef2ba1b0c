"""`fieldtune use --model` against a server that speaks the Hub's API: what is downloaded, written and refused."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import constants

from fieldtune.commands import use
from fieldtune.runtime.errors import UserError
from tests.commands import fake_hub
from tests.commands.fake_hub import COMMIT, TOKEN, Hub, Published
from tests.tiny_model import DIMENSION, tiny_model

pytestmark = pytest.mark.integrations

ROOT = Path(__file__).parents[2]
BGE = "BAAI/bge-small-en-v1.5"
PADDING = b"\0" * (1 << 20)  # weights that take a while


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a tiny model's repository, with those of other libraries."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model(folder / "transformer", pooling="cls").save(str(folder / "model"), create_model_card=False)
    others = {
        "README.md": b"# A card",
        "onnx/model.onnx": PADDING,
        "pytorch_model.bin": PADDING,
        "tf_model.h5": PADDING,
    }
    return {**fake_hub.files_below(folder / "model"), **others}


@pytest.fixture
def hub(weights: dict[str, bytes]) -> Iterator[Hub]:
    with fake_hub.running() as started:
        started.published[BGE] = Published(dict(weights))
        yield started


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of git with the settings of this one."""
    folder = tmp_path / "team"
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "params.yaml", folder)
    monkeypatch.chdir(folder)
    (folder / ".dvc").mkdir()
    (folder / "data").mkdir()
    shutil.copy(ROOT / "data/none.jsonl", folder / "data")
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=t", "-c", "user.email=t", "commit", "-qmx"],
    ):
        subprocess.run(["git", *command], check=True)
    return folder


def environment(hub: Hub, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    kept |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(Path("../home").resolve()), "PYTHONPATH": str(ROOT)}
    return kept | more


def use_here(monkeypatch: pytest.MonkeyPatch, hub: Hub, model: str | None = None, rivals: Path | None = None) -> str:
    """`fieldtune use` in this process, with what its library has read of the environment; one line if it fails.

    Otherwise each call would import it.
    """
    for name, value in {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(Path("../home/hub").resolve()),
        "HF_TOKEN_PATH": str(Path("../home/token").resolve()),
    }.items():
        monkeypatch.setattr(constants, name, value)
    try:
        return use.use(None, model=model, rivals=rivals)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        return str(error)


def run(hub: Hub, model: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """`fieldtune use --model` in a process of its own."""
    command = [sys.executable, "-m", "fieldtune.commands.cli", "use", "--model", model]
    return subprocess.run(
        command, env=environment(hub, **more), capture_output=True, text=True, check=False, timeout=120
    )


def settings(choice: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(f"conf/model/{choice}.yaml").read_text(encoding="utf-8"))
    return loaded


def snapshot(name: str = BGE) -> Path:
    return Path("../home/hub", f"models--{name.replace('/', '--')}", "snapshots", COMMIT)


def downloads(hub: Hub) -> list[str]:
    return [request for request in hub.requests if request.startswith("GET") and "/resolve/" in request]


def test_a_choice_is_downloaded_and_its_revision_written(hub: Hub, team: Path, weights: dict[str, bytes]) -> None:
    before = Path("conf/model/bge_small.yaml").read_text()
    done = run(hub, "bge_small")
    assert done.returncode == 0, done.stdout + done.stderr
    needed = [name for name in weights if name.endswith((".json", ".txt", ".safetensors"))]
    size = sum(len(weights[name]) for name in needed)
    about = f"{BGE}, revision {COMMIT[:12]}, {size / 1000:.3g} kB, licence mit"
    assert done.stdout.splitlines() == [
        f"  {about}",
        f"model: bge_small ({BGE}, revision {COMMIT[:12]})",
        "commit it: git add conf/model/bge_small.yaml params.yaml && git commit",
        "next: dvc repro",
    ]
    assert fake_hub.files_below(snapshot()) == {name: weights[name] for name in needed}
    assert not list(Path("../home").rglob("*.part"))
    assert Path("conf/model/bge_small.yaml").read_text() == before.replace("revision: null", f"revision: {COMMIT}")
    assert "\nmodel: bge_small                     # a file in conf/model/\n" in Path("params.yaml").read_text()
    # Known now: nothing more is asked, also by the name on the hub.
    hub.requests.clear()
    assert f"model: bge_small ({BGE}, revision {COMMIT[:12]}, in the local hub cache)" in run(hub, BGE).stdout
    assert hub.requests == []
    assert compose(hub).returncode == 0
    assert hub.requests == []


def compose(hub: Hub, **more: str) -> "subprocess.CompletedProcess[str]":
    Path("data/sample/docs").mkdir(parents=True, exist_ok=True)
    for name in ("real.jsonl", "style.yaml"):
        Path("data/sample", name).touch()
    command = [sys.executable, "-m", "stages.compose"]
    return subprocess.run(command, env=environment(hub, **more), capture_output=True, text=True, check=False)


def test_compose_names_the_command_downloads_a_known_revision_and_may_be_forbidden_to(hub: Hub, team: Path) -> None:
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("model: minilm", "model: bge_small"))
    failed = compose(hub)
    assert f"✗ compose  the base model, {BGE}, is not in the local model hub cache. Three ways" in failed.stdout
    assert "  1. download it: fieldtune use --model bge_small\n" in failed.stdout
    assert hub.requests == []
    file = Path("conf/model/bge_small.yaml")
    file.write_text(file.read_text().replace("revision: null", f"revision: {COMMIT}"))
    for more, why in (
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
        ({}, "`offline: true` is set in params.yaml"),
    ):
        if not more:
            params.write_text("offline: true\n" + params.read_text())
        failed = compose(hub, **more)
        assert f"is not in the local model hub cache at revision {COMMIT}, and is not downloaded, since {why}" in (
            failed.stdout
        )
        refused = run(hub, "bge_small", **more)
        assert refused.returncode == 1
        assert refused.stdout.endswith(f"is not downloaded, since {why}{' in the environment' if more else ''}\n")
    assert hub.requests == []
    params.write_text(params.read_text().removeprefix("offline: true\n"))
    done = compose(hub)
    assert done.returncode == 0, done.stdout
    assert f"  downloading {BGE}, revision {COMMIT[:12]}, " in done.stdout
    assert Path("data/config/hub.yaml").read_text() == "offline: false\n"


def test_nothing_is_asked_of_a_network_for_the_model_that_comes_with_the_project(hub: Hub, team: Path) -> None:
    """Not of the Hub, nor, by a proxy, of any other host."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), hub.url)
    done = run(hub, "minilm", **proxies)
    assert done.stdout == "model: minilm (sentence-transformers/all-MiniLM-L6-v2)\nnext: dvc repro\n", done.stderr
    assert compose(hub, **proxies).returncode == 0
    code = (
        "from fieldtune.models import encoder; from stages.embed.config import EmbedConfig; "
        "from fieldtune.runtime.settings import load; model = encoder.load_base(load('embed', EmbedConfig).model); "
        "encoder.encode(model, ['a lamp'], 'query', bf16=False, batch_size=1); "
        "from pathlib import Path; encoder.save(model, Path('data/model')); encoder.load_folder(Path('data/model'))"
    )
    encoded = subprocess.run(
        [sys.executable, "-c", code], env=environment(hub, **proxies), capture_output=True, text=True, check=False
    )
    assert encoded.returncode == 0, encoded.stderr
    assert hub.requests == []


def test_a_download_that_was_killed_goes_on_where_it_was(hub: Hub, team: Path, weights: dict[str, bytes]) -> None:
    large = weights["model.safetensors"] + PADDING * 24  # the library writes 10 MB at once
    hub.published[BGE].files["model.safetensors"] = large
    hub.seconds = 0.01
    command = [sys.executable, "-m", "fieldtune.commands.cli", "use", "--model", "bge_small"]
    process = subprocess.Popen(command, env=environment(hub), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part = Path("../home/hub/models--BAAI--bge-small-en-v1.5/blobs", f"{hashlib.sha256(large).hexdigest()}.part")
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size > len(PADDING)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    held = part.stat().st_size
    assert settings("bge_small")["revision"] is None
    hub.seconds = 0.0
    hub.requests.clear()
    file = Path("conf/model/bge_small.yaml")  # a clone that has only a part is no better than one that has none
    file.write_text(file.read_text().replace("revision: null", f"revision: {COMMIT}"))
    done = run(hub, "bge_small")
    assert done.returncode == 0, done.stdout + done.stderr
    assert downloads(hub) == [f"GET /{BGE}/resolve/{COMMIT}/model.safetensors bytes={held}-"]
    assert (snapshot() / "model.safetensors").read_bytes() == large


def test_what_fails_is_one_line_each_and_changes_no_file(
    hub: Hub, team: Path, weights: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(model: str, where: Hub = hub) -> str:
        return use_here(monkeypatch, where, model)

    wrong = "b" * 40
    assert said(f"bge_small@{wrong}").startswith(f"{BGE} has no revision {wrong} on the hub: correct `revision:`")
    assert said("nobody/nothing").startswith(f"nobody/nothing not found at {hub.url}: correct its name")
    assert said("bge_smal").startswith("--model bge_smal: neither a file in conf/model/ nor owner/name")
    assert said("minilm@main").endswith("its files do not come from the model hub: leave out @main")
    hub.published[BGE].gated = True
    login = "run `hf auth login`, or set HF_TOKEN"
    assert said("bge_small") == f"{BGE} is gated: accept its terms at {hub.url}/{BGE}, then {login}"
    hub.published[BGE].gated = False
    for file in ("config.json", "model.safetensors"):
        hub.published[BGE].damaged = {file}
        assert said("bge_small").startswith(f"{file} of {BGE} was damaged on its way")
    hub.published[BGE].damaged = set()
    part = snapshot().parents[1] / "blobs" / f"{hashlib.sha256(weights['model.safetensors']).hexdigest()}.part"
    part.symlink_to("/dev/full")
    assert said("bge_small").startswith(f"no space left on the disk of {constants.HF_HUB_CACHE} for {BGE}: free some")
    part.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
        assert said("bge_small").endswith("has 1 kB: free some, or set HF_HOME to a folder on another disk")
    with fake_hub.running() as gone:
        pass
    line = said("bge_small", gone)
    assert line.startswith(f"{BGE} could not be downloaded from {gone.url} (")
    assert "check the connection, HF_ENDPOINT and proxies" in line
    assert subprocess.run(["git", "status", "--porcelain"], capture_output=True, check=True).stdout == b""
    assert "next: dvc repro" in said("bge_small")


def test_a_token_opens_a_gated_model_and_a_branch_is_resolved(
    hub: Hub, team: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.published[BGE].gated = True
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert "next: dvc repro" in use_here(monkeypatch, hub, "bge_small@main")
    assert TOKEN not in "".join(capsys.readouterr())
    assert settings("bge_small")["revision"] == COMMIT


def test_a_model_without_a_file_gets_one_out_of_its_repository(
    hub: Hub, team: Path, weights: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    described = json.loads(weights["config_sentence_transformers.json"])
    described["prompts"] = {"search_query": "find: ", "document": "text: "}
    named = {**weights, "config_sentence_transformers.json": json.dumps(described).encode()}
    hub.published["Some-One/Tiny.Model-v1"] = Published(
        named, card={"license": "other", "license_name": "open", "language": "de"}
    )
    printed = use_here(monkeypatch, hub, "Some-One/Tiny.Model-v1")
    assert "next: dvc repro" in printed, printed
    assert settings("tiny_model_v1") == {
        "name": "Some-One/Tiny.Model-v1",
        "package": None,
        "path": None,
        "revision": COMMIT,
        "query_prompt": "find: ",
        "passage_prompt": "text: ",
        "max_tokens": 64,
        "dimension": DIMENSION,
        "license": "open",
        "language": "de",
    }
    assert "unknown" not in printed
    assert 'wrote conf/model/tiny_model_v1.yaml: query_prompt "find: ", passage_prompt "text: ", max_tokens 64' in (
        printed
    )
    unsaid = {
        name: content for name, content in weights.items() if name not in ("modules.json", "1_Pooling/config.json")
    }
    hub.published["other/tiny-model-v1"] = Published(unsaid, card={})
    printed = use_here(monkeypatch, hub, "other/tiny-model-v1")
    assert "next: dvc repro" in printed, printed
    lines = [line.removeprefix("! unknown: ").partition(";")[0] for line in printed.splitlines() if "! unknown" in line]
    assert lines == ["the prompts of queries and passages", "the pooling", "the licence", "the languages"]
    assert settings("other_tiny_model_v1")["license"] == "unknown"
    text = Path("conf/model/other_tiny_model_v1.yaml").read_text()
    assert text.count("# Unknown: ") == 4


def test_another_kind_of_model_is_refused_before_its_weights(
    hub: Hub, team: Path, weights: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: content for name, content in weights.items() if name != "modules.json"}
    files["config.json"] = json.dumps({"architectures": ["BertForSequenceClassification"]}).encode()
    files["config_sentence_transformers.json"] = b"{}"
    hub.published["some/reranker"] = Published(files)
    printed = use_here(monkeypatch, hub, "some/reranker")
    assert "is a cross-encoder (a reranker), which gives no vectors" in printed
    assert not any("safetensors" in request for request in downloads(hub))


def test_a_base_model_among_the_rivals_is_downloaded_and_the_own_one_stays(
    hub: Hub, team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "dvc.yaml", team)
    (team / "rivals").mkdir()
    rivals = {"small": {"base": "bge_small"}, "again": {"base": "bge_small"}, "own": {"base": "minilm"}}
    (team / "rivals/rivals.yaml").write_text(yaml.safe_dump(rivals, sort_keys=False))
    before = Path("params.yaml").read_text()
    published = hub.published.pop(BGE)
    assert use_here(monkeypatch, hub, rivals=Path("rivals")).startswith(f"{BGE} not found at ")
    assert Path("params.yaml").read_text() == before
    assert settings("bge_small")["revision"] is None
    hub.published[BGE] = published
    assert use_here(monkeypatch, hub, rivals=Path("rivals")).splitlines() == [
        "rivals: rivals (small, again, own)",
        f"base model bge_small: {BGE}, revision {COMMIT[:12]}",
        "base model minilm: sentence-transformers/all-MiniLM-L6-v2",
        "commit it: git add conf/model/bge_small.yaml params.yaml rivals/rivals.yaml && git commit",
        "next: dvc repro",
    ]
    assert Path("params.yaml").read_text() == before.replace("rivals: data/none.jsonl ", "rivals: rivals ")
    assert settings("bge_small")["revision"] == COMMIT
