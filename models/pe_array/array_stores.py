# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: the store engine of the whole array, and the gate of every engine's queue, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from models.pe_array.array_state import (
    G_ADDED,
    G_CHUNK,
    G_DONE,
    G_DRAIN_FIRST,
    G_DRAIN_WORD,
    G_GATE,
    G_LANES,
    G_PACK,
    G_PACK_ROOM,
    G_STORE_DONE,
    G_STORE_ROOM,
    G_UPDATE,
    G_WRITE_LATENCY,
    S_ASKED,
    S_AT,
    S_CHUNK,
    S_END,
    S_FIRST,
    S_FLAG,
    S_KIND,
    S_LEFT,
    S_OPS,
    S_READS,
    S_ROW,
    S_SLOTS,
    S_TURN,
    STORE,
    STORE_BEATS,
    STORE_CLOCKS,
    WRITTEN,
    Array,
    Int,
    State,
)  # fmt: skip
from models.pe_array.array_tables import (
    COLLECT,
    D_FIRST,
    D_FLAG,
    D_KIND,
    D_LOADS,
    D_SIZE,
    DRAIN,
    SETTING,
    UPDATE,
)  # fmt: skip


@njit(cache=True)
def gate(state: State, row: Array, engine: Int, constants: Array, clock: Int) -> Any:
    """Whether the engine's next descriptor can be taken: 0, or why not: 1 loads, 2 computes, 3 stores, 4 none there."""
    taken = state.taken[engine]
    if taken == state.sent[engine] or state.dispatched[engine, taken] + constants[G_GATE] > clock:
        return 4
    for n in range(3):
        if state.done[n] < row[D_LOADS + n]:
            return n + 1
    return 0


@njit(cache=True)
def pack(state: State, tiles: Int, constants: Array, clock: Int) -> Any:
    """Sums of the slots into the lanes of the packer, each lane one gradient per clock; true while some are to come."""
    slots = state.store[S_SLOTS]
    lanes = constants[G_LANES] // 4
    taken = np.zeros(lanes, dtype=np.bool_)
    coming = False
    for n in range(slots):
        slot = (state.store[S_TURN] + n) % slots
        if state.left[slot] == 0:
            continue
        coming = True
        lane = state.packed[slot] % lanes
        if taken[lane] or state.words[slot] >= constants[G_PACK_ROOM]:
            continue
        there = True
        for pe in range(slot * tiles, (slot + 1) * tiles):
            there = there and state.sums[pe] > 0
        if there:
            for pe in range(slot * tiles, (slot + 1) * tiles):
                state.sums[pe] -= 1
            taken[lane] = True
            state.packed[slot] += 1
            state.left[slot] -= 1
            if state.left[slot] == 0:
                # zeros up to the end of the word
                state.ready_at[slot] = clock + constants[G_PACK] + (lanes - state.packed[slot] % lanes) % lanes
            if state.packed[slot] % lanes == 0 or state.left[slot] == 0:
                state.words[slot] += 1
    if slots:
        state.store[S_TURN] = (state.store[S_TURN] + 1) % slots
    return coming


@njit(cache=True)
def begin_store(state: State, row: Array, gradients: Array, constants: Array, clock: Int) -> None:
    """A descriptor is taken."""
    store, kind = state.store, row[D_KIND]
    if kind == SETTING:
        return
    store[S_KIND], store[S_LEFT], store[S_FIRST], store[S_FLAG] = kind, row[D_SIZE], row[D_FIRST], row[D_FLAG]
    store[S_END] = -1
    store[S_READS] = store[S_CHUNK] = store[S_ASKED] = 0
    store[S_AT] = clock + constants[G_DRAIN_FIRST]
    if kind == UPDATE:
        store[S_LEFT] = row[D_SIZE] * (12 if row[D_FLAG] else 8)
    if kind == COLLECT:
        store[S_SLOTS] = row[D_SIZE]
        for slot in range(row[D_SIZE]):
            state.left[slot] = gradients[row[D_FIRST] + slot]
            state.packed[slot] = state.words[slot] = 0
            state.ready_at[slot] = -1
    if kind == DRAIN and row[D_FLAG]:
        state.wanted[STORE] += row[D_SIZE]


@njit(cache=True)
def send_chunks(state: State, constants: Array, clock: Int) -> Any:
    """Writes of a collect: chunks of the slots in turn, a beat per clock; true while there is something to send."""
    store = state.store
    waiting = False
    room = 1
    if store[S_FLAG]:  # what they are added to is read first, after the writes of the collect before are answered
        room = constants[G_ADDED] if state.done[2] == store[S_OPS] else 0
    if store[S_CHUNK] < room:
        slots = store[S_SLOTS]
        for n in range(slots):
            slot = (store[S_ROW] + n) % slots
            words = state.words[slot]
            waiting = waiting or words > 0
            whole = words >= constants[G_CHUNK] and (state.left[slot] > 0 or state.ready_at[slot] <= clock)
            if whole or (words > 0 and state.left[slot] == 0 and state.ready_at[slot] <= clock):
                chunk = min(words, constants[G_CHUNK])
                store[S_CHUNK] += chunk
                state.words[slot] -= chunk
                store[S_ROW] = (slot + 1) % slots
                if store[S_FLAG]:
                    state.wanted[STORE] += chunk
                break
    elif store[S_FLAG]:
        for slot in range(store[S_SLOTS]):
            waiting = waiting or state.words[slot] > 0
    if store[S_CHUNK] == 0:
        return waiting
    if not store[S_FLAG] or state.arrived[STORE] > state.counters[STORE_BEATS]:
        if store[S_FLAG]:
            state.counters[STORE_BEATS] += 1
        store[S_CHUNK] -= 1
        state.counters[WRITTEN] += 1
    return True


@njit(cache=True)
def store_engine(
    state: State, queue: Array, units: Array, gradients: Array, tiles: Int, constants: Array, clock: Int
) -> Any:
    """One operation after the other; returns the PE that a drain reads in this clock, or -1."""
    store, counters = state.store, state.counters
    if store[S_KIND] < 0:
        taken = state.taken[2]
        if taken < len(queue) and gate(state, queue[taken], 2, constants, clock) == 0:
            kind = queue[taken][D_KIND]
            if kind in (COLLECT, SETTING) or state.done[2] == store[S_OPS]:
                begin_store(state, queue[taken], gradients, constants, clock)
                state.taken[2] += 1
        return -1
    if store[S_KIND] == COLLECT:  # the slots of the next one are named meanwhile
        taken = state.taken[2]
        if (
            taken < len(queue)
            and queue[taken][D_KIND] == SETTING
            and gate(state, queue[taken], 2, constants, clock) == 0
        ):
            state.taken[2] += 1
    counters[STORE_CLOCKS] += 1
    reads = -1
    end = -1
    if store[S_END] >= 0:
        if store[S_END] <= clock:
            store[S_KIND] = -1
        return -1
    if store[S_KIND] == DRAIN:
        masked = state.arrived[STORE] > counters[STORE_BEATS]
        if store[S_AT] <= clock and (masked or not store[S_FLAG]):
            reads = units[store[S_FIRST] + store[S_READS]]
            store[S_READS] += 1
            counters[WRITTEN] += 1
            if store[S_FLAG]:
                counters[STORE_BEATS] += 1
            if store[S_READS] == store[S_LEFT]:
                end = clock + constants[G_DRAIN_WORD]
    elif store[S_KIND] == COLLECT:
        coming = pack(state, tiles, constants, clock)
        sending = send_chunks(state, constants, clock)
        if not coming and not sending:
            end = clock
    else:
        room = counters[STORE_BEATS] + constants[G_STORE_ROOM] - state.wanted[STORE]
        ask = min(room, store[S_LEFT] - store[S_ASKED])
        if ask > 0:
            state.wanted[STORE] += ask
            store[S_ASKED] += ask
        if state.arrived[STORE] > counters[STORE_BEATS]:
            counters[STORE_BEATS] += 1
            store[S_READS] += 1
            if store[S_READS] == store[S_LEFT]:
                counters[WRITTEN] += store[S_LEFT] // 8 * 5 if not store[S_FLAG] else store[S_LEFT] // 12 * 9
                end = clock + constants[G_UPDATE]
    if end >= 0:
        answered = end + constants[G_WRITE_LATENCY] + constants[G_STORE_DONE]
        store[S_END] = end + 1 if store[S_KIND] == COLLECT else answered
        state.done_at[2, store[S_OPS]] = answered + constants[G_DONE]
        store[S_OPS] += 1
    return reads
