# SPDX-License-Identifier: Apache-2.0
"""Training on several arrays, in machines: bit for bit what one array would do with all of their batches."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from pe_trainings import first_images

from models.lib.toml_section import ConfigError, parse
from models.pe_array.compiler.shared import shared_step
from models.pe_array.compiler.shared.plan import LATER
from models.pe_array.compiler.shared.shared_memory import SharedMemory
from models.pe_array.compiler.shared.shared_step import SharedStep, Transfer
from models.pe_array.isa.descriptors import Descriptor
from models.pe_array.isa.link import Link
from models.pe_array.machine.machine import Machine
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.trace import Trace, summed
from models.pe_array.training.trainer import Trainer
from tests.models.pe_array.compiler.pe_races import needs, races
from tests.small_cnn import small_cnn

END = -1
"""In place of a segment: the end of a step."""


def config_of(arrays: int, **training: Any) -> PeConfig:
    values = parse(small_cnn(**training), __file__)
    return PeConfig.from_dict(values | {"parallel": {"arrays": arrays, "link_bytes": 16, "link_latency": 7}})


class Program(NamedTuple):
    """In an array's memory."""

    address: int
    descriptors: list[Descriptor]


class Arrays:
    """Machines with a memory each, and the link between them.

    Args:
        late: what the link moves comes as late as it may; otherwise as soon as it is sent.
    """

    def __init__(self, trainer: Trainer, late: bool) -> None:
        self.trainer, self.late, config = trainer, late, trainer.config
        self.step = SharedStep(trainer.network, grid_of(config), search=False)
        self.memories = [SharedMemory(self.step, array) for array in range(config.link.arrays)]
        for memory in self.memories:
            memory.put(trainer.network, trainer.rate_shift)
        shape = self.step.grid.shape
        self.machines = [
            Machine(config.pes, shape, memory.memory, delta_frac=config.logit_frac) for memory in self.memories
        ]  # fmt: skip

    def run(self) -> None:
        """A step, of the images that the trainer is at."""
        step, batch = self.step, self.trainer.next_batch()
        for part, memory in zip(self.trainer.parts, self.memories, strict=True):
            memory.put_batch(np.ascontiguousarray(batch.images[..., part]), batch.labels[part])
        coming: dict[int, list[tuple[list[Transfer], list[bytes]]]] = {n: [] for n in (*step.segments, END)}
        for n in step.segments:
            self.take(coming[n])
            for array, machine in enumerate(self.machines):
                self.execute(machine, array, n)
            for transfers, needed in ((step.gradient_transfers(n), n + LATER), (step.weight_transfers(n), END)):
                soon = n + 1 if n + 1 in step.segments else END
                at = needed if self.late and transfers else soon
                coming[at].append((transfers, [memory.sent(transfers) for memory in self.memories]))
        self.take(coming[END])

    def execute(self, machine: Machine, array: int, segment: int) -> None:
        """An array's program of a segment: the first one in order, to see if it has races; others in any order."""
        made = self.step.programs(array, self.trainer.rate_shift)[segment].descriptors
        program = Program(self.step.tensors[self.step.place(segment)].address, made)
        if not self.trainer.step and not array:
            assert races(made, needs(machine, program)) == []
        elif made:
            assert machine.run(program.address, len(made), order=random.Random(array)) is None

    def take(self, moved: list[tuple[list[Transfer], list[bytes]]]) -> None:
        """What has come for all arrays."""
        for (transfers, sent), memory in itertools.product(moved, self.memories):
            memory.take(transfers, sent)

    def compare(self, traces: tuple[Trace, ...]) -> None:
        """Maps and gradients of every array, and what it must have of the weights behind the step."""
        for array, (memory, trace) in enumerate(zip(self.memories, traces, strict=True)):
            expected = SharedMemory(self.step, array)
            expected.put_weights(self.trainer.network)
            found, wanted = memory.trace(), memory.in_memory(trace)
            for name in ("outputs", "indices", "deltas", "gradients", "bias_gradients"):
                for got, want in zip(getattr(found, name), getattr(wanted, name), strict=True):
                    assert np.array_equal(got, want), (array, name)
            for (name, got), (_, want) in zip(memory.states(), expected.states(), strict=True):
                assert np.array_equal(got, want), (array, name)


@pytest.mark.parametrize(("arrays", "late", "hidden"), [(2, True, 0), (4, False, 64), (4, True, 64), (16, True, 0)])
def test_arrays_train_as_one_with_all_their_batches(arrays: int, late: bool, hidden: int) -> None:
    """Twenty steps with momenta and biases; sixteen arrays are more than some layers have beats of weights.

    With another layer a step has three segments with phases, the last one with updates too, before its first drain.
    """
    train_as_one(arrays, late, hidden, 20)


def test_updates_among_the_drains_of_a_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for drains that come behind an update count it, too: there is none in so small a network by itself."""
    places = list[int]()

    def anywhere(room: Sequence[int], updates: Sequence[int]) -> tuple[list[int], int]:
        found = [(7 * n + 3) % (len(room) + 1) for n in range(len(updates))]
        places.extend(place for place in found if 0 < place < len(room))
        return found, 0

    monkeypatch.setattr(shared_step, "placed", anywhere)
    train_as_one(4, late=True, hidden=64, steps=5)
    assert places


def train_as_one(arrays: int, late: bool, hidden: int, steps: int) -> None:
    """So many steps on several arrays, and on one with all their images."""
    data, _ = first_images(8 * arrays * steps)
    trainer = Trainer(config_of(arrays, prune_at=3, hidden=hidden, dense_density=0.8), data)
    alone = Trainer(trainer.config, data)
    machines = Arrays(trainer, late)
    for _ in range(steps):
        batch, rate = alone.next_batch(), alone.rate_shift
        alone.prune_if_due()
        alone.network.train_step(batch.images, batch.labels, rate)  # all images at once
        alone.step += 1
        if trainer.prune_if_due():
            machines = Arrays(trainer, late)
        assert len(machines.step.segments) == (5 if hidden else 3)
        machines.run()
        machines.compare(trainer.train_step().traces)
        for mine, its in zip(trainer.network.weights, alone.network.weights, strict=True):
            if mine and its:
                for name in ("masters", "momenta", "mac", "bias", "bias_momenta"):
                    assert np.array_equal(getattr(mine, name), getattr(its, name))


def test_shares_are_all_weights_and_nothing_twice() -> None:
    step = SharedStep(Trainer(config_of(4), first_images(32)[0]).network, grid_of(config_of(4)), search=False)
    for each in step.shared:
        tensor = step.tensors[each.tensor("masters")]
        assert each.starts[0] == 0
        assert each.starts[-1] * step.grid.beat == tensor.bytes // 4
    all_ = [move for n in step.segments for move in step.gradient_transfers(n)]
    there = sorted((move.to, move.bytes) for move in all_ if move.target == 1)
    assert all(a + size <= b for (a, size), (b, _) in itertools.pairwise(there))


def test_clocks_of_the_link() -> None:
    link = Link(2, 16, 7)
    assert link.clocks([]) == 0
    assert link.clocks([(0, 1, 1)]) == 8
    assert link.clocks([(0, 1, 33), (1, 0, 16)]) == 10, "both ways at once"
    assert link.clocks([(0, 1, 32), (0, 1, 16)]) == 10, "a port does one after the other"
    assert Link(4, 16, 0).clocks([(0, 1, 64), (2, 1, 32), (2, 3, 16)]) == 7, "two to the same array"


@pytest.mark.parametrize(
    ("parallel", "message"),
    [
        ({"arrays": 3}, "parallel.arrays = 3 must be a power of two"),
        ({"arrays": 128}, "parallel.arrays = 128 must be 1 … 64"),
        ({"link_bytes": 0}, "parallel.link_bytes = 0 must be 1 … 1024"),
        ({"link_latency": -1}, "parallel.link_latency = -1 must be 0 … 1048576"),
        ({"links": 2}, "parallel.links is not a known key"),
    ],
)
def test_refusals(parallel: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PeConfig.from_dict(parse(small_cnn(), __file__) | {"parallel": parallel})
    assert message in str(refused.value)


def test_random_words_of_several_arrays_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"arrays = 2 needs half_up for training\.update_rounding"):
        config_of(2, update_rounding="stochastic")


def test_a_checkpoint_belongs_to_a_link() -> None:
    """It holds clocks of steps, of which averages are taken."""
    config, images = config_of(2), first_images(64)[0]
    link = config.link
    others = [replace(link, bytes=link.bytes + 1), replace(link, latency=0), replace(link, arrays=4), link]
    found = [Trainer(replace(config, link=each), images).identity for each in others]
    assert len(set(found)) == len(others)
    assert found[-1] == Trainer(config, images).identity


def test_images_of_less_than_a_step_are_refused() -> None:
    with pytest.raises(ConfigError, match="31 images must be at least a batch, 32, on all arrays"):
        Trainer(config_of(4), first_images(31)[0])


def test_gradients_that_do_not_fit_are_told() -> None:
    one = Trace([], [], [], [], [np.full(2, 1 << 30, dtype=np.int32)], [], [np.zeros(0, dtype=np.int32)])
    assert summed([one]) is one
    with pytest.raises(ConfigError, match=r"arrays = 2: sums of gradients of layers\[0\] do not fit in 32 bits"):
        summed([one, one])
