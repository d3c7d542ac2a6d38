# SPDX-License-Identifier: Apache-2.0
"""Where stages begin, found from predicted clocks; clocks of runs."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import pytest
from pe_trainings import changed, first_images, lenet

from models.lib.toml_section import ConfigError
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import PeConfig
from models.pe_array.network.stages.schedule import Pipeline, StageSchedule, StageWork, places
from models.pe_array.training.partition import clocks_of_layers, cut, least, partition
from models.pe_array.training.stage_clocks import LINK, PlayedPipeline, PlayedStage, StageClocks
from models.pe_array.training.trainer import Trainer
from tests.models.pe_array.compiler.pe_steps import fixed


@pytest.mark.parametrize("seed", range(20))
def test_least_against_all_ways(seed: int) -> None:
    rng = random.Random(seed)
    work = [rng.randint(0, 99) for _ in range(rng.randint(4, 9))]
    at = sorted(rng.sample(range(1, len(work)), rng.randint(2, len(work) - 1)))
    stages = rng.randint(2, min(4, len(at) + 1))

    def largest(first: tuple[int, ...]) -> int:
        return max(sum(work[one:other]) for one, other in pairwise((*first, len(work))))

    ways = [(0, *rest) for rest in combinations(at, stages - 1)]
    found = least(work, at, stages)
    assert found in ways
    assert largest(found) == min(map(largest, ways))


def test_parts_of_layers() -> None:
    parts = {"pointers": 1, "ff0": 2, "part2.0": 3, "delta": 4, "skip2.8": 5, "update0": 6, "end": 7}
    assert clocks_of_layers(parts, 4) == [8, 0, 8, 12]
    assert places(lenet().layers) == [2, 4, 5, 6], "pooling belongs to what is before it"


@pytest.mark.parametrize("stages", [2, 3])
def test_the_fastest_of_all_partitions(stages: int) -> None:
    network = fixed(size=(8, 8))
    layers, batch = network.config.layers, network.config.batch
    clocks = StageClocks(network, Sizes(latency=40), search=False)
    found = partition(clocks, layers, stages, batch)
    ways = [(0, *rest) for rest in combinations(places(layers), stages - 1)]
    steps = {first: clocks.of(StageSchedule(first, len(layers))).step for first in ways}
    assert found.step == min(steps.values())
    most = max(batch * math.prod(layers[n - 1].out_shape) for n in found.schedule.first[1:])
    assert found.hand_over == LINK.latency + -(-most // LINK.bytes)
    assert found.step == max(stage.clocks[StageWork.BOTH] for stage in found.stages) + found.hand_over
    whole = clocks.whole()
    assert whole[0] == found.one == sum(whole[1].values())
    for stage in found.stages[:-1]:
        forward, backward = stage.clocks[StageWork.FORWARD], stage.clocks[StageWork.BACKWARD]
        assert max(forward, backward) < stage.clocks[StageWork.BOTH] < forward + backward, (
            "fewer waits than two programs"
        )


@pytest.mark.parametrize("batches", [1, 2, 3, 4, 5, 9])
def test_runs(batches: int) -> None:
    """Two stages: a step is as long as what is to be done in it. Filling and draining are two steps, with one batch."""
    clocks = {StageWork.BOTH: 100, StageWork.FORWARD: 30, StageWork.BACKWARD: 80}
    link = LINK.latency + 1
    stages = (PlayedStage(clocks, 0), PlayedStage({StageWork.BOTH: 90}, 0))
    found = PlayedPipeline(StageSchedule((0, 2), 4), stages, 180, link)
    steps = [30, 90, 80] if batches == 1 else [30, 90, *[100] * (batches - 2), 90, 80]
    assert found.run(batches) == sum(steps) + len(steps) * link
    assert found.speed_up(batches) == 180 * batches / found.run(batches)


def test_a_training_that_finds_its_stages() -> None:
    """It is the one with these stages in its configuration, and so are its checkpoints."""
    config = replace(lenet(), pipeline=Pipeline(2, None, "pipelined"))
    data, _ = first_images(64)
    found = Trainer(config, data)
    assert found.config.pipeline is not None
    assert found.config.pipeline.first is not None
    assert found.config == cut(config)
    named = Trainer(replace(lenet(), pipeline=Pipeline(2, found.config.pipeline.first, "pipelined")), data)
    assert found.identity == named.identity
    plain = replace(lenet(), pipeline=Pipeline(2, None, "none"))
    assert cut(plain) is plain, "nothing is looked for"
    assert Trainer(plain, data).identity == Trainer(lenet(), data).identity
    with pytest.raises(ValueError, match="where the 2 stages begin is to be found first"):
        Pipeline(2, None, "pipelined").of(config.layers)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (1, r"pipeline\.stages = 1 must be 2 … 16"),
        (5, r"pipeline\.stages = 5 must be at most 4: elsewhere more than one map would be handed over, or no layer"),
        (True, r"pipeline\.stages = True must be an integer"),
        ("layers[2]", r"pipeline\.stages = 'layers\[2\]' must be a list of at least one string"),
    ],
)
def test_rules_of_their_number(stages: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PeConfig.from_dict(changed("pipeline", {"stages": stages}))
