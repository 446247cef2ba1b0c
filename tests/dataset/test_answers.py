"""Which sections answer: copies by hand."""

import pytest

from fieldtune.corpus.passages import Corpus
from stages.dataset.answers import Copies, find_copies
from stages.dataset.config import NearDuplicates
from tests.dataset.workspace import Workspace, changed, jaccard

LIMITS = NearDuplicates(cosine=0.9, overlap=0.8)


def copies(made: Workspace) -> Copies:
    bodies = [row["text"] for row in made.passages]
    return find_copies(bodies, lambda rows: made.vectors("passages")[rows], Corpus.from_passages(made.passages), LIMITS)


@pytest.mark.parametrize(
    ("places", "cosine", "linked", "alike"),
    [
        ((), 0.1, True, True),  # an exact copy answers, whatever its title
        ((20,), 0.95, True, True),
        ((20,), 0.85, True, False),  # the title, which only the vectors know, tells them apart
        ((10, 30), 0.95, False, False),
    ],
)
def test_of_two_sections(places: tuple[int, ...], cosine: float, linked: bool, alike: bool) -> None:
    made = Workspace()
    _, text, vector = made.passage("a.md", "A")
    made.passage("b.md", "B")
    copy = changed(text, *places)
    # of 38 shingles 3 or 6 have changed: 35 / 41 = .85, 32 / 44 = .73
    assert jaccard(text, copy) == pytest.approx({0: 1, 1: 35 / 41, 2: 32 / 44}[len(places)])
    made.passage("c.md", "C", copy, made.near(vector, cosine))
    repeats = copies(made)
    assert repeats.linked == ({(0, 2)} if linked else set())
    assert repeats.alike == ([{0, 2}, {1}, {0, 2}] if alike else [{0}, {1}, {2}])
    assert repeats.holding == repeats.alike


def test_a_shared_piece_links_sections_that_do_not_answer_one_another() -> None:
    made = Workspace()
    made.passage("a.md", "A")
    _, text, vector = made.passage("a.md", "A", piece=2)
    made.passage("b.md", "B", text, vector)
    made.passage("b.md", "B", piece=2)
    repeats = copies(made)
    assert repeats.linked == {(0, 1)}
    assert repeats.alike == [{0}, {1}]
    assert repeats.holding == [{0}, {0, 1}, {0, 1}, {1}]  # what asks for the shared piece is answered by both


def test_sections_that_were_cut_differently_are_copies() -> None:
    made = Workspace()
    words = made.words(120)
    for source, border in (("a.md", 40), ("b.md", 75)):
        made.passage(source, "Same", " ".join(words[:border]))
        made.passage(source, "Same", " ".join(words[border:]), piece=2)
    repeats = copies(made)
    assert (repeats.linked, repeats.alike) == ({(0, 1)}, [{0, 1}, {0, 1}])


def test_copies_of_copies_are_copies() -> None:
    made = Workspace()
    _, text, vector = made.passage("a.md", "A")
    made.passage("b.md", "B", text, vector)
    near = changed(text, 5)
    for source in ("c.md", "d.md"):
        made.passage(source, source, near, made.near(vector, 0.97))
    assert copies(made).alike == [{0, 1, 2, 3}] * 4
