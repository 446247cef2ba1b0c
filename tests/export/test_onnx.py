"""The ONNX graph against the model it comes from, on tiny random models and the real onnxruntime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models

from fieldtune.runtime.errors import UserError
from stages.export.onnx import OnnxEncoder, write_fp32
from stages.export.parity import parity
from tests.tiny_model import WORDS, tiny_model

LENGTHS = (1, 40, 3, 3, 17, 90, 2, 8)  # in words; the model cuts at 64 tokens
TEXTS = [" ".join(WORDS[(7 * i + j) % 60] for j in range(length)) for i, length in enumerate(LENGTHS)]
Exported = tuple[SentenceTransformer, Path]  # the folder holds model.onnx
PIPELINES = ("bert-mean", "xlmr-cls", "bert-lasttoken")


@pytest.fixture(scope="module", params=PIPELINES)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp(request.param)
    architecture, pooling = request.param.split("-")
    model = tiny_model(folder / "transformer", architecture=architecture, pooling=pooling)
    model.train()
    write_fp32(model, folder / "model.onnx")
    config: Any = model[0].config
    assert (model.training, config._attn_implementation) == (True, "sdpa")  # the model is left as it was
    return model, folder


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_fp32_graph_is_the_model(exported: Exported, batch_size: int) -> None:
    model, folder = exported
    encoder = OnnxEncoder(folder / "model.onnx", model.tokenizer)
    vectors = encoder.encode(TEXTS, batch_size=batch_size)
    reference = model.encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert parity(reference, vectors).min >= 0.99999
    # Else the line above would prove nothing.
    assert parity(reference, np.roll(reference, 1, axis=0)).mean < 0.9


def test_no_path_of_this_machine_is_inside(exported: Exported) -> None:
    _, folder = exported
    content = (folder / "model.onnx").read_bytes()
    leaks = [str(folder), str(Path.cwd()), str(Path(torch.__file__).parent), 'File "']
    assert [leak for leak in leaks if leak.encode() in content] == []


@pytest.mark.parametrize("exported", ["bert-mean"], indirect=True)
def test_no_texts_give_no_rows(exported: Exported) -> None:
    model, folder = exported
    assert OnnxEncoder(folder / "model.onnx", model.tokenizer).encode([], batch_size=4).shape == (0, 32)


def test_a_model_without_a_transformer_is_refused(tmp_path: Path) -> None:
    words = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    static = SentenceTransformer(modules=[StaticEmbedding(words, embedding_dim=4)], device="cpu")
    with pytest.raises(UserError, match="only transformer models"):
        write_fp32(static, tmp_path / "model.onnx")
