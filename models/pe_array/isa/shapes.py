# SPDX-License-Identifier: Apache-2.0
"""Geometry of the PE array's layers: what a convolution, a fully connected layer or a pooling window is.

Feature maps have shape (channels, H, W, batch). A fully connected layer is a 1 x 1 convolution of a 1 x 1 map.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

KERNEL_MAX = 11
"""Largest side of a kernel or pooling window: 121 taps fit the 7-bit weight offset of the tap list."""

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


@dataclass(frozen=True)
class SlidingWindow:
    """A kernel or pooling window that slides over a map.

    Attributes:
        kernel: (KH, KW), each 1 … 11.
        stride, dilation: (y, x), each at least 1.
        pad: rows and columns of padding (top, left, bottom, right), the order of ONNX.
    """

    SIDE_MAX: ClassVar[int] = KERNEL_MAX

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    pad: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)

    def __post_init__(self) -> None:
        if not all(1 <= side <= self.SIDE_MAX for side in self.kernel):
            raise ValueError(f"kernel = {self.kernel} must be 1 … {self.SIDE_MAX} in both directions")
        for name, pair in (("stride", self.stride), ("dilation", self.dilation)):
            if min(pair) < 1:
                raise ValueError(f"{name} = {pair} must be at least 1 in both directions")
        if min(self.pad) < 0:
            raise ValueError(f"pad = {self.pad} must not be negative")

    @property
    def taps(self) -> int:
        """Weights of a kernel, KH*KW."""
        return self.kernel[0] * self.kernel[1]

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - a window is a few numbers
    def out_size(self, height: int, width: int) -> Pair:
        """(height, width) of the output for an input of that size; ValueError where not one window fits."""
        size = []
        for axis, (n, name) in enumerate(((height, "height"), (width, "width"))):
            reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            room = n + self.pad[axis] + self.pad[axis + 2] - reach
            if n < 1 or room < 0:
                raise ValueError(f"{name} = {n} with pad = {self.pad} is too small for a window that spans {reach}")
            size.append(room // self.stride[axis] + 1)
        return size[0], size[1]


@dataclass(frozen=True)
class Conv(SlidingWindow):
    """A convolution: its window, and a matrix of ``rows`` output by ``cols`` input channels of kernels.

    With groups, only the blocks on the diagonal of that matrix may hold kernels: output channel ``r`` sees the input
    channels of group ``r // (rows / groups)``. Depth-wise: ``groups = cols``. Indices are always those of the whole
    matrix, so that groups are nothing but a pattern of sparsity.
    """

    rows: int = 1
    cols: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rows < 1 or self.cols < 1 or self.groups < 1 or self.rows % self.groups or self.cols % self.groups:
            raise ValueError(f"groups = {self.groups} must divide rows = {self.rows} and cols = {self.cols}")

    @classmethod
    def make(
        cls, rows: int, cols: int, kernel: int | Pair = 1, stride: int | Pair = 1, pad: int | Pair | Pads = 0,
        dilation: int | Pair = 1, groups: int = 1,
    ) -> Conv:  # fmt: skip
        """A convolution from short forms: one number for both directions, ``pad`` (y, x) for both sides."""
        return cls(_pair(kernel), _pair(stride), pads(pad), _pair(dilation), rows, cols, groups)

    def allowed(self) -> npt.NDArray[np.bool_]:
        """Mask (rows, cols) of the positions that may hold a kernel."""
        group_of_row = np.arange(self.rows) // (self.rows // self.groups)
        group_of_col = np.arange(self.cols) // (self.cols // self.groups)
        return np.asarray(group_of_row[:, None] == group_of_col[None, :])


@dataclass(frozen=True)
class Pool(SlidingWindow):
    """A pooling window. Every window must see at least one pixel of the map (checked where the size is known).

    Attributes:
        counted: padding (top, left, bottom, right) that counts as pixels of an average; None: all of it does.
    """

    counted: Pads | None = None

    @classmethod
    def make(
        cls, kernel: int | Pair, stride: int | Pair | None = None, pad: int | Pair | Pads = 0,
        dilation: int | Pair = 1, counted: Pads | None = None,
    ) -> Pool:  # fmt: skip
        """A window from short forms, see ``Conv.make``; the stride is by default the kernel."""
        return cls(_pair(kernel), _pair(kernel if stride is None else stride), pads(pad), _pair(dilation), counted)

    @property
    def uneven(self) -> bool:
        """Windows at the border may count fewer pixels than others."""
        return self.counted is not None and self.counted != self.pad

    def counted_taps(self, axis: int, output: int, lines: int) -> int:
        """Rows (axis 0) or columns of a window, number ``output`` along the axis, that count; the map has ``lines``."""
        counted = self.pad if self.counted is None else self.counted
        first = output * self.stride[axis] - self.pad[axis]
        taps = range(first, first + self.kernel[axis] * self.dilation[axis], self.dilation[axis])
        return sum(-counted[axis] <= line < lines + counted[axis + 2] for line in taps)

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - a window is a few numbers
    def out_size(self, height: int, width: int) -> Pair:
        """As ``SlidingWindow.out_size``; ValueError also where a window sees nothing but padding."""
        size = super().out_size(height, width)
        for axis, n in enumerate((height, width)):
            first = np.arange(size[axis]) * self.stride[axis] - self.pad[axis]
            seen = first[:, None] + np.arange(self.kernel[axis]) * self.dilation[axis]
            if not ((seen >= 0) & (seen < n)).any(axis=1).all():
                raise ValueError(f"pad = {self.pad}: a window of kernel {self.kernel} sees nothing but padding")
        return size


@dataclass(frozen=True)
class WholeMap(Pool):
    """The window of an average over a whole map, of any size: its taps have no weights of their own."""

    SIDE_MAX: ClassVar[int] = 1 << 12


def pads(pad: int | Pair | Pads) -> Pads:
    """(top, left, bottom, right) from one number, from (y, x), or from all four."""
    if isinstance(pad, int):
        return (pad, pad, pad, pad)
    return (pad[0], pad[1], pad[0], pad[1]) if len(pad) == 2 else pad


@dataclass(frozen=True)
class Positions:
    """Where the kernels of a sparse matrix are: element ``e`` is at output channel ``row[e]``, input ``col[e]``.

    Both int32 (n,). Values, masters and gradients of the elements are arrays (n, KH, KW) in the same order.
    """

    row: npt.NDArray[np.int32]
    col: npt.NDArray[np.int32]

    @classmethod
    def of_mask(cls, mask: npt.ArrayLike) -> Positions:
        """The positions at which a (rows, cols) mask is true, in row-major order."""
        row, col = np.nonzero(np.asarray(mask))
        return cls(row.astype(np.int32), col.astype(np.int32))

    @classmethod
    def all_of(cls, conv: Conv) -> Positions:
        """Every position that the groups of a convolution allow."""
        return cls.of_mask(conv.allowed())

    @functools.cached_property
    def derived(self) -> dict[Any, Any]:
        """What has been worked out of them, by keys of those who need it again in every step: they never change."""
        return {}

    def __len__(self) -> int:
        return len(self.row)

    def mask(self, conv: Conv) -> npt.NDArray[np.bool_]:
        """Mask (rows, cols) of the positions."""
        mask = np.zeros((conv.rows, conv.cols), dtype=np.bool_)
        mask[self.row, self.col] = True
        return mask

    def check(self, conv: Conv) -> None:
        """ValueError where a position is outside the matrix or its groups, or occurs twice."""
        for name, index, limit in (("row", self.row, conv.rows), ("col", self.col, conv.cols)):
            if len(index) != len(self) or (len(self) and not 0 <= index.min() <= index.max() < limit):
                raise ValueError(f"{name} of {len(index)} elements must be 0 … {limit - 1}")
        if int(self.mask(conv).sum()) != len(self):
            raise ValueError("a position occurs twice")
        if not conv.allowed()[self.row, self.col].all():
            raise ValueError(f"a position is outside the {conv.groups} groups")

    def gather(self, dense: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Elements (n, KH, KW) of a dense array (rows, cols, KH, KW)."""
        return np.ascontiguousarray(dense[self.row, self.col])

    def scatter(self, values: npt.NDArray[np.generic], conv: Conv) -> npt.NDArray[np.generic]:
        """Dense array (rows, cols, KH, KW) of elements (n, KH, KW), zero elsewhere."""
        dense = np.zeros((conv.rows, conv.cols, *conv.kernel), dtype=values.dtype)
        dense[self.row, self.col] = values
        return dense
