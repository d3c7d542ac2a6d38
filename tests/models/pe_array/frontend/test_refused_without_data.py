# SPDX-License-Identifier: Apache-2.0
"""What needs no picture to be refused is refused before the calibration, all at once and by name."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from quantised_onnx import Bench
from small_onnx import Made, pictures

from models.pe_array.frontend import api
from models.pe_array.frontend.graph import UnsupportedModel


@pytest.fixture(autouse=True)
def no_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails where a model is calibrated."""

    def quantise(*given: object) -> NoReturn:
        raise AssertionError("calibrated")

    monkeypatch.setattr(api, "quantise", quantise)


def refused(model: onnx.ModelProto, size: int = 12, classes: int = 1) -> str:
    """Why; batches of 64, because that is where PEs have least room."""
    with pytest.raises(UnsupportedModel) as error:
        api.compile(model, pictures(2, 2, size, size), batch=64, pes=1, classes=classes)
    return str(error.value)


def spread(made: Made, name: str) -> None:
    """A convolution whose taps are far apart, on a map that keeps its size."""
    made.add("Conv", made.normal(2, 2, 11, 11), pads=[100] * 4, dilations=[20, 20], name=name)


def test_attributes_and_operators_at_once() -> None:
    """Behind each other as well."""
    made = Made("N", 2, 12, 12)
    made.add("Mul", made.constant(300.0))  # a large factor is no reason: the range of the map behind it grows with it
    made.conv(2, 4, name="fine")
    made.add("HardSwish", name="unknown")
    made.add("AveragePool", kernel_shape=[12, 1], name="tall")
    made.add("Mul", made.last, name="squared")
    made.add("Concat", made.last, axis=2, name="below")
    made.add("Reshape", made.constant(np.array([0, 2, 2, 2, 12])))
    made.add("Transpose", perm=[0, 2, 1, 3, 4], name="shuffled")
    made.add("Reshape", made.constant(np.array([0, 4, 2, 12])))
    made.add("Tanh", name="last")
    made.add("GlobalAveragePool")
    made.add("Flatten")
    what, *lines = refused(made.model("N", 4, opset=14)).splitlines()
    assert what == "6 nodes of the model cannot be had:"
    names = ["unknown", "tall", "squared", "below", "shuffled", "last"]
    assert [line.split(" (")[0].strip() for line in lines] == names
    assert lines[1] == "  tall (AveragePool): kernel = (12, 1) must be 1 … 11 in both directions;"


def test_an_operator_without_a_kernel_is_named_where_onnxruntime_cannot_quantise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def assumed(*given: object) -> NoReturn:
        raise UnsupportedModel("onnxruntime cannot calibrate the model")

    monkeypatch.setattr(api, "assumed", assumed)
    made = Made("N", 2, 12, 12)
    made.conv(2, 4)
    assert refused(made.model("N", 4, 12, 12)) == "onnxruntime cannot calibrate the model"
    made.add("Sin", name="wave")
    assert refused(made.model("N", 4, 12, 12)).splitlines()[1] == "  wave (Sin): the array has no such operator"


def test_layers_that_do_not_fit() -> None:
    made = Made("N", 2, 256, 256)
    spread(made, "first")
    made.add("Relu")
    spread(made, "second")
    what, *lines = refused(made.model("N", 2, 256, 256), 256).splitlines()
    assert what == "the array cannot do 2 layers of the model:"
    assert [line.split(" (")[0].strip() for line in lines] == ["first", "second"]
    assert "kernel = 11 with dilation = 20 on a map of 256 x 256 does not fit in the array's PEs" in lines[0]


def test_more_memory_than_there_is() -> None:
    made = Made("N", 2, 1000, 1000)
    made.conv(2, 40, 1)
    reason = refused(made.model("N", 40, 1000, 1000), 1000)
    assert "take 2,560,000,240 bytes of memory, which must be at most 1,073,741,824" in reason


def test_fewer_values_than_classes() -> None:
    made = Made("N", 2, 12, 12)
    made.conv(2, 4)
    made.add("GlobalAveragePool")
    made.add("Flatten")
    reason = refused(made.model("N", 4), classes=5)
    assert reason.startswith("the model gives 4 values, the pictures have 5 classes: leave DATA out")


def test_layers_of_a_quantised_model_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its program is planned."""
    monkeypatch.setattr(api, "quantise", lambda cleaned, *given: cleaned.model)
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, "N", 2, 256, 256), 0.125)
    weights = bench.dequantise(bench.weights(2, 2, 11, 11), 0.01)
    bench.both(bench.add("Conv", x, weights, pads=[100] * 4, dilations=[20, 20], name="far"), 0.5)
    assert refused(bench.model(), 256).splitlines()[1].startswith("  far (conv): kernel = 11 with dilation = 20")
