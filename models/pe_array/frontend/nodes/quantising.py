# SPDX-License-Identifier: Apache-2.0
"""From real numbers to bytes and back, and operators behind the last layer, which are left to the host."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.pe_array.frontend.builder import Builder
from models.pe_array.frontend.graph import HIGH, LOW
from models.pe_array.frontend.nodes.node import Handler, Node, axis_of
from models.pe_array.frontend.values import (
    Array,
    Constant,
    Dequantised,
    OnHost,
    Picture,
    Quantisation,
    QuantisedConstant,
    Real,
    Refusal,
    Value,
    View,
)  # fmt: skip

UNSIGNED, SIGNED = np.dtype(np.uint8), np.dtype(np.int8)
SHIFT = 128
"""What is subtracted from uint8."""


def quantisation(node: Node, scale: int, zero: int, unsigned: bool | None = None) -> Quantisation:
    """Of a map, from the inputs with these numbers; ``unsigned`` where the zero point may be left out."""
    scales = node.reals(scale, "the scale")
    if scales.size != 1 or not scales.reshape(-1)[0] > 0:
        raise Refusal(f"the scale of a map ({node.given[scale]}) must be one positive number")
    step = float(scales.reshape(-1)[0])
    if not node.has(zero):
        return Quantisation(step, 0 if unsigned is False else -SHIFT, unsigned is not False)
    zeros = node.constant(zero, "the zero point")
    if zeros.size != 1 or zeros.dtype not in (UNSIGNED, SIGNED):
        raise Refusal(
            f"the zero point of a map ({node.given[zero]}) is {zeros.dtype} of {zeros.size}, must be one int8 or uint8"
        )
    is_unsigned = zeros.dtype == UNSIGNED
    if unsigned not in (None, is_unsigned):
        raise Refusal(f"the zero point {node.given[zero]} is {zeros.dtype}, the map is not")
    value = int(zeros.reshape(-1)[0])
    return Quantisation(step, value - SHIFT if is_unsigned else value, is_unsigned)


def along(node: Node, vector: Array, axis: int, rank: int) -> Array:
    """Numbers, one or one per place of an axis, as a tensor of that rank."""
    if vector.size == 1:
        return vector.reshape((1,) * rank)
    if vector.ndim != 1:
        raise Refusal("scales of blocks; one scale, or one per channel, is what can be had")
    shape = [1] * rank
    shape[axis_of(axis, rank)] = -1
    return vector.reshape(shape)


def weights_of(node: Node, values: Array, scale: int, zero: int, axis: int) -> QuantisedConstant:
    """Quantised constants with the scales and zero points of these inputs."""
    if values.dtype not in (UNSIGNED, SIGNED, np.dtype(np.int32)):
        raise Refusal(f"weights of {values.dtype}; int8, uint8 and, for biases, int32 can be had")
    scales = along(node, node.reals(scale, "the scale"), axis, values.ndim)
    zeros = np.asarray(node.constant(zero, "the zero point")) if node.has(zero) else np.zeros(1)
    if zeros.dtype.kind not in "iuf":
        raise Refusal(f"a zero point of {zeros.dtype}")
    minus = along(node, zeros, axis, values.ndim).astype(np.int64)
    try:
        integers = values.astype(np.int64) - minus
        return QuantisedConstant(integers, np.broadcast_to(scales.astype(np.float64), scales.shape))
    except ValueError:
        raise Refusal(f"zero points {minus.shape} do not fit weights {values.shape}") from None


def _refuse_blocks(node: Node) -> None:
    if node.attributes.get("block_size"):
        raise Refusal("scales of blocks; one scale, or one per channel, is what can be had")


def _quantize(node: Node, build: Builder) -> Value:
    value = node.value(0)
    _refuse_blocks(node)
    if isinstance(value, OnHost):
        return _on_host(node, build)
    if isinstance(value, Constant):
        return _constant_bytes(node, value.array)
    kind = node.attributes.get("output_dtype", 0)
    if not node.has(2) and kind not in (0, 2, 3):
        raise Refusal(f"output_dtype = {kind}; int8 and uint8 can be had")
    wanted = quantisation(node, 1, 2, None if node.has(2) else kind != 3)
    if isinstance(value, Picture):
        return _picture(value, wanted, build)
    return build.quantise(node.real(0), wanted, node.outputs[0])


def _picture(value: Picture, wanted: Quantisation, build: Builder) -> View:
    view = build.input(value, wanted.unsigned, wanted)
    if build.known(view) != wanted:
        raise Refusal(f"the picture {value.name} is quantised in two ways")
    return view


def _constant_bytes(node: Node, real: Array) -> Constant:
    zeros = node.constant(2, "the zero point") if node.has(2) else np.zeros(1, np.uint8)
    if zeros.dtype not in (UNSIGNED, SIGNED):
        raise Refusal(f"constants are quantised to {zeros.dtype}; int8 and uint8 can be had")
    axis = node.attributes.get("axis", 1)
    scale = along(node, node.reals(1, "the scale"), axis, real.ndim)
    low, high = (0, 255) if zeros.dtype == UNSIGNED else (LOW, HIGH)
    steps = np.rint(np.asarray(real, dtype=np.float32) / scale.astype(np.float32))
    return Constant(np.clip(steps + along(node, zeros, axis, real.ndim), low, high).astype(zeros.dtype))


def _dequantize(node: Node, build: Builder) -> Value:
    value = node.value(0)
    _refuse_blocks(node)
    if isinstance(value, OnHost):
        return _on_host(node, build)
    if isinstance(value, Constant):
        return weights_of(node, value.array, 1, 2, node.attributes.get("axis", 1))
    if isinstance(value, Real):
        scale = node.reals(1, "the scale")
        if scale.size != 1 or (node.has(2) and np.any(node.constant(2, "the zero point"))):
            raise Refusal("sums of int32 have one scale and no zero point")
        return value.times(scale.reshape(-1))
    return dequantised(node, build, 0, 1, 2)


def dequantised(node: Node, build: Builder, index: int, scale: int, zero: int) -> Real:
    """A map of bytes as real numbers, with scale and zero point of these inputs."""
    view = node.bytes(index)
    known = quantisation(node, scale, zero, view.unsigned)
    build.learn(view.map, known)
    return Real.of(Dequantised(node.name, view.shape, view.dims, view, known.zero), known.scale)


def _dynamic(node: Node, build: Builder) -> Value:
    raise Refusal("scale and zero point depend on the picture: quantise the model statically, with calibration")


def _cast(node: Node, build: Builder) -> Value:
    value = node.value(0)
    kind = node.attributes.get("to")
    if isinstance(value, OnHost):
        return _on_host(node, build)
    if kind not in (1, 10, 11) or not isinstance(value, Real | Picture):
        raise Refusal("a map can be cast to floating point alone")
    return value


def _on_host(node: Node, build: Builder) -> Value:
    """What comes behind the last layer and is left to the host."""
    value = node.value(0)
    if isinstance(value, OnHost):
        return replace(value, operators=(*value.operators, node.operator))
    if isinstance(value, Real):
        return OnHost(node.read(value, aligned=False).view, node.name, node.given[0], (node.operator,))
    return OnHost(node.bytes(0), node.name, node.given[0], (node.operator,))


HOST = ("Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "ArgMin", "QLinearSoftmax", "QLinearSigmoid", "TopK")
"""Operators that are taken where nothing but such comes behind them."""

HANDLERS: dict[str, Handler] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _dynamic,
    "Cast": _cast,
    **dict.fromkeys(HOST, _on_host),
}
