# SPDX-License-Identifier: Apache-2.0
"""Phases of a network's training step in the order in which the PE array works on them, and the order of its channels.

Tensors have names: ``image``, ``labels``; ``output3``, ``index3``, ``delta3`` are those of layer 3, the delta being the
gradient by its output; ``pointers3``, ``coordinates3``, ``values3``, ``masters3``, ``momenta3``, ``gradients3`` are its
matrix, ``bias_masters3`` and so on the one of its biases; ``ones`` is 1 everywhere. A fully connected layer reads the
output of the one before as it is in memory: flattening costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.telling import silent
from models.pe_array.compiler import program
from models.pe_array.compiler.channels import pixels_of
from models.pe_array.compiler.layer_matrix import LayerMatrix, first_fit
from models.pe_array.compiler.storage import Copy, MapStorage, output_of
from models.pe_array.compiler.whole_maps import whole_map
from models.pe_array.isa.csb import Csb
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import CollectGradients, Program
from models.pe_array.isa.pe_command import Op
from models.pe_array.isa.shapes import Pads, Pair, Pool, Positions
from models.pe_array.network.config import PeConfig
from models.pe_array.network.fitting import bias_block
from models.pe_array.network.frozen.network import FrozenConfig, FrozenNetwork
from models.pe_array.network.gradient_passes import GradientPass
from models.pe_array.network.layer import IMAGE, Layer, Shape
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.requantise import AccumulatorField
from models.pe_array.network.scaling import Scaling
from models.pe_array.network.seen_map import NO_PADS
from models.pe_array.network.weights import Weights
from models.pe_array.tiles.tiling import PhaseGeometry, Split

ONES = "ones"
"""The map that the gradients of biases are sums of products with."""
BIAS = "bias_"
"""What the names of the arrays of a layer's biases begin with."""


@dataclass(frozen=True)
class MapOutput:
    """What becomes of the accumulators that a phase drains.

    Attributes:
        tensor: the map in memory.
        shift, field, relu: settings of the requantising.
        bias: masters of the biases that are added to the sums, one for every channel of the map, or None.
        bias_shift: right shift of these.
        mask: map of activations where the derivative of a ReLU comes in, or None.
        places: map of places of largest pixels, which this one leaves beside ``tensor`` or is spread by, or None.
        shape: of the map in memory, where it is not that of the accumulators.
        clip: most of the outputs, or, with a mask, what that must be below; 0: there is no limit.
        scaling: scales of a frozen layer, or None.
        added: map that these add, or None.
        stochastic: round with random words.
    """

    tensor: str
    shift: int
    field: AccumulatorField = AccumulatorField.SUM
    relu: bool = False
    mask: str | None = None
    stochastic: bool = False
    scaling: Scaling | None = None
    added: str | None = None
    bias: str | None = None
    bias_shift: int = 0
    clip: int = 0
    places: str | None = None
    shape: Shape | None = None


@dataclass(frozen=True)
class Phase:
    """One phase of a layer.

    Attributes:
        name: such as ``ff3``, ``ng3``, ``wg3``; ``skip3``: the gradient by the map that layer 3 adds to its sums;
            ``bg3``: that by its biases.
        layer: its number.
        x, operand: names of the maps (``storage``) that X has windows of, and that are loaded to Y.
        x_shape, operand_shape: of these, as the layer sees them.
        outputs: maps that are drained, all of the same accumulators; none in WG.
        border: rows and columns of the halo of ``x`` that belong to what the layer sees.
        biases: gradients are those of the biases.
    """

    name: str
    layer: int
    program: Program
    x: str
    x_shape: Shape
    operand: str | None = None
    operand_shape: Shape = (0, 0, 0)
    outputs: tuple[MapOutput, ...] = ()
    border: Pads = NO_PADS
    biases: bool = False

    @property
    def gradients(self) -> bool:
        """Whether gradients are collected: WG."""
        return not self.outputs

    @property
    def once(self) -> bool:
        """Whether every gradient is complete when it is collected: the map is one strip."""
        return not any(isinstance(each, CollectGradients) and each.add for each in self.program.operations)

    @property
    def matrix(self) -> str:
        """What the names of its matrix begin with."""
        return BIAS if self.biases else ""


@dataclass(frozen=True)
class Maker:
    """Makes the phases of a network.

    Attributes:
        storage: where the maps lie.
        matrices: of the layers with weights.
        biases: likewise, of the layers with biases.
        pools: poolings that drains of the layer before them do, by the number of that layer.
        spread: of these, those whose gradient is spread by the drains that make it. Both lose those for which tiles of
            whole windows do not fit.
        search: look for the split and the strips with the least estimate; otherwise take the first split that fits.
        tell: is told which phase is being made.
    """

    config: PeConfig | FrozenConfig
    grid: Grid
    storage: MapStorage
    matrices: Mapping[int, LayerMatrix]
    biases: Mapping[int, LayerMatrix]
    pools: dict[int, int]
    spread: set[int]
    search: bool
    tell: Callable[[str], None] = silent

    def forward(self, index: int, training: bool) -> Phase:
        """FF of a layer; ``training``: with the indices of layers that keep them."""
        self._telling(index, "FF")
        layer = self.config.layers[index]
        outputs = [self._output(index, layer)]
        if index in self.pools:
            try:
                made = self._sums(index, replace(layer.forward_phase(), windows=True))
            except ValueError:  # tiles of whole windows do not fit
                self.spread.discard(self.pools.pop(index))
            else:
                pool = self.pools[index]
                places, shape = f"index{pool}" if training else None, self.config.layers[pool].out_shape
                output = replace(outputs[0], tensor=output_of(pool), places=places, shape=shape)
                return Phase(
                    f"ff{index}", index, made, self.storage.source(index), layer.seen_shape, outputs=(output,),
                    border=layer.border,
                )  # fmt: skip
        if training and layer.keeps_indices:
            outputs.append(MapOutput(f"index{index}", 0, AccumulatorField.INDEX))
        operand = None if layer.add is None or layer.preset is None else output_of(layer.add)
        made, source = self._sums(index, layer.forward_phase()), self.storage.source(index)
        return Phase(
            f"ff{index}", index, made, source, layer.seen_shape, operand, layer.out_shape,
            tuple(outputs), layer.border,
        )  # fmt: skip

    def copy(self, copy: Copy) -> Phase:
        """A map a second time, as it is."""
        self._telling(copy.before, "copy")
        shape = self.storage.maps[copy.target].shape
        made = self._pooling(PhaseGeometry(Op.MAC, Pool(), *shape[1:], one_weight=True), shape[0])
        outputs = (MapOutput(copy.target, 0),)
        return Phase(copy.target, copy.before, made, output_of(copy.source), shape, outputs=outputs)

    @staticmethod
    def _output(index: int, layer: Layer) -> MapOutput:
        """What becomes of the sums of FF."""
        name, scaling = output_of(index), layer.scaling
        if scaling is None:
            bias, shift = (f"{BIAS}masters{index}", layer.bias_shift) if layer.bias else (None, 0)
            return MapOutput(
                name, layer.forward_shift, layer.drains[0], layer.relu, bias=bias, bias_shift=shift, clip=layer.clip
            )  # fmt: skip
        added = None if layer.add is None else output_of(layer.add)
        return MapOutput(name, int(scaling.shifts[0]), layer.drains[0], scaling=scaling, added=added)

    def gradient_pass(self, index: int, each: GradientPass) -> Phase:
        """A part of the gradient by the output of layer ``index``: NG, or what is added."""
        self._telling(each.layer, "NG")
        assert isinstance(self.config, PeConfig)
        number, preset = each.layer, None if each.preset is None else each.preset_shift
        target, layer = self.config.layers[index], self.config.layers[number]
        operand = None if each.preset is None else self._delta(each.preset, each.preset_first, target.out_shape)
        mask, clip = (None, 0) if each.relu is None else (f"output{index}", self.config.layers[each.relu].clip)
        stochastic = self.config.training.stochastic_gradients
        outputs = (MapOutput(f"delta{index}", each.shift, mask=mask, stochastic=stochastic, clip=clip),)
        shape = layer.out_shape
        if each.skip:
            name, shape = f"skip{number}", target.out_shape
            if layer.joins:
                name = f"skip{number}.{each.first}"
            copy = PhaseGeometry(Op.MAC, Pool(), *shape[1:], one_weight=True, preset=preset)
            made = self._pooling(copy, shape[0])
            source = self._delta(number, each.first, shape)
            return Phase(name, number, made, source, shape, operand, shape, outputs)
        if index in self.spread:
            made, large = self._sums(number, replace(layer.backward_phase(), spread=True)), target.reads
            output = replace(  # places say where the ReLU has stopped it, too
                outputs[0], tensor=f"delta{large}", places=f"index{index}", shape=self.config.layers[large].out_shape,
                mask=None, clip=0,
            )  # fmt: skip
            return Phase(f"ng{number}", number, made, f"delta{number}", shape, outputs=(output,))
        made = self._sums(number, replace(layer.backward_phase(), preset=preset))
        operand_shape = layer.seen_shape
        if layer.keeps_indices:
            operand, operand_shape = f"index{number}", shape
        return Phase(f"ng{number}", number, made, f"delta{number}", shape, operand, operand_shape, outputs)

    def _delta(self, index: int, first: int, shape: Shape) -> str:
        """Name of the gradient by a layer's output, or of that of the channels of a part of it."""
        if not self.config.layers[index].joins:
            return f"delta{index}"
        return self.storage.part(f"delta{index}", first, shape)

    def weight_gradient(self, index: int) -> Phase:
        """WG of a layer with weights."""
        self._telling(index, "WG")
        layer = self.config.layers[index]
        made, source = self._gradients(layer.gradient_phase(), self.matrices[index].csb), output_of(layer.reads)
        return Phase(f"wg{index}", index, made, source, layer.in_shape, f"delta{index}", layer.out_shape)

    def bias_gradient(self, index: int) -> Phase:
        """WG of a layer's biases: they are the weights of a channel of ones."""
        self._telling(index, "WG of the biases")
        layer = self.config.layers[index]
        made, ones = self._gradients(layer.bias_phase(), self.biases[index].csb), (1, *layer.out_shape[1:])
        return Phase(f"bg{index}", index, made, ONES, ones, f"delta{index}", layer.out_shape, biases=True)

    def _gradients(self, tiles: PhaseGeometry, csb: Csb) -> Program:
        return self._split(
            lambda split: program.gradients(tiles, csb, self.grid, split), tiles, max(csb.shape.grid)
        )  # fmt: skip

    def backward(self, mine: range) -> Iterator[Phase]:
        """From the last map to the image: the gradient by the map, then WG of the layers that read it.

        Only those phases that belong to some layers: NG and WG of these, which make the gradient by what they read.

        On one array NG of a layer is before its WG, and an update runs beside the NG behind. On several arrays WG is
        first, because gradients travel while NG runs; ``SharedStep`` cuts its segments between the two.

        Where there is no update, WG comes later if NG has several drains: the NG behind it begins while the last one is
        under way. WG could not, because it needs the store engine. Stochastic updates keep their order, and so their
        random words.
        """
        layers = self.config.layers
        assert isinstance(self.config, PeConfig)
        how, later = self.config.training, list[Phase]()
        early = self.config.link.arrays > 1
        several = False  # drains of the last NG
        for index in reversed(range(IMAGE, len(layers))):
            if early:
                for made_of in self._weight_gradients(index):
                    yield from made_of
            if index != IMAGE and self.pools.get(index) not in self.spread:
                for each in self.config.passes(index):
                    if each.layer not in mine:
                        continue
                    if not several:
                        yield from later
                        later.clear()
                    made = self.gradient_pass(index, each)
                    several = len(made.program.stores()) > 1
                    yield made
            for made_of in () if early else self._weight_gradients(index):
                later += made_of
                if not (how.fused and all(phase.once for phase in made_of)) or how.stochastic_updates:
                    yield from later
                    later.clear()
        yield from later

    def _weight_gradients(self, index: int) -> Iterator[list[Phase]]:
        """WG of each layer with weights that reads a map, with that of its biases."""
        for reader in reversed(range(len(self.config.layers))):
            if self.config.layers[reader].reads == index and reader in self.matrices:
                yield [
                    self.weight_gradient(reader), *([self.bias_gradient(reader)] if reader in self.biases else [])
                ]  # fmt: skip

    def _telling(self, index: int, phase: str) -> None:
        self.tell(f"planning layer {index + 1} of {len(self.config.layers)}: {phase}")

    def _sums(self, index: int, tiles: PhaseGeometry) -> Program:
        """FF or NG of a layer: with its matrix, or of every channel by itself."""
        layer = self.config.layers[index]
        if not layer.has_weights:
            return self._pooling(tiles, layer.in_shape[0], layer.multipliers, layer.parts)
        csb = self.matrices[index].csb
        return self._split(
            lambda split: program.convolution(tiles, csb, self.grid, split), tiles, csb.shape.grid[tiles.backward]
        )

    def _pooling(
        self, tiles: PhaseGeometry, channels: int, multipliers: tuple[int, ...] = (1,), parts: int = 1
    ) -> Program:
        if parts > 1:
            return self._split(
                lambda split: whole_map(tiles, self.grid, split, channels, parts, multipliers), tiles, channels
            )
        return self._split(
            lambda split: program.pooling(tiles, self.grid, split, channels, multipliers), tiles, channels
        )

    def _split(self, make: Callable[[Split | None], Program], tiles: PhaseGeometry, parts: int) -> Program:
        return make(None) if self.search else first_fit(make, tiles, self.grid, parts)


def matrix_of(
    network: PeNetwork | FrozenNetwork, index: int, block: Pair, orders: list[IntArray], grid: Grid
) -> LayerMatrix:  # fmt: skip
    """Weights of a layer as in memory."""
    pixels = pixels_of(network, index)
    cols = (orders[network.config.layers[index].reads + 1][:, None] * pixels + np.arange(pixels)).reshape(-1)
    return LayerMatrix.make(network.layer_weights(index), block, grid, orders[index + 1], cols)


def matrix_of_biases(
    network: PeNetwork | FrozenNetwork, index: int, grid: Grid, order: IntArray
) -> LayerMatrix:  # fmt: skip
    """Biases of a layer as in memory: the weights of one channel, all in the layer's order, in which drains read them.

    Args:
        order: the channel in every place of the layer's output.
    """
    layer, weights = network.config.layers[index], network.layer_weights(index)
    conv, masters = layer.bias_conv, weights.bias.reshape(-1, 1, 1)
    biases = Weights(conv, Positions.all_of(conv), masters, masters, weights.widths)
    block = bias_block(layer, grid), 1
    return LayerMatrix.make(biases, block, grid, order, np.zeros(1, dtype=np.int64))
