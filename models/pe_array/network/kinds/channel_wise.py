# SPDX-License-Identifier: Apache-2.0
"""What layers have in common that work on every channel by itself."""

from __future__ import annotations

from dataclasses import dataclass

from models.lib.toml_section import Section
from models.pe_array.isa.shapes import KERNEL_MAX, Pool
from models.pe_array.network.layer import SIZE_MAX, Layer, Place


@dataclass(frozen=True)
class ChannelWise(Layer):
    """A window that slides over a map; there are no weights."""

    window: Pool

    @staticmethod
    def read_window(table: Section) -> Pool:
        """The window of keys ``kernel``, ``stride``, ``pad`` and ``dilation``. ConfigError or ValueError."""
        kernel = table.integer("kernel", 1, KERNEL_MAX)
        stride = table.integer("stride", 1, SIZE_MAX, kernel)
        pad = table.integer("pad", 0, SIZE_MAX, 0)
        return Pool.make(kernel, stride, pad, table.integer("dilation", 1, SIZE_MAX, 1))

    @classmethod
    def placed(
        cls, window: Pool, place: Place, out_shape: tuple[int, int, int], out_frac: int, delta_frac: int
    ) -> Layer:
        """The layer with that window; ``delta_frac`` are those of the gradient by its output."""
        return cls(
            window, place.shape, out_shape, False, place.frac, out_frac, place.delta_frac, delta_frac,
            widths=place.widths, name=place.name, reads=place.reads,
        )  # fmt: skip
