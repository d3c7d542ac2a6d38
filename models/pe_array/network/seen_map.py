# SPDX-License-Identifier: Apache-2.0
"""The map that a layer reads as the hardware sees it: with a border in place of padding, or cut into parts."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from models.pe_array.isa.shapes import Conv, Pads, Pool
from models.pe_array.network.layers import Int8Array
from models.pe_array.network.scaling import Scaling

NO_PADS: Pads = (0, 0, 0, 0)


class SeenMap:
    """What every layer has for that.

    Attributes:
        pads_value: padding has a value of its own, the zero point of the map that is read, and counts.
        window, in_shape, scaling: see ``Layer``.
    """

    pads_value: ClassVar[bool] = True

    window: Conv | Pool
    in_shape: tuple[int, int, int]
    scaling: Scaling | None

    @property
    def border(self) -> Pads:
        """Rows and columns of its zero point that a map must have around it in place of padding.

        Padding of hardware is worth 0. Where it must be worth something else, the layer reads a larger map.
        """
        padded = self.pads_value and self.scaling is not None and self.scaling.zero_in
        return self.padding if padded else NO_PADS

    @property
    def padding(self) -> Pads:
        """Padding that is worth the zero point."""
        return self.window.pad

    @property
    def inner_window(self) -> Conv | Pool:
        """The window as it slides over the map with its border."""
        if not any(self.border):
            return self.window
        top, left, bottom, right = (a - b for a, b in zip(self.window.pad, self.border, strict=True))
        rest = (top, left, bottom, right)
        if isinstance(self.window, Pool) and self.window.counted is not None:
            return replace(self.window, pad=rest, counted=NO_PADS)
        return replace(self.window, pad=rest)

    @property
    def inner_size(self) -> tuple[int, int]:
        """Rows and columns of the map with its border."""
        top, left, bottom, right = self.border
        return self.in_shape[1] + top + bottom, self.in_shape[2] + left + right

    @property
    def parts(self) -> int:
        """Channels that a channel of the map counts as, which lie behind each other in it."""
        return 1

    @property
    def seen_shape(self) -> tuple[int, int, int]:
        """(channels, H, W) of the map as the hardware sees it."""
        return (self.in_shape[0], *self.inner_size)

    def bordered(self, x: Int8Array) -> Int8Array:
        """A map (channels, H, W, batch) with its border."""
        if self.scaling is None or not any(self.border):
            return x
        top, left, bottom, right = self.border
        return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=self.scaling.zero_in)
