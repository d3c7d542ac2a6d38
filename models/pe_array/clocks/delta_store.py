# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/delta_store.v, for descriptors without errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray
from models.lib.record import Array, Beats, Flag, Record, kind, record
from models.pe_array.clocks.pipe_control import pipe_clock, pipe_ready
from models.pe_array.clocks.table import column
from models.pe_array.isa import descriptors as d

PIPE = 2
"""Stages of output_delta8."""

_LOGITS, _LABELS, _OUTPUT, _CLASSES = (column(d.Delta, name) for name in ("logits", "labels", "output", "classes"))

REGISTERS = kind("active labels_here done read writes left labels logits output classes lanes")
"""At work; the labels have come; pulse; read commands still to be given, of two; a write command is to be
given; logits to come; first beats of labels, logits and output; beats of logits; B."""


class DeltaState(NamedTuple):
    """Registers, and the stages of output_delta8."""

    n: Record
    pipe: IntArray


def delta_state(lanes: int) -> DeltaState:
    """As after a reset. lanes: B."""
    return DeltaState(record(REGISTERS, lanes=lanes), np.zeros(PIPE, dtype=np.int64))


@njit(cache=True)
def delta_read(state: DeltaState) -> Beats:
    """Command at the read port: first beat, and beats or 0."""
    n = state.n
    if n.read == 2:
        return n.labels, 1
    if n.read == 1:
        return n.logits, n.classes
    return 0, 0


@njit(cache=True)
def delta_write(state: DeltaState) -> Beats:
    """Command at the write port."""
    n = state.n
    if n.writes:
        return n.output, n.classes
    return 0, 0


@njit(cache=True)
def delta_word(state: DeltaState) -> Flag:
    """A beat stands at the write port."""
    return state.pipe[PIPE - 1] != 0


@njit(cache=True)
def delta_rd_ready(state: DeltaState, wr_ready: Flag) -> Flag:
    """A beat is taken."""
    return state.n.labels_here == 0 or pipe_ready(state.pipe, wr_ready)


@njit(cache=True)
def delta_clock(
    state: DeltaState, took: Flag, row: Array, rd_cmd_ready: Flag, beat: Flag, wr_cmd_ready: Flag, wr_ready: Flag,
    answer: Flag,
) -> None:  # fmt: skip
    """As ``drain_clock``."""
    n = state.n
    logit, ready = beat and n.labels_here != 0, pipe_ready(state.pipe, wr_ready)
    pipe_clock(state.pipe, logit, wr_ready)
    if n.labels_here == 0:
        n.labels_here = 1 if beat else 0
    elif logit and ready:
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
        n.read, n.writes = 2, 1
