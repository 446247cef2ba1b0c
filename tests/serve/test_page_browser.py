"""The search page in Chromium: by keys alone, at every width, with texts that would like to run."""

import importlib.resources
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fieldtune.corpus import files
from fieldtune.corpus.real_queries import RealQuery
from tests.evaluate.test_report_browser import chromium
from tests.serve.running import Running, running

pytestmark = pytest.mark.integrations

QUERY = "word1 word5"
HOSTILE = (
    '<img src=x onerror="window.ran = 1"><script>window.ran = 1</script> \u202eright to left\u202c bell\x07 '
    "</li></ol><h1>other</h1> https://example.com/x.png"
)
SHOWN = HOSTILE.replace("\u202e", "").replace("\u202c", "").replace("\x07", "")
ARABIC = "كيف أنسخ صورة <b>؟</b>"
ANSWER, PARTLY = "doc.md#Part 11", "doc.md#Part 27"


@pytest.fixture(scope="module")
def repository(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with texts, some of them hostile, beside the real queries."""
    folder = tmp_path_factory.mktemp("repository") / "data"
    # No manifest: it would say that search/ is another.
    shutil.copytree(export, folder / "export", ignore=shutil.ignore_patterns("manifest.json", "*.safetensors"))
    table = folder / "export/search/passages.parquet"
    columns = pq.read_table(table).to_pydict()
    texts = [(HOSTILE, ARABIC, "A plain text. " * 60)[row % 3] for row in range(len(columns["id"]))]
    languages = [("en", "ar", None)[row % 3] for row in range(len(texts))]
    files.write_table(table, {**columns, "title": texts, "text": texts, "language": languages})
    real = RealQuery(QUERY, "test", [ANSWER], [], 0.0, grades={PARTLY: 0.5})
    files.write_jsonl(folder / "real/queries.jsonl", [real.row()])
    return folder


@pytest.fixture(scope="module")
def shown(repository: Path) -> Iterator[Running]:
    with running(repository / "export", "--model", "fp32") as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A page that fails the test for each error, dialog, and request to another place."""
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.on("request", lambda sent: faults.append(sent.url) if not sent.url.startswith("http://127.0.0.1:") else None)
    yield page
    context.close()
    assert faults == []


def search(page: Page, url: str, query: str = QUERY) -> None:
    page.goto(url)
    page.get_by_label("Query").fill(query)
    page.keyboard.press("Enter")
    page.wait_for_selector("#systems li")


def test_every_system_with_its_scores_and_the_answers_marked(shown: Running, tab: Page) -> None:
    search(tab, shown.url)
    reply = shown.post("/v1/compare", {"query": QUERY, "top_k": 10}).json()
    columns = tab.locator("#systems > section")
    assert columns.count() == len(reply["systems"]) == 4
    for number, system in enumerate(reply["systems"]):
        column = columns.nth(number)
        assert column.locator("h2").inner_text() == system["label"]
        scores = [f"{rank} · {hit['score']:.3f}" for rank, hit in enumerate(system["data"], start=1)]
        assert column.locator(".score").all_inner_texts() == scores
        assert column.locator(".place").all_inner_texts() == [hit["section"] for hit in system["data"]]
        first = system["answer_rank"]
        assert (f"first answer at {first}" if first else "no answer") in column.locator("p.rank").inner_text()
        for mark, section in (("answer", ANSWER), ("partly", PARTLY)):
            marked = [hit["section"] for hit in system["data"]].count(section)
            assert column.locator(f"li.{mark} .mark").count() == marked
    assert tab.locator("li.answer, li.partly").count() > 0
    assert "recommended" in columns.first.inner_text()
    assert tab.locator("#answers").inner_text() == f"This query is judged. Its answer: {ANSWER}"
    boxes = [columns.nth(number).bounding_box() for number in range(4)]
    assert len({box["y"] for box in boxes if box}) == 1  # side by side
    # What is in the address is a link to show around, and no server sees it.
    assert tab.url == f"{shown.url}/#q=word1+word5"
    tab.reload()
    tab.wait_for_selector("#systems li")
    assert tab.get_by_label("Query").input_value() == QUERY


def test_a_passage_is_text_and_cannot_run(shown: Running, tab: Page) -> None:
    search(tab, shown.url)
    english = tab.locator('#systems p.text[lang="en"]').first
    assert english.evaluate("e => e.textContent") == SHOWN
    assert tab.locator('#systems h3[lang="en"]').first.evaluate("e => e.textContent") == SHOWN
    assert tab.locator("#systems img, #systems script, #systems b, #systems h1").count() == 0
    assert tab.evaluate("window.ran") is None
    arabic = tab.locator('#systems p.text[lang="ar"]').first
    assert arabic.evaluate("e => [e.textContent, getComputedStyle(e).direction]") == [ARABIC, "rtl"]
    assert english.evaluate("e => getComputedStyle(e).direction") == "ltr"


def test_a_script_that_forgets_itself_is_stopped(shown: Running, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(shown.url)
    for wrong in (
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))",
    ):
        assert (
            page.evaluate(f"(() => {{ try {{ {wrong}; return 'ran' }} catch {{ return 'refused' }} }})()") == "refused"
        )
    assert page.evaluate("fetch('http://127.0.0.2:1/').then(() => 'sent', () => 'refused')") == "refused"
    assert page.evaluate("window.ran") is None
    page.close()


def test_by_keys_alone(shown: Running, tab: Page) -> None:
    tab.goto(shown.url)
    expect(tab.get_by_label("Query")).to_be_focused()  # where a person begins
    tab.keyboard.type("word2")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#systems li")
    assert tab.locator("#answers").is_hidden()  # nobody judged it
    for _ in range(2):
        tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "example"
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#answers:not([hidden])")
    assert tab.get_by_label("Query").input_value() == QUERY
    tab.keyboard.press("Tab")
    more = tab.locator("button.more").first
    assert more.evaluate("e => e === document.activeElement")
    text = tab.locator("p.text.cut").first
    height = text.bounding_box()
    tab.keyboard.press("Space")
    assert more.get_attribute("aria-expanded") == "true"
    assert tab.locator("p.text").filter(has_text="A plain text").first.bounding_box()["height"] > height["height"]  # type: ignore[index]
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.id") == "query"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 800, 1600])
def test_it_fits_and_axe_finds_nothing_serious(shown: Running, browser: Browser, width: int, scheme: Any) -> None:
    axe = (importlib.resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    # Past the policy, which refuses the test's own scripts.
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    search(page, shown.url)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    page.evaluate(axe)
    violations = page.evaluate("axe.run().then(found => found.violations.map(one => [one.impact, one.id]))")
    assert [one for one in violations if one[0] in ("serious", "critical")] == []
    page.evaluate("document.body.append(document.createElement('img'))")  # it would find a fault
    assert "image-alt" in page.evaluate("axe.run().then(found => found.violations.map(one => one.id))")
    context.close()


def test_an_export_without_texts_or_search_says_what_to_do(export: Path, tmp_path: Path, tab: Page) -> None:
    for left_out, words in (
        ("*.safetensors", "set `texts: true` below `export:` in params.yaml, run `dvc repro export`"),
        ("search", "There is nothing to search in: this export has no vectors/ and search/. Run `dvc repro export`"),
    ):
        folder = tmp_path / left_out.strip("*.")
        shutil.copytree(export, folder, ignore=shutil.ignore_patterns(left_out, "*.safetensors"))
        with running(folder) as service:
            tab.goto(service.url)
            tab.wait_for_selector("#note:not([hidden])")
            assert words in tab.locator("#note").inner_text()
            if left_out == "search":
                assert tab.get_by_label("Query").is_hidden()
            else:
                search(tab, service.url)
                assert tab.locator("#systems .place").first.inner_text().startswith("doc.md#Part ")


def test_with_a_key_the_page_asks_for_it(export: Path, browser: Browser) -> None:
    with running(export, key="a-key") as service:
        page = browser.new_page()
        page.goto(service.url)
        page.get_by_label("API key of this service").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("wrong API key")
        page.get_by_label("API key of this service").fill("a-key")
        page.keyboard.press("Enter")
        page.wait_for_selector("#key", state="hidden")
        search_box = page.get_by_label("Query")
        search_box.fill("word1")
        search_box.press("Enter")
        page.wait_for_selector("#systems li")
        service.process.kill()
        search_box.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("is `fieldtune serve` still running?")
        page.close()
