# SPDX-License-Identifier: Apache-2.0
"""Float models made integer ones: calibrated on pictures, in QDQ form, which the reader takes.

The calibration and the scales are onnxruntime's. Weights are int8 with a scale per output channel, activations int8
with a scale per map. What is added here: operators that onnxruntime would leave in float get scales too, between a sum
and its activation there is no second rounding, as the array has none there, and a map of which hardly anything is left,
as of sparsified layers, has no finer steps than the products that it is the sum of.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.calibrate import TensorsData, save_tensors_data

from models.pe_array.frontend.clean import Cleaned, operators
from models.pe_array.frontend.graph import UnsupportedModel, shaped

FloatArray = npt.NDArray[np.float32]

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
"""How the range of a map follows from what the calibration saw of it: all, all but outliers, or what loses least."""
ASSUMED = (-1.0, 2.0)
"""Range of maps of which none is known: with zero points that are not 0, where they are wanted."""
FINEST = 4.0
"""Most steps of a map that a product of 1 may be worth; the array can do a little more, ``lower``."""
_BATCH = 32
_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_SUMS = (*_PRODUCTS, "Add", "Sub", "Mul")
_ACTIVATIONS = ("Relu", "Clip")


@dataclass(frozen=True)
class Options:
    """How a float model is quantised.

    Attributes:
        method: a key of ``METHODS``. On ResNet-20 and all 10,000 test pictures of CIFAR-10, symmetric, they lose
            between 0.1 points and nothing; percentile least.
        asymmetric: activations have zero points: a map without negative values then uses all 8 bits. Padding is then
            worth the zero point, for which maps are stored with a border.
        fold: batch normalisation goes into the weights; see ``clean``.
        per_channel: weights have a scale per output channel, otherwise one per layer.
        percentile: share of the values, in %, that the method of that name keeps in range.
    """

    method: str = "percentile"
    asymmetric: bool = False
    fold: bool = True
    per_channel: bool = True
    percentile: float = 99.999


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands onnxruntime the pictures in batches, all of one size: it stacks what it finds in them."""

    def __init__(self, name: str, pictures: FloatArray) -> None:
        size = max(each for each in range(1, _BATCH + 1) if len(pictures) % each == 0)
        self._batches: Iterator[dict[str, FloatArray]] = iter(
            [{name: pictures[at : at + size]} for at in range(0, len(pictures), size)]
        )

    def get_next(self) -> dict[str, FloatArray] | None:
        return next(self._batches, None)


def quantise(cleaned: Cleaned, calibration: FloatArray, options: Options = Options()) -> onnx.ModelProto:
    """The model in QDQ form; one that is quantised already as it is.

    Args:
        cleaned: see ``clean``.
        calibration: float32 (n, C, H, W), pictures as the model takes them; some hundred are enough.

    Raises:
        UnsupportedModel: the pictures do not fit the model, or onnxruntime cannot run it.
    """
    if cleaned.quantised:
        return cleaned.model
    try:
        pictures = shaped(calibration, cleaned.in_shape).astype(np.float32)
    except ValueError as error:
        raise UnsupportedModel(f"calibration: {error}") from None
    if not len(pictures):
        raise UnsupportedModel("calibration: there are no pictures")
    return _integers(cleaned.model, options, METHODS[options.method], _Reader(cleaned.input_name, pictures))


def assumed(cleaned: Cleaned, options: Options = Options()) -> onnx.ModelProto:
    """The model in QDQ form with a range that is the same for all maps: what can be said of it without any picture.

    Raises:
        UnsupportedModel: onnxruntime cannot quantise it.
    """
    names = [cleaned.input_name, *(name for node in cleaned.model.graph.node for name in node.output if name)]
    ranges = {name: (np.float32(ASSUMED[0]), np.float32(ASSUMED[1])) for name in names}
    return _integers(cleaned.model, options, CalibrationMethod.MinMax, TensorsData(CalibrationMethod.MinMax, ranges))


def _integers(
    model: onnx.ModelProto, options: Options, method: CalibrationMethod, ranges: _Reader | TensorsData
) -> onnx.ModelProto:
    """In QDQ form, with ranges that are known or follow from pictures. UnsupportedModel."""
    extra = {
        "ActivationSymmetric": not options.asymmetric,
        "CalibPercentile": options.percentile,
        "ForceQuantizeNoInputCheck": True,
    }
    coarser: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        path, known = Path(directory) / "quantised.onnx", Path(directory) / "ranges.json"
        if isinstance(ranges, TensorsData):
            save_tensors_data(ranges, known)
        for _ in range(1 + len(model.graph.node)):  # coarser steps of a map may make those of the next one too fine
            work = onnx.ModelProto()
            work.CopyFrom(model)  # which onnxruntime changes
            try:
                with _quiet():
                    quantize_static(
                        work, path, ranges if isinstance(ranges, _Reader) else None,
                        quant_format=QuantFormat.QDQ, op_types_to_quantize=list(operators(work)),
                        per_channel=options.per_channel, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                        calibrate_method=method, extra_options=extra | {"TensorQuantOverrides": coarser},
                        calibration_cache_path=known,  # pictures are looked at once
                    )  # fmt: skip
            except Exception as error:
                first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                raise UnsupportedModel(f"onnxruntime cannot calibrate the model: {first}") from None
            made = onnx.load(path)
            _one_rounding(made.graph)
            found = _too_fine(made.graph)
            if not found:
                break
            coarser |= found
    return made


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice and the progress that onnxruntime prints."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)


def _too_fine(graph: onnx.GraphProto) -> dict[str, list[dict[str, Any]]]:
    """Maps with steps so fine that a product of 1 is worth more than ``FINEST``: one step for it, for onnxruntime."""
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    readers = {name: node for node in graph.node for name in node.input}
    found: dict[str, list[dict[str, Any]]] = {}
    for node in graph.node:
        if node.op_type not in _PRODUCTS:
            continue
        factors = [makers[name] for name in node.input[:2] if name in makers]
        scales = [values[each.input[1]] for each in factors if each.op_type == "DequantizeLinear"]
        if len(scales) < 2:
            continue
        after = readers.get(node.output[0])
        if after is not None and after.op_type in _ACTIVATIONS:
            after = readers.get(after.output[0])
        if after is None or after.op_type != "QuantizeLinear":
            continue
        product = np.float32(scales[0] * scales[1].max())
        if product > FINEST * values[after.input[1]]:
            found[after.input[0]] = [{"scale": np.array(product), "zero_point": values[after.input[2]]}]
    return found


def _one_rounding(graph: onnx.GraphProto) -> None:
    """Take out the pair of Q and DQ between a sum and the activation that alone reads it.

    Not that between a convolution and an addition: where the array adds a map it has no biases per channel.
    """
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {each.name for each in graph.output}
    for node in list(graph.node):
        if node.op_type not in _ACTIVATIONS:
            continue
        back = makers.get(node.input[0])
        forth = makers.get(back.input[0]) if back is not None and back.op_type == "DequantizeLinear" else None
        if back is None or forth is None or forth.op_type != "QuantizeLinear":
            continue
        source = makers.get(forth.input[0])
        alone = all(len(readers[each.output[0]]) == 1 for each in (back, forth))
        if source is None or source.op_type not in _SUMS or not alone or source.output[0] in outputs:
            continue
        if len(readers[source.output[0]]) != 1:
            continue
        node.input[0] = source.output[0]
        graph.node.remove(back)
        graph.node.remove(forth)
