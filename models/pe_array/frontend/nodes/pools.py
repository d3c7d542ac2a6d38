# SPDX-License-Identifier: Apache-2.0
"""Largest values and averages of windows, or of whole maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.pe_array.frontend.builder import Builder
from models.pe_array.frontend.nodes.node import Handler, Node, axis_of
from models.pe_array.frontend.nodes.quantising import dequantised, quantisation
from models.pe_array.frontend.nodes.windows import WindowOnMap, window_of
from models.pe_array.frontend.values import NO_PAD, Dims, Largest, Mean, Real, Refusal, Value, View, Weighted
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.network.layer import Shape


def _pool(window: WindowOnMap) -> Pool:
    shape = window.shape
    return Pool(shape.kernel, shape.stride, shape.pad, shape.dilation)


def _size(pool: Pool, shape: Shape, rank: int) -> tuple[Shape, Dims]:
    """(shape, dims) of what a pool makes. Refusal where it does not fit on the map."""
    try:
        made = (shape[0], *pool.out_size(*shape[1:]))
    except ValueError as error:
        raise Refusal(str(error)) from None
    return made, made if rank == 3 else (made[0], *made[2:])


def _kernel(node: Node) -> tuple[int, ...]:
    return tuple(int(each) for each in node.attributes["kernel_shape"])


# --- largest values ---


def _max_pool(node: Node, build: Builder) -> Value:
    if node.makes(1):
        raise Refusal("indices of the largest values are not made")
    return _largest(node, build, _pool(window_of(node, _dims(node), _kernel(node))))


def _dims(node: Node) -> Dims:
    found = node.value(0)
    return found.dims if isinstance(found, View) else node.real(0).dims


def _global_max(node: Node, build: Builder) -> Value:
    return _largest(node, build, _pool(window_of(node, _dims(node), _dims(node)[1:])))


def _largest(node: Node, build: Builder, pool: Pool) -> Value:
    found = node.value(0)
    if isinstance(found, View):
        node.aligned(found)
        view = build.whole(found, node.name)
        shape, dims = _size(pool, view.shape, len(found.dims))
        build.largest(Largest(node.name, shape, dims, view, 0, pool), node.outputs[0], build.known(view), -128, 127)
        return View(node.outputs[0], shape, dims, view.unsigned)
    source = node.real(0)
    read = node.read(source)
    view = build.whole(read.view, node.name)
    shape, dims = _size(pool, view.shape, len(read.dims))
    return Real.of(Largest(node.name, shape, dims, view, read.zero, pool), source.scale[0])


# --- averages ---


def _mean(node: Node, build: Builder, source: Real, window: WindowOnMap) -> Real:
    read = node.read(source)
    view, counts = read.view, bool(node.attributes.get("count_include_pad"))
    select = view.select
    if select is not None and not any(window.pad) and not any(window.beyond):
        view, pad = build.padded(view, read.zero, node.name)
        counts, window = counts or any(pad), replace(window, pad=pad)
    view = build.whole(view, node.name)
    if any(window.beyond) and any(window.pad) and counts:
        raise Refusal("ceil_mode with padding that counts: the array counts all of a window, or what it sees")
    counts = counts and not any(window.beyond)
    pool = _pool(window)
    shape, dims = _size(pool, view.shape, len(read.dims))
    return Real.of(Mean(node.name, shape, dims, view, read.zero, pool, counts or not any(pool.pad)), source.scale[0])


def _average_pool(node: Node, build: Builder) -> Value:
    source = node.real(0)
    return _mean(node, build, source, window_of(node, source.dims, _kernel(node)))


def _qlinear_average(node: Node, build: Builder) -> Value:
    _channels_first(node)
    source = dequantised(node, build, 0, 1, 2)
    made = _mean(node, build, source, window_of(node, source.dims, _kernel(node)))
    return build.quantise(made, quantisation(node, 3, 4), node.outputs[0])


def _channels_first(node: Node) -> None:
    if node.attributes.get("channels_last"):
        raise Refusal("channels_last = 1: channels must come before rows and columns")


def _of_whole(node: Node, build: Builder, source: Real) -> Real:
    """Averages of whole maps."""
    read = node.read(source)
    view = build.whole(read.view, node.name)
    shape = (view.shape[0], 1, 1)
    dims = (shape[0], *(1 for _ in read.dims[1:]))
    return Real.of(Mean(node.name, shape, dims, view, read.zero, None, True), source.scale[0])


def _global_average(node: Node, build: Builder) -> Value:
    return _of_whole(node, build, node.real(0))


def _qlinear_global_average(node: Node, build: Builder) -> Value:
    _channels_first(node)
    made = _of_whole(node, build, dequantised(node, build, 0, 1, 2))
    return build.quantise(made, quantisation(node, 3, 4), node.outputs[0])


def _reduce_mean(node: Node, build: Builder) -> Value:
    source = node.real(0)
    rank = len(source.dims) + 1
    axes = {axis_of(axis, rank) for axis in node.integers("axes", 1) or ()}
    if not axes and node.attributes.get("noop_with_empty_axes"):
        return source
    if not axes or 0 in axes:
        raise Refusal("a mean over the batch as well; axes must be those of channels, rows or columns")
    pixels = set(range(2, rank))
    made = _of_whole(node, build, source) if pixels and axes == pixels else _of_axes(node, build, source, axes)
    if node.attributes.get("keepdims", 1):
        return made
    return made.with_dims(tuple(n for axis, n in enumerate(made.dims, start=1) if axis not in axes))


def _of_axes(node: Node, build: Builder, source: Real, axes: set[int]) -> Real:
    """Means over some axes of a tensor: over channels they are products with ones, otherwise pools."""
    read = node.read(source)
    view = build.whole(read.view, node.name)
    channels, height, width = view.shape
    ways = (2, 3) if len(read.dims) == 3 else (0, 2)  # axes of the tensor that are rows and columns
    kernel = tuple(n if way in axes else 1 for way, n in zip(ways, (height, width), strict=True))
    dims = tuple(1 if axis in axes else n for axis, n in enumerate(read.dims, start=1))
    if 1 not in axes:
        pool = _pool(WindowOnMap((kernel[0], kernel[1]), (1, 1), NO_PAD, (1, 1)))
        shape = (channels, *pool.out_size(height, width))
        return Real.of(Mean(node.name, shape, dims, view, read.zero, pool, True), source.scale[0])
    flat = kernel == (height, width)
    try:
        conv = Conv.make(1, channels * height * width) if flat else Conv.make(1, channels, kernel)  # type: ignore[arg-type]
    except ValueError as error:
        raise Refusal(str(error)) from None
    ones = np.ones((1, conv.cols, *conv.kernel), dtype=np.int16)
    shape = (1, 1, 1) if flat else (1, *conv.out_size(height, width))
    draft = Weighted(node.name, shape, dims, view, read.zero, conv, ones, flat)
    return Real.of(draft, source.scale[0] / ones.size)


HANDLERS: dict[str, Handler] = {
    "MaxPool": _max_pool,
    "GlobalMaxPool": _global_max,
    "AveragePool": _average_pool,
    "QLinearAveragePool": _qlinear_average,
    "GlobalAveragePool": _global_average,
    "QLinearGlobalAveragePool": _qlinear_global_average,
    "ReduceMean": _reduce_mean,
}
