# SPDX-License-Identifier: Apache-2.0
"""Tensors by another name, parts of maps, maps with padding, and maps one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.pe_array.frontend.builder import Builder
from models.pe_array.frontend.nodes.node import Handler, Node, axis_of, volume
from models.pe_array.frontend.nodes.quantising import dequantised, quantisation
from models.pe_array.frontend.values import (
    ZERO_CHANNEL,
    Constant,
    Dequantised,
    Dims,
    Joined,
    OnHost,
    Picture,
    QuantisedConstant,
    Real,
    Refusal,
    Select,
    Value,
    View,
)  # fmt: skip
from models.pe_array.network.layer import CHANNELS_MAX, SIZE_MAX


def dims_of(value: Value, node: Node) -> Dims:
    """Of a value that is no constant, without the batch."""
    match value:
        case Picture():
            return value.ordered
        case View() | Real():
            return value.dims
        case OnHost():
            return value.of.dims
        case _:
            raise Refusal(f"{node.given[0]} is constant")


def _renamed(node: Node, build: Builder, shape: Sequence[int]) -> Value:
    """The same values in the same order as a tensor of another shape, which has the batch first."""
    value = node.value(0)
    if isinstance(value, OnHost):
        return replace(value, operators=(*value.operators, node.operator))
    old = dims_of(value, node)
    if not shape or shape[0] != node.batch or volume(tuple(shape[1:])) != volume(old):
        raise Refusal(f"{(node.batch, *old)} becomes {tuple(shape)}: the batch must stay the first dimension")
    dims = tuple(shape[1:])
    if dims == old:
        return value
    if isinstance(value, View):
        return replace(build.whole(value, node.name), dims=dims)
    if isinstance(value, Real):
        draft = value.draft
        if isinstance(draft, Dequantised):
            value = replace(value, draft=replace(draft, view=build.whole(draft.view, node.name)))
        return value.with_dims(dims)
    raise Refusal(f"{node.given[0]} is reshaped before it is quantised")


def _full(node: Node) -> tuple[int, ...]:
    return (node.batch, *dims_of(node.value(0), node))


def _reshape(node: Node, build: Builder) -> Value:
    value, wanted = node.value(0), node.integers("shape", 1)
    if wanted is None:
        raise Refusal("the shape is missing")
    if isinstance(value, QuantisedConstant):
        if value.scale.size != 1:
            raise Refusal("weights with a scale per channel are reshaped")
        return _constant(value, np.reshape(value.values, wanted))
    old, zero_counts = _full(node), node.attributes.get("allowzero")
    if len(wanted) > 8 or any(n == 0 and not zero_counts and k >= len(old) for k, n in enumerate(wanted)):
        raise Refusal(f"{old} becomes {wanted}")
    shape = [old[k] if n == 0 and not zero_counts else n for k, n in enumerate(wanted)]
    rest = volume(tuple(n for n in shape if n != -1))
    if shape.count(-1) == 1 and rest > 0:
        shape[shape.index(-1)] = volume(old) // rest
    return _renamed(node, build, shape)


def _constant(value: QuantisedConstant, values: np.ndarray) -> QuantisedConstant:
    return QuantisedConstant(values, value.scale.reshape((1,) * values.ndim))


def _flatten(node: Node, build: Builder) -> Value:
    full = _full(node)
    axis = int(node.attributes.get("axis", 1))
    axis = axis + len(full) if axis < 0 else axis
    return _renamed(node, build, (volume(full[:axis]), volume(full[axis:])))


def _squeeze(node: Node, build: Builder) -> Value:
    full, axes = _full(node), node.integers("axes", 1)
    ones = [k for k, n in enumerate(full) if n == 1]
    drop = set(ones) if axes is None else {axis_of(axis, len(full)) for axis in axes}
    if any(full[axis] != 1 for axis in drop):
        raise Refusal(f"axes {axes} of {full} are not all 1")
    return _renamed(node, build, [n for k, n in enumerate(full) if k not in drop])


def _unsqueeze(node: Node, build: Builder) -> Value:
    full, axes = _full(node), node.integers("axes", 1) or []
    rank = len(full) + len(axes)
    new, rest = {axis_of(axis, rank) for axis in axes}, iter(full)
    if len(new) != len(axes):
        raise Refusal(f"axes {axes} are not all different")
    return _renamed(node, build, [1 if k in new else next(rest) for k in range(rank)])


def _transpose(node: Node, build: Builder) -> Value:
    value = node.value(0)
    if isinstance(value, QuantisedConstant):
        permutation = node.attributes.get("perm") or list(range(value.values.ndim))[::-1]
        return QuantisedConstant(value.values.transpose(permutation), value.scale.transpose(permutation))
    full = _full(node)
    order = [int(each) for each in node.attributes.get("perm") or range(len(full))[::-1]]
    if sorted(order) != list(range(len(full))):
        raise Refusal(f"perm = {order} of {len(full)} dimensions")
    if isinstance(value, Picture) and order[0] == 0:
        return replace(value, axes=tuple(value.axes[k - 1] for k in order[1:]))
    if isinstance(value, OnHost):
        return _renamed(node, build, full)
    moved = [k for k in order if full[k] != 1 or k == 0]
    if moved != sorted(moved):
        raise Refusal(f"perm = {order} of {full} moves values: channels must come first, then rows and columns")
    return _renamed(node, build, [full[k] for k in order])


def _same(node: Node, build: Builder) -> Value:
    trained = node.operator == "Dropout" and node.has(2) and np.any(node.constant(2, "training_mode"))
    if trained and (not node.has(1) or np.any(node.constant(1, "ratio"))):
        raise Refusal("training_mode = 1: values are dropped at random")
    if node.operator == "Dropout" and node.makes(1):
        raise Refusal("a mask is made")
    value = node.value(0)
    return replace(value, operators=(*value.operators, node.operator)) if isinstance(value, OnHost) else value


# --- parts ---


def _part(node: Node, build: Builder, ranges: dict[int, range], index: int = 0) -> Value:
    """Channels, rows, columns of a map: a range for each axis of the tensor that is not whole."""
    value = node.value(index)
    view = node.read(value, index).view if isinstance(value, Real) else node.aligned(node.bytes(index), index)
    if view.select is not None and any(view.select.pad):
        view = build.whole(view, node.name)
    select = view.select or Select.all_of(view.shape)
    dims = list(view.dims)
    for axis, part in ranges.items():
        if not len(part):
            raise Refusal("nothing is left of a map")
        dims[axis - 1] = len(part)
        if axis == 1:
            select = replace(select, channels=tuple(select.channels[k] for k in part))
            continue
        if part.step < 0:
            raise Refusal("rows or columns in reverse order")
        way = axis - 2 if len(view.dims) == 3 else 1
        begin, step, count = list(select.start), list(select.step), list(select.count)
        begin[way] += part.start * step[way]
        step[way] *= part.step if len(part) > 1 else 1
        count[way] = len(part)
        select = replace(select, start=(begin[0], begin[1]), step=(step[0], step[1]), count=(count[0], count[1]))
    return _selected(value, view, select, tuple(dims))


def _selected(value: Value, view: View, select: Select, dims: Dims) -> Value:
    made = replace(view, shape=select.shape, dims=dims, select=select)
    if isinstance(value, Real):
        assert isinstance(value.draft, Dequantised)
        return Real.of(Dequantised(value.draft.node, made.shape, dims, made, value.draft.zero), value.scale[0])
    return made


def _slice(node: Node, build: Builder) -> Value:
    full = _full(node)
    starts, ends = node.integers("starts", 1), node.integers("ends", 2)
    if starts is None or ends is None:
        raise Refusal("starts and ends are missing")
    axes = node.integers("axes", 3) or list(range(len(starts)))
    steps = node.integers("steps", 4) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Refusal("starts, ends, axes and steps do not fit each other")
    ranges = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        here = axis_of(axis, len(full))
        part = range(*slice(start, end, step).indices(full[here]))
        if part != range(full[here]):
            ranges[here] = part
    if 0 in ranges:
        raise Refusal("a part of the batch is taken")
    return _part(node, build, ranges) if ranges else node.value(0)


def _split(node: Node, build: Builder) -> tuple[Value, ...]:
    full = _full(node)
    axis = axis_of(int(node.attributes.get("axis", 0)), len(full))
    count = len(node.outputs)
    sizes = node.integers("split", 1)
    if sizes is None:
        most = -(-full[axis] // count)
        sizes = [max(0, min(most, full[axis] - k * most)) for k in range(count)]
    if axis == 0 or sum(sizes) != full[axis] or len(sizes) != count or min(sizes) < 1:
        raise Refusal(f"axis {axis} of {full} is split into {sizes}")
    ends = np.cumsum(sizes)
    return tuple(
        _part(node, build, {axis: range(int(end) - size, int(end))}) for end, size in zip(ends, sizes, strict=True)
    )


def _pad(node: Node, build: Builder) -> Value:
    if node.attributes.get("mode", b"constant") != b"constant":
        raise Refusal(f"mode = {node.attributes['mode'].decode()}; padding of one value can be had")
    full, pads = _full(node), node.integers("pads", 1)
    axes = node.integers("axes", 3) or list(range(len(full)))
    if pads is None or len(pads) != 2 * len(axes):
        raise Refusal("pads do not fit the axes")
    ends = {axis_of(axis, len(full)): (pads[k], pads[k + len(axes)]) for k, axis in enumerate(axes)}
    ends = {axis: pair for axis, pair in ends.items() if pair != (0, 0)}
    if min((min(pair) for pair in ends.values()), default=0) < 0 or 0 in ends:
        raise Refusal("negative padding, or padding of the batch")
    if max((max(pair) for pair in ends.values()), default=0) > max(CHANNELS_MAX, SIZE_MAX):
        raise Refusal(f"padding beyond {max(CHANNELS_MAX, SIZE_MAX)}")
    value = node.value(0)
    if not ends:
        return value
    given = node.reals(2, "the value") if node.has(2) else np.asarray(float(node.attributes.get("value", 0.0)))
    if given.size != 1:
        raise Refusal("the value of padding must be one number")
    real = float(given.reshape(-1)[0])
    if isinstance(value, Real):
        read = node.read(value)
        view, steps = read.view, real / float(value.scale[0]) + read.zero
    else:
        view = node.aligned(node.bytes(0))
        steps = real - (128 if view.unsigned else 0)
    fill = round(steps)
    if abs(steps - fill) > 1e-3 or not -128 <= fill <= 127:
        raise Refusal(f"padding of {real:g} is no byte of the map")
    return _padded(node, build, value, view, ends, fill)


def _padded(node: Node, build: Builder, value: Value, view: View, ends: dict[int, tuple[int, int]], fill: int) -> Value:
    """A map with padding at both ends of some axes."""
    select = view.select or Select.all_of(view.shape)
    shape = build.maps[view.map].shape
    rows = any(axis > 1 for axis in ends)
    cut = (select.start, select.step, select.count) != ((0, 0), (1, 1), shape[1:])
    if select.fill not in (None, fill) or (rows and cut):
        view = build.whole(view, node.name)
        select = Select.all_of(view.shape)
    pad, dims = list(select.pad), list(view.dims)
    for axis, (before, after) in ends.items():
        dims[axis - 1] += before + after
        if axis == 1:
            channels = ((ZERO_CHANNEL,) * before, select.channels, (ZERO_CHANNEL,) * after)
            select = replace(select, channels=sum(channels, ()))
        else:
            way = axis - 2 if len(view.dims) == 3 else 1
            pad[way] += before
            pad[way + 2] += after
    select = replace(select, pad=(pad[0], pad[1], pad[2], pad[3]), fill=fill)
    return _selected(value, view, select, tuple(dims))


# --- one after the other ---


def _concat(node: Node, build: Builder) -> Value:
    values = [node.value(k) for k in range(len(node.inputs))]
    if any(isinstance(each, Constant | QuantisedConstant) for each in values):
        raise Refusal("a map and constants are joined")
    dims = _joined_dims(node, [dims_of(each, node) for each in values])
    if all(isinstance(each, View) for each in values):
        views = [node.aligned(node.bytes(k), k) for k in range(len(values))]
        if len({view.unsigned for view in views}) > 1:
            raise Refusal("int8 and uint8 are joined")
        return build.join(node.name, views, dims, node.outputs[0], build.known(views[0]))
    return _join(node, [node.real(k) for k in range(len(values))], dims)


def _joined_dims(node: Node, parts: list[Dims]) -> Dims:
    rank = len(parts[0]) + 1
    if any(len(part) + 1 != rank for part in parts) or rank < 2:
        raise Refusal("tensors of different numbers of dimensions are joined")
    if axis_of(int(node.attributes["axis"]), rank) != 1:
        raise Refusal(f"maps are joined along axis {node.attributes['axis']}; the array joins channels, axis 1")
    return (sum(part[0] for part in parts), *parts[0][1:])


def _join(node: Node, parts: list[Real], dims: Dims) -> Real:
    shapes = [part.draft.shape for part in parts]
    for part in parts:
        if isinstance(part.draft, Dequantised):
            node.aligned(part.draft.view)
        if len(part.dims) != len(dims) or part.draft.shape[1:] != shapes[0][1:]:
            raise Refusal("maps of different sizes are joined")
    shape = (sum(each[0] for each in shapes), *shapes[0][1:])
    return Real.of(Joined(node.name, shape, dims, tuple(parts)), 1.0)


def _qlinear_concat(node: Node, build: Builder) -> Value:
    parts = [dequantised(node, build, k, k + 1, k + 2) for k in range(2, len(node.inputs), 3)]
    joined = _join(node, parts, _joined_dims(node, [part.dims for part in parts]))
    return build.quantise(joined, quantisation(node, 0, 1), node.outputs[0])


HANDLERS: dict[str, Handler] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Identity": _same,
    "Dropout": _same,
    "Slice": _slice,
    "Split": _split,
    "Pad": _pad,
    "Concat": _concat,
    "QLinearConcat": _qlinear_concat,
}
