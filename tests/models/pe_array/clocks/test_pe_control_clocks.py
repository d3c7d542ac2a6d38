# SPDX-License-Identifier: Apache-2.0
"""Clock models of fetch, dispatch, queues, compute engine and stop control: the latencies that the contract states."""

from __future__ import annotations

from itertools import pairwise

import pytest

from models.pe_array.clocks.array_control import HOLD_CLOCKS, IDLE_CLOCKS, ControlClocks
from models.pe_array.clocks.compute_engine import QUIET, ComputeClocks
from models.pe_array.clocks.dispatcher import DispatchClocks
from models.pe_array.clocks.op_queue import QueueClocks
from models.pe_array.clocks.program_fetch import EngineFault, FetchClocks, Item
from models.pe_array.isa.descriptors import Cause, Compute, Descriptor, Engine, Map, Pointers, Set
from models.pe_array.isa.encoding import pack
from models.pe_array.isa.operations import After
from models.pe_array.isa.pe_command import Op

READY = (True, True, True)
NO_FAULTS = (None,) * 5


def _item(descriptor: Descriptor, index: int = 0) -> Item:
    return Item(pack(descriptor), index)


# --- fetch ---


def _commands(addr: int, length: int, beat_bytes: int, chunk: int) -> list[tuple[int, int]]:
    """Read commands of a list, at a port that takes one in every clock."""
    model = FetchClocks(beat_bytes, chunk)
    made = []
    model.clock((addr, length), True, None, True)
    for _ in range(10):
        model.clock(None, True, None, True)
        made.append(model.command)
    return [command for command in made if command is not None]


@pytest.mark.parametrize(
    ("length", "beat_bytes", "expected"),
    [
        (3, 8, [(0x40, 8), (0x80, 4)]),
        (3, 64, [(0x40, 2)]),
        (17, 64, [(0x40, 8), (0x240, 1)]),
        (1, 32, [(0x40, 1)]),
        (0, 16, []),
    ],
)
def test_commands_cover_the_list(length: int, beat_bytes: int, expected: list[tuple[int, int]]) -> None:
    assert _commands(0x40, length, beat_bytes, 8) == expected


def test_wrong_lists_get_odd_addresses() -> None:
    assert _commands(0x48, 1, 8, 8) == [(0x49, 4)]
    assert _commands(2**32 - 64, 4, 8, 8) == [(2**32 - 64, 8), (1, 8)]


def _fetch(beat_bytes: int, length: int, p_ready: bool = True) -> tuple[list[int], list[int]]:
    """Clocks in which beats are taken and descriptors stand at the output, memory and reader at full speed."""
    model = FetchClocks(beat_bytes, 4096)
    beats: list[int] = []
    shown: list[int] = []
    model.clock((0, length), True, None, p_ready)
    asked = False
    for clock in range(1, 200):
        if model.index is not None:
            shown.append(clock)
        asked = asked or model.command is not None
        item = 0 if asked and len(beats) < length * 32 // beat_bytes else None
        if item is not None and model.rd_ready(p_ready):
            beats.append(clock)
        model.clock(None, True, item, p_ready)
        if model.idle:
            return beats, shown
    return beats, shown


def test_a_command_stands_at_the_port_2_clocks_after_start() -> None:
    model = FetchClocks(8, 4)
    model.clock((0, 2), False, None, True)
    assert model.command is None
    model.clock(None, False, None, True)
    assert model.command == (0, 4)
    model.clock(None, True, None, True)
    assert model.command == (32, 4)


@pytest.mark.parametrize("beat_bytes", [8, 16, 32, 64])
def test_fetch_at_full_speed(beat_bytes: int) -> None:
    """A descriptor in 32/B clocks, at most one per clock, 1 clock after its final beat."""
    beats, shown = _fetch(beat_bytes, 10)
    step = max(32 // beat_bytes, 1)
    assert len(shown) == 10
    assert {b - a for a, b in pairwise(shown)} == {step}
    assert shown[0] == beats[step - 1] + 1
    assert len(beats) == 10 * 32 // beat_bytes


def test_fetch_waits_for_its_reader() -> None:
    beats, shown = _fetch(32, 3, p_ready=False)
    assert len(beats) == 1
    assert shown == list(range(beats[0] + 1, 200))


def test_fetch_reports_the_descriptor_that_is_missing() -> None:
    model = FetchClocks(8, 4)
    model.clock((0, 4), False, None, True)
    for error in (0, 0, 0, 0, 0, 2):
        model.clock(None, True, error, True)
    assert model.error == EngineFault(Cause.READ_SLVERR, 1)
    assert model.idle
    model.clock(None, True, None, True)
    assert model.command is None


def test_an_empty_list_is_nothing() -> None:
    model = FetchClocks(8, 4)
    model.clock((0, 0), True, None, True)
    assert model.idle


# --- dispatch and queues ---


def test_dispatch() -> None:
    model = DispatchClocks()
    model.clock(_item(Pointers(0, 1, 1), 5), READY, (True, False, True), False)
    assert model.to is Engine.LOAD
    assert model.counts == (1, 0, 1)
    blocked = (False, True, True)
    assert not model.s_ready(blocked)
    model.clock(_item(Compute(op=0)), blocked, (True, True, True), False)
    assert model.to is Engine.LOAD
    model.clock(Item(0x22, 6), READY, (True, True, True), True)
    assert model.to is None
    assert model.error == EngineFault(Cause.OPCODE, 6)
    assert model.counts == (0, 0, 0)


def _offers(waits: After, counts: list[tuple[int, int, int]]) -> list[bool]:
    """Whether a descriptor written in clock 1 is offered, clock by clock."""
    model, offers = QueueClocks(8), []
    for clock, count in enumerate(counts):
        offers.append(model.offered is not None)
        model.clock(_item(Set(0, 0, 0, after=waits)) if clock == 1 else None, count, False)
    return offers


def test_a_queue_passes_a_descriptor_in_3_clocks() -> None:
    assert _offers(After(), [(0, 0, 0)] * 6) == [False, False, False, False, True, True]


def test_a_gate_opens_1_clock_after_the_last_count() -> None:
    counts = [(2, 0, 0)] * 6 + [(3, 4, 4)] * 2 + [(3, 4, 5)] * 2
    assert _offers(After(3, 4, 5), counts) == [False] * 9 + [True]


def test_a_queue_holds_its_depth_and_one_more() -> None:
    model = QueueClocks(3)
    item = _item(Map(0, 1, 1, 0, 1, 1, 0, 0, 1, after=After(1)))
    for _ in range(20):
        model.clock(item if model.s_ready else None, (0, 0, 0), True)
    assert not model.s_ready
    left = 0
    for _ in range(20):
        left += model.offered is not None
        model.clock(None, (1, 0, 0), True)
    assert left == 4
    assert model.empty


# --- compute engine ---


def test_compute_engine_takes_one_per_clock() -> None:
    model = ComputeClocks(4)
    for n in range(4):
        assert model.d_ready(True, True)
        model.clock(_item(Set(n, n, 0) if n % 2 else Compute(op=Op.MAC, tiles_log2=2)), True, True, False)
        assert (model.set is not None) == bool(n % 2)
    assert not model.idle(True)


def test_tiles_change_after_quiet_clocks() -> None:
    model = ComputeClocks(4)
    model.clock(_item(Compute(op=Op.GRAD, tiles_log2=2)), True, True, True)
    for quiet in (True, False, *[True] * QUIET):
        assert model.command is None
        assert model.tiles_log2 == 0
        model.clock(None, True, True, quiet)
    assert model.command is not None
    assert model.tiles_log2 == 2


@pytest.mark.parametrize("wrong", [Set(6, 0, 0), Compute(op=Op.GRAD, tiles_log2=3)])
def test_illegal_fields(wrong: Descriptor) -> None:
    model = ComputeClocks(4)
    model.clock(_item(wrong, 9), True, True, True)
    assert model.error == EngineFault(Cause.FIELD, 9)
    assert model.idle(True)


# --- control ---


def _start() -> ControlClocks:
    model = ControlClocks()
    assert model.reset
    model.clock(True, True, False, NO_FAULTS, True, True)
    assert model.run
    assert model.seed_load
    assert model.busy
    return model


def test_a_program_ends_when_all_is_idle_long_enough() -> None:
    model = _start()
    for _ in range(1 + IDLE_CLOCKS):  # the clock of `run` does not count
        assert not model.ended
        model.clock(False, False, False, NO_FAULTS, True, True)
    assert model.ended
    assert not model.busy
    assert model.reset
    assert not model.cancel
    model.clock(False, False, False, NO_FAULTS, True, True)
    assert not model.reset


def test_the_first_of_several_errors_counts() -> None:
    model = _start()
    faults = (None, None, EngineFault(8, 30), None, EngineFault(6, 20))
    model.clock(False, False, True, faults, False, False)
    assert model.status == (8, Engine.LOAD, 30)
    for _ in range(3 * HOLD_CLOCKS):
        assert model.reset
        model.clock(False, False, True, faults, False, False)
    model.clock(False, False, False, NO_FAULTS, False, True)
    assert not model.reset
    assert not model.busy
    assert model.status == (8, Engine.LOAD, 30)


def test_the_host_stops() -> None:
    model = _start()
    model.clock(False, False, True, NO_FAULTS, False, True)
    assert model.status == (Cause.HOST, Engine.FETCH, 0)
    held = 0
    while model.reset:
        held += 1
        model.clock(True, False, False, NO_FAULTS, True, True)
    assert held == HOLD_CLOCKS
    model.clock(True, False, True, NO_FAULTS, True, True)
    assert not model.busy
