"""`fieldtune judge` as a command: the real systems behind the page, its end, `--split`."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from fieldtune.commands import cli
from fieldtune.corpus import files
from fieldtune.runtime import paths
from tests.commands.test_judge import QUERIES, sections
from tests.commands.test_judge import template as template
from tests.imports import ROOT
from tests.judging.conftest import WAIT, Judge, Server
from tests.judging.made_up import TOKEN

pytestmark = pytest.mark.integrations

COMMAND = ("fieldtune.commands.cli", "judge", "log.jsonl", "--no-browser", "--port")


def test_the_real_systems_rank_and_control_c_says_what_comes_next(
    template: Path, server: Server, person: Callable[..., Judge]
) -> None:
    shutil.copytree(template, server.folder, dirs_exist_ok=True)
    server.write_log([*QUERIES[:3], QUERIES[0].upper()])
    files.write_jsonl(server.folder / "real.jsonl", [{"query": QUERIES[1], "source": "doc0.md"}])
    server.run(*COMMAND, "0")
    judge = person(server.link()).ready()
    assert (judge.query, judge.page.evaluate("view.of")) == (QUERIES[0], 2)
    passages = list(files.read_jsonl(server.folder / paths.PASSAGES))
    ids = [candidate["id"] for candidate in judge.page.evaluate("view.candidates")]
    judge.press("2", "Enter")
    assert judge.query == QUERIES[2]
    judge.page.keyboard.press("/")
    judge.page.get_by_label("meaning").check()
    judge.page.get_by_label("Words or a question").fill(passages[30]["text"])
    judge.page.keyboard.press("Enter")
    judge.page.wait_for_selector("#hits article.current")
    judge.press("2")
    judge.press("Enter")
    status, printed = server.stop()
    assert status == 0, printed
    assert TOKEN in printed and "Traceback" not in printed
    assert "2 queries judged, 2 of them with an answer" in printed
    assert "real.jsonl has 3 queries with answers: 97 more needed for a verdict" in printed
    place = next((row["source"], row["section"]) for row in passages if row["id"] == ids[0])
    assert server.rows()[0] == {"query": QUERIES[1], "source": "doc0.md"}
    first = server.rows()[1]
    judged = first.pop("judged")
    assert first == {"query": QUERIES[0], "source": place[0], "section": place[1], "relevance": 2}
    from fieldtune.commands.loaded_systems import Systems

    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(server.folder)
        (pool,) = Systems(passages).pools([QUERIES[0]], 5)
    assert [passages[candidate.passages[0]]["id"] for candidate in pool] == ids
    assert sorted(sections(pool)) == sorted(set(judged))


def test_models_that_cannot_be_loaded_end_the_command_with_their_message(template: Path, server: Server) -> None:
    shutil.copytree(template, server.folder, dirs_exist_ok=True)
    shutil.rmtree(server.folder / "own/model")
    server.write_log(QUERIES)
    server.run(*COMMAND, "0")
    assert server._process is not None
    assert server._process.wait(timeout=WAIT) == 1
    printed = (server.folder / "printed.txt").read_text()
    assert "✗ the base model, someone/tiny, is not in own/model." in printed
    assert "Traceback" not in printed


def test_splits_are_proposed_with_reasons_and_written_on_demand(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(template, tmp_path / "team")
    monkeypatch.chdir(tmp_path / "team")
    shutil.copy(ROOT / "data/config/dataset.yaml", "data/config")
    files.write_text(paths.NONE, "\n")
    answered = [{"query": f"{a} {b}", "source": f"doc{n % 4}.md", "section": f"Part {n % 24 // 6 * 6}", "relevance": 2}
                for n, (a, b) in enumerate(pairwise(QUERIES))]  # fmt: skip
    unanswered = [{"query": f"{word} missing", "answered": False} for word in ("lamp", "door", "vent", "pump", "fan")]
    before = "".join(json.dumps(row) + "\n" for row in [*answered, *unanswered])
    Path("real.jsonl").write_text(before)
    cli.main(["judge", "--split"])
    printed = capsys.readouterr().out
    assert "style 5: queries without an answer show a style" in printed
    assert re.search(r"test \d: with fewer than 150 answers", printed)
    assert printed.endswith("add `--yes`.\nnothing was written\n")
    assert Path("real.jsonl").read_text() == before
    cli.main(["judge", "--split", "--yes"])
    counts = Counter(row.get("split") for row in files.read_jsonl(Path("real.jsonl")))
    assert counts["style"] == 5
    assert set(counts) <= {"style", "test", None}  # a place that is not in the documents has no use
    cli.main(["judge", "--split"])
    assert "nothing to write" in capsys.readouterr().out
