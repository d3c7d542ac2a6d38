# SPDX-License-Identifier: Apache-2.0
"""What each of the three ways takes from a network, and what counts as sparsity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from onnx import numpy_helper
from small_onnx import Made, pictures, residual

from models.pe_array.frontend.clean import Cleaned, clean
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.quantise import quantise
from models.pe_array.frontend.sparsify import Sparsification, sparsify, sparsity


def network() -> Cleaned:
    """Two convolutions and a dense layer, whose weights are stored inputs first."""
    made = Made("N", 4, 6, 6)
    made.conv(4, 10)
    made.add("Relu")
    made.conv(10, 10)
    made.add("Relu")
    made.add("GlobalAveragePool")
    made.add("Flatten")
    made.add("Gemm", made.normal(10, 20), made.normal(20))
    return clean(made.model("N", 20))


def weights_of(cleaned: Cleaned) -> list[npt.NDArray[np.float32]]:
    """Of all layers, output channels first."""
    constants = {each.name: numpy_helper.to_array(each) for each in cleaned.model.graph.initializer}
    found = [constants[node.input[1]] for node in cleaned.model.graph.node if node.op_type in ("Conv", "Gemm")]
    return [found[0], found[1], found[2].T]


def zeros(weights: npt.NDArray[np.float32]) -> float:
    return float((weights == 0).mean())


@pytest.mark.parametrize("unit", ["kernels", "weights"])
def test_flat_takes_the_same_share_of_every_layer(unit: str) -> None:
    made, found = sparsify(network(), Sparsification("flat", (0.5,), unit))
    assert [zeros(each) for each in weights_of(made)] == [0.5, 0.5, 0.5]
    assert sparsity(found) == 0.5


def test_kernels_go_whole_and_the_weakest_first() -> None:
    before = weights_of(network())[1]
    made, found = sparsify(network(), Sparsification.parse("flat:0.3"))
    after = weights_of(made)[1]
    strength = (before**2).mean(axis=(2, 3))
    gone = ~after.any(axis=(2, 3))
    assert gone.sum() == 30
    assert strength[gone].max() <= strength[~gone].min()
    np.testing.assert_array_equal(after[~gone], before[~gone])
    assert [each.zero_kernels / each.kernels for each in found] == [0.3, 0.3, 0.3]


def test_single_weights_leave_most_kernels() -> None:
    _, found = sparsify(network(), Sparsification.parse("flat:0.5:weights"))
    assert [each.zero_kernels for each in found[:2]] == [0, 0]
    assert found[2].zero_kernels == 100  # of a dense layer a weight is a kernel


def test_triangular_rises_from_the_first_layer_to_the_last() -> None:
    made, _ = sparsify(network(), Sparsification.parse("triangular:0.2,0.8"))
    assert [zeros(each) for each in weights_of(made)] == [0.2, 0.5, 0.8]


def test_relative_looks_at_every_filter_by_itself() -> None:
    """Another scale of a filter, as batch normalisation gives it, changes nothing."""
    cleaned = network()
    tensor = cleaned.model.graph.initializer
    for each in tensor:
        value = numpy_helper.to_array(each).copy()
        if value.ndim == 4:
            value[3] *= 1000.0
            each.CopyFrom(numpy_helper.from_array(value, each.name))
    how = Sparsification.parse("relative:0.4:weights")
    scaled, plain = weights_of(sparsify(cleaned, how)[0]), weights_of(sparsify(network(), how)[0])
    for mine, other in zip(scaled, plain, strict=True):
        np.testing.assert_array_equal(mine == 0, other == 0)
    largest = np.abs(plain[2]).max(axis=1, keepdims=True)
    np.testing.assert_array_equal(plain[2] != 0, np.abs(weights_of(network())[2]) >= 0.4 * largest)


def test_nothing_is_taken_where_nothing_is_said() -> None:
    cleaned = network()
    made, found = sparsify(cleaned, None)
    assert made.model == cleaned.model
    assert sparsity(found) == 0.0


def test_a_quantised_model_is_refused() -> None:
    made = clean(quantise(clean(residual()), pictures(8, 2, 8, 8)))
    with pytest.raises(UnsupportedModel, match="this one is quantised"):
        sparsify(made, Sparsification.parse("flat:0.5"))


@pytest.mark.parametrize("text", ["flat:0.5", "triangular:0.25,0.75", "relative:0.1:weights"])
def test_text(text: str) -> None:
    assert str(Sparsification.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "flat", "flat:", "flat:1.5", "flat:-0.1", "flat:0.1,0.2", "triangular:0.3", "other:0.1", "flat:nan",
             "flat:0.5:filters"],
)  # fmt: skip
def test_wrong_text_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedModel, match="must be flat:x, triangular:x,y or relative:x"):
        Sparsification.parse(text)
