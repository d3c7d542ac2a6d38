# SPDX-License-Identifier: Apache-2.0
"""Frozen networks of random layers, sizes and scales: with them models, programs and the array are compared."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from models.pe_array.isa.descriptors import ONE
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.network import averages
from models.pe_array.network.frozen.builder import FrozenBuilder
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.kinds.average_pool import whole_window
from models.pe_array.network.layer import IMAGE
from models.pe_array.network.layers import Int8Array
from models.pe_array.network.scaling import Addend, Scaling

STEPS = ("conv", "depthwise", "max", "average", "identity", "add", "conv_add", "concat", "concat", "plain")


class _Random:
    """Layers at random, of a network in the making; maps are known by number."""

    def __init__(self, seed: int, batch: int, most: int | None) -> None:
        self.rng = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        most = most or self.rng.choice([11, 11, 14])
        size = (self.rng.randint(1, 4), self.rng.randint(5, most), self.rng.randint(5, most))
        self.zeros = {IMAGE: self.zero()}
        self.made = FrozenBuilder("random", size, batch, self.zeros[IMAGE])

    def zero(self) -> int:
        return self.rng.choice([0, 0, -128, self.rng.randint(-60, 60)])

    def scaling(self, index: int, channels: int, sums: int, add: int | None = None) -> Scaling:
        """Scales with which sums of about that size fill a byte."""
        rng, n = self.rng, self.rng.choice([1, channels]) if add is None else 1
        scales = [min(1.9, rng.uniform(0.3, 2.0) * 100 / sums) for _ in range(n)]
        zero, low, high = self.zero(), -128, 127
        if rng.random() < 0.4:
            low, high = zero, rng.choice([127, min(127, zero + 90)])
        addend = None
        if add is not None:
            addend = Addend(rng.randint(ONE // 3, ONE), rng.randint(0, 1), self.zeros[add])
        biases = self.numbers.integers(-sums, sums + 1, n)
        if rng.random() < 0.2:  # powers of two, half up: no multiplier
            made = Scaling.of([0.25] * n, biases, zero_in=self.zeros[index], zero=zero, addend=addend)
        else:
            made = Scaling.of(
                scales, biases, zero_in=self.zeros[index], zero=zero, low=low, high=high,
                even=rng.random() < 0.5, addend=addend,
            )  # fmt: skip
            made = replace(made, near_half=rng.random() < 0.3)
        self.zeros[len(self.made.layers)] = zero
        return made

    def window(self, shape: tuple[int, int, int], most: int = 4) -> dict[str, tuple[int, ...]]:
        """A window that fits on a map."""
        rng = self.rng
        while True:
            kernel = rng.randint(1, most), rng.randint(1, most)
            pad = tuple(rng.randint(0, side - 1) if rng.random() < 0.6 else 0 for side in (*kernel, *kernel))
            keys = {
                "kernel": kernel, "stride": (rng.choice([1, 1, 2]), rng.choice([1, 1, 2, 3])), "pad": pad,
                "dilation": (rng.choice([1, 1, 2]), rng.choice([1, 1, 1, 2])),
            }  # fmt: skip
            try:
                size = Pool(**keys).out_size(*shape[1:])  # type: ignore[arg-type]
            except ValueError:
                continue
            if min(size) >= 2 or max(shape[1:]) < 3:
                return keys

    def convolution(self, index: int, add: int | None = None, depthwise: bool = False) -> int:
        shape, rng = self.made.shape(index), self.rng
        if add is not None:  # keeps the size of the map that it adds, which is that of what it reads
            side = rng.choice([1, 3])
            keys: dict[str, tuple[int, ...]] = {"kernel": (side, side), "pad": (side // 2,) * 4}
            rows, groups = self.made.shape(add)[0], 1
        else:
            keys = self.window(shape)
            groups = shape[0] if depthwise else rng.choice([n for n in (1, 1, 2, 3) if shape[0] % n == 0])
            rows = groups * rng.randint(1, 2 if depthwise else 5)
        conv = Conv(rows=rows, cols=shape[0], groups=groups, **keys)  # type: ignore[arg-type]
        most = rng.choice([60, 127, 255])  # beyond a byte: two elements
        weights = self.numbers.integers(-most, most + 1, (rows, shape[0] // groups, *conv.kernel))
        weights[self.numbers.random(weights.shape[:2]) < rng.choice([0.0, 0.5])] = 0
        sums = max(1, int(most * 40 * (conv.taps * shape[0] / groups) ** 0.5))
        return self.made.convolution(index, conv, weights, self.scaling(index, rows, sums, add), add)

    def step(self, kind: str, index: int) -> int:
        made, shape, rng = self.made, self.made.shape(index), self.rng
        partners = [n for n in range(len(made.layers)) if made.shape(n) == shape]
        if kind == "max":
            scaling = Scaling.of(1.0, low=-20, high=90) if rng.random() < 0.5 else None
            self.zeros[len(made.layers)] = self.zeros[index]
            return made.max_pool(index, Pool(**self.window(shape)), scaling)  # type: ignore[arg-type]
        if kind == "average":
            pool = Pool(**self.window(shape))  # type: ignore[arg-type]
            top, left, bottom, right = pool.pad
            counted = rng.choice([None, (0, 0, 0, 0), (top, left, min(top, bottom), min(left, right))])
            pool = replace(pool, counted=counted) if rng.random() < 0.8 else whole_window(*shape[1:])
            terms = averages.base(pool, *shape[1:])[0] if pool.uneven else pool.taps
            return made.average_pool(index, pool, self.scaling(index, shape[0], 60 * terms))
        if kind == "identity":
            factor = rng.choice([1, 3])
            return made.identity(index, self.scaling(index, shape[0], 80 * factor), factor=factor)
        if kind == "add" and partners:
            other = rng.choice(partners)
            return made.identity(index, self.scaling(index, shape[0], 80, other), other)
        if kind == "conv_add" and partners:
            return self.convolution(index, rng.choice(partners))
        if kind == "concat":
            same = [n for n in (IMAGE, *range(len(made.layers))) if made.shape(n)[1:] == shape[1:]]
            sources = [n for n in same if self.zeros[n] == self.zeros[index]]
            chosen = [rng.choice(sources) for _ in range(rng.randint(1, 3))]
            self.zeros[len(made.layers)] = self.zeros[index]
            return made.concat([index, *chosen] if rng.random() < 0.5 else [*chosen, index])
        if kind == "plain" and not self.zeros[index]:
            conv = Conv.make(rng.randint(1, 4), shape[0], 1)
            self.zeros[len(made.layers)] = 0
            weights = self.numbers.integers(-1, 2, (conv.rows, conv.cols, 1, 1))
            return made.convolution(index, conv, weights, None)
        return self.convolution(index, depthwise=kind == "depthwise")


def random_network(
    seed: int, steps: int = 6, pes: int = 2, batch: int = 8, most: int | None = None
) -> FrozenNetwork:  # fmt: skip
    """A network of some layers of random kinds, and, mostly, a dense one behind them.

    Args:
        seed: of everything.
        steps: layers, besides a first and a last one.
        pes: PEs of its array.
        batch: images.
        most: rows and columns of the images, at least 5; None: 11 or 14.
    """
    made = _Random(seed, batch, most)
    index = made.convolution(IMAGE) if made.rng.random() < 0.7 else IMAGE
    for kind in made.rng.choices(STEPS, k=steps):
        at = index if made.rng.random() < 0.8 else made.rng.choice([IMAGE, *range(len(made.made.layers))])
        index = made.step(kind, at)
    if made.rng.random() < 0.6:
        shape = made.made.shape(index)
        rows, cols = made.rng.randint(1, 12), shape[0] * shape[1] * shape[2]
        weights = made.numbers.integers(-90, 91, (rows, cols))
        made.made.dense(index, weights, made.scaling(index, rows, int(90 * 40 * cols**0.5)))
    return made.made.network(pes)


def images(network: FrozenNetwork, seed: int) -> Int8Array:
    """A batch of random images for a network."""
    shape = (*network.config.in_shape, network.config.batch)
    return np.random.default_rng(seed).integers(-128, 128, shape, dtype=np.int8)
