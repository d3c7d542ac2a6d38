# SPDX-License-Identifier: Apache-2.0
"""A whole training step, or an inference, of a network as one program in memory of the PE array.

Order of a step: FF of all layers, the output's deltas, then from the last map to the image NG of the
layers that read it, their WG and update; on several arrays WG before NG. What the program finds in
memory and leaves there is in ``step_memory``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.lib.telling import silent
from models.lib.uncollected import uncollected
from models.pe_array.compiler import phases, pooling
from models.pe_array.compiler.allocation import Allocation, Tensor
from models.pe_array.compiler.assemble import Places, assemble
from models.pe_array.compiler.channels import channel_orders
from models.pe_array.compiler.layer_matrix import LayerMatrix
from models.pe_array.compiler.map_places import MapPlaces
from models.pe_array.compiler.phases import BIAS, Phase
from models.pe_array.compiler.records import records_of
from models.pe_array.compiler.sequence import Sequence
from models.pe_array.compiler.storage import MapStorage
from models.pe_array.isa.channel_records import Records
from models.pe_array.isa.descriptors import BYTES, Descriptor, Learn, Update
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.shapes import Pair, Positions
from models.pe_array.network import fitting
from models.pe_array.network.config import PeConfig
from models.pe_array.network.fitting import LANES_MIN, choose_block
from models.pe_array.network.frozen.network import FrozenConfig, FrozenNetwork
from models.pe_array.network.layers import ACC_BITS
from models.pe_array.network.network import PeNetwork, check_update_shifts

UNUSED = "unused"
"""Where updates of biases leave MAC weights, which nothing multiplies with."""


class StepProgram:
    """Program and layout of memory, for the positions that a network's elements have now: pruning needs a new one.

    Where the configuration rounds stochastically, the words that the network's model needs have the order of this
    program: ``word_order.word_order(program)``.

    Args:
        network: its configuration and the positions of its elements; one that is frozen has no ``training``.
        grid: the PEs; B must be the batch.
        training: a step; otherwise FF alone, without indices.
        base: address of the first tensor, a multiple of 16 beats.
        balanced: permute channels so that slots have nearly the same work.
        blocks: rows and columns of blocks of some layers; those of the others are chosen.
        search: look for the fastest program of every phase, which takes long; otherwise take the first that fits.
        pooled: drains pool, and spread gradients of pooled maps, where that is all that is done with a map, unless the
            configuration's training is not ``pooled``.
        tell: is told what is being made.

    Attributes:
        config, grid, training: as given.
        storage: where the maps of FF lie.
        allocation: all tensors, see ``phases`` for their names; besides ``literals.ff0`` of a phase, and ``program``.
        matrices: of every layer with weights.
        biases: of every layer with biases, these as a matrix of one column.
        positions: of the elements of these layers.
        phases: in their order.
        fused: names of those whose gradients are in no memory, where the configuration's training is ``fused``.
        pools: poolings that are no phase of their own, by the number of the layer that they read.
        absent: names of maps, and of gradients by them, that are in no memory therefore.
        parts: name and number of descriptors up to its end: ``pointers``, phases, ``delta``, updates as ``update3``,
            with those of the biases, if there are any.
        descriptors: the program; ``update`` shifts are those of the first epoch.
        constants: contents of the tensors that neither weights nor images decide, as bytes.

    Raises:
        ValueError: batch and B differ, B or ACC is too small, a layer does not fit in the memories of the PEs, or a
            frozen network is to be trained or is too large (ConfigError, see ``fitting.check``).
    """

    @uncollected()
    def __init__(
        self, network: PeNetwork | FrozenNetwork, grid: Grid, *, training: bool = True, base: int = 0,
        balanced: bool = True, blocks: Mapping[int, Pair] | None = None, search: bool = True, pooled: bool = True,
        tell: Callable[[str], None] = silent,
    ) -> None:  # fmt: skip
        self.config: PeConfig | FrozenConfig = network.config
        if training and isinstance(network, FrozenNetwork):
            raise ValueError(f"{network.config.name} is frozen: its program has no training")
        self.grid, self.training = grid, training
        lanes, batch = grid.shape.lanes, self.config.batch
        if lanes != batch or lanes < LANES_MIN:
            raise ValueError(f"B = {lanes} must be the batch, {batch}, and at least {LANES_MIN}")
        if grid.shape.acc_bits < ACC_BITS:
            raise ValueError(f"ACC = {grid.shape.acc_bits} must be at least {ACC_BITS}, for which sums were checked")
        if isinstance(network, FrozenNetwork):
            fitting.check(network.config.layers, grid, training=False)
        weighted = [index for index, layer in enumerate(self.config.layers) if layer.has_weights]
        sizes = dict(blocks or {})
        for index in weighted:
            if index not in sizes:
                elements = len(network.layer_weights(index).positions)
                sizes[index] = choose_block(self.config.layers[index], grid, training, elements)
        tell("planning the order of the channels")
        orders = channel_orders(network, {index: sizes[index] for index in weighted}, balanced)
        mine = [index for index in weighted if index in self.layers]
        self.positions: dict[int, Positions] = {i: network.layer_weights(i).positions for i in mine}
        self.matrices: dict[int, LayerMatrix] = {i: phases.matrix_of(network, i, sizes[i], orders, grid) for i in mine}
        self.biases: dict[int, LayerMatrix] = {
            i: phases.matrix_of_biases(network, i, grid, orders[i + 1]) for i in mine if self.config.layers[i].bias
        }
        self._orders = {"image": orders[0]}
        for index in range(len(self.config.layers)):
            self._orders |= {f"{kind}{index}": orders[index + 1] for kind in ("output", "index", "delta")}
        self.storage = MapStorage(self.config.layers, self.config.in_shape)
        pooled &= not isinstance(self.config, PeConfig) or self.config.training.pooled
        pools, spread = self._pooled() if pooled else ({}, set())
        maker = phases.Maker(
            self.config, grid, self.storage, self.matrices, self.biases, pools, spread, search, tell
        )  # fmt: skip
        forward = self._forward_phases(maker)
        backward = list(maker.backward(self.layers)) if training else []
        self.phases: list[Phase] = [*forward, *backward]
        self.fused: set[str] = set()
        if isinstance(self.config, PeConfig) and self.config.training.fused and self.config.link.arrays == 1:
            self.fused = {phase.name for phase in backward if phase.gradients and phase.once}
        self.pools = pools
        self.absent = {f"output{index}" for index in pools}
        self.absent |= {f"delta{index}" for index in spread} if training else set()
        tell(f"planning a program of {len(self.phases)} phases")
        self.constants: dict[str, npt.NDArray[np.int8]] = {}
        self.allocation = Allocation(grid.beat, base)
        self._allocate_constants()
        self._allocate_maps()
        self.parts: list[tuple[str, int]] = []
        self.descriptors: list[Descriptor] = []
        self._make_programs(forward, backward)

    @property
    def layers(self) -> range:
        """Layers whose phases the program has."""
        return range(len(self.config.layers))

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
        return self.encoded(self.descriptors, rate_shift)

    def encoded(self, descriptors: list[Descriptor], rate_shift: int) -> bytes:
        """Descriptors of the program, or of another one for the same memory, as ``program`` has them."""
        shifts = {}
        weight_decay = 0
        if self.training:
            assert isinstance(self.config, PeConfig)
            weight_decay = self.config.training.weight_decay(rate_shift)
            check_update_shifts(self.config, rate_shift)
            for index in self.matrices:
                shifts[self.masters(index)] = self.config.layers[index].update_shift(rate_shift)
            for index in self.biases:
                shifts[self.masters(index, BIAS)] = self.config.layers[index].bias_update_shift(rate_shift)
        return encode([
            replace(each, shift=shifts[each.masters], weight_decay=weight_decay if each.weight_decay else 0)
            if isinstance(each, Update | Learn) else each
            for each in descriptors
        ])  # fmt: skip

    def masters(self, index: int, prefix: str = "") -> int:
        """Address of a layer's masters, or, with ``phases.BIAS``, of those of its biases: what an update changes."""
        return self.tensors[f"{prefix}masters{index}"].address

    def state(self, index: int, prefix: str = "") -> list[str]:
        """What the names of a layer's arrays of 32-bit words begin with: masters, momenta, gradients if in memory."""
        fused = f"{'bg' if prefix else 'wg'}{index}" in self.fused
        return [f"{prefix}{name}" for name in ("masters", "momenta", "gradients")[: 2 if fused else 3]]

    def order(self, name: str) -> IntArray:
        """The channel that is in every place of a map in memory."""
        return self._orders[name]

    def matches(self, layer: int, positions: Positions) -> bool:
        """Whether a layer has its elements where the program expects them."""
        mine = self.positions[layer]
        return np.array_equal(mine.row, positions.row) and np.array_equal(mine.col, positions.col)

    # --- making it ---

    def _pooled(self) -> tuple[dict[int, int], set[int]]:
        """Poolings that drains do, and those of them whose gradient they spread, as ``phases.Maker`` takes them."""
        config = self.config
        pools = pooling.pooled_layers(config, self.storage)
        return pools, {n for n in pools.values() if isinstance(config, PeConfig) and pooling.spreads(config, n)}

    def _forward_phases(self, maker: phases.Maker) -> list[Phase]:
        """FF, in its order."""
        made: list[Phase] = []
        for index in self.layers:
            layer = self.config.layers[index]
            made += [maker.copy(copy) for copy in self.storage.copies if copy.before == index]
            if not layer.joins and maker.pools.get(layer.reads) != index:
                made.append(maker.forward(index, self.training))
        return made

    def _allocate_constants(self) -> None:
        """What programs only read, but for maps."""
        lanes, layers, add = self.grid.shape.lanes, self.config.layers, self.allocation.add
        for phase in self.phases:
            self._constant(f"literals.{phase.name}", phase.program.literals)
        for index, matrix in self.matrices.items():
            self._constant(f"pointers{index}", matrix.image.pointers)
            self._constant(f"coordinates{index}", matrix.image.coordinates)
        if self.training and self.biases:
            for index, matrix in self.biases.items():
                self._constant(f"{BIAS}coordinates{index}", matrix.image.coordinates)
            pixels = max(math.prod(layers[index].out_shape[1:]) for index in self.biases)
            self._constant(phases.ONES, np.ones(pixels * lanes, dtype=np.int8))
        if not self.training:
            for index, matrix in self.matrices.items():
                add(f"values{index}", "i1", (matrix.length,))
            for index, matrix in self.biases.items():
                add(f"{BIAS}masters{index}", "<i4", (matrix.length,))
        for index in self.layers:
            layer = layers[index]
            if layer.scaling is not None:
                kind, data = records_of(layer.scaling, layer.drains[0], self._orders[f"output{index}"])
                if kind is not Records.NONE:
                    self._constant(f"records{index}", data)

    def _allocate_maps(self) -> None:
        """Maps, and what the program writes."""
        lanes, layers, add = self.grid.shape.lanes, self.config.layers, self.allocation.add
        tensors = {name: each for name, each in self.storage.tensors().items() if name not in self.absent}
        add("image", "i1", (*tensors.pop("image")[0], lanes))
        if self.training:
            add("labels", "u1", (lanes,))
            self._allocate_weights()
        for index, layer in enumerate(layers):
            shape = (*layer.out_shape, lanes)
            if f"output{index}" in tensors:
                add(f"output{index}", "i1", (*tensors.pop(f"output{index}")[0], lanes), writable=True)
            if self.training:
                if f"delta{index}" not in self.absent:
                    add(f"delta{index}", "i1", shape, writable=True)
                if layer.keeps_indices:
                    add(f"index{index}", "u1", shape, writable=True)
        for name, (outer, _) in tensors.items():
            add(name, "i1", (*outer, lanes), writable=True)

    def _allocate_weights(self) -> None:
        """What updates change."""
        add = self.allocation.add
        for index, matrix in self.matrices.items():
            add(f"values{index}", "i1", (matrix.length,), writable=True)
            for name in self.state(index):
                add(f"{name}{index}", "<i4", (matrix.length,), writable=True)
        for index, matrix in self.biases.items():
            for name in self.state(index, BIAS):
                add(f"{name}{index}", "<i4", (matrix.length,), writable=True)
        if self.biases:
            add(UNUSED, "i1", (max(matrix.length for matrix in self.biases.values()),), writable=True)

    def _constant(self, name: str, data: npt.NDArray[np.int8]) -> None:
        self.constants[name] = data
        self.allocation.add(name, "i1", data.shape)

    def _make_programs(self, forward: list[Phase], backward: list[Phase]) -> None:
        """The program, behind all other tensors."""
        self.descriptors, self.parts = self._sequence(forward, backward)
        self.allocation.add("program", "u1", (len(self.descriptors) * BYTES,))

    def _sequence(self, forward: list[Phase], backward: list[Phase]) -> tuple[list[Descriptor], list[tuple[str, int]]]:
        """Descriptors and parts of FF, of the output's deltas, where it has that layer, and of the way back."""
        made, parts = Sequence(self.tensors, self.storage.parts, self.grid.shape), list[tuple[str, int]]()
        for index, matrix in self.matrices.items():
            made.check(index, matrix.csb.shape.blocks, len(matrix.csb.coordinates))
        parts.append(("pointers", len(made.descriptors)))
        last = len(self.config.layers) - 1
        waiting: list[tuple[Phase, Learn]] = []  # phases whose gradients are in memory
        for phase in forward:
            made.add(phase, self._assemble(phase))
            parts.append((phase.name, len(made.descriptors)))
        if backward and last in self.layers:
            assert isinstance(self.config, PeConfig)
            made.delta(last, self.config.classes, self.config.training.softmax)
            parts.append(("delta", len(made.descriptors)))
        for phase in backward:
            if waiting and phase.layer in self.matrices and phase.layer != waiting[0][0].layer:
                parts += self._update(made, waiting)
            learn = self._learn(made, phase) if phase.gradients else None
            made.add(phase, self._assemble(phase), learn if phase.name in self.fused else None)
            parts.append((phase.name, len(made.descriptors)))
            if learn is not None and phase.name not in self.fused:
                waiting.append((phase, learn))
        if waiting:
            parts += self._update(made, waiting)
        return made.descriptors, parts

    def _update(self, made: Sequence, waiting: list[tuple[Phase, Learn]]) -> list[tuple[str, int]]:
        """New weights of a layer whose gradients are in memory, behind pooling that follows, before other products."""
        for each, how in waiting:
            matrix = (self.biases if each.biases else self.matrices)[each.layer]
            made.update(each.layer, matrix.length // self.grid.beat, how, each.matrix)
        name = f"update{waiting[0][0].layer}"
        waiting.clear()
        return [(name, len(made.descriptors))]

    def _learn(self, made: Sequence, phase: Phase) -> Learn:
        """How a phase's gradients change weights or biases."""
        assert isinstance(self.config, PeConfig)
        layer, training = self.config.layers[phase.layer], self.config.training
        rate = training.rate_shift(0)
        if phase.biases:
            return made.learn(phase.layer, layer.bias_update_shift(rate), training, BIAS, UNUSED)
        return made.learn(phase.layer, layer.update_shift(rate), training)

    def _assemble(self, phase: Phase) -> list[Descriptor]:
        """A phase with the addresses of its tensors."""
        matrix = (self.biases if phase.biases else self.matrices).get(phase.layer)

        def address(name: str) -> int | None:
            tensor = self.tensors.get(name)
            return None if tensor is None else tensor.address

        def of_matrix(name: str) -> int | None:
            return address(f"{phase.matrix}{name}{phase.layer}")

        maps = MapPlaces(self.tensors, self.storage, self._orders, self.grid.shape.lanes)
        outputs = tuple(maps.output(made, phase) for made in phase.outputs)
        operand = None if phase.operand is None else maps.at(phase.operand, phase.operand_shape)
        places = Places(
            maps.at(phase.x, phase.x_shape, phase.border), operand, outputs,
            address(f"literals.{phase.name}"), of_matrix("coordinates"), of_matrix("values"),
            of_matrix("masters" if phase.name in self.fused else "gradients"),
            csb=None if matrix is None else matrix.csb,
        )  # fmt: skip
        return assemble(phase.program, places, self.grid.shape.lanes, self.grid.wide)
