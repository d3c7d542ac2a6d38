# SPDX-License-Identifier: Apache-2.0
"""A training step on several arrays, each of which has a batch of its own (docs/pe_array/parallel.md).

Every array gets the gradients of its share of the weights from all of them, its own included, adds them up in UPDATEs,
and sends the new MAC weights to the others. So each has all MAC weights and biases; of masters and momenta those of its
share are up to date. The step is cut into segments, so that this happens while the PEs work on other layers (``plan``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any

from models.pe_array.compiler import sequence
from models.pe_array.compiler.estimate import estimate
from models.pe_array.compiler.phases import BIAS, Phase
from models.pe_array.compiler.shared.plan import LATER, StepTime, Stretch, best, placed, timed
from models.pe_array.compiler.shared.segments import SegmentProgram, cut
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import BYTES, Engine, Learn, Update
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.link import Link, Ports
from models.pe_array.isa.shapes import Pair
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork, check_update_shifts

WORDS = 4
"""Beats of gradients, masters or momenta for a beat of MAC weights."""
UPDATE = 100
"""About the clocks of an UPDATE that are not those of beats that it reads."""


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

    @property
    def most(self) -> int:
        """Beats of MAC weights of the largest share."""
        return max(self.share(array)[1] for array in range(len(self.starts) - 1))

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
    def ports(self) -> Ports:
        """What the link must know."""
        return self.source, self.target, self.bytes


class SharedStep(StepProgram):
    """The segments of a step, with the updates of every array's share, and what goes over the link.

    Args:
        network: its configuration has several arrays.
        grid: of each of them.
        options: as ``StepProgram``'s.

    Attributes:
        descriptors, parts: of all phases, uncut; in memory are the programs of the segments.
        link: between the arrays.
        groups: weights and biases whose gradients each segment makes, the last layer first; the last ones make none.
    """

    def __init__(self, network: PeNetwork, grid: Grid, **options: Any) -> None:
        self._learns: list[tuple[Phase, Learn]] = []
        super().__init__(network, grid, **options)

    @property
    def shared(self) -> list[Shared]:
        """Weights and biases of all layers, the last layer first."""
        return [each for group in self.groups for each in group]

    @property
    def address(self) -> int:
        """Of the first segment's program."""
        return self.tensors[self.place(0)].address

    @property
    def segments(self) -> range:
        """Numbers of the segments."""
        return range(len(self.groups))

    def among(self, link: Link) -> SharedStep:
        """The same step among other arrays, with another link."""
        made = copy(self)
        made.allocation = deepcopy(self._phases_only)
        made._share(link)
        return made

    # --- making it ---

    def _make_programs(self, forward: list[Phase], backward: list[Phase]) -> None:
        """Those of all segments."""
        assert isinstance(self.config, PeConfig)
        self.descriptors, self.parts = self._sequence(forward, backward)
        self._backward = backward
        self._phases_only = deepcopy(self.allocation)
        self._share(self.config.link)

    def _update(self, made: sequence.Sequence, waiting: list[tuple[Phase, Learn]]) -> list[tuple[str, int]]:
        """Nothing yet: the gradients of other arrays are not here."""
        self._learns += waiting
        waiting.clear()
        return []

    def _share(self, link: Link) -> None:
        """Cut the step into segments, and give updates their places."""
        self.link = link
        shared = {phase.name: self._shared(phase, learn) for phase, learn in self._learns}
        uncut = self._uncut()
        groups = [[shared[phase.name] for phase in phases if phase.gradients] for phases in uncut]
        stretches = [self._stretch(phases, group) for phases, group in zip(uncut, groups, strict=True)]
        ends, last = dict(self.parts), 0
        self.groups: list[list[Shared]] = []
        stops, room = list[int](), list[list[int]]()
        for count in best(stretches, link):
            first, last = last, last + count
            stops.append(ends[uncut[last - 1][-1].name])
            self.groups.append([each for group in groups[first:last] for each in group])
            room.append([clocks for stretch in stretches[first:last] for clocks in stretch.room])
        self.groups += [[] for _ in range(LATER)]
        room += [[] for _ in range(LATER)]
        self._segments = cut(self.descriptors, self.parts, stops) + [SegmentProgram([], [])] * LATER
        self._places = [
            placed(room[number], [self._clocks(each) for each in self._updated(number)])[0] for number in self.segments
        ]
        for each in self.shared:
            self.allocation.add(each.tensor("received"), "<i4", (link.arrays * each.most * self.grid.beat,))
        for number, segment in enumerate(self._segments):
            count = len(segment.descriptors) + len(self._updated(number))
            self.allocation.add(self.place(number), "u1", (count * BYTES,))

    def _shared(self, phase: Phase, learn: Learn) -> Shared:
        beats = (self.biases if phase.biases else self.matrices)[phase.layer].length // self.grid.beat
        starts = tuple(beats * n // self.link.arrays for n in range(self.link.arrays + 1))
        return Shared(phase.layer, BIAS if phase.biases else "", learn, starts)

    def _uncut(self) -> list[list[Phase]]:
        """Phases of the way back that no cut parts.

        A cut is behind gradients by weights and before gradients by maps. So NG of a layer, which needs the old
        weights, is in the same segment as its WG or in the next one, and its update is in the one behind.
        """
        found: list[list[Phase]] = [[]]
        for phase in self._backward:
            before = found[-1][-1:]
            if before and before[0].gradients and not phase.gradients:
                found.append([])
            found[-1].append(phase)
        return found

    def _stretch(self, phases: list[Phase], group: list[Shared]) -> Stretch:
        clocks, room, first = [estimate(phase.program, self.grid) for phase in phases], list[int](), 0
        of = {phase.name: (phase, took) for phase, took in zip(phases, clocks, strict=True)}
        for name, last in self.parts:
            if name in of:
                phase, took = of[name]
                stores = sum(each.counts and each.engine is Engine.STORE for each in self.descriptors[first:last])
                room += [0 if phase.gradients else took // stores] * stores
            first = last
        beats = sum(each.starts[-1] for each in group) * self.grid.beat
        arrays = self.link.arrays
        updates = tuple(self._clocks(each) for each in group)
        return Stretch(sum(clocks), tuple(room), updates, WORDS * beats, beats * (arrays - 1) // arrays)

    def _clocks(self, shared: Shared) -> int:
        """About those of an update, which memory decides: gradients, masters and momenta."""
        return WORDS * shared.most * (self.link.arrays + 1 + (shared.learn.decay > 0)) + UPDATE

    def _updated(self, segment: int) -> list[Shared]:
        """Weights and biases that a segment updates."""
        return self.groups[segment - LATER] if segment >= LATER else []

    # --- for who runs it ---

    def place(self, segment: int) -> str:
        """Name of the tensor that a segment's program is in."""
        return f"program{segment}"

    def programs(self, array: int, rate_shift: int) -> list[SegmentProgram]:
        """An array's programs of a step at a rate of 2**-rate_shift; some may have nothing to do.

        Raises:
            ValueError: an update shift is not 0 … 31, or the weight decay cannot be had.
        """
        assert isinstance(self.config, PeConfig)
        check_update_shifts(self.config, rate_shift)
        found = []
        for segment, places in zip(self.segments, self._places, strict=True):
            updates = [
                (place, self._update_of(each, array, rate_shift))
                for place, each in zip(places, self._updated(segment), strict=True) if each.share(array)[1]
            ]  # fmt: skip
            found.append(self._segments[segment].updating(updates))
        return found

    def _update_of(self, shared: Shared, array: int, rate_shift: int) -> Update:
        assert isinstance(self.config, PeConfig)
        first, beats = shared.share(array)
        layer, how = self.config.layers[shared.layer], shared.learn
        weight_decay = 0 if shared.prefix else self.config.training.weight_decay(rate_shift)
        shift = layer.bias_update_shift(rate_shift) if shared.prefix else layer.update_shift(rate_shift)
        long, short = WORDS * first * self.grid.beat, first * self.grid.beat
        return Update(
            self.tensors[shared.tensor("received")].address, how.masters + long, how.weights + short, beats, shift,
            how.stochastic, how.decay, how.momenta + long, how.nesterov, weight_decay,
            self.link.arrays.bit_length() - 1,
        )  # fmt: skip

    def gradient_transfers(self, segment: int) -> list[Transfer]:
        """Behind a segment, first: the gradients that it has made go to where they are added, in ``LATER`` segments."""
        found = []
        for source, target in self._pairs(0):
            for each in self.groups[segment]:
                first, beats = each.share(target)
                size = WORDS * beats * self.grid.beat
                at = self.tensors[each.tensor("gradients")].address + WORDS * first * self.grid.beat
                to = self.tensors[each.tensor("received")].address + source * size
                if beats:
                    found.append(Transfer(source, target, at, to, size))
        return found

    def weight_transfers(self, segment: int) -> list[Transfer]:
        """Behind these: MAC weights that a segment has updated, and masters of biases, go to all others."""
        found = []
        for source, target in self._pairs(1):
            for each in self._updated(segment):
                first, beats = each.share(source)
                words = WORDS if each.prefix else 1
                at = (each.learn.masters if each.prefix else each.learn.weights) + words * first * self.grid.beat
                if beats:
                    found.append(Transfer(source, target, at, at, words * beats * self.grid.beat))
        return found

    def moved(self, segment: int) -> tuple[list[Ports], list[Ports]]:
        """Gradients and weights that begin to travel behind a segment, as the link must know them."""
        gradients, weights = self.gradient_transfers(segment), self.weight_transfers(segment)
        return [each.ports for each in gradients], [each.ports for each in weights]

    def timed(self, clocks: Sequence[int]) -> StepTime:
        """A step whose segments take so many clocks, each on the slowest array."""
        return timed(self.link, clocks, [self.moved(segment) for segment in self.segments])

    def _pairs(self, first: int) -> Iterator[Pair]:
        """(from, to) in rounds, in each of which every array sends to another one and takes from another one."""
        arrays = self.link.arrays
        for distance in range(first, arrays):
            for source in range(arrays):
                yield source, (source + distance) % arrays


def step_of(network: PeNetwork, grid: Grid, **options: Any) -> StepProgram:
    """A step as the network's configuration wants it, on one array or several; options: as ``StepProgram``'s."""
    return (SharedStep if network.config.link.arrays > 1 else StepProgram)(network, grid, **options)
