"""What a person is told who asks how many more, and that docs and page quote the same means."""

from typing import Any

from benchmarks import real_queries
from fieldtune.judging.worth import advice, measured


def cell(name: str, draw: int, human: int, gain: float, beside: str = "styled") -> dict[str, Any]:
    return {"set": name, "draw": draw, "human": human, "beside": beside, "gain": gain}


CELLS = [
    cell("a", 0, 0, 0.010), cell("a", 1, 0, 0.030), cell("a", 0, 12, 0.050), cell("a", 1, 12, 0.070),
    cell("b", 0, 0, 0.100), cell("b", 0, 12, 0.120), cell("b", 0, 50, 0.200), cell("a", 0, 12, -0.010, "alone"),
]  # fmt: skip


def test_until_it_is_measured_only_the_thresholds_are_said() -> None:
    assert advice(60, []).startswith("40 more with an answer, 100 in all")
    assert advice(60, []).endswith("with a wide interval.")
    assert advice(100, []).startswith("100 have an answer: enough")


def test_what_is_quoted_is_the_mean_over_the_sets_of_what_real_queries_added() -> None:
    said = advice(60, real_queries.means(CELLS))
    assert said.endswith("mean of 2 public sets: 12: +0.030.")  # .04 and .02; 50 were measured on one set alone


def test_the_table_has_a_line_per_set_and_kind_of_training_data() -> None:
    assert real_queries.table(real_queries.means(CELLS)).splitlines() == [
        "| set | human queries | 0 | 12 | 50 |",
        "|---|---|---|---|---|",
        "| a | alone |  | -0.010 |  |",
        "| a | beside styled ones | +0.020 ± 0.014 | +0.060 ± 0.014 |  |",
        "| b | beside styled ones | +0.100 | +0.120 | +0.200 |",
    ]


def test_the_docs_have_the_table_of_what_is_quoted() -> None:
    docs = (real_queries.ROOT / real_queries.DOCS).read_text(encoding="utf-8")
    block = docs.partition(real_queries.BEGIN)[2].partition(real_queries.END)
    assert block[1] and block[0].strip() == real_queries.table(measured())
