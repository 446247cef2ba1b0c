"""The picture is the same each time, and takes the page's colours."""

import xml.etree.ElementTree as ElementTree

from stages.evaluate.figure import LABELS, systems_svg
from stages.query_sets import TITLES
from tests.evaluate.made_up import scores


def test_the_picture_is_the_same_bytes_and_shows_every_system() -> None:
    sets = {"real": scores(2378, drawn={"tuned": (0.75, 0.85)}), "synthetic": scores(10)}
    svg = systems_svg(sets, TITLES)
    assert svg == systems_svg(sets, TITLES)
    words = [text for element in ElementTree.fromstring(svg).iter() if (text := (element.text or "").strip())]
    for label in LABELS.values():
        assert words.count(label) == 2
    assert {"real queries (2,378)", "generated queries, held out (10)", "NDCG@10"} <= set(words)
    assert "currentColor" in svg
    assert "#010203" not in svg
