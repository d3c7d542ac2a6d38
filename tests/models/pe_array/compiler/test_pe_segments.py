# SPDX-License-Identifier: Apache-2.0
"""Steps on several arrays in segments: what waits for what, where updates have their places, where a step is cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.lib.toml_section import parse
from models.pe_array.compiler.shared import plan
from models.pe_array.compiler.shared.plan import Stretch, best, placed, timed
from models.pe_array.compiler.shared.segments import UPDATES, SegmentProgram, cut
from models.pe_array.compiler.shared.shared_step import SharedStep
from models.pe_array.isa.descriptors import Collect, Delta, Descriptor, Slot, Update
from models.pe_array.isa.link import Link, Traffic
from models.pe_array.isa.operations import After
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.network import PeNetwork
from tests.small_cnn import small_cnn


def store(waits: int = 0, loads: int = 0) -> Descriptor:
    return Delta(0, 0, 0, 10, after=After(loads=loads, stores=waits))


def update(number: int) -> Update:
    return Update(32 * number, 0, 0, 1, 0)


def waits(descriptors: list[Descriptor]) -> list[int]:
    return [each.after.stores for each in descriptors]


def test_a_cut_program_counts_from_its_start() -> None:
    """What earlier segments have done is done."""
    made = [store(), store(1), store(2, loads=7), store(1), store(4)]
    first, second = cut(made, [("a", 1), ("b", 2), ("c", 5)], [2, 5])
    assert first.descriptors == made[:2]
    assert first.parts == [("a", 1), ("b", 2)]
    assert waits(second.descriptors) == [0, 0, 2]
    assert second.descriptors[0].after.loads == 7
    assert second.parts == [("c", 3)]


def test_who_waits_for_stores_waits_for_the_updates_between_them() -> None:
    segment = SegmentProgram([store(), Slot(0, 0, 0), store(1), store(1), store(3)], [("a", 2), ("b", 5)])
    made = segment.updating([(2, update(1)), (0, update(2)), (2, update(3)), (4, update(4))])
    found = [each.gradients // 32 if isinstance(each, Update) else 0 for each in made.descriptors]
    assert found == [2, 0, 0, 0, 1, 3, 0, 0, 4]
    assert [each.after.stores for each in made.descriptors if isinstance(each, Delta)] == [0, 2, 2, 6]
    assert made.parts == [("a", 3), ("b", 9)]
    assert segment.updating([]) is segment


def test_a_segment_of_updates() -> None:
    made = SegmentProgram([], []).updating([(0, update(1)), (0, update(2))])
    assert made == SegmentProgram([update(1), update(2)], [(UPDATES, 2)])


def test_updates_go_where_there_is_most_room() -> None:
    assert placed([10, 0, 30, 0], [8, 25, 4]) == ([0, 2, 2], 0)
    assert placed([10, 0], [12, 5]) == ([0, 2], 7), "what is left goes behind all"
    assert placed([], [5]) == ([0], 5)
    assert placed([3], []) == ([], 0)


def test_a_step_waits_for_gradients_and_for_the_last_weights() -> None:
    link = Link(2, 1, 10)
    none: list[tuple[int, int, int]] = []
    moved = [([(0, 1, 100)], none), ([(0, 1, 50)], none), (none, [(1, 0, 20)]), (none, [(1, 0, 30)])]
    # gradients have come at 120 = 10 + 100 + 10, and at 170 = 110 + 50 + 10: their port is free at 110
    assert timed(link, [10, 20, 15, 5], moved) == (215, 165), "from 170 to 175, and 30 + 10 more"
    # the second ends at 210, and its gradients have come at 270
    assert timed(link, [10, 200, 15, 50], moved) == (360, 85)
    assert timed(link, [7, 0, 3, 0], [(none, none)] * 4) == (10, 0)


def test_traffic_keeps_its_order() -> None:
    traffic = Traffic(Link(2, 16, 7))
    assert traffic.move(100, [(0, 1, 32)]) == 109
    assert traffic.move(100, [(0, 1, 16), (1, 0, 16)]) == 110, "behind what was given before; the other way is free"
    assert traffic.move(200, []) == 200


def test_a_step_is_cut_where_it_gains() -> None:
    small, large = Stretch(1000, (500, 0), (10,), 40, 10), Stretch(100_000, (50_000, 0), (30_000,), 60_000, 10_000)
    fast = Link(2, 50, 100)
    assert best([small, small], fast) == [2], "not worth the borders"
    assert best([large], fast) == [1]
    assert best([large] * 3, fast) == [1, 1, 1]
    assert max(len(best([large] * n, fast)) for n in range(1, 8)) == plan.SEGMENTS


@pytest.mark.parametrize("arrays", [2, 8])
def test_segments_of_a_step(arrays: int) -> None:
    """NG of a layer is over before new weights of it can come; every segment's gradients are added two later."""
    values = parse(small_cnn(hidden=64), __file__) | {"parallel": {"arrays": arrays, "link_bytes": 1}}
    config = PeConfig.from_dict(values)
    step = SharedStep(PeNetwork(config), grid_of(config))
    assert len(step.segments) == 5
    where: dict[str, int] = {}
    for array in range(arrays):
        programs = step.programs(array, 11)
        for n, made in enumerate(programs):
            where |= {name: n for name, _ in made.parts}
            assert sum(isinstance(each, Collect) for each in made.descriptors) > 0 or n >= 3
            updated = [each.masters for each in made.descriptors if isinstance(each, Update)]
            mine = [each for each in (step.groups[n - 2] if n >= 2 else []) if each.share(array)[1]]
            beats = {each.learn.masters + 4 * each.share(array)[0] * step.grid.beat for each in mine}
            assert len(updated) == len(mine)
            assert set(updated) == beats
    assert (where["wg3"], where["ng3"], where["wg2"], where["ng2"], where["wg0"]) == (0, 1, 1, 2, 2)
    other = step.among(replace(step.link, arrays=16))
    assert other.link.arrays == 16
    assert step.link.arrays == arrays
    assert other.allocation.size > step.allocation.size
    assert {name: each.address for name, each in step.tensors.items() if "received" not in name}.items() >= {
        name: each.address for name, each in other.tensors.items() if "received" not in name and "program" not in name
    }.items()
