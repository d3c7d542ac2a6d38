# SPDX-License-Identifier: Apache-2.0
"""What graphs of operators need and the array cannot do is named by node, all of it; pictures and bytes of graphs."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto
from quantised_onnx import Bench, apart

from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.lower import lower
from models.pe_array.frontend.onnx_run import Runner
from models.pe_array.frontend.reader import read


def begun() -> tuple[Bench, str]:
    bench = Bench()
    return bench, bench.both(bench.input("x", TensorProto.FLOAT, 1, 4, 6, 7), 0.125, 3)


def refused(bench: Bench, **more: int) -> UnsupportedModel:
    with pytest.raises(UnsupportedModel) as error:
        lower(read(bench.model()), **more)
    return error.value


def test_all_operators_are_named() -> None:
    """But for those that only depend on others that are refused."""
    bench, x = begun()
    w = bench.dequantise(bench.weights(4, 4, 1, 1), 1.0)
    first = bench.both(bench.add("Conv", x, w, name="first"), 0.0001)
    bench.both(bench.add("Relu", first), 0.0002)
    second = bench.both(bench.add("Conv", x, w, name="second"), 0.0001)
    bench.both(bench.add("Add", first, second), 0.0001)
    found = refused(bench)
    assert str(found).startswith("the array cannot do 2 operators of the model:")
    assert [(each.node, each.operator) for each in found.complaints] == [("first", "products"), ("second", "products")]
    assert "a scale of 1.25e+03 with weights up to 120: their product must stay below" in found.complaints[0].reason


def test_sums_of_maps_whose_scales_are_far_apart() -> None:
    """An addend's multiplier ends below 2; the other one may have a factor, so the two are swapped."""
    bench, x = begun()
    other = bench.both(bench.add("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4), 4.0)
    bench.both(bench.add("Add", x, other), 0.5)
    assert apart(bench.model(), np.random.default_rng(3).normal(0, 4, (1, 4, 6, 7)).astype(np.float32)) == 0


def test_sums_of_maps_whose_scales_are_too_far_apart() -> None:
    bench, x = begun()
    scaled = bench.add("Mul", x, bench.constant(np.array([1, 2, 1, 2]).reshape(4, 1, 1) / 64))
    other = bench.both(bench.add("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4), 4.0)
    bench.both(bench.add("Add", scaled, other), 0.5)
    assert "a map is added with a scale of 8, which must be below 2 where the scales" in str(refused(bench))
    bench, x = begun()
    other = bench.both(bench.add("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4), 4.0)
    conv = bench.add("Conv", other, bench.dequantise(bench.weights(4, 4, 1, 1), 0.125))
    bench.both(bench.add("Add", conv, bench.both(x, 4.0)), 0.5)
    assert "a map is added with a scale of 8, which must be below 2: the scale of the output" in str(refused(bench))


def test_a_map_with_two_zero_points() -> None:
    """It has one on the array."""
    bench, _ = begun()
    w = bench.dequantise(bench.weights(4, 4, 3, 3), 0.1)
    bench.both(bench.add("Conv", bench.dequantise(bench.nodes[0].output[0], 0.125, 4), w, pads=[1] * 4), 0.25)
    found = str(refused(bench))
    assert found.startswith("the layers do not fit each other: layer 0 (conv")
    assert "expects a zero point of 4 in the map of layer -1, which has 3" in found


def test_whole_models() -> None:
    bench, x = begun()
    bench.add("Relu", x, name="r")
    bench.both(bench.nodes[-1].output[0], 0.25)
    assert "batch = 12 must be one of 8, 16, 32, 64" in str(refused(bench, batch=12))
    second = bench.both(bench.add("Neg", x), 0.25)
    bench.outputs = [bench.nodes[4].output[0], second]
    assert "the model has 2 outputs (dequantizelinear4, dequantizelinear7); one can be had" in str(refused(bench))
    alone, _ = begun()
    assert "the model has nothing for the array to do: its output is its input" in str(refused(alone))


def test_pictures_of_a_graph() -> None:
    bench, x = begun()
    bench.both(bench.add("Relu", x), 0.25)
    with pytest.raises(ValueError, match=r"pictures \(1, 4, 7, 7\) must be \(n, 4, 6, 7\)"):
        read(bench.model()).pictures(np.zeros((1, 4, 7, 7), np.float32))
    bench = Bench()
    w = bench.weights(4, 4, 1, 1)
    made = bench.add("MaxPool", bench.input("x", TensorProto.UINT8, 1, 4, 6, 7), kernel_shape=[2, 2])
    graph = read(bench.model(kind=TensorProto.UINT8))
    assert (w, made) == ("k0", graph.outputs[0].map)
    assert graph.takes_bytes
    assert (graph.pictures(np.full((1, 4, 6, 7), 200.4, np.float32)) == 200 - 128).all()


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT])
def test_onnxruntime_runs_any_number_of_pictures(kind: int) -> None:
    """In parts, as bytes where the model takes bytes."""
    bench = Bench()
    bench.add("MaxPool", bench.input("x", kind, "N", 4, 6, 7), kernel_shape=[6, 7])
    run = Runner(bench.model(kind=kind), threads=1)
    x = np.random.default_rng(2).integers(0, 256, (70, 4, 6, 7)).astype(np.float32)
    np.testing.assert_array_equal(run(x), x.max(axis=(2, 3)))
    np.testing.assert_array_equal(run.classes(x), x.max(axis=(2, 3)).argmax(axis=1))
