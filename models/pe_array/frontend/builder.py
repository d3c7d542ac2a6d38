# SPDX-License-Identifier: Apache-2.0
"""Collects maps and operators while a model is read, and makes bytes of sums where the model quantises them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.pe_array.frontend.graph import (
    HIGH,
    LOW,
    Average,
    Concatenation,
    Int16Array,
    MapAddend,
    Maximum,
    Operator,
    Products,
    QuantisedMap,
    Reals,
)  # fmt: skip
from models.pe_array.frontend.values import (
    NO_PAD,
    ZERO_CHANNEL,
    Dequantised,
    Dims,
    Joined,
    Largest,
    Mean,
    Picture,
    Quantisation,
    Real,
    Refusal,
    Select,
    View,
    Weighted,
    shape_of,
)  # fmt: skip
from models.pe_array.isa.shapes import KERNEL_MAX, Conv, Pads
from models.pe_array.network.layer import CHANNELS_MAX, SIZE_MAX, Shape

VALUES_MAX = 1 << 26
"""Of a map of one picture."""


class Builder:
    """The graph as far as it has been read.

    Attributes:
        maps: by name.
        operators: in their order.
        picture_axes: order of the axes of the network's input in its map; None: nothing has read it.
    """

    def __init__(self) -> None:
        self.maps: dict[str, QuantisedMap] = {}
        self.operators: list[Operator] = []
        self.picture_axes: tuple[int, ...] | None = None
        self._selected: dict[tuple[str, Select], str] = {}

    def new_map(self, name: str, shape: Shape, unsigned: bool, known: Quantisation | None) -> None:
        """A map that is read or made. Refusal where it is too large."""
        channels, height, width = shape
        if not (1 <= channels <= CHANNELS_MAX and 1 <= height <= SIZE_MAX and 1 <= width <= SIZE_MAX):
            raise Refusal(
                f"a map of {channels} x {height} x {width}: at most {CHANNELS_MAX} channels of {SIZE_MAX} x {SIZE_MAX}"
            )
        if channels * height * width > VALUES_MAX:
            raise Refusal(f"a map of {channels} x {height} x {width} has more than {VALUES_MAX:,} values")
        self.maps[name] = QuantisedMap(
            name, shape, known.scale if known else None, known.zero if known else 0, unsigned
        )

    def input(self, picture: Picture, unsigned: bool, known: Quantisation | None) -> View:
        """The map of the picture, of which there is one. Refusal where it is wanted in two orders of its axes."""
        if self.picture_axes not in (None, picture.axes):
            raise Refusal(f"the axes of {picture.name} are needed in two orders")
        self.picture_axes = picture.axes
        shape = shape_of(picture.ordered)
        if picture.name not in self.maps:
            self.new_map(picture.name, shape, unsigned, known)
        return View(picture.name, shape, picture.ordered, unsigned)

    def learn(self, name: str, known: Quantisation) -> None:
        """What a reader says of a map of which nothing was known, a picture of bytes, and of those it is made of."""
        made = self.maps[name]
        if made.scale is not None:
            return
        self.maps[name] = replace(made, scale=known.scale, zero=known.zero)
        for number, each in enumerate(self.operators):
            if each.makes == name:
                if isinstance(each, Products):
                    self.operators[number] = replace(each, zero_in=known.zero, zero=known.zero)
                for source in each.reads:
                    self.learn(source, known)

    def relearn(self, view: View, known: Quantisation | None) -> View:
        """What its bytes mean, where they have been made as whole numbers."""
        scale, zero = (known.scale, known.zero) if known else (None, 0)
        self.maps[view.map] = replace(self.maps[view.map], scale=scale, zero=zero)
        return view

    def known(self, view: View) -> Quantisation | None:
        """What is known of the bytes of a map."""
        made = self.maps[view.map]
        return None if made.scale is None else Quantisation(made.scale, made.zero, made.unsigned)

    # --- bytes ---

    def whole(self, view: View, node: str) -> View:
        """A view without a selection: what is selected is made a map of its own, once.

        Refusal where its padding is not what stands for 0 in the map.
        """
        select = view.select
        if select is None:
            return view
        name = self._selected.get((view.map, select))
        if name is None:
            zero = self.maps[view.map].zero
            _check_fill(select, zero)
            read = replace(view, shape=self.maps[view.map].shape, select=None)
            conv, weights = _selecting(select, read.shape)
            name = self._unused(f"{view.map}/{node}")
            self.new_map(name, select.shape, view.unsigned, self.known(view))
            ones, zeros = np.ones(conv.rows), np.zeros(conv.rows)
            self.operators.append(Products(node, (view.map,), name, LOW, HIGH, conv, weights, zeros, ones, zero, zero))
            self._selected[view.map, select] = name
        return replace(view, map=name, shape=self.maps[name].shape, select=None)

    def padded(self, view: View, zero: int, node: str) -> tuple[View, Pads]:
        """A view of a whole map, and the padding of value ``zero`` that a window has to add."""
        select = view.select
        shape = self.maps[view.map].shape
        if select is not None and select.only_pads(shape) and select.fill in (None, zero):
            return replace(view, shape=shape, dims=shape, select=None), select.pad
        return self.whole(view, node), NO_PAD

    def _unused(self, name: str) -> str:
        while name in self.maps:
            name += "'"
        return name

    # --- real numbers to bytes ---

    def quantise(self, real: Real, quantisation: Quantisation, name: str) -> View:
        """The bytes of real numbers, rounded half to even. Refusal where the array cannot make them."""
        draft = real.draft
        if real.plain and isinstance(draft, Dequantised):
            same = (float(real.scale[0]), draft.zero) == (quantisation.scale, quantisation.zero)
            if same and draft.view.unsigned == quantisation.unsigned:
                return draft.view
        if isinstance(draft, Joined):
            return self._joined(real, draft, quantisation, name)
        if isinstance(draft, Largest):
            return self._largest(real, draft, quantisation, name)
        self.operators.append(self._rounding(real, quantisation, name))
        self.new_map(name, draft.shape, quantisation.unsigned, quantisation)
        return View(name, draft.shape, draft.dims, quantisation.unsigned)

    def _rounding(self, real: Real, quantisation: Quantisation, name: str) -> Operator:
        draft = real.draft
        if isinstance(draft, Dequantised):
            draft = self._as_products(draft)
        limits = quantisation.byte(real.low), quantisation.byte(real.high)
        scale, bias, dead = _positive(real.scale / quantisation.scale, real.offset / quantisation.scale)
        if isinstance(draft, Weighted):
            sign = np.where(dead, 0, np.where(real.scale < 0, -1, 1)).astype(np.int16)
            weights = (draft.weights * sign[:, None, None, None]).astype(np.int16)
            addend, even_bytes = None, False
            if real.addend is not None:
                even_bytes = real.addend.even_bytes and isinstance(real.draft, Dequantised)
                added = self.whole(real.addend.view, draft.node)
                addend = MapAddend(added.map, real.addend.scale / quantisation.scale, real.addend.zero)
            reads = (draft.view.map,) if addend is None else (draft.view.map, addend.name)
            return Products(
                draft.node, reads, name, *limits, draft.conv, weights, bias, scale, draft.zero, quantisation.zero,
                addend, draft.flat, even_bytes,
            )  # fmt: skip
        assert isinstance(draft, Mean)
        assert real.addend is None
        if (real.scale <= 0).any():
            raise Refusal("averages are multiplied by a constant that is not positive")
        return Average(
            draft.node, (draft.view.map,), name, *limits, draft.window, draft.counts_padding, bias, scale, draft.zero,
            quantisation.zero,
        )  # fmt: skip

    def _as_products(self, draft: Dequantised) -> Weighted:
        """Bytes of a view as products with ones."""
        shape = self.maps[draft.view.map].shape
        select = draft.view.select or Select.all_of(shape)
        _check_fill(select, draft.zero)
        conv, weights = _selecting(select, shape)
        view = replace(draft.view, select=None)
        return Weighted(draft.node, draft.shape, draft.dims, view, draft.zero, conv, weights, flat=False)

    def _largest(self, real: Real, draft: Largest, quantisation: Quantisation, name: str) -> View:
        scale = float(real.scale[0])
        same = (scale, draft.zero) == (quantisation.scale, quantisation.zero) and real.addend is None
        same = same and bool((real.scale == scale).all()) and not real.offset.any()
        unsigned = draft.view.unsigned
        if same and unsigned == quantisation.unsigned:
            self.largest(draft, name, quantisation, quantisation.byte(real.low), quantisation.byte(real.high))
            return View(name, draft.shape, draft.dims, unsigned)
        if (real.scale <= 0).any():
            raise Refusal("largest values are multiplied by a constant that is not positive")
        inner = self._unused(f"{name}/largest")
        self.largest(draft, inner, None, LOW, HIGH)
        view = View(inner, draft.shape, draft.dims, unsigned)
        return self.quantise(
            replace(real, draft=Dequantised(draft.node, draft.shape, draft.dims, view, draft.zero)), quantisation, name
        )

    def largest(self, draft: Largest, name: str, known: Quantisation | None, low: int, high: int) -> None:
        """A map of largest bytes."""
        self.operators.append(Maximum(draft.node, (draft.view.map,), name, low, high, draft.window))
        self.new_map(name, draft.shape, draft.view.unsigned, known)

    def _joined(self, real: Real, draft: Joined, quantisation: Quantisation, name: str) -> View:
        starts = np.cumsum([0, *(part.draft.shape[0] for part in draft.parts)])
        views = []
        for number, part in enumerate(draft.parts):
            if real.addend is not None or not part.unlimited:
                raise Refusal("a map is added to joined ones, or these are limited, before they are quantised")
            here = slice(starts[number], starts[number + 1])
            scaled = part.times(real.scale[here])
            scaled = replace(scaled, offset=scaled.offset + real.offset[here], low=real.low, high=real.high)
            views.append(self.quantise(scaled, quantisation, self._unused(f"{name}/{number}")))
        return self.join(draft.node, views, draft.dims, name, quantisation)

    def join(self, node: str, views: list[View], dims: Dims, name: str, known: Quantisation | None) -> View:
        """Bytes of several maps, channel after channel. Refusal where their sizes differ."""
        views = [self.whole(view, node) for view in views]
        if len({view.shape[1:] for view in views}) > 1:
            raise Refusal("maps of different sizes are joined")
        shape = (sum(view.shape[0] for view in views), *views[0].shape[1:])
        if len(views) == 1:
            return views[0]
        self.operators.append(Concatenation(node, tuple(view.map for view in views), name, LOW, HIGH))
        self.new_map(name, shape, views[0].unsigned, known)
        return View(name, shape, dims, views[0].unsigned)


def _check_fill(select: Select, zero: int) -> None:
    if select.fill not in (None, zero):
        raise Refusal(f"padding with the byte {select.fill}; the array pads with the zero point, here {zero}")


def _positive(scale: Reals, offset: Reals) -> tuple[Reals, Reals, np.ndarray]:
    """(positive scale, offset in units of the sums, where the scale was 0)."""
    dead = scale == 0
    made = np.where(dead, 1.0, np.abs(scale))
    return made, offset / made, dead


def _selecting(select: Select, shape: Shape) -> tuple[Conv, Int16Array]:
    """The convolution that selects, and its weights (rows, cols / groups, KH, KW). Refusal: its window is too large."""
    spare = (shape[axis + 1] - select.count[axis] * select.step[axis] + 1 for axis in (0, 1))
    kernel = tuple(max(1 + start, more) for start, more in zip(select.start, spare, strict=True))
    if max(kernel) > KERNEL_MAX:
        raise Refusal(f"{max(kernel) - 1} rows or columns of a map are cut off, at most {KERNEL_MAX - 1}")
    channels = len(select.channels)
    own = select.channels == tuple(range(shape[0]))
    conv = Conv.make(channels, shape[0], (kernel[0], kernel[1]), select.step, select.pad, 1, channels if own else 1)
    weights = np.zeros((channels, 1 if own else shape[0], *kernel), dtype=np.int16)
    for row, channel in enumerate(select.channels):
        if channel != ZERO_CHANNEL:
            weights[row, 0 if own else channel, select.start[0], select.start[1]] = 1
    return conv, weights
