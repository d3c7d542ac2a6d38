# SPDX-License-Identifier: Apache-2.0
"""Schedule: worked examples, and properties that every legal configuration has."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from edge_configs import random_config, values

from models.edge.config import EdgeConfig, Mode
from models.edge.schedule import Operation, Schedule, tree_latency
from models.edge.shape import JunctionShape
from models.edge.stages import Span, Stage

MODES = list(Mode)


def schedule(layers: list[int], fan_out: list[int], z: list[int]) -> Schedule:
    return Schedule(EdgeConfig.from_dict(values(layers, fan_out, z, ["sigmoid"] * len(z))))


def test_the_page_has_the_numbers_of_the_model_once() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/edge/schedule.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", page, re.MULTILINE)
    assert rows == [(name, str(int(span))) for name, span in Span.__members__.items()]
    formulas = re.findall(r"^    .*$|`[^`\n]*ceil[^`\n]*`", page, re.MULTILINE)
    assert len(formulas) >= 7
    assert re.findall(r"\b(?:[3-9]|\d{2,})\b", "".join(formulas)) == []


def test_published_network_by_hand() -> None:
    """T = 3 in both junctions (64 and 32 inputs to the tree); CP = 32."""
    plan = schedule([1024, 64, 32], [4, 16], [128, 32])
    assert plan.pass_clocks == 32
    assert plan.ffo == (0, 2)  # ceil((32 + 7 + 3) / 32)
    assert plan.upo == (6, 4)  # 2 + ceil((32 + 13 + 3) / 32), then + ceil((32 + 10) / 32)
    assert plan.pipeline == 6
    assert plan.staleness(Mode.PIPELINED) == (6, 2)
    assert plan.staleness(Mode.SEQUENTIAL) == plan.staleness(Mode.INFERENCE) == (0, 0)
    assert plan.look_ahead == 2
    assert (plan.ff_slots, plan.left_slots) == ((3, 3), (8, 4))
    assert plan.derivative_slots == (7,)
    assert plan.sum_slots == (3,)
    assert plan.delta_slots == 3
    assert plan.lanes == 128 * 2 + 32 * 3
    assert plan.clocks(60_000, Mode.PIPELINED) == plan.clocks(60_000, Mode.INFERENCE) == 60_006 * 32 + 16
    assert plan.clocks(10, Mode.SEQUENTIAL) == 70 * 32 + 16
    assert plan.utilisation(60_000, Mode.PIPELINED) > 0.999
    assert plan.utilisation(1, Mode.INFERENCE) == 5120 / ((7 * 32 + 16) * 352)


def test_one_short_junction_by_hand() -> None:
    """A pass of 4 clocks, although there are only 2 rows: the pipeline spans many passes. T = 1."""
    plan = schedule([4, 2], [1], [2])
    assert (plan.pass_clocks, plan.ffo, plan.upo) == (4, (0,), (4,))  # ceil((2 + 13 + 1) / 4)
    assert plan.look_ahead == 4
    assert (plan.ff_slots, plan.left_slots) == ((5,), (8,))
    assert plan.derivative_slots == plan.sum_slots == ()
    assert plan.delta_slots == 5
    assert [tree_latency(junction) for junction in plan.junctions] == [1]


def test_single_lane_has_no_tree() -> None:
    assert [tree_latency(junction) for junction in schedule([4, 2], [1], [1]).junctions] == [0]


@pytest.mark.parametrize("spare", [0, -1])
def test_a_latency_that_just_fits_a_pass_and_one_that_does_not(spare: int) -> None:
    """Junctions without adder tree, alone in a pass that is long enough by just 7, 13, 10 and 9 clocks, or one less."""

    def single_lane(clocks: int) -> JunctionShape:
        return JunctionShape(n_left=clocks, n_right=clocks, fan_out=1, z=1, lane_base=0)

    any_config = EdgeConfig.from_dict(values([4, 2], [1], [2], ["sigmoid"]))
    passes = 1 if spare == 0 else 2

    def plan(*clocks: int) -> Schedule:
        return Schedule(replace(any_config, junctions=tuple(single_lane(c) for c in clocks)))

    assert plan(93 - spare, 100).ffo[1] == passes
    first = plan(100, 87 - spare)
    assert first.upo[1] - first.ffo[1] == passes
    second = plan(100, 90 - spare)
    assert second.upo[0] - second.upo[1] == passes
    copied = plan(91 - spare, 50, 100, 50)  # the left activations come in time for FF, but not to be copied beside it
    assert copied.upo[3] - copied.ffo[3] == 1
    copied = plan(100, 91 - spare, 50)
    assert (copied.ffo[2] - copied.ffo[1], copied.upo[2] - copied.ffo[2]) == (1, passes)
    third = plan(100, 50, 90 - spare)  # the latency is that of the junction on the right
    assert third.upo[1] - third.upo[2] == passes
    assert third.upo[0] - third.upo[1] == 1
    assert plan(12 + spare).look_ahead == 2 - spare


@pytest.mark.parametrize("mode", MODES)
def test_a_run_has_at_least_one_sample(mode: Mode) -> None:
    with pytest.raises(ValueError, match="n = 0"):
        schedule([4, 2], [1], [2]).clocks(0, mode)


@pytest.mark.parametrize("seed", range(40))
def test_every_schedule_keeps_its_order(seed: int) -> None:
    """What a junction uses was made in an earlier pass; nothing happens after the last pass; rings are deep enough."""
    plan = Schedule(random_config(random.Random(seed), 1 + seed % 4))
    n = 5
    for mode in MODES:
        when: dict[tuple[int, int, int], int] = {}
        period = plan.pipeline + 1 if mode == Mode.SEQUENTIAL else 1
        events = plan.events(n, mode).tolist()
        passes = []
        for operation, i, sample in events:
            assert (operation, i, sample) not in when
            offset = plan.ffo[i] if operation == Operation.FF else plan.upo[i]
            when[operation, i, sample] = sample * period + offset
            passes.append(sample * period + offset)
        assert passes == sorted(passes)
        assert max(passes) < plan.passes(n, mode)
        if mode != Mode.INFERENCE:
            assert max(passes) == plan.passes(n, mode) - 1
        count = len(plan.junctions)
        assert len(events) == n * (count if mode == Mode.INFERENCE else 3 * count - 1)
        for k in range(n):
            for i in range(1, count):
                assert when[Operation.FF, i, k] > when[Operation.FF, i - 1, k]
            if mode == Mode.INFERENCE:
                continue
            assert when[Operation.UP, count - 1, k] > when[Operation.FF, count - 1, k]
            for i in range(1, count):
                assert when[Operation.BP, i, k] == when[Operation.UP, i, k] < when[Operation.UP, i - 1, k]
        positions = {(operation, i, k): at for at, (operation, i, k) in enumerate(events)}
        for (operation, i, k), at in positions.items():
            if operation == Operation.UP:  # takes effect after FF and BP of the same junction and pass
                others = [
                    e for e in positions if e[1] == i and e[0] != Operation.UP and when[e] == when[operation, i, k]
                ]
                assert all(positions[other] < at for other in others)
    assert (plan.ff_slots[0], plan.left_slots[0]) == (1 + plan.look_ahead, plan.pipeline + plan.look_ahead)
    for slots in (plan.ff_slots[1:], plan.left_slots[1:], plan.derivative_slots, plan.sum_slots):
        assert len(slots) == len(plan.junctions) - 1
        assert all(depth >= 2 for depth in slots)


@pytest.mark.parametrize("seed", range(10))
def test_utilisation_is_edges_per_slot(seed: int) -> None:
    config = random_config(random.Random(seed), 1 + seed % 4)
    plan = Schedule(config)
    for mode in MODES:
        edges = 0
        for operation, i, _ in plan.events(7, mode).tolist():
            edges += config.junctions[i].edges
            assert operation != Operation.BP or i > 0
        slots = plan.clocks(7, mode) * plan.lanes
        assert plan.edge_slots(7, mode) == edges
        assert plan.utilisation(7, mode) == pytest.approx(edges / slots)
        assert 0 < plan.utilisation(10**6, mode) <= 1


def test_stages_and_spans_are_those_of_the_pipeline() -> None:
    """The RTL, its schedule and its bench are made of them, so none of them sees one that is changed by mistake."""
    assert {stage.name: int(stage) for stage in Stage} == {
        "DELTA_READ": 0, "COPY_READ": 3, "FF_READ": 5, "SUM_WRITE": 10, "ACTIVATION_WRITE": 12, "DELTA_WRITE": 13,
    }  # fmt: skip
    assert {span.name: int(span) for span in Span} == {
        "PASS": 4, "FF_TO_FF": 7, "FF_TO_COPY": 9, "SUM_TO_DELTA": 10, "FF_TO_DELTA": 13, "COPY": 3, "FREE": 8,
        "REFILL": 4, "AHEAD": 2, "OUT": 16, "RUN": 16,
    }  # fmt: skip
