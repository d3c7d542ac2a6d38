# SPDX-License-Identifier: Apache-2.0
"""Accuracy against sparsity of pre-trained networks without retraining (system F), and what the array saves.

Published (Ashouri, Abdelrahman, Dos Remedios 2018): up to 73 % of the weights removed for at most 5 points of top-5
accuracy. Here top-5 and top-1 are those of the quantised network on the array, bit for bit. Where they leave the
allowed loss is looked for with the float network on some of the pictures; what the array makes of all of them decides.
Clocks are exact, of a batch on the array; energy is that of ``studies.energy``, an estimate that is good for ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from models.lib import threads
from models.lib.telling import silent
from models.pe_array.frontend.api import Compiled
from models.pe_array.frontend.clean import Cleaned, clean
from models.pe_array.frontend.lower import lower
from models.pe_array.frontend.onnx_run import Runner
from models.pe_array.frontend.quantise import quantise
from models.pe_array.frontend.reader import read
from models.pe_array.frontend.sparsify import KERNELS, LEVELS, WEIGHTS, Sparsification, sparsify, sparsity
from models.pe_array.network.frozen.network import FrozenNetwork
from studies.energy import activity, energy
from studies.networks import WeightLayer

LOSS = 0.05
"""Of accuracy that is allowed: 5 points, as published."""
TOPS = (1, 5)
"""A picture is right if its class is among so many of the largest outputs."""
STEPS = 64
"""In which strengths are tried."""
PROBED = 1000
"""Pictures with which the float network says where to look."""
UNITS = (KERNELS, WEIGHTS)

FloatArray = npt.NDArray[np.float32]
Shares = tuple[float, float]
"""Of the pictures that are right, for each of ``TOPS``."""


@dataclass(frozen=True)
class Point:
    """One way to take weights away.

    Attributes:
        how: what SPARSIFY says, ``dense`` for the network as it was.
        method, unit: of that.
        sparsity: share of the weights that is zero.
        left_out: share of the kernels (dense layers: weights) that is zero, which the array leaves out.
        right: shares of the pictures that the array classifies correctly, top-1 and top-5.
        energy: of a batch in µJ, lowest and highest estimate.
        clocks: of a batch, exact; None: not asked for.
    """

    how: str
    method: str
    unit: str
    sparsity: float
    left_out: float
    right: Shares
    energy: tuple[float, float]
    clocks: int | None = None

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Point:
        """From what JSON keeps of one."""
        return cls(**kept | {name: tuple(kept[name]) for name in ("right", "energy")})


@dataclass(frozen=True)
class Study:
    """A network, what it is judged by, and the array.

    Attributes:
        model: of floats.
        calibration: pictures as the model takes them.
        pictures, labels: the same for the accuracy.
        batch, pes: of the array.
        with_clocks: predict them at every point.
        tell: is told what is being done.
        known: what earlier runs of the same study found, by what was done; those found now are added.
        keep: is given each of them at once.
    """

    model: onnx.ModelProto
    calibration: FloatArray
    pictures: FloatArray
    labels: npt.NDArray[np.integer]
    batch: int = 16
    pes: int = 8
    with_clocks: bool = True
    tell: Callable[[str], None] = silent
    known: dict[str, Any] = field(default_factory=dict)
    keep: Callable[[str, Any], None] = lambda what, found: None

    def points(self, count: int) -> Iterator[Point]:
        """The dense network, and of every method and unit ``count`` levels and those with the largest allowed loss."""
        cleaned = clean(self.model)
        dense = self._point(cleaned, None)
        yield dense
        for unit in UNITS:
            for method in LEVELS:
                yield from self._curve(cleaned, method, unit, count, dense.right)

    def _curve(self, cleaned: Cleaned, method: str, unit: str, count: int, dense: Shares) -> Iterator[Point]:
        """Points at the limits, or below them where the array loses more than it may, and between 0 and the last."""
        limits = [0]
        for top in range(len(TOPS)):  # more are right among the first five, so their limit is not below
            limits.append(self._limit(cleaned, method, unit, top, limits[-1]))
        done = {0}
        for top, limit in enumerate(limits[1:]):
            for step in range(limit, 0, -1):
                point = self._tried(cleaned, of_strength(method, unit, step / STEPS))
                if point is not None and step not in done:
                    done.add(step)
                    yield point
                if point is not None and dense[top] - point.right[top] <= LOSS:
                    break
        for each in range(1, count + 1):
            step = round(limits[-1] * each / (count + 1))
            if step not in done and (point := self._tried(cleaned, of_strength(method, unit, step / STEPS))):
                done.add(step)
                yield point

    def _limit(self, cleaned: Cleaned, method: str, unit: str, top: int, good: int) -> int:
        """Steps, ``good`` or more, up to which the float network loses no more than it may, of what is probed."""
        dense, bad = self._float(cleaned, None)[top], STEPS
        while bad - good > 1:
            middle = (good + bad) // 2
            right = self._float(cleaned, of_strength(method, unit, middle / STEPS))[top]
            good, bad = (middle, bad) if dense - right <= LOSS else (good, middle)
        return good

    def _float(self, cleaned: Cleaned, how: Sparsification | None) -> Shares:
        """Shares that the float network has right, of the pictures that are probed."""
        name = f"float {how or 'dense'}"
        if name not in self.known:
            self.tell(name)
            runner = Runner(sparsify(cleaned, how)[0].model, threads=threads.count())
            self._found(name, shares_right(runner(self.pictures[:PROBED]), self.labels[:PROBED]))
        first, last = self.known[name]
        return first, last

    def _tried(self, cleaned: Cleaned, how: Sparsification) -> Point | None:
        """A point; None where the array cannot have it: little is left, and its scales are out of reach."""
        name = f"refused {how}"
        if name in self.known:
            return None
        try:
            return self._point(cleaned, how)
        except ValueError:  # of which UnsupportedModel is one
            self._found(name, True)
            return None

    def _point(self, cleaned: Cleaned, how: Sparsification | None) -> Point:
        name = "dense" if how is None else str(how)
        point = Point.of(self.known[name]) if name in self.known else None
        if point is not None and (point.clocks is not None or not self.with_clocks):
            return point
        self.tell(name)
        sparse, layers = sparsify(cleaned, how)
        integers = quantise(sparse, self.calibration)
        graph = read(integers)
        network = lower(graph, self.batch, self.pes)
        compiled = Compiled(sparse, layers, integers, graph, network)
        if point is None:
            units, gone = (sum(getattr(each, key) for each in layers) for key in ("kernels", "zero_kernels"))
            point = Point(
                name, "dense" if how is None else how.method, KERNELS if how is None else how.unit, sparsity(layers),
                gone / units, shares_right(compiled.predict(self.pictures), self.labels), energy_of(network),
            )  # fmt: skip
            self._found(name, asdict(point))
        if self.with_clocks:
            point = replace(point, clocks=compiled.clocks().clocks)
            self._found(name, asdict(point))
        return point

    def _found(self, what: str, found: Any) -> None:
        self.known[what] = found
        self.keep(what, found)


def shares_right(logits: FloatArray, labels: npt.NDArray[np.integer]) -> Shares:
    """Shares of pictures whose class is among the largest of their logits (n, classes); of equal ones the first."""
    own = np.take_along_axis(logits, labels.astype(np.int64)[:, None], axis=1)
    before = np.arange(logits.shape[1]) < labels[:, None]
    place = ((logits > own) | (logits == own) & before).sum(axis=1)
    first, last = (float((place < top).mean()) for top in TOPS)
    return first, last


def of_strength(method: str, unit: str, strength: float) -> Sparsification:
    """A way to take weights away that takes more the larger the strength, 0 … 1."""
    levels = (strength / 2, min(1.0, 1.5 * strength)) if method == "triangular" else (strength,)
    return Sparsification(method, tuple(round(each, 3) for each in levels), unit)


def energy_of(network: FrozenNetwork) -> tuple[float, float]:
    """Lowest and highest estimate of a batch, of the layers with weights, in µJ."""
    batch, sums = network.config.batch, [0.0, 0.0]
    for index, layer in enumerate(network.config.layers):
        if layer.has_weights:
            shape = WeightLayer(layer.name, layer.conv, *layer.in_shape[1:])
            density = min(1.0, len(network.layer_weights(index).positions) / shape.kernels)
            part = energy(activity(shape, "FF", batch, density, lanes=batch)).total
            sums = [a + b for a, b in zip(sums, part, strict=True)]
    return sums[0] * 1e-6, sums[1] * 1e-6


def largest(points: list[Point], method: str, unit: str, top: int) -> Point | None:
    """The point of a method with the largest sparsity whose loss is allowed; None: there is none.

    Args:
        top: which of ``TOPS`` counts, 0 or 1.
    """
    curve = [each for each in points if (each.method, each.unit) == (method, unit)]
    allowed = [each for each in curve if points[0].right[top] - each.right[top] <= LOSS]
    return max(allowed, key=lambda each: each.sparsity, default=None)
