# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on every value by itself: with constants, limits, and the sum of two maps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from models.pe_array.frontend.builder import Builder
from models.pe_array.frontend.graph import Reals
from models.pe_array.frontend.nodes.node import Handler, Node
from models.pe_array.frontend.nodes.quantising import dequantised, quantisation, weights_of
from models.pe_array.frontend.values import (
    Constant,
    Dequantised,
    Quantisation,
    QuantisedConstant,
    Real,
    RealAddend,
    Refusal,
    Value,
    View,
    Weighted,
)  # fmt: skip


def _per_channel(node: Node, index: int, real: Real) -> Reals:
    """A constant as one number per channel of a map."""
    return per_channel(node.reals(index, "an operand"), real)


def per_channel(array: Reals, real: Real) -> Reals:
    """Numbers (channels,) of a constant that is broadcast to a map. Refusal where it differs within a channel."""
    shape = real.draft.shape
    if array.size == 1 and array.ndim <= len(real.dims) + 1:
        return np.broadcast_to(array.reshape(1), (shape[0],))
    try:
        every = np.broadcast_to(array, (1, *real.dims)).reshape(shape)
    except ValueError:
        raise Refusal(f"a constant of {array.shape} and a map of {real.dims} per picture") from None
    if not (every == every[:, :1, :1]).all():
        raise Refusal("a constant that differs between the pixels of a channel; the array has one number per channel")
    return np.asarray(every[:, 0, 0])


# --- with constants ---


def _shifted(real: Real, offset: Reals) -> Real:
    if not real.unlimited:
        if (offset != offset[0]).any():
            raise Refusal("a limited value plus different constants: put QuantizeLinear between them")
        real = replace(real, low=real.low + float(offset[0]), high=real.high + float(offset[0]))
    return replace(real, offset=real.offset + offset)


def _operands(node: Node) -> tuple[int, int] | None:
    """(number of the map, number of the constant) of two operands; None: two maps."""
    known = [isinstance(node.value(k), Constant | QuantisedConstant) for k in (0, 1)]
    return None if not any(known) else (known.index(False), known.index(True))


def _add(node: Node, build: Builder) -> Value:
    if (which := _operands(node)) is not None:
        real = node.real(which[0])
        return _shifted(real, _per_channel(node, which[1], real))
    return _sum(node, node.real(0), node.real(1))


def _sub(node: Node, build: Builder) -> Value:
    minus = np.array([-1.0])
    match _operands(node):
        case (0, 1):
            real = node.real(0)
            return _shifted(real, -_per_channel(node, 1, real))
        case (1, 0):
            real = node.real(1).times(minus)
            return _shifted(real, _per_channel(node, 0, real))
        case _:
            return _sum(node, node.real(1).times(minus), node.real(0))


def _sum(node: Node, first: Real, second: Real) -> Real:
    """Of two maps, one of which, or both, are quantised."""
    main, added = (second, first) if first.plain and not second.plain else (first, second)
    if not (added.plain and isinstance(added.draft, Dequantised)):
        raise Refusal("neither of the maps that are added is quantised: put QuantizeLinear behind one")
    if main.addend is not None or not main.unlimited:
        raise Refusal("a third map is added, or one that is limited: put QuantizeLinear between them")
    if not isinstance(main.draft, Dequantised | Weighted):
        raise Refusal("a map is added to a pool that is not quantised: put QuantizeLinear between them")
    if main.dims != added.dims or main.draft.shape != added.draft.shape:
        raise Refusal(f"maps of {main.dims} and {added.dims} per picture are added; they must have one size")
    read = added.draft
    return replace(main, addend=RealAddend(read.view, float(added.scale[0]), read.zero, "Add" in node.operator))


def _mul(node: Node, build: Builder) -> Value:
    which = _operands(node)
    if which is None:
        raise Refusal("the product of two maps; the array multiplies with constants")
    real = node.real(which[0])
    return real.times(_per_channel(node, which[1], real))


def _div(node: Node, build: Builder) -> Value:
    if _operands(node) != (0, 1):
        raise Refusal("division by a map; the array multiplies with constants")
    real = node.real(0)
    divisor = _per_channel(node, 1, real)
    if not divisor.all():
        raise Refusal("division by 0")
    return real.times(1.0 / divisor)


def _neg(node: Node, build: Builder) -> Value:
    return node.real(0).times(np.array([-1.0]))


def _total(node: Node, build: Builder) -> Value:
    if len(node.inputs) == 1:
        return node.real(0)
    if len(node.inputs) > 2:
        raise Refusal(f"the sum of {len(node.inputs)} maps is rounded once: add two at a time and quantise each sum")
    return _add(node, build)


def _batch_normalization(node: Node, build: Builder) -> Value:
    if node.attributes.get("training_mode") or len([each for each in node.outputs if each]) > 1:
        raise Refusal("training_mode = 1: its mean depends on the batch")
    real = node.real(0)
    scale, bias, mean, variance = (node.reals(k, "a parameter") for k in range(1, 5))
    if any(each.shape != (real.draft.shape[0],) for each in (scale, bias, mean, variance)):
        raise Refusal(f"parameters of {scale.shape} for {real.draft.shape[0]} channels")
    root = np.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    if not (root > 0).all():
        raise Refusal("a variance that is not positive")
    return _shifted(real.times(scale / root), bias - mean * scale / root)


# --- limits ---


def _limited(real: Real, low: float, high: float) -> Real:
    """Clipped, after the limits that it has."""
    return replace(
        real, low=min(max(real.low, low), high), high=max(min(real.high, high), low) if low <= high else high
    )


def _between(node: Node, build: Builder, low: float, high: float) -> Value:
    """Real numbers, or bytes as whole numbers, within limits."""
    value = node.value(0)
    if not isinstance(value, View):
        return _limited(node.real(0), low, high)
    known, zero = build.known(value), build.maps[value.map].zero
    real = Real.of(Dequantised(node.name, value.shape, value.dims, value, zero), 1.0)
    steps = zero + (128 if value.unsigned else 0)  # from whole numbers of the model to the map's
    limited = _limited(real, low - steps, high - steps)
    return build.relearn(build.quantise(limited, Quantisation(1.0, zero, value.unsigned), node.outputs[0]), known)


def _relu(node: Node, build: Builder) -> Value:
    return _between(node, build, 0.0, math.inf)


def _clip(node: Node, build: Builder) -> Value:
    limits = []
    for index, (name, default) in enumerate((("min", -math.inf), ("max", math.inf)), start=1):
        given = np.asarray(node.constant(index, name) if node.has(index) else node.attributes.get(name, default))
        if given.size != 1 or np.isnan(given.reshape(-1)[0]):
            raise Refusal(f"{name} must be one number")
        limits.append(float(given.reshape(-1)[0]))
    return _between(node, build, limits[0], limits[1])


def _leaky(node: Node, build: Builder) -> Value:
    real = node.real(0)
    return _sloped(node, build, real, np.full(real.draft.shape[0], float(node.attributes.get("alpha", 0.01))))


def _prelu(node: Node, build: Builder) -> Value:
    real = node.real(0)
    return _sloped(node, build, real, _per_channel(node, 1, real))


def _sloped(node: Node, build: Builder, real: Real, slopes: Reals) -> Real:
    """Negative values times a slope: ``x + (slope - 1) min(x, 0)``, a sum of two maps."""
    if (slopes != slopes[0]).any():
        raise Refusal("slopes differ between channels: a map is added where all channels have one scale")
    read, step = node.read(real, aligned=False), float(real.scale[0])
    view = build.whole(read.view, node.name)
    same, name = Quantisation(step, read.zero, view.unsigned), f"{node.outputs[0]}/negative"
    negative = build.quantise(_limited(real, -math.inf, 0.0), same, name)
    part = Real.of(Dequantised(node.name, negative.shape, negative.dims, negative, read.zero), step).times(slopes - 1.0)
    return replace(part, addend=RealAddend(view, step, read.zero, even_bytes=False))


# --- QLinear ---


def _qlinear(arithmetic: Handler) -> Handler:
    """Of inputs A, its scale and zero point, B, its ones, and the result's."""

    def handler(node: Node, build: Builder) -> Value:
        operands: list[Value] = []
        for index in (0, 3):
            value = node.value(index)
            if isinstance(value, Constant):
                operands.append(weights_of(node, value.array, index + 1, index + 2, 0))
            else:
                operands.append(dequantised(node, build, index, index + 1, index + 2))
        inner = replace(node, inputs=tuple(operands), given=(node.given[0], node.given[3]))
        made = arithmetic(inner, build)
        assert isinstance(made, Real)
        return build.quantise(made, quantisation(node, 6, 7), node.outputs[0])

    return handler


_REASONS: dict[str, str] = dict.fromkeys(
    ("Elu", "Selu", "HardSwish", "HardSigmoid", "Tanh", "Gelu", "Mish", "Softplus", "Erf", "Exp"),
    "the array limits values (Relu, Clip, LeakyRelu, PRelu) and has no other function of one value",
)


def _refused(reason: str) -> Callable[[Node, Builder], Value]:
    def handler(node: Node, build: Builder) -> Value:
        raise Refusal(reason)

    return handler


HANDLERS: dict[str, Handler] = {
    "Add": _add,
    "Sub": _sub,
    "Sum": _total,
    "Mul": _mul,
    "Div": _div,
    "Neg": _neg,
    "BatchNormalization": _batch_normalization,
    "Relu": _relu,
    "Clip": _clip,
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "QLinearAdd": _qlinear(_add),
    "QLinearMul": _qlinear(_mul),
    **{operator: _refused(reason) for operator, reason in _REASONS.items()},
}
