"""The picture is the same each time, and takes the page's colours."""

import itertools
import re
from xml.etree import ElementTree

from fieldtune.retrieval.judged_queries import TITLES
from fieldtune.retrieval.systems import LABELS
from stages.evaluate.figure import curves_svg, data_curve_svg, gains_svg, systems_svg
from tests.evaluate.made_up import curve, scores


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


def test_the_gains_are_shown_with_their_numbers() -> None:
    sets = {"real": scores(2378, drawn={"tuned": (0.75, 0.85)}), "synthetic": scores(10, tuned=0.68)}
    svg = gains_svg(sets, TITLES, 0.02, 0.05)
    words = [text for element in ElementTree.fromstring(svg).iter() if (text := (element.text or "").strip())]
    assert {"real queries", "generated queries, held out", "+0.100", "-0.020", "meaningful"} <= set(words)


def test_of_too_few_groups_no_interval_is_drawn() -> None:
    enough, few = ({"real": scores(12, clusters=clusters)} for clusters in (6, 5))
    drawn, left_out = (gains_svg(sets, TITLES, 0.02, 0.05) for sets in (enough, few))
    assert "stroke-linecap: round" in drawn
    assert "stroke-linecap: round" not in left_out
    assert "too few groups" not in drawn
    assert "+0.100 (too few groups)" in left_out
    assert "stroke-linecap: round" in systems_svg(enough, TITLES)
    assert "stroke-linecap: round" not in systems_svg(few, TITLES)


def test_the_data_curve_shows_each_share_with_its_gain() -> None:
    words = [
        text
        for element in ElementTree.fromstring(data_curve_svg(curve())).iter()
        if (text := (element.text or "").strip())
    ]
    assert {"+0.020", "+0.050", "+0.080", "+0.100", "12.5%", "100", "100%", "800", "training passages"} <= set(words)


def test_no_two_pictures_share_an_id() -> None:
    pictures = [
        gains_svg({"real": scores()}, TITLES, 0.02, 0.05),
        systems_svg({"real": scores()}, TITLES),
        curves_svg([(1, 0.5), (2, 0.25)], [(0, 0.7), (2, 0.8)]),
        data_curve_svg(curve()),
    ]
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in pictures]
    assert all(not one & other for one, other in itertools.combinations(ids, 2))
    for svg, own in zip(pictures, ids, strict=True):
        assert set(re.findall(r'(?:url\(|href=")#([^")]+)', svg)) <= own
