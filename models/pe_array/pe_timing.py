# SPDX-License-Identifier: Apache-2.0
"""Exact clocks of a processing element (docs/pe_array.md, section 4, "Clocks"): when its entries are issued.

The model knows commands, coordinates and tap lists, and the events on the ports: when commands are offered, in which
clocks the drain reads, in which ones the gradient port is ready. It computes no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.fixed_point import IntArray
from models.pe_array.pe_model import (
    LAST_BIT,
    NULL_BIT,
    YOFF_BITS,
    YOFF_LOW,
    Command,
    Op,
    PeShape,
    ProcessingElement,
)  # fmt: skip

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code

QUEUE = 2
"""Commands that wait, beside the one that is walked."""
STAGES = 6
"""Ticks from an entry of the walk to the issue stage."""
FIRST_ISSUE = STAGES + 2
"""Clocks from taking a command to the issue of its first entry, where nothing delays it."""
PIPE = 7
"""Clocks from the issue of a ``last`` or of a clear in MAC and MAX to its write to Y."""
PIPE_LONG = 11
"""The same in UNPOOL and, for a clear, in GRAD. ``done`` follows one clock later."""
HAZARD = 3
"""Clocks between MAC results of the same Y word."""
FENCE = 8
"""Clocks between commands of different operations, and from a clear to the first entry of GRAD and UNPOOL."""
GRADIENTS = 16
"""Gradients that may be on their way to the port."""
DRAIN = 6
"""Clocks from ``drain_read`` to ``drain_valid``."""

WAIT_HAZARD, WAIT_FENCE, WAIT_GRADIENT, WAIT_DRAIN = range(4)
"""Columns of ``Timing.waits``, the rules (a) … (d)."""

C_OP, C_SWAP, C_CLEAR, C_ELEMENTS, C_TAPS, C_YBASE, C_YSTRIDE, C_E, C_T, C_OFFERED = range(10)


def gradient_latency(lanes: int) -> int:
    """Clocks from the issue of a GRAD ``last`` to the gradient at the port, where none is before it."""
    return 12 + (((lanes - 1).bit_length() + 1) >> 1)


@dataclass(frozen=True)
class Work:
    """A command with what it finds in the memories, and when it comes.

    Attributes:
        command: a legal command.
        coordinates: uint16, those of its elements.
        entries: uint32, its tap list.
        offered: first clock in which ``cmd_valid`` offers it; clock 0 is the first one with ``cmd_ready``.

    Raises:
        ValueError: an array has not as many entries as the command says.
    """

    command: Command
    coordinates: npt.NDArray[np.uint16]
    entries: npt.NDArray[np.uint32]
    offered: int = 0

    def __post_init__(self) -> None:
        """Check the lengths."""
        for name, array, wanted in (
            ("coordinates", self.coordinates, self.command.elements),
            ("entries", self.entries, self.command.taps),
        ):
            if len(array) != wanted:
                raise ValueError(f"{len(array)} {name} must be {wanted}, as many as the command says")

    @classmethod
    def of(cls, pe: ProcessingElement, command: Command, offered: int = 0) -> Work:
        """A command and what it finds in the memories of a PE now."""
        command.check(pe.shape)
        first_e, first_t = command.ebase * (pe.shape.lanes // 2), command.tbase * (pe.shape.lanes // 4)
        coordinates = pe.e[(first_e + np.arange(command.elements)) % len(pe.e)]
        return cls(command, coordinates, pe.t[(first_t + np.arange(command.taps)) % len(pe.t)], offered)


@dataclass(frozen=True)
class Timing:
    """Clocks of a sequence of commands.

    Attributes:
        taken, first, last, done: int64 (commands,): when each was taken from the port, when its first and its final
            entry were issued, when ``done`` pulsed.
        waits: int64 (commands, 4): clocks in which an entry of the command waited at the issue stage; a clock in which
            several rules ask for it counts for the first one, (a) … (d).
        issued: clock of every entry, int64; its length is the number of ``busy`` pulses.
        writes: clocks in which Y is written, int64, in order of issue.
        gradients: clocks in which a gradient is taken at the port, int64.
    """

    taken: IntArray
    first: IntArray
    last: IntArray
    done: IntArray
    waits: IntArray
    issued: IntArray
    writes: IntArray
    gradients: IntArray

    @property
    def stalls(self) -> int:
        """Number of ``stall`` pulses."""
        return int(self.waits.sum())


def predict(
    works: Sequence[Work],
    shape: PeShape,
    drain_read: npt.ArrayLike = (),
    grad_ready: npt.ArrayLike = (),
) -> Timing:
    """Clocks of commands that come one after the other.

    Args:
        works: the commands, in order.
        shape: the PE's parameters.
        drain_read: bool (clocks,): the drain reads; false after the end.
        grad_ready: bool (clocks,): the gradient port is ready; true after the end.
    """
    table = np.zeros((len(works), C_OFFERED + 1), dtype=np.int64)
    entries = gradients = e0 = 0
    lists: dict[int, int] = {}  # start of every tap list that occurs, by identity
    parts: list[npt.NDArray[np.uint32]] = []
    t0 = 0
    for row, work in zip(table, works, strict=True):
        c = work.command
        if id(work.entries) not in lists:
            lists[id(work.entries)] = t0
            parts.append(work.entries)
            t0 += len(work.entries)
        row[:] = (
            c.op, c.swap, c.clear, c.elements, c.taps, c.ybase, c.ystride, e0, lists[id(work.entries)], work.offered,
        )  # fmt: skip
        e0 += c.elements
        entries += max(1, c.clear + c.elements * c.taps)
        gradients += c.elements * c.taps if c.op == Op.GRAD else 0
    empty = np.zeros(0)
    coordinates = np.concatenate([empty, *(work.coordinates for work in works)]).astype(np.int64)
    taps = np.concatenate([empty, *parts]).astype(np.int64)
    clocks = np.zeros((len(works), 4), dtype=np.int64)
    waits = np.zeros((len(works), 4), dtype=np.int64)
    issued, writes = np.zeros(entries, dtype=np.int64), np.zeros(entries, dtype=np.int64)
    taken = np.zeros(gradients, dtype=np.int64)
    n_writes, n_taken = simulate(
        table, coordinates, taps, shape.y_depth - 1, gradient_latency(shape.lanes),
        np.asarray(drain_read, dtype=np.bool_), np.asarray(grad_ready, dtype=np.bool_),
        clocks, waits, issued, writes, taken,
    )  # fmt: skip
    times = clocks.T.copy()
    return Timing(times[0], times[1], times[2], times[3], waits, issued, writes[:n_writes], taken[:n_taken])


@njit(cache=True)
def simulate(
    table: Array, coordinates: Array, taps: Array, y_mask: Int, latency: Int, drain: Array, ready: Array,
    clocks: Array, waits: Array, issued: Array, writes: Array, taken: Array,
) -> Any:  # fmt: skip
    """Play the clocks of a PE; returns the numbers of writes to Y and of gradients.

    Args:
        table: a row per command, columns C_…; coordinates, taps: int64, of all commands.
        y_mask: depth of Y less 1; latency: of a gradient.
        drain, ready: events per clock.
        clocks, waits, issued, writes, taken: filled (``Timing``; clocks: taken, first, last, done).
    """
    commands = len(table)
    n_taken = n_left = 0  # commands taken from the port, commands that have left the queue
    walk_left = 0  # entries that the walk has still to make of its command, 0: idle
    pipe = 0  # a bit per stage between walk and issue stage, set where there is an entry
    command = clear_at = element = tap = 0  # the entry that is issued next
    n_issued = n_writes = n_gradients = n_gone = 0
    before = np.int64(-FENCE)  # clock of the issue before
    near_y, near_clock = np.int64(-1), np.int64(-HAZARD)  # Y word of the last MAC result or clear
    far_y, far_clock = np.int64(-1), np.int64(-HAZARD)  # and of the one before
    op_before = 0
    clock = np.int64(0)
    while command < commands or n_gone < n_gradients:
        wait = -1
        entry = np.int64(0)
        clearing = real = last = False
        y = np.int64(-1)
        if pipe >> (STAGES - 1) & 1:
            row = table[command]
            op = row[C_OP]
            clearing = clear_at < row[C_CLEAR]
            real = not clearing and row[C_ELEMENTS] > 0
            if real:
                entry = taps[row[C_T] + tap]
                last = (entry >> LAST_BIT & 1) == 1
                coordinate = coordinates[row[C_E] + element]
                out = coordinate & 0xFF if row[C_SWAP] else coordinate >> 8
                yoff = entry >> YOFF_LOW & ((1 << YOFF_BITS) - 1)
                y = (row[C_YBASE] + out * row[C_YSTRIDE] + yoff) & y_mask
            elif clearing:
                y = (row[C_YBASE] + clear_at) & y_mask
            fence = (clear_at == 0 and element == 0 and tap == 0 and op != op_before) or (
                real and element == 0 and tap == 0 and clear_at > 0 and (op in (1, 3))
            )
            grad_last = last and op == 1
            reads_y = real and (last if op == 0 else op != 2 and (entry >> NULL_BIT & 1) == 0)
            if (
                last
                and op == 0
                and ((y == near_y and clock - near_clock < HAZARD) or (y == far_y and clock - far_clock < HAZARD))
            ):
                wait = WAIT_HAZARD
            elif fence and clock - before < FENCE:
                wait = WAIT_FENCE
            elif grad_last and n_gradients - n_gone >= GRADIENTS:
                wait = WAIT_GRADIENT
            elif reads_y and clock < len(drain) and drain[clock]:
                wait = WAIT_DRAIN

        # gradients at the port: those whose time has come, one per clock; until then `taken` holds when that is
        if n_gone < n_gradients and taken[n_gone] <= clock and (clock >= len(ready) or ready[clock]):
            taken[n_gone] = clock
            n_gone += 1

        if wait >= 0:
            waits[command, wait] += 1
        elif pipe >> (STAGES - 1) & 1:
            row = table[command]
            op = row[C_OP]
            issued[n_issued] = clock
            n_issued += 1
            if clear_at == 0 and element == 0 and tap == 0:
                clocks[command, 1] = clock
                op_before = op
            if clearing or (last and op == 0):
                far_y, far_clock, near_y, near_clock = near_y, near_clock, y, clock
            if clearing or (last and op != 1):
                writes[n_writes] = clock + (PIPE_LONG if op in (1, 3) else PIPE)
                n_writes += 1
            if last and op == 1:
                taken[n_gradients] = clock + latency
                n_gradients += 1
            before = clock
            # the next entry
            if clearing:
                clear_at += 1
            elif real:
                tap += 1
                if tap == row[C_TAPS]:
                    tap = 0
                    element += 1
            if clear_at == row[C_CLEAR] and element == row[C_ELEMENTS]:
                clocks[command, 2] = clock
                clocks[command, 3] = clock + 1 + (PIPE_LONG if op in (1, 3) else PIPE)
                command += 1
                clear_at = element = tap = 0

        waiting = n_taken - n_left
        if wait < 0:
            pipe = (pipe << 1 | (1 if walk_left > 0 else 0)) & ((1 << STAGES) - 1)
            if walk_left > 0:
                walk_left -= 1
            if walk_left == 0 and waiting > 0:
                row = table[n_left]
                walk_left = max(1, row[C_CLEAR] + row[C_ELEMENTS] * row[C_TAPS])
                n_left += 1
        if n_taken < commands and waiting < QUEUE and table[n_taken, C_OFFERED] <= clock:
            clocks[n_taken, 0] = clock
            n_taken += 1
        clock += 1
    return n_writes, n_gradients
