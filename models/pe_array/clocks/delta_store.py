# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: delta_store.v and softmax8.v of rtl/pe_array/store, for descriptors without errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.record import Array, Beats, Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.pipe_control import pipe_clock, pipe_ready
from models.pe_array.clocks.table import column
from models.pe_array.isa import descriptors as d

PIPE = 2
"""Stages of output_delta8."""

_LOGITS, _LABELS, _OUTPUT, _CLASSES, _SOFTMAX = (
    column(d.Delta, name) for name in ("logits", "labels", "output", "classes", "softmax")
)

REGISTERS = kind("active labels_here done read passes writes left labels logits output classes lanes")
"""At work; the labels have come; pulse; read commands still to be given, that for the labels before those for the
logits; how often the logits are read, 1 or, with softmax, 3; a write command is to be given; deltas to be made; first
beats of labels, logits and output; beats of logits; B."""

_MAXIMA, _SUMS, _SHARES = range(3)
_STEPS = 8
"""Clocks of a division."""

SHARES = kind("passes class_ share steps shown")
"""Pass, and class of its next word; a word of exponentials waits to be divided; steps of the division that are behind,
0: none is under way; the shares of a word stand at the output."""


class DeltaState(NamedTuple):
    """Registers, the stages of output_delta8, and softmax8."""

    n: Record
    pipe: IntArray
    shares: Record


def delta_state(lanes: int) -> DeltaState:
    """As after a reset. lanes: B."""
    return DeltaState(record(REGISTERS, lanes=lanes, passes=1), np.zeros(PIPE, dtype=np.int64), record(SHARES))


@clocked
def _starts(state: Record, m_ready: Flag) -> Flag:
    """A division begins."""
    return state.share != 0 and state.steps == 0 and (state.shown == 0 or m_ready)


@clocked
def softmax_ready(state: Record, m_ready: Flag) -> Flag:
    """A word is taken."""
    if state.passes == _SHARES:
        return state.share == 0 or _starts(state, m_ready)
    return state.passes == _SUMS or (state.share == 0 and state.steps == 0 and state.shown == 0)


@clocked
def softmax_clock(state: Record, word: Flag, classes: Int, m_ready: Flag) -> None:
    """One clock, with a word at the input or none."""
    taken, starts = word and softmax_ready(state, m_ready), _starts(state, m_ready)
    waits = taken and state.passes == _SHARES
    if taken:
        state.class_ += 1
        if state.class_ == classes:
            state.class_ = 0
            state.passes = (state.passes + 1) % 3
    if waits or starts:
        state.share = 1 if waits else 0
    if m_ready:
        state.shown = 0
    if starts or state.steps > 0:
        state.steps += 1
    if state.steps == _STEPS:
        state.steps, state.shown = 0, 1


@clocked
def delta_read(state: DeltaState) -> Beats:
    """Command at the read port: first beat, and beats or 0."""
    n = state.n
    if n.read > n.passes:
        return n.labels, 1
    if n.read > 0:
        return n.logits, n.classes
    return 0, 0


@clocked
def delta_write(state: DeltaState) -> Beats:
    """Command at the write port."""
    n = state.n
    if n.writes:
        return n.output, n.classes
    return 0, 0


@clocked
def delta_word(state: DeltaState) -> Flag:
    """A beat stands at the write port."""
    return state.pipe[PIPE - 1] != 0


@clocked
def delta_rd_ready(state: DeltaState, wr_ready: Flag) -> Flag:
    """A beat is taken."""
    ready = pipe_ready(state.pipe, wr_ready)
    return state.n.labels_here == 0 or (softmax_ready(state.shares, ready) if state.n.passes > 1 else ready)


@clocked
def delta_clock(
    state: DeltaState, took: Flag, row: Array, rd_cmd_ready: Flag, beat: Flag, wr_cmd_ready: Flag, wr_ready: Flag,
    answer: Flag,
) -> None:  # fmt: skip
    """As ``drain_clock``."""
    n = state.n
    logit, ready, word = beat and n.labels_here != 0, pipe_ready(state.pipe, wr_ready), beat
    if n.passes > 1:
        word = state.shares.shown != 0
        softmax_clock(state.shares, logit, n.classes, ready)
    word = word and n.labels_here != 0
    pipe_clock(state.pipe, word, wr_ready)
    if n.labels_here == 0:
        n.labels_here = 1 if beat else 0
    elif word and ready:
        n.left -= 1
        n.labels_here = 1 if n.left > 0 else 0
    if rd_cmd_ready and n.read > 0:
        n.read -= 1
    if wr_cmd_ready:
        n.writes = 0
    n.done = 1 if answer else 0
    n.active = 1 if took or (n.active and not answer) else 0
    if took:
        lanes = n.lanes
        n.left = n.classes = row[_CLASSES]
        n.labels, n.logits, n.output = row[_LABELS] // lanes, row[_LOGITS] // lanes, row[_OUTPUT] // lanes
        n.passes = 3 if row[_SOFTMAX] else 1
        n.read, n.writes = n.passes + 1, 1
