# SPDX-License-Identifier: Apache-2.0
"""A whole training step, or an inference, of a network as one program in memory of the PE array.

Order of a step: FF of all layers, the output's deltas, then from the last map to the image NG of the
layers that read it, their WG and update. What the program finds in memory and leaves there is in
``step_memory``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.lib.telling import silent
from models.pe_array.compiler import phases
from models.pe_array.compiler.allocation import Allocation, Tensor
from models.pe_array.compiler.assemble import MapAt, OutputAt, Places, assemble
from models.pe_array.compiler.layer_matrix import LayerMatrix
from models.pe_array.compiler.phases import Phase
from models.pe_array.compiler.sequence import Sequence
from models.pe_array.isa.descriptors import BYTES, Descriptor, Update
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.shapes import Pair, Positions
from models.pe_array.isa.widths import SHIFT_MAX
from models.pe_array.network.config import PeConfig
from models.pe_array.network.fitting import LANES_MIN, choose_block
from models.pe_array.network.layer import Shape
from models.pe_array.network.layers import ACC_BITS
from models.pe_array.network.network import PeNetwork


class StepProgram:
    """Program and layout of memory, for the positions that a network's elements have now: pruning needs a new one.

    Where the configuration rounds stochastically, the words that the network's model needs have the order of this
    program: ``word_order.word_order(program)``.

    Args:
        network: its configuration and the positions of its elements.
        grid: the PEs; B must be the batch.
        training: a step; otherwise FF alone, without indices.
        base: address of the first tensor, a multiple of 16 beats.
        balanced: permute channels so that slots have nearly the same work.
        blocks: rows and columns of blocks of some layers; those of the others are chosen.
        search: look for the fastest program of every phase, which takes long; otherwise take the first that fits.
        tell: is told what is being made.

    Attributes:
        config, grid, training: as given.
        allocation: all tensors, see ``phases`` for their names; besides ``literals.ff0`` of a phase, and ``program``.
        matrices: of every layer with weights.
        positions: of the elements of these layers.
        phases: in their order.
        parts: name and number of descriptors up to its end: ``pointers``, phases, ``delta``, updates as ``update3``.
        descriptors: the program; ``update`` shifts are those of the first epoch.
        constants: contents of the tensors that neither weights nor images decide, as bytes.

    Raises:
        ValueError: batch and B differ, B or ACC is too small, or a layer does not fit in the memories of the PEs.
    """

    def __init__(
        self, network: PeNetwork, grid: Grid, *, training: bool = True, base: int = 0, balanced: bool = True,
        blocks: Mapping[int, Pair] | None = None, search: bool = True, tell: Callable[[str], None] = silent,
    ) -> None:  # fmt: skip
        self.config: PeConfig = network.config
        self.grid, self.training = grid, training
        lanes, batch = grid.shape.lanes, self.config.training.batch
        if lanes != batch or lanes < LANES_MIN:
            raise ValueError(f"B = {lanes} must be the batch, {batch}, and at least {LANES_MIN}")
        if grid.shape.acc_bits < ACC_BITS:
            raise ValueError(f"ACC = {grid.shape.acc_bits} must be at least {ACC_BITS}, for which sums were checked")
        weighted = [index for index, layer in enumerate(self.config.layers) if layer.has_weights]
        sizes = dict(blocks or {})
        for index in weighted:
            if index not in sizes:
                sizes[index] = choose_block(self.config.layers[index], grid)
        tell("planning the order of the channels")
        orders = phases.channel_orders(network, {index: sizes[index] for index in weighted}, balanced)
        self.positions: dict[int, Positions] = {i: network.layer_weights(i).positions for i in weighted}
        self.matrices: dict[int, LayerMatrix] = {
            i: phases.matrix_of(network, i, sizes[i], orders, lanes) for i in weighted
        }
        self._orders = {"image": orders[0]}
        for index in range(len(self.config.layers)):
            self._orders |= {f"{kind}{index}": orders[index + 1] for kind in ("output", "index", "delta")}
        maker = phases.Maker(self.config, grid, self.matrices, search, tell)
        self.phases: list[Phase] = [maker.forward(index, training) for index in range(len(self.config.layers))]
        if training:
            self.phases += maker.backward()
        tell(f"planning a program of {len(self.phases)} phases")
        self.constants: dict[str, npt.NDArray[np.int8]] = {}
        self.allocation = Allocation(lanes, base)
        self.parts: list[tuple[str, int]] = []
        self._allocate()
        self.descriptors: list[Descriptor] = self._sequence()
        self.allocation.add("program", "u1", (len(self.descriptors) * BYTES,))

    # --- for who runs it ---

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Tensors by name."""
        return self.allocation.tensors

    @property
    def address(self) -> int:
        """Of the program."""
        return self.tensors["program"].address

    @property
    def length(self) -> int:
        """Descriptors of the program."""
        return len(self.descriptors)

    @property
    def read_window(self) -> Pair:
        """First and last byte that are read."""
        return self.allocation.read_window

    @property
    def write_window(self) -> Pair:
        """First and last byte that are written."""
        return self.allocation.write_window

    def program(self, rate_shift: int) -> bytes:
        """The program at a rate of 2**-rate_shift; its length does not depend on that.

        Raises:
            ValueError: an update shift is not 0 … 31, or the weight decay cannot be had.
        """
        shifts = {}
        weight_decay = self.config.training.weight_decay(rate_shift) if self.training else 0
        for index in self.matrices:
            shift = self.config.layers[index].update_shift(rate_shift)
            if self.training and not 0 <= shift <= SHIFT_MAX:
                raise ValueError(f"layer {index}: update shift = {shift} must be 0 … {SHIFT_MAX}")
            shifts[self.tensors[f"values{index}"].address] = shift
        return encode([
            replace(each, shift=shifts[each.weights], weight_decay=weight_decay if each.weight_decay else 0)
            if isinstance(each, Update) else each
            for each in self.descriptors
        ])  # fmt: skip

    def order(self, name: str) -> IntArray:
        """The channel that is in every place of a map in memory."""
        return self._orders[name]

    def matches(self, layer: int, positions: Positions) -> bool:
        """Whether a layer has its elements where the program expects them."""
        mine = self.positions[layer]
        return np.array_equal(mine.row, positions.row) and np.array_equal(mine.col, positions.col)

    # --- making it ---

    def _allocate(self) -> None:
        """All tensors but the program."""
        lanes, layers, add = self.grid.shape.lanes, self.config.layers, self.allocation.add
        for phase in self.phases:
            self._constant(f"literals.{phase.name}", phase.program.literals)
        for index, matrix in self.matrices.items():
            self._constant(f"pointers{index}", matrix.image.pointers)
            self._constant(f"coordinates{index}", matrix.image.coordinates)
        if not self.training:
            for index, matrix in self.matrices.items():
                add(f"values{index}", "i1", (matrix.length,))
        add("image", "i1", (*self.config.in_shape, lanes))
        if self.training:
            add("labels", "u1", (lanes,))
            for index, matrix in self.matrices.items():
                add(f"values{index}", "i1", (matrix.length,), writable=True)
                for name in ("masters", "momenta", "gradients"):
                    add(f"{name}{index}", "<i4", (matrix.length,), writable=True)
        for index, layer in enumerate(layers):
            shape = (*layer.out_shape, lanes)
            add(f"output{index}", "i1", shape, writable=True)
            if self.training:
                add(f"delta{index}", "i1", shape, writable=True)
                if layer.keeps_indices:
                    add(f"index{index}", "u1", shape, writable=True)

    def _constant(self, name: str, data: npt.NDArray[np.int8]) -> None:
        self.constants[name] = data
        self.allocation.add(name, "i1", data.shape)

    def _sequence(self) -> list[Descriptor]:
        made = Sequence(self.tensors)
        training, lanes = self.config.training, self.grid.shape.lanes
        for index, matrix in self.matrices.items():
            made.check(index, matrix.csb.shape.blocks, len(matrix.csb.coordinates))
        self.parts.append(("pointers", len(made.descriptors)))
        last = len(self.config.layers) - 1
        for number, phase in enumerate(self.phases):
            if number == last + 1:
                made.delta(last, self.config.classes)
                self.parts.append(("delta", len(made.descriptors)))
            made.add(phase, self._assemble(phase))
            self.parts.append((phase.name, len(made.descriptors)))
            if phase.gradients:
                beats = self.matrices[phase.layer].length // lanes
                shift = self.config.layers[phase.layer].update_shift(training.rate_shift(0))
                made.update(phase.layer, beats, shift, training)
                self.parts.append((f"update{phase.layer}", len(made.descriptors)))
        return made.descriptors

    def _assemble(self, phase: Phase) -> list[Descriptor]:
        """A phase with the addresses of its tensors."""
        matrix = self.matrices.get(phase.layer)

        def address(name: str) -> int | None:
            tensor = self.tensors.get(name)
            return None if tensor is None else tensor.address

        def at(name: str, shape: Shape) -> MapAt:
            return MapAt(self.tensors[name].address, *shape)

        outputs = tuple(
            OutputAt(
                at(made.tensor, phase.program.out), made.shift, made.field, made.stochastic, made.relu,
                mask=None if made.mask is None else self.tensors[made.mask].address,
            )
            for made in phase.outputs
        )  # fmt: skip
        operand = None if phase.operand is None else at(phase.operand, phase.operand_shape)
        places = Places(
            at(phase.x, phase.x_shape), operand, outputs,
            address(f"literals.{phase.name}"), address(f"coordinates{phase.layer}"), address(f"values{phase.layer}"),
            address(f"gradients{phase.layer}"), csb=None if matrix is None else matrix.csb,
        )  # fmt: skip
        return assemble(phase.program, places, self.grid.shape.lanes)
