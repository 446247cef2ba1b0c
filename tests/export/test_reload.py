"""A fresh process's word on a model folder."""

from pathlib import Path

import pytest

from fieldtune.models import encoder
from fieldtune.runtime.errors import UserError
from stages.export.reload import encode_afresh
from tests.tiny_model import tiny_model


def test_a_broken_folder_is_an_error_that_says_why(tmp_path: Path) -> None:
    encoder.save(tiny_model(tmp_path / "own"), tmp_path / "model")
    (tmp_path / "model/model.safetensors").write_bytes(b"cut off")
    with pytest.raises(UserError, match=r"could not be loaded in a fresh process: .*[Ss]afetensors"):
        encode_afresh(tmp_path / "model", ["word1"], ["word2"])
