# SPDX-License-Identifier: Apache-2.0
"""The published times of system C, 100 epochs of sparse fine-tuning, beside the cycle model of our array.

A training step of 32 images is one program, compiled as training compiles it and played from its first descriptor to
its end (``played_step``): nothing is estimated.

System C's figures leave open what this has to assume: ``image_size`` and ``densities`` say what and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from models.pe_array.isa.assumed import CLOCK_MHZ
from models.pe_array.isa.shapes import Conv, Pair
from studies import networks, published
from studies.played_step import KINDS, MORE_PES, Asked, PlayedStep, config_of, kind_of
from studies.published import BATCH, PHASES
from studies.roofline import reach, work

IMAGES = {"CIFAR-10": 50_000, "SVHN": 73_257, "Linnaeus5": 6_000, "VOC2007": 5_011}
"""Training images of the data sets: train sets, VOC2007 trainval."""
CLASSES = {"CIFAR-10": 10, "SVHN": 10, "Linnaeus5": 5, "VOC2007": 20}
NAMES = {"AlexNet": "AlexNet", "VGG16": "VGG-16", "MobileNetV1": "MobileNetV1"}
"""Networks of the table, as ``networks`` calls them."""
MORE = ("VGG16",)
"""Networks that are played on ``MORE_PES`` too: those with a row that the published number trains more slowly."""
BLOCKS: dict[tuple[str, int, int], dict[str, Pair]] = {
    ("VGG16", published.PES, 32): {
        "conv3_2": (16, 16), "conv3_3": (16, 16), "conv4_2": (32, 32), "conv4_3": (32, 32), "conv5_1": (32, 64),
        "conv5_2": (32, 64), "conv5_3": (32, 64),
    },
}  # fmt: skip
"""Rows and columns of CSB blocks that were found by trying, by network, PEs and pixels of an image's side; others are
those that training chooses. A step on SVHN takes 1.7 % less with them."""
EPOCHS = 100
BEYOND = "MAC bound", "convolutions", "fully connected", "pooling", "update"
"""What the clocks of a step go to; what is left are pointers and output deltas."""
LARGEST = 3
"""Layers that a row names."""
SMALLEST = 32
"""Pixels of a side of CIFAR-10's and SVHN's images; also what the networks divide the size of an image by."""

STORING = "masters read", "mask read"
"""What the store engine reads, for updates and drains."""


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
class FineTuning:
    """A line of system C's table and ours.

    Attributes:
        pes: of our array.
        size: pixels of an image's side, assumed.
        steps: of all epochs.
        clocks: of a step, which is one program.
        parts: of these, what every kind of its parts adds.
        largest: layers with the most clocks, with their share.
        bound_seconds: every one of our MACs busy in every clock with a stored weight and a pixel of the map.
        beyond: shares of the clocks: the MAC bound, and what is spent beyond it.
        reads: beats of maps and weights that layers load over those of reading every tensor once.
        uniform_bound: ``bound_seconds`` if all layers had the same density.
    """

    network: str
    data_set: str
    pes: int
    images: int
    sparse_percent: float
    size: int
    published_seconds: float
    steps: int
    clocks: int
    parts: dict[str, int]
    largest: list[str]
    bound_seconds: float
    beyond: dict[str, float]
    reads: float
    uniform_bound: float

    @property
    def seconds(self) -> float:
        """Of all epochs."""
        return self.clocks * self.steps / (CLOCK_MHZ * 1e6)

    @property
    def bound_above_published(self) -> bool:
        """Whether our MACs could not reach the published time even if all of them always had work."""
        return self.bound_seconds > self.published_seconds


@dataclass(frozen=True)
class FineTunedNetwork:
    """A line of system C's table as a network of ours.

    Attributes:
        line: of the table.
        layers: with weights, in order.
        pools: by the names of the layers that they follow.
        density: share of the kernels of every layer that is stored.
        pes: of our array.
    """

    line: published.PublishedFineTuning
    layers: Sequence[networks.WeightLayer]
    pools: dict[str, networks.Pooling]
    density: dict[str, float]
    pes: int = published.PES

    @classmethod
    def of(cls, line: published.PublishedFineTuning, pes: int = published.PES) -> FineTunedNetwork:
        """With images of the size and weights of the densities that are assumed."""
        size = image_size(line.data_set)
        layers, pools = networks.sized(NAMES[line.network], size, CLASSES[line.data_set])
        return cls(line, layers, networks.behind(layers, pools), densities(layers, float(line.sparse_percent)), pes)

    def asked(self, latency: int) -> Asked:
        """A step, with a wide port."""
        config = config_of(self.line.network, self.layers, self.pools, self.density, pes=self.pes, wide=True)
        tried = BLOCKS.get((self.line.network, self.pes, image_size(self.line.data_set)), {})
        blocks = tuple((n, tried[layer.name]) for n, layer in enumerate(config.layers) if layer.name in tried)
        return Asked(config, latency, blocks)

    def row(self, asked: Asked, played: PlayedStep) -> FineTuning:
        """The row of a step that was played."""
        line, layers, density = self.line, self.layers, self.density
        parts, by_layer = dict.fromkeys(KINDS, 0), Counter[str]()
        for part, clocks in played.parts.items():
            kind, layer = kind_of(asked.config, part)
            parts[kind] += clocks
            by_layer[layer if kind in PHASES else kind] += clocks
        steps, sparse = steps_of(line.data_set), float(line.sparse_percent)
        return FineTuning(
            line.network, line.data_set, self.pes, IMAGES[line.data_set], sparse, image_size(line.data_set),
            float(line.fpga_seconds), steps, played.clocks, parts,
            [f"{name} {clocks / played.clocks:.0%}" for name, clocks in by_layer.most_common(LARGEST)],
            bound_seconds(layers, density, steps, self.pes), self._beyond(by_layer, played.clocks),
            self._reads(asked, played),
            bound_seconds(layers, densities(layers, sparse, uniform=True), steps, self.pes),
        )  # fmt: skip

    def _beyond(self, by_layer: Mapping[str, int], total: int) -> dict[str, float]:
        """Shares of the clocks of a step: the MAC bound, and what comes on top of it, by kind."""
        bounds = _bounds(self.layers, self.density, self.pes)
        clocks = {BEYOND[0]: sum(bounds.values())} | dict.fromkeys(BEYOND[1:], 0.0)
        for layer in self.layers:
            clocks[BEYOND[1 + layer.fully_connected]] += by_layer[layer.name] - bounds[layer.name]
        clocks |= {kind: by_layer[kind] for kind in BEYOND[3:]}
        return {kind: number / total for kind, number in clocks.items()}

    def _reads(self, asked: Asked, played: PlayedStep) -> float:
        """Beats that phases of layers load, over those of reading every tensor once."""
        loaded = {kind_of(asked.config, part): beats for part, beats in played.loaded.items()}
        read = once = 0.0
        for layer in self.layers:
            for phase in PHASES:
                if (beats := loaded.get((phase, layer.name))) is not None:
                    moved = work(layer, phase, density=self.density[layer.name]).traffic
                    read += beats
                    once += sum(moved[name] for name in moved if name.endswith("read") and name not in STORING)
        return read * published.LANES / once


def fine_tuned(chosen: Sequence[str] = tuple(NAMES)) -> list[FineTunedNetwork]:
    """The table's lines of some networks, and behind them those of ``MORE`` with more PEs."""
    lines = [line for line in published.FINE_TUNING if line.network in chosen]
    more = [FineTunedNetwork.of(line, MORE_PES) for line in lines if line.network in MORE]
    return [*map(FineTunedNetwork.of, lines), *more]


def steps_of(data_set: str) -> int:
    """Steps of all epochs; the last of an epoch takes as long as the others."""
    return -(-IMAGES[data_set] // BATCH) * EPOCHS


def bound_seconds(
    layers: Sequence[networks.WeightLayer], density: dict[str, float], steps: int, pes: int = published.PES
) -> float:  # fmt: skip
    """Least time of some steps: MACs that cannot be left out over all that so many PEs have in a second."""
    return sum(_bounds(layers, density, pes).values()) * steps / (CLOCK_MHZ * 1e6)


def _bounds(layers: Sequence[networks.WeightLayer], density: dict[str, float], pes: int) -> dict[str, float]:
    """Clocks of a step in which all MACs of so many PEs multiply a stored weight and a pixel of the map, by layer.

    Three phases, but no NG of the first layer.
    """
    return {
        layer.name: layer.kernels * density[layer.name] * reach(layer.conv, layer.height, layer.width).pairs
        * (3 if n else 2) * BATCH / (pes * published.LANES)
        for n, layer in enumerate(layers)
    }  # fmt: skip
