"""Parts of the training set: nested, whole clusters, of the size that was asked for."""

import hashlib

from stages.curve.shares import nested


def passages_of(rows: list[int], passages: list[str]) -> set[str]:
    return {passages[row] for row in rows}


def test_each_share_is_in_the_next_and_has_all_pairs_of_its_passages() -> None:
    passages = [f"doc.md#{number // 3}" for number in range(120)]  # 40, three pairs each
    shares = nested(passages, [number // 3 for number in range(120)], seed=0, least=2)
    assert {share: len(passages_of(rows, passages)) for share, rows in shares.items()} == {0.125: 5, 0.25: 10, 0.5: 20}
    assert {share: len(rows) for share, rows in shares.items()} == {0.125: 15, 0.25: 30, 0.5: 60}
    assert set(shares[0.125]) < set(shares[0.25]) < set(shares[0.5]) < set(range(120))
    assert all(rows == sorted(rows) for rows in shares.values())


def test_the_order_is_that_of_the_hashes_of_seed_and_first_passage() -> None:
    passages = [f"p{number}" for number in range(16)]
    by_hash = sorted(range(16), key=lambda n: hashlib.sha256(f"7\np{n}".encode()).hexdigest())
    shares = nested(passages, list(range(16)), seed=7, least=2)
    assert {share: set(rows) for share, rows in shares.items()} == {
        0.125: set(by_hash[:2]),
        0.25: set(by_hash[:4]),
        0.5: set(by_hash[:8]),
    }
    assert nested(passages, list(range(16)), seed=8, least=2) != shares


def test_more_documents_leave_most_of_a_share_as_it_was() -> None:
    passages = [f"p{number}" for number in range(400)]
    before = nested(passages, list(range(400)), seed=0, least=2)
    after = nested([*passages, *(f"new{n}" for n in range(4))], list(range(404)), seed=0, least=2)
    for share, rows in before.items():
        assert len(set(rows) & set(after[share])) >= len(rows) - 4


def test_copies_are_taken_together() -> None:
    clusters = [number // 4 for number in range(64)]
    shares = nested([f"p{number}" for number in range(64)], clusters, seed=0, least=2)
    for rows in shares.values():
        chosen = {clusters[row] for row in rows}
        assert rows == [row for row in range(64) if clusters[row] in chosen]
    assert [len(rows) for rows in shares.values()] == [8, 16, 32]


def test_shares_that_are_too_small_or_no_smaller_than_the_next_are_left_out() -> None:
    assert nested(["a", "b", "c"], [0, 1, 2], seed=0, least=2).keys() == {0.5}  # 1 passage, 1 passage, 2
    assert nested(["a", "b"], [0, 1], seed=0, least=2) == {}  # one passage at the most
    assert nested(["a", "b", "c", "d"], [0, 0, 0, 0], seed=0, least=2) == {}  # one cluster is all or nothing
    # Whichever cluster of four comes first, an eighth and a quarter are both that one.
    assert nested([f"p{n}" for n in range(16)], [n // 4 for n in range(16)], seed=0, least=2).keys() == {0.25, 0.5}
    assert nested([f"p{n}" for n in range(16)], list(range(16)), seed=0, least=4).keys() == {0.25, 0.5}
