# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: fetch, queues, load and compute engine, PEs and one memory port of the whole array, compiled.

The PEs follow ``pe_timing.step``, exactly; the engines are what ``array_timing.Engines`` says in constants.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from models.pe_array.array_state import (
    BUSY,
    C_AT,
    C_NEXT,
    C_PENDING,
    COMPUTE_CLOCKS,
    END,
    FETCH,
    G_BURST,
    G_COMMAND,
    G_COMPUTE_DONE,
    G_DONE,
    G_FETCH_ROOM,
    G_LANES,
    G_LOAD_FIRST,
    G_LOADS,
    G_MAP_DONE,
    G_QUEUE,
    G_STREAM_DONE,
    G_SUM_ROOM,
    G_WINDOW,
    IDLE,
    L_ENDED,
    L_HEAD,
    L_LEFT,
    L_MAPS_END,
    L_WINDOW,
    LOAD,
    LOAD_BEATS,
    LOAD_CLOCKS,
    NO_DESCRIPTOR,
    NO_LOAD,
    NO_ROOM,
    NO_STORE,
    WAITS,
    Array,
    Int,
    State,
)  # fmt: skip
from models.pe_array.array_stores import gate, store_engine
from models.pe_array.array_tables import (
    COMPUTE,
    D_KIND,
    D_SIZE,
    MAP,
    WINDOW,
)  # fmt: skip
from models.pe_array.pe_timing import (
    COMMAND,
    FINAL,
    GONE,
    GRADIENT,
    GRADIENTS,
    ISSUED,
    LEFT,
    PIPE,
    PIPE_LONG,
    PROMISED,
    QUEUE,
    TAKEN,
    reset,
    step,
)  # fmt: skip


@njit(cache=True)
def read_port(state: State, constants: Array, clock: Int) -> None:
    """One beat: the requesters' bursts in turn. What was served ``latency`` clocks ago arrives."""
    at = clock % len(state.ring)
    come = state.ring[at]
    if come != IDLE:
        state.arrived[come] += 1
    state.ring[at] = IDLE
    if state.turn[1] == 0:
        for n in range(1, 4):
            who = (state.turn[0] + n) % 3
            beats = min(constants[G_BURST], state.wanted[who] - state.served[who])
            if beats > 0:
                state.turn[0], state.turn[1] = who, beats
                break
    if state.turn[1] > 0:
        who = state.turn[0]
        state.turn[1] -= 1
        state.served[who] += 1
        state.ring[at] = who


@njit(cache=True)
def count(state: State, clock: Int) -> None:
    """Operations whose clock has come are counted."""
    for engine in range(3):
        while state.done[engine] < state.done_at.shape[1] and 0 <= state.done_at[engine, state.done[engine]] <= clock:
            state.done[engine] += 1


@njit(cache=True)
def dispatch(state: State, engines: Array, constants: Array, clock: Int) -> None:
    """Fetch: ask for what there is room for. Dispatcher: one descriptor per clock, if its queue has room."""
    total = len(engines)
    gone = state.sent.sum()
    room = min(total, gone + constants[G_FETCH_ROOM])
    state.wanted[FETCH] = max(state.wanted[FETCH], (room * 32 + constants[G_LANES] - 1) // constants[G_LANES])
    if gone < total and state.arrived[FETCH] * constants[G_LANES] >= (gone + 1) * 32:
        engine = engines[gone]
        if state.sent[engine] - state.taken[engine] <= constants[G_QUEUE]:
            state.dispatched[engine, state.sent[engine]] = clock
            state.sent[engine] += 1


@njit(cache=True)
def load_engine(state: State, queue: Array, constants: Array, clock: Int) -> None:
    """Read commands go out as soon as a descriptor is taken; beats are handed on in order, one per clock."""
    load = state.load
    taken = state.taken[0]
    if taken < len(queue) and taken - load[L_HEAD] + load[L_ENDED] - state.done[0] < constants[G_LOADS]:
        row = queue[taken]
        if gate(state, row, 0, constants, clock) == 0:
            state.taken[0] += 1
            if row[D_KIND] != WINDOW:
                state.wanted[LOAD] += row[D_SIZE]
            state.dispatched[0, taken] = clock  # from now on: clock in which it was taken
    head = load[L_HEAD]
    if head == state.taken[0]:
        return
    state.counters[LOAD_CLOCKS] += 1
    row = queue[head]
    if load[L_LEFT] < 0:
        if state.dispatched[0, head] + constants[G_LOAD_FIRST] > clock:
            return
        if row[D_KIND] == WINDOW:
            if load[L_MAPS_END] > clock:
                return
            load[L_WINDOW] = max(load[L_WINDOW], clock) + constants[G_WINDOW]
            load[L_HEAD] += 1
            return
        load[L_LEFT] = row[D_SIZE]
    if row[D_KIND] == MAP and load[L_WINDOW] > clock:
        return
    if state.arrived[LOAD] > state.counters[LOAD_BEATS]:
        state.counters[LOAD_BEATS] += 1
        load[L_LEFT] -= 1
        if load[L_LEFT] == 0:
            end = clock + (constants[G_MAP_DONE] if row[D_KIND] == MAP else constants[G_STREAM_DONE])
            if row[D_KIND] == MAP:
                load[L_MAPS_END] = end
            ended = load[L_ENDED]
            if ended > 0:
                end = max(end + constants[G_DONE], state.done_at[0, ended - 1] + 1)
            else:
                end += constants[G_DONE]
            state.done_at[0, ended] = end
            load[L_ENDED] += 1
            load[L_HEAD] += 1
            load[L_LEFT] = -1


@njit(cache=True)
def compute_engine(state: State, queue: Array, constants: Array, clock: Int) -> None:
    """Fields, one per clock, and commands; none while PEs have still to take a command."""
    compute, counters = state.compute, state.counters
    if compute[C_PENDING] >= 0:
        counters[NO_ROOM] += 1
        counters[COMPUTE_CLOCKS] += 1
        return
    taken = state.taken[1]
    if taken == len(queue):
        return
    why = gate(state, queue[taken], 1, constants, clock)
    if why == 0:
        state.taken[1] += 1
        counters[COMPUTE_CLOCKS] += 1
        if queue[taken][D_KIND] == COMPUTE:
            compute[C_PENDING] = compute[C_NEXT]
            compute[C_AT] = clock + constants[G_COMMAND]
            compute[C_NEXT] += 1
    elif why == 1:
        counters[NO_LOAD] += 1
    elif why == 3:
        counters[NO_STORE] += 1
    elif why == 4:
        counters[NO_DESCRIPTOR] += 1


@njit(cache=True)
def all_pes(
    state: State, commands: Array, coordinates: Array, taps: Array, y_mask: Int, latency: Int, drained: Int,
    constants: Array, left: Array, clock: Int,
) -> None:  # fmt: skip
    """A clock of every PE, of its gradient port, and of the command that is offered to all of them."""
    pes, pending = len(state.pes), state.compute[C_PENDING]
    offered = pending >= 0 and state.compute[C_AT] <= clock
    all_took = True
    for pe in range(pes):
        own = state.pes[pe]
        waiting = own[TAKEN] - own[LEFT]
        if own[TAKEN] > own[COMMAND]:
            command = own[COMMAND]
            gone, promised = own[GONE], own[PROMISED]
            happened = step(own, commands, pe, pes, coordinates, taps, y_mask, clock, drained == pe)
            if gone < promised and state.port[pe, gone % GRADIENTS] <= clock and (
                state.sums[pe] < constants[G_SUM_ROOM]
            ):  # fmt: skip
                own[GONE] += 1
                state.sums[pe] += 1
            if happened & ISSUED:
                state.counters[BUSY] += 1
                if happened & GRADIENT:
                    state.port[pe, promised % GRADIENTS] = clock + latency
                if happened & FINAL:
                    op = commands[command * pes + pe, 0]
                    end = clock + 1 + (PIPE_LONG if op in (1, 3) else PIPE) + constants[G_COMPUTE_DONE]
                    state.finished[command] = max(state.finished[command], end)
                    left[command] -= 1
                    if left[command] == 0:
                        state.done_at[1, command] = state.finished[command] + constants[G_DONE]
            elif happened:
                state.counters[WAITS] += 1
        elif own[GONE] < own[PROMISED] and state.port[pe, own[GONE] % GRADIENTS] <= clock and (
            state.sums[pe] < constants[G_SUM_ROOM]
        ):  # fmt: skip
            own[GONE] += 1
            state.sums[pe] += 1
        if offered and own[TAKEN] == pending:
            if waiting < QUEUE:
                own[TAKEN] += 1
            else:
                all_took = False
    if offered and all_took:
        state.compute[C_PENDING] = -1


@njit(cache=True)
def play(
    state: State, engines: Array, loads: Array, computes: Array, stores: Array, commands: Array, coordinates: Array,
    taps: Array, units: Array, gradients: Array, tiles: Int, y_mask: Int, latency: Int, constants: Array, counts: Array,
    limit: Int,
) -> None:  # fmt: skip
    """Play a program to its end.

    Args:
        engines: engine of every descriptor; loads, computes, stores: the descriptors of each.
        counts: (3,) operations of each engine.
        limit: clocks after which it has got stuck.
    """
    for pe in range(len(state.pes)):
        reset(state.pes[pe])
    left = np.full(counts[1], len(state.pes), dtype=np.int64)
    clock = np.int64(0)
    while clock < limit:
        count(state, clock)
        if (
            state.done[0] >= counts[0] and state.done[1] >= counts[1] and state.done[2] >= counts[2]
            and state.sent.sum() == len(engines) and state.taken[0] == len(loads) and state.taken[1] == len(computes)
            and state.taken[2] == len(stores)
        ):  # fmt: skip
            break
        read_port(state, constants, clock)
        dispatch(state, engines, constants, clock)
        load_engine(state, loads, constants, clock)
        drained = store_engine(state, stores, units, gradients, tiles, constants, clock)
        compute_engine(state, computes, constants, clock)
        all_pes(
            state, commands, coordinates, taps, y_mask, latency, drained, constants, left, clock
        )  # fmt: skip
        clock += 1
    state.counters[END] = clock
