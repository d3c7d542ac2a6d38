# SPDX-License-Identifier: Apache-2.0
"""What layers have in common that work on every channel by itself."""

from __future__ import annotations

from dataclasses import dataclass

from models.lib.toml_section import Section
from models.pe_array.isa.shapes import Pool
from models.pe_array.network.kinds import window_keys
from models.pe_array.network.layer import Layer, Place


@dataclass(frozen=True)
class ChannelWise(Layer):
    """A window that slides over a map; there are no weights."""

    window: Pool

    @staticmethod
    def read_window(table: Section, place: Place, averages: bool = False) -> Pool:
        """The window of the keys of ``window_keys``, ``averages``: with that of these. ConfigError or ValueError."""
        return window_keys.pool(table, place.shape, averages)

    @classmethod
    def placed(
        cls, window: Pool, place: Place, out_shape: tuple[int, int, int], out_frac: int, delta_frac: int
    ) -> Layer:
        """The layer with that window; ``delta_frac`` are those of the gradient by its output."""
        return cls(
            window, place.shape, out_shape, False, place.frac, out_frac, place.delta_frac, delta_frac,
            widths=place.widths, name=place.name, reads=place.reads,
        )  # fmt: skip
