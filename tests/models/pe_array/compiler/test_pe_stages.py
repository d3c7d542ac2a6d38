# SPDX-License-Identifier: Apache-2.0
"""Stages as programs on machines side by side: every map, gradient and weight in memory is that of the model."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from pe_steps import SHAPE, batch, execute, fixed, machine

from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.compiler.stages.stage_memory import StageMemory, hand_over
from models.pe_array.compiler.stages.stage_program import StageProgram, stage_programs
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.stages.pipelined import PipelinedNetwork, UnderWay
from models.pe_array.network.stages.schedule import StageSchedule, StageWork, kept_bytes
from tests.models.pe_array.compiler.pe_races import needs, races
from tests.models.pe_array.network.pe_nets import network as residual

GRID = Grid(4, SHAPE)


def of_stage(memory: StageMemory, network: PeNetwork, was: UnderWay | None, came: UnderWay | None, slot: int) -> None:
    """Compare a memory with the model: the batch of FF, the batch of the way back, and the weights behind it."""
    stage, found = memory.stage, set[str]()
    weights = memory.weights()
    for name, got, want in memory.made(came and came.trace, was and was.trace, slot):
        assert np.array_equal(got, want), name
        found.add(name)
    last = stage.layers.stop - 1
    given = {stage.name(f"output{last}", slot)} if came is not None else set[str]()
    if was is not None:
        given |= {f"delta{last}", *filter(None, [stage.gradient_given])}
    assert given <= found
    for index in stage.layers:
        mine, own = network.weights[index], weights[index]
        assert (mine is None) == (own is None)
        if mine is not None and own is not None:
            for field in ("masters", "momenta", "mac", "bias", "bias_momenta"):
                assert np.array_equal(getattr(mine, field), getattr(own, field)), (field, index)


def side_by_side(network: PeNetwork, first: Sequence[int], batches: int, seed: int = 0) -> list[StageProgram]:
    """A run on machines and in the model; all is compared behind every step."""
    schedule = StageSchedule(tuple(first), len(network.config.layers))
    stages = stage_programs(network, GRID, schedule, search=False)
    memories = [StageMemory(stage) for stage in stages]
    rate = network.config.training.rate_shift(0)
    for memory in memories:
        memory.put(network, rate)
    arrays, model = [machine(memory) for memory in memories], PipelinedNetwork(network, schedule)
    entered: dict[int, UnderWay] = {}
    for step in range(schedule.steps(batches)):
        if step < batches:
            images, labels = batch(network.config, 100 * seed + step)
            entered[step] = UnderWay(images, labels, rate)
            memories[0].stored(stages[0].name("image", memories[0].slot(step)))[:] = images
            model.enter(entered[step])
        else:
            model.idle()
        now = entered.get(schedule.forward(schedule.stages - 1, step))
        if now is not None:
            memories[-1]["labels"][:] = now.labels
        for n, (stage, memory, array) in enumerate(zip(stages, memories, arrays, strict=True)):
            work = stage.work(step, batches)
            if work is not None:
                tensor = stage.tensors[stage.place(*work)]
                stop = array.run(tensor.address, len(stage.of(*work)), order=random.Random(step))
                assert stop is None, (stop, work)
            forward, backward = schedule.forward(n, step), schedule.backward(n, step)
            of_stage(memory, network, entered.get(backward), entered.get(forward), memory.slot(forward))
        hand_over(memories, step)
    assert model.empty
    return stages


@pytest.mark.parametrize("first", [(0, 2), (0, 4), (0, 1), (0, 3), (0, 2, 5), (0, 2, 4, 5)])
def test_stages_of_a_chain(first: tuple[int, ...]) -> None:
    """Pooled in drains or not, with biases; cut behind pooling, before it, and in front of a dense layer."""
    network = fixed(size=(8, 8))
    for n, stage in enumerate(side_by_side(network, first, 8)):
        of = stage.schedule
        bytes_ = kept_bytes(network.config.layers, of.layers_of(n), network.config.in_shape, network.config.batch)
        assert stage.kept_bytes == of.slots(n) * bytes_


def test_twenty_steps_of_four_stages() -> None:
    side_by_side(fixed(size=(8, 8), weight_decay_shift=14), (0, 2, 4, 5), 22, seed=3)


@pytest.mark.parametrize(("net", "first"), [("identity", (0, 1, 4)), ("projection", (0, 4, 6))])
def test_stages_of_residual_networks(net: str, first: tuple[int, ...]) -> None:
    side_by_side(residual(net), first, 7)


def test_not_fused_and_not_pooled() -> None:
    side_by_side(fixed(size=(8, 8), fused=False, pooled=False), (0, 2, 4), 6)


def test_their_programs_keep_all_orders_that_matter() -> None:
    network = fixed(size=(8, 8))
    for stage in stage_programs(network, GRID, StageSchedule((0, 2, 4), 6), search=False):
        memory = StageMemory(stage)
        memory.put(network, 14)
        assert races(stage.descriptors, needs(machine(memory), stage, 1)) == []


def test_one_stage_is_a_step_of_one_array() -> None:
    """The last stage, were it all there is."""
    network = fixed(size=(8, 8))
    stage, whole = StageProgram(network, GRID, StageSchedule((0,), 6), 0), StepProgram(network, GRID)
    assert (stage.slots, stage.works) == (1, (StageWork.BOTH,))
    assert [type(each) for each in stage.descriptors] == [type(each) for each in whole.descriptors]
    memory = StageMemory(stage)
    memory.put(network, 14)
    memory.put_batch(*batch(network.config, 1))
    execute(machine(memory), stage, None)


def test_clocks_do_not_depend_on_the_slot() -> None:
    network = fixed(size=(8, 8))
    stage = StageProgram(network, GRID, StageSchedule((0, 2, 4), 6), 0, search=False)
    memory = StageMemory(stage)
    memory.put(network, 14)
    for work in stage.works:
        array, clocks = ArrayClocks(stage.grid, Sizes(latency=40)), []
        for slot in [0, *range(stage.slots)]:
            place = stage.tensors[stage.place(slot, work)]
            clocks.append(array.run(place.address, stage.of(slot, work), memory.memory).clocks)
        assert len(set(clocks[1:])) == 1, work
