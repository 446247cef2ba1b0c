"""The folder of what must outlive a stage's outputs."""

from pathlib import Path

import pytest

from fieldtune.runtime import state
from fieldtune.runtime.errors import UserError


@pytest.mark.parametrize(
    ("config", "place"),
    [
        (None, "repository/.fieldtune"),
        ("dir = ../../shared/cache", "shared/.fieldtune"),  # relative to .dvc
        ("dir = {tmp}/main/.dvc/cache", "main/.fieldtune"),  # as a temporary experiment has it
    ],
)
def test_state_lies_beside_the_cache_that_dvc_uses(
    config: str | None, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dvc_dir = tmp_path / "repository/.dvc"
    dvc_dir.mkdir(parents=True)
    if config:
        (dvc_dir / "config.local").write_text(f"[cache]\n    {config.format(tmp=tmp_path)}\n")
    monkeypatch.chdir(tmp_path / "repository")
    assert state.root().resolve() == tmp_path / place
    assert (tmp_path / place).is_dir()


def test_outside_a_repository_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="run this from the root of the repository"):
        state.root()
