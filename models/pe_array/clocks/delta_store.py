# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/delta_store.v, for descriptors without errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.clocks.parts import Array, Beats, Flag, pipe_clock, pipe_ready
from models.pe_array.clocks.table import column
from models.pe_array.isa import descriptors as d

PIPE = 2
"""Stages of output_delta8."""

_LOGITS, _LABELS, _OUTPUT, _CLASSES = (column(d.Delta, name) for name in ("logits", "labels", "output", "classes"))

(
    E_ACTIVE, E_LABELS_HERE, E_DONE, E_READ, E_WRITES, E_LEFT, E_LABELS, E_LOGITS, E_OUTPUT, E_CLASSES, E_LANES,
) = range(11)  # fmt: skip
"""Registers: at work; the labels have come; pulse; read commands still to be given, of two; a write command is to be
given; logits to come; first beats of labels, logits and output; beats of logits; B."""


class DeltaState(NamedTuple):
    """Registers E_…, and the stages of output_delta8."""

    n: IntArray
    pipe: IntArray


def delta_state(lanes: int) -> DeltaState:
    """As after a reset. lanes: B."""
    n = np.zeros(E_LANES + 1, dtype=np.int64)
    n[E_LANES] = lanes
    return DeltaState(n, np.zeros(PIPE, dtype=np.int64))


@njit(cache=True)
def delta_read(state: DeltaState) -> Beats:
    """Command at the read port: first beat, and beats or 0."""
    n = state.n
    if n[E_READ] == 2:
        return n[E_LABELS], 1
    if n[E_READ] == 1:
        return n[E_LOGITS], n[E_CLASSES]
    return 0, 0


@njit(cache=True)
def delta_write(state: DeltaState) -> Beats:
    """Command at the write port."""
    n = state.n
    if n[E_WRITES]:
        return n[E_OUTPUT], n[E_CLASSES]
    return 0, 0


@njit(cache=True)
def delta_word(state: DeltaState) -> Flag:
    """A beat stands at the write port."""
    return state.pipe[PIPE - 1] != 0


@njit(cache=True)
def delta_rd_ready(state: DeltaState, wr_ready: Flag) -> Flag:
    """A beat is taken."""
    return state.n[E_LABELS_HERE] == 0 or pipe_ready(state.pipe, wr_ready)


@njit(cache=True)
def delta_clock(
    state: DeltaState, took: Flag, row: Array, rd_cmd_ready: Flag, beat: Flag, wr_cmd_ready: Flag, wr_ready: Flag,
    answer: Flag,
) -> None:  # fmt: skip
    """As ``drain_clock``."""
    n = state.n
    logit, ready = beat and n[E_LABELS_HERE] != 0, pipe_ready(state.pipe, wr_ready)
    pipe_clock(state.pipe, logit, wr_ready)
    if n[E_LABELS_HERE] == 0:
        n[E_LABELS_HERE] = 1 if beat else 0
    elif logit and ready:
        n[E_LEFT] -= 1
        n[E_LABELS_HERE] = 1 if n[E_LEFT] > 0 else 0
    if rd_cmd_ready and n[E_READ] > 0:
        n[E_READ] -= 1
    if wr_cmd_ready:
        n[E_WRITES] = 0
    n[E_DONE] = 1 if answer else 0
    n[E_ACTIVE] = 1 if took or (n[E_ACTIVE] and not answer) else 0
    if took:
        lanes = n[E_LANES]
        n[E_LEFT] = n[E_CLASSES] = row[_CLASSES]
        n[E_LABELS], n[E_LOGITS], n[E_OUTPUT] = row[_LABELS] // lanes, row[_LOGITS] // lanes, row[_OUTPUT] // lanes
        n[E_READ], n[E_WRITES] = 2, 1
