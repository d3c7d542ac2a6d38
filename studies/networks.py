# SPDX-License-Identifier: Apache-2.0
"""Shapes of well-known networks: their layers, weights and multiply-accumulates.

Biases and normalisation are not counted, padding is, as in the table of ``survey``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from models.pe_array.isa.shapes import Conv, Pool


@dataclass(frozen=True)
class WeightLayer:
    """One layer with weights.

    Attributes:
        name: as the network's authors call it, unique in the network.
        conv: the convolution; a fully connected layer is 1 x 1 on a 1 x 1 map.
        height, width: size of its input map.
        fully_connected: counted under FC in the survey's table.
    """

    name: str
    conv: Conv
    height: int
    width: int
    fully_connected: bool = False

    @property
    def out_size(self) -> tuple[int, int]:
        """(height, width) of the output map."""
        return self.conv.out_size(self.height, self.width)

    @property
    def kernels(self) -> int:
        """2-D kernels of the dense layer."""
        return self.conv.rows * (self.conv.cols // self.conv.groups)

    @property
    def weights(self) -> int:
        """Weights of the dense layer, without biases."""
        return self.kernels * self.conv.taps

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the dense layer for one image, those on padding included."""
        height, width = self.out_size
        return self.weights * height * width


@dataclass(frozen=True)
class Pooling:
    """A pooling layer: its window, and channels and size of its input map."""

    pool: Pool
    channels: int
    size: int
    average: bool = False


class _Builder:
    """Collects layers while it follows the size of the map."""

    def __init__(self, channels: int, size: int) -> None:
        self.layers: list[WeightLayer] = []
        self.pools: list[Pooling] = []
        self.channels = channels
        self.size = size

    def conv(
        self, name: str, rows: int, kernel: int = 3, stride: int = 1, pad: int | None = None, groups: int = 1
    ) -> None:
        """A convolution of the current map, which its output replaces; ``pad`` keeps the size by default."""
        conv = Conv.make(rows, self.channels, kernel, stride, kernel // 2 if pad is None else pad, groups=groups)
        self.layers.append(WeightLayer(name, conv, self.size, self.size))
        self.size = conv.out_size(self.size, self.size)[0]
        self.channels = rows

    def branch(self, name: str, rows: int, **options: int) -> None:
        """A convolution beside the main path: channels and size stay."""
        channels, size = self.channels, self.size
        self.conv(name, rows, **options)
        self.channels, self.size = channels, size

    def pool(
        self, kernel: int = 2, stride: int = 2, pad: int | tuple[int, int, int, int] = 0, average: bool = False
    ) -> None:
        """A pooling layer, which has no weights."""
        pool = Pool.make(kernel, stride, pad)
        self.pools.append(Pooling(pool, self.channels, self.size, average))
        self.size = pool.out_size(self.size, self.size)[0]

    def dense(self, name: str, rows: int) -> None:
        """A fully connected layer on all of the current map."""
        conv = Conv.make(rows, self.channels * self.size * self.size)
        self.layers.append(WeightLayer(name, conv, 1, 1, fully_connected=True))
        self.channels, self.size = rows, 1


def _lenet5() -> _Builder:
    net = _Builder(1, 28)
    net.conv("conv1", 6, 5)
    net.pool()
    net.conv("conv2", 16, 5, pad=0)
    net.pool()
    for name, rows in (("fc3", 120), ("fc4", 84), ("fc5", 10)):
        net.dense(name, rows)
    return net


def _alexnet(size: int = 227, classes: int = 1000) -> _Builder:
    """Of other sizes than 227: conv1 padded by 5 and pools of 2 x 2, so that maps of a few pixels are left."""
    net, (kernel, pad) = _Builder(3, size), (3, 0) if size == 227 else (2, 5)
    net.conv("conv1", 96, 11, 4, pad=pad)
    net.pool(kernel, 2)
    net.conv("conv2", 256, 5, groups=2)
    net.pool(kernel, 2)
    net.conv("conv3", 384)
    net.conv("conv4", 384, groups=2)
    net.conv("conv5", 256, groups=2)
    net.pool(kernel, 2)
    for name, rows in (("fc6", 4096), ("fc7", 4096), ("fc8", classes)):
        net.dense(name, rows)
    return net


def _vgg(net: _Builder, blocks: Iterable[tuple[int, int]], dense: Iterable[int]) -> _Builder:
    number = 0
    for number, (count, rows) in enumerate(blocks, 1):
        for k in range(1, count + 1):
            net.conv(f"conv{number}_{k}" if count > 1 else f"conv{number}", rows)
        net.pool()
    for k, rows in enumerate(dense, number + 1):
        net.dense(f"dense{k}", rows)
    return net


def _vgg11_cifar() -> _Builder:
    return _vgg(_Builder(3, 32), ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)), (512, 512, 10))


def _vgg16(size: int = 224, classes: int = 1000) -> _Builder:
    return _vgg(_Builder(3, size), ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), (4096, 4096, classes))


def _mobilenet_v1(size: int = 224, classes: int = 1000) -> _Builder:
    net = _Builder(3, size)
    net.conv("conv1", 32, stride=2)
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for number, (rows, stride) in enumerate(plan, 2):
        net.conv(f"conv{number}_dw", net.channels, stride=stride, groups=net.channels)
        net.conv(f"conv{number}_pw", rows, 1)
    if net.size > 1:
        net.pool(net.size, net.size, average=True)
    net.dense("fc", classes)
    return net


def _resnet_stem() -> _Builder:
    net = _Builder(3, 224)
    net.conv("conv1", 64, 7, 2)
    net.pool(3, 2, 1)
    return net


def _resnet34() -> _Builder:
    net = _resnet_stem()
    for stage, (count, rows) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 2):
        for k in range(1, count + 1):
            stride = 2 if stage > 2 and k == 1 else 1
            if stride == 2:
                net.branch(f"conv{stage}_{k}_shortcut", rows, kernel=1, stride=2)
            net.conv(f"conv{stage}_{k}a", rows, stride=stride)
            net.conv(f"conv{stage}_{k}b", rows)
    net.pool(7, average=True)
    net.dense("fc", 1000)
    return net


def _resnet50() -> _Builder:
    """With the stride in the first 1 x 1 convolution of a stage, as first published."""
    net = _resnet_stem()
    for stage, (count, rows) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 2):
        for k in range(1, count + 1):
            stride = 2 if stage > 2 and k == 1 else 1
            if k == 1:
                net.branch(f"conv{stage}_{k}_shortcut", 4 * rows, kernel=1, stride=stride)
            net.conv(f"conv{stage}_{k}a", rows, 1, stride)
            net.conv(f"conv{stage}_{k}b", rows)
            net.conv(f"conv{stage}_{k}c", 4 * rows, 1)
    net.pool(7, average=True)
    net.dense("fc", 1000)
    return net


_INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Filters of an inception module: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, 1x1 after pooling (Szegedy et al. 2015)."""


def _googlenet_v1() -> _Builder:
    """Without the two auxiliary classifiers, which exist in training only."""
    net = _Builder(3, 224)
    net.conv("conv1", 64, 7, 2)
    net.pool(3, 2, (0, 0, 1, 1))
    net.conv("conv2_reduce", 64, 1)
    net.conv("conv2", 192)
    net.pool(3, 2, (0, 0, 1, 1))
    for name, (one, three_reduce, three, five_reduce, five, after_pool) in _INCEPTION.items():
        if name in ("4a", "5a"):
            net.pool(3, 2, (0, 0, 1, 1))
        channels = net.channels
        net.branch(f"inception_{name}_1x1", one, kernel=1)
        net.branch(f"inception_{name}_pool_proj", after_pool, kernel=1)
        for side, reduce, rows in ((3, three_reduce, three), (5, five_reduce, five)):
            net.channels = channels
            net.conv(f"inception_{name}_{side}x{side}_reduce", reduce, 1)
            net.conv(f"inception_{name}_{side}x{side}", rows, side)
        net.channels = one + three + five + after_pool
    net.pool(7, average=True)
    net.dense("fc", 1000)
    return net


_NETWORKS: dict[str, Callable[[], _Builder]] = {
    "LeNet-5": _lenet5,
    "AlexNet": _alexnet,
    "VGG-11 CIFAR": _vgg11_cifar,
    "VGG-16": _vgg16,
    "MobileNetV1": _mobilenet_v1,
    "ResNet-34": _resnet34,
    "ResNet-50": _resnet50,
    "GoogLeNet v1": _googlenet_v1,
}

NAMES = tuple(_NETWORKS)
"""The networks that ``layers`` knows."""


def layers(network: str) -> list[WeightLayer]:
    """The layers with weights of a network, first to last; KeyError with the known names where it is unknown."""
    if network not in _NETWORKS:
        raise KeyError(f"network {network!r} is unknown; known are {', '.join(NAMES)}")
    return _NETWORKS[network]().layers


_SIZED: dict[str, Callable[[int, int], _Builder]] = {
    "AlexNet": _alexnet,
    "VGG-16": _vgg16,
    "MobileNetV1": _mobilenet_v1,
}


def sized(network: str, size: int, classes: int) -> tuple[list[WeightLayer], list[Pooling]]:
    """Layers with weights and pooling layers of a network for images of ``size`` x ``size`` pixels, both in order.

    Fully connected layers read the last map as large as it then is.

    Raises:
        KeyError: not AlexNet, VGG-16 or MobileNetV1.
        ValueError: the size is not a multiple of 32, by which these networks divide it (AlexNet: 227 is allowed).
    """
    if size % 32 and (network, size) != ("AlexNet", 227):
        raise ValueError(f"images of {size} x {size} pixels: {network} needs a multiple of 32")
    made = _SIZED[network](size, classes)
    return made.layers, made.pools


def behind(layers: Sequence[WeightLayer], pools: Iterable[Pooling]) -> dict[str, Pooling]:
    """The layers that pooling layers follow, by name; a chain of layers, with at most one pool behind each.

    Raises:
        ValueError: a pool follows none of them.
    """
    left, found = list(pools), dict[str, Pooling]()
    for layer, after in pairwise(layers):
        size = layer.out_size[0]
        read = after.conv.cols == layer.conv.rows * size * size if after.fully_connected else after.height == size
        if not read and left and (left[0].channels, left[0].size) == (layer.conv.rows, size):
            found[layer.name] = left.pop(0)
    if left:
        raise ValueError(f"no layer is before {left[0]}")
    return found


@dataclass(frozen=True)
class Totals:
    """Weights and multiply-accumulates (of one image) of a network's dense layers."""

    conv_weights: int
    conv_macs: int
    fc_weights: int
    fc_macs: int


def totals(network: str) -> Totals:
    """Sums over the layers of a network."""
    parts = {kind: [layer for layer in layers(network) if layer.fully_connected == kind] for kind in (False, True)}
    return Totals(
        sum(layer.weights for layer in parts[False]),
        sum(layer.macs for layer in parts[False]),
        sum(layer.weights for layer in parts[True]),
        sum(layer.macs for layer in parts[True]),
    )
