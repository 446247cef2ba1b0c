"""The page holds what it was given, whatever that is, and asks the network for nothing."""

import base64
import hashlib
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

from fieldtune.retrieval.significance import Interval
from stages.evaluate.output_files import metrics
from stages.evaluate.probe import Probe
from stages.evaluate.report import markdown
from stages.evaluate.rivals import Cost, RivalScore
from stages.evaluate.verdict import Evidence, Judgement, judge
from tests.evaluate.made_up import (
    config,
    curve,
    dataset,
    dropped,
    evaluation,
    example,
    ingest,
    lengths,
    page,
    real,
    scores,
)

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


class Reader(HTMLParser):
    """Collects elements and text, and says where tags do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag in ("br", "td", "th"):
            self.text += " "
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader._open == []
    return reader


def test_a_page_says_what_it_was_given() -> None:
    reader = read(plain())
    text = " ".join(reader.text.split())
    assert "Ship it: the tuned model is better." in text
    assert "A gain of 0.05 or more is meaningful." in text
    assert "real queries (2,378)" in text
    assert "0.700 → 0.800" in text
    assert "real queries (2,378) 0.700 0.660–\u200b0.740 0.720 0.720–\u200b0.720" in text
    # tuned less base, of draws that go together: .77 - .66 and .83 - .74
    assert "+0.100 +0.090 to +0.110" in text
    assert "how to copy an image +0.500" in text
    assert "where is it -0.400" in text
    assert "Test set fedcba9876543210, the hash of the real queries and their answers: compare these scores" in text
    assert "Base NDCG@10 0.700 is between" in text  # its first letter alone is made large


@cache
def plain() -> str:
    """The page without a change; pictures take most of the time."""
    return page()


def text_of(**changes: Any) -> str:
    """The text of a page, white space aside; with one query set, since pictures take most of the time."""
    return " ".join(read(page(**{"sets": {"real": scores()}, **changes})).text.split())


@cache
def usual() -> str:
    return text_of()


def test_the_data_sets_part_says_what_it_was_given() -> None:
    text = usual()
    assert "Data set Reliable: 3,000 training pairs, 2,000 or more are enough." in text
    assert "Generated queries have 12.5 words, those of your search log 3 (medians)." in text
    assert "train the model learns from these 3,000 810 4" in text
    assert "7 of the training negatives are drawn at random" in text
    assert "share no section and no copy: 212 of the 3,827 passages have a copy" in text
    assert "nor BM25 finds the passage with these words: a vague query, or a wrong one 85 3,250" in text
    assert "kept 110 3,250 real queries for training your own pairs, kept as they are +7" in text
    assert "Dropped as ambiguous: 1 of 25 list them for Guide Copy Image (guide.md#copy-image) also writt" in text
    assert "Dropped as round trip: 1 of 85 what is it for Guide Copy Image (guide.md#copy-image) rank 734" in text
    assert "keyword 1,625 question 812 real 7 task 813" in text
    assert "generated 3,250, median 12.5 real, with answers 2,378, median 7 search log 400, median 3" in text
    # 13 of 3,250, 650, 2,587; the bins that are empty at the ends are not there
    assert "median 3 2 <1% 0% 0% 3–5 20% 50% 100% 6–7 80% 50% 0% Share of" in text
    assert "share generated 3,250, mean 49% real, with answers 2,378, mean 84% under 50 % 60% 50% 50 % or" in text
    assert "words passages 3,827, median 67 1–24 26% 25–49 74%" in text


def test_what_was_read_and_what_was_not() -> None:
    text = usual()
    assert (
        "documents read 1,043 passages cut from them 3,827 files that could not be read 1 files without text 3" in text
    )
    assert "files skipped 12 .png, 4 hidden 16" in text
    assert "licence texts 61 records without text left out 14" in text
    assert "language passages en 3,790 de 37" in text
    assert "Files that could not be read old/plan.pdf it is encrypted" in text


def test_real_queries_and_those_that_have_no_place() -> None:
    text = usual()
    assert "test: scored on this page 2,378 dev: choose the checkpoint 0" in text
    assert (
        "Real queries whose answer is not in the documents: 1 move an image queries.csv, line 7 names guide.md # Move "
        "Image; nearest: guide.md#Copy Image, guide.md#Share Image" in text
    )


def test_of_many_the_first_are_named_and_the_rest_counted() -> None:
    unreadable = [{"source": f"file{number}.pdf", "reason": "no"} for number in range(25)]
    unmatched = [
        {"where": f"line {number}", "query": "q", "place": {"source": "s"}, "candidates": []} for number in range(12)
    ]
    text = text_of(ingest=ingest(unreadable=unreadable), real=real(unmatched=unmatched, unmatched_rows=1000))
    assert "file9.pdf" in text
    assert "file10.pdf" not in text
    assert "and 15 more: data/passages/report.json" in text
    assert "line 9 names s and 990 more: data/real/report.json" in text


def test_what_the_reports_do_not_have_is_not_shown() -> None:
    text = text_of(
        dataset={"guidance": "few: 240 training pairs"}, ingest={}, real={}, history={}, cost={}, vectors=[], probe=None
    )
    assert "Data set Few: 240 training pairs. How to repeat" in text
    assert "queries bought none" in text
    assert "Training" not in text
    assert "Documents read documents read 2 Real" in text_of(ingest={"documents": 2})
    assert "not in the documents" not in text_of(real=real(unmatched=[], unmatched_rows=0))


@pytest.mark.parametrize(
    ("pinned", "expected"),
    [
        ({"passages": 4000, "new": 1000, "stale": True}, "1,000 of 4,000 passages are new to it: tune again."),
        (
            {"passages": 4000, "new": 3, "stale": False},
            "3 of 4,000 passages are new to it, few enough to keep using it.",
        ),
        ({"passages": 4000, "new": None, "stale": False}, "Its training passages are unknown."),
    ],
)
def test_a_pinned_model_is_reported_with_when_to_tune_again(pinned: dict[str, object], expected: str) -> None:
    assert f"The model was tuned before and is used as it is. {expected}" in text_of(
        history={"loss": [], "pinned": pinned}
    )


def test_typed_and_written_queries_stand_side_by_side() -> None:
    text = text_of()
    assert "First words of the queries first word" in text
    assert "Ten of each, drawn at random: generated how do I <b> real, with answers what is it what now" in text


def test_no_number_shows_an_empty_bar() -> None:
    nothing = lengths(0, 0, {"1": 0, "2": 0})
    counts = {"queries": {"generated": nothing}, "passages": nothing}
    assert "words passages 0, median 0 Documents read" in text_of(dataset=dataset(lengths=counts, leakage={}))


def test_bars_are_as_long_as_the_shares() -> None:
    widths = [
        value for name, value in read(plain()).attributes if name == "style" and (value or "").startswith("width")
    ]
    # Kinds by the most frequent; lengths by 100 %, the highest of the three columns
    assert widths[:4] == ["width:100.0%", "width:50.0%", "width:0.4%", "width:50.0%"]
    assert widths[4:13] == [
        f"width:{w}%" for w in ("0.4", "0.0", "0.0", "20.0", "50.0", "100.0", "79.6", "50.0", "0.0")
    ]


def test_links_lead_to_parts_of_the_page() -> None:
    reader = read(plain()).attributes
    targets = {(value or "")[1:] for name, value in reader if name == "href" and (value or "").startswith("#")}
    assert {"data-set", "scores", "repeat"} <= targets
    # The picture's own marks are linked, too.
    assert targets <= {value for name, value in reader if name == "id"}


def test_a_page_without_wins_losses_and_real_queries() -> None:
    judgement = Judgement("keep_base", "base", ["The interval includes 0."])
    text = text_of(
        judgement=judgement, main_set="synthetic", sets={"synthetic": scores(12)}, kinds={}, wins=[], losses=[],
        real={}, dataset={"guidance": "few: 240 training pairs"},
    )  # fmt: skip
    assert "Keep the base model." in text
    assert "Biggest wins None. Biggest losses None." in text
    assert "real queries" not in text


QUERY = """<script>alert("x")</script> & <img src=x onerror='alert(1)'> "quoted" {{ 7 * 7 }}"""


def test_what_people_typed_is_text() -> None:
    known = read(plain())
    reader = read(
        page(
            wins=[example(QUERY, section=f"{QUERY}.md#{QUERY}")],
            losses=[example(QUERY, -1)],
            judgement=Judgement("ship", "tuned", [QUERY]),
            advice=QUERY,
            base_model=QUERY,
            dataset=dataset(
                guidance=QUERY,
                remarks=[QUERY],
                kinds={QUERY: 1},
                dropped_examples={"ambiguous": [dropped(QUERY, passage_id=QUERY, title=QUERY, why=QUERY)]},
            ),
            ingest=ingest(
                unreadable=[{"source": QUERY, "reason": QUERY}],
                languages={QUERY: 1},
                skipped={QUERY: 1},
                left_out={QUERY: 1},
            ),
            real=real(unmatched=[{"where": QUERY, "query": QUERY, "place": {QUERY: QUERY}, "candidates": [QUERY]}]),
            kinds={QUERY: scores(3)},
        )
    )
    assert reader.text.count(QUERY) == 26
    assert set(reader.tags) == set(known.tags)
    assert "onerror" not in dict(reader.attributes)


def test_nothing_is_fetched() -> None:
    html = plain()
    reader = read(html)
    assert {"img", "iframe", "object", "embed", "base", "image"}.isdisjoint(reader.tags)
    fetching = [value for name, value in reader.attributes if name in ("src", "href", "xlink:href", "srcset", "style")]
    for value in fetching:
        assert not re.search(r"//|url\((?!#)", value or ""), value
    assert not re.search(r"@import|url\(", re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)[0])
    assert "default-src 'none'" in html
    # One script, which the page allows by its hash: none that a text might bring in would run.
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    sha256 = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{sha256}'\"" in html
    assert not re.search(r"fetch|XMLHttp|import|http", script)
    assert reader.tags.count("script") == 1


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x1b", "\x7f", "\ud800"])
def test_characters_that_no_page_may_hold_are_replaced(character: str) -> None:
    html = page(wins=[example(f"before{character}after")])
    assert "before\N{REPLACEMENT CHARACTER}after" in html
    html.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", html)


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert page() == plain()


def test_of_many_answers_the_first_are_shown() -> None:
    many = example("one for many")
    many.answers[:] = [f"doc{number}.md#S" for number in range(40)]
    assert "Answer: doc0.md#S, doc1.md#S, doc2.md#S and 37 more" in read(page(wins=[many])).text


def test_what_deploying_takes_is_said() -> None:
    text = usual()
    assert "384 float32 0.800 +0.000 1.54 GB" in text
    assert "192 binary 0.710 -0.090 24 MB" in text
    assert "queries written by claude-haiku-5-5 1,593,037 tokens in, 434,585 out $0.38" in text
    assert "optimizer steps 19" in text
    assert "the model 90.9 MB" in text
    assert "Settings 0123456789abcdef:" in text
    assert "kept its general language: NDCG@10 on 60 general queries is 0.950 with the base model, 0.940" in text


def test_a_model_that_forgot_is_warned_of_at_the_top() -> None:
    text = text_of(probe=Probe(60, 0.95, 0.85, 0.05))
    assert text.index("The tuned model forgot") < text.index("Systems and query sets")
    assert "The tuned model forgot" not in text_of(probe=Probe(60, 0.95, 0.9, 0.05))  # .05 is the limit itself


def test_what_a_reranker_leaves_of_the_gain() -> None:
    text = text_of(reranked=scores(500), reranker="a/reranker")
    assert "Yes: when a/reranker re-ranks the first 100 of each system" in text
    assert "is +0.100 (+0.100 to +0.100), on 500 queries" in text
    assert "Not beyond luck" in text_of(reranked=scores(500, drawn={"tuned": (0.6, 0.9)}), reranker="a/reranker")


def test_the_data_curve_with_its_answer() -> None:
    text = text_of(curve=curve())
    assert "Would more queries help? More queries would help: so it is said." in text
    assert "on real queries (2,378), where the base model scores 0.700" in text
    assert "100 12.5%, the base model is kept 300 0.720 +0.020 +0.010 to +0.032 200 25% 600 0.750 +0.050" in text
    assert "800 100% 2,400 0.800 +0.100 +0.090 to +0.112" in text
    assert "Would more queries help?" not in usual()
    short = markdown(evaluation(curve=curve()))
    assert "\n\nMore queries would help: so it is said.\n\n| training passages |" in short
    assert "\n| 100 (12.5%) | 300 | 0.720, the base model is kept | +0.020 (+0.010 to +0.032) |\n| 200 (25%)" in short
    assert "training passages" not in markdown(evaluation())


def test_another_model_has_its_row() -> None:
    one = scores()
    more = replace(
        one,
        means={**one.means, "other/model": one.means["base"]},
        intervals={**one.intervals, "other/model": one.intervals["base"]},
    )
    text = text_of(sets={"real": more})
    assert "hybrid(tuned) other/model" in text.replace("\u200b", "")
    assert "other/model 0.700" in text


def test_the_short_form_has_the_numbers_and_no_text() -> None:
    text = markdown(evaluation(wins=[example("zyxquery", section="zyxdoc.md#S")]))
    assert text.startswith("## Ship it: the tuned model is better.\n")
    assert "- A gain of 0.05 or more is meaningful.\n" in text
    header = "| NDCG@10 | base | BM25 | BM25(headings) | hybrid(base) | tuned | hybrid(tuned) | gain over base |\n|---|"
    assert header in text
    row = "| real queries (2,378) | 0.700 | 0.720 | 0.710 | 0.740 | 0.800 | 0.780 | +0.100 (+0.090 to +0.110) |\n"
    assert row in text
    assert "| generated, keyword (80) | 0.700 |" in text
    assert "| 192 | 0.770 (768 MB) | 0.769 (192 MB) | 0.710 (24 MB) |" in text
    assert "settings `0123456789abcdef`; test set `fedcba9876543210`. Compare these scores only with" in text
    assert "zyx" not in text


def test_generated_queries_of_several_languages_have_a_table() -> None:
    wide = {"tuned": (0.77, 0.83), "base": (0.66, 0.74)}
    languages = {"de": scores(40, drawn=wide, base=0.5), "en": scores(50, drawn=wide)}
    text = text_of(languages=languages)
    assert "generated queries in base tuned gain over base de (40) 0.500 0.800 +0.300 +0.090 to +0.110" in text
    assert "en (50) 0.700 0.800 +0.100 +0.090 to +0.110 All metrics" in text
    short = markdown(evaluation(languages=languages))
    assert (
        "\n\n| generated queries in | base | tuned | gain over base |\n|---|---|---|---|\n"
        "| de (40) | 0.500 | 0.800 | +0.300 (+0.090 to +0.110) |\n"
        "| en (50) | 0.700 | 0.800 | +0.100 (+0.090 to +0.110) |\n"
    ) in short
    assert "generated queries in" not in usual() + markdown(evaluation())
    numbers = metrics(evaluation(languages=languages))["synthetic"]["languages"]
    assert {tag: (of["n"], of["base"]["ndcg@10"]) for tag, of in numbers.items()} == {"de": (40, 0.5), "en": (50, 0.7)}
    assert "languages" not in metrics(evaluation())["synthetic"]


def test_where_groups_are_too_few_no_interval_is_shown() -> None:
    few, untold = scores(12, clusters=5), Interval(0.1, -1.0, 1.0, known=False)
    points = [replace(point, gain=untold) for point in curve().points]
    made = {"sets": {"real": few}, "kinds": {"task": few}, "reranked": few, "reranker": "a/reranker"}
    made |= {"curve": replace(curve(), points=points), "judgement": judge(Evidence("real", few, {}, 0.9), config())}
    text, short = text_of(**made), markdown(evaluation(**made))
    for one in (text, short):
        assert not re.search(r"[-+−]1\.000", one)
        assert "a gain of +0.100 (too few groups for an interval)." in one
        assert "The queries are about too few groups of passages: the gain cannot be told from luck." in one
    assert "gain over the base+0.100too few groups" in text
    assert "real queries (12) 0.700 too few groups 0.720 too few groups" in text
    assert "over the base is +0.100 (too few groups), on 12 queries" in text
    assert "| real queries (12) | 0.700 | 0.720 | 0.710 | 0.740 | 0.800 | 0.780 | +0.100 (too few groups) |" in short
    assert "| generated, task (12) | 0.700 | 0.720 | 0.710 | 0.740 | 0.800 | 0.780 | +0.100 (too few groups) |" in short
    assert "| 800 (100%) | 2,400 | 0.800 | +0.100 (too few groups) |" in short
    gain = few.json()["gain"]["vs_base"]["ndcg@10"]
    assert gain == {"mean": 0.1, "low": None, "high": None, "p": 0.0123}


def test_a_page_of_many_examples_stays_small() -> None:
    place = "folder/" * 12
    many = [example("copy an image to another region " * 4, section=f"{place}guide.md#S{n}") for n in range(100)]
    assert len(page(sets={"real": scores()}, wins=many, losses=many).encode()) < 1_000_000  # of 2 MB


def rival(name: str, **changes: Any) -> RivalScore:
    usual: dict[str, Any] = {
        "system": f"rival:{name}", "kind": "model", "model": f"someone/{name}", "ndcg": 0.75,
        "gain": Interval(0.05, 0.01, 0.09), "p": 0.021, "judged": None, "unfair": False,
        "cost": Cost(seconds_per_1000_queries=7.4, bytes_per_million_passages=1_560_000_000),
    }  # fmt: skip
    return RivalScore(**{**usual, **changes})


def rivals() -> dict[str, Any]:
    """An evaluation with three rivals, of which one ranks none of the generated queries."""
    wide = {"tuned": (0.77, 0.83), "base": (0.66, 0.74)}
    three: dict[str, Any] = {"rival:old": 0.75, "rival:api": 0.85, "rival:search": 0.7}
    sets = {name: scores(n, drawn=wide, **three) for name, n in (("real", 2378), ("real_hard", 478))}
    dollars = Cost(
        dollars_per_1000_queries=0.0002, dollars_per_million_passages=2.5, bytes_per_million_passages=6 * 10**9
    )
    rows = [
        rival("old"),
        rival("api", ndcg=0.85, kind="api", cost=dollars, judged=0.42, unfair=True),
        rival("search", ndcg=0.7, kind="run", model=None, cost=Cost(), judged=0.8),
        rival("tuned", system="tuned", ndcg=0.8, model=None, gain=None, p=None, judged=0.9),
    ]
    judgement = Judgement("marginal", "rival:api", ["The rival api scores higher."], "tuned")
    return {"sets": {**sets, "synthetic": scores(333, drawn=wide)}, "rivals": rows, "judgement": judgement}


def test_rivals_have_a_table_with_what_they_cost_and_how_much_was_judged() -> None:
    for text in (page(**rivals()), markdown(evaluation(**rivals()))):
        for words in ("7.4 s", "1.56 GB", "$0.0002", "$2.50 and 6 GB", "unknown", "0.021", "42% !", "80%", "–"):
            assert words in text, words
        assert "clearly fewer" in text
    assert "recommended system <code>rival:api</code>" in page(**rivals())
    assert "The export holds the tuned model" in page(**rivals())


def test_without_rivals_nothing_is_said_of_them() -> None:
    for text in (page(), markdown(evaluation())):
        assert "rival" not in text.lower()
        assert "Holm" not in text
