# SPDX-License-Identifier: Apache-2.0
"""The published times of system C, 100 epochs of sparse fine-tuning, beside the cycle model of our array.

A training step of 32 images is FF, NG and WG of every layer and both ways through the pooling layers, one behind the
other; every one is a program. Short ones are played clock by clock, longer ones estimated (``estimate``), and how far
estimates are off is measured on those that are played. The update of the weights runs beside NG of the layers below as
far as both ports have room there, and by itself for the rest. Layers of equal shape and density are computed once.

System C's figures leave open what this has to assume: ``image_size`` and ``densities`` say what and why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

import numpy as np

from models.pe_array.compiler.random_matrices import coded
from models.pe_array.isa.assumed import CLOCK_MHZ
from models.pe_array.isa.csb import Csb
from models.pe_array.isa.csb_order import BLOCK_MAX
from models.pe_array.isa.shapes import Conv, Pair
from studies import networks, published
from studies.block_search import best_block, halved
from studies.layer_phases import (
    GRID,
    UPDATE_READ,
    UPDATE_WRITTEN,
    about,
    phase_program,
    pool_programs,
    random_mask,
    traffic,
    weight_beats,
)
from studies.phase_clocks import LATENCY, SIZES, PhaseProgram, WeightUpdate
from studies.published import BATCH, PHASES, Phase
from studies.roofline import reach, work

IMAGES = {"CIFAR-10": 50_000, "SVHN": 73_257, "Linnaeus5": 6_000, "VOC2007": 5_011}
"""Training images of the data sets: train sets, VOC2007 trainval."""
CLASSES = {"CIFAR-10": 10, "SVHN": 10, "Linnaeus5": 5, "VOC2007": 20}
NAMES = {"AlexNet": "AlexNet", "VGG16": "VGG-16", "MobileNetV1": "MobileNetV1"}
"""Networks of the table, as ``networks`` calls them."""
EPOCHS = 100
BEYOND = "MAC bound", "convolutions", "fully connected", "pooling", "update"
"""What the clocks of a step go to."""
SMALLEST = 32
"""Pixels of a side of CIFAR-10's and SVHN's images; also what the networks divide the size of an image by."""

PLAYED = 20_000
"""Estimated clocks up to which a phase is played."""
SHORT = 4_000
"""Played clocks below which a phase says nothing about the error of estimates."""
ROOM = 0.9
"""Share of the clocks a port has left that an update beside another phase is given."""


def relative_time(data_set: str) -> float:
    """Published time per image of a data set over that of CIFAR-10, mean of the networks."""
    times = {
        (line.network, line.data_set): float(line.fpga_seconds) / IMAGES[line.data_set]
        for line in published.FINE_TUNING
    }
    return sum(times[network, data_set] / times[network, "CIFAR-10"] for network in NAMES) / len(NAMES)


def image_size(data_set: str) -> int:
    """Pixels of a side that we assume: the sizes are not published, but the times per image tell.

    Work grows with the pixels: those of CIFAR-10 are 32 x 32, the others have so many more as an image takes longer,
    rounded to a side that is a multiple of 32.
    """
    return SMALLEST * max(1, round(sqrt(relative_time(data_set))))


def densities(layers: Sequence[networks.WeightLayer], sparse_percent: float, uniform: bool = False) -> dict[str, float]:
    """Share of the kernels of every layer that is stored, so that the whole network has the table's sparsity.

    The first layer and depth-wise ones are dense, because without its one kernel a channel is cut off; all others have
    the same density. ``uniform``: all have the same.

    Raises:
        ValueError: the dense layers alone have more weights than there may be.
    """
    kept = 1 - sparse_percent / 100
    dense = {layer.name for n, layer in enumerate(layers) if not uniform and (n == 0 or _depth_wise(layer.conv))}
    fixed = sum(layer.weights for layer in layers if layer.name in dense)
    total = sum(layer.weights for layer in layers)
    rest = (kept * total - fixed) / (total - fixed)
    if rest <= 0:
        raise ValueError(f"layers that stay dense have {fixed} of {total} weights, {kept:.1%} are to be kept")
    return {layer.name: 1.0 if layer.name in dense else rest for layer in layers}


def _depth_wise(conv: Conv) -> bool:
    return conv.groups == conv.cols > 1


@dataclass(frozen=True)
class Part:
    """A phase of a layer: its clocks, beats, and whether they were played or estimated.

    Attributes:
        phase: FF, NG, WG, pooling or update.
        bound: what is busy for the greatest part of the time.
        estimate: clocks that were estimated, whether the phase was played or not.
    """

    layer: str
    phase: str
    clocks: int
    read: int = 0
    written: int = 0
    bound: str = "read port"
    played: bool = False
    estimate: int = 0


@dataclass
class Stepper:
    """Clocks of training steps on ``GRID``; keeps the layers and the sizes of blocks that it has been asked for."""

    latency: int = LATENCY
    seed: int = 1
    played: int = PLAYED
    parts: dict[object, tuple[list[Part], int]] = field(default_factory=dict)
    blocks: dict[object, Pair] = field(default_factory=dict)

    def step(
        self, layers: Sequence[networks.WeightLayer], pools: Sequence[networks.Pooling], density: dict[str, float]
    ) -> list[Part]:  # fmt: skip
        """All parts of a step, layers from the last to the first, then the pooling layers and the update."""
        made: list[Part] = []
        waiting = 0.0  # beats of weights that are not updated yet
        for n in reversed(range(len(layers))):
            layer = layers[n]
            parts, beats = self._layer(layer, density[layer.name], n == 0)
            made += [replace(part, layer=layer.name) for part in parts]
            for part in parts:
                if part.phase == "NG":
                    free = min(
                        (part.clocks - part.read) / UPDATE_READ, (part.clocks - part.written) / UPDATE_WRITTEN
                    )  # fmt: skip
                    waiting -= min(waiting, max(0.0, ROOM * free))
            waiting += beats
        for pooling in pools:
            made += self._pooling(pooling)
        rest = PhaseProgram(None, updates=(WeightUpdate(max(1, round(waiting))),))  # of the first layer at least
        # all updates take as long per beat; a long one is not played to its end
        few = replace(rest, updates=(WeightUpdate(min(rest.updates[0].beats, PLAYED // UPDATE_READ)),))
        more = rest.updates[0].beats - few.updates[0].beats
        clocks = few.clocks(GRID, replace(SIZES, latency=self.latency)).clocks
        made.append(Part("all", "update", clocks + UPDATE_READ * more))
        return made

    def _layer(self, layer: networks.WeightLayer, density: float, first: bool) -> tuple[list[Part], int]:
        """Phases of a layer, and beats of its weights."""
        shape = (layer.conv, layer.height, layer.width, first)
        if (shape, density) not in self.parts:
            mask = random_mask(layer.conv, density, np.random.default_rng(self.seed))
            phases: tuple[Phase, ...] = ("FF", "WG") if first else PHASES
            if shape not in self.blocks:
                self.blocks[shape] = self._block(layer, mask, phases)
            csb, programs = self._programs(layer, mask, phases, shape)
            macs = len(csb.coordinates) * reach(layer.conv, layer.height, layer.width).pairs // GRID.pes
            parts = [self._part(layer.name, phase, made, macs) for phase, made in zip(phases, programs, strict=True)]
            self.parts[shape, density] = parts, weight_beats(csb)
        return self.parts[shape, density]

    def _block(self, layer: networks.WeightLayer, mask: np.ndarray, phases: tuple[Phase, ...]) -> Pair:
        """Of larger kernels searched on the first map, the smallest; on larger maps the same is tried first.

        Other layers have enough blocks for all slots on each side, but not so small ones that starting them takes long.
        """
        conv = layer.conv
        if conv.taps == 1 or _depth_wise(conv):
            least, parts = (8, 32) if layer.fully_connected else (32, 16) if conv.taps == 1 else (16, 32)
            rows, cols = (min(n, max(least, n // parts), BLOCK_MAX) for n in (conv.rows, conv.cols))
            return rows, cols
        if conv not in self.blocks:
            self.blocks[conv] = best_block(layer, mask, GRID, phases, (16, 16), 3)
        return self.blocks[conv]

    def _programs(
        self, layer: networks.WeightLayer, mask: np.ndarray, phases: tuple[Phase, ...], shape: object
    ) -> tuple[Csb, list[PhaseProgram]]:  # fmt: skip
        """Programs of the phases; blocks are halved until all fit."""
        while True:
            block = self.blocks[shape]
            csb = coded(layer.conv, mask, block)
            try:
                return csb, [phase_program(layer, csb, phase) for phase in phases]
            except ValueError:
                if max(block) == 1:
                    raise
                self.blocks[shape] = halved(block)

    def _pooling(self, pooling: networks.Pooling) -> list[Part]:
        """Both ways through a pooling layer."""
        if pooling not in self.parts:
            name = f"pool {pooling.size} x {pooling.size}"
            self.parts[pooling] = [self._part(name, "pooling", made, 0) for made in pool_programs(pooling)], 0
        return self.parts[pooling][0]

    def _part(self, layer: str, phase: str, made: PhaseProgram, macs: int) -> Part:
        moved, estimated = traffic(made), about(made)
        played = estimated <= self.played
        clocks = made.clocks(GRID, replace(SIZES, latency=self.latency)).clocks if played else estimated
        shares = {"MACs": macs, "read port": moved.read, "write port": moved.written}
        bound = max(shares, key=lambda name: shares[name])
        return Part(layer, phase, clocks, moved.read, moved.written, bound, played, estimated)

    def errors(self) -> tuple[int, float, float, float]:
        """Of estimates of played phases: their number; estimated over played clocks less 1 in all, least, most."""
        pairs = [
            (part.estimate, part.clocks)
            for parts, _ in self.parts.values()
            for part in parts
            if part.played and part.clocks >= SHORT
        ]
        if not pairs:
            return 0, 0.0, 0.0, 0.0
        single = [estimated / clocks - 1 for estimated, clocks in pairs]
        estimated, clocks = (sum(pair[n] for pair in pairs) for n in (0, 1))
        return len(pairs), estimated / clocks - 1, min(single), max(single)


@dataclass(frozen=True)
class FineTuning:
    """A line of system C's table and ours.

    Attributes:
        size: pixels of an image's side, assumed.
        steps: of all epochs.
        clocks: of a step.
        estimated: share of the clocks that is estimated, not played.
        shares: of FF, NG, WG, pooling and update in the clocks.
        largest: layers with the most clocks, with their share and the bound of their longest phase.
        bound_seconds: every one of our MACs busy in every clock with a stored weight and a pixel of the map.
        beyond: shares of the clocks: the MAC bound, and what convolutions and fully connected layers need beyond it,
            pooling, update.
        reads: beats that FF, NG and WG read over those of reading every tensor once.
        uniform_seconds: if all layers had the same density; None where that was not computed.
    """

    network: str
    data_set: str
    images: int
    sparse_percent: float
    size: int
    published_seconds: float
    steps: int
    clocks: int
    estimated: float
    shares: dict[str, float]
    largest: list[str]
    bound_seconds: float
    beyond: dict[str, float]
    reads: float
    uniform_seconds: float | None = None

    @property
    def seconds(self) -> float:
        """Of all epochs."""
        return self.clocks * self.steps / (CLOCK_MHZ * 1e6)

    @property
    def bound_above_published(self) -> bool:
        """Whether our MACs could not reach the published time even if all of them always had work."""
        return self.bound_seconds > self.published_seconds


def fine_tuning(
    stepper: Stepper, chosen: Sequence[str] = tuple(NAMES), report: Callable[[FineTuning], None] = lambda row: None
) -> list[FineTuning]:  # fmt: skip
    """The table for some networks; ``report`` is called with every row as soon as it is there."""
    rows = []
    for line in published.FINE_TUNING:
        if line.network in chosen:
            row = fine_tuned(stepper, line)
            report(row)
            rows.append(row)
    return rows


def fine_tuned(stepper: Stepper, line: published.PublishedFineTuning) -> FineTuning:
    """A row."""
    size, images, sparse = image_size(line.data_set), IMAGES[line.data_set], float(line.sparse_percent)
    layers, pools = networks.sized(NAMES[line.network], size, CLASSES[line.data_set])
    density = densities(layers, sparse)
    parts = stepper.step(layers, pools, density)
    clocks, steps = sum(part.clocks for part in parts), steps_of(line.data_set)
    uniform = None
    if line.data_set == "CIFAR-10":
        other = stepper.step(layers, pools, densities(layers, sparse, uniform=True))
        uniform = sum(part.clocks for part in other) * steps / (CLOCK_MHZ * 1e6)
    kinds = (*PHASES, "pooling", "update")
    return FineTuning(
        line.network, line.data_set, images, sparse, size, float(line.fpga_seconds), steps, clocks,
        sum(part.clocks for part in parts if not part.played and part.phase != "update") / clocks,
        {kind: sum(part.clocks for part in parts if part.phase == kind) / clocks for kind in kinds},
        _largest(parts), bound_seconds(layers, density, steps), _beyond(layers, density, parts),
        _reads(layers, density, parts), uniform,
    )  # fmt: skip


def steps_of(data_set: str) -> int:
    """Steps of all epochs; the last of an epoch takes as long as the others."""
    return -(-IMAGES[data_set] // BATCH) * EPOCHS


def bound_seconds(layers: Sequence[networks.WeightLayer], density: dict[str, float], steps: int) -> float:
    """Least time of some steps: MACs that cannot be left out over all that ``GRID`` has in a second."""
    return sum(_bounds(layers, density).values()) * steps / (CLOCK_MHZ * 1e6)


def _bounds(layers: Sequence[networks.WeightLayer], density: dict[str, float]) -> dict[str, float]:
    """Clocks of a step in which all MACs of ``GRID`` multiply a stored weight and a pixel of the map, by layer.

    Three phases, but no NG of the first layer.
    """
    return {
        layer.name: layer.kernels * density[layer.name] * reach(layer.conv, layer.height, layer.width).pairs
        * (3 if n else 2) * BATCH / (GRID.pes * GRID.shape.lanes)
        for n, layer in enumerate(layers)
    }  # fmt: skip


def _beyond(
    layers: Sequence[networks.WeightLayer], density: dict[str, float], parts: Sequence[Part]
) -> dict[str, float]:
    """Shares of the clocks of a step: the MAC bound, and what comes on top of it, by kind."""
    bounds = _bounds(layers, density)
    connected = {layer.name: layer.fully_connected for layer in layers}
    clocks = {"MAC bound": sum(bounds.values())} | dict.fromkeys(BEYOND[1:], 0.0)
    for layer in layers:
        clocks[BEYOND[1 + layer.fully_connected]] -= bounds[layer.name]
    for part in parts:
        kind = part.phase if part.layer not in connected else BEYOND[1 + connected[part.layer]]
        clocks[kind] += part.clocks
    return {kind: number / sum(part.clocks for part in parts) for kind, number in clocks.items()}


def _reads(layers: Sequence[networks.WeightLayer], density: dict[str, float], parts: Sequence[Part]) -> float:
    """Beats that phases of layers read, over those of reading every tensor once."""
    phases = {(part.layer, part.phase): part.read for part in parts}
    read = once = 0.0
    for layer in layers:
        for phase in PHASES:
            if (beats := phases.get((layer.name, phase))) is not None:
                moved = work(layer, phase, density=density[layer.name]).traffic
                read += beats
                once += sum(moved[name] for name in moved if name.endswith("read") and name != "masters read")
    return read * GRID.shape.lanes / once


def _largest(parts: Sequence[Part], count: int = 3) -> list[str]:
    total = sum(part.clocks for part in parts)
    by_layer: dict[str, list[Part]] = {}
    for part in parts:
        by_layer.setdefault("update" if part.phase == "update" else part.layer, []).append(part)
    clocks = {name: sum(part.clocks for part in some) for name, some in by_layer.items()}
    return [
        f"{name} {clocks[name] / total:.0%} ({max(by_layer[name], key=lambda part: part.clocks).bound})"
        for name in sorted(clocks, key=lambda name: -clocks[name])[:count]
    ]
