"""The program behind the page as a process, and browsers in front of it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.evaluate.test_report_browser import chromium
from tests.imports import ROOT
from tests.judging.made_up import TOKEN

WAIT = 300  # seconds, on a machine that is busy


class Server:
    """A program that serves the page, started and stopped as often as a test wants; its links stay the same."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def link(self, person: str = "me") -> str:
        return f"{self.origin}/#token={TOKEN}&name={person}"

    def write_log(self, queries: Sequence[str]) -> None:
        lines = (json.dumps({"query": query}, ensure_ascii=False) + "\n" for query in queries)
        (self.folder / "log.jsonl").write_text("".join(lines), encoding="utf-8")

    def start(self, typed: bool = False, loading: float = 0.0) -> None:
        """Serve the log with made-up systems; `loading`: seconds that they take to load."""
        kind = "typed" if typed else "log"
        self.run("tests.judging.made_up", str(self.folder), kind, str(loading), str(self.port))

    def run(self, *program: str) -> None:
        printed = self.folder / "printed.txt"
        with printed.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *program],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "FIELDTUNE_JUDGE_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + WAIT
        while not (link := re.search(r"http://127.0.0.1:(\d+)/#token", printed.read_text())):
            assert self._process.poll() is None and time.monotonic() < deadline, printed.read_text()
            time.sleep(0.02)
        self.port = int(link[1])

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> tuple[int, str]:
        """End it as Ctrl-C does: the exit status, and what it printed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        status = self._process.wait(timeout=WAIT)
        return status, (self.folder / "printed.txt").read_text()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def rows(self, name: str = "real.jsonl") -> list[dict[str, Any]]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.fixture(scope="module")  # playwright keeps an event loop running, which tests of other files cannot have
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium(), args=options, timeout=1000 * WAIT)
        yield browser
        browser.close()


class Judge:
    """A person at the page, with a browser of their own."""

    def __init__(self, browser: Browser, link: str, **options: Any) -> None:
        self._context = browser.new_context(**options)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(1000 * WAIT)
        self.console: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(link)

    def ready(self) -> "Judge":
        """Wait until passages are shown."""
        self.page.wait_for_selector("main article")
        return self

    @property
    def query(self) -> str:
        return self.page.inner_text("#query")

    @property
    def progress(self) -> str:
        return self.page.inner_text("#progress")

    def titles(self) -> list[str]:
        return self.page.locator("main article h2").all_inner_texts()

    def wait_for(self, condition: str) -> None:
        """Wait until a JavaScript expression holds; the page's policy forbids Playwright's own waiting, by `eval`."""
        deadline = time.monotonic() + WAIT
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, condition
            self.page.wait_for_timeout(10)

    def press(self, *keys: str) -> None:
        """Press keys, each when the page has shown the answer to the one before."""
        for key in keys:
            with self.page.expect_response(lambda response: "/api/press" in response.url):
                self.page.keyboard.press(key)
            self.wait_for("!busy")
            self.wait_for("view.phase !== 'waiting'")

    def close(self) -> None:
        self._context.close()


@pytest.fixture
def person(browser: Browser) -> Iterator[Callable[..., Judge]]:
    """Open a link as a person; each has a browser context of their own."""
    opened: list[Judge] = []

    def person(link: str, **options: Any) -> Judge:
        opened.append(Judge(browser, link, **options))
        return opened[-1]

    yield person
    for each in opened:
        each.close()
