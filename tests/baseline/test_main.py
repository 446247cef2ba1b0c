"""Advice about the base model before any time is spent on tuning. Its numbers: tests/evaluate/test_main.py."""

import pytest

from stages.baseline.__main__ import advice
from stages.baseline.config import BaselineConfig


@pytest.mark.parametrize(
    ("base", "ending"),
    [
        (0.86, "tuning is not needed"),
        (0.85, "the verdict will tell"),
        (0.7, "the verdict will tell"),
        (0.69, "tuning is worth it"),
    ],
)
def test_advice_at_its_borders(base: float, ending: str) -> None:
    assert advice(base, BaselineConfig(good_enough=0.85, worth_it=0.7, real_evidence=400), real=True).endswith(ending)


@pytest.mark.parametrize(
    ("base", "ending"),
    [
        (1.0, "only real queries can show whether there is room"),
        (0.85, "the verdict will tell"),
        (0.69, "tuning is worth it"),
    ],
)
def test_a_good_score_on_generated_queries_does_not_say_that_tuning_is_not_needed(base: float, ending: str) -> None:
    message = advice(base, BaselineConfig(good_enough=0.85, worth_it=0.7, real_evidence=400), real=False)
    assert message.endswith(ending)
    assert "not needed" not in message
