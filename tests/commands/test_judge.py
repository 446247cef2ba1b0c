"""`fieldtune judge --terminal` with real, tiny models: what is shown, what is kept, by lines and at a real terminal."""

import fcntl
import io
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from fieldtune.commands import cli
from fieldtune.commands.loaded_systems import Systems
from fieldtune.corpus import files, tables
from fieldtune.corpus.passages import Corpus, passage_text, section_hash, section_id
from fieldtune.corpus.vectors import PASSAGES, read_vectors, write_vectors
from fieldtune.judging.candidates import Candidate
from fieldtune.models import encoder
from fieldtune.retrieval import ranking
from fieldtune.runtime import paths
from fieldtune.runtime.console import console
from stages.real.matching import match
from tests.tiny_model import WORDS, tiny_model
from tests.train import workspace
from tests.vectors import read_rows, write_encoded

ROOT = Path(__file__).parents[2]
SECTIONS = 24  # of two passages each
QUERIES = [f"{WORDS[3 * number]} {WORDS[7 * number % 50]} {WORDS[11 * number % 50]}" for number in range(1, 9)]
STEERING = "\x1b[31m\x07"
Rows = list[dict[str, Any]]


def made_passages() -> Rows:
    drawn = random.Random(0)
    rows = []
    for number in range(2 * SECTIONS):
        text = " ".join(WORDS[word] for word in drawn.sample(range(55), drawn.randint(4, 30)))
        source, section = f"doc{number // 12}.md", f"Part {number // 2}"
        rows.append(
            {
                "id": f"{source}#part-{number // 2}" + ("-2" if number % 2 else ""),
                "source": source,
                "document": source,
                "language": "",
                "section": section,
                "title": f"Guide {section}",
                "text": text if number else f"{text} {STEERING} {'long ' * 400}",
                "section_sha256": section_hash(section),
            }
        )
    return rows


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `dvc repro` leaves: passages, vectors of a base model, and another model with vectors of its own."""
    folder = tmp_path_factory.mktemp("team")
    passages = made_passages()
    files.write_jsonl(folder / paths.PASSAGES, passages)
    for architecture, vectors, place in (
        ("bert", paths.VECTORS, Path("own/model")),
        ("xlmr", paths.TUNED_VECTORS, paths.MODEL),
    ):
        model = tiny_model(folder / "made" / architecture, architecture=architecture)
        model.prompts = dict(workspace.PROMPTS)
        encoder.save(model, folder / place)
        texts = [passage_text(row) for row in passages]
        write_encoded(model, folder / vectors, texts, [])
    shutil.rmtree(folder / "made")
    workspace.configure(folder, workspace.embed_config())
    files.write_text(folder / ".dvc/config", "")
    (folder / "params.yaml").write_text("queries: data/none.jsonl\n")
    files.write_jsonl(folder / paths.REAL_LOG, [])
    return folder


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Person":
    return Person(monkeypatch, capsys)


class Person:
    """Runs `fieldtune judge --terminal` and gives lines as answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def judges(self, lines: str, *arguments: str) -> str:
        """All that is printed; each character of `lines` but line ends is a line of its own."""
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        cli.main(["judge", "--terminal", *arguments])
        return self._capsys.readouterr().out

    def refused(self, *arguments: str) -> str:
        with pytest.raises(SystemExit, match="1"):
            self.judges("", *arguments)
        return self._capsys.readouterr().out


def sections(pool: Sequence[Candidate]) -> list[str]:
    return [section_id(candidate.source, candidate.section) for candidate in pool]


def pool_of(query: str, top: int = 5) -> list[str]:
    """The sections that are asked about, as they come, of the passages here."""
    (pool,) = Systems(list(files.read_jsonl(paths.PASSAGES))).pools([query], top)
    return sections(pool)


def log(*queries: str) -> Path:
    files.write_jsonl(Path("log.jsonl"), ({"query": query} for query in queries))
    return Path("log.jsonl")


def out_rows(path: str = "real.jsonl") -> Rows:
    return list(files.read_jsonl(Path(path)))


def by_hand(query: str, passages: Rows, model: Path, vectors: Path) -> dict[str, int]:
    """The five best sections by a model, each with its best passage, by the library's own encoding and plain numpy."""
    query_vector = SentenceTransformer(str(model), local_files_only=True).encode_query(
        query, prompt=workspace.PROMPTS["query"]
    )
    scores = read_rows(Path(), vectors, "passages") @ query_vector
    best: dict[str, int] = {}
    for row in np.argsort(-scores).tolist():
        best.setdefault(f"{passages[row]['source']}#{passages[row]['section']}", row)
    return dict(list(best.items())[:5])


def test_the_pool_is_the_best_five_sections_of_each_system(team: Path) -> None:
    passages = list(files.read_jsonl(paths.PASSAGES))
    corpus = Corpus.from_passages(passages)
    pools = Systems(passages).pools(QUERIES, 5)
    assert len({len(pool) for pool in pools}) > 1
    for query, pool in zip(QUERIES, pools, strict=True):
        dense = [by_hand(query, passages, Path("own/model"), paths.VECTORS)]
        dense.append(by_hand(query, passages, paths.MODEL, paths.TUNED_VECTORS))
        words = ranking.bm25([query], corpus).sections[0, :5]
        expected = {*dense[0], *dense[1], *(corpus.sections[number] for number in words if number >= 0)}
        assert len(expected) > 5
        assert set(sections(pool)) == expected
        for one in pool:
            section = f"{one.source}#{one.section}"
            assert {best[section] for best in dense if section in best} <= set(one.passages)
            assert {(passages[row]["source"], passages[row]["section"]) for row in one.passages} == {
                (one.source, one.section)
            }


def test_the_rivals_are_in_the_pool_and_one_that_fails_is_left_out(
    team: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passages = list(files.read_jsonl(paths.PASSAGES))
    before = set(sections(Systems(passages).pools(QUERIES[:1], 5)[0]))
    new = next(row for row in passages if f"{row['source']}#{row['section']}" not in before)
    results = [{"source": new["source"], "section": new["section"]}]
    files.write_jsonl(Path("rivals/found.jsonl"), [{"query": QUERIES[0], "results": results}])
    url = {"url": "http://127.0.0.1:9", "model": "m", "price": 0, "key_env": "NOT_SET_HERE"}
    files.write_text(Path("rivals/rivals.yaml"), json.dumps({"api": url, "search": {"run": "found.jsonl"}}))
    settings = {"rivals": "rivals", "bases": {}, "precision": "fp32", "batch_size": 8}
    files.write_text(paths.CONFIG / "rivals.yaml", json.dumps(settings))
    after = set(sections(Systems(passages).pools(QUERIES[:1], 5)[0]))
    assert after == before | {f"{new['source']}#{new['section']}"}
    assert "! api is not in the pool: NOT_SET_HERE, which rivals/rivals.yaml names for api" in capsys.readouterr().out


def test_the_order_tells_nothing_of_the_systems(team: Path) -> None:
    passages = list(files.read_jsonl(paths.PASSAGES))
    three = Systems(passages)
    shutil.rmtree(paths.MODEL)
    two = Systems(passages)
    for all_of, fewer in (
        (three.pools(QUERIES, 5), two.pools(QUERIES, 5)),
        (two.pools(QUERIES, 5), two.pools(QUERIES, 1)),
    ):
        for before, after in zip(map(sections, all_of), map(sections, fewer), strict=True):
            assert set(after) < set(before)
            assert [section for section in before if section in after] == after


def test_yes_is_a_row_no_is_none_and_skipped_is_asked_again(team: Path, person: Person) -> None:
    first, second, third, fourth = (pool_of(query) for query in QUERIES[:4])
    answers = ["x\n\n", "y\n", "n\n" * (len(first) - 2), "Y\n"]  # other keys do nothing
    answers += ["n\n" * len(second), "y\ns\n", "y\nq\n"]
    printed = person.judges("".join(answers), str(log(*QUERIES[:4], QUERIES[0])))
    rows = out_rows()
    assert [row["query"] for row in rows] == [QUERIES[0], QUERIES[0], QUERIES[1]]
    assert [f"{row['source']}#{row['section']}" for row in rows[:2]] == [first[0], first[-1]]
    assert rows[2] == {"query": QUERIES[1], "judged": pool_of(QUERIES[1])}
    assert rows[0]["judged"] == first
    assert "judged" not in rows[1]
    assert printed.splitlines()[-3:] == [
        "2 queries judged, 1 of them with an answer",
        "real.jsonl has 1 queries with answers: 99 more needed for a verdict on what people type",
        "next: `queries: real.jsonl` in params.yaml, then `dvc repro`",
    ]
    assert f"query 1 of 4, passage 1 of {len(first)}" in printed
    assert not re.search("bm25|base|tuned", printed.lower())

    matched = match(tables.read(Path("real.jsonl")), list(files.read_jsonl(paths.PASSAGES)))
    assert [(query.query, set(query.sections)) for query in matched.queries] == [(QUERIES[0], {first[0], first[-1]})]
    assert matched.log == [QUERIES[1]]
    assert matched.unmatched_rows == 0

    printed = person.judges("n\n" * (len(third) + len(fourth)), "log.jsonl")
    assert f"query 1 of 2, passage 1 of {len(third)}" in printed
    assert [row["query"] for row in out_rows()] == [QUERIES[0], *QUERIES[:4]]
    assert person.judges("", "log.jsonl") == "all queries of log.jsonl are in real.jsonl already\n"


def test_what_the_file_had_stays_to_the_byte(team: Path, person: Person) -> None:
    before = '{ "query":"old one",  "source": "doc0.md","group":"dev"}\n\n{"query": "größer"}'
    Path("kept.jsonl").write_text(before, encoding="utf-8")
    Path("params.yaml").write_text("queries: ./kept.jsonl\n")
    log("old one", f"  {QUERIES[0]} \n", "größer")
    printed = person.judges("y\n" * len(pool_of(QUERIES[0])), "log.jsonl", "--out", "kept.jsonl")
    text = Path("kept.jsonl").read_text(encoding="utf-8")
    assert text.startswith(f"{before}\n")
    added = [json.loads(line) for line in text.removeprefix(f"{before}\n").splitlines()]
    assert [f"{row['source']}#{row['section']}" for row in added] == pool_of(QUERIES[0])
    assert "kept.jsonl has 2 queries with answers: 98 more needed for a verdict on what people type" in printed
    assert printed.splitlines()[-1] == "next: dvc repro"


def test_enough_answers_and_the_table_that_is_set_now(team: Path, person: Person) -> None:
    files.write_jsonl(Path("real.jsonl"), [{"query": f"q{n}", "passage_id": "doc0.md#part-0"} for n in range(99)])
    Path("params.yaml").write_text("queries: faq.csv\n")
    printed = person.judges("y\n" * len(pool_of(QUERIES[0])), str(log(QUERIES[0]))).splitlines()
    assert printed[-3:] == [
        "real.jsonl has 100 queries with answers: enough for a verdict on what people type",
        "next: `queries: real.jsonl` in params.yaml, then `dvc repro`",
        "this replaces faq.csv: to keep both, merge their rows into one table",
    ]


def test_the_search_log_first_then_typed_queries(team: Path, person: Person) -> None:
    files.write_jsonl(paths.REAL_LOG, [{"query": QUERIES[0]}])
    assert "query 1 of 1" in person.judges("n\n" * len(pool_of(QUERIES[0])))
    typed = f"{QUERIES[1]}\n {QUERIES[1]}\n{QUERIES[0]}\n{QUERIES[2]}\n\n"
    printed = person.judges(f"{typed}{'n' * 1}\nq\n")
    assert "Type queries" in printed
    assert "saved in real.queries.jsonl" in printed
    assert "query 1 of 2, passage 2 of" in printed
    assert printed.splitlines()[-3].startswith("2 typed queries are not judged yet: real.queries.jsonl keeps them for")
    assert out_rows("real.queries.jsonl") == [{"query": QUERIES[1]}, {"query": QUERIES[2]}]
    printed = person.judges(typed + "y\n" * len(pool_of(QUERIES[1])))  # the lines end: as if quit
    assert [row["query"] for row in out_rows()] == [QUERIES[0], *[QUERIES[1]] * len(pool_of(QUERIES[1]))]
    assert "1 queries judged, 1 of them with an answer" in printed
    printed = person.judges(f"{QUERIES[3]}\n\n{'n' * 1}\ns\n")
    assert "1 queries typed earlier come first (real.queries.jsonl)" in printed
    assert f"{QUERIES[2]}\nquery 1 of 2, passage 1" in printed
    assert [row["query"] for row in out_rows("real.queries.jsonl")] == QUERIES[1:4]
    files.write_jsonl(Path("real.jsonl"), ({"query": query} for query in QUERIES[:4]))
    assert person.judges("\n").splitlines()[1].endswith("0 queries judged, 0 of them with an answer")


def test_typed_queries_outlive_control_c_and_models_that_do_not_load(
    team: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter([QUERIES[0]])

    def press(prompt: str) -> str:
        if query := next(typed, ""):
            return query
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(console, "input", press)
        printed = person.judges("")
    assert "1 typed queries are not judged yet: real.queries.jsonl keeps them" in printed
    shutil.rmtree("own/model")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{QUERIES[1]}\n\n"))
    with pytest.raises(SystemExit, match="1"):
        cli.main(["judge", "--terminal"])
    assert out_rows("real.queries.jsonl") == [{"query": QUERIES[0]}, {"query": QUERIES[1]}]


def test_vectors_of_other_passages(team: Path, person: Person) -> None:
    query = str(log(QUERIES[0]))
    shutil.copytree(paths.VECTORS, "kept")
    texts = [passage_text(row) for row in files.read_jsonl(paths.PASSAGES)]
    fewer = read_vectors(paths.VECTORS, PASSAGES, texts[1:])
    write_vectors(paths.TUNED_VECTORS, PASSAGES, texts[1:], fewer)
    printed = person.judges("q\n", query)
    assert "data/tuned_vectors belongs to other passages: the tuned model is left out" in printed
    write_vectors(paths.VECTORS, PASSAGES, texts[1:], fewer)
    assert person.refused(query) == ("✗ data/vectors belongs to other passages: run `dvc repro embed`\n")


def test_what_is_missing_is_one_line(team: Path, person: Person) -> None:
    Path("titles.csv").write_text("question\nsecret\n")
    Path("empty.csv").write_text("query\n")
    for arguments, line in (
        (["gone.csv"], "gone.csv not found\n"),
        (
            ["titles.csv"],
            "titles.csv, line 2: no column `query`; its columns are question. Known columns: query and, for the "
            "answer's place, source, passage, passage_id, text_sha256 and section\n",
        ),
        (["empty.csv"], "empty.csv has no rows\n"),
        (["--out", "real.csv"], "--out real.csv: judgements are written as JSONL: give a name that ends in .jsonl\n"),
        (["--top", "0"], "--top is 0: it must be from 1 to 100\n"),
    ):
        assert person.refused(*arguments) == f"✗ {line}"
    shutil.rmtree("own/model")
    assert person.refused(str(log(QUERIES[0]))).startswith("✗ the base model, someone/tiny, is not in own/model.")
    shutil.rmtree(paths.VECTORS)
    assert person.refused().startswith("✗ data/vectors/passages not found: run `dvc repro embed`")
    paths.PASSAGES.unlink()
    assert person.refused().startswith("✗ data/passages/passages.jsonl not found: run `dvc repro embed`")


class Terminal:
    """`fieldtune judge` as a process at a terminal of 24 lines of 80 columns."""

    def __init__(self, *arguments: str) -> None:
        self._outer, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._mode = termios.tcgetattr(inner)
        self._inner = inner
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fieldtune.commands.cli", "judge", "--terminal", *arguments],
            env={**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm", "OMP_NUM_THREADS": "1"},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that control-C reaches it
        )
        self.seen = ""

    def wait_for(self, text: str) -> str:
        """What is printed from now on, until `text` is."""
        seen = ""
        deadline = time.monotonic() + 300  # on a machine that is busy
        while text not in seen:
            assert time.monotonic() < deadline, f"{text!r} never came: {seen}"
            if select.select([self._outer], [], [], 0.1)[0]:
                seen += os.read(self._outer, 65536).decode()
        self.seen += seen
        return seen

    def press(self, key: str) -> None:
        os.write(self._outer, key.encode())

    def ended(self) -> tuple[int, bool]:
        """The exit status, and whether the terminal is as it was."""
        status = self._process.wait(timeout=60)
        return status, termios.tcgetattr(self._inner) == self._mode

    def close(self) -> None:
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._outer)
        os.close(self._inner)


def test_at_a_terminal_one_key_each_and_control_c_loses_the_query_at_hand_alone(team: Path) -> None:
    first = pool_of(QUERIES[0], 24)
    assert "doc0.md#Part 0" in first  # the long one
    terminal = Terminal(str(log(*QUERIES[:2])), "--top", "24")
    try:
        screens = []
        for number, section in enumerate(first, start=1):
            screens.append(terminal.wait_for("q quit"))
            assert f"passage {number} of {len(first)}" in screens[-1]
            assert section.replace("#", " # ") in screens[-1]
            terminal.press("y" if number == 2 else "n")
        terminal.wait_for("q quit")
        assert [f"{row['source']}#{row['section']}" for row in out_rows()] == [first[1]]
        terminal.press("y")
        terminal.wait_for("q quit")
        terminal.press("\x03")
        assert "1 queries judged, 1 of them with an answer" in terminal.wait_for("then `dvc repro`")
        assert terminal.ended() == (0, True)
    finally:
        terminal.close()
    assert len(out_rows()) == 1
    assert "\x07" not in terminal.seen
    plain = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.rpartition("\x1b[2J")[2]) for screen in screens]
    (long,) = (screen.split("\r\n") for screen in plain if "# Part 0\r" in screen)
    assert "…" in long
    assert "[31m" in "".join(long)  # the escape before it is gone
    assert len(long) <= 24
    assert max(map(len, long)) <= 80
