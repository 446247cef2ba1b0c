"""A real repository made for a test: this one's files, documents of the test's own, and a tiny model."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.tiny_model import tiny_model

ROOT = Path(__file__).parents[2]
DOCUMENTS = 4
_THINGS = ("server", "bucket", "database", "queue", "certificate", "snapshot", "user", "policy", "alarm", "cluster")
_ACTIONS = {
    "create": "Makes a new {thing} in the account, with the name and size that the caller gives.",
    "delete": "Removes the {thing} for good. What it held cannot be read any more after that.",
    "list": "Shows every {thing} there is, a page at a time, newest first.",
    "copy": "Duplicates the {thing} to another region, where it gets a name of its own.",
    "tag": "Puts labels on the {thing}, so that its cost can be told from the rest.",
    "restore": "Brings the {thing} back to the state it had at an earlier time.",
}
_ASKED = {
    "create": "how do I make a new {thing}",
    "delete": "remove a {thing} for good",
    "list": "show every {thing}",
    "copy": "duplicate a {thing} to another region",
    "tag": "labels on a {thing} for cost",
    "restore": "bring a {thing} back to an earlier time",
}


def make(folder: Path) -> None:
    """A git and DVC repository whose params.yaml names documents, real queries and a model of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / "dvc.lock").unlink(missing_ok=True)
    (folder / "data/sample/dvc.lock").unlink(missing_ok=True)
    words = _write_documents(folder / "own/docs", folder / "own/real.csv")
    tiny_model(folder / "own/transformer", words, max_tokens=64).save(
        str(folder / "own/model"), create_model_card=False
    )
    shutil.rmtree(folder / "own/transformer")
    edit(
        folder / "params.yaml",
        {
            "documents: data/sample/docs": "documents: own/docs",
            "queries: data/sample/real.jsonl": "queries: own/real.csv",
            "style: data/sample/style.yaml": "style: data/none.jsonl",
            "model: minilm": "model: path",
            "model_path: data/none.jsonl": "model_path: own/model",
            "generator: sample": "generator: keyphrases",
            "epochs: null ": "epochs: 30 ",  # random weights have far to go
            "learning_rate: 1.0e-4": "learning_rate: 3.0e-3",
            "batch_size: 64": "batch_size: 8",
        },
    )
    edit(
        folder / "conf/config.yaml",
        {
            "dev: 0.05": "dev: 0.3",  # of 60 sections
            "evaluations: 1": "evaluations: 4",  # a checkpoint long before the end
            "certainty: 0.95": "certainty: 0.5",  # of few dev queries
            "keyphrases_share: 0.5": "keyphrases_share: 1.0",  # half of the way from random weights is nowhere
        },
    )
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, "a team's own repository")


def _write_documents(docs: Path, real: Path) -> list[str]:
    """Write the documents and the queries; return all their words, in an order that is always the same."""
    docs.mkdir(parents=True)
    rows = ["query,source,section"]
    texts = []
    for number in range(DOCUMENTS):
        lines = [f"# Guide {number}\n"]
        for thing in _THINGS[number::DOCUMENTS]:
            for action, text in _ACTIONS.items():
                lines.append(f"## {action.title()} {thing}\n\n{text.format(thing=thing)}\n")
                rows.append(f"{_ASKED[action].format(thing=thing)},guide{number}.md,{action.title()} {thing}")
        (docs / f"guide{number}.md").write_text("\n".join(lines), encoding="utf-8")
        texts += lines
    real.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return sorted({word.strip(".,#?") for word in " ".join([*texts, *rows]).replace(",", " ").split()})


def edit(path: Path, changes: dict[str, str]) -> None:
    """Replace texts in a file; each must be there."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in {path.name}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def environment() -> dict[str, str]:
    """As a person has it who activated the environment that runs this test; queue workers look for `dvc` on PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_", "PYTEST_"))}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
        "COLUMNS": "200",
    }


def dvc(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run a dvc command; return what a person sees. Fails where it ends with another exit code than `code`."""
    return _run(folder, ["dvc", *arguments], code)


def shell(folder: Path, command: str) -> str:
    """Run a line as a person types it."""
    return _run(folder, ["bash", "-c", command], 0)


def git(folder: Path, *arguments: str) -> str:
    return _run(folder, ["git", *arguments], 0)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def _run(folder: Path, command: Sequence[str], code: int) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == code, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def stages_run(output: str) -> list[str]:
    """The stages that a `dvc repro` ran, in order."""
    ran = [line for line in output.splitlines() if line.startswith("Running stage '")]
    return [line.split("'")[1].rpartition(":")[2] for line in ran]
