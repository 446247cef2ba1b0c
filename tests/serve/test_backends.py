"""What a graph's size decides; the graph is a mean of token ids, twice."""

import os
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from fieldtune.serve.backends import OnnxBackend


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    ids, mask = (
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "length"])
        for name in ("input_ids", "attention_mask")
    )
    vectors = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["n", 2])
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["kept"]),
        helper.make_node("Cast", ["kept"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["mean", "mean"], ["sentence_embedding"], axis=1),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "mean", [ids, mask], [vectors]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    path = tmp_path / "model.onnx"
    save(model, path)
    return path


def test_a_small_model_makes_short_runs_at_once(graph: Path) -> None:
    backend = OnnxBackend(graph, "fp32", 0, 2)
    assert (backend.at_once, backend.dimension) == (32, 2)
    np.testing.assert_allclose(backend.encode([[1, 2, 3], [4]]), np.array([[2.0, 2.0], [4 / 3, 4 / 3]]), rtol=1e-6)


def test_weights_beside_the_graph_make_a_model_large(graph: Path) -> None:
    with Path(f"{graph}.data").open("wb") as file:
        os.truncate(file.fileno(), 101_000_000)
    assert OnnxBackend(graph, "fp32", 0, 2).at_once == 0
