"""`fieldtune use` in real repositories of git and DVC: what is set, what DVC has afterwards, and what is refused."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from fieldtune.commands import cli
from fieldtune.corpus import files

pytestmark = pytest.mark.pipeline

ROOT = Path(__file__).parents[2]
PARAMS = """\
# What people change.
documents: data/sample/docs       # a folder
queries: data/sample/real.jsonl   # real queries; none: data/none.jsonl
pairs: data/none.jsonl
model: minilm
model_path: data/none.jsonl
pin: data/none.jsonl
rivals: data/none.jsonl
style: data/sample/style.yaml

generator: sample                 # a file in conf/generator/
train: {epochs: 1}
"""
ANY = ("keyphrases", "claude", "claude_batch", "local")


def run(*command: str, folder: Path | None = None) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository's pipeline, committed, with documents and queries that neither git nor DVC knows."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("dvc.yaml", "data/none.jsonl", "data/sample/dvc.yaml", ".dvc/config", ".dvc/.gitignore"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "conf", folder / "conf")
    (folder / "params.yaml").write_text(PARAMS)
    run("git", "init", "--quiet", "--initial-branch", "main", folder=folder)
    for key in ("name", "email"):
        run("git", "config", f"user.{key}", "test", folder=folder)
    commit(folder)
    files.write_text(folder / "own/docs/guide.md", "# Guide\n\nA secret text.\n")
    files.write_text(folder / "own/docs/more/faq.md", "# FAQ\n\nAnother secret text.\n")
    files.write_text(folder / "own/docs/.hidden", "x")
    files.write_text(folder / "own/real.csv", "query,source,section\nhow so,guide.md,Guide\nwhat,,\nwhy,more/faq.md,\n")
    return folder


def commit(folder: Path) -> None:
    run("git", "add", "--all", folder=folder)
    run("git", "commit", "--quiet", "--message", "x", folder=folder)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> "Printed":
    return Printed(capsys)


class Printed:
    """Runs `fieldtune use`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def by(self, *arguments: str) -> list[str]:
        """The lines that it prints."""
        cli.main(["use", *arguments])
        return self._capsys.readouterr().out.splitlines()

    def refused(self, *arguments: str) -> str:
        """The one message with which it ends; nothing was written."""
        before = tree()
        with pytest.raises(SystemExit, match="1"):
            cli.main(["use", *arguments])
        assert tree() == before
        message = self._capsys.readouterr().out
        assert message.startswith("✗ ")
        return message


def tree() -> dict[Path, bytes]:
    """All files here with their bytes, those aside that git and DVC keep for themselves."""
    own = (Path(".git"), Path(".dvc/tmp"), Path(".dvc/cache"))
    found = (path for path in Path().rglob("*") if path.is_file() and not any(map(path.is_relative_to, own)))
    return {path: path.read_bytes() for path in found}


def settings() -> tuple[str, ...]:
    found = yaml.safe_load(Path("params.yaml").read_text())
    return tuple(found[key] for key in ("documents", "queries", "pairs", "generator"))


def nfiles(name: str) -> int:
    """How many files DVC has of what it added."""
    (out,) = yaml.safe_load(Path(f"{name}.dvc").read_text())["outs"]
    found: int = out.get("nfiles", 1)
    return found


def test_a_team_begins_with_its_own_documents(team: Path, printed: Printed) -> None:
    before = tree()
    assert printed.by("./own/docs/", "own/real.csv") == [
        "documents: own/docs (2 files)",
        "queries: own/real.csv (2 with an answer, 1 without an answer: find answers with `fieldtune judge`)",
        "pairs: none",
        "generator: keyphrases (not sample: its queries are for the sample's documents)",
        "added to DVC: own/docs, own/real.csv",
        "commit it: git add params.yaml own/.gitignore own/docs.dvc own/real.csv.dvc && git commit",
        "next: dvc repro",
    ]
    after = tree()
    assert {path for path in after if after[path] != before.get(path)} == {
        Path(name) for name in ("params.yaml", "own/.gitignore", "own/docs.dvc", "own/real.csv.dvc")
    }
    new = {
        "data/sample/docs": "own/docs",
        "data/sample/real.jsonl": "own/real.csv",
        "data/sample/style.yaml": "data/none.jsonl",
        ": sample": ": keyphrases",
    }
    expected = PARAMS
    for old, value in new.items():
        expected = expected.replace(old, value)
    assert Path("params.yaml").read_text() == expected
    assert nfiles("own/docs") == 3  # DVC takes hidden files too
    assert nfiles("own/real.csv") == 1

    again = printed.by("own/docs", str(team / "own/real.csv"))  # an absolute path is the same place
    assert tree() == after
    assert again[3:] == [
        "generator: keyphrases",
        "commit it: git add params.yaml own/.gitignore own/docs.dvc own/real.csv.dvc && git commit",
        "next: dvc repro",
    ]
    commit(team)
    assert printed.by("own/docs", "own/real.csv")[3:] == ["generator: keyphrases", "next: dvc repro"]

    shutil.rmtree("own/docs")  # as in a fresh clone
    assert printed.refused("own/docs") == "✗ own/docs not found, but DVC tracks it: dvc pull own/docs.dvc\n"


def test_what_git_has_is_left_alone_and_what_it_lacks_is_said(team: Path, printed: Printed) -> None:
    run("git", "add", "own")
    assert printed.by("own/docs", "own/real.csv")[4:] == [
        "commit it: git add params.yaml && git commit",
        "next: dvc repro",
    ]
    run("git", "rm", "--quiet", "--cached", "own/docs/guide.md")
    (line,) = (line for line in printed.by("own/docs") if line.startswith("!"))
    assert line.startswith("! git tracks a part of own/docs, but 1 of its files are in neither git nor DVC")
    assert not list(Path("own").glob("*.dvc"))
    assert settings() == ("own/docs", "own/real.csv", "data/none.jsonl", "keyphrases")


def test_the_same_documents_keep_their_tables_and_others_say_what_they_drop(team: Path, printed: Printed) -> None:
    Path("p.csv").write_text("query,source\nhow,guide.md\n")
    run("git", "add", "own", "p.csv")
    printed.by("own/docs", "own/real.csv", "--pairs", "p.csv")
    lines = printed.by("./own/docs", "--generator", "claude")
    assert lines[1].startswith("queries: own/real.csv (2 with an answer")
    assert lines[2] == "pairs: p.csv (1 with an answer)"
    assert settings() == ("own/docs", "own/real.csv", "p.csv", "claude")
    lines = printed.by("own/docs", "--pairs", "data/none.jsonl")
    assert lines[2:4] == ["pairs: none", "! p.csv is no longer used"]
    assert settings() == ("own/docs", "own/real.csv", "data/none.jsonl", "claude")
    assert printed.by("own/docs/more")[1:3] == ["queries: none", "! own/real.csv is no longer used"]
    assert settings()[:3] == ("own/docs/more", "data/none.jsonl", "data/none.jsonl")

    printed.by("own/docs", "own/real.csv")
    shutil.move("own/real.csv", "own/other.csv")
    message = printed.refused("own/docs")
    assert message == "✗ own/real.csv not found; params.yaml names it: name another, or data/none.jsonl\n"


def test_columns_that_may_be_misnamed_are_said(team: Path, printed: Printed) -> None:
    Path("q.csv").write_text("query;file;heading\nhow so;guide.md;Guide\n")
    run("git", "add", "own", "q.csv")
    assert printed.by("own/docs", "q.csv")[1:3] == [
        "queries: q.csv (1 without an answer: find answers with `fieldtune judge`)",
        "! unknown columns file, heading; a place is source and section, passage, or passage_id",
    ]


def test_what_lies_outside_is_used_where_it_is(team: Path, printed: Printed) -> None:
    shutil.move("own", "../outside")
    outside = str(team.parent / "outside")
    lines = printed.by("../outside/docs", "../outside/real.csv")
    assert lines[4:6] == [
        f"! {outside}/{name} is outside the repository: a clone will not have it" for name in ("docs", "real.csv")
    ]
    # A queued experiment runs in another folder, where `../outside` would be another place.
    assert settings()[:2] == (f"{outside}/docs", f"{outside}/real.csv")
    Path("link").symlink_to("../outside/docs")
    assert printed.by("link")[0] == f"documents: {outside}/docs (2 files)"


def test_one_file_is_one_file(team: Path, printed: Printed) -> None:
    Path("one").mkdir()
    Path("one/guide.md").write_text("# Guide\n")
    assert printed.by("one")[0] == "documents: one (1 file)"


@pytest.mark.parametrize(
    ("now", "arguments", "generator", "why"),
    [
        *((name, [], name, "") for name in ANY),
        ("sample", [], "keyphrases", " (not sample: its queries are for the sample's documents)"),
        ("recorded", [], "keyphrases", " (not recorded: its queries are for the sample's documents)"),
        ("pairs", [], "keyphrases", " (not pairs: it needs `--pairs FILE`)"),
        ("gone", [], "keyphrases", " (not gone: gone is not a choice of conf/generator/; available: "),
        ("sample", ["--generator", "local"], "local", ""),
        ("local", ["--pairs", "p.csv"], "local", " (besides the pairs; `--generator pairs` uses them alone)"),
        ("pairs", ["--pairs", "p.csv"], "pairs", ""),
        ("sample", ["--pairs", "p.csv", "--generator", "pairs"], "pairs", ""),
    ],
)
def test_the_generator_stays_where_it_fits(
    now: str, arguments: Sequence[str], generator: str, why: str, team: Path, printed: Printed
) -> None:
    Path("params.yaml").write_text(PARAMS.replace("generator: sample", f"generator: {now}"))
    Path("p.csv").write_text("query,source\nhow,guide.md\n")
    run("git", "add", "own", "p.csv")
    lines = printed.by("own/docs", *arguments)
    assert lines[3].startswith(f"generator: {generator}{why}")
    assert why or lines[3] == f"generator: {generator}"
    pairs = "p.csv" if "--pairs" in arguments else "data/none.jsonl"
    assert settings() == ("own/docs", "data/none.jsonl", pairs, generator)
    assert (
        "estimate the cost of its queries: dvc repro ingest && fieldtune estimate" in lines
    ) == generator.startswith("claude")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nowhere"], "nowhere not found\n"),
        (["own/real.csv"], "own/real.csv is a file: name its folder\n"),
        (["empty"], "empty has no files\n"),
        (["."], ". cannot be used: the pipeline writes data/"),
        (["data/sample/docs"], "data/sample/docs not found, but DVC tracks it: dvc repro data/sample/dvc.yaml:"),
        (["own/docs", "q.csv"], "q.csv not found\n"),
        (["own/docs", "own"], "own is a folder\n"),
        (["own/docs", "data/real/log.jsonl"], "data/real/log.jsonl cannot be used: the pipeline writes data/real"),
        (["own/docs", "own/docs/guide.md"], "own/docs/guide.md lies among the documents and would be read as one"),
        (["own/docs", "titles.csv"], "titles.csv, line 2: no column `query`; its columns are question, source. Known"),
        (
            ["own/docs", "group.csv"],
            "group.csv, line 3: group is training: it must be one of test, dev, train, style, or empty",
        ),
        (["own/docs", "half.jsonl"], "half.jsonl, line 2: no column `query`; its columns are source."),
        (["own/docs", "blank.csv"], "blank.csv, line 3: `query` is empty: every row needs one\n"),
        (["own/docs", "header.csv"], "header.csv has no rows\n"),
        (["own/docs", "--pairs", "own/real.csv"], "own/real.csv, line 3: no place of the answer: add a column,"),
        (["own/docs", "own/real.csv", "--pairs", "own/../own/real.csv"], "queries and pairs are the same file"),
        (["own/docs", "--generator", "gpt"], "--generator gpt: gpt is not a choice of conf/generator/; available: "),
        (["own/docs", "--generator", "sample"], "--generator sample: its queries are for the sample's documents\n"),
        (["own/docs", "--generator", "pairs"], "--generator pairs: it needs `--pairs FILE`\n"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line_and_nothing_is_written(
    arguments: Sequence[str], line: str, team: Path, printed: Printed
) -> None:
    Path("empty/.git").mkdir(parents=True)
    Path("titles.csv").write_text("question,source\nsecret,guide.md\n")
    Path("blank.csv").write_text("query,source\nsecret,guide.md\n ,guide.md\n")
    Path("half.jsonl").write_text('{"query": "secret"}\n{"source": "guide.md"}\n')
    Path("header.csv").write_text("query,source\n")
    Path("group.csv").write_text("query,source,group\nsecret,guide.md,train\nother,guide.md,training\n")
    message = printed.refused(*arguments)
    assert message.startswith(f"✗ {line}")
    assert message.count("\n") == 1
    assert "secret" not in message


@pytest.mark.parametrize("folder", ["own/docs/more", "own/docs/.more"])
def test_a_name_that_is_not_utf_8_and_a_link_to_nothing(folder: str, team: Path, printed: Printed) -> None:
    Path(folder).mkdir(exist_ok=True)
    named = Path(os.fsdecode(bytes(Path(folder)) + b"/gr\xf6sse.md"))
    named.touch()
    message = printed.refused("own/docs")
    assert message == f"✗ {folder}/gr\\xf6sse.md: this file name is not UTF-8, which DVC needs: rename it\n"
    assert printed.refused("own/docs/more", str(named)) == message
    named.unlink()
    (team / folder / "gone.md").symlink_to("nowhere.md")
    message = printed.refused("own/docs")
    assert message == f"✗ {folder}/gone.md is a broken link: remove or repair it\n"
    assert printed.refused("own/docs/more", f"{folder}/gone.md") == message
    (team / folder / "gone.md").unlink()
    Path("own/docs/.git").mkdir()  # which DVC leaves out
    (team / "own/docs/.git/gone").symlink_to("nowhere")
    printed.by("own/docs")
    (team / folder / "gone.md").symlink_to("nowhere.md")  # as where DVC links to its cache, and that is emptied
    assert printed.refused("own/docs").endswith("a broken link: dvc pull own/docs.dvc\n")


def test_a_beir_folder_brings_its_queries(team: Path, printed: Printed) -> None:
    files.write_jsonl(Path("set/corpus.jsonl"), [{"_id": "1", "text": "x"}])
    files.write_jsonl(Path("set/queries.jsonl"), [{"_id": "q", "text": "y"}])
    files.write_text(Path("set/qrels/test.tsv"), "query-id\tcorpus-id\tscore\nq\t1\t1\n")
    run("git", "add", "set", "own")
    assert printed.by("set")[1] == "queries: those of the folder, which has BEIR's layout"
    assert settings()[1] == "data/none.jsonl"
    assert printed.by("set", "own/real.csv")[1].startswith("queries: own/real.csv (2 with")


def test_back_to_the_sample(team: Path, printed: Printed) -> None:
    files.write_text(Path("data/sample/docs/ec2.md"), "# EC2\n\nx\n")
    files.write_jsonl(Path("data/sample/real.jsonl"), [{"query": "x", "source": "ec2.md"}])
    before = tree()
    lines = printed.by("data/sample/docs", "data/sample/real.jsonl")
    assert lines[3:] == ["generator: sample", "next: dvc repro"]
    assert tree() == before
    printed.by("data/sample/docs", "--generator", "keyphrases")
    printed.by("data/sample/docs", "data/sample/real.jsonl", "--generator", "sample")
    assert tree() == before


def test_files_that_dvc_or_git_ignores(team: Path, printed: Printed) -> None:
    Path(".dvcignore").write_text("own/docs/more\n")
    Path(".gitignore").write_text("guide.md\n")
    (line,) = (line for line in printed.by("own/docs") if line.startswith("!"))
    assert line.startswith(
        "! .dvcignore excludes 1 of the files in own/docs: they are read here, but DVC does not notice"
    )
    assert nfiles("own/docs") == 2  # what git ignores DVC takes

    Path("own/docs.dvc").unlink()
    Path(".dvcignore").write_text("own\n")
    assert "own/docs is excluded by .dvcignore, so DVC cannot track it" in printed.refused("own/docs")
    Path(".dvcignore").write_text("real.csv\n")
    assert "own/real.csv is excluded by .dvcignore" in printed.refused("own/docs", "own/real.csv")
    Path(".dvcignore").unlink()
    Path(".gitignore").write_text("*.dvc\n")
    assert "git ignores own/docs.dvc, the file that `dvc add own/docs` would write" in printed.refused("own/docs")


def test_what_dvc_says_is_shown_where_it_fails(team: Path, printed: Printed) -> None:
    Path(".dvc/cache").write_text("a file where DVC keeps a folder")
    message = printed.refused("own/docs")
    assert message.startswith("✗ `dvc add -- own/docs` failed: ")
    assert "Not a directory" in message


def test_a_broken_pipeline_and_another_folder(team: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("dvc.yaml").write_text("stages: [\n")
    assert printed.refused("own/docs").startswith("✗ DVC cannot read this repository: ")
    monkeypatch.chdir(team / "own")
    assert printed.refused("docs") == "✗ params.yaml not found: run this from the root of the repository\n"


def test_a_log_shows_how_people_type_and_becomes_the_style_if_a_person_agrees(team: Path, printed: Printed) -> None:
    log = [f"{opening} {thing}" for opening in ("reset", "where is my") for thing in ("router", "lamp", "door")]
    files.write_text(Path("own/log.csv"), "query\n" + "".join(f"{query}\n" for query in log))
    lines = printed.by("own/docs", "own/log.csv")  # nobody is at the terminal
    assert lines[0] == "These queries enter style.yaml, and with it git and the prompt; they leave the test:"
    assert sorted(lines[1:7]) == sorted(f"  {query}" for query in log)
    assert not Path("style.yaml").exists()
    assert yaml.safe_load(Path("params.yaml").read_text())["style"] == "data/none.jsonl"

    lines = printed.by("own/docs", "own/log.csv", "--yes")
    assert "style: style.yaml (6 examples)" in lines
    (commit,) = (line for line in lines if line.startswith("commit it: git add "))
    assert "style.yaml" in commit.split(), lines
    assert yaml.safe_load(Path("params.yaml").read_text())["style"] == "style.yaml"
    before = Path("style.yaml").read_bytes()
    assert not any("style" in line for line in printed.by("own/docs", "own/log.csv", "--yes")[:3])  # it stays
    assert Path("style.yaml").read_bytes() == before


@pytest.fixture
def rivals(team: Path) -> Path:
    """A folder of rivals that neither git nor DVC knows: a model, a run file and an embeddings API."""
    files.write_text(team / "rivals/last_year/modules.json", "[]")
    files.write_text(team / "rivals/last_year/model.safetensors", "weights")
    files.write_text(team / "rivals/ours.jsonl", '{"query": "secret", "results": ["guide.md#Guide"]}\n')
    return name_rivals(team, last_year={"folder": "last_year"}, ours={"run": "ours.jsonl"}, bought=API)


API = {"url": "https://api.example.org/v1", "model": "m", "price": 0.02, "key_env": "KEY_OF_NOBODY"}


def name_rivals(team: Path, **rivals: object) -> Path:
    files.write_text(team / "rivals/rivals.yaml", yaml.safe_dump(rivals, sort_keys=False))
    return team / "rivals"


@pytest.mark.parametrize("named", ["rivals", "rivals/rivals.yaml"])
def test_rivals_are_checked_and_their_large_files_go_to_dvc(rivals: Path, printed: Printed, named: str) -> None:
    assert printed.by("--rivals", named) == [
        "rivals: rivals (last_year, ours, bought)",
        "! KEY_OF_NOBODY is not set: export it before the next run",
        "added to DVC: rivals/last_year, rivals/ours.jsonl",
        "commit it: git add params.yaml rivals/.gitignore rivals/last_year.dvc rivals/ours.jsonl.dvc "
        "rivals/rivals.yaml && git commit",
        "estimate the cost of the rivals' vectors: dvc repro dataset && fieldtune estimate",
        "next: dvc repro",
    ]
    assert Path("params.yaml").read_text() == PARAMS.replace("rivals: data/none.jsonl", "rivals: rivals")
    assert nfiles("rivals/last_year") == 2
    commit(rivals.parent)
    assert not Path("rivals/rivals.yaml.dvc").exists()
    assert run("git", "ls-files", "rivals").split() == [
        "rivals/.gitignore", "rivals/last_year.dvc", "rivals/ours.jsonl.dvc", "rivals/rivals.yaml",
    ]  # fmt: skip
    name_rivals(rivals.parent, ours={"run": "ours.jsonl"})
    assert printed.by("--rivals", named) == [
        "rivals: rivals (ours)",
        "commit it: git add rivals/rivals.yaml && git commit",
        "next: dvc repro",
    ]
    assert printed.by("--rivals", "data/none.jsonl")[0] == "rivals: none"
    assert Path("params.yaml").read_text() == PARAMS


def test_documents_and_rivals_in_one_command(rivals: Path, printed: Printed) -> None:
    lines = printed.by("own/docs", "--rivals", "rivals")
    assert [line for line in lines if line.startswith(("documents: ", "rivals: "))] == [
        "documents: own/docs (2 files)",
        "rivals: rivals (last_year, ours, bought)",
    ]
    set_now = yaml.safe_load(Path("params.yaml").read_text())
    assert (set_now["documents"], set_now["rivals"]) == ("own/docs", "rivals")


@pytest.mark.parametrize(
    ("changes", "arguments", "line"),
    [
        ({}, ["--rivals", "gone"], "gone/rivals.yaml not found: write it, as docs/rivals.md says"),
        (
            {},
            ["--rivals", "data/rivals"],
            "data/rivals cannot be used: the pipeline writes data/rivals",
        ),
        ({"a": {"folder": "last"}}, [], "rivals/rivals.yaml: a: rivals/last is not a model folder: copy"),
        ({"a": {"run": "run.jsonl"}}, [], "rivals/run.jsonl not found: it must be a file beside rivals.yaml"),
        ({"a": {**API, "url": "ftp://x"}}, [], "rivals/rivals.yaml: a: url is ftp://x: it must begin with http"),
        ({"a": {**API, "price": -1}}, [], "rivals/rivals.yaml: a: price is -1.0: it must be at least 0\n"),
        ({"a": {"base": "bge"}}, [], "rivals/rivals.yaml: a: bge is not a file in conf/model/; available: arctic_m"),
        ({}, [".", "--rivals", "rivals"], "params.yaml: rivals: rivals lies among the documents, ., and would"),
        ({}, ["--rivals", "rivals", "--generator", "pairs"], "name the folder of your documents: "),
    ],
)
def test_rivals_that_cannot_be_are_one_line_and_nothing_is_written(
    changes: dict[str, object], arguments: Sequence[str], line: str, rivals: Path, printed: Printed
) -> None:
    if changes:
        name_rivals(rivals.parent, **changes)
    message = printed.refused(*(arguments or ["--rivals", "rivals"]))
    assert message.startswith(f"✗ {line}")
    assert message.count("\n") == 1
    assert "secret" not in message
