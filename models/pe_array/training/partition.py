# SPDX-License-Identifier: Apache-2.0
"""Where to cut a network into stages: found from predicted clocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from models.lib.telling import Telling
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import NEVER, PeConfig
from models.pe_array.network.layer import Layer
from models.pe_array.network.stages.schedule import StageSchedule, places
from models.pe_array.training.harness import LATENCY, OUTSTANDING
from models.pe_array.training.stage_clocks import PlayedPipeline, StageClocks, hand_over_clocks, map_bytes
from models.pe_array.training.weights_file import starting_network

SIZES = Sizes(latency=LATENCY, outstanding=OUTSTANDING)
"""Of every array and its memory, as one is simulated."""
TRIED = 3
"""Partitions whose stages are played, those that promise most."""


def cut(config: PeConfig) -> PeConfig:
    """A configuration with its stages where predicted clocks say: dense, or, where it is pruned, pruned at once.

    Raises WeightsError.
    """
    pipeline = config.staged
    if pipeline is None or pipeline.first is not None:
        return config
    network = starting_network(config)
    if config.training.prune_at != NEVER:
        network.prune()
    with Telling() as tell:
        clocks = StageClocks(network, SIZES, tell=lambda what: tell(f"{config.name}: {what}"))
        found = partition(clocks, config.layers, pipeline.stages, config.batch)
    return replace(config, pipeline=replace(pipeline, first=found.schedule.first))


def partition(clocks: StageClocks, layers: Sequence[Layer], stages: int, batch: int) -> PlayedPipeline:
    """The fastest found: what the parts of a step on one array add to it says which ones are played.

    A program of a stage takes other clocks than its parts within a whole step, but little more or less. So the stages
    of the partition with the least sums are played, and of the next ones, in which one cut is elsewhere.
    """
    at = places(layers)
    work = clocks_of_layers(clocks.whole()[1], len(layers))

    def promise(first: tuple[int, ...]) -> int:
        sums = [sum(work[one:other]) for one, other in pairwise((*first, len(layers)))]
        return max(sums) + hand_over_clocks(map_bytes(layers, batch, first))

    best = least(work, at, stages)
    tried = sorted({best, *_beside(best, at)}, key=lambda first: (promise(first), first))[:TRIED]
    played = [clocks.of(StageSchedule(first, len(layers))) for first in tried]
    return min(played, key=lambda each: each.step)


def clocks_of_layers(parts: dict[str, int], layers: int) -> list[int]:
    """What the parts of a step add to it, by layer; the output's deltas are the last one's."""
    work = [0] * layers
    for name, clocks in parts.items():
        number = re.search(r"\d+", name)
        work[int(number[0]) if number else layers - 1] += clocks
    return work


def least(work: Sequence[int], at: Sequence[int], stages: int) -> tuple[int, ...]:
    """First layers of the stages for which the largest sum of work is least.

    Args:
        work: of every layer.
        at: layers with which stages behind the first may begin.
    """
    ends = [0, *at, len(work)]
    best: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {(0, 1): (0, (0,))}  # by place of the last, and stages
    for count in range(2, stages + 1):
        for n in range(count - 1, len(at) + 1):
            options = [
                (max(most, sum(work[ends[before] : ends[n]])), (*first, ends[n]))
                for (before, of), (most, first) in best.items() if of == count - 1 and before < n
            ]  # fmt: skip
            if options:
                best[n, count] = min(options)
    whole = [(max(most, sum(work[ends[n] :])), first) for (n, count), (most, first) in best.items() if count == stages]
    return min(whole)[1]


def _beside(first: tuple[int, ...], at: Sequence[int]) -> list[tuple[int, ...]]:
    """Partitions with one cut at the next place before or behind."""
    found = []
    for n in range(1, len(first)):
        place = at.index(first[n])
        for other in at[max(place - 1, 0) : place + 2]:
            moved = (*first[:n], other, *first[n + 1 :])
            if all(one < two for one, two in pairwise(moved)):
                found.append(moved)
    return found
