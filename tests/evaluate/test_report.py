"""The page holds what it was given, whatever that is, and asks the network for nothing."""

import re
from html.parser import HTMLParser

import pytest

from stages.evaluate.verdict import Judgement
from tests.evaluate.made_up import example, page, scores

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
    found = read(page())
    text = " ".join(found.text.split())
    assert "Ship it: the tuned model is better." in text
    assert "A gain of 0.05 or more is meaningful." in text
    assert "real queries: 2,378" in text
    # tuned less base, of draws that go together: .77 - .66 and .83 - .74
    assert "+0.100 +0.090 to +0.110" in text
    assert "how to copy an image +0.500" in text
    assert "where is it -0.400" in text
    assert "Base NDCG@10 0.700 lies between" in text  # its first letter alone is made large
    assert '"round_trip": 85' in text


def test_a_page_without_wins_losses_and_real_queries() -> None:
    judgement = Judgement("keep_base", "base", ["The interval holds 0."])
    found = read(page(judgement=judgement, sets={"synthetic": scores(12)}, kinds={}, wins=[], losses=[]))
    text = " ".join(found.text.split())
    assert "Keep the base model." in text
    assert "Biggest wins None. Biggest losses None." in text
    assert "real queries" not in text


QUERY = """<script>alert("x")</script> & <img src=x onerror='alert(1)'> "quoted" {{ 7 * 7 }}"""


def test_what_people_typed_is_text() -> None:
    known = read(page())
    found = read(
        page(
            wins=[example(QUERY, section=f"{QUERY}.md#{QUERY}")],
            losses=[example(QUERY, -1)],
            judgement=Judgement("ship", "tuned", [QUERY]),
            advice=QUERY,
            base_model=QUERY,
            dataset={"guidance": QUERY, "passages": 1},
            kinds={QUERY: scores(3)},
        )
    )
    assert found.text.count(QUERY) > 8
    assert set(found.tags) == set(known.tags)
    assert "onerror" not in dict(found.attributes)


def test_nothing_is_fetched() -> None:
    html = page()
    found = read(html)
    assert {"script", "img", "iframe", "object", "embed", "base", "image"}.isdisjoint(found.tags)
    fetching = [value for name, value in found.attributes if name in ("src", "href", "xlink:href", "srcset", "style")]
    for value in fetching:
        assert not re.search(r"//|url\((?!#)", value or ""), value
    assert not re.search(r"@import|url\(", re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)[0])
    assert "default-src 'none'" in html


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x1b", "\x7f", "\ud800"])
def test_characters_that_no_page_may_hold_are_replaced(character: str) -> None:
    html = page(wins=[example(f"before{character}after")])
    assert "before\N{REPLACEMENT CHARACTER}after" in html
    html.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", html)


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert page() == page()


def test_of_many_answers_the_first_are_shown() -> None:
    many = example("one for many")
    many.answers[:] = [f"doc{number}.md#S" for number in range(40)]
    assert "answer: doc0.md#S, doc1.md#S, doc2.md#S and 37 more" in read(page(wins=[many])).text
