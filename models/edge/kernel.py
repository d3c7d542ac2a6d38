# SPDX-License-Identifier: Apache-2.0
"""Compiled inner loops of the bit-exact network (docs/edge/arithmetic.md).

Written for speed: parameters and activations are int16 in edge order, the innermost loops run over contiguous
edges so that they become SIMD code, and sums are 32 bits wide where that is exact. Casts to np.int32 keep Numba
from widening to 64 bits, and unsigned indices from looking for negative ones; either would cost the SIMD code.

Two exact simplifications, with k = LR_MAX - lr: an update is ``w + floor((r - a*delta*2^k) / 2^S)``, and dropping
k common bits that is ``w + ((r >> k) - a*delta >> F + lr)``, which fits in 32 bits for every legal format. With
delta = 0 it changes nothing, because r < 2^S.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from models.edge.schedule import Operation
from models.lib.fixed_point import LFSR_TAPS

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code

OP_FF, OP_BP, OP_UP = int(Operation.FF), int(Operation.BP), int(Operation.UP)


@njit(cache=True)
def gather(source: Array, source0: Int, left: Array, edge0: Int, target: Array, target0: Int, edges: Int) -> None:
    """Bring left activations into edge order."""
    source_u, edge_u, target_u = np.uint64(source0), np.uint64(edge0), np.uint64(target0)
    for e in range(np.uint64(edges)):
        target[target_u + e] = source[source_u + left[edge_u + e]]


@njit(cache=True)
def dot32(w: Array, w0: Int, a: Array, a0: Int, n: Int) -> Int:
    """Sum of products that fits in 32 bits."""
    w_u, a_u = np.uint64(w0), np.uint64(a0)
    total = np.int32(0)
    for k in range(np.uint64(n)):
        total = np.int32(total + np.int32(w[w_u + k]) * np.int32(a[a_u + k]))
    return np.int64(total)


@njit(cache=True)
def dot64(w: Array, w0: Int, a: Array, a0: Int, n: Int) -> Int:
    """Sum of products of any size."""
    w_u, a_u = np.uint64(w0), np.uint64(a0)
    total = np.int64(0)
    for k in range(np.uint64(n)):
        total += np.int64(np.int32(w[w_u + k]) * np.int32(a[a_u + k]))
    return total


@njit(cache=True)
def feedforward(
    row: Array, w: Array, b: Array, gathered: Array, gather0: Int, act: Array, act0: Int, slope: Array, slope0: Int,
    values: Array, slopes: Array, frac: Int, low: Int, high: Int,
) -> Int:  # fmt: skip
    """Activations and derivatives of the right layer; returns the number of clipped sums."""
    clipped = 0
    fan_in = row.fan_in
    mask = values.shape[1] - 1
    half = 1 << (frac - 1)
    for j in range(row.n_right):
        w0 = row.edge0 + j * fan_in
        a0 = gather0 + j * fan_in
        total = dot64(w, w0, gathered, a0, fan_in) if row.wide else dot32(w, w0, gathered, a0, fan_in)
        s = (total + (np.int64(b[row.neuron0 + j]) << frac) + half) >> frac
        if s > high:
            s = high
            clipped += 1
        elif s < low:
            s = low
            clipped += 1
        act[act0 + j] = values[row.activation, s & mask]
        slope[slope0 + j] = slopes[row.activation, s & mask]
    return clipped


@njit(cache=True)
def backpropagate(
    row: Array, w: Array, left: Array, delta: Array, delta0: Int, sums: Array, slope: Array, slope0: Int,
    out: Array, out0: Int, frac: Int, low: Int, high: Int,
) -> Int:  # fmt: skip
    """Deltas of the left layer from those of the right layer; returns the number of clipped sums."""
    fan_in = row.fan_in
    n_left = row.n_left
    sums[:n_left] = 0
    for j in range(row.n_right):
        d = np.int64(delta[delta0 + j])
        if d != 0:
            first = np.uint64(row.edge0 + j * fan_in)
            for k in range(np.uint64(fan_in)):
                sums[left[first + k]] += w[first + k] * d
    clipped = 0
    half = 1 << (frac - 1)
    for k in range(n_left):
        t = (sums[k] + half) >> frac
        if t > high:
            t = high
            clipped += 1
        elif t < low:
            t = low
            clipped += 1
        out[out0 + k] = (t * np.int64(slope[slope0 + k]) + half) >> frac
    return clipped


@njit(cache=True)
def update_half_up(w: Array, w0: Int, a: Array, a0: Int, n: Int, delta: Int, shift: Int, low: Int, high: Int) -> Int:
    """Update n weights of one neuron, rounding half up; returns the number of clipped ones."""
    w_u, a_u = np.uint64(w0), np.uint64(a0)
    clipped = np.int32(0)
    r = np.int32(1 << (shift - 1))
    d = np.int32(delta)
    low32 = np.int32(low)
    high32 = np.int32(high)
    right = np.int32(shift & 31)
    for k in range(np.uint64(n)):
        step = np.int32(np.int32(r - np.int32(np.int32(a[a_u + k]) * d)) >> right)
        new = np.int32(np.int32(w[w_u + k]) + step)
        bounded = max(min(new, high32), low32)
        clipped = np.int32(clipped + np.int32(bounded != new))
        w[w_u + k] = bounded
    return np.int64(clipped)


@njit(cache=True)
def update_stochastic(
    w: Array, w0: Int, a: Array, a0: Int, n: Int, delta: Int, shift: Int, low: Int, high: Int, lfsr: Array, lane0: Int
) -> Int:
    """Update n weights of one neuron, rounding stochastically; returns the number of clipped ones."""
    w_u, a_u, lane_u = np.uint64(w0), np.uint64(a0), np.uint64(lane0)
    clipped = np.int32(0)
    d = np.int32(delta)
    low32 = np.int32(low)
    high32 = np.int32(high)
    right = np.int32(shift & 31)
    up = np.int32(max(shift - 16, 0) & 31)
    down = np.int32(max(16 - shift, 0) & 31)
    for k in range(np.uint64(n)):
        state = np.int32(lfsr[lane_u + k])
        r = np.int32(np.int32(state << up) >> down)
        step = np.int32(np.int32(r - np.int32(np.int32(a[a_u + k]) * d)) >> right)
        new = np.int32(np.int32(w[w_u + k]) + step)
        bounded = max(min(new, high32), low32)
        clipped = np.int32(clipped + np.int32(bounded != new))
        w[w_u + k] = bounded
        lfsr[lane_u + k] = np.int32((state >> np.int32(1)) ^ np.int32(-(state & 1) & LFSR_TAPS))
    return np.int64(clipped)


@njit(cache=True)
def step_lanes(lfsr: Array, lane0: Int, n: Int) -> None:
    """Step n lanes that update nothing."""
    lane_u = np.uint64(lane0)
    for k in range(np.uint64(n)):
        state = np.int32(lfsr[lane_u + k])
        lfsr[lane_u + k] = np.int32((state >> np.int32(1)) ^ np.int32(-(state & 1) & LFSR_TAPS))


@njit(cache=True)
def update(
    row: Array, w: Array, b: Array, gathered: Array, gather0: Int, delta: Array, delta0: Int, lfsr: Array,
    lr: Int, frac: Int, low: Int, high: Int, stochastic: bool,
) -> Int:  # fmt: skip
    """Update the weights and biases of a junction; returns the number of clipped ones."""
    fan_in = row.fan_in
    z = row.z
    chunk = min(fan_in, z)
    clipped = 0
    for j in range(row.n_right):
        d = np.int64(delta[delta0 + j])
        first = j * fan_in
        for e in range(first, first + fan_in, chunk):
            w0 = row.edge0 + e
            a0 = gather0 + e
            if stochastic:
                lane0 = row.lane0 + e % z
                if d != 0:
                    clipped += update_stochastic(
                        w, w0, gathered, a0, chunk, d, frac + lr, low, high, lfsr, lane0)  # fmt: skip
                else:
                    step_lanes(lfsr, lane0, chunk)
            elif d != 0:
                clipped += update_half_up(w, w0, gathered, a0, chunk, d, frac + lr, low, high)
        r = (1 << lr) >> 1
        if stochastic:
            lane = row.lane0 + z + j % row.p
            state = np.int64(lfsr[lane])
            r = (state << lr) >> 16
            lfsr[lane] = (state >> 1) ^ (-(state & 1) & LFSR_TAPS)
        new = b[row.neuron0 + j] + ((r - d) >> lr)
        bounded = max(min(new, high), low)
        clipped += bounded != new
        b[row.neuron0 + j] = bounded
    return clipped


@njit(cache=True)
def run(
    events: Array, x: Array, order: Array, labels: Array, table: Array, left: Array, w: Array, b: Array, lfsr: Array,
    values: Array, slopes: Array, frac: Int, width: Int, lr: Int, stochastic: bool,
    gathered: Array, act: Array, slope: Array, delta: Array, sums: Array, outputs: Array, saturations: Array,
) -> None:  # fmt: skip
    """Play the events of a run (``Schedule.events``) on the parameters.

    Args:
        x, order, labels: raw inputs (rows, N0); row and label of every sample of the run.
        table: a row per junction (``layout.Layout``).
        values, slopes: int16 (activations, 2**width): of every code and raw sum, negative sums behind positive ones.
        left, w, b, lfsr: left neurons, weights, biases and states of all junctions one after the other.
        gathered, act, slope, delta, sums: room for the rings and for one layer of BP sums.
        outputs: (samples, N_L), filled.
        saturations: (3, L), counts of clipped FF sums, BP sums and parameters are added.
    """
    high = (1 << (width - 1)) - 1
    low = -high - 1
    last = len(table) - 1
    flat_x = x.reshape(-1)
    for event in range(len(events)):
        i = np.int64(events[event, 1])
        n = np.int64(events[event, 2])
        row = table[i]
        edges = row.n_right * row.fan_in
        gather0 = row.gather0 + n % row.gather_slots * edges
        delta0 = row.delta0 + n % row.delta_slots * row.n_right
        if events[event, 0] == OP_FF:
            if i == 0:
                gather(flat_x, order[n] * x.shape[1], left, row.edge0, gathered, gather0, edges)
            else:
                before = table[i - 1]
                source0 = before.act0 + n % before.act_slots * before.n_right
                gather(act, source0, left, row.edge0, gathered, gather0, edges)
            act0 = row.act0 + n % row.act_slots * row.n_right
            slope0 = row.slope0 + n % row.slope_slots * row.n_right
            saturations[0, i] += feedforward(
                row, w, b, gathered, gather0, act, act0, slope, slope0,
                values, slopes, frac, low, high)  # fmt: skip
            if i == last:
                for j in range(row.n_right):
                    outputs[n, j] = act[act0 + j]
                    delta[delta0 + j] = act[act0 + j] - ((j == labels[n]) << frac)
        elif events[event, 0] == OP_BP:
            before = table[i - 1]
            slope0 = before.slope0 + n % before.slope_slots * before.n_right
            out0 = before.delta0 + n % before.delta_slots * before.n_right
            saturations[1, i - 1] += backpropagate(
                row, w, left, delta, delta0, sums, slope, slope0, delta, out0, frac, low, high)  # fmt: skip
        else:
            saturations[2, i] += update(
                row, w, b, gathered, gather0, delta, delta0, lfsr, lr, frac, low, high, stochastic)  # fmt: skip
