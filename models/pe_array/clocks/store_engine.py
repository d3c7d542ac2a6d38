# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: store_engine.v, one part at work at a time, for descriptors without errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.lib.clocks.stream_fifo import NONE
from models.lib.fixed_point import IntArray
from models.lib.record import Array, Beats, Flag, Int, clocked
from models.pe_array.clocks.collect_store import (
    COLLECT,
    LEARN,
    SLOT,
    CollectState,
    collect_clock,
    collect_d_ready,
    collect_idle,
    collect_rd_ready,
    collect_read,
    collect_state,
    collect_write,
)
from models.pe_array.clocks.delta_store import (
    DeltaState,
    delta_clock,
    delta_rd_ready,
    delta_read,
    delta_state,
    delta_word,
    delta_write,
)
from models.pe_array.clocks.drain_store import (
    DRAIN,
    OUTPUT,
    SCALES,
    DrainState,
    drain_clock,
    drain_rd_ready,
    drain_read,
    drain_state,
    drain_word,
    drain_write,
)
from models.pe_array.clocks.gradient_pack import pack_grant
from models.pe_array.clocks.table import OPCODE
from models.pe_array.clocks.tile_drain import word_pe
from models.pe_array.clocks.update_store import (
    UpdateState,
    learn_done,
    learn_rd_ready,
    learn_ready,
    learn_start,
    learn_wr_ready,
    update_clock,
    update_idle,
    update_rd_ready,
    update_read,
    update_state,
    update_word,
    update_write,
)
from models.pe_array.isa.descriptors import Update

UPDATE = Update.opcode

PART_DRAIN, PART_COLLECT, PART_UPDATE, PART_DELTA = range(4)


class StoreState(NamedTuple):
    """The part that has the ports (one number), and the parts."""

    part: IntArray
    drain: DrainState
    collect: CollectState
    update: UpdateState
    delta: DeltaState


def store_state(pes: int, lanes: int, wide: int) -> StoreState:
    """As after a reset. pes, lanes, wide: P, B, WIDE."""
    return StoreState(
        np.full(1, PART_DRAIN, dtype=np.int64), drain_state(pes, lanes), collect_state(pes, wide * lanes),
        update_state(wide * lanes), delta_state(lanes),
    )  # fmt: skip


@clocked
def _part_of(row: Array) -> Int:
    opcode = row[OPCODE]
    if opcode in (OUTPUT, DRAIN, SCALES):
        return PART_DRAIN
    if opcode in (SLOT, COLLECT, LEARN):
        return PART_COLLECT
    return PART_UPDATE if opcode == UPDATE else PART_DELTA


@clocked
def _owner(state: StoreState) -> Int:
    """The part that has the ports."""
    part = state.part[0]
    return PART_UPDATE if part == PART_COLLECT and state.collect.n.learn else part


@clocked
def store_drained(state: StoreState) -> Int:
    """PE that a drain reads, or NONE."""
    word = state.drain.tiles.n.read
    return NONE if word == NONE else word_pe(word)


@clocked
def store_idle(state: StoreState) -> Flag:
    """Nothing is begun and not done."""
    return (
        state.drain.n.state == 0 and collect_idle(state.collect) and update_idle(state.update)
        and state.delta.n.active == 0
    )  # fmt: skip


@clocked
def store_done(state: StoreState) -> Flag:
    """Pulse."""
    return (
        state.drain.n.done != 0 or state.collect.n.done != 0 or state.update.n.done != 0
        or state.delta.n.done != 0
    )  # fmt: skip


@clocked
def store_read(state: StoreState) -> Beats:
    """Command at the read port: first beat, and beats or 0."""
    part = _owner(state)
    if part == PART_DRAIN:
        return drain_read(state.drain)
    if part == PART_COLLECT:
        return collect_read(state.collect)
    return update_read(state.update) if part == PART_UPDATE else delta_read(state.delta)


@clocked
def store_half(state: StoreState) -> Flag:
    """Its beats have B bytes where the port is wide."""
    return _owner(state) in (PART_DRAIN, PART_DELTA)


@clocked
def store_write(state: StoreState) -> Beats:
    """Command at the write port."""
    part = _owner(state)
    if part == PART_DRAIN:
        return drain_write(state.drain)
    if part == PART_COLLECT:
        return collect_write(state.collect)
    return update_write(state.update) if part == PART_UPDATE else delta_write(state.delta)


@clocked
def store_word(state: StoreState) -> Flag:
    """A beat stands at the write port."""
    part = _owner(state)
    if part == PART_DRAIN:
        return drain_word(state.drain)
    if part == PART_COLLECT:
        return state.collect.n.word != 0
    return update_word(state.update) if part == PART_UPDATE else delta_word(state.delta)


@clocked
def store_rd_ready(state: StoreState, wr_ready: Flag) -> Flag:
    """A beat at the read port is taken."""
    part = _owner(state)
    if part == PART_DRAIN:
        return drain_rd_ready(state.drain, wr_ready)
    if part == PART_COLLECT:
        return collect_rd_ready(state.collect, wr_ready)
    return update_rd_ready(state.update) if part == PART_UPDATE else delta_rd_ready(state.delta, wr_ready)


@clocked
def store_d_ready(state: StoreState, row: Array, rd_cmd_ready: Flag) -> Flag:
    """The descriptor of this row is taken."""
    part = _part_of(row)
    here = part == state.part[0]
    if not here and not store_idle(state):
        return False
    if part == PART_DRAIN:
        return state.drain.n.state == 0
    if part == PART_COLLECT:
        ready = learn_rd_ready(state.update) if state.collect.n.learn else rd_cmd_ready
        return collect_d_ready(state.collect, row, ready and here)
    return state.update.n.active == 0 if part == PART_UPDATE else state.delta.n.active == 0


@clocked
def store_enters(state: StoreState, given: Array, entered: Array) -> None:
    """Slots whose gradients are taken, of those that have one, 0 or 1 each."""
    if state.collect.pack.n.begun:
        pack_grant(state.collect.pack, given, entered)
    else:
        for slot in range(len(entered)):
            entered[slot] = 0


@clocked
def store_clock(
    state: StoreState, took: Flag, row: Array, rd_cmd_ready: Flag, beat: Flag, wr_cmd_ready: Flag, wr_ready: Flag,
    answer: Flag, entered: Array, words: Array,
) -> None:  # fmt: skip
    """One clock.

    Args:
        took: a descriptor is taken; row: its row.
        rd_cmd_ready, wr_cmd_ready: the ports take commands.
        beat: stands at the read port.
        wr_ready: the write port takes a beat.
        answer: a write command is answered.
        entered: what ``store_enters`` found in this clock.
        words: the program's table of drained words (``tile_drain.drain_words``).
    """
    part, of = _owner(state), _part_of(row)
    learns = part == PART_UPDATE and state.part[0] == PART_COLLECT
    nothing = np.int64(0), np.int64(0)
    to_read = to_write = nothing
    word = False
    if learns:
        if learn_rd_ready(state.update):
            to_read = collect_read(state.collect)
        if learn_wr_ready(state.update):
            to_write = collect_write(state.collect)
        word = state.collect.n.word != 0 and learn_ready(state.update)
    here = part == PART_DRAIN
    drain_clock(
        state.drain, took and of == PART_DRAIN, row, rd_cmd_ready and here, beat and here, wr_cmd_ready and here,
        wr_ready and here, answer and here, words,
    )  # fmt: skip
    here = part == PART_COLLECT
    collect_clock(
        state.collect, took and of == PART_COLLECT, row,
        learn_rd_ready(state.update) if learns else rd_cmd_ready and here, beat and here,
        learn_wr_ready(state.update) if learns else wr_cmd_ready and here,
        learn_ready(state.update) if learns else wr_ready and here,
        learn_done(state.update, answer) if learns else answer and here, entered,
    )  # fmt: skip
    here = part == PART_UPDATE
    update_clock(
        state.update, took and of == PART_UPDATE, row, rd_cmd_ready and here, beat and here, wr_cmd_ready and here,
        wr_ready and here, answer and here, learns, to_read, to_write, word,
    )  # fmt: skip
    if took and row[OPCODE] == LEARN:
        learn_start(state.update, row)
    state.update.n.pending = state.collect.n.word + state.collect.writer.beats
    state.update.n.before = state.collect.n.before
    here = part == PART_DELTA
    delta_clock(
        state.delta, took and of == PART_DELTA, row, rd_cmd_ready and here, beat and here, wr_cmd_ready and here,
        wr_ready and here, answer and here,
    )  # fmt: skip
    if took:
        state.part[0] = of
