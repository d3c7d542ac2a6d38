# SPDX-License-Identifier: Apache-2.0
"""Keys of a table that say what a kernel or window is, ``kernel``, ``stride``, ``pad``, ``dilation``."""

from __future__ import annotations

from models.lib.toml_section import ConfigError, Section
from models.pe_array.isa.shapes import KERNEL_MAX, Pads, Pair, Pool, pads
from models.pe_array.network.layer import SIZE_MAX, Shape
from models.pe_array.network.seen_map import NO_PADS

OF_WINDOWS = ("kernel", "stride", "pad", "dilation")
"""Keys of all layers with a window."""


def pair(table: Section, key: str, low: int, high: int, default: int | Pair | None = None) -> Pair:
    """One number for rows and columns, or ``[rows, columns]``."""
    if not table.given(key) and isinstance(default, tuple):
        default_pair, default = default, default[0]
        table.integer(key, low, high, default)
        return default_pair
    if not isinstance(table.values.get(key), list):
        number = table.integer(key, low, high, default if isinstance(default, int) else None)
        return number, number
    found = table.integers(key, low, high)
    if len(found) != 2:
        raise ConfigError(f"{table.key(key)} = {list(found)} must be one number, or [rows, columns]")
    return found[0], found[1]


def padding(table: Section) -> Pads:
    """(top, left, bottom, right) of key ``pad``: one number, ``[rows, columns]``, or all four."""
    if not isinstance(table.values.get("pad"), list):
        return pads(table.integer("pad", 0, SIZE_MAX, 0))
    found = table.integers("pad", 0, SIZE_MAX)
    if len(found) == 2:
        return pads((found[0], found[1]))
    if len(found) != 4:
        raise ConfigError(
            f"{table.key('pad')} = {list(found)} must be one number, [rows, columns], or [top, left, bottom, right]"
        )
    return found[0], found[1], found[2], found[3]


def pool(table: Section, shape: Shape, averages: bool) -> Pool:
    """A pooling window on a map, of keys ``kernel`` … ``dilation`` and ``ceil``.

    Args:
        table: of the layer.
        shape: of the map.
        averages: and ``count_padding``.

    Raises:
        ConfigError: a key breaks a rule.
        ValueError: the window cannot be.
    """
    kernel = pair(table, "kernel", 1, KERNEL_MAX)
    stride = pair(table, "stride", 1, SIZE_MAX, kernel)
    pad, dilation = padding(table), pair(table, "dilation", 1, SIZE_MAX, 1)
    ceil = table.flag("ceil", False)
    counts = table.flag("count_padding", True) if averages else True
    more = tuple(
        _beyond(shape[axis + 1] + pad[axis] + pad[axis + 2] - dilation[axis] * (kernel[axis] - 1) - 1, axis, stride)
        if ceil else 0
        for axis in (0, 1)
    )  # fmt: skip
    for axis in (0, 1):  # a last window that begins in the padding behind the map is none
        lines, rows = shape[axis + 1] + pad[axis], more[axis]
        room = lines + pad[axis + 2] + rows - dilation[axis] * (kernel[axis] - 1) - 1
        if rows and room // stride[axis] * stride[axis] >= lines:
            more = (0, more[1]) if axis == 0 else (more[0], 0)
    larger = (pad[0], pad[1], pad[2] + more[0], pad[3] + more[1])
    counted = (pad if counts else NO_PADS) if averages and (not counts or larger != pad) else None
    return Pool(kernel, stride, larger, dilation, counted)


def _beyond(room: int, axis: int, stride: Pair) -> int:
    """Rows or columns behind the padding that one more window reaches, where windows do not end with it."""
    return -room % stride[axis] if room >= 0 else 0
