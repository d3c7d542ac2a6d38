# SPDX-License-Identifier: Apache-2.0
"""What models do to maps besides layers computes what onnxruntime computes: parts, padding, constants, other forms.

Scales are powers of two, so that nothing may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from quantised_onnx import Bench, apart, complaints

from models.pe_array.frontend.graph import Products
from models.pe_array.frontend.reader import read

Case = Callable[[Bench, str], str]
MS = {"domain": "com.microsoft"}
FINE, STEP = 2.0**-6, 0.125


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).normal(0, 4, shape).astype(np.float32)


def made(case: Case) -> onnx.ModelProto:
    """A model that makes something of a quantised map of 4 x 6 x 7 and quantises that."""
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, 1, 4, 6, 7), STEP, 3)
    bench.both(case(bench, x), 0.25, -5)
    return bench.model(opset=18)


def ints(b: Bench, *values: int) -> str:
    return b.constant(np.array(values, np.int64))


def slice_(b: Bench, x: str, *lists: list[int]) -> str:
    return b.add("Slice", x, *(ints(b, *each) for each in lists))


def pad(b: Bench, x: str, *pads: int, value: float = 0.0) -> str:
    return b.add("Pad", x, ints(b, *pads), b.constant(value))


def conv(b: Bench, x: str, cols: int = 4, size: int = 3, **more: Any) -> str:
    w = b.dequantise(b.weights(4, cols, size, size), [FINE, FINE / 2, FINE, FINE / 4], axis=0)
    return b.add("Conv", x, w, **more)


def plain(b: Bench, x: str) -> str:
    """A convolution that a map can be added to: it has one scale, and reads a map whose zero point is 0."""
    return b.add("Conv", b.both(b.add("Neg", x), STEP), b.dequantise(b.weights(4, 4, 1, 1), FINE))


def scales(b: Bench, scale: float, zero: int) -> tuple[str, str]:
    return b.constant(scale), b.constant(zero, np.int8)


def powers(b: Bench, *shape: int) -> str:
    return b.constant(2.0 ** b.rng.integers(-1, 2, shape))


def steps(b: Bench, *shape: int) -> str:
    """Multiples of a quarter."""
    return b.constant(b.rng.integers(-9, 9, shape) / 4)


def _shape_of_pytorch(b: Bench, x: str) -> str:
    """x.view(x.size(0), -1), as PyTorch writes it, and back."""
    size = b.add("Unsqueeze", b.add("Gather", b.add("Shape", x), b.constant(np.array(0))), ints(b, 0))
    flat = b.add("Reshape", x, b.add("Concat", size, ints(b, -1), axis=0))
    return b.add("Reshape", flat, b.add("Concat", size, ints(b, 0 + 4, 6, 7), axis=0))


def _bias_of_int32(b: Bench, x: str) -> str:
    """As quantize_static writes it."""
    bias = b.constant(b.rng.integers(-900, 900, 4), np.int32)
    w = b.dequantise(b.weights(4, 4, 1, 1), [FINE, FINE, FINE / 2, FINE], axis=0)
    real = b.add("DequantizeLinear", bias, b.constant(np.array([FINE, FINE, FINE / 2, FINE]) * STEP),
                 b.constant(np.zeros(4), np.int32), axis=0)  # fmt: skip
    return b.add("Conv", x, w, real)


def _weights_of_floats(b: Bench, x: str) -> str:
    """Quantised in the model: constants that are folded."""
    w = b.constant(b.rng.normal(0, 1, (4, 4, 1, 1)))
    scales, zeros = b.constant(np.full(4, FINE)), b.constant(np.zeros(4), np.int8)
    q = b.add("QuantizeLinear", w, scales, zeros, axis=0)
    return b.add("Conv", x, b.add("DequantizeLinear", q, scales, zeros, axis=0))


def _uint8_weights(b: Bench, x: str) -> str:
    w = b.add("DequantizeLinear", b.weights(4, 4, 1, 1, unsigned=True), b.constant([FINE / 4] * 4),
              b.constant([100, 128, 0, 255], np.uint8), axis=0)  # fmt: skip
    return b.add("Conv", x, w)


def _made_constants(b: Bench, x: str) -> str:
    made = b.add("Range", *(b.constant(np.array(n)) for n in (2, 3, 1)))
    return b.add("Mul", x, b.add("Cast", made, to=TensorProto.FLOAT))


def _gemm_of_moved_weights(b: Bench, x: str) -> str:
    """Transposed and reshaped behind DequantizeLinear."""
    w = b.dequantise(b.weights(3, 168), FINE / 8)
    moved = b.add("Transpose", b.add("Reshape", w, ints(b, 168, 3)), perm=[1, 0])
    y = b.add("Gemm", b.add("Flatten", x), moved, steps(b, 3), alpha=0.5, beta=2.0, transB=1)
    return b.add("Unsqueeze", y, ints(b, 2, -1))


def _halves(b: Bench, x: str) -> str:
    first = b.add("Split", x, axis=-1, outputs=2, num_outputs=2)
    return b.add("Concat", first, first, b.add("Neg", first), axis=1)


def _clipped_bytes(b: Bench, x: str) -> str:
    """Between QuantizeLinear and DequantizeLinear."""
    q = b.add("Relu", b.add("Clip", b.quantise(x, STEP, 3), b.constant(-7, np.int8), b.constant(90, np.int8)))
    return b.dequantise(b.add("MaxPool", q, kernel_shape=[2, 2]), STEP, 3)


def _joined_bytes(b: Bench, x: str) -> str:
    q = b.quantise(x, STEP, 3)
    return b.dequantise(b.add("Concat", slice_(b, q, [3], [4], [1]), slice_(b, q, [1], [3], [1]), axis=1), STEP, 3)


def _padded_bytes(b: Bench, x: str) -> str:
    q = b.quantise(x, STEP, 3)
    return b.dequantise(b.add("Pad", q, ints(b, 0, 0, 1, 0, 0, 0, 0, 2), b.constant(3, np.int8)), STEP, 3)


def _limited_sums(b: Bench, x: str) -> str:
    """Of int32, limited before they are dequantised."""
    q = b.quantise(x, 1.0, 128, unsigned=True)
    sums = b.add("ConvInteger", q, b.weights(4, 4, 1, 1), b.constant(128, np.uint8))
    return b.add("DequantizeLinear", b.add("Relu", sums), b.constant(FINE))


def _scaled_together(b: Bench, x: str) -> str:
    """Of joined maps one is a sum."""
    return b.add("Mul", b.add("Concat", b.add("Add", plain(b, x), x), x, axis=1), b.constant(0.5))


CASES: dict[str, Case] = {
    "sums of integers limited": _limited_sums,
    "joined sums scaled": _scaled_together,
    # parts of maps
    "rows": lambda b, x: slice_(b, x, [1], [5], [2]),
    "every other column": lambda b, x: slice_(b, x, [1], [9], [3], [2]),
    "channels backwards": lambda b, x: slice_(b, x, [-1], [-9], [1], [-1]),
    "all of it": lambda b, x: slice_(b, x, [0, 0], [9, 9]),
    "part of a part": lambda b, x: slice_(b, slice_(b, x, [1, 1], [4, 6], [1, 2]), [1, 1], [3, 4], [2, 3]),
    "part of a map with padding": lambda b, x: slice_(b, pad(b, x, *[0, 0, 1, 1] * 2), [0], [4], [2]),
    "halves": _halves,
    "parts the other way around": lambda b, x: b.add(
        "Concat", slice_(b, x, [4], [6], [2]), slice_(b, x, [0], [2], [2]), axis=1
    ),
    # padding
    "padding before a convolution": lambda b, x: conv(b, pad(b, x, *[0, 0, 1, 2] * 2)),
    "padding of both": lambda b, x: conv(b, pad(b, x, *[0, 0, 1, 2] * 2), pads=[1, 0, 0, 1]),
    "padding of a part": lambda b, x: pad(b, slice_(b, x, [1], [4], [2]), *[0, 0, 1, 1] * 2),
    "padding twice": lambda b, x: pad(b, pad(b, x, *[0, 0, 1, 0] * 2), *[0, 0, 0, 1] * 2),
    "channels of padding": lambda b, x: conv(b, pad(b, x, 0, 1, 0, 0, 0, 2, 0, 0), cols=7),
    "no padding": lambda b, x: pad(b, x, *[0] * 8),
    "padding of bytes": _padded_bytes,
    "padding before an average": lambda b, x: b.add(
        "Neg", b.add("Neg", b.both(b.add("AveragePool", pad(b, x, *[0, 0, 1, 1] * 2), kernel_shape=[2, 2]), STEP / 4))
    ),
    "padding before a largest value": lambda b, x: b.add("MaxPool", pad(b, x, *[0, 0, 1, 1] * 2), kernel_shape=[2, 2]),
    # joined
    "joined": lambda b, x: b.add("Concat", x, conv(b, x, size=1), b.add("Neg", x), axis=-3),
    "one joined": lambda b, x: b.add("Concat", x, axis=1),
    "joined bytes": _joined_bytes,
    "joined and scaled": lambda b, x: b.add("Mul", b.add("Concat", x, x, axis=1), powers(b, 8, 1, 1)),
    # arithmetic with constants
    "factors of channels": lambda b, x: b.add("Mul", x, powers(b, 4, 1, 1)),
    "a factor of 0": lambda b, x: b.add("Mul", x, b.constant([[[1.0]], [[0.0]], [[-2.0]], [[0.5]]])),
    "divided": lambda b, x: b.add("Div", b.add("Relu", conv(b, x)), b.constant(2.0)),
    "a sum times a constant": lambda b, x: b.add("Mul", b.add("Add", plain(b, x), x), b.constant(0.5)),
    "plus": lambda b, x: b.add("Add", steps(b, 1, 4, 1, 1), x),
    "limited, plus": lambda b, x: b.add("Add", b.add("Clip", x, "", b.constant(2.0)), b.constant(-1.5)),
    "minus a constant": lambda b, x: b.add("Sub", x, steps(b, 4, 1, 1)),
    "a constant minus": lambda b, x: b.add("Sub", b.constant(1.0), x),
    "a difference": lambda b, x: b.add("Sub", x, b.both(b.add("Mul", x, powers(b, 4, 1, 1)), STEP)),
    "a sum of one": lambda b, x: b.add("Sum", x),
    "a sum of two": lambda b, x: b.add("Sum", x, plain(b, x)),
    "dropout": lambda b, x: conv(b, b.add("Dropout", x)),
    "a cast to floats": lambda b, x: conv(b, b.add("Cast", x, to=TensorProto.FLOAT)),
    "largest values scaled": lambda b, x: b.add("Mul", b.add("GlobalMaxPool", x), powers(b, 4, 1, 1)),
    "averages scaled": lambda b, x: b.add("Add", b.add("AveragePool", x, kernel_shape=[2, 2]), steps(b, 4, 1, 1)),
    # constants that follow from shapes, and forms of weights
    "reshaped as pytorch does it": _shape_of_pytorch,
    "shape of a constant": lambda b, x: b.add("Reshape", x, b.add("Shape", b.constant(np.ones((1, 4, 6, 7))))),
    "made constants": _made_constants,
    "a constant of ints": lambda b, x: b.add("Reshape", x, b.add("Constant", value_ints=[1, 4, 6, 7])),
    "a constant of floats": lambda b, x: b.add("Mul", x, b.add("Constant", value_floats=[0.5])),
    "squeezed": lambda b, x: b.add("Unsqueeze", b.add("Squeeze", slice_(b, x, [2], [3], [2]), ints(b, 2)), ints(b, 2)),
    "ones moved": lambda b, x: b.add("Transpose", b.add("Transpose", b.add("GlobalMaxPool", x), perm=[0, 3, 1, 2]),
                                     perm=[0, 2, 3, 1]),
    "a bias of int32": _bias_of_int32,
    "weights of floats": _weights_of_floats,
    "weights with zero points": _uint8_weights,
    "weights moved": _gemm_of_moved_weights,
    # operators of onnxruntime
    "joined in integers": lambda b, x: b.dequantise(
        b.add("QLinearConcat", *scales(b, 0.25, 1), b.quantise(x, STEP, 3), *scales(b, STEP, 3), b.quantise(x, 0.5, -9),
              *scales(b, 0.5, -9), axis=1, **MS), 0.25, 1),
    "plus a constant in integers": lambda b, x: b.dequantise(
        b.add("QLinearAdd", b.quantise(x, STEP, 3), *scales(b, STEP, 3), b.weights(4, 1, 1), *scales(b, STEP, 0),
              *scales(b, 0.25, 4), **MS), 0.25, 4),
    "weights moved in integers": lambda b, x: b.add("Unsqueeze", b.dequantise(
        b.add("QGemm", b.add("Flatten", b.quantise(x, STEP, 3)), *scales(b, STEP, 3), b.weights(5, 168),
              *scales(b, FINE, 0), "", *scales(b, 4.0, 4), transB=1, **MS), 4.0, 4), ints(b, 2, 3)),
    "sums of integers as floats": lambda b, x: b.add("Unsqueeze", b.add(
        "QGemm", b.add("Flatten", b.quantise(x, STEP, 3)), *scales(b, STEP, 3), b.weights(168, 5),
        *scales(b, FINE / 16, 0), **MS), ints(b, 2, 3)),
    "sums of int32": lambda b, x: b.add(
        "DequantizeLinear", b.add("ConvInteger", b.quantise(x, STEP, 3), b.weights(4, 4, 1, 1), b.constant(3, np.int8),
                                  b.constant(1, np.int8)), b.constant(FINE * STEP)),
    # pools
    "mean of rows and columns": lambda b, x: b.add("ReduceMean", slice_(b, x, [0, 0], [4, 4], [2, 3]), ints(b, 2, 3)),
    "mean of rows": lambda b, x: conv(
        b, b.both(b.add("ReduceMean", slice_(b, x, [0], [4], [2]), ints(b, 2)), 0.5, 2), size=1),
    "mean of columns": lambda b, x: b.add("Unsqueeze", b.add(
        "ReduceMean", slice_(b, x, [0], [4], [3]), ints(b, -1), keepdims=0), ints(b, 3)),
    "mean of channels": lambda b, x: b.add("ReduceMean", x, ints(b, 1)),
    "mean of channels and rows": lambda b, x: b.add("ReduceMean", slice_(b, x, [0], [4], [2]), ints(b, 1, 2)),
    "mean of nothing": lambda b, x: b.add("ReduceMean", x, noop_with_empty_axes=1),
    # slopes, and convolutions the other way around
    "a slope": lambda b, x: b.add("LeakyRelu", x, alpha=0.25),
    "a steep slope": lambda b, x: b.add("PRelu", x, b.constant([[[1.5]]])),
    "turned around": lambda b, x: b.add("ConvTranspose", x, b.dequantise(
        b.weights(4, 3, 3, 2), [FINE, FINE / 2, FINE]), steps(b, 3), pads=[1, 0, 0, 1]),
    "turned around in groups": lambda b, x: b.add("ConvTranspose", x, b.dequantise(
        b.weights(4, 3, 2, 2), [FINE, FINE / 2, FINE]), group=2, dilations=[1, 2], kernel_shape=[2, 2]),
    "what nobody wants": lambda b, x: b.add("Dropout", b.add("MaxPool", x, kernel_shape=[2, 2], outputs=2), outputs=2),
    "clipped bytes": _clipped_bytes,
    "a pool of another step": lambda b, x: b.add("MaxPool", x, kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
    "same": lambda b, x: conv(b, x, strides=[2, 2], auto_pad="SAME_LOWER"),
    "valid": lambda b, x: conv(b, x, auto_pad="VALID"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_equal(name: str) -> None:
    assert apart(made(CASES[name]), noise(1, 4, 6, 7)) == 0


def test_padding_costs_nothing() -> None:
    """It becomes the window's own."""
    (operator,) = read(made(CASES["padding of both"])).operators
    assert isinstance(operator, Products)
    assert operator.conv.pad == (2, 2, 1, 3)


@pytest.mark.parametrize("alone", [True, False])
def test_padding_of_another_value_is_refused(alone: bool) -> None:
    def case(b: Bench, x: str) -> str:
        padded = pad(b, x, *[0, 0, 1, 1] * 2, value=0.5)
        return padded if alone else conv(b, padded)

    bench = Bench()
    bench.both(case(bench, bench.both(bench.input("x", TensorProto.FLOAT, 1, 4, 6, 7), STEP, 3)), 0.25)
    model = bench.model()
    assert complaints(model) == ["padding with the byte 7; the array pads with the zero point, here 3"]


@pytest.mark.parametrize("zero", [-128, 3])
def test_bytes_of_which_nothing_is_known_before_they_are_selected(zero: int) -> None:
    """The zero point, which a later node tells, is that of all maps that they are made of."""
    bench = Bench()
    x = bench.input("x", TensorProto.UINT8, 1, 4, 8, 8)
    y = bench.add("Clip", bench.add("MaxPool", x, kernel_shape=[2, 2]), bench.constant(40, np.uint8))
    y = bench.add("Concat", y, slice_(bench, y, [1], [3], [1]), axis=1)
    y = bench.dequantise(y, STEP, zero + 128, unsigned=True)
    bench.both(conv(bench, y, cols=6, pads=[1, 0, 1, 0]), 4.0)
    pictures = np.random.default_rng(1).integers(0, 256, (1, 4, 8, 8)).astype(np.uint8)
    assert apart(bench.model(), pictures) == 0


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT8])
def test_pictures_of_bytes_that_come_as_rows_columns_channels(kind: int) -> None:
    """Their Transpose is an order in which a picture is put into memory."""
    bench, unsigned = Bench(), kind == TensorProto.UINT8
    x = bench.input("x", kind, 1, 6, 7, 4)
    moved = bench.dequantise(bench.add("Transpose", x, perm=[0, 3, 1, 2]), STEP, 3, unsigned)
    bench.both(conv(bench, moved), 0.25)
    pictures = np.random.default_rng(1).integers(-128, 128, (1, 6, 7, 4)) + 128 * unsigned
    model = bench.model()
    assert apart(model, pictures.astype(np.uint8 if unsigned else np.int8)) == 0
    assert read(model).picture_axes == (2, 0, 1)


def test_floats_that_come_as_rows_columns_channels() -> None:
    bench = Bench()
    x = bench.add("Transpose", bench.input("x", TensorProto.FLOAT, 1, 6, 7, 4), perm=[0, 3, 1, 2])
    bench.both(conv(bench, bench.both(x, STEP, 3)), 0.25)
    assert apart(bench.model(), noise(1, 6, 7, 4)) == 0


@pytest.mark.parametrize(
    ("operators", "more"),
    [(("Softmax",), {}), (("Softmax", "Flatten", "ArgMax"), {"axis": 1}), (("Sigmoid", "Identity"), {}),
     (("LogSoftmax",), {}), (("Softmax", "Cast"), {"to": TensorProto.FLOAT})],
)  # fmt: skip
@pytest.mark.parametrize("dequantised", [True, False])
def test_what_comes_behind_the_last_layer_is_left_to_the_host(
    operators: tuple[str, ...], more: dict[str, Any], dequantised: bool
) -> None:
    """And quantised again or not."""
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, 1, 4, 6, 7), STEP, 3)
    y = bench.both(bench.add("GlobalAveragePool", x), 0.25)
    for each in operators:
        y = bench.add(each, y, **(more if each == operators[-1] else {}))
    if dequantised and operators[-1] != "ArgMax":
        y = bench.both(y, 2.0**-8, -128)
    rank = 2 if "Flatten" in operators else 4
    kind = TensorProto.INT64 if operators[-1] == "ArgMax" else TensorProto.FLOAT
    (output,) = read(bench.model(rank, kind=kind)).outputs
    on_host = [each for each in output.host if each not in ("QuantizeLinear", "DequantizeLinear")]
    assert on_host == list(operators)
    assert output.map == "quantizelinear3"


def test_averages_of_integers() -> None:
    """Within one: onnxruntime rounds an average of windows in integers in its own way."""
    bench = Bench()
    x = bench.quantise(bench.input("x", TensorProto.FLOAT, 1, 4, 6, 7), STEP, 3)
    before, behind = scales(bench, STEP, 3), scales(bench, FINE, 1)
    bench.dequantise(bench.add("QLinearAveragePool", x, *before, *behind, kernel_shape=[3, 3], **MS), FINE, 1)
    assert apart(bench.model(), noise(1, 4, 6, 7)) <= 1


def test_bytes_left_to_the_host_and_moved_there() -> None:
    bench = Bench()
    x = bench.quantise(bench.input("x", TensorProto.FLOAT, 1, 4, 6, 7), STEP, 3)
    y = bench.quantise(bench.add("GlobalMaxPool", bench.dequantise(x, STEP, 3)), 0.25)
    y = bench.add("QLinearSigmoid", y, *scales(bench, 0.25, 0), *scales(bench, FINE, 0), **MS)
    bench.add("Cast", bench.add("Transpose", y, perm=[0, 2, 3, 1]), to=TensorProto.FLOAT)
    (output,) = read(bench.model()).outputs
    assert output.host == ("QLinearSigmoid", "Transpose", "Cast")


def test_a_zero_point_that_is_left_out() -> None:
    """Bytes are uint8, and 0 stands for 0."""
    bench = Bench()
    x, scale = bench.input("x", TensorProto.FLOAT, 1, 4, 6, 7), bench.constant(STEP)
    real = bench.add("DequantizeLinear", bench.add("QuantizeLinear", x, scale), scale)
    bench.both(conv(bench, real), 0.25)
    model = bench.model()
    assert (read(model).maps["x"].zero, read(model).maps["x"].unsigned) == (-128, True)
    assert apart(model, noise(1, 4, 6, 7)) == 0


def test_a_signal_of_one_dimension() -> None:
    """Is a map of one row."""
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, 1, 4, 20), STEP, 3)
    w = bench.dequantise(bench.weights(4, 4, 3), [FINE] * 4, axis=0)
    y = bench.both(bench.add("Conv", x, w, pads=[2, 1], strides=[2]), 0.25)
    bench.both(bench.add("MaxPool", slice_(bench, y, [1], [9], [2]), kernel_shape=[3]), 0.25)
    assert apart(bench.model(rank=3), noise(1, 4, 20)) == 0
