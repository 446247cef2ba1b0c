"""The report in a real browser: no error, no request, nothing wider than the page, words that can be read."""

import importlib.resources
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stages.evaluate.probe import Probe
from stages.evaluate.verdict import Judgement
from tests.evaluate.made_up import curve, dataset, dropped, example, ingest, page, real, scores

pytestmark = pytest.mark.integrations

WIDTHS = (400, 800, 1600)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)
# A frame has the width that it is given, a headless window has a least one.
FRAMES = """<!doctype html><body>{frames}<pre id="measured"></pre><script>
addEventListener("load", () => {{
  const measured = [...document.querySelectorAll("iframe")].map(frame => {{
    const inside = frame.contentDocument, width = frame.clientWidth;
    const scrolls = element => element && (/auto|scroll/.test(frame.contentWindow.getComputedStyle(element).overflowX)
      || scrolls(element.parentElement));
    return {{
      width, page: inside.documentElement.scrollWidth,
      wide: [...inside.body.querySelectorAll("*")]
        .filter(e => (e.getBoundingClientRect().right > width + .5 || e.getBoundingClientRect().left < -.5)
          && !scrolls(e) && !e.closest("svg defs")).map(e => e.outerHTML.slice(0, 80)),
      tables: [...inside.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth).length,
      tight: [...inside.querySelectorAll(".bars td span")].filter(e => e.scrollWidth > e.clientWidth)
        .map(e => e.textContent),
      letters: Math.min(...[...inside.querySelectorAll(`main :is(p, a, b, li, td, th, h1, h4, dt, dd, pre, span,
          summary, label, select, button, text)`)]
        .map(e => parseFloat(frame.contentWindow.getComputedStyle(e).fontSize)
          * (e.ownerSVGElement ? e.getScreenCTM().a : 1))),
      requests: frame.contentWindow.performance.getEntriesByType("resource").map(entry => entry.name),
      dark: frame.contentWindow.matchMedia("(prefers-color-scheme: dark)").matches,
      colours: ["color", "backgroundColor"].map(name => frame.contentWindow.getComputedStyle(inside.body)[name]),
    }};
  }});
  document.getElementById("measured").textContent = JSON.stringify(measured);
}});
</script></body>"""
LONG = "a_name_without_any_break_" * 12
HARD = page(
    judgement=Judgement("marginal", "tuned_hybrid", [f"A reason about {LONG}", "<script>alert(1)</script>"]),
    sets={
        "real": scores(1_234_567),
        "real_seen": scores(99),
        "real_unseen": scores(7),
        "real_hard": scores(3, clusters=2),
        "synthetic": scores(333),
    },
    kinds={kind: scores(123_456, drawn={"tuned": (0.1, 1.0)}) for kind in ("task", "question", "situation")},
    languages={tag: scores(123_456, drawn={"tuned": (0.1, 1.0)}) for tag in ("de", "zh-Hant-TW")},
    wins=[
        example("<img src=x onerror=alert(1)>" + LONG, section=f"{LONG}/{LONG}.md#{LONG}"),
        example("كيف أنسخ صورة؟ 如何复制映像"),
    ],
    losses=[],
    base_model=LONG,
    weights={"hybrid": 0.1, "tuned_hybrid": 0.9},
    cost={LONG: {"input_tokens": 10**12, "output_tokens": 10**11, "cost_usd": 1e6}},
    probe=Probe(60, 0.95, 0.2, 0.05),
    reranked=scores(500),
    reranker=LONG,
    curve=curve(whole=80_000_000, n=12_345_678),
    dataset=dataset(
        guidance=f"few: {LONG}",
        remarks=[LONG, "<script>alert(1)</script>"],
        kinds={LONG: 1_234_567, "question": 1},
        dropped_examples={
            "ambiguous": [dropped(LONG, passage_id=LONG, title=LONG, why=LONG), dropped("如何复制 صورة")]
        },
    ),
    ingest=ingest(
        documents=12_345_678,
        unreadable=[{"source": f"{LONG}/{LONG}.pdf", "reason": LONG}] * 40,
        skipped={f".{LONG}": 1_234_567, "hidden": 1},
        left_out={LONG: 1},
        languages={"en": 1_234_567, LONG: 1},
    ),
    real=real(unmatched=[{"where": LONG, "query": LONG, "place": {"source": LONG}, "candidates": [LONG, LONG]}] * 40),
)


def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if result := shutil.which(name):
            return result
    if "CI" in os.environ:
        pytest.fail("no Chromium, and CI must test the report in one: apt-get install chromium")
    pytest.skip("no Chromium on this machine")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder here: a browser tells of no requests, and lets no frame be looked into, for plain files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def opened(html: str, folder: Path, *flags: str, frames: str = FRAMES) -> tuple[list[Any], list[str]]:
    """Open the page in frames, one of every width: what was measured, and the console's lines."""
    browser = chromium()
    (folder / "report.html").write_text(html, encoding="utf-8")
    widths = "".join(f'<iframe src="report.html" style="width:{w}px;height:900px;border:0"></iframe>' for w in WIDTHS)
    (folder / "frames.html").write_text(frames.format(frames=widths), encoding="utf-8")
    with served(folder) as address:
        done = subprocess.run(
            [browser, *FLAGS, *flags, f"--user-data-dir={folder}/profile", "--dump-dom", f"{address}/frames.html"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    result = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert result, done.stderr
    measured: list[Any] = json.loads(result[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return measured, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("html", [page(), HARD], ids=["usual", "hard"])
def test_the_report_fits_every_screen_and_asks_for_nothing(html: str, tmp_path: Path) -> None:
    measured, console = opened(html.replace("<details>", "<details open>"), tmp_path)
    assert console == []
    assert [frame["width"] for frame in measured] == list(WIDTHS)
    for frame in measured:
        assert frame["requests"] == []
        assert (frame["page"], frame["wide"]) == (frame["width"], [])
        assert frame["tight"] == []
        assert frame["letters"] >= 10  # pixels, those of the picture included
    if html != HARD:  # only unusual numbers need a table that scrolls, and on a telephone those with all systems
        assert [frame["tables"] for frame in measured] == [2, 0, 0]


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_follows_the_scheme(dark: bool, tmp_path: Path) -> None:
    measured, _ = opened(page(), tmp_path, f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    for frame in measured:
        ink, paper = (sum(map(int, re.findall(r"\d+", colour)[:3])) / 3 for colour in frame["colours"])
        assert frame["dark"] == dark
        assert abs(ink - paper) > 180
        assert (ink > paper) == dark


def test_what_is_measured_would_show_a_fault(tmp_path: Path) -> None:
    faults = (
        '<p style="width:900px">wide</p><script>throw new Error("loud")</script><img src="picture.png">'
        '<p style="font-size:4px">small</p>'
        '<table class="bars"><tr><th></th><td><div><span>1,234,567,890</span><i></i></div></td></tr></table>'
    )
    unguarded = re.sub(r"<meta http-equiv=[^>]*>", "", page()).replace("<main>", f"<main>{faults}")
    measured, console = opened(unguarded, tmp_path)
    assert any("loud" in line for line in console)
    assert [frame["page"] > frame["width"] for frame in measured] == [True, True, False]
    assert any("width:900px" in element for element in measured[0]["wide"])
    assert measured[2]["requests"][0].endswith("picture.png")
    assert measured[0]["letters"] == 4
    assert measured[0]["tight"] == ["1,234,567,890"]


# What a person does on the page, in a frame as wide as a phone, and what is seen then.
PRESSED = """<!doctype html><body><iframe src="report.html" style="width:400px;height:900px"></iframe>
<pre id="measured"></pre><script>
addEventListener("load", () => {{
  const page = document.querySelector("iframe").contentDocument;
  const seen = () => [...page.querySelectorAll(".examples")].map(list =>
    [...list.querySelectorAll("article:not([hidden]) h3")].map(heading => heading.textContent));
  const said = () => [...page.querySelectorAll(".count")].map(count => count.textContent);
  const column = table => [...table.tBodies[0].rows].map(row => row.cells[1].textContent.trim().split(" ")[0]);
  const found = {{ first: seen(), firstSaid: said(), formHidden: page.getElementById("filters").hidden }};
  page.querySelector(".more").click();
  found.more = seen()[0].length;
  const choose = (name, value) => {{
    const select = page.querySelector(`select[name=${{name}}]`);
    select.value = value;
    select.dispatchEvent(new frames[0].Event("input", {{ bubbles: true }}));
  }};
  choose("kind", "task");
  found.task = seen(); found.taskSaid = said();
  choose("kind", ""); choose("seen", "seen"); choose("overlap", "high");
  found.both = seen();
  const table = page.querySelector("table.sortable"), button = table.querySelectorAll("th button")[1];
  button.click(); found.down = column(table); found.aria = button.parentElement.getAttribute("aria-sort");
  button.click(); found.up = column(table);
  document.getElementById("measured").textContent = JSON.stringify([found]);
}});
</script></body>"""


def test_tables_sort_and_examples_filter(tmp_path: Path) -> None:
    wins = [example(f"win {n}", 1 - n / 100, kind=("real", "task")[n % 2], seen=n % 3 == 0) for n in range(30)]
    wins.append(example("the one", 0.1, seen=True, overlap=0.75))
    sets = {"real": scores(9, base=0.5), "real_hard": scores(9, base=0.7), "synthetic": scores(9, base=0.6)}
    (result,), console = opened(page(wins=wins, losses=[example("loss", -1)], sets=sets), tmp_path, frames=PRESSED)
    assert console == []
    assert not result["formHidden"]
    assert [len(shown) for shown in result["first"]] == [10, 1]
    assert result["firstSaid"] == ["10 of 31 shown", "1 of 1 shown"]
    assert result["more"] == 20
    assert [text.split(" +")[0] for text in result["task"][0]] == [f"win {n}" for n in range(1, 20, 2)]
    assert result["taskSaid"] == ["10 of 15 shown", "0 of 0 shown"]
    assert result["both"] == [["the one +0.100"], []]
    assert (result["down"], result["aria"]) == (["0.700", "0.600", "0.500"], "descending")
    assert result["up"] == ["0.500", "0.600", "0.700"]


AXE = """<!doctype html><body><iframe src="report.html" style="width:800px;height:900px"></iframe>
<pre id="measured"></pre><script>
addEventListener("load", async () => {{
  const {{ violations }} = await frames[0].axe.run(frames[0].document);
  document.getElementById("measured").textContent = JSON.stringify(violations.map(one =>
    [one.impact, one.id, one.nodes[0].html.slice(0, 120).replaceAll("<", "(")]));
}});
</script></body>"""


def accessible(html: str, folder: Path, *flags: str) -> list[list[str]]:
    """The violations that axe-core calls serious or worse."""
    axe = (importlib.resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    (folder / "axe.js").write_text(axe, encoding="utf-8")
    open_to_scripts = re.sub(r"<meta http-equiv=[^>]*>", "", html).replace(
        "</main>", '</main><script src="axe.js"></script>'
    )
    result, _ = opened(open_to_scripts, folder, *flags, "--virtual-time-budget=60000", frames=AXE)
    return [one for one in result if one[0] in ("serious", "critical")]


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(dark: bool, tmp_path: Path) -> None:
    html = page(sets={"real": scores()}).replace("<details>", "<details open>")
    assert accessible(html, tmp_path, f"--blink-settings=preferredColorScheme={0 if dark else 1}") == []


def test_axe_would_find_a_fault(tmp_path: Path) -> None:
    html = page(sets={"real": scores()}).replace("<main>", '<main><img src="x.png"><p style="color:#ccc">pale</p>')
    assert {"image-alt", "color-contrast"} <= {one[1] for one in accessible(html, tmp_path)}
