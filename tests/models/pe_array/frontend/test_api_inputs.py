# SPDX-License-Identifier: Apache-2.0
"""What a model takes reaches the array as it reaches onnxruntime: bytes, other orders of axes, flat pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from quantised_onnx import Bench
from small_onnx import Made, pictures, run

from models.pe_array.frontend.api import Compiled, compile
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.onnx_run import Runner


def small(model: Any, *calibration: Any) -> Compiled:
    return compile(model, *calibration, batch=8, pes=2)


def of_bytes(unsigned: bool, tail: str = "") -> Any:
    """A convolution of pictures of bytes, scale 1/255, and 4 means; then perhaps another operator."""
    bench = Bench()
    x = bench.input("x", TensorProto.UINT8 if unsigned else TensorProto.INT8, "N", 2, 4, 4)
    zero = 0 if unsigned else -128
    weights = bench.dequantise(bench.weights(4, 2, 3, 3), 1 / 64)
    conv = bench.add("Conv", bench.dequantise(x, 1 / 255, zero, unsigned), weights, pads=[1] * 4)
    mean = bench.add("GlobalAveragePool", bench.both(conv, 0.125))
    made = bench.both(bench.add("Flatten", mean), 1 / 32)
    if tail:
        made = bench.add(tail, made, axis=1)
    kind = TensorProto.INT64 if tail == "ArgMax" else TensorProto.FLOAT
    return bench.model(rank=2, kind=kind)


@pytest.mark.parametrize("unsigned", [False, True])
def test_a_model_of_bytes_gets_them(unsigned: bool) -> None:
    """Though a reader names their scale: as bytes, as real numbers, and from the files of the program."""
    kind = np.uint8 if unsigned else np.int8
    x = np.random.default_rng(1).integers(*(np.iinfo(kind).min, np.iinfo(kind).max), (16, 2, 4, 4)).astype(kind)
    model = of_bytes(unsigned)
    made, expected = small(model), run(model, x)
    assert len(np.unique(expected)) > 8
    for given in (x, x.astype(np.float32), x - np.float32(0.4)):
        assert np.abs(made.predict(given) - expected).max() <= 1 / 32 + 1e-6
        np.testing.assert_array_equal(Runner(model)(given), expected)
    assert made.program().picture.meaning.given


def test_pixels_reach_a_model_of_bytes_rounded() -> None:
    """255 * (pixel / 255) is a little less than some pixels."""
    x = np.arange(256, dtype=np.float32) / np.float32(255) / np.float32(1 / 255)
    assert (x.astype(np.uint8) != np.arange(256)).any()
    made = small(of_bytes(True)).quantise_pictures(np.resize(x, (8, 2, 4, 4)))
    np.testing.assert_array_equal(made.reshape(-1).astype(int) + 128, np.arange(256))


def test_the_last_operator_is_left_to_the_host() -> None:
    """And onnxruntime is asked for what the array gives: of an index the largest would always be the first."""
    x = np.random.default_rng(1).integers(0, 256, (16, 2, 4, 4)).astype(np.uint8)
    made = small(of_bytes(True, "ArgMax"))
    classes = run(made.quantised, x).reshape(-1)
    assert len(np.unique(classes)) > 1
    runner = Runner(made.quantised, made.graph.outputs[0].tensor)
    np.testing.assert_array_equal(runner.classes(x), classes)
    assert made.notes == ["ArgMax at the end: left to the host, the outputs are what it reads"]


def test_argmax_behind_floats_is_left_out() -> None:
    made = Made("N", 2, 4, 4)
    made.conv(2, 4)
    made.add("GlobalAveragePool")
    made.add("Flatten")
    made.add("ArgMax", axis=1, keepdims=0)
    made.add("Cast", to=TensorProto.INT32)
    model = made.model("N")
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT32
    x = pictures(16, 2, 4, 4)
    found = small(model, x)
    assert found.classes == 4
    np.testing.assert_array_equal(Runner(found.cleaned.model).classes(x), run(model, x))


def dense(*in_shape: int) -> Any:
    """A dense layer on pictures of 32 values."""
    made = Made("N", *in_shape)
    if len(in_shape) > 1:
        made.add("Flatten")
    made.add("Gemm", made.normal(5, 32), made.normal(5), transB=1)
    return made.model("N", 5)


@pytest.mark.parametrize("in_shape", [(32,), (4, 8), (1, 4, 8)])
def test_flat_pictures(in_shape: tuple[int, ...]) -> None:
    x = pictures(16, *in_shape)
    made = small(dense(*in_shape), x)
    expected = made.predict(x)
    for given in ((1, 4, 8), (32,)):
        np.testing.assert_array_equal(made.predict(x.reshape(16, *given)), expected)
    with pytest.raises(ValueError, match=r"pictures \(16, 2, 8\) must be"):
        made.predict(x.reshape(32, 2, 8)[:16])


def test_axes_in_another_order() -> None:
    """A transpose that is not that of NHWC stays in the model, and is done where pictures become bytes."""
    bench = Bench()
    x = bench.input("x", TensorProto.FLOAT, "N", 4, 6, 2)
    turned = bench.both(bench.add("Transpose", x, perm=[0, 3, 2, 1]), 1 / 32)
    conv = bench.add("Conv", turned, bench.dequantise(bench.weights(4, 2, 3, 3), 1 / 64))
    bench.both(bench.add("Flatten", bench.add("GlobalAveragePool", bench.both(conv, 0.25))), 1 / 16)
    model, given = bench.model(rank=2), pictures(16, 4, 6, 2)
    made = small(model)
    assert made.in_shape == (4, 6, 2)
    assert np.abs(made.predict(given) - run(model, given)).max() <= 1 / 16 + 1e-6


def test_half_floats_and_floats_of_bytes() -> None:
    x = pictures(16, 32)
    model = dense(32)
    half = onnx.ModelProto()
    half.CopyFrom(model)
    for tensor in half.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for border in (*half.graph.input, *half.graph.output):
        border.type.tensor_type.elem_type = TensorProto.FLOAT16
    assert np.abs(small(half, x).predict(x) - small(model, x).predict(x)).max() < 0.2
    made = Made("N", 32)
    made.add("Cast", to=TensorProto.FLOAT)
    made.add("Gemm", made.normal(5, 32), made.normal(5), transB=1)
    model = made.model("N", 5)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    with pytest.raises(UnsupportedModel, match="input x is UINT8: a model of floats takes floats; take the Cast"):
        small(model, x)


@pytest.mark.parametrize("count", [33, 7])
def test_any_number_of_pictures_calibrates(count: int) -> None:
    assert small(dense(32), pictures(count, 32)).classes == 5


def test_casts_to_half_floats_go() -> None:
    x = pictures(16, 32)
    made = Made("N", 32)
    made.add("Cast", to=TensorProto.FLOAT16)
    made.add("Add", made.constant(np.float32(0.5)))
    made.nodes[-1].input[1] = "half"
    made.constants[-1].CopyFrom(onnx.numpy_helper.from_array(np.float16(0.5), "half"))
    made.add("Cast", to=TensorProto.FLOAT)
    made.add("Gemm", made.normal(5, 32), made.normal(5), transB=1)
    model = made.model("N", 5)
    assert np.abs(run(small(model, x).cleaned.model, x) - run(model, x)).max() < 0.01


def test_what_onnxruntime_refuses_is_one_line() -> None:
    model = dense(32)
    with pytest.raises(UnsupportedModel, match="onnxruntime cannot run the model: ") as error:
        Runner(model, "no such tensor")
    assert "\n" not in str(error.value)
    with pytest.raises(UnsupportedModel, match="calibration: there are no pictures"):
        small(model, pictures(0, 32))
