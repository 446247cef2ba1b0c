"""An ONNX graph in int8, for onnxruntime on the CPU, and which of its layers lose most."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass
from onnxruntime.quantization import QuantType, quantize_dynamic

Vectors = npt.NDArray[np.float32]

# Weights have 7 bits: with 8, sums overflow on CPUs without VNNI, and results would differ from the parity check.
_WEIGHT = 63
_ACTIVATION = 127  # a row's largest value, around 128


def write_int8(fp32: Path, path: Path, keep: Collection[str] = ()) -> None:
    """Quantize a graph of `write_fp32`, except the layers named in `keep`: a quarter of the size.

    Weights have a scale per column; each row of activations, which is one token, is scaled by its own largest value as
    the graph runs. So a text's vector does not depend on the texts encoded with it, as it would with onnxruntime's own
    dynamic quantization, which has one scale per batch.
    """
    quantize_dynamic(fp32, path, weight_type=QuantType.QInt8, op_types_to_quantize=["Gather"])  # the embeddings
    model = ir.load(path)
    model.opset_imports["com.microsoft"] = 1
    rows: dict[ir.Value, tuple[ir.Value, ir.Value]] = {}
    for node in linear(model.graph):
        if node.name not in keep:
            _quantize(model.graph, node, rows)
    RemoveUnusedNodesPass()(model)  # the weights in float32
    ir.save(model, path)


def layers(fp32: Path) -> list[list[str]]:
    """Names of what `write_int8` quantizes; products with the same input, as query, key and value, are one layer."""
    by_input: dict[ir.Value, list[str]] = {}
    for node in linear(ir.load(fp32).graph):
        assert node.inputs[0] is not None and node.name is not None
        by_input.setdefault(node.inputs[0], []).append(node.name)
    return list(by_input.values())


def by_harm(fp32: Path, path: Path, distance: Callable[[Path], float]) -> list[list[str]]:
    """`layers`, first the one that alone in int8 moves the vectors farthest from those in float32.

    `distance` measures a file; they are written to `path` one after the other.
    """
    all_layers = layers(fp32)
    names = {name for layer in all_layers for name in layer}
    harm = []
    for layer in all_layers:
        write_int8(fp32, path, keep=names - set(layer))
        harm.append(distance(path))
    return [all_layers[row] for row in sorted(range(len(harm)), key=lambda row: (-harm[row], row))]


def linear(graph: ir.Graph) -> list[ir.Node]:
    """The products with weights; those of activations, in attention, stay in float32."""
    return [
        node
        for node in graph
        if node.op_type == "MatMul" and node.inputs[1] is not None and node.inputs[1].const_value is not None
    ]


def _quantize(graph: ir.Graph, node: ir.Node, rows: dict[ir.Value, tuple[ir.Value, ir.Value]]) -> None:
    """Replace `node` by a product of integers; `rows` has the inputs that are quantized, and their scales."""
    given, weights = node.inputs
    assert given is not None and weights is not None and weights.const_value is not None
    tape = ir.tape.Tape()

    def constant(name: str, value: npt.NDArray[np.generic]) -> ir.Value:
        return graph.initializers.get(name) or tape.initializer(ir.tensor(value, name=name), name)

    step = constant("int8.step", np.array(1 / _ACTIVATION, np.float32))
    zero = constant("int8.zero", np.array(_ACTIVATION + 1, np.uint8))
    if given not in rows:
        largest = tape.op("ReduceMax", [tape.op("Abs", [given]), constant("int8.last_axis", np.array([-1], np.int64))])
        # A row of zeros divides by zero; whatever it quantizes to is multiplied by zero below.
        rows[given] = tape.op("QuantizeLinear", [tape.op("Div", [given, largest]), step, zero]), largest
    quantized, largest = rows[given]
    values = weights.const_value.numpy()
    columns = np.maximum(np.abs(values).max(axis=0), 1e-12) / _WEIGHT
    product = tape.op(
        "MatMulIntegerToFloat",
        [
            quantized,
            constant(f"{weights.name}.int8", np.rint(values / columns).astype(np.int8)),
            step,
            constant(f"{weights.name}.scales", columns.astype(np.float32)),
            zero,
        ],
        domain="com.microsoft",
    )
    result = tape.op("Mul", [product, largest])
    result.name = node.outputs[0].name
    for value in tape.initializers:
        graph.register_initializer(value)
    ir.convenience.replace_nodes_and_values(graph, node, [node], tape.nodes, node.outputs, [result])
