# SPDX-License-Identifier: Apache-2.0
"""What the reader cannot have is refused with a reason that says what is wrong, and everything at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from quantised_onnx import Bench, complaints

Case = Callable[[Bench, str], str]
OPSET = 19


def reasons(case: Case, rank: int = 4, opset: int = OPSET) -> list[str]:
    """Of a model that makes something of a quantised map of 4 x 6 x 6 and quantises that."""
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, 1, 4, 6, 6), 0.125, 3)
    bench.both(case(bench, x), 0.25)
    return complaints(bench.model(rank, opset))


def conv(b: Bench, x: str, rows: int = 4, cols: int = 4, size: int = 3, scale: Any = 0.125, **more: Any) -> str:
    """A convolution that is not quantised behind."""
    w = b.dequantise(b.weights(rows, cols, size, size), scale, axis=0)
    return b.add("Conv", x, w, **more)


def vector(b: Bench, x: str) -> str:
    """A picture as one vector of 144."""
    return b.add("Flatten", x)


def pooled(b: Bench, x: str) -> str:
    return b.add("AveragePool", x, kernel_shape=[1, 1])


def indexed(b: Bench, x: str) -> str:
    """Largest values, whose indices are wanted."""
    made = b.add("MaxPool", x, kernel_shape=[2, 2], outputs=2)
    b.outputs.append(f"{made}.1")
    return made


def turned(b: Bench, x: str, rows: int = 4, **more: Any) -> str:
    return b.add("ConvTranspose", x, b.dequantise(b.weights(rows, 2, 3, 3), 0.1), **more)


def numbers(b: Bench, *shape: int) -> str:
    """Different ones, positive."""
    return b.constant(np.linspace(0.5, 2, int(np.prod(shape))).reshape(shape))


CASES: list[tuple[Case, str]] = [
    # elementwise
    (lambda b, x: b.add("Mul", x, numbers(b, 5, 1, 1)), "a constant of (5, 1, 1) and a map of (4, 6, 6) per picture"),
    (
        lambda b, x: b.add("Mul", x, numbers(b, 6, 6)),
        "a constant that differs between the pixels of a channel; the array has one number per channel",
    ),
    (
        lambda b, x: b.add("Mul", b.add("Relu", x), numbers(b, 4, 1, 1)),
        "a limited value or a sum of maps times different or negative constants: quantise it before",
    ),
    (
        lambda b, x: b.add("Neg", b.add("Relu", x)),
        "a limited value or a sum of maps times different or negative constants: quantise it before",
    ),
    (
        lambda b, x: b.add("Add", b.add("Relu", x), numbers(b, 4, 1, 1)),
        "a limited value plus different constants: put QuantizeLinear between them",
    ),
    (
        lambda b, x: b.add("Add", conv(b, x, size=1), conv(b, x, size=1)),
        "neither of the maps that are added is quantised: put QuantizeLinear behind one",
    ),
    (
        lambda b, x: b.add("Add", b.add("Add", x, x), x),
        "a third map is added, or one that is limited: put QuantizeLinear between them",
    ),
    (
        lambda b, x: b.add("Add", pooled(b, x), x),
        "a map is added to a pool that is not quantised: put QuantizeLinear between them",
    ),
    (
        lambda b, x: b.add("Add", conv(b, x), x),
        "maps of (4, 4, 4) and (4, 6, 6) per picture are added; they must have one size",
    ),
    (lambda b, x: b.add("Mul", x, x), "the product of two maps; the array multiplies with constants"),
    (lambda b, x: b.add("Div", numbers(b, 1), x), "division by a map; the array multiplies with constants"),
    (lambda b, x: b.add("Div", x, b.constant(0.0)), "division by 0"),
    (lambda b, x: b.add("Mul", x, b.constant(np.inf)), "an operand (k4) must be finite numbers"),
    (
        lambda b, x: b.add("Sum", x, x, x),
        "the sum of 3 maps is rounded once: add two at a time and quantise each sum",
    ),
    (
        lambda b, x: b.add("BatchNormalization", x, *(numbers(b, 4) for _ in range(4)), training_mode=1, outputs=3),
        "training_mode = 1: its mean depends on the batch",
    ),
    (
        lambda b, x: b.add("BatchNormalization", x, *(numbers(b, 3) for _ in range(4))),
        "parameters of (3,) for 4 channels",
    ),
    (
        lambda b, x: b.add("BatchNormalization", x, *(numbers(b, 4) for _ in range(3)), b.constant(-np.ones(4))),
        "a variance that is not positive",
    ),
    (lambda b, x: b.add("Clip", x, numbers(b, 2)), "min must be one number"),
    (lambda b, x: b.add("Clip", x, "", b.constant(np.nan)), "max must be one number"),
    (lambda b, x: b.add("Clip", x, b.add("Identity", x)), "min (identity2) must be constant"),
    (
        lambda b, x: b.add("HardSwish", x),
        "the array limits values (Relu, Clip, LeakyRelu, PRelu) and has no other function of one value",
    ),
    (lambda b, x: b.add("Einsum", x, equation="abcd->abcd"), "the array has no such operator"),
    # what an operator reads
    (
        lambda b, x: b.add("Relu", "x"),
        "x must be made of a quantised map: the picture is not quantised before, put QuantizeLinear and "
        "DequantizeLinear behind it",
    ),
    (
        lambda b, x: b.add("GlobalAveragePool", numbers(b, 1, 4, 2, 2)),
        "k4 must be made of a quantised map: it is constant",
    ),
    (
        lambda b, x: b.add("Relu", b.add("Softmax", x, axis=1)),
        "softmax2 must be made of a quantised map: Softmax softmax2, which is left to the host, comes before",
    ),
    (
        lambda b, x: conv(b, conv(b, x)),
        "conv3 is not quantised: put QuantizeLinear and DequantizeLinear behind it",
    ),
    (
        lambda b, x: b.add("MaxPool", b.add("Reshape", x, b.constant([1, 2, 12, 6])), kernel_shape=[2, 2]),
        "reshape2 has been reshaped: its channels, rows and columns are not the map's",
    ),
    # windows and pools
    (
        lambda b, x: b.add("MaxPool", x, kernel_shape=[2]),
        "a window of 1 dimensions on a map of 2; the array has 1 and 2",
    ),
    (indexed, "indices of the largest values are not made"),
    (
        lambda b, x: b.add("MaxPool", x, kernel_shape=[2, 2], strides=[0, 1]),
        "strides = [0, 1] must be 2 positive numbers",
    ),
    (
        lambda b, x: b.add("MaxPool", x, kernel_shape=[2, 2], pads=[0, 0, -1, 0]),
        "pads = [0, 0, -1, 0] must be 4 numbers, none negative",
    ),
    (
        lambda b, x: b.add("AveragePool", x, kernel_shape=[2, 2], strides=[3, 3], pads=[1, 1, 0, 0], ceil_mode=1,
                           count_include_pad=1),
        "ceil_mode with padding that counts: the array counts all of a window, or what it sees",
    ),
    (
        lambda b, x: b.add("ReduceMean", x),
        "a mean over the batch as well; axes must be those of channels, rows or columns",
    ),
    (
        lambda b, x: b.add("ReduceMean", x, b.constant(np.zeros(0, np.int64))),
        "a mean over the batch as well; axes must be those of channels, rows or columns",
    ),
    (
        lambda b, x: b.add("ReduceMean", b.add("Pad", x, b.constant([0, 0, 0, 0, 0, 0, 6, 0])), b.constant([1, 2])),
        "kernel = (12, 1) must be 1 … 11 in both directions",
    ),
    (
        lambda b, x: b.add("Neg", pooled(b, x)),
        "averages are multiplied by a constant that is not positive",
    ),
    (
        lambda b, x: b.add("Neg", b.add("MaxPool", x, kernel_shape=[2, 2])),
        "largest values are multiplied by a constant that is not positive",
    ),
    (
        lambda b, x: b.add("MaxPool", x, kernel_shape=[7, 2]),
        "height = 6 with pad = (0, 0, 0, 0) is too small for a window that spans 7",
    ),
    (
        lambda b, x: b.add("MaxPool", x, kernel_shape=[12, 2], pads=[6, 0, 6, 0]),
        "kernel = (12, 2) must be 1 … 11 in both directions",
    ),
    # products
    (lambda b, x: conv(b, x, size=7), "height = 6 with pad = (0, 0, 0, 0) is too small for a window that spans 7"),
    (
        lambda b, x: b.add("Cast", b.add("MatMulInteger", b.quantise(vector(b, x), 0.1), b.weights(144, 3),
                                         b.constant([1, 2], np.int8)), to=TensorProto.FLOAT),
        "the zero points of a map differ between rows; it must have one",
    ),
    (
        lambda b, x: b.add("Conv", x, b.constant(b.rng.normal(size=(4, 4, 1, 1)))),
        "weights k4 are not quantised: put DequantizeLinear behind int8 or uint8 ones",
    ),
    (
        lambda b, x: b.add("MatMul", x, x),
        "weights dequantizelinear1 must be constant: products of two maps are not what the array has",
    ),
    (
        lambda b, x: b.add("Conv", x, b.dequantise(b.weights(4, 4, 1, 1), [0.1, 0.2, 0.3, 0.4], axis=1)),
        "the scales of the weights differ between inputs; they may differ between outputs alone",
    ),
    (
        lambda b, x: b.add("Conv", x, b.dequantise(b.weights(4, 4, 1, 1), 0.1), numbers(b, 3)),
        "a bias of (3,) for 4 outputs; one value for each can be had",
    ),
    (
        lambda b, x: b.add("Conv", x, b.add("DequantizeLinear", b.constant(np.full((4, 4, 1, 1), 300), np.int32),
                                            b.constant(0.1))),
        "weights beyond 255: they must be int8 or uint8",
    ),
    (
        lambda b, x: b.add("Conv", x, b.dequantise(b.weights(4, 4, 3), 0.1)),
        "weights of 3 dimensions on a map of 4; the array has 4, or 3",
    ),
    (
        lambda b, x: conv(b, x, kernel_shape=[1, 1]),
        "kernel_shape = (1, 1) and weights of (4, 4, 3, 3) contradict each other",
    ),
    (
        lambda b, x: turned(b, x, strides=[2, 1]),
        "strides = [2, 1]: a map that grows by a factor; the array has no convolution of that kind",
    ),
    (
        lambda b, x: turned(b, x, output_shape=[8, 8]),
        "output_shape = [8, 8]: give the size by its pads",
    ),
    (lambda b, x: turned(b, x, auto_pad="SAME_UPPER"), "auto_pad = SAME_UPPER; give its pads"),
    (
        lambda b, x: turned(b, x, pads=[3, 0, 0, 0]),
        "pads = [3, 0, 0, 0] are larger than what a kernel reaches: rows or columns would be cut off",
    ),
    (
        lambda b, x: turned(b, x, rows=3, group=2),
        "weights of (3, 2, 3, 3) in 2 groups; the array has windows of 1 and 2 dimensions",
    ),
    (
        lambda b, x: b.add("PRelu", x, numbers(b, 4, 1, 1)),
        "slopes differ between channels: a map is added where all channels have one scale",
    ),
    (lambda b, x: conv(b, x, cols=3), "weights for 3 channels on a map of 4"),
    (
        lambda b, x: b.add("MatMul", x, b.dequantise(b.weights(6, 5), 0.1)),
        "a matrix product of a map of (1, 4, 6, 6): a picture must be one vector, see Flatten",
    ),
    (
        lambda b, x: b.add("MatMul", vector(b, x), b.dequantise(b.weights(140, 5), 0.1)),
        "a matrix of 140 x 5 times a vector of 144",
    ),
    (
        lambda b, x: b.add("Gemm", vector(b, x), b.dequantise(b.weights(144, 5), 0.1), transA=1),
        "transA = 1: the batch must come first",
    ),
    # bytes and back
    (
        lambda b, x: b.dequantise(b.quantise(x, 0.0), 0.1),
        "the scale of a map (k4) must be one positive number",
    ),
    (
        lambda b, x: b.dequantise(b.add("DynamicQuantizeLinear", x, outputs=3), 0.25, 0, unsigned=True),
        "scale and zero point depend on the picture: quantise the model statically, with calibration",
    ),
    (lambda b, x: b.both("x", 0.25, 3), "the picture x is quantised in two ways"),
    (
        lambda b, x: b.add("Cast", b.add("Cast", x, to=TensorProto.INT32), to=TensorProto.FLOAT),
        "a map can be cast to floating point alone",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("case", "reason"), CASES, ids=range(len(CASES)))
def test_reasons(case: Case, reason: str) -> None:
    assert reasons(case) == [reason]
