# SPDX-License-Identifier: Apache-2.0
"""Shapes, bytes and whole models that the reader cannot have; and that all nodes are named at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from quantised_onnx import Bench, complaints

from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.reader import read

Case = Callable[[Bench, str], str]
MS = {"domain": "com.microsoft"}


def reasons(case: Case, opset: int = 21, size: tuple[int, ...] = (1, 4, 6, 6)) -> list[str]:
    """Of a model that makes something of a quantised map and quantises that."""
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, *size), 0.125, 3)
    bench.both(case(bench, x), 0.25)
    return complaints(bench.model(opset=opset))


def slice_(b: Bench, x: str, *lists: list[int]) -> str:
    """Starts, ends, axes, steps."""
    return b.add("Slice", x, *(b.constant(np.array(each, np.int64)) for each in lists))


def reshape(b: Bench, x: str, *shape: int) -> str:
    return b.add("Reshape", x, b.constant(np.array(shape, np.int64)))


def pad(b: Bench, x: str, *pads: int, value: float | None = None, **more: Any) -> str:
    given = [] if value is None else [b.constant(value)]
    return b.add("Pad", x, b.constant(np.array(pads, np.int64)), *given, **more)


def masked(b: Bench, x: str) -> str:
    """A Dropout whose mask is wanted."""
    made = b.add("Dropout", x, outputs=2)
    b.add("Cast", f"{made}.1", to=TensorProto.FLOAT)
    return made


CASES: list[tuple[Case, str]] = [
    (lambda b, x: reshape(b, x, 6, 24), "(1, 4, 6, 6) becomes (6, 24): the batch must stay the first dimension"),
    (lambda b, x: reshape(b, x, 1, 144, 1, 1, 0), "(1, 4, 6, 6) becomes [1, 144, 1, 1, 0]"),
    (
        lambda b, x: reshape(b, b.add("Relu", "x"), 1, 144),
        "x must be made of a quantised map: the picture is not quantised before, put QuantizeLinear and "
        "DequantizeLinear behind it",
    ),
    (lambda b, x: reshape(b, "x", 1, 144), "x is reshaped before it is quantised"),
    (
        lambda b, x: b.add("Conv", x, reshape(b, b.dequantise(b.weights(4, 4), [0.1] * 4, axis=0), 4, 4, 1, 1)),
        "weights with a scale per channel are reshaped",
    ),
    (lambda b, x: b.add("Squeeze", x, b.constant([1])), "axes [1] of (1, 4, 6, 6) are not all 1"),
    (lambda b, x: b.add("Squeeze", x, b.constant([9])), "axis = 9 of a tensor of 4 dimensions"),
    (lambda b, x: b.add("Unsqueeze", x, b.constant([2, 2])), "axes [2, 2] are not all different"),
    (
        lambda b, x: b.add("Transpose", x, perm=[0, 2, 3, 1]),
        "perm = [0, 2, 3, 1] of (1, 4, 6, 6) moves values: channels must come first, then rows and columns",
    ),
    (lambda b, x: b.add("Transpose", x, perm=[0, 1, 1, 2]), "perm = [0, 1, 1, 2] of 4 dimensions"),
    (
        lambda b, x: b.add("Dropout", x, b.constant(0.5), b.constant(np.array(True))),
        "training_mode = 1: values are dropped at random",
    ),
    (masked, "a mask is made"),
    (lambda b, x: slice_(b, x, [0], [2], [0, 1]), "starts, ends, axes and steps do not fit each other"),
    (lambda b, x: slice_(b, x, [0], [0], [0]), "a part of the batch is taken"),
    (lambda b, x: slice_(b, x, [3], [3], [2]), "nothing is left of a map"),
    (lambda b, x: slice_(b, x, [-1], [-9], [2], [-1]), "rows or columns in reverse order"),
    (lambda b, x: slice_(b, x, [0], [1], [4]), "axis = 4 of a tensor of 4 dimensions"),
    (
        lambda b, x: b.add("Concat", *(b.add("Split", x, b.constant([3, 3]), axis=1, outputs=2),), axis=1),
        "axis 1 of (1, 4, 6, 6) is split into [3, 3]",
    ),
    (lambda b, x: pad(b, x, *[0, 0, 1, 1] * 2, mode="reflect"), "mode = reflect; padding of one value can be had"),
    (lambda b, x: pad(b, x, 0, 0, 1), "pads do not fit the axes"),
    (lambda b, x: pad(b, x, 0, 0, -1, 0, 0, 0, 0, 0), "negative padding, or padding of the batch"),
    (lambda b, x: pad(b, x, 1, 0, 0, 0, 0, 0, 0, 0), "negative padding, or padding of the batch"),
    (lambda b, x: pad(b, x, 0, 0, 5000, 0, 0, 0, 0, 0), "padding beyond 4096"),
    (lambda b, x: pad(b, x, *[0, 0, 1, 1] * 2, value=0.3), "padding of 0.3 is no byte of the map"),
    (
        lambda b, x: b.add("Pad", x, b.constant([0, 0, 1, 1] * 2), b.constant([0.0, 1.0])),
        "the value of padding must be one number",
    ),
    (lambda b, x: b.add("Concat", x, b.constant(np.ones((1, 1, 6, 6))), axis=1), "a map and constants are joined"),
    (lambda b, x: b.add("Concat", x, x, axis=2), "maps are joined along axis 2; the array joins channels, axis 1"),
    (
        lambda b, x: b.add("Concat", x, reshape(b, x, 1, 144), axis=1),
        "tensors of different numbers of dimensions are joined",
    ),
    (lambda b, x: b.add("Concat", x, slice_(b, x, [0], [3], [2]), axis=1), "maps of different sizes are joined"),
    (
        lambda b, x: b.add("Add", b.add("Concat", x, b.add("Relu", x), axis=1), b.constant(1.0)),
        "a map is added to joined ones, or these are limited, before they are quantised",
    ),
    (
        lambda b, x: b.dequantise(
            b.add("Concat", b.quantise(x, 0.1), slice_(b, b.quantise(x, 0.1), [0], [3], [2]), axis=1), 0.1
        ),
        "maps of different sizes are joined",
    ),
    (
        lambda b, x: b.dequantise(b.add("Concat", b.quantise(x, 0.1), b.quantise(x, 0.1, 0, True), axis=1, **MS), 0.1),
        "int8 and uint8 are joined",
    ),
    (lambda b, x: b.add("Reshape", x, **MS), "the shape is missing"),
    (lambda b, x: b.add("Slice", x, **MS), "starts and ends are missing"),
    (
        lambda b, x: b.add("MatMul", vector(b, x), b.add("Flatten", b.dequantise(b.weights(144, 3), 0.1))),
        "dequantizelinear3 is constant",
    ),
    # constants
    (
        lambda b, x: b.add("Mul", x, b.add("Gather", b.constant([1.0, 2.0]), b.constant(5))),
        "its constants do not fit: index 5 is out of bounds for axis 0 with size 2",
    ),
    (lambda b, x: (b.add("Constant", value_string="a"), x)[1], "it has no value of numbers"),
    (
        lambda b, x: b.add("Mul", x, b.add("ConstantOfShape", b.constant([1 << 40, 1 << 20]))),
        "a constant of more than 16,777,216 values",
    ),
    (
        lambda b, x: b.add("Mul", x, b.add("Range", *(b.constant(each) for each in (0.0, 1.0, 0.0)))),
        "a constant of more than 16,777,216 values",
    ),
    (
        lambda b, x: b.add("Mul", x, b.add("Range", *(b.constant(np.zeros(0, np.float32)) for _ in range(3)))),
        "its attributes or inputs do not fit it (IndexError: index 0 is out of bounds for axis 0 with size 0)",
    ),
    # bytes
    (
        lambda b, x: b.dequantise(b.add("Add", b.quantise(x, 0.1), b.constant(1, np.int8)), 0.1),
        "quantizelinear2 must be made of a quantised map: it is not dequantised",
    ),
    (
        lambda b, x: b.add("DequantizeLinear", b.add("ConvInteger", b.quantise(x, 0.1), b.weights(4, 4, 1, 1)),
                           b.constant([0.1] * 4)),
        "sums of int32 have one scale and no zero point",
    ),
    (
        lambda b, x: (b.add("QuantizeLinear", b.constant([1.0]), b.constant(0.1), b.constant(0, np.int16)), x)[1],
        "constants are quantised to int16; int8 and uint8 can be had",
    ),
    (
        lambda b, x: b.add("Conv", x, b.add("DequantizeLinear", b.constant(np.ones((4, 4, 1, 1)), np.int16),
                                            b.constant(0.1))),
        "weights of int16; int8, uint8 and, for biases, int32 can be had",
    ),
    (
        lambda b, x: b.add("DequantizeLinear", b.add("QuantizeLinear", x, b.constant(0.1), output_dtype=5),
                           b.constant(0.1)),
        "output_dtype = 5; int8 and uint8 can be had",
    ),
    (
        lambda b, x: b.add("DequantizeLinear", b.add("QuantizeLinear", x, b.constant(np.ones((1, 2, 6, 6))),
                                                     block_size=2, output_dtype=3), b.constant(0.1)),
        "scales of blocks; one scale, or one per channel, is what can be had",
    ),
    (
        lambda b, x: b.add("Conv", x, b.add("DequantizeLinear", b.weights(4, 4, 1, 1),
                                            b.constant(np.ones((4, 2, 1, 1))), block_size=2)),
        "scales of blocks; one scale, or one per channel, is what can be had",
    ),
    (
        lambda b, x: b.add("Conv", x, b.add("DequantizeLinear", b.weights(4, 4, 1, 1), b.constant([0.1] * 4),
                                            b.constant([1] * 3, np.int8), axis=0)),
        "zero points (3, 1, 1, 1) do not fit weights (4, 4, 1, 1)",
    ),
    # operators of onnxruntime
    (
        lambda b, x: b.add("QLinearAdd", b.quantise(x, 0.1), b.constant(0.1), b.constant(0, np.int8), **MS),
        "input 3 is missing",
    ),
    (
        lambda b, x: b.add("QLinearAveragePool", x, *_map(b), *_map(b), kernel_shape=[1, 1], **MS),
        "dequantizelinear1 must be a quantised map: it is not quantised, put QuantizeLinear behind it",
    ),
    (
        lambda b, x: b.add("QLinearGlobalAveragePool", b.quantise(x, 0.1), *_map(b), *_map(b), channels_last=1, **MS),
        "channels_last = 1: channels must come before rows and columns",
    ),
    (
        lambda b, x: b.add("QLinearGlobalAveragePool", b.quantise(x, 0.1), *_map(b), b.constant(0.1),
                           b.constant(0, np.int32), **MS),
        "the zero point of a map (k9) is int32 of 1, must be one int8 or uint8",
    ),
    (
        lambda b, x: b.add("QLinearGlobalAveragePool", b.quantise(x, 0.1), *_map(b, np.uint8), *_map(b), **MS),
        "the zero point k7 is uint8, the map is not",
    ),
    (
        lambda b, x: b.add("QGemm", b.quantise(vector(b, x), 0.1), *_map(b), b.weights(144, 3), *_map(b), transA=1,
                           **MS),
        "transA = 1: the batch must come first",
    ),
    (
        lambda b, x: b.add("QGemm", b.quantise(vector(b, x), 0.1), *_map(b), b.weights(144, 3), b.constant(0.1),
                           b.constant(np.array(False)), **MS),
        "a zero point of bool",
    ),
    (
        lambda b, x: b.add("QGemm", b.quantise(vector(b, x), 0.1), *_map(b), b.weights(144, 4),
                           b.constant(np.ones((2, 2))), b.constant(0, np.int8), **MS),
        "scales of blocks; one scale, or one per channel, is what can be had",
    ),
    (
        lambda b, x: b.add("QGemm", b.quantise(vector(b, x), 0.1), *_map(b), b.quantise(x, 0.1), *_map(b), **MS),
        "weights quantizelinear4 must be constant bytes",
    ),
]  # fmt: skip


def _map(b: Bench, kind: Any = np.int8) -> tuple[str, str]:
    return b.constant(0.1), b.constant(0, kind)


def vector(b: Bench, x: str) -> str:
    return b.add("Flatten", x)


@pytest.mark.parametrize(("case", "reason"), CASES, ids=range(len(CASES)))
def test_reasons(case: Case, reason: str) -> None:
    assert reasons(case) == [reason]


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((1, 5000, 2, 2), "a map of 5000 x 2 x 2: at most 4096 channels of 1024 x 1024"),
        ((1, 4096, 1024, 1024), "a map of 4096 x 1024 x 1024 has more than 67,108,864 values"),
        ((1, 1, 2, 3, 4), "a map of 3 spatial dimensions; the array has 2"),
    ],
)
def test_maps_that_are_too_large(size: tuple[int, ...], reason: str) -> None:
    assert reasons(lambda b, x: b.add("Relu", x), size=size) == [reason]


def test_a_part_of_which_too_much_is_cut_off() -> None:
    """It is a convolution that selects, whose window has a largest size."""
    found = reasons(lambda b, x: slice_(b, x, [40], [60], [2]), size=(1, 2, 60, 8))
    assert found == ["40 rows or columns of a map are cut off, at most 10"]


def test_all_nodes_are_named_at_once() -> None:
    """Those as well that depend on others that are refused."""
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, 1, 4, 6, 6), 0.125)
    bench.add("Tanh", x, name="first")
    after = bench.add("Elu", x, name="second")
    bench.add("Relu", after, name="behind")
    bench.both(bench.add("Mul", x, x), 0.5)
    bench.outputs = [bench.nodes[-1].output[0], bench.nodes[4].output[0]]
    with pytest.raises(UnsupportedModel) as error:
        read(bench.model())
    assert [(each.node, each.operator) for each in error.value.complaints] == [
        ("first", "Tanh"), ("second", "Elu"), ("mul5", "Mul"), ("relu4", "output"),
    ]  # fmt: skip
    assert str(error.value).splitlines()[0] == "4 nodes of the model cannot be had:"
    assert "  mul5 (Mul): the product of two maps; the array multiplies with constants" in str(error.value)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("relu2", "the output is not quantised: put QuantizeLinear and DequantizeLinear behind it"),
        ("constant3", "the output does not depend on what the array computes"),
        ("x", "the output does not depend on what the array computes"),
    ],
)
def test_outputs(output: str, reason: str) -> None:
    bench = Bench()
    bench.add("Relu", bench.both(bench.input("x", TensorProto.FLOAT, 1, 4, 6, 6), 0.125))
    bench.add("Constant", value_floats=[1.0])
    bench.outputs = [output]
    assert complaints(bench.model(rank=1 if output == "constant3" else 4)) == [reason]


@pytest.mark.parametrize(
    ("kind", "sizes", "reason"),
    [
        (TensorProto.FLOAT, (1, "C", 6), "the input x has no fixed size: [1, 0, 6]; set its dimensions"),
        (TensorProto.FLOAT, (8,), "the input x has no fixed size: [8]; set its dimensions"),
        (TensorProto.DOUBLE, (1, 4, 6, 6), "the input x is DOUBLE; float, int8 or uint8 can be had"),
    ],
)
def test_inputs(kind: int, sizes: tuple[int | str, ...], reason: str) -> None:
    bench = Bench()
    bench.add("Relu", bench.input("x", kind, *sizes))
    assert complaints(bench.model(rank=len(sizes), kind=kind)) == [reason]


def test_two_inputs() -> None:
    bench = Bench()
    bench.add("Add", bench.input("x", TensorProto.FLOAT, 1, 4), bench.input("y", TensorProto.FLOAT, 1, 4))
    assert complaints(bench.model(rank=2)) == ["the model has 2 inputs (x, y); one, the picture, can be had"]


def test_a_picture_of_bytes_in_two_orders() -> None:
    bench = Bench()
    x = bench.input("x", TensorProto.UINT8, 1, 4, 4, 4)
    moved = bench.dequantise(bench.add("Transpose", x, perm=[0, 3, 1, 2]), 0.1, 3, unsigned=True)
    bench.both(bench.add("Add", bench.dequantise(x, 0.1, 3, unsigned=True), moved), 0.2)
    assert complaints(bench.model()) == ["the axes of x are needed in two orders"]
