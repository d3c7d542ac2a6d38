# SPDX-License-Identifier: Apache-2.0
"""What every window of a layer sees of a map, side by side: what products.py and weight_gradients.py multiply.

The values of all pixels and images of a channel are its *lanes*; those of one pixel follow each other.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.pe_array.isa.shapes import SlidingWindow

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code
Int8Array = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Gather:
    """Where the sums of some pixels get what they multiply.

    Attributes:
        pixels: int32 (n,), the pixels of the map that is made.
        taps: int32 (t,), the taps of the kernels that see something there.
        source: int32 (t, n), the pixel that a tap sees; number of pixels of the map that is read: padding, 0.
    """

    pixels: Int32Array
    taps: Int32Array
    source: Int32Array


def _lines(window: SlidingWindow, axis: int, size: int, out_size: int) -> Int64Array:
    """(kernel side, out_size): line of the map that a tap sees in a window; -1: padding."""
    taps = np.arange(window.kernel[axis])[:, None] * window.dilation[axis] - window.pad[axis]
    seen = np.arange(out_size)[None, :] * window.stride[axis] + taps
    return np.where((seen >= 0) & (seen < size), seen, -1)


def _lines_back(window: SlidingWindow, axis: int, size: int, out_size: int) -> Int64Array:
    """(kernel side, size): window in which a tap sees a line of the map; -1: none."""
    taps = np.arange(window.kernel[axis])[:, None] * window.dilation[axis] - window.pad[axis]
    window_of, rest = np.divmod(np.arange(size)[None, :] - taps, window.stride[axis])
    return np.where((rest == 0) & (window_of >= 0) & (window_of < out_size), window_of, -1)


@functools.lru_cache(maxsize=256)
def gathers(window: SlidingWindow, height: int, width: int, backward: bool) -> tuple[Gather, ...]:
    """Of FF, or of NG: there the pixels whose distances from a window differ by whole strides see the same taps."""
    out_size = window.out_size(height, width)
    lines = _lines_back if backward else _lines
    y, x = (lines(window, axis, (height, width)[axis], out_size[axis]) for axis in range(2))
    read = out_size if backward else (height, width)
    source = np.where((y[:, None, :, None] >= 0) & (x[None, :, None, :] >= 0), 0, read[0] * read[1])
    source = np.where(source == 0, y[:, None, :, None] * read[1] + x[None, :, None, :], source)
    source = source.reshape(window.taps, y.shape[1], x.shape[1])
    steps = window.stride if backward else (1, 1)
    place = np.arange(y.shape[1] * x.shape[1], dtype=np.int32).reshape(y.shape[1], x.shape[1])
    found = []
    for first in np.ndindex(*steps):
        part = tuple(slice(begin, None, step) for begin, step in zip(first, steps, strict=True))
        seen = source[:, *part].reshape(window.taps, -1)
        taps = np.flatnonzero((seen < read[0] * read[1]).any(axis=1))
        if len(taps):
            arrays = (place[part].reshape(-1), taps, seen[taps])
            found.append(Gather(*(np.ascontiguousarray(each, dtype=np.int32) for each in arrays)))
    return tuple(found)


def with_zero(x: Int8Array) -> Int8Array:
    """Flat map (channels, H, W, batch) with one pixel of zeros after those of every channel."""
    channels, height, width, batch = x.shape
    wide = np.empty((channels, height * width + 1, batch), dtype=np.int8)
    wide[:, :-1] = x.reshape(channels, height * width, batch)
    wide[:, -1] = 0
    return wide.reshape(-1)


@njit(cache=True, nogil=True)
def run_of_lanes(places: Array, pixel: Int, skipped: Int, batch: Int, most: Int) -> tuple[Int, Int, Int]:
    """Lanes that follow each other on the map, from an image of a pixel on: (the first one, how many, the next pixel).

    Args:
        places: of the pixels on the map.
        skipped: images of the first pixel before that one.
        most: lanes, of which there are no more.
    """
    last = np.int64(places[pixel])
    begin, length = last * batch + skipped, batch - skipped
    pixel += 1
    while length < most and places[pixel] == last + 1:
        last += 1
        length += batch
        pixel += 1
    return begin, min(length, most), pixel


@njit(cache=True, nogil=True)
def gather_row(x: Array, first: Int, source: Array, batch: Int, lane: Int, count: Int, row: Array, at: Int) -> None:
    """row[at …] = ``count`` lanes of what a tap sees, from one on; pixel 0 of the channel is at x[first]."""
    pixel = lane // batch
    skipped = lane - pixel * batch
    done = 0
    while done < count:
        begin, length, pixel = run_of_lanes(source, pixel, skipped, batch, count - done)
        skipped = 0
        begin_u, at_u = np.uint64(first + begin), np.uint64(at + done)
        for k in range(np.uint64(length)):
            row[at_u + k] = x[begin_u + k]
        done += length


@njit(cache=True, nogil=True)
def gather_pairs(
    x: Array, pixels: Int, source: Array, batch: Int, lane: Int, count: Int, group: Int, stride: Int, data: Array
) -> None:  # fmt: skip
    """Lanes of a strip for ``panel_sums``: of all channels, ``group`` in a block, the taps of which are in pairs."""
    taps = len(source)
    pairs = (group * taps + 1) // 2
    row = np.zeros(stride, dtype=np.int8)
    half = stride // 2
    channels = len(x) // (pixels * batch)
    for c in range(channels):
        for t in range(taps):
            q = c % group * taps + t
            odd = q % 2
            gather_row(x, c * pixels * batch, source[t], batch, lane, count, row, odd * half)
            if odd or (t == taps - 1 and (c == channels - 1 or q == group * taps - 1)):
                at = np.uint64((c // group * pairs + q // 2) * stride)
                for k in range(np.uint64(count)):
                    data[at + np.uint64(2) * k] = row[k]
                    data[at + np.uint64(2) * k + np.uint64(1)] = row[np.uint64(half) + k]


@njit(cache=True, nogil=True)
def gather_lanes(
    x: Array, pixels: Int, source: Array, batch: Int, lane: Int, count: Int, first: Int, end: Int, stride: Int,
    data: Array,
) -> None:  # fmt: skip
    """Lanes of some channels, a row of ``stride`` bytes for each tap of each channel; 0 beyond ``count``."""
    at = 0
    for c in range(first, end):
        for t in range(len(source)):
            gather_row(x, c * pixels * batch, source[t], batch, lane, count, data, at)
            data[at + count : at + stride] = 0
            at += stride
