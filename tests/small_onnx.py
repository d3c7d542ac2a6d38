# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models of floats with seeded weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


class Made:
    """A model under construction.

    Attributes:
        last: name of the tensor that was made last, which the next node reads unless it is told otherwise.
    """

    def __init__(self, *in_shape: int | str, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, in_shape)
        self.last = "x"

    def constant(self, value: Any, name: str | None = None) -> str:
        """A constant; its name."""
        name = name or f"c{len(self.constants)}"
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape: int) -> str:
        """A constant of small random numbers."""
        return self.constant(self.rng.normal(0.0, 0.3, shape))

    def add(self, kind: str, *more: str, reads: str | None = None, name: str = "", **attributes: Any) -> str:
        """A node that reads ``reads`` and ``more``; the name of its output."""
        self.nodes.append(
            helper.make_node(kind, [reads or self.last, *more], [f"t{len(self.nodes)}"], name, **attributes)
        )
        self.last = f"t{len(self.nodes) - 1}"
        return self.last

    def conv(self, channels: int, into: int, size: int = 3, **attributes: Any) -> str:
        """A convolution that keeps the size of the map."""
        return self.add("Conv", self.normal(into, channels, size, size), self.normal(into), pads=[size // 2] * 4,
                        **attributes)  # fmt: skip

    def normalise(self, channels: int) -> str:
        """A batch normalisation with statistics of some training."""
        spread = self.constant(self.rng.uniform(0.5, 2.0, channels))
        return self.add("BatchNormalization", *(self.normal(channels) for _ in range(3)), spread)

    def model(self, *out_shape: int | str, opset: int = 13) -> onnx.ModelProto:
        """The model; its output is the last tensor."""
        output = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, out_shape or None)
        graph = helper.make_graph(self.nodes, "small", [self.input], [output], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def residual(batch: int | str = "N", opset: int = 13) -> onnx.ModelProto:
    """A residual network of 2 x 8 x 8 pictures and 5 classes: conv, batch normalisation, add, pool, dense, softmax."""
    made = Made(batch, 2, 8, 8)
    made.conv(2, 8)
    made.normalise(8)
    trunk = made.add("Relu")
    made.conv(8, 8)
    made.normalise(8)
    made.add("Add", trunk)
    made.add("Relu")
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("GlobalAveragePool")
    made.add("Flatten")
    made.add("Gemm", made.normal(5, 8), made.normal(5), transB=1)
    made.add("Softmax", axis=1)
    return made.model(batch, 5, opset=opset)


def run(model: onnx.ModelProto, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What onnxruntime makes of it."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])


def pictures(n: int, *shape: int) -> npt.NDArray[np.float32]:
    """Seeded noise."""
    return np.random.default_rng(5).normal(0.0, 1.0, (n, *shape)).astype(np.float32)
