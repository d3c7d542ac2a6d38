# SPDX-License-Identifier: Apache-2.0
"""Float graphs made simple: what they compute stays, and what cannot be is refused in one line."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper
from quantised_onnx import Bench
from small_onnx import Made, pictures, residual, run

from models.pe_array.frontend.api import compile
from models.pe_array.frontend.clean import clean, operators, takes
from models.pe_array.frontend.graph import UnsupportedModel


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("fold", [True, False])
def test_computes_the_same(fold: bool) -> None:
    """But for the softmax, of which it gives the logits."""
    model, x = residual(), pictures(3, 2, 8, 8)
    before = model.SerializeToString()
    cleaned = clean(model, fold)
    np.testing.assert_allclose(softmax(run(cleaned.model, x)), run(model, x), atol=1e-5)
    assert model.SerializeToString() == before
    assert "Softmax" in cleaned.notes[0]
    assert cleaned.in_shape == (2, 8, 8)
    assert not cleaned.quantised


def test_folding_saves_the_layers_of_batch_normalisation() -> None:
    kinds = [Counter(node.op_type for node in clean(residual(), fold).model.graph.node) for fold in (True, False)]
    assert [each["Conv"] for each in kinds] == [2, 4]
    assert all("BatchNormalization" not in each for each in kinds)


def test_a_fixed_batch_becomes_free() -> None:
    """A reshape that names it too."""
    made = Made(1, 3, 4, 4)
    made.conv(3, 4)
    made.add("Reshape", made.constant(np.array([1, 64])))
    made.add("Gemm", made.normal(64, 5), made.normal(5))
    cleaned = clean(made.model(1, 5))
    assert run(cleaned.model, pictures(7, 3, 4, 4)).shape == (7, 5)


def test_a_fixed_batch_of_a_reshape_with_a_free_size() -> None:
    made = Made(2, 3, 4, 4)
    made.conv(3, 4)
    made.add("Reshape", made.constant(np.array([2, -1])))
    made.add("Relu")
    assert run(clean(made.model(2, 64)).model, pictures(7, 3, 4, 4)).shape == (7, 64)


def test_a_fixed_batch_of_a_quantised_model() -> None:
    """Whose shapes are nodes, which nothing folds."""
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, 1, 3, 4, 4), 1 / 32)
    flat = bench.add("Reshape", x, bench.add("Constant", value_ints=[1, 48]))
    bench.both(bench.add("MatMul", flat, bench.dequantise(bench.weights(48, 5), 1 / 64)), 1 / 4)
    made = compile(bench.model(rank=2), batch=8, pes=2)
    x = pictures(7, 3, 4, 4)
    np.testing.assert_array_equal(made.predict(x), run(made.quantised, x))
    assert len(np.unique(made.predict(x))) > 8


def test_batch_normalisation_behind_a_dense_layer() -> None:
    made = Made("N", 8)
    made.add("Gemm", made.normal(8, 5), made.normal(5))
    made.normalise(5)
    model, x = made.model("N", 5), pictures(16, 8)
    cleaned = clean(model, fold=False)
    np.testing.assert_allclose(run(cleaned.model, x), run(model, x), atol=1e-5)
    found = compile(model, x, batch=8, pes=2)
    assert np.abs(found.predict(x) - run(model, x)).max() < 0.1 * np.abs(run(model, x)).max()


def test_transposes_at_the_borders_go() -> None:
    made = Made("N", 6, 4, 3)
    made.add("Transpose", perm=[0, 3, 1, 2])
    made.conv(3, 5)
    made.add("Transpose", perm=[0, 2, 3, 1])
    model = made.model("N", 6, 4, 5)
    cleaned, x = clean(model), pictures(2, 6, 4, 3)
    found = run(cleaned.model, np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), run(model, x), atol=1e-5)
    assert cleaned.in_shape == takes(model)[0] == (3, 6, 4)
    assert len(cleaned.notes) == 2
    assert operators(cleaned.model) == ["Conv"]


def test_a_softmax_behind_any_output_of_a_node() -> None:
    """Logits are what it read, not another output of the same node."""
    made = Made("N", 4)
    made.add("Gemm", made.normal(4, 6), made.normal(6))
    made.nodes.append(helper.make_node("Split", [made.last], ["front", "back"], axis=1))
    made.last = "back"
    made.add("Softmax", axis=1)
    model, x = made.model("N", 3), pictures(5, 4)
    np.testing.assert_allclose(softmax(run(clean(model).model, x)), run(model, x), atol=1e-5)


def test_a_softmax_alone_stays() -> None:
    made = Made("N", 4)
    made.add("Softmax", axis=1)
    assert clean(made.model("N", 4)).notes == ()


def test_nodes_of_one_name_get_others() -> None:
    made = Made("N", 2, 4, 4)
    made.add("Sigmoid", name="same")
    made.add("Tanh", name="same")
    assert [node.name for node in clean(made.model("N", 2, 4, 4)).model.graph.node] == ["same", "same_"]


def test_models_of_nothing_but_qlinear_operators_are_quantised() -> None:
    """Whose pictures and results are bytes."""
    bench = Bench()
    x = bench.input("x", TensorProto.UINT8, "N", 4)
    scale, zero = bench.constant(0.1), bench.constant(3, np.uint8)
    bench.add("QGemm", x, scale, zero, bench.weights(4, 3), scale, bench.constant(0, np.int8), "", scale, zero,
              domain="com.microsoft")  # fmt: skip
    assert clean(bench.model(rank=2, kind=TensorProto.UINT8)).quantised


def test_what_cannot_be_converted_is_refused() -> None:
    made = Made("N", 2, 4, 4)
    made.add("BatchNormalization", *(made.normal(2) for _ in range(4)), is_test=0)  # training, as old files said it
    with pytest.raises(UnsupportedModel, match=r"opset 6 cannot be converted to 17: .*; export the model with"):
        clean(made.model("N", 2, 4, 4, opset=6))


def test_older_opsets_are_converted() -> None:
    cleaned = clean(residual(opset=9))
    assert cleaned.model.opset_import[0].version >= 13
    assert run(cleaned.model, pictures(2, 2, 8, 8)).shape == (2, 5)


def test_old_files_that_list_their_weights_as_inputs() -> None:
    """As they must before version 4 of the format: without that the weights are unknown to onnx's converter."""
    model = residual(opset=9)
    model.ir_version = 3
    for each in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(each.name, each.data_type, each.dims))
    x = pictures(4, 2, 8, 8)
    np.testing.assert_allclose(softmax(run(clean(model).model, x)), run(residual(), x), atol=1e-5)


def test_every_node_has_a_name_of_its_own() -> None:
    names = [node.name for node in clean(residual()).model.graph.node]
    assert all(names)
    assert len(set(names)) == len(names)


def test_several_inputs_are_refused() -> None:
    made = Made("N", 3, 4, 4)
    made.add("Relu")
    model = made.model("N", 3, 4, 4)
    other = model.graph.input.add()
    other.CopyFrom(model.graph.input[0])
    other.name = "y"
    with pytest.raises(UnsupportedModel, match="must have one input, has 2: x, y"):
        clean(model)


def test_sizes_that_are_not_fixed_are_refused() -> None:
    made = Made("N", 3, "H", 4)
    made.add("Relu")
    with pytest.raises(UnsupportedModel, match="input x is N x 3 x H x 4: all sizes but the batch must be fixed"):
        clean(made.model())


def test_batch_normalisation_by_what_is_computed_is_refused() -> None:
    made = Made("N", 4, 4, 4)
    made.add("Relu")
    scale = made.add("ReduceMean", axes=[0, 2, 3], keepdims=0)
    made.add("BatchNormalization", scale, *(made.normal(4) for _ in range(2)), made.constant(np.ones(4)), reads="t0")
    with pytest.raises(UnsupportedModel, match=f"{scale} must be a constant"):
        clean(made.model("N", 4, 4, 4), fold=False)


def test_what_onnxslim_cannot_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a line\nand another")

    monkeypatch.setattr("onnxslim.slim", fail)
    with pytest.raises(UnsupportedModel, match="onnxslim cannot clean the model: a line and another"):
        clean(residual())
