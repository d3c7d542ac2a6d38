# SPDX-License-Identifier: Apache-2.0
"""Exact clocks of a layer's phase by itself on the whole array (docs/pe_array/clocks.md).

The phase is assembled into a memory of which only coordinates and tap lists, on which clocks depend, have contents, and
played by ``clocks.pe_array`` from everything idle to the end of the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.lib.clocks.axi_bursts import BURST_BEATS
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import ProgramRun
from models.pe_array.compiler.assemble import Places, assemble
from models.pe_array.compiler.output_pattern import MapAt, OutputAt
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.csb import Csb, beat_offsets
from models.pe_array.isa.descriptors import Engine
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import After, Program
from models.pe_array.isa.sizes import Sizes

LATENCY = 48
"""Clocks of the memory, where no others are stated: at the assumed 250 MHz 192 ns, which a DDR4 controller behind an
interconnect keeps."""
OUTSTANDING = 16
"""OUTSTANDING of the ports, by default: commands of a few beats, as the gradients of a slot are, need more bursts on
their way than the RTL's default of 8 to hide LATENCY; with 8 WG of a 2 x 2 map takes a fifth longer."""
WIDE_OUTSTANDING = 32
"""The same of a wide port: bursts bring twice as much, so those of short commands are over sooner. A step of VGG16 on
64 PEs takes 2.3 % less than with 16."""
GRAD_DEPTH = 32
"""GRAD_DEPTH, by default: PEs whose tiles lie in the middle of a map have more to do than those at its edge; the more
gradients wait at a PE, the longer it goes on while another one of its slot is behind. A step of VGG-11 takes 7,101
clocks less than with the RTL's default of 16."""
SIZES = Sizes(LATENCY, outstanding=OUTSTANDING, grad_depth=GRAD_DEPTH)
"""The array behind the figures."""

Size = tuple[int, int, int]
"""Channels, rows and columns of a map."""


@dataclass(frozen=True)
class WeightUpdate:
    """UPDATE of so many beats of MAC weights (of masters and gradients it is four times as many)."""

    beats: int
    momentum: bool = False


class _Memory:
    """Addresses, and what is in memory up to the last array with contents."""

    def __init__(self, lanes: int) -> None:
        self._unit, self._next = BURST_BEATS * lanes, 0
        self.data = np.zeros(0, dtype=np.uint8)

    def room(self, size: int) -> int:
        """Address of so many bytes."""
        address = self._next
        self._next += -(-size // self._unit) * self._unit
        return address

    def put(self, array: npt.NDArray[np.int8]) -> int:
        """Address of a copy of an array."""
        address = self.room(array.size)
        self.data = np.concatenate([self.data, np.zeros(self._next - len(self.data), dtype=np.uint8)])
        self.data[address : address + array.size] = array.reshape(-1).view(np.uint8)
        return address


def among(made: Sequence[d.Descriptor], updates: Sequence[d.Update]) -> list[d.Descriptor]:
    """Put updates evenly before the stores of a program, behind the one before; nothing waits for them."""
    stores = sum(each.engine == Engine.STORE and each.counts for each in made)
    ends = [len(updates) * (store + 1) // max(1, stores) for store in range(stores)]  # of the updates before each
    result: list[d.Descriptor] = [*updates[: ends[0] if ends else None]]
    done = 0
    for each in made:
        numbers = each.after.stores and each.after.stores + ends[each.after.stores - 1]
        result.append(replace(each, after=replace(each.after, stores=numbers)))
        if each.engine == Engine.STORE and each.counts:
            done += 1
            result += updates[ends[done - 1] : ends[done]] if done < stores else ()
    return result


@dataclass(frozen=True)
class PhaseProgram:
    """A layer's phase.

    Attributes:
        program: its operations; None: nothing but updates.
        x: size of the map that X holds windows of.
        operand: of the map that is loaded to Y (GRAD, UNPOOL), or None.
        csb: the matrix, or None (pooling).
        masked: drains read a mask word for every word (derivative of a ReLU).
        outputs: how often what is drained is stored (max pooling in training: values and indices).
        updates: of other layers, spread evenly before its stores; nothing waits for them.
        learns: WG: its gradients go at once to the update of its own weights, with momenta if that says so, not to
            memory; None: they do go there.
    """

    program: Program | None
    x: Size = (0, 0, 0)
    operand: Size | None = None
    csb: Csb | None = None
    masked: bool = False
    outputs: int = 1
    updates: tuple[WeightUpdate, ...] = ()
    learns: WeightUpdate | None = None

    def clocks(self, grid: Grid, sizes: Sizes | None = None) -> ProgramRun:
        """Play it by itself.

        Args:
            grid: that the program was made for.
            sizes: of the array, and its memory; by default SIZES.

        Raises:
            ValueError: the program does not come to its end.
        """
        memory = _Memory(grid.shape.lanes)
        made = self.descriptors(memory, grid.shape.lanes)
        array = ArrayClocks(grid, sizes or SIZES)
        return array.run(memory.room(len(made) * d.BYTES), made, memory.data)

    def descriptors(self, memory: _Memory, lanes: int) -> list[d.Descriptor]:
        """The program, its arrays put into a memory."""
        program, csb = self.program, self.csb
        updates = [_update(each, memory, lanes) for each in self.updates]
        if program is None:
            return [*updates]
        literals = memory.put(program.literals)
        coordinates = values = pointers = gradients = None
        if program.image is not None:
            coordinates = memory.put(program.image.coordinates)
            values, pointers = memory.room(program.image.values.size), memory.room(4 * len(program.image.pointers))
        if program.gradients != (0, 0) and csb is not None:
            gradients = memory.room(4 * lanes * int(beat_offsets(csb.pointers, csb.shape.weights, lanes)[-1]))

        def at(size: Size) -> MapAt:
            return MapAt(memory.room(int(np.prod(size)) * lanes), *size)

        drained = [at(program.out) for _ in range(self.outputs)] if program.out[0] else []
        mask = at(program.out).address if self.masked else None
        places = Places(
            at(self.x), None if self.operand is None else at(self.operand),
            tuple(OutputAt(each, mask=mask) for each in drained), literals, coordinates, values, gradients, pointers,
            csb,
        )  # fmt: skip
        made = assemble(program, places, lanes)
        if self.learns is not None:
            update = _update(self.learns, memory, lanes)
            learn = d.Learn(update.masters, update.weights, update.shift, decay=update.decay, momenta=update.momenta)
            made = [learn.behind(each.after) if isinstance(each, d.Collect) else each for each in made]
        return among(made, updates)


def _update(update: WeightUpdate, memory: _Memory, lanes: int) -> d.Update:
    masters, momenta, gradients = (memory.room(4 * update.beats * lanes) for _ in range(3))
    weights = memory.room(update.beats * lanes)
    return d.Update(
        gradients, masters, weights, update.beats, 1, decay=int(update.momentum), momenta=momenta, after=After()
    )  # fmt: skip
