"""A fresh process's word on a model folder."""

from pathlib import Path

import numpy as np
import pytest

from stages import encoder
from stages.errors import UserError
from stages.export.reload import encode_afresh
from tests.tiny_model import WORDS, tiny_model


def test_vectors_come_back_and_a_broken_folder_is_named(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "own")
    model.prompts = {"query": "word1 ", "document": "word2 word3 "}
    encoder.save(model, tmp_path / "model")
    texts = [*WORDS[:3], "ünïcode word4"]
    queries, passages = encode_afresh(tmp_path / "model", texts, texts[:2])
    np.testing.assert_allclose(queries, model.encode([f"word1 {text}" for text in texts]), atol=1e-6)
    np.testing.assert_allclose(passages, model.encode([f"word2 word3 {text}" for text in texts[:2]]), atol=1e-6)
    (tmp_path / "model/model.safetensors").write_bytes(b"cut off")
    with pytest.raises(UserError, match="does not load in a fresh process: .*[Ss]afetensors"):
        encode_afresh(tmp_path / "model", texts, texts)
