# SPDX-License-Identifier: Apache-2.0
"""Networks as ONNX with seeded random weights: ``python -m studies.onnx_networks resnet34.onnx``, and blocks of them.

For shapes, clocks and bits, which do not depend on what the weights are. Batch normalisation stands behind every
convolution, and its statistics keep maps in range as those of a trained network would. The networks: ResNet-34 (He,
Zhang, Ren, Sun 2015); blocks of it and of MobileNetV1 (Howard and others 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.lib.command_line import Parser, one_line_errors, output_file

SIZE, CLASSES = 224, 1000
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Channels and blocks; the first block of each but the first halves the map."""
_SEED = 34


class _Graph:
    """Nodes and weights, as they are added."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, kind: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Name of the map that a node makes, which is the node's own."""
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def weight(self, name: str, values: npt.NDArray[np.float64]) -> str:
        """Name of a constant."""
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def convolution(
        self, name: str, reads: str, rows: int, cols: int, kernel: int, stride: int = 1, gain: float = 1.0,
        groups: int = 1,
    ) -> str:  # fmt: skip
        """A convolution with batch normalisation behind it; gain: mean of what that multiplies with."""
        random, seen = self._random, cols // groups
        w = random.normal(0.0, np.sqrt(2.0 / (seen * kernel**2)), (rows, seen, kernel, kernel))
        made = self.node(
            "Conv", name, [reads, self.weight(f"{name}.w", w)], kernel_shape=[kernel] * 2, strides=[stride] * 2,
            pads=[kernel // 2] * 4, group=groups,
        )  # fmt: skip
        of_channels = {
            "gamma": gain * random.uniform(0.8, 1.2, rows), "beta": random.normal(0.0, 0.1, rows),
            "mean": random.normal(0.0, 0.1, rows), "var": random.uniform(0.8, 1.2, rows),
        }  # fmt: skip
        constants = [self.weight(f"{name}.{key}", values) for key, values in of_channels.items()]
        return self.node("BatchNormalization", f"{name}_bn", [made, *constants])

    def relu6(self, name: str, reads: str) -> str:
        """The activation of MobileNets."""
        limits = [self.weight(f"{name}.{limit}", np.array(value)) for limit, value in (("low", 0.0), ("high", 6.0))]
        return self.node("Clip", name, [reads, *limits])

    def residual(self, name: str, reads: str, rows: int, cols: int, stride: int) -> str:
        """Two convolutions and a shortcut, which is a convolution where the map changes its size."""
        first = self.node("Relu", f"{name}.relu1", [self.convolution(f"{name}.conv1", reads, rows, cols, 3, stride)])
        second = self.convolution(f"{name}.conv2", first, rows, rows, 3, gain=0.5)
        changes = stride > 1 or rows != cols
        short = self.convolution(f"{name}.short", reads, rows, cols, 1, stride) if changes else reads
        added = self.node("Add", f"{name}.add", [second, short])
        return self.node("Relu", f"{name}.relu2", [added])

    def dense(self, name: str, reads: str, rows: int, cols: int) -> str:
        """A fully connected layer."""
        constants = [
            self.weight(f"{name}.w", self._random.normal(0.0, np.sqrt(1.0 / cols), (rows, cols))),
            self.weight(f"{name}.b", self._random.normal(0.0, 0.1, rows)),
        ]
        return self.node("Gemm", name, [reads, *constants], transB=1)

    def model(self, name: str, shape: Sequence[int], output: str, outputs: Sequence[int]) -> onnx.ModelProto:
        """The model of it all, which reads ``input`` (N, *shape) and makes ``output`` (N, *outputs)."""
        takes = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *shape])]
        gives = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", *outputs])]
        graph = helper.make_graph(self.nodes, name, takes, gives, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def resnet34(
    size: int = SIZE, classes: int = CLASSES, stages: Sequence[tuple[int, int]] = STAGES, seed: int = _SEED
) -> onnx.ModelProto:  # fmt: skip
    """The network for pictures float32 (N, 3, size, size), or a smaller one of the same kind.

    Args:
        size: of the pictures, a multiple of 32 with four stages.
        stages: channels and number of blocks of each.
        seed: of the weights.
    """
    made = _Graph(seed)
    channels = stages[0][0]
    map_ = made.node("Relu", "stem.relu", [made.convolution("stem", "input", channels, 3, 7, 2)])
    map_ = made.node("MaxPool", "stem.pool", [map_], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, (rows, blocks) in enumerate(stages):
        for number in range(blocks):
            stride = 2 if stage and not number else 1
            map_ = made.residual(f"stage{stage + 1}.{number + 1}", map_, rows, channels, stride)
            channels = rows
    map_ = made.node("Flatten", "flat", [made.node("GlobalAveragePool", "mean", [map_])])
    return made.model("resnet34", [3, size, size], made.dense("classes", map_, classes, channels), [classes])


def separable_block(rows: int, cols: int, size: int, stride: int = 1, seed: int = _SEED) -> onnx.ModelProto:
    """A pair of layers of MobileNetV1, depth-wise and point-wise, on a map (cols, size, size)."""
    made = _Graph(seed)
    deep = made.relu6("deep.relu", made.convolution("deep", "input", cols, cols, 3, stride, groups=cols))
    wide = made.relu6("wide.relu", made.convolution("wide", deep, rows, cols, 1))
    out = -(-size // stride)
    return made.model("separable_block", [cols, size, size], wide, [rows, out, out])


def residual_block(rows: int, cols: int, size: int, stride: int = 2, seed: int = _SEED) -> onnx.ModelProto:
    """A block of ResNet-34 on a map (cols, size, size), whose shortcut is a convolution."""
    made = _Graph(seed)
    last, out = made.residual("block", "input", rows, cols, stride), -(-size // stride)
    return made.model("residual_block", [cols, size, size], last, [rows, out, out])


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.onnx_networks", "Write ResNet-34 with seeded random weights.")
    parser.add_argument("out", type=output_file, help="ONNX file to write")
    with one_line_errors():
        onnx.save(resnet34(), parser.parse_args(arguments).out)


if __name__ == "__main__":
    main()
