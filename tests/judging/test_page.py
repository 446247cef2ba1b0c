"""The page in real Chromium: ten queries by keys, several people, hard texts, any screen."""

import importlib.resources
import json
from collections.abc import Callable

import pytest

from tests.judging.conftest import Judge, Server

pytestmark = pytest.mark.integrations

QUERIES = [f"what about number {n}" for n in (3, 5, 7, 9, 11, 13, 15, 17, 19, 2)]
People = Callable[..., Judge]


def judge_all(judge: Judge, last: str = "2") -> None:
    """Judge the query on the screen by keys alone: the last passage `last`, the others not an answer."""
    judge.press(*["0"] * (len(judge.titles()) - 1), last)


def judge_seven(judge: Judge) -> None:
    """Judge seven queries by keys alone, one of them skipped, with undo, search and a reload in the middle."""
    # 1: a wrong key, undone; a reload in the middle changes nothing
    judge.press("0", "2", "u", "1")
    judge.page.reload()
    judge.ready()
    assert judge.page.locator("article.judged").count() == 2
    judge.press("2")
    # 2: finished, then undone: it is there again with all but its last judgement
    assert judge.query == QUERIES[1]
    judge_all(judge)
    assert judge.query == QUERIES[2]
    judge.press("u")
    assert judge.query == QUERIES[1]
    assert judge.page.locator("article:not(.judged)").count() == 1
    judge.press("2")
    # 3: none of the pool answers it; another passage is searched for and picked by keys
    judge.press("0", "0", "0")
    assert "None of these answers it" in judge.page.inner_text("main")
    judge.page.keyboard.press("/")
    judge.page.keyboard.type("number 20")
    judge.page.keyboard.press("Enter")
    judge.page.wait_for_selector("#hits article.current")
    assert judge.page.inner_text("#hits article.current h3") == "Guide Number 20"
    judge.press("2")
    # 4: no answer. 5: the rest do not answer it. 6: skipped. 7
    assert judge.query == QUERIES[3]
    judge.press("n")
    judge.press("2", "Enter")
    judge.press("s")
    judge_all(judge)
    assert judge.progress == "Query 8 of 10 · 5 answered · 0 partly · 1 without an answer · 1 skipped"


def test_ten_queries_by_keys_alone_with_undo_search_a_reload_and_a_killed_server(
    server: Server, person: People
) -> None:
    server.write_log(QUERIES)
    server.start()
    judge = person(server.link()).ready()
    assert (judge.query, len(judge.titles())) == (QUERIES[0], 3)
    assert len(judge.page.locator("main article mark").all()) > 0
    judge_seven(judge)
    server.kill()
    judge.page.keyboard.press("0")
    judge.wait_for("document.getElementById('status').textContent.includes('does not answer')")
    done = [0, 0, 1, 2, 3, 4, 6]
    assert [QUERIES.index(row["query"]) for row in server.rows()] == done
    server.start()  # the open page goes on
    judge.wait_for("document.getElementById('status').textContent === '' && view.phase === 'judging'")
    assert judge.query == QUERIES[7]
    for _ in range(3):
        judge_all(judge)
    assert "All queries are judged" in judge.page.inner_text("main")
    judge.page.get_by_role("button", name="Judge the 1 skipped").click()
    judge.ready()
    assert judge.query == QUERIES[5]
    judge.press("1", "Enter")
    assert judge.progress == "8 answered · 1 partly · 1 without an answer"

    status, printed = server.stop()
    assert (status, printed.splitlines()[-1]) == (
        0,
        "[('answered', 8), ('judged', 10), ('partly', 1), ('unanswered', 1)]",
    )
    rows = server.rows()
    assert {row["query"] for row in rows} == set(QUERIES)
    assert [row["answered"] for row in rows if row["query"] == QUERIES[3]] == [False]
    assert [len(row["judged"]) for row in rows if row["query"] in QUERIES[3:5]] == [
        3,
        3,
    ]  # `n` and Enter settle the rest
    assert sorted(row["relevance"] for row in rows if row["query"] == QUERIES[0]) == [1, 2]
    assert [row["section"] for row in rows if row["query"] == QUERIES[2]] == ["Number 20"]
    assert all("ERR_CONNECTION" in line for line in judge.console)
    assert {url.partition("#")[0] for url in judge.requests} <= {
        f"{server.origin}/{name}"
        for name in ("", "judge.css", "judge.js", "icon.svg", *(f"api/{each}" for each in ("view", "press", "search")))
    }


def test_the_same_by_mouse_and_touch(server: Server, person: People) -> None:
    server.write_log(QUERIES)
    server.start()
    judge = person(server.link(), has_touch=True, is_mobile=True, viewport={"width": 400, "height": 800}).ready()
    judge.page.locator("article").nth(1).get_by_role("button", name="partly").tap()
    judge.wait_for("document.querySelectorAll('article.judged').length === 1")
    judge.page.get_by_role("button", name="Search").first.tap()
    judge.page.get_by_label("meaning").tap()
    judge.page.locator("#search-form").get_by_role("button", name="Search").tap()
    judge.page.wait_for_selector("#hits article")
    judge.page.locator("#hits article").first.get_by_role("button", name="answers it").tap()
    judge.wait_for("document.querySelectorAll('article.judged').length === 2")
    judge.page.get_by_role("button", name="Next query").tap()
    judge.wait_for("view.number === 2 && view.phase === 'judging'")
    judge.page.get_by_role("button", name="Skip").tap()
    judge.wait_for("view.number === 3 && view.phase === 'judging'")
    judge.page.get_by_role("button", name="No answer").tap()
    judge.wait_for("view.number === 4 && view.phase === 'judging'")
    judge.page.get_by_role("button", name="Undo").tap()
    judge.wait_for("view.number === 3 && view.phase === 'judging'")
    assert sorted(row["relevance"] for row in server.rows()) == [1, 2]


def test_two_people_get_other_queries_every_tenth_twice_and_settle_what_they_see_otherwise(
    server: Server, person: People
) -> None:
    server.write_log(QUERIES)
    server.start()
    ann, bob = person(server.link("ann")).ready(), person(server.link("bob")).ready()
    assert (ann.query, bob.query) == (QUERIES[0], QUERIES[1])
    assert "you are bob" in bob.progress
    bob.press("n")
    ann.press("2", "Enter")
    for _ in range(6):
        ann.press("2", "Enter")
    assert ann.query == QUERIES[9]
    ann.press("2", "Enter")
    assert "All queries" in ann.page.inner_text("main")
    assert bob.query == QUERIES[2]  # it was on bob's screen all the time
    bob.press("n")
    assert bob.query == QUERIES[9]
    bob.press("n")
    bob.page.get_by_role("button", name="1 to settle").click()
    assert "ann: answers it · bob: did not judge it" in bob.page.inner_text("#open")
    with bob.page.expect_response(lambda response: "/api/press" in response.url):
        bob.page.locator("#open").get_by_role("button", name="partly").click()
    bob.wait_for("!document.getElementById('disagreements').open")
    of_tenth = [row for row in server.rows() if row["query"] == QUERIES[9]]
    assert [row["relevance"] for row in of_tenth] == [1]
    assert len({row["query"] for row in server.rows()}) == 10


def test_queries_are_typed_before_results_are_seen_and_ranks_come_as_soon_as_models_are_loaded(
    server: Server, person: People
) -> None:
    server.write_log([])
    server.start(typed=True, loading=3.0)
    judge = person(server.link())
    for query in ("number 4", "number  4", "number 6"):
        judge.page.get_by_label("Query").fill(query)
        with judge.page.expect_response(lambda response: "/api/queries" in response.url):
            judge.page.keyboard.press("Enter")
        judge.wait_for("!busy")
    assert server.rows("real.queries.jsonl") == [{"query": "number 4"}, {"query": "number 6"}]
    judge.page.keyboard.press("Enter")  # an empty line ends the list
    judge.ready()
    assert judge.query == "number 4"
    late = judge.page.evaluate("ask('queries', { queries: ['number 8'] })")
    assert late[0] == 409 and "before results are seen" in late[1]["message"]
    assert len(server.rows("real.queries.jsonl")) == 2


def test_hard_texts_are_shown_as_text(server: Server, person: People) -> None:
    server.write_log(["hard <b>query</b>"])
    server.start()
    judge = person(server.link()).ready()
    assert judge.query == "hard <b>query</b>"
    assert judge.page.title() == "Judge queries"
    assert judge.page.locator("main :is(script, img, b)").count() == 0
    text = judge.page.inner_text("main")
    assert "<script>document.title = 'run'</script><img src=x onerror=" in text
    assert "ends here reversed [31m  and isolated" in text
    arabic = judge.page.locator("article", has_text="Right to left").locator(".passage")
    assert (arabic.get_attribute("dir"), arabic.get_attribute("lang")) == ("rtl", "ar")
    blocked = judge.page.evaluate("(() => { try { document.body.innerHTML = '<p>' } catch (e) { return e.name } })()")
    assert blocked == "TypeError"  # Trusted Types: no text can become HTML
    assert [line for line in judge.console if "Trusted" not in line and "TrustedHTML" not in line] == []


@pytest.mark.parametrize("dark", [False, True])
def test_any_screen_and_nothing_serious_for_axe(server: Server, person: People, dark: bool) -> None:
    server.write_log(["hard number 3 " + "long" * 60])
    server.start()
    axe = (importlib.resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    judge = person(server.link(), bypass_csp=True, color_scheme="dark" if dark else "light").ready()
    judge.press("0")
    ink, paper = judge.page.evaluate(
        "['color', 'backgroundColor'].map(name => parseInt(getComputedStyle(document.body)[name].match(/\\d+/)[0]))"
    )
    assert (ink > paper) == dark and abs(ink - paper) > 180
    judge.page.evaluate(axe)

    def violations() -> list[str]:
        found = judge.page.evaluate("axe.run().then(({violations}) => violations)")
        return [
            json.dumps([one["id"], one["nodes"][0]["html"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    for width in (400, 800, 1600):
        judge.page.set_viewport_size({"width": width, "height": 900})
        assert judge.page.evaluate("document.documentElement.scrollWidth") == width
    for summary in judge.page.locator("summary").all():
        summary.click()
    assert violations() == []
    judge.page.locator("main").click(position={"x": 1, "y": 1})
    judge.page.keyboard.press("/")
    judge.page.keyboard.press("Enter")
    judge.page.wait_for_selector("#hits article")
    for width in (400, 1600):
        judge.page.set_viewport_size({"width": width, "height": 900})
        assert judge.page.evaluate("document.documentElement.scrollWidth") == width
    assert violations() == []
    judge.page.evaluate("document.querySelector('#search-title').style.color = '#888a'")
    assert any("color-contrast" in each for each in violations())
