# SPDX-License-Identifier: Apache-2.0
"""Small quantised ONNX models of seeded constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.lower import lower
from models.pe_array.frontend.reader import read


class Bench:
    """A model under construction, of seeded constants; tensors are known by name.

    Attributes:
        outputs: of the model; where there are none, the tensor that was made last.
    """

    def __init__(self, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[str] = []

    def input(self, name: str, kind: int, *shape: int | str) -> str:
        """An input of the model."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def constant(self, value: Any, dtype: Any = None) -> str:
        """A constant, float32 unless its type says or is given."""
        array = np.asarray(value, dtype=dtype)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        name = f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, name: str = "", domain: str = "", **more: Any) -> str:
        """A node; the name of its first output, the others have the same with a number."""
        first = f"{operator.lower()}{len(self.nodes)}"
        names = [first, *(f"{first}.{k}" for k in range(1, outputs))]
        self.nodes.append(helper.make_node(operator, inputs, names, name, domain=domain, **more))
        return first

    def quantise(self, tensor: str, scale: float, zero: int = 0, unsigned: bool = False) -> str:
        """QuantizeLinear."""
        kind = np.uint8 if unsigned else np.int8
        return self.add("QuantizeLinear", tensor, self.constant(scale), self.constant(zero, kind))

    def dequantise(self, tensor: str, scale: Any, zero: Any = 0, unsigned: bool = False, axis: int = 1) -> str:
        """DequantizeLinear; several scales go along an axis."""
        kind = np.uint8 if unsigned else np.int8
        zeros = np.broadcast_to(np.asarray(zero, kind), np.shape(scale))
        return self.add("DequantizeLinear", tensor, self.constant(scale), self.constant(zeros), axis=axis)

    def both(self, tensor: str, scale: float, zero: int = 0, unsigned: bool = False) -> str:
        """QuantizeLinear and DequantizeLinear."""
        return self.dequantise(self.quantise(tensor, scale, zero, unsigned), scale, zero, unsigned)

    def weights(self, *shape: int, unsigned: bool = False) -> str:
        """Bytes of every value."""
        low, high = (0, 256) if unsigned else (-128, 128)
        return self.constant(self.rng.integers(low, high, shape), np.uint8 if unsigned else np.int8)

    def model(self, rank: int = 4, opset: int = 17, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
        """The model; ``rank`` and ``kind``: dimensions and elements of its outputs."""
        names = self.outputs or [self.nodes[-1].output[0]]
        outputs = [helper.make_tensor_value_info(name, kind, [None] * rank) for name in names]
        graph = helper.make_graph(self.nodes, "bench", self.inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def apart(model: onnx.ModelProto, x: np.ndarray) -> float:
    """Largest difference between the array's layers and onnxruntime on these pictures, in steps of the output."""
    graph = read(model)
    found = graph.reals(lower(graph).forward(graph.pictures(x)).outputs[-1])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    want = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {model.graph.input[0].name: x})[0]
    made = graph.maps[graph.outputs[0].map]
    if made.scale is not None and want.dtype.kind != "f":
        want = (want.astype(np.float64) - made.zero - 128 * made.unsigned) * made.scale
    assert len(np.unique(want)) > 2, "onnxruntime's outputs say little"
    return float(np.abs(found.reshape(want.shape) - want).max() / (made.scale or 1.0))


def complaints(model: onnx.ModelProto) -> list[str]:
    """Why nodes of a model cannot be had; each is one line."""
    try:
        read(model)
    except UnsupportedModel as refusal:
        reasons = [each.reason for each in refusal.complaints] or [str(refusal)]
        assert not any("\n" in each for each in reasons)
        return reasons
    raise AssertionError("the model was read")
