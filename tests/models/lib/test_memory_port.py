# SPDX-License-Identifier: Apache-2.0
"""models/lib/memory_port.py: bursts and refusals, clocks worked out by hand, and the throughput that is promised."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from models.lib.clocks.axi_bursts import BURST_BEATS
from models.lib.memory_port import PAGE_BYTES, Burst, Port, PortCommand, read_clocks, write_clocks

EVERYTHING = (0, 1 << 32)


def port(latency: int = 1, fifo: int = 1000, outstanding: int = 64, window: tuple[int, int] = EVERYTHING) -> Port:
    return Port(8, fifo, outstanding, window, latency)


@pytest.mark.parametrize("beat_bytes", [4, 8, 16, 32, 64])
def test_bursts_tile_the_command(beat_bytes: int) -> None:
    rng = Random(beat_bytes)
    master = Port(beat_bytes, 32, 1, EVERYTHING)
    for _ in range(200):
        command = PortCommand(rng.randrange(1 << 20) * beat_bytes, rng.choice([1, 16, rng.randint(1, 300)]))
        bursts = master.bursts(command)
        assert [burst.last for burst in bursts] == [False] * (len(bursts) - 1) + [True]
        addr = command.addr
        for burst in bursts:
            final = burst.addr + burst.beats * beat_bytes - 1
            assert burst.addr == addr
            assert 1 <= burst.beats <= BURST_BEATS
            assert burst.addr // PAGE_BYTES == final // PAGE_BYTES
            addr = final + 1
        assert addr == command.addr + command.beats * beat_bytes


@pytest.mark.parametrize(
    ("addr", "beats", "refused"),
    [(80, 5, False), (72, 1, True), (80, 6, True), (112, 1, False), (120, 1, True), (84, 1, True), (88, 4, False)],
)
def test_refusal(addr: int, beats: int, refused: bool) -> None:
    assert port(window=(76, 123)).refuses(PortCommand(addr, beats)) == refused


def test_read_by_hand() -> None:
    """Taken 0, at the port 3, first beat 3 + 5, out 2 later; the second burst's beats follow the first's."""
    clocks = read_clocks(port(latency=5), [PortCommand(0, 18)])
    assert (clocks.taken, clocks.requests, clocks.items) == ([0], [3, 4], list(range(10, 28)))


def test_read_waits_for_room_and_for_bursts() -> None:
    assert read_clocks(port(5, fifo=32), [PortCommand(0, 48)]).requests == [3, 4, 10 + 15 + 2]
    assert read_clocks(port(5, outstanding=1), [PortCommand(0, 48)]).requests == [3, 3 + 5 + 15 + 2, 25 + 5 + 15 + 2]


def test_read_refusal_waits_for_all_before() -> None:
    clocks = read_clocks(port(5), [PortCommand(4, 9), PortCommand(0, 1, 20), PortCommand(4, 9), PortCommand(0, 2)])
    assert clocks.taken == [0, 20, 21, 22]
    assert clocks.requests == [23, 31]
    assert clocks.items == [4, 30, 31, 38, 39]


def test_read_of_a_slow_reader() -> None:
    clocks = read_clocks(port(1), [PortCommand(0, 3)], lambda clock: clock % 10 == 0)
    assert clocks.items == [10, 20, 30]


def test_pairs_by_hand() -> None:
    """Half beats 31 … 34 are in whole beats 15 (its high half), 16 (both), 17 (its low half): two bursts."""
    master, command = replace(port(latency=5), pairs=True), PortCommand(31 * 4, 4, half=True)
    assert master.bursts(command) == [Burst(15 * 8, 1, False, 1), Burst(16 * 8, 2, True, 2)]
    assert read_clocks(master, [command]).items == [10, 11, 11, 12]
    one_by_one = read_clocks(master, [command], both=lambda _clock: False)
    assert (one_by_one.requests, one_by_one.items) == ([3, 4], [10, 11, 12, 13])
    single = PortCommand(7 * 4, 1, half=True)
    assert [burst.skip for burst in master.bursts(single)] == [1], "one half of one beat"


def test_write_by_hand() -> None:
    """Taken 0, beats from 2 on; the first burst of 16 is announced 2 clocks after its last beat."""
    clocks = write_clocks(port(latency=5), [PortCommand(0, 18)])
    assert clocks.beats == list(range(2, 20))
    assert clocks.requests == [19, 21]
    assert clocks.written == list(range(19, 37))
    assert clocks.done == [36 + 5 + 1]


def test_write_waits() -> None:
    assert write_clocks(port(5, outstanding=1), [PortCommand(0, 2), PortCommand(16, 1)]).beats == [2, 3, 12]
    assert write_clocks(port(), [PortCommand(0, 2)], lambda clock: clock >= 50).beats == [50, 51]
    clocks = write_clocks(port(5), [PortCommand(0, 1), PortCommand(4, 2)])
    assert (clocks.beats, clocks.done) == ([2, 3, 10], [10, 11])


def test_write_fifo_that_is_full() -> None:
    """A FIFO of 16 words, which the hardware does not have: the next beat comes when the first has gone."""
    clocks = write_clocks(port(fifo=16), [PortCommand(0, 17)])
    assert clocks.beats[15:] == [17, 20]


@pytest.mark.parametrize("latency", [*range(1, 40), 63, 64, 65, 100, 200])
def test_promised_throughput(latency: int) -> None:
    """Whole bursts move without a gap if FIFO (reading) and OUTSTANDING bursts hold latency + 20 beats."""
    enough = latency + 20
    commands = [PortCommand(0, 320), PortCommand(8 * 320, 16), PortCommand(8 * 336, 64), PortCommand(0, 640)]
    for fifo, outstanding in ((max(enough, 32), 64), (1000, -(-enough // 16))):
        items = read_clocks(port(latency, fifo, outstanding), commands).items
        assert items == list(range(items[0], items[0] + 1040))
    written = write_clocks(port(latency, 32, -(-enough // 16)), commands).written
    assert written == list(range(written[0], written[0] + 1040))


def test_less_is_too_little() -> None:
    """The figure is no luxury: with a burst less there are gaps."""
    items = read_clocks(port(60, 64), [PortCommand(0, 640)]).items
    assert items[-1] - items[0] + 1 > 640
