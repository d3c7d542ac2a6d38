# SPDX-License-Identifier: Apache-2.0
"""Compiled loops of the PE array's layers on integers (docs/pe_array/numbers.md).

Maps have shape (channels, H, W, batch). The images of the batch are the innermost loop, and with stride 1 a whole
row of a map is, because its pixels follow each other: that is what becomes SIMD code. Casts to np.int32 keep Numba from
widening to 64 bits, and unsigned indices from looking for negative ones; either would cost the SIMD code.

A geometry is int64 (8,): KH, KW, stride y, x, pad top, left, dilation y, x.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code


@njit(cache=True)
def first_output(offset: Int, stride: Int) -> Int:
    """First output line whose tap, ``offset`` lines away from its window's start, is not above the map."""
    return max(0, -(offset // stride))


@njit(cache=True)
def end_output(offset: Int, stride: Int, lines: Int, outputs: Int) -> Int:
    """One more than the last output line whose tap is not below the map of that many lines."""
    return min(outputs, (lines - 1 - offset) // stride + 1)


@njit(cache=True)
def add_scaled(out: Array, out0: Int, x: Array, x0: Int, n: Int, w: Int) -> None:
    """out[out0 …] += w * x[x0 …], n values; the sum wraps at the width of out."""
    out_u, x_u, w32 = np.uint64(out0), np.uint64(x0), np.int32(w)
    for k in range(np.uint64(n)):
        out[out_u + k] += np.int32(np.int32(x[x_u + k]) * w32)


@njit(cache=True)
def dot(x: Array, x0: Int, d: Array, d0: Int, n: Int) -> Int:
    """Sum of n products; 32 bits hold it for n < 2**17."""
    x_u, d_u = np.uint64(x0), np.uint64(d0)
    total = np.int32(0)
    for k in range(np.uint64(n)):
        total = np.int32(total + np.int32(np.int32(x[x_u + k]) * np.int32(d[d_u + k])))
    return np.int64(total)


@njit(cache=True)
def forward(geometry: Array, x: Array, row: Array, col: Array, values: Array, out: Array) -> None:
    """out (rows, OH, OW, B) += convolution of x (cols, H, W, B) with the kernels values (n, KH, KW)."""
    kh, kw, sy, sx, top, left, dy, dx = geometry
    _, height, width, batch = x.shape
    _, out_height, out_width, _ = out.shape
    flat_x, flat_out = x.reshape(-1), out.reshape(-1)
    for e in range(len(row)):
        r, c = np.int64(row[e]), np.int64(col[e])
        for i in range(kh):
            offset_y = i * dy - top
            for oy in range(first_output(offset_y, sy), end_output(offset_y, sy, height, out_height)):
                out_line = (r * out_height + oy) * out_width
                x_line = (c * height + oy * sy + offset_y) * width
                for j in range(kw):
                    w = np.int64(values[e, i, j])
                    if w == 0:
                        continue
                    offset_x = j * dx - left
                    ox = first_output(offset_x, sx)
                    end = end_output(offset_x, sx, width, out_width)
                    step = end - ox if sx == 1 else 1
                    while ox < end:
                        out0 = (out_line + ox) * batch
                        x0 = (x_line + ox * sx + offset_x) * batch
                        add_scaled(flat_out, out0, flat_x, x0, step * batch, w)
                        ox += step


@njit(cache=True)
def input_gradient(geometry: Array, d: Array, row: Array, col: Array, values: Array, out: Array) -> None:
    """out (cols, H, W, B) += gradient of a convolution's input from d (rows, OH, OW, B) of its output."""
    kh, kw, sy, sx, top, left, dy, dx = geometry
    _, height, width, batch = out.shape
    _, out_height, out_width, _ = d.shape
    flat_d, flat_out = d.reshape(-1), out.reshape(-1)
    for e in range(len(row)):
        r, c = np.int64(row[e]), np.int64(col[e])
        for i in range(kh):
            offset_y = i * dy - top
            for oy in range(first_output(offset_y, sy), end_output(offset_y, sy, height, out_height)):
                d_line = (r * out_height + oy) * out_width
                x_line = (c * height + oy * sy + offset_y) * width
                for j in range(kw):
                    w = np.int64(values[e, i, j])
                    if w == 0:
                        continue
                    offset_x = j * dx - left
                    ox = first_output(offset_x, sx)
                    end = end_output(offset_x, sx, width, out_width)
                    step = end - ox if sx == 1 else 1
                    while ox < end:
                        x0 = (x_line + ox * sx + offset_x) * batch
                        add_scaled(flat_out, x0, flat_d, (d_line + ox) * batch, step * batch, w)
                        ox += step


@njit(cache=True)
def weight_gradient(geometry: Array, x: Array, d: Array, row: Array, col: Array, out: Array) -> None:
    """out (n, KH, KW) int64 = sums over images and pixels of input times output gradient, at the elements alone."""
    kh, kw, sy, sx, top, left, dy, dx = geometry
    _, height, width, batch = x.shape
    _, out_height, out_width, _ = d.shape
    flat_x, flat_d = x.reshape(-1), d.reshape(-1)
    for e in range(len(row)):
        r, c = np.int64(row[e]), np.int64(col[e])
        for i in range(kh):
            offset_y = i * dy - top
            for j in range(kw):
                offset_x = j * dx - left
                total = np.int64(0)
                end = end_output(offset_x, sx, width, out_width)
                for oy in range(first_output(offset_y, sy), end_output(offset_y, sy, height, out_height)):
                    d_line = (r * out_height + oy) * out_width
                    x_line = (c * height + oy * sy + offset_y) * width
                    ox = first_output(offset_x, sx)
                    step = end - ox if sx == 1 else 1
                    while ox < end:
                        x0 = (x_line + ox * sx + offset_x) * batch
                        total += dot(flat_x, x0, flat_d, (d_line + ox) * batch, step * batch)
                        ox += step
                out[e, i, j] = total


@njit(cache=True)
def magnitudes(index: Array, values: Array, out: Array) -> None:
    """out[index[e]] += sum of the magnitudes of the weights of element e; out int64."""
    for e in range(len(index)):
        total = np.int64(0)
        for i in range(values.shape[1]):
            for j in range(values.shape[2]):
                total += abs(np.int64(values[e, i, j]))
        out[index[e]] += total


@njit(cache=True)
def max_pool(geometry: Array, x: Array, value: Array, index: Array) -> None:
    """value (C, OH, OW, B) int8, index uint8: first maximum of every window and its tap i*KW + j."""
    kh, kw, sy, sx, top, left, dy, dx = geometry
    channels, out_height, out_width, batch = value.shape
    _, height, width, _ = x.shape
    flat_x, flat_value, flat_index = x.reshape(-1), value.reshape(-1), index.reshape(-1)
    for c in range(channels):
        for oy in range(out_height):
            for ox in range(out_width):
                out0 = np.uint64(((c * out_height + oy) * out_width + ox) * batch)
                empty = True
                for i in range(kh):
                    y = oy * sy + i * dy - top
                    if y < 0 or y >= height:
                        continue
                    for j in range(kw):
                        x_at = ox * sx + j * dx - left
                        if x_at < 0 or x_at >= width:
                            continue
                        x0 = np.uint64(((c * height + y) * width + x_at) * batch)
                        tap = np.uint8(i * kw + j)
                        for b in range(np.uint64(batch)):
                            now = flat_x[x0 + b]
                            wins = empty or now > flat_value[out0 + b]
                            flat_value[out0 + b] = now if wins else flat_value[out0 + b]
                            flat_index[out0 + b] = tap if wins else flat_index[out0 + b]
                        empty = False


@njit(cache=True)
def max_pool_backward(geometry: Array, d: Array, index: Array, out: Array) -> None:
    """out (C, H, W, B) int32 += gradients d (C, OH, OW, B), each at the pixel of its window's index."""
    _, kw, sy, sx, top, left, dy, dx = geometry
    channels, out_height, out_width, batch = d.shape
    for c in range(channels):
        for oy in range(out_height):
            for ox in range(out_width):
                for b in range(batch):
                    tap = np.int64(index[c, oy, ox, b])
                    y = oy * sy + tap // kw * dy - top
                    x = ox * sx + tap % kw * dx - left
                    out[c, y, x, b] += d[c, oy, ox, b]


@njit(cache=True)
def add_shifted(acc: Array, x: Array, shift: Int, out: Array) -> tuple[Int, Int]:
    """out = acc + (x << shift), all flat, cut to the width of out; least and largest sum (0, 0 where there is none)."""
    low, high = np.int64(0), np.int64(0)
    if len(acc):
        low = high = np.int64(acc[0]) + (np.int64(x[0]) << shift)
    for k in range(np.uint64(len(acc))):
        total = np.int64(acc[k]) + (np.int64(x[k]) << shift)
        low, high = min(low, total), max(high, total)
        out[k] = total
    return low, high


@njit(cache=True)
def requantise(
    acc: Array, shift: Int, low: Int, high: Int, mask: Array, masked: bool, bits: Int, out: Array, random: Array,
    bias: Array,
) -> Int:  # fmt: skip
    """out int8 = acc + bias >> shift, rounded, clipped, then at least low and at most high.

    With a mask it is 0 where that is not positive or not below high, and otherwise not limited by high.

    All arrays flat; random words uint16, none: half up; biases int64, one for every part of ``acc``, which are equally
    long. Returns the number of values that were clipped to ``bits``.
    """
    clipped = 0
    limit = np.int64(1) << (bits - 1)
    half = (np.int64(1) << shift) >> 1
    up, down, stochastic = max(shift - 16, 0), max(16 - shift, 0), len(random) > 0
    plane = len(acc) // len(bias)
    for channel in range(len(bias)):
        more = bias[channel]
        for k in range(np.uint64(channel * plane), np.uint64((channel + 1) * plane)):
            addend = (np.int64(random[k]) << up) >> down if stochastic else half
            wide = (np.int64(acc[k]) + more + addend) >> shift
            narrow = min(max(wide, -limit), limit - 1)
            clipped += narrow != wide
            narrow = max(narrow, low)
            if not masked:
                narrow = min(narrow, high)
            elif mask[k] <= 0 or mask[k] >= high:
                narrow = 0
            out[k] = narrow
    return clipped


@njit(cache=True)
def moved(momentum: Int, decay: Int, gradient: Int) -> tuple[Int, bool]:
    """momentum - hu(momentum, decay) + gradient, clipped to 32 bits, and whether it was."""
    wide = momentum - ((momentum + ((np.int64(1) << decay) >> 1)) >> decay) + gradient
    narrow = min(max(wide, np.int64(-(1 << 31))), np.int64((1 << 31) - 1))
    return narrow, narrow != wide


@njit(cache=True)
def update(
    gradient: Array, master: Array, momentum: Array, mac: Array, shift: Int, decay: Int, nesterov: bool,
    weight_decay: Int, bits: Int, weight_bits: Int, random: Array,
) -> Int:  # fmt: skip
    """Update weights in place; all arrays flat and of one length.

    Args:
        gradient, master, momentum: int32; the momentum is used for decay > 0 only, its shift m.
        mac: int8, filled with the new MAC weights.
        nesterov: the step is the momentum that the new momentum and the same gradient would make; needs decay > 0.
        weight_decay: shift of the masters' decay; 0: none.
        bits, weight_bits: of masters and of MAC weights.
        random: random words, uint16; none: round half up. Momenta and decays always do.

    Returns the number of masters and momenta that were clipped; a momentum, or its step.
    """
    clipped = 0
    half = (np.int64(1) << shift) >> 1
    weight_decay_half = (np.int64(1) << weight_decay) >> 1
    up, down, stochastic = max(shift - 16, 0), max(16 - shift, 0), len(random) > 0
    limit, weight_limit = np.int64(1) << (bits - 1), np.int64(1) << (weight_bits - 1)
    dropped = bits - weight_bits
    weight_half = np.int64(1) << (dropped - 1)
    for k in range(np.uint64(len(gradient))):
        step = np.int64(gradient[k])
        if decay > 0:
            new_momentum, lost = moved(np.int64(momentum[k]), decay, step)
            momentum[k] = new_momentum
            if nesterov:
                step, lost_ahead = moved(new_momentum, decay, step)
                lost = lost or lost_ahead
            else:
                step = new_momentum
            clipped += lost
        old = np.int64(master[k])
        if weight_decay > 0:
            old -= (old + weight_decay_half) >> weight_decay
        addend = (np.int64(random[k]) << up) >> down if stochastic else half
        new = old - ((step + addend) >> shift)
        narrow = min(max(new, -limit), limit - 1)
        clipped += narrow != new
        master[k] = narrow
        mac[k] = min(max((narrow + weight_half) >> dropped, -weight_limit), weight_limit - 1)
    return clipped
