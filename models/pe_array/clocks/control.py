# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: fetch, dispatch, queues, compute engine, stop control (docs/pe_array/program.md).

A descriptor is the number of its row in a table of ``table``; NONE: there is none. ``control_timing`` has each
part for itself.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.clocks.parts import Array, Flag, Int
from models.pe_array.clocks.stream_fifo import F_COUNT, NONE, fifo_clock, fifo_head
from models.pe_array.clocks.table import COMPUTES, LOADS, OPCODE, STORES, column
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.descriptors import BYTES, Cause, Engine
from models.pe_array.isa.operations import CommandField
from models.pe_array.isa.pe_command import Op

ADDRESS_BITS = 32
ADDRESS, OPCODE_FAULT, FIELD, HOST = int(Cause.ADDRESS), int(Cause.OPCODE), int(Cause.FIELD), int(Cause.HOST)

# --- program_fetch ---

(
    F_BEAT_BYTES, F_CHUNK, F_START, F_BEATS, F_ASKED, F_ADDR, F_LENGTH, F_NEXT, F_LEFT, F_SHOWN, F_PART, F_IDLE,
    F_CAUSE, F_INDEX, F_SIZE,
) = range(15)  # fmt: skip
"""B, CHUNK; address of the list, its beats, those asked for; command at the read port: byte address, beats or 0;
descriptor at the output, those left, those at the output, bytes of the next one; idle; error of this clock: cause or 0,
descriptor."""


def fetch_state(beat_bytes: int, chunk: int) -> IntArray:
    """As after a reset. beat_bytes, chunk: B, CHUNK in beats."""
    n = np.zeros(F_SIZE, dtype=np.int64)
    n[F_BEAT_BYTES], n[F_CHUNK], n[F_IDLE] = beat_bytes, chunk, 1
    return n


@njit(cache=True)
def fetch_rd_ready(n: Array, p_ready: Flag) -> Flag:
    """A beat is taken in a clock in which nothing is left of the one before, or the last of it goes."""
    return n[F_IDLE] == 0 and (n[F_SHOWN] == 0 or (n[F_SHOWN] == 1 and p_ready))


@njit(cache=True)
def fetch_clock(n: Array, start: Flag, address: Int, length: Int, cmd_ready: Flag, item: Int, p_ready: Flag) -> None:
    """One clock.

    Args:
        start: a list begins: byte address and number of descriptors.
        cmd_ready: the read port takes the command.
        item: the error of the item that stands at the read port, or NONE.
        p_ready: the descriptor at the output is taken.
    """
    take = item != NONE and fetch_rd_ready(n, p_ready)
    was_idle = n[F_IDLE] != 0
    n[F_CAUSE] = 0
    if cmd_ready:
        n[F_LENGTH] = 0
    if n[F_LENGTH] == 0 and n[F_ASKED] < n[F_BEATS]:
        at = n[F_START] + n[F_ASKED] * n[F_BEAT_BYTES]
        # a list that begins elsewhere than at a multiple of a descriptor's bytes, and one beyond the last address, is
        # asked for at odd addresses, which a read port refuses
        wrong = 1 if n[F_START] % BYTES != 0 or at >> ADDRESS_BITS != 0 else 0
        n[F_ADDR] = (at & ((1 << ADDRESS_BITS) - 1)) | wrong
        n[F_LENGTH] = min(n[F_CHUNK], n[F_BEATS] - n[F_ASKED])
        n[F_ASKED] += n[F_LENGTH]
    if n[F_SHOWN] > 0 and p_ready:
        n[F_SHOWN] -= 1
        n[F_NEXT] += 1
        n[F_LEFT] -= 1
    if take and item > 0:
        n[F_CAUSE], n[F_INDEX] = item + ADDRESS - 1, n[F_NEXT]
        n[F_ASKED] = n[F_BEATS]
    elif take:
        n[F_PART] += n[F_BEAT_BYTES]
        if n[F_PART] >= BYTES:
            n[F_SHOWN] = min(n[F_PART] // BYTES, n[F_LEFT])
            n[F_PART] = 0
    n[F_IDLE] = 1 if was_idle or n[F_LEFT] == 0 or n[F_CAUSE] > 0 else 0
    if was_idle and start:
        n[F_START], n[F_ASKED], n[F_LEFT] = address, 0, length
        n[F_BEATS] = (length * BYTES + n[F_BEAT_BYTES] - 1) // n[F_BEAT_BYTES]
        n[F_NEXT] = n[F_SHOWN] = n[F_PART] = 0
        n[F_IDLE] = 1 if length == 0 else 0


# --- dispatcher ---

D_HELD, D_TO, D_COUNTS, D_FAULT, D_SIZE = 0, 1, 2, 5, 6
"""The descriptor inside, or NONE; the engine whose queue it is offered to, or 0; loads, computes and stores done,
modulo 2^24; cause of an error in this clock, or 0."""
LOAD = int(Engine.LOAD)


def dispatch_state() -> IntArray:
    """As after a reset."""
    n = np.zeros(D_SIZE, dtype=np.int64)
    n[D_HELD] = NONE
    return n


@njit(cache=True)
def dispatch_ready(n: Array, readies: Array) -> Flag:
    """A descriptor is taken when none is inside or the one inside goes; ``readies``: load, compute, store."""
    return n[D_HELD] == NONE or readies[n[D_TO] - LOAD] != 0


@njit(cache=True)
def dispatch_clock(n: Array, item: Int, engine: Int, readies: Array, done: Array, clear: Flag) -> None:
    """One clock.

    Args:
        item, engine: the descriptor at the input, or NONE; the engine that knows its opcode, or 0.
        readies: queues that have room; done: operations that are done.
        clear: the counts begin at 0.
    """
    n[D_FAULT] = 0
    if dispatch_ready(n, readies):
        n[D_HELD], n[D_TO] = item, engine
        if item != NONE and engine == 0:
            n[D_HELD], n[D_FAULT] = NONE, OPCODE_FAULT
    for each in range(3):
        n[D_COUNTS + each] = 0 if clear else (n[D_COUNTS + each] + done[each]) & 0xFFFFFF


# --- op_queue ---

Q_DEPTH, Q_GATE, Q_OPEN, Q_READY, Q_FIFO = range(5)
"""DEPTH; the descriptor at the gate, or NONE; the gate is open; s_ready. A FIFO follows."""


def queue_state(depth: int) -> IntArray:
    """As after a reset. depth: DEPTH, in descriptors."""
    n = np.zeros(Q_FIFO + 3 + depth, dtype=np.int64)
    n[Q_DEPTH], n[Q_GATE] = depth, NONE
    return n


@njit(cache=True)
def queue_offered(n: Array) -> Int:
    """The descriptor at the output, or NONE."""
    return n[Q_GATE] if n[Q_OPEN] else NONE


@njit(cache=True)
def queue_empty(n: Array) -> Flag:
    """Nothing is inside."""
    return n[Q_GATE] == NONE and n[Q_FIFO + F_COUNT] == 0


@njit(cache=True)
def queue_clock(n: Array, item: Int, counts: Array, d_ready: Flag, table: Array) -> None:
    """One clock with a descriptor or NONE, the loads, computes and stores done, and the table of descriptors."""
    words = n[Q_FIFO:]
    if n[Q_OPEN] and d_ready:
        n[Q_GATE] = NONE
    head, free = fifo_head(words), n[Q_GATE] == NONE
    fifo_clock(words, item if n[Q_READY] else NONE, free)
    if free:
        n[Q_GATE] = head
    gate = n[Q_GATE]
    n[Q_OPEN] = 0
    if gate != NONE:
        waits = table[gate]
        reached = counts[0] >= waits[LOADS] and counts[1] >= waits[COMPUTES] and counts[2] >= waits[STORES]
        n[Q_OPEN] = 1 if reached else 0
    n[Q_READY] = 1 if words[F_COUNT] < n[Q_DEPTH] else 0


# --- compute_engine ---

QUIET = 4
"""Clocks for which the grid must be idle, and its sums of gradients empty, before tiles_log2 changes."""

C_PES, C_HELD, C_IS_SET, C_WANTED, C_QUIET, C_TILES, C_FAULT, C_SIZE = range(8)
"""P; descriptor inside, or NONE; whether it is a SET; the tiles_log2 that a GRAD wants, or NONE; clocks of quiet;
tiles_log2 as the grid sees it; cause of an error in this clock, or 0."""
SET = d.Set.opcode
GRAD = int(Op.GRAD)
FIELDS = len(CommandField)
_FIELD, _OP, _TILES = column(d.Set, "field"), column(d.Compute, "op"), column(d.Compute, "tiles_log2")


def compute_state(pes: int) -> IntArray:
    """As after a reset. pes: P."""
    n = np.zeros(C_SIZE, dtype=np.int64)
    n[C_PES], n[C_HELD], n[C_WANTED] = pes, NONE, NONE
    return n


@njit(cache=True)
def _changes(n: Array) -> Flag:
    return n[C_HELD] != NONE and n[C_WANTED] != NONE and n[C_WANTED] != n[C_TILES]


@njit(cache=True)
def compute_set(n: Array) -> Flag:
    """A SET is offered to the grid."""
    return n[C_HELD] != NONE and n[C_IS_SET] != 0


@njit(cache=True)
def compute_command(n: Array) -> Flag:
    """A COMPUTE is offered to the grid."""
    return n[C_HELD] != NONE and n[C_IS_SET] == 0 and not _changes(n)


@njit(cache=True)
def compute_idle(n: Array, grid_idle: Flag) -> Flag:
    """Nothing is begun and not done."""
    return n[C_HELD] == NONE and grid_idle


@njit(cache=True)
def compute_ready(n: Array, set_ready: Flag, cmd_ready: Flag) -> Flag:
    """A descriptor is taken when none is inside or the one inside goes."""
    goes = (compute_set(n) and set_ready) or (compute_command(n) and cmd_ready)
    return n[C_HELD] == NONE or goes


@njit(cache=True)
def compute_clock(n: Array, item: Int, set_ready: Flag, cmd_ready: Flag, quiet: Flag, table: Array) -> None:
    """One clock with a descriptor or NONE; ``quiet``: the grid is idle and its sums of gradients are empty."""
    n[C_FAULT] = 0
    ready = compute_ready(n, set_ready, cmd_ready)
    n[C_QUIET] = n[C_QUIET] + 1 if _changes(n) and quiet else 0
    if n[C_QUIET] == QUIET:
        n[C_TILES], n[C_QUIET] = n[C_WANTED], 0
    if not ready:
        return
    n[C_HELD] = NONE
    if item == NONE:
        return
    row = table[item]
    n[C_IS_SET] = 1 if row[OPCODE] == SET else 0
    n[C_WANTED] = row[_TILES] if n[C_IS_SET] == 0 and row[_OP] == GRAD else NONE
    legal = row[_FIELD] < FIELDS if n[C_IS_SET] else n[C_WANTED] == NONE or 1 << n[C_WANTED] <= n[C_PES]
    if legal:
        n[C_HELD] = item
    else:
        n[C_FAULT] = FIELD


# --- array_control ---

IDLE_CLOCKS = 8
"""Clocks for which everything must be idle at the end of a program."""
HOLD_CLOCKS = 4
"""Least clocks for which engines are held in reset by a stop."""

IDLE, RUN, STOP = range(3)
A_STATE, A_COUNT, A_RUN, A_SEED, A_ENDED, A_CAUSE, A_ENGINE, A_INDEX, A_RESET, A_SIZE = range(10)
"""State and its clocks; pulses run and seed_load; the last program has come to its end; why it was stopped: cause or 0,
engine, descriptor; engine_rst, and cancel too unless the program has ended."""


def control_state() -> IntArray:
    """As after a reset."""
    n = np.zeros(A_SIZE, dtype=np.int64)
    n[A_RESET] = 1
    return n


@njit(cache=True)
def control_clock(n: Array, start: Flag, seed: Flag, stop: Flag, faults: Array, idle: Flag, ports_idle: Flag) -> None:
    """One clock.

    Args:
        start, seed, stop: what the host wants.
        faults: (5, 2): cause or 0, and descriptor, of dispatcher, fetch, load, compute and store engine.
        idle: fetch, dispatcher, queues and engines are idle.
        ports_idle: AXI ports are idle.
    """
    ran = n[A_RUN] != 0
    n[A_RUN] = n[A_SEED] = n[A_RESET] = 0
    if n[A_STATE] == IDLE:
        if start and not stop:
            n[A_STATE], n[A_COUNT], n[A_RUN], n[A_SEED] = RUN, 0, 1, 1 if seed else 0
            n[A_ENDED] = n[A_CAUSE] = n[A_ENGINE] = n[A_INDEX] = 0
    elif n[A_STATE] == RUN:
        n[A_COUNT] = n[A_COUNT] + 1 if idle and ports_idle and not ran else 0
        seen = 0
        while seen < len(faults) and faults[seen, 0] == 0:
            seen += 1
        if seen < len(faults):
            n[A_CAUSE], n[A_INDEX] = faults[seen]
            n[A_ENGINE] = max(0, seen - 1)  # the dispatcher's count as those of the fetch
        elif stop:
            n[A_CAUSE], n[A_ENGINE], n[A_INDEX] = HOST, 0, 0
        if seen < len(faults) or stop:
            n[A_STATE], n[A_COUNT], n[A_RESET] = STOP, 0, 1
        elif n[A_COUNT] == IDLE_CLOCKS:
            n[A_STATE], n[A_ENDED], n[A_RESET] = IDLE, 1, 1
    else:
        n[A_COUNT] += 1
        if n[A_COUNT] >= HOLD_CLOCKS and ports_idle:
            n[A_STATE] = IDLE
        n[A_RESET] = 1 if n[A_STATE] == STOP else 0
