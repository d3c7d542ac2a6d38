# SPDX-License-Identifier: Apache-2.0
"""What the tensors of a model are while it is read: constants, bytes of a map, or real numbers that are made of one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.pe_array.frontend.graph import HIGH, LOW, Int16Array, Reals
from models.pe_array.isa.shapes import Conv, Pads, Pair, Pool
from models.pe_array.network.layer import Shape

Array = npt.NDArray[np.generic]
Int64s = npt.NDArray[np.int64]
Dims = tuple[int, ...]
NO_PAD: Pads = (0, 0, 0, 0)
ZERO_CHANNEL = -1
"""In place of the channel that is selected: a channel of padding."""


class Refusal(Exception):
    """Why a node cannot be had; without a reason: because another one, on which it depends, cannot."""


def shape_of(dims: Dims) -> Shape:
    """(channels, H, W) of a tensor without its batch. Refusal where it has more dimensions."""
    if len(dims) > 3:
        raise Refusal(f"a map of {len(dims) - 1} spatial dimensions; the array has 2")
    return ((1, 1, 1), (*dims, 1, 1), (*dims[:1], 1, *dims[1:]), dims)[len(dims)]  # type: ignore[return-value]


@dataclass(frozen=True)
class Constant:
    """Numbers that the model holds, or that follow from shapes."""

    array: Array


@dataclass(frozen=True)
class QuantisedConstant:
    """Weights or biases: real value ``scale * values``.

    Attributes:
        values: integers minus their zero point.
        scale: float64, of as many dimensions as ``values`` and broadcast to them.
    """

    values: Int64s
    scale: Reals

    @property
    def real(self) -> Reals:
        """Real values."""
        return self.scale * self.values


@dataclass(frozen=True)
class Picture:
    """The network's input as it is given, of which no map has been made yet.

    Attributes:
        dims: without the batch, as the picture is given.
        axes: order of these axes in the tensor.
        unsigned: of bytes; None: it is floating point, to be quantised.
    """

    name: str
    dims: Dims
    axes: tuple[int, ...]
    unsigned: bool | None

    @property
    def ordered(self) -> Dims:
        """Of the tensor, without the batch."""
        return tuple(self.dims[axis] for axis in self.axes)


@dataclass(frozen=True)
class Select:
    """A part of a map with padding around it, of which nothing has been made yet.

    Attributes:
        channels: of the map, in order; ZERO_CHANNEL: one of padding.
        start, step, count: rows and columns.
        pad: rows and columns of padding around these.
        fill: the byte that padding has; None where there is none.
    """

    channels: tuple[int, ...]
    start: Pair
    step: Pair
    count: Pair
    pad: Pads = NO_PAD
    fill: int | None = None

    @classmethod
    def all_of(cls, shape: Shape) -> Select:
        """Of a map, all."""
        return cls(tuple(range(shape[0])), (0, 0), (1, 1), shape[1:])

    @property
    def shape(self) -> Shape:
        """With its padding."""
        height, width = (self.count[axis] + self.pad[axis] + self.pad[axis + 2] for axis in (0, 1))
        return len(self.channels), height, width

    def only_pads(self, shape: Shape) -> bool:
        """Whether all of a map of that shape is selected, so that a window's own padding does the rest."""
        return replace(self, pad=NO_PAD, fill=None) == Select.all_of(shape)


@dataclass(frozen=True)
class View:
    """Bytes of a map as a tensor of the model.

    Attributes:
        map: name.
        shape: of the map, or of what is selected.
        dims: of the tensor, without the batch: the same values in the same order.
        unsigned: the model has them as uint8.
        select: None: all of it.
    """

    map: str
    shape: Shape
    dims: Dims
    unsigned: bool
    select: Select | None = None

    @property
    def aligned(self) -> bool:
        """Whether channels, rows and columns of the tensor are those of the map."""
        return len(self.dims) <= 3 and shape_of(self.dims) == self.shape


@dataclass(frozen=True)
class Draft:
    """Sums of which no bytes have been made yet.

    Attributes:
        node: that makes them.
        shape, dims: as those of a view.
    """

    node: str
    shape: Shape
    dims: Dims


@dataclass(frozen=True)
class Dequantised(Draft):
    """The bytes of a view minus their zero point."""

    view: View
    zero: int


@dataclass(frozen=True)
class Weighted(Draft):
    """Products with weights; see ``graph.Products``."""

    view: View
    zero: int
    conv: Conv
    weights: Int16Array
    flat: bool


@dataclass(frozen=True)
class Mean(Draft):
    """See ``graph.Average``."""

    view: View
    zero: int
    window: Pool | None
    counts_padding: bool


@dataclass(frozen=True)
class Largest(Draft):
    """See ``graph.Maximum``: bytes minus the zero point."""

    view: View
    zero: int
    window: Pool


@dataclass(frozen=True)
class Joined(Draft):
    """Channels of several, one after the other."""

    parts: tuple[Real, ...]


@dataclass(frozen=True)
class RealAddend:
    """``scale * (bytes of view - zero)``; the scale is positive.

    Attributes:
        even_bytes: of the sum of two maps; see ``graph.Products``.
    """

    view: View
    scale: float
    zero: int
    even_bytes: bool


@dataclass(frozen=True)
class Real:
    """Real numbers: ``clip(scale * sums + offset + addend, low, high)``.

    Attributes:
        scale, offset: float64 (channels,).
    """

    draft: Draft
    scale: Reals
    offset: Reals
    addend: RealAddend | None = None
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def of(cls, draft: Draft, scale: Reals | float) -> Real:
        """Sums times a scale, one or one per channel."""
        channels = draft.shape[0]
        return cls(draft, np.broadcast_to(np.asarray(scale, float), (channels,)), np.zeros(channels))

    @property
    def dims(self) -> Dims:
        """Of the tensor, without the batch."""
        return self.draft.dims

    @property
    def unlimited(self) -> bool:
        """Nothing is clipped."""
        return self.low == -math.inf and self.high == math.inf

    @property
    def plain(self) -> bool:
        """The bytes of a view, dequantised and no more."""
        one = bool((self.scale == self.scale[0]).all() and self.scale[0] > 0 and not self.offset.any())
        return isinstance(self.draft, Dequantised) and self.unlimited and self.addend is None and one

    def times(self, factor: Reals) -> Real:
        """Times constants (1,) or (channels,). Refusal where limits or a map that is added forbid it."""
        one, real = float(factor[0]), self
        if not self.unlimited or self.addend is not None:
            if (factor != one).any() or one <= 0:
                raise Refusal(
                    "a limited value or a sum of maps times different or negative constants: quantise it before"
                )
            addend = self.addend and replace(self.addend, scale=self.addend.scale * one)
            real = replace(self, low=self.low * one, high=self.high * one, addend=addend)
        return replace(real, scale=self.scale * factor, offset=self.offset * factor)

    def with_dims(self, dims: Dims) -> Real:
        """The same values in the same order, as another tensor."""
        draft = self.draft
        if isinstance(draft, Dequantised):
            draft = replace(draft, view=replace(draft.view, dims=dims))
        return replace(self, draft=replace(draft, dims=dims))


@dataclass(frozen=True)
class OnHost:
    """What the host makes of a value of the array; see ``graph.Output``.

    Attributes:
        node: name of the first of them.
        tensor: name of the tensor of the model that it reads.
        operators: types, in their order.
    """

    of: View
    node: str
    tensor: str
    operators: tuple[str, ...]


@dataclass(frozen=True)
class Quantisation:
    """Of a tensor of bytes: real value ``scale * (byte - zero)``, the byte shifted where it is unsigned."""

    scale: float
    zero: int
    unsigned: bool

    def byte(self, real: float) -> int:
        """The byte next to a real number, which may be infinite."""
        low, high = (LOW - self.zero) * self.scale, (HIGH - self.zero) * self.scale
        return int(np.rint(min(max(real, low), high) / self.scale)) + self.zero


Value = Constant | QuantisedConstant | Picture | View | Real | OnHost
