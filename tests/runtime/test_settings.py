"""Ranges of values, and what a stage reads."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from omegaconf import MISSING

from fieldtune.runtime import settings
from fieldtune.runtime.errors import UserError


@dataclass
class Inner:
    share: float = settings.between(0.0, 1.0)
    size: int | None = settings.between(1, 10)


@dataclass
class Outer:
    inner: Inner = MISSING
    word: str = settings.one_of("yes", "no")
    words: list[str] = settings.some_of("a", "b")  # noqa: RUF009 (it is a dataclasses.field)
    anything: str = MISSING
    named: dict[str, Inner] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (Outer(Inner(0.0, 1), "yes", ["a"], ""), []),
        (Outer(Inner(1.0, 10), "no", ["b", "a"], ""), []),
        (Outer(Inner(0.5, None), "no", ["b"], ""), []),
        (Outer(Inner(1.01, 0), "no", ["b"], ""), ["top.inner.share", "top.inner.size"]),
        (Outer(Inner(float("nan"), 1), "maybe", ["b", "c"], ""), ["top.inner.share", "top.word", "top.words"]),
        (Outer(Inner(0.5, 1), "no", [], ""), ["top.words"]),
        (Outer(Inner(0.5, 1), "no", ["a"], "", {"a.1": Inner(0.5, 1), "b.2": Inner(-5, 11)}), ["top.named"] * 2),
    ],
)
def test_bounds_are_included_and_what_lies_outside_is_named(value: Outer, wrong: list[str]) -> None:
    assert [key for key, _ in settings.violations(value, "top")] == wrong


def test_what_lies_outside_in_a_mapping_is_named_too() -> None:
    (violation,) = settings.violations(Outer(Inner(0.5, 1), "no", ["a"], "", {"b.2": Inner(-5.0, 1)}), "top")
    assert violation == ("top.named", "has b.2.share that is -5.0: it must lie between 0.0 and 1.0")


CONFIG = "inner: {share: 0.5, size: null}\nword: no way\nwords: [a]\nanything: x\n"


def test_a_stage_reads_its_composed_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"data/config/embed\.yaml not found: run `dvc repro`"):
        settings.load("embed", Outer)
    Path("data/config").mkdir(parents=True)
    Path("data/config/embed.yaml").write_text(CONFIG)
    assert settings.load("embed", Outer) == Outer(Inner(0.5, None), "no way", ["a"], "x")


@pytest.mark.parametrize("stale", [CONFIG + "gone: 1\n", CONFIG.replace("anything: x\n", ""), "- no keys\n"])
def test_a_config_of_another_version_says_what_to_do(
    stale: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/config").mkdir(parents=True)
    Path("data/config/embed.yaml").write_text(stale)
    with pytest.raises(
        UserError, match=r"data/config/embed\.yaml does not have this stage's settings \(.*\): run `dvc repro`"
    ):
        settings.load("embed", Outer)
