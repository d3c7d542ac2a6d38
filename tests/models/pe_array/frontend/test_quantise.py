# SPDX-License-Identifier: Apache-2.0
"""Float models in QDQ form: every map has scales, sums and their activation are rounded once, and little is lost."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from quantised_onnx import Bench
from small_onnx import Made, pictures, residual, run

from models.pe_array.frontend.clean import clean
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.lower import lower
from models.pe_array.frontend.quantise import METHODS, Options, _one_rounding, quantise
from models.pe_array.frontend.reader import read


@pytest.mark.parametrize("asymmetric", [False, True])
@pytest.mark.parametrize("method", list(METHODS))
def test_logits_are_close(method: str, asymmetric: bool) -> None:
    cleaned = clean(residual())
    x = pictures(64, 2, 8, 8)
    made = quantise(cleaned, x, Options(method, asymmetric))
    expected, found = run(cleaned.model, x), run(made, x)
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
    assert (found != expected).any()


def scales_of(model: onnx.ModelProto, node: onnx.NodeProto) -> bool:
    """Whether a node reads integers alone, and is rounded at once or after the activation that alone reads it."""
    nodes = model.graph.node
    makers = {name: each for each in nodes for name in each.output}
    readers = [each for each in nodes if node.output[0] in each.input]
    maps = [makers[name].op_type for name in node.input if name in makers]
    return [each.op_type for each in readers] in (["QuantizeLinear"], ["Relu"]) and all(
        kind == "DequantizeLinear" or (node.op_type == "Relu" and kind in ("Conv", "Add")) for kind in maps
    )


@pytest.mark.parametrize("asymmetric", [False, True])
def test_all_maps_have_scales(asymmetric: bool) -> None:
    made = quantise(clean(residual()), pictures(16, 2, 8, 8), Options(asymmetric=asymmetric))
    inner = [node for node in made.graph.node if node.op_type not in ("QuantizeLinear", "DequantizeLinear")]
    assert [node.name for node in inner if not scales_of(made, node)] == []
    assert sum(node.op_type == "Relu" for node in inner) == (0 if asymmetric else 2)
    onnx.checker.check_model(made, full_check=True)


def test_weights_have_a_scale_per_channel() -> None:
    for per_channel, count in ((True, 8), (False, 1)):
        made = quantise(clean(residual()), pictures(16, 2, 8, 8), Options(per_channel=per_channel))
        first = next(node for node in made.graph.node if node.op_type == "Conv")
        weights = next(node for node in made.graph.node if first.input[1] in node.output)
        scale = next(each for each in made.graph.initializer if each.name == weights.input[1])
        assert numpy_helper.to_array(scale).size == count


def test_symmetric_maps_have_no_zero_points() -> None:
    made = quantise(clean(residual()), pictures(16, 2, 8, 8))
    points = [each for each in made.graph.initializer if each.name.endswith("zero_point")]
    assert points
    assert all(not numpy_helper.to_array(each).any() for each in points)


def test_a_quantised_model_passes() -> None:
    made = quantise(clean(residual()), pictures(16, 2, 8, 8))
    again = clean(made)
    assert again.quantised
    assert quantise(again, pictures(0, 1, 1, 1)) is again.model
    x = pictures(4, 2, 8, 8)
    np.testing.assert_array_equal(run(again.model, x), run(made, x))


def test_a_sum_that_more_than_its_activation_reads_is_rounded_for_both() -> None:
    """Nor is what a pool makes: between it and the activation there are two roundings, as in the model."""
    made = Made("N", 2, 4, 4)
    total = made.conv(2, 4)
    made.add("Relu")
    made.add("Add", total)
    made.add("MaxPool", kernel_shape=[2, 2])
    made.add("Clip", made.constant(0.0), made.constant(1.0))
    made.add("Neg")
    found = quantise(clean(made.model("N", 4, 3, 3)), pictures(16, 2, 4, 4), Options(asymmetric=True))
    makers = {name: node for node in found.graph.node for name in node.output}
    for kind in ("Relu", "Clip"):
        for node in found.graph.node:
            if node.op_type == kind:
                assert makers[node.input[0]].op_type == "DequantizeLinear"


@pytest.mark.parametrize(
    ("what", "goes"), [("alone", True), ("read", False), ("rounded alone", False), ("pool", False), ("float", False)]
)
def test_which_roundings_go(what: str, goes: bool) -> None:
    """That between a sum and an activation which alone reads it, through both nodes."""
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, 1, 4, 6, 6), 0.125)
    w = bench.dequantise(bench.weights(4, 4, 1, 1), 0.1)
    total = bench.add("GlobalMaxPool", x) if what == "pool" else bench.add("Conv", x, w)
    rounded = bench.both(total, 0.25)
    bench.add("Relu", total if what == "float" else rounded)
    if what in ("read", "rounded alone"):
        bench.outputs = [bench.nodes[-1].output[0], bench.add("Neg", total if what == "read" else rounded)]
    graph = bench.model().graph
    before = [node.op_type for node in graph.node]
    _one_rounding(graph)
    after = [node.op_type for node in graph.node]
    relu = next(node for node in graph.node if node.op_type == "Relu")
    assert len(before) - len(after) == 2 * goes
    assert (relu.input[0] == total) == (goes or what == "float")


def test_pictures_that_do_not_fit() -> None:
    cleaned = clean(residual())
    with pytest.raises(UnsupportedModel, match=r"calibration: pictures \(4, 2, 8, 9\) must be \(n, 2, 8, 8\)"):
        quantise(cleaned, pictures(4, 2, 8, 9))


def test_what_onnxruntime_cannot_run() -> None:
    cleaned = clean(residual())
    cleaned.model.graph.node[0].op_type = "NoSuch"
    with pytest.raises(UnsupportedModel, match="onnxruntime cannot calibrate the model: ") as error:
        quantise(cleaned, pictures(4, 2, 8, 8))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("asymmetric", [False, True])
def test_a_map_of_which_hardly_anything_is_left(asymmetric: bool) -> None:
    """As sparsified layers leave behind: steps as fine as its values would be finer than the products."""
    cleaned = clean(residual())
    x = pictures(32, 2, 8, 8)
    conv = next(node for node in cleaned.model.graph.node if node.op_type == "Conv")
    shown = onnx.ModelProto()
    shown.CopyFrom(cleaned.model)
    del shown.graph.output[:]
    shown.graph.output.append(onnx.helper.make_tensor_value_info(conv.output[0], TensorProto.FLOAT, None))
    bias = next(each for each in cleaned.model.graph.initializer if each.name == conv.input[2])
    little = numpy_helper.to_array(bias) - run(shown, x).max(axis=(0, 2, 3)) + np.float32(0.001)
    bias.CopyFrom(numpy_helper.from_array(little, bias.name))
    made = quantise(cleaned, x, Options("minmax", asymmetric))
    lower(read(made), 8, 2)
    expected, found = run(cleaned.model, x), run(made, x)
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
