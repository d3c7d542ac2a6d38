# SPDX-License-Identifier: Apache-2.0
"""The compiled cycle model against the contract's rules in plain Python, and figures worked out by hand."""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from models.pe_array.clocks import pe as pe_clocks
from models.pe_array.clocks.compute_engine import QUIET
from models.pe_array.clocks.pe import (
    DONE,
    FENCE,
    FIRST_ISSUE,
    GRADIENTS,
    HAZARD,
    PIPE,
    PIPE_LONG,
    WAIT_DRAIN,
    WAIT_FENCE,
    WAIT_GRADIENT,
    WAIT_HAZARD,
    OfferedCommand,
    Timing,
    gradient_latency,
    predict,
)
from models.pe_array.isa.csb import encode
from models.pe_array.isa.pe_command import Memory, Op, PeCommand, PeShape, Tap, pack_taps
from models.pe_array.isa.region import Region
from models.pe_array.machine.pe import ProcessingElement
from models.pe_array.tiles.geometry import forward

SHAPE = PeShape(8)


@pytest.fixture(params=["compiled", "python"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test on the compiled loop and on its Python source (which coverage sees)."""
    if request.param == "python":
        for name in ("simulate", "step"):
            monkeypatch.setattr(pe_clocks, name, getattr(pe_clocks, name).py_func)


@dataclass
class Entry:
    """What the walk makes in a tick."""

    number: int
    op: Op
    kind: str  # clear, tap or empty
    tap: Tap = field(default_factory=Tap)
    y: int = -1
    fence: bool = False
    final: bool = False


def walk(number: int, work: OfferedCommand, fence: bool, y_depth: int) -> list[Entry]:
    c = work.command
    made = [Entry(number, c.op, "clear", y=(c.ybase + n) % y_depth) for n in range(c.clear)]
    for coordinate in work.coordinates.tolist():
        out = coordinate % 256 if c.swap else coordinate // 256
        for word in work.entries.tolist():
            tap = Tap.unpack(word)
            made.append(Entry(number, c.op, "tap", tap, (c.ybase + out * c.ystride + tap.yoff) % y_depth))
    made = made or [Entry(number, c.op, "empty")]
    made[0].fence = fence
    made[-1].final = True
    if c.clear and c.elements and c.op in (Op.GRAD, Op.UNPOOL):
        made[c.clear].fence = True
    return made


def rules(works: list[OfferedCommand], shape: PeShape, drain: list[bool], ready: list[bool]) -> dict[str, Any]:
    """Clock by clock as the contract says it, with lists of everything that has happened."""
    result: dict[str, Any] = {
        key: [-1] * len(works) for key in ("taken", "first", "last", "done")
    } | {"waits": [[0] * 4 for _ in works], "issued": [], "writes": [], "gradients": []}  # fmt: skip
    queue: deque[int] = deque()
    offers = deque(range(len(works)))
    ahead: deque[Entry] = deque()
    stages: deque[Entry | None] = deque([None] * 6)  # the right one is the issue stage
    settled: list[tuple[int, int]] = []  # (clock, Y word) of MAC results and clears
    port: list[int] = []
    clock = 0
    op_before = Op.MAC
    while offers or queue or ahead or any(stages) or len(result["gradients"]) < len(port):
        entry, cause = stages[-1], None
        drains = clock < len(drain) and drain[clock]
        if entry is not None:
            last = entry.kind == "tap" and entry.tap.last
            reads = entry.kind == "tap" and {
                Op.MAC: entry.tap.last, Op.MAX: False, Op.GRAD: not entry.tap.null, Op.UNPOOL: not entry.tap.null,
            }[entry.op]  # fmt: skip
            if last and entry.op == Op.MAC and any(c > clock - 3 and y == entry.y for c, y in settled):
                cause = 0
            elif entry.fence and result["issued"] and clock - result["issued"][-1] < 6:
                cause = 1
            elif last and entry.op == Op.GRAD and len(port) - len(result["gradients"]) == 16:
                cause = 2
            elif reads and drains:
                cause = 3
        gone = len(result["gradients"])
        if gone < len(port) and port[gone] <= clock and (clock >= len(ready) or ready[clock]):
            result["gradients"].append(clock)
        waiting = len(queue)
        if cause is not None and entry is not None:
            result["waits"][entry.number][cause] += 1
        else:
            if entry is not None:
                pipe = 9 if entry.op in (Op.GRAD, Op.UNPOOL) else 6
                result["issued"].append(clock)
                if result["first"][entry.number] < 0:
                    result["first"][entry.number] = clock
                if entry.kind == "clear" or (last and entry.op == Op.MAC):
                    settled = [*settled[-3:], (clock, entry.y)]
                if entry.kind == "clear" or (last and entry.op != Op.GRAD):
                    result["writes"].append(clock + pipe)
                if last and entry.op == Op.GRAD:
                    port.append(clock + gradient_latency(shape.lanes))
                if entry.final:
                    result["last"][entry.number] = clock
                    result["done"][entry.number] = clock + pipe - 3
            stages.pop()
            stages.appendleft(ahead.popleft() if ahead else None)
            if not ahead and waiting:
                number = queue.popleft()
                op = works[number].command.op
                ahead.extend(walk(number, works[number], op != op_before, shape.y_depth))
                op_before = op
        if offers and waiting < 2 and works[offers[0]].offered <= clock:
            result["taken"][offers[0]] = clock
            queue.append(offers.popleft())
        clock += 1
    return result


def random_work(rng: random.Random, shape: PeShape, clock: int) -> OfferedCommand:
    taps = [
        Tap(0, 0, rng.randrange(rng.choice([1, 3, 1024])), last=rng.random() < 0.5, null=rng.random() < 0.3)
        for _ in range(rng.choice([1, 1, 2, 3, 7]))
    ]
    taps[-1] = Tap(0, 0, taps[-1].yoff, last=True, null=taps[-1].null)
    elements = rng.choice([0, 1, 2, rng.randrange(12), rng.randrange(40)])
    command = PeCommand(
        op=rng.choice([Op.MAC, Op.MAC, Op.GRAD, Op.MAX, Op.UNPOOL]), taps=len(taps), elements=elements,
        swap=rng.random() < 0.5, clear=rng.choice([0, 0, 1, 2, 3, rng.randrange(12)]),
        ybase=rng.choice([0, shape.y_depth - 1]), ystride=rng.choice([0, 1, 2]),
    )  # fmt: skip
    coordinates = [rng.randrange(3) << 8 | rng.randrange(3) for _ in range(elements)]
    return OfferedCommand(command, np.array(coordinates, dtype=np.uint16), pack_taps(taps), clock)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("seed", range(60))
def test_random_commands_and_events_keep_the_rules(seed: int) -> None:
    rng = random.Random(seed)
    shape = PeShape(rng.choice([4, 8, 16, 32, 64]), y_depth=rng.choice([2, 4, 512]))
    clock, works = 0, []
    for _ in range(12):
        works.append(random_work(rng, shape, clock))
        clock += rng.choice([0, 0, 1, rng.randrange(60)])
    often = rng.choice([0.0, 0.2, 0.9])
    drain = [rng.random() < often for _ in range(300)]
    often = rng.choice([0.0, 0.03, 0.5, 1.0])
    ready = [rng.random() < often for _ in range(1500)]
    timing = predict(works, shape, drain, ready)
    for name, expected in rules(works, shape, drain, ready).items():
        assert getattr(timing, name).tolist() == expected, name
    assert timing.stalls == int(timing.waits.sum())


def work(op: Op, taps: list[Tap], rows: list[int], **fields: Any) -> OfferedCommand:
    command = PeCommand(op=op, taps=len(taps), elements=len(rows), ystride=1, **fields)
    return OfferedCommand(command, np.array([row << 8 for row in rows], dtype=np.uint16), pack_taps(taps))


ONE = [Tap(last=True)]
NO_WAITS = [0, 0, 0, 0]


def waits(timing: Timing) -> list[int]:
    return [int(n) for n in timing.waits.sum(axis=0)]


def test_without_hazards_a_command_takes_one_clock_per_entry_and_the_next_follows_at_once() -> None:
    jobs = [work(Op.MAC, ONE, [0, 1, 2, 3], clear=5) for _ in range(3)]
    timing = predict(jobs, SHAPE)
    assert timing.taken.tolist() == [0, 1, 2]
    assert timing.first.tolist() == [FIRST_ISSUE, FIRST_ISSUE + 9, FIRST_ISSUE + 18]
    assert timing.last.tolist() == [FIRST_ISSUE + 8, FIRST_ISSUE + 17, FIRST_ISSUE + 26]
    assert timing.done.tolist() == (timing.last + PIPE + DONE).tolist()
    assert waits(timing) == NO_WAITS


def test_sums_for_one_row_wait_for_each_other() -> None:
    assert waits(predict([work(Op.MAC, ONE, [0, 1, 2, 0, 1, 2])], SHAPE)) == NO_WAITS
    assert waits(predict([work(Op.MAC, ONE, [0] * 5)], SHAPE)) == [4 * (HAZARD - 1), 0, 0, 0]
    assert waits(predict([work(Op.MAC, ONE, [0, 1, 0, 1])], SHAPE))[WAIT_HAZARD] == 1
    three = [Tap(), Tap(), Tap(last=True)]
    assert waits(predict([work(Op.MAC, three, [0] * 5)], SHAPE)) == NO_WAITS
    assert waits(predict([work(Op.MAC, ONE, [0], clear=1)], SHAPE)) == [2, 0, 0, 0]
    assert waits(predict([work(Op.MAX, ONE, [0] * 5)], SHAPE)) == NO_WAITS


def test_another_operation_waits_for_the_fence_once() -> None:
    jobs = [work(op, ONE, [0]) for op in (Op.MAC, Op.GRAD, Op.GRAD, Op.UNPOOL, Op.MAX)]
    timing = predict(jobs, SHAPE)
    assert timing.waits[:, WAIT_FENCE].tolist() == [0, FENCE - 1, 0, FENCE - 1, FENCE - 1]
    assert (timing.done - timing.last).tolist() == [n + DONE for n in (PIPE, PIPE_LONG, PIPE_LONG, PIPE_LONG, PIPE)]
    assert waits(predict([work(Op.GRAD, ONE, [0], clear=3)], SHAPE))[WAIT_FENCE] == FENCE - 1
    assert waits(predict([work(Op.MAX, ONE, [0], clear=3)], SHAPE)) == NO_WAITS


def test_gradients_wait_for_their_port_and_the_drain_goes_first() -> None:
    timing = predict([work(Op.GRAD, ONE, [0] * 20)], SHAPE, grad_ready=[False] * 100)
    first = FIRST_ISSUE + GRADIENTS
    assert timing.issued[: GRADIENTS + 1].tolist() == [*range(FIRST_ISSUE, first), 101]
    assert timing.gradients.tolist() == list(range(100, 120))
    assert waits(timing)[WAIT_GRADIENT] == 101 - first
    free = predict([work(Op.GRAD, ONE, [0] * 20)], SHAPE)
    assert free.gradients.tolist() == (free.issued + gradient_latency(8)).tolist()
    assert [gradient_latency(lanes) for lanes in (4, 8, 16, 32, 64)] == [12, 13, 13, 14, 14]
    drained = predict([work(Op.MAC, ONE, [0, 1, 2])], SHAPE, drain_read=[True] * 50)
    assert drained.issued.tolist() == [50, 51, 52]
    assert waits(drained)[WAIT_DRAIN] == 50 - FIRST_ISSUE


def test_an_empty_command_takes_one_clock() -> None:
    timing = predict([work(Op.MAC, ONE, []), work(Op.MAC, ONE, [0])], SHAPE)
    assert timing.issued.tolist() == [FIRST_ISSUE, FIRST_ISSUE + 1]
    assert timing.writes.tolist() == [FIRST_ISSUE + 1 + PIPE]
    assert not len(predict([], SHAPE).issued)


def test_work_is_what_the_memories_hold() -> None:
    pe = ProcessingElement(4, e_depth=2, t_depth=4)
    pe.load(Memory.E, 0, bytes(range(8)))
    pe.load(Memory.T, 0, pack_taps([Tap(n, last=n == 1) for n in range(4)]).view(np.uint8))
    found = OfferedCommand.of(pe, PeCommand(op=Op.MAC, taps=3, elements=3, ebase=1, tbase=3), 17)
    assert found.coordinates.tolist() == [0x0504, 0x0706, 0x0100]
    assert [Tap.unpack(int(word)).xoff for word in found.entries] == [3, 0, 1]
    assert found.offered == 17
    with pytest.raises(ValueError, match="1 entries must be 2, as many as the command says"):
        OfferedCommand(PeCommand(op=Op.MAC, taps=2), np.zeros(0, dtype=np.uint16), pack_taps(ONE))


def test_the_order_of_the_encoder_keeps_a_sparse_matrix_nearly_free_of_hazards() -> None:
    """A 256 x 256 block of a fully connected layer at density 0.1, one tap: less than 1 % of the clocks are stalls."""
    mask = np.random.default_rng(0).random((256, 256)) < 0.1
    csb = encode(np.where(mask, 1 << 16, 0), mask, 256, 256)
    works = [
        work(Op.MAC, ONE, (csb.coordinates[start : start + 1024] >> 8).tolist())
        for start in range(0, len(csb.coordinates), 1024)
    ]
    timing = predict(works, PeShape(32))
    in_order = predict([work(Op.MAC, ONE, np.nonzero(mask)[0][:1024].tolist())], PeShape(32))
    assert waits(timing)[WAIT_HAZARD] <= 0.01 * len(csb.coordinates)
    assert waits(in_order)[WAIT_HAZARD] >= 1.8 * 1024


def test_a_layer_of_a_million_clocks_takes_less_than_a_second() -> None:
    plan = forward_plan()
    coordinates = np.arange(1000, dtype=np.uint16) % 16 * 256
    works = [OfferedCommand(plan.command(1000, clear=256), coordinates, plan.entries) for _ in range(10)]
    predict(works[:1], PeShape(32))  # compiled
    begin = time.perf_counter()
    timing = predict(works, PeShape(32))
    assert time.perf_counter() - begin < 1.0
    assert timing.last[-1] - timing.first[0] + 1 == 10 * (256 + 100 * 1000)


def forward_plan() -> Any:
    from models.pe_array.isa.shapes import Conv

    return forward(Conv.make(1, 1, kernel=3, pad=1), 4, 4, Region(0, 0, 4, 4))


def test_the_last_gradient_is_in_the_sums_before_slots_get_other_pes() -> None:
    """The most lanes have the deepest adder tree. Sums that are not empty hold the change up."""
    idle = PIPE_LONG + DONE + 2  # from the final issue; the grid's done comes 2 clocks behind the PE's
    assert gradient_latency(64) - idle < QUIET
