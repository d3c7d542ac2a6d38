# SPDX-License-Identifier: Apache-2.0
"""Exact clocks of a processing element (docs/pe_array/pe.md, "Clocks"): when its entries are issued.

The model knows commands, coordinates and tap lists, and the events on the ports: when commands are offered, in which
clocks the drain reads, in which ones the gradient port is ready. It computes no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record, records
from models.pe_array.isa.pe_command import LAST_BIT, NULL_BIT, YOFF_BITS, YOFF_LOW, Op, PeCommand, PeShape
from models.pe_array.machine.pe import ProcessingElement

QUEUE = 2
"""Commands that wait, beside the one that is walked."""
STAGES = 6
"""Ticks from an entry of the walk to the issue stage."""
FIRST_ISSUE = STAGES + 2
"""Clocks from taking a command to the issue of its first entry, where nothing delays it."""
PIPE = 6
"""Clocks from the issue of a ``last`` or of a clear in MAC and MAX to its write to Y."""
PIPE_LONG = 9
"""The same in UNPOOL and, for a clear, in GRAD."""
DONE = -3
"""Clocks from these writes, of a command's final entry, to ``done``: what follows it comes to Y behind them."""
HAZARD = 3
"""Clocks between MAC results of the same Y word."""
FENCE = 6
"""Clocks between commands of different operations, and from a clear to the first entry of GRAD and UNPOOL."""
GRADIENTS = 16
"""Gradients that may be on their way to the port."""
DRAIN = 6
"""Clocks from ``drain_read`` to ``drain_valid``."""

WAIT_HAZARD, WAIT_FENCE, WAIT_GRADIENT, WAIT_DRAIN = range(4)
"""Columns of ``Timing.waits``, the rules (a) … (d)."""

COMMAND = kind("op swap clear elements taps ybase ystride first_element first_tap offered meets")
"""A command: fields of ``PeCommand``; where its coordinates and its tap list begin; as ``OfferedCommand``; whether
entries may wait for its own results (``steady``)."""


def gradient_latency(lanes: int) -> int:
    """Clocks from the issue of a GRAD ``last`` to the gradient at the port, where none is before it."""
    return 11 + (((lanes - 1).bit_length() + 1) >> 1)


@dataclass(frozen=True)
class OfferedCommand:
    """A command with what it finds in the memories, and when it comes.

    Attributes:
        command: a legal command.
        coordinates: uint16, those of its elements.
        entries: uint32, its tap list.
        offered: first clock in which ``cmd_valid`` offers it; clock 0 is the first one with ``cmd_ready``.

    Raises:
        ValueError: an array has not as many entries as the command says.
    """

    command: PeCommand
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
    def of(cls, pe: ProcessingElement, command: PeCommand, offered: int = 0) -> OfferedCommand:
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
    works: Sequence[OfferedCommand],
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
    table = records(COMMAND, len(works))
    entries = gradients = e0 = 0
    lists: dict[int, int] = {}  # start of every tap list that occurs, by identity
    parts: list[npt.NDArray[np.uint32]] = []
    t0 = 0
    for row, work in enumerate(works):
        c = work.command
        if id(work.entries) not in lists:
            lists[id(work.entries)] = t0
            parts.append(work.entries)
            t0 += len(work.entries)
        table[row] = (
            c.op, c.swap, c.clear, c.elements, c.taps, c.ybase, c.ystride, e0, lists[id(work.entries)], work.offered,
            1,
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
        pe_state(), table, coordinates, taps, shape.y_depth - 1, gradient_latency(shape.lanes),
        np.asarray(drain_read, dtype=np.bool_), np.asarray(grad_ready, dtype=np.bool_),
        clocks, waits, issued, writes, taken,
    )  # fmt: skip
    times = clocks.T.copy()
    return Timing(times[0], times[1], times[2], times[3], waits, issued, writes[:n_writes], taken[:n_taken])


PE = kind(
    "command walk_left pipeline clear_at element tap op_before before near_y near_clock far_y far_clock taken left"
    " promised gone"
)
"""State of a PE: the command, clear, element and tap that are issued next; entries that the walk has still to make (0:
idle); a bit per stage between walk and issue stage, set where there is an entry; operation and clock of the issue
before; Y word and clock of the last two MAC results or clears; commands taken from the port and gone from the queue;
gradients issued and taken at the port."""

NOTHING, ISSUED, WRITES, GRADIENT, FIRST, FINAL = 0, 8, 16, 32, 64, 128
"""What ``step`` returns: the column of ``waits`` + 1 where an entry waits, or what an issued entry does, added up."""


def pe_state() -> Record:
    """As after a reset."""
    long_ago = -HAZARD
    return record(PE, before=-FENCE, near_y=-1, near_clock=long_ago, far_y=-1, far_clock=long_ago)


@clocked
def result_word(of: Record, coordinates: Array, element: Int, entry: Int, y_mask: Int) -> Int:
    """Y word that an entry of MAC with ``last`` adds to. of: the command; element, entry: of it."""
    coordinate = coordinates[of.first_element + element]
    out = coordinate & 0xFF if of.swap else coordinate >> 8
    yoff = entry >> YOFF_LOW & ((1 << YOFF_BITS) - 1)
    return (of.ybase + out * of.ystride + yoff) & y_mask


@clocked
def step(
    state: Record, table: Array, first: Int, stride: Int, coordinates: Array, taps: Array, y_mask: Int, clock: Int,
    drained: Flag,
) -> Int:  # fmt: skip
    """A clock of a PE from the queue to the issue stage; what is taken at its ports is the caller's.

    Args:
        state: of the PE.
        table: commands; the PE's command ``n`` is row ``first + n*stride``.
        coordinates, taps: int64, of all commands.
        y_mask: depth of Y less 1.
        clock: its number.
        drained: the drain reads.
    """
    wait = -1
    entry = np.int64(0)
    clearing = real = last = False
    y = np.int64(-1)
    ready = state.pipeline >> (STAGES - 1) & 1 == 1
    opening = False
    op = elements = clear = n_taps = np.int64(0)
    if ready:
        of = table[first + state.command * stride]
        op, clear, elements, n_taps = of.op, of.clear, of.elements, of.taps
        opening = state.clear_at == 0 and state.element == 0 and state.tap == 0
        clearing = state.clear_at < clear
        real = not clearing and elements > 0
        if real:
            entry = taps[of.first_tap + state.tap]
            last = (entry >> LAST_BIT & 1) == 1
            if last and op == 0:
                y = result_word(of, coordinates, state.element, entry, y_mask)
        elif clearing:
            y = (of.ybase + state.clear_at) & y_mask
        fence = (opening and op != state.op_before) or (
            real and state.element == 0 and state.tap == 0 and state.clear_at > 0 and (op in (1, 3))
        )
        reads_y = real and (last if op == 0 else op != 2 and (entry >> NULL_BIT & 1) == 0)
        if (
            last
            and op == 0
            and (
                (y == state.near_y and clock - state.near_clock < HAZARD)
                or (y == state.far_y and clock - state.far_clock < HAZARD)
            )
        ):
            wait = WAIT_HAZARD
        elif fence and clock - state.before < FENCE:
            wait = WAIT_FENCE
        elif last and op == 1 and state.promised - state.gone >= GRADIENTS:
            wait = WAIT_GRADIENT
        elif reads_y and drained:
            wait = WAIT_DRAIN
    if wait >= 0:
        return wait + 1

    happened = NOTHING
    if ready:
        happened = ISSUED
        if opening:
            happened += FIRST
            state.op_before = op
        if clearing or (last and op == 0):
            state.far_y, state.far_clock = state.near_y, state.near_clock
            state.near_y, state.near_clock = y, clock
        if clearing or (last and op != 1):
            happened += WRITES
        if last and op == 1:
            happened += GRADIENT
            state.promised += 1
        state.before = clock
        # the next entry
        if clearing:
            state.clear_at += 1
        elif real:
            state.tap += 1
            if state.tap == n_taps:
                state.tap = 0
                state.element += 1
        if state.clear_at == clear and state.element == elements:
            happened += FINAL
            state.command += 1
            state.clear_at = state.element = state.tap = 0

    state.pipeline = (state.pipeline << 1 | (1 if state.walk_left > 0 else 0)) & ((1 << STAGES) - 1)
    if state.walk_left > 0:
        state.walk_left -= 1
    if state.walk_left == 0 and state.taken > state.left:
        of = table[first + state.left * stride]
        state.walk_left = max(1, of.clear + of.elements * of.taps)
        state.left += 1
    return happened


@clocked
def simulate(
    state: Record, table: Array, coordinates: Array, taps: Array, y_mask: Int, latency: Int, drain: Array,
    ready: Array, clocks: Array, waits: Array, issued: Array, writes: Array, taken: Array,
) -> tuple[Int, Int]:  # fmt: skip
    """Play the clocks of a PE; returns the numbers of writes to Y and of gradients.

    Args:
        state: of the PE, after a reset.
        table: a row per command; coordinates, taps: int64, of all commands.
        y_mask: depth of Y less 1; latency: of a gradient.
        drain, ready: events per clock.
        clocks, waits, issued, writes, taken: filled (``Timing``; clocks: taken, first, last, done).
    """
    commands = len(table)
    n_issued = n_writes = 0
    clock = np.int64(0)
    while state.command < commands or state.gone < state.promised:
        waiting = state.taken - state.left
        command, gone = state.command, state.gone
        # gradients at the port: those whose time has come, one per clock; until then `taken` holds when that is
        pops = gone < state.promised and taken[gone] <= clock and (clock >= len(ready) or ready[clock])
        happened = step(
            state, table, 0, 1, coordinates, taps, y_mask, clock, clock < len(drain) and drain[clock]
        )  # fmt: skip
        if pops:
            taken[gone] = clock
            state.gone += 1
        if happened & ISSUED:
            pipe = PIPE_LONG if table[command].op in (1, 3) else PIPE
            issued[n_issued] = clock
            n_issued += 1
            if happened & FIRST:
                clocks[command, 1] = clock
            if happened & WRITES:
                writes[n_writes] = clock + pipe
                n_writes += 1
            if happened & GRADIENT:
                taken[state.promised - 1] = clock + latency
            if happened & FINAL:
                clocks[command, 2] = clock
                clocks[command, 3] = clock + pipe + DONE
        elif happened:
            waits[command, happened - 1] += 1
        if state.taken < commands and waiting < QUEUE and table[state.taken].offered <= clock:
            clocks[state.taken, 0] = clock
            state.taken += 1
        clock += 1
    return n_writes, state.promised
