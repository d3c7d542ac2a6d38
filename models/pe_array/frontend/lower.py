# SPDX-License-Identifier: Apache-2.0
"""From quantised graphs to frozen layers of the array: real scales become multipliers and shifts, operators layers.

Multipliers have 24 bits, so a value differs from that of exact arithmetic, by one, about once in 100,000 times or less,
as it does in float32; never where scales are powers of two. Zero points of what is read go into the biases.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.pe_array.frontend.graph import (
    HIGH,
    LOW,
    Average,
    Complaint,
    Concatenation,
    MapAddend,
    Maximum,
    Operator,
    Products,
    QuantisedGraph,
    Reals,
    UnsupportedModel,
)  # fmt: skip
from models.pe_array.isa.descriptors import MULTIPLIER_MAX, ONE
from models.pe_array.network import averages, fitting
from models.pe_array.network.frozen.builder import WEIGHT_MAX, FrozenBuilder
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.kinds.average_pool import whole_window
from models.pe_array.network.layer import IMAGE
from models.pe_array.network.scaling import Addend, Scaling, fixed
from models.pe_array.network.seen_map import NO_PADS

BATCHES = (8, 16, 32, 64)
FINE, COARSE = 2.0**-10, 2.0**-7
"""By how much of a step of the output a rounded bias may be wrong: where that costs nothing, and at all."""
_BYTE = 127
_LARGEST = MULTIPLIER_MAX / ONE


def lower(graph: QuantisedGraph, batch: int = 8, pes: int = 8) -> FrozenNetwork:
    """The network as layers of the array, one for each operator of the graph and in that order.

    Args:
        graph: with one output.
        batch: pictures at a time: 8, 16, 32 or 64, one for each MAC of a PE.
        pes: PEs of the array, a power of two.

    Raises:
        UnsupportedModel: the array cannot do what operators need; all are named, with reasons.
    """
    if len(graph.outputs) != 1:
        names = ", ".join(each.name for each in graph.outputs)
        raise UnsupportedModel(f"the model has {len(graph.outputs)} outputs ({names}); one can be had")
    if not graph.operators:
        raise UnsupportedModel("the model has nothing for the array to do: its output is its input")
    if batch not in BATCHES:
        raise UnsupportedModel(f"batch = {batch} must be one of {', '.join(map(str, BATCHES))}")
    picture = graph.maps[graph.picture]
    made = FrozenBuilder(graph.name or "network", picture.shape, batch, picture.zero)
    numbers: dict[str, int | None] = {graph.picture: IMAGE}
    complaints = []
    for operator in graph.operators:
        reads = [numbers[name] for name in operator.reads]
        known = [number for number in reads if number is not None]
        numbers[operator.makes] = None
        if len(known) < len(reads):
            continue  # what it reads has been complained about
        try:
            numbers[operator.makes] = _layer(made, operator, known)
        except ValueError as error:
            complaints.append(Complaint(operator.node, type(operator).__name__.lower(), str(error)))
    if complaints:
        raise UnsupportedModel(f"the array cannot do {len(complaints)} operators of the model:", tuple(complaints))
    try:
        return made.network(pes)
    except ValueError as error:
        raise UnsupportedModel(f"the layers do not fit each other: {error}") from None


def check(graph: QuantisedGraph, batch: int = 8, pes: int = 8) -> FrozenNetwork:
    """Refuse what the array cannot do whatever the scales are; ``lower`` refuses the rest.

    Args:
        graph: of any scales, which are not used.
        batch, pes: see ``lower``.

    Returns:
        Layers of the right sizes, with scales that mean nothing.

    Raises:
        UnsupportedModel: all operators that the array cannot do, or layers that do not fit in its PEs, with reasons.
    """
    neutral: list[Operator] = []
    for each in graph.operators:
        if isinstance(each, Products):
            added = each.addend and replace(each.addend, scale=1.0)
            ones, none = np.ones_like(each.scale), np.zeros_like(each.bias)
            neutral.append(replace(each, scale=ones, bias=none, addend=added))
        elif isinstance(each, Average):
            neutral.append(replace(each, scale=np.ones_like(each.scale), bias=np.zeros_like(each.bias)))
        else:
            neutral.append(each)
    return fitting_in(lower(replace(graph, operators=tuple(neutral)), batch, pes))


def fitting_in(network: FrozenNetwork) -> FrozenNetwork:
    """The same network. UnsupportedModel: layers, all of which are named, do not fit in the PEs of the array."""
    layers, grid = network.config.layers, network.config.grid
    try:
        fitting.check(layers, grid, training=False)
    except fitting.MisfitError:
        misfits = fitting.misfits(layers, grid)
        complaints = tuple(Complaint(layers[index].name, layers[index].kind, reason) for index, reason in misfits)
        raise UnsupportedModel(f"the array cannot do {len(misfits)} layers of the model:", complaints) from None
    except ValueError as error:
        raise UnsupportedModel(str(error)) from None
    return network


def _layer(made: FrozenBuilder, operator: Operator, reads: list[int]) -> int:
    """Number of the layer that an operator becomes. ValueError where the array cannot do it."""
    match operator:
        case Products():
            return _products(made, operator, reads)
        case Average():
            return _average(made, operator, reads[0])
        case Maximum():
            limits = Scaling.of(1.0, low=operator.low, high=operator.high)
            limited = (operator.low, operator.high) != (LOW, HIGH)
            return made.max_pool(reads[0], operator.window, limits if limited else None, operator.node)
        case _:
            assert isinstance(operator, Concatenation)
            return made.concat(reads, operator.node)


def _products(made: FrozenBuilder, operator: Products, reads: list[int]) -> int:
    is_identity = identity(operator)
    if is_identity and operator.addend is not None and operator.addend.scale > operator.scale.max():
        operator, reads = _swapped(operator, operator.addend), reads[::-1]
    zero_out = operator.zero
    if operator.even_bytes:
        operator = _even_bytes(operator)
    factor = _factor(operator, _BYTE if is_identity else WEIGHT_MAX)
    weights = operator.weights.astype(np.int64) * factor
    zeros = operator.zero_in * weights.sum(axis=(1, 2, 3))
    biases = np.rint(operator.bias * factor).astype(np.int64) - zeros
    addend, add = None, None
    if operator.addend is not None:
        addend, add = _addend(operator.addend), reads[1]
    scaling = replace(_scaling(operator, operator.scale / factor, biases, addend), zero_out=zero_out)
    if is_identity:
        return made.identity(reads[0], scaling, add, factor, operator.node)
    if operator.flat:
        return made.dense(reads[0], weights[:, :, 0, 0], scaling, add, operator.node)
    return made.convolution(reads[0], operator.conv, weights, scaling, add, operator.node)


def identity(operator: Products) -> bool:
    """Whether every pixel is multiplied with 1, so that only scales change, or a map is added."""
    conv = operator.conv
    alone = conv.taps == 1 and conv.groups == conv.rows == conv.cols and not operator.flat
    return alone and conv.stride == (1, 1) and not any(conv.pad) and bool((operator.weights == 1).all())


def _swapped(operator: Products, addend: MapAddend) -> Products:
    """The sum of two maps the other way around: a multiplier of what is added ends below 2, a factor may help here."""
    if (operator.scale != operator.scale[0]).any():
        raise ValueError(
            f"a map is added with a scale of {addend.scale:.3g}, which must be below {_LARGEST:.3g} where the scales "
            "of the other one differ between channels"
        )
    own = float(operator.scale[0])
    return replace(
        operator, reads=operator.reads[::-1], scale=np.full_like(operator.scale, addend.scale),
        bias=operator.bias * own / addend.scale, zero_in=addend.zero,
        addend=MapAddend(operator.reads[0], own, operator.zero_in),
    )  # fmt: skip


def _even_bytes(operator: Products) -> Products:
    """Ties at the even byte: an odd zero point is made even, and the bias has the step that is missing.

    Where scales are no powers of two there are no ties, and that bias is no whole number: then nothing is done.
    """
    step = 1.0 / operator.scale
    if operator.zero % 2 == 0 or not np.array_equal(step, 2.0 ** np.rint(np.log2(step))):
        return operator
    return replace(operator, zero=operator.zero - 1, bias=operator.bias + step)


def _addend(addend: MapAddend) -> Addend:
    if addend.scale > _LARGEST:
        raise ValueError(
            f"a map is added with a scale of {addend.scale:.3g}, which must be below {_LARGEST:.3g}: "
            "the scale of the output must be larger than half of that map's"
        )
    return Addend(*fixed(addend.scale), addend.zero)


def _factor(operator: Products, limit: int) -> int:
    """What weights are multiplied with, so that scales stay below 2 and biases are whole numbers, or nearly.

    A factor with which weights still fit in a byte costs nothing; beyond, an element becomes two. A power of two where
    there must be one, so that scales that are powers of two remain exact.
    """
    least = int(np.ceil(operator.scale.max() / _LARGEST)) if operator.scale.max() > _LARGEST else 1
    largest = max(1, int(np.abs(operator.weights).max()))
    if least * largest > limit:
        raise ValueError(
            f"a scale of {operator.scale.max():.3g} with weights up to {largest}: their product must stay below "
            f"{limit * _LARGEST:.0f}; a larger scale of the output would help"
        )
    power = 1 << (least - 1).bit_length()
    least = power if power * largest <= limit else least
    best, best_error = least, _wrong(operator, least)
    for bound, enough in ((_BYTE, FINE), (limit, COARSE)):
        for factor in range(best + 1, bound // largest + 1):
            if best_error <= enough:
                break
            if (error := _wrong(operator, factor)) < best_error:
                best, best_error = factor, error
    return best


def _wrong(operator: Products, factor: int) -> float:
    """Largest error by rounding biases, in steps of the output."""
    bias: Reals = operator.bias * factor
    return float((np.abs(bias - np.rint(bias)) * operator.scale / factor).max())


def _average(made: FrozenBuilder, operator: Average, reads: int) -> int:
    size = made.shape(reads)[1:]
    pool = operator.window or whole_window(*size)
    if not operator.counts_padding:
        pool = replace(pool, counted=NO_PADS)
    terms = averages.base(pool, *size)[0] if pool.uneven else pool.taps
    if pool.uneven:
        averages.check(pool, *size, terms)
    biases = np.rint((operator.bias - operator.zero_in) * terms).astype(np.int64)
    scaling = _scaling(operator, operator.scale / terms, biases)
    return made.average_pool(reads, pool, _dividing(scaling, operator, terms), operator.node)


def _dividing(scaling: Scaling, operator: Average, terms: int) -> Scaling:
    """Averages in the scale of their map are quotients of whole numbers; some are halves, which no multiplier gives.

    So it is rounded up, what is just above a half is one, and the sums of the bytes are made positive by an even number
    of steps, which leaves even what is even.
    """
    steps = (128 + operator.zero_in) // 2 * 2
    halves = bool((operator.scale == 1.0).all()) and terms & (terms - 1) != 0
    if not halves or operator.zero - steps < LOW or len(scaling.biases) > 1:
        return scaling
    shift = int(scaling.shifts[0])
    return replace(
        scaling, biases=scaling.biases + steps * terms, multipliers=np.array([-(-(ONE << shift) // terms)]),
        zero=operator.zero - steps, zero_out=operator.zero, near_half=True,
    )  # fmt: skip


def _scaling(operator: Products | Average, scale: Reals, biases: np.ndarray, addend: Addend | None = None) -> Scaling:
    """Half to even, as ONNX rounds. One scale for all channels where they have the same."""
    if (biases == biases[0]).all() and (scale == scale[0]).all():
        biases, scale = biases[:1], scale[:1]
    return Scaling.of(
        scale, biases, zero_in=operator.zero_in, zero=operator.zero, low=operator.low, high=operator.high, even=True,
        addend=addend,
    )  # fmt: skip
