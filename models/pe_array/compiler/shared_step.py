# SPDX-License-Identifier: Apache-2.0
"""A training step on several arrays, each of which has a batch of its own (docs/pe_array/parallel.md).

All arrays run the same program up to the gradients. Then every array gets the gradients of its share of the weights
from all of them, its own included, adds them up in UPDATEs, and sends the new MAC weights to the others. So each has
all MAC weights and biases; of masters and momenta those of its share are up to date.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.pe_array.compiler.phases import BIAS, Phase
from models.pe_array.compiler.sequence import Sequence
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import BYTES, Descriptor, Learn, Update
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.shapes import Pair
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork

WORDS = 4
"""Beats of gradients, masters or momenta for a beat of MAC weights."""

UPDATES = "updates"
"""Tensor with an array's program of updates."""


@dataclass(frozen=True)
class Shared:
    """Weights of a layer, or its biases, and who updates which of them.

    Attributes:
        prefix: of the names of their tensors.
        learn: how they are updated.
        starts: beats of MAC weights where the shares of the arrays begin, and where the last one ends.
    """

    layer: int
    prefix: str
    learn: Learn
    starts: tuple[int, ...]

    def share(self, array: int) -> Pair:
        """First beat of MAC weights that an array updates, and how many."""
        return self.starts[array], self.starts[array + 1] - self.starts[array]

    def tensor(self, name: str) -> str:
        """Name of the tensor of masters, momenta, gradients or received gradients."""
        return f"{self.prefix}{name}{self.layer}"


@dataclass(frozen=True)
class Transfer:
    """Bytes from an address of an array's memory to one of another's, or of its own."""

    source: int
    target: int
    at: int
    to: int
    bytes: int

    @property
    def ports(self) -> tuple[int, int, int]:
        """What the link must know: from, to, bytes."""
        return self.source, self.target, self.bytes


class SharedStep(StepProgram):
    """The program up to the gradients, the updates of every array's share, and what goes over the link.

    Args:
        network: its configuration has several arrays.
        grid: of each of them.
        options: as ``StepProgram``'s.

    Attributes:
        arrays: how many.
        shared: weights and biases of all layers, the last layer first.
    """

    def __init__(self, network: PeNetwork, grid: Grid, **options: Any) -> None:
        self._learns: list[tuple[Phase, Learn]] = []
        super().__init__(network, grid, **options)
        self.arrays = network.config.link.arrays
        self.shared = self._shared()
        for each in self.shared:
            most = max(each.share(array)[1] for array in range(self.arrays))
            self.allocation.add(each.tensor("received"), "<i4", (self.arrays * most * grid.beat,))
        self.allocation.add(UPDATES, "u1", (len(self.shared) * BYTES,))

    def among(self, arrays: int) -> SharedStep:
        """The same step among fewer arrays: the program up to the gradients is the same, shares are larger."""
        made = copy(self)
        made.arrays = arrays
        made.shared = made._shared()
        return made

    def _shared(self) -> list[Shared]:
        found = []
        for phase, learn in self._learns:
            beats = (self.biases if phase.biases else self.matrices)[phase.layer].length // self.grid.beat
            starts = tuple(beats * n // self.arrays for n in range(self.arrays + 1))
            found.append(Shared(phase.layer, BIAS if phase.biases else "", learn, starts))
        return found

    def _update(self, made: Sequence, waiting: list[tuple[Phase, Learn]]) -> list[tuple[str, int]]:
        """Nothing yet: the gradients of other arrays are not here."""
        self._learns += waiting
        waiting.clear()
        return []

    def updates(self, array: int, rate_shift: int) -> list[Descriptor]:
        """An array's program of updates at a rate of 2**-rate_shift; none where it has no share of anything."""
        assert isinstance(self.config, PeConfig)
        made: list[Descriptor] = []
        for each in self.shared:
            first, beats = each.share(array)
            layer, how = self.config.layers[each.layer], each.learn
            weight_decay = 0 if each.prefix else self.config.training.weight_decay(rate_shift)
            shift = layer.bias_update_shift(rate_shift) if each.prefix else layer.update_shift(rate_shift)
            long, short = WORDS * first * self.grid.beat, first * self.grid.beat
            if beats:
                made.append(Update(
                    self.tensors[each.tensor("received")].address, how.masters + long, how.weights + short, beats,
                    shift, how.stochastic, how.decay, how.momenta + long, how.nesterov, weight_decay,
                    self.arrays.bit_length() - 1,
                ))  # fmt: skip
        return made

    def gradient_transfers(self) -> list[Transfer]:
        """Behind the program: gradients go to where they are added."""
        found = []
        for source, target in self._pairs(0):
            for each in self.shared:
                first, beats = each.share(target)
                size = WORDS * beats * self.grid.beat
                at = self.tensors[each.tensor("gradients")].address + WORDS * first * self.grid.beat
                to = self.tensors[each.tensor("received")].address + source * size
                if beats:
                    found.append(Transfer(source, target, at, to, size))
        return found

    def weight_transfers(self) -> list[Transfer]:
        """Behind the updates: MAC weights, and masters of biases, go to all others."""
        found = []
        for source, target in self._pairs(1):
            for each in self.shared:
                first, beats = each.share(source)
                words = WORDS if each.prefix else 1
                at = (each.learn.masters if each.prefix else each.learn.weights) + words * first * self.grid.beat
                if beats:
                    found.append(Transfer(source, target, at, at, words * beats * self.grid.beat))
        return found

    def _pairs(self, first: int) -> Iterator[Pair]:
        """(from, to) in rounds, in each of which every array sends to another one and takes from another one."""
        for distance in range(first, self.arrays):
            for source in range(self.arrays):
                yield source, (source + distance) % self.arrays


def step_of(network: PeNetwork, grid: Grid, **options: Any) -> StepProgram:
    """A step as the network's configuration wants it, on one array or several; options: as ``StepProgram``'s."""
    return (SharedStep if network.config.link.arrays > 1 else StepProgram)(network, grid, **options)


def put_updates(memory: StepMemory, array: int, rate_shift: int) -> list[Descriptor]:
    """An array's program of updates into its memory; its descriptors."""
    assert isinstance(memory.step, SharedStep)
    made = memory.step.updates(array, rate_shift)
    code = np.frombuffer(encode(made), dtype=np.uint8)
    memory[UPDATES][: len(code)] = code
    return made


def carry(transfers: list[Transfer], memories: list[StepMemory]) -> None:
    """What the link does: every transfer, in memories of all arrays."""
    for each in transfers:
        base = memories[each.source].step.allocation.base
        moved = memories[each.source].memory[each.at - base :][: each.bytes]
        memories[each.target].memory[each.to - base :][: each.bytes] = moved


def states(memory: StepMemory, array: int) -> Iterator[tuple[str, Any]]:
    """What an array must have after a step: (name, values) of its share of masters and momenta, and all it reads."""
    step = memory.step
    assert isinstance(step, SharedStep)
    for each in step.shared:
        first, beats = (step.grid.beat * n for n in each.share(array))
        for name in ("masters", "momenta"):
            whole = bool(each.prefix) and name == "masters"
            tensor = memory[each.tensor(name)]
            yield each.tensor(name), tensor if whole else tensor[first : first + beats]
        if not each.prefix:
            yield f"values{each.layer}", memory[f"values{each.layer}"]
