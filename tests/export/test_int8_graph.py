"""The int8 graph: its numbers by hand, its independence of the batch, and what is kept in float32."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from sentence_transformers import SentenceTransformer

from stages.export.int8_graph import by_harm, layers, write_int8
from stages.export.onnx import OnnxEncoder, write_fp32
from stages.export.parity import parity
from tests.export.inputs import spoil
from tests.tiny_model import WORDS, tiny_model

LENGTHS = (1, 40, 3, 3, 17, 90, 2, 8)  # in words; the model cuts at 64 tokens
TEXTS = [" ".join(WORDS[(7 * i + j) % 60] for j in range(length)) for i, length in enumerate(LENGTHS)]
Exported = tuple[SentenceTransformer, Path]  # the folder holds model.onnx and model_quantized.onnx


@pytest.fixture(scope="module", params=["bert-mean", "xlmr-cls", "bert-lasttoken"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp(request.param)
    architecture, pooling = request.param.split("-")
    model = tiny_model(folder / "transformer", architecture=architecture, pooling=pooling)
    write_fp32(model, folder / "model.onnx")
    write_int8(folder / "model.onnx", folder / "model_quantized.onnx")
    return model, folder


def test_it_is_smaller_and_close(exported: Exported) -> None:
    model, folder = exported
    vectors = OnnxEncoder(folder / "model_quantized.onnx", model.tokenizer).encode(TEXTS, batch_size=4)
    assert parity(model.encode(TEXTS), vectors).min >= 0.98
    # The weights alone: most of so small a file is the graph.
    graphs = [onnx.load(folder / name).graph for name in ("model.onnx", "model_quantized.onnx")]
    fp32, int8 = (sum(onnx.numpy_helper.to_array(w).nbytes for w in graph.initializer) for graph in graphs)
    assert int8 < 0.5 * fp32
    assert sum(node.op_type == "MatMulIntegerToFloat" for node in graphs[1].node) == 12  # six of each encoder layer


def test_a_text_has_the_same_vector_in_any_batch(exported: Exported) -> None:
    model, folder = exported
    encoder = OnnxEncoder(folder / "model_quantized.onnx", model.tokenizer)
    one_by_one = encoder.encode(TEXTS, batch_size=1)
    np.testing.assert_allclose(encoder.encode(TEXTS, batch_size=8), one_by_one, rtol=0, atol=1e-6)


def test_no_path_of_this_machine_is_inside(exported: Exported) -> None:
    _, folder = exported
    content = (folder / "model_quantized.onnx").read_bytes()
    assert [leak for leak in (str(folder), str(Path.cwd()), 'File "') if leak.encode() in content] == []


def test_one_product_by_hand(tmp_path: Path) -> None:
    weights = np.array([[63.0, -0.3], [-12.6, 1.0]], dtype=np.float32)  # scales of the columns: 1 and 1/63
    product = onnx.helper.make_node("MatMul", ["x", "weights"], ["y"], "layer")
    shapes = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 2]) for name in "xy"]
    graph = onnx.helper.make_graph(
        [product], "g", shapes[:1], shapes[1:], [onnx.numpy_helper.from_array(weights, "weights")]
    )
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10),
        tmp_path / "fp32",
    )
    write_int8(tmp_path / "fp32", tmp_path / "int8")
    session = onnxruntime.InferenceSession(tmp_path / "int8", providers=["CPUExecutionProvider"])
    x = np.array([[127, 10.4], [0, 0], [-2.54, 1.26]], dtype=np.float32)
    # In int8 the columns are [63 -13] and [-19 63]; the rows [127 10], zeros, and [-127 63] with a scale of .02.
    expected = np.array([
        [127 * 63 - 10 * 13, (-127 * 19 + 10 * 63) / 63],
        [0, 0],
        [0.02 * (-127 * 63 - 63 * 13), 0.02 * (127 * 19 + 63 * 63) / 63],
    ])  # fmt: skip
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, rtol=1e-5)


def test_the_layer_that_hurts_is_found_and_what_is_kept_stays_as_it_was(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "transformer")
    spoil(model)
    fp32, int8 = tmp_path / "model.onnx", tmp_path / "model_quantized.onnx"
    write_fp32(model, fp32)
    reference = model.encode(TEXTS)

    def distance(path: Path) -> float:
        return 1 - parity(reference, OnnxEncoder(path, model.tokenizer).encode(TEXTS, batch_size=8)).mean

    order = by_harm(fp32, int8, distance)
    attention = [f"encoder.layer.0.attention.self.{name}" for name in ("query", "key", "value")]
    assert layers(fp32)[0] == attention
    assert sorted(order) == sorted(layers(fp32))
    assert order[0] == ["encoder.layer.1.output.dense"]
    write_int8(fp32, int8)
    spoiled = distance(int8)
    write_int8(fp32, int8, keep=order[0])
    assert distance(int8) < 0.01
    assert spoiled > 0.02
    products = [node for node in ir.load(int8).graph if node.name in order[0]]
    assert [node.op_type for node in products] == ["MatMul"]
