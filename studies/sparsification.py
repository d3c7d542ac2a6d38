# SPDX-License-Identifier: Apache-2.0
"""Accuracy against sparsity of pre-trained networks without retraining (system F), and what the array saves.

Published (Ashouri, Abdelrahman, Dos Remedios 2018): up to 73 % of the weights removed for at most 5 points of top-5
accuracy. Here it is top-1 of the quantised network, which loses earlier. Clocks are exact, of a batch on the array;
energy is that of ``studies.energy``, an estimate that is good for ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

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
HOPELESS = 0.3
"""Loss beyond which larger levels are not tried."""
HALVINGS = 3
"""Steps in which the largest level with an allowed loss is sought between two of the table."""
UNITS = (KERNELS, WEIGHTS)

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Point:
    """One way to take weights away.

    Attributes:
        how: what SPARSIFY says, ``dense`` for the network as it was.
        method, unit: of that.
        sparsity: share of the weights that is zero.
        left_out: share of the kernels (dense layers: weights) that is zero, which the array leaves out.
        accuracy: share of the pictures that the quantised network classifies correctly.
        clocks: of a batch, exact; None: not asked for.
        energy: of a batch in µJ, lowest and highest estimate.
    """

    how: str
    method: str
    unit: str
    sparsity: float
    left_out: float
    accuracy: float
    clocks: int | None
    energy: tuple[float, float]


@dataclass(frozen=True)
class Study:
    """A network, what it is judged by, and the array.

    Attributes:
        model: of floats.
        calibration: pictures as the model takes them.
        pictures, labels: the same for the accuracy.
        batch, pes: of the array.
        with_clocks: predict them, which takes most of the time.
        tell: is told what is being done.
    """

    model: onnx.ModelProto
    calibration: FloatArray
    pictures: FloatArray
    labels: npt.NDArray[np.integer]
    batch: int = 16
    pes: int = 8
    with_clocks: bool = True
    tell: Callable[[str], None] = silent

    def points(self, count: int) -> Iterator[Point]:
        """The dense network, and for every method and unit ``count`` levels and those of the search for ``LOSS``."""
        cleaned = clean(self.model)
        dense = self._point(cleaned, None)
        yield dense
        for unit in UNITS:
            for method in LEVELS:
                yield from self._curve(cleaned, method, unit, count, dense.accuracy)

    def _curve(self, cleaned: Cleaned, method: str, unit: str, count: int, dense: float) -> Iterator[Point]:
        good, bad = 0.0, 1.0
        for strength in (np.arange(1, count + 1) / (count + 1)).tolist():
            point = self._tried(cleaned, of_strength(method, unit, strength))
            if point is None:
                bad = min(bad, strength)
                break
            yield point
            if dense - point.accuracy > LOSS:
                bad = min(bad, strength)
            elif bad == 1.0:
                good = strength
            if dense - point.accuracy > HOPELESS:
                break
        for _ in range(HALVINGS):
            middle = (good + bad) / 2
            point = self._tried(cleaned, of_strength(method, unit, middle))
            if point is not None:
                yield point
            allowed = point is not None and dense - point.accuracy <= LOSS
            good, bad = (middle, bad) if allowed else (good, middle)

    def _tried(self, cleaned: Cleaned, how: Sparsification) -> Point | None:
        """A point; None where the array cannot have it: little is left, and its scales are out of reach."""
        try:
            return self._point(cleaned, how)
        except ValueError:  # of which UnsupportedModel is one
            return None

    def _point(self, cleaned: Cleaned, how: Sparsification | None) -> Point:
        name = "dense" if how is None else str(how)
        self.tell(name)
        sparse, layers = sparsify(cleaned, how)
        integers = quantise(sparse, self.calibration)
        graph = read(integers)
        network = lower(graph, self.batch, self.pes)
        right = Runner(integers, graph.outputs[0].tensor).classes(self.pictures) == self.labels
        clocks = Compiled(sparse, layers, integers, graph, network).clocks().clocks if self.with_clocks else None
        units, gone = (sum(getattr(each, key) for each in layers) for key in ("kernels", "zero_kernels"))
        return Point(
            name, "dense" if how is None else how.method, KERNELS if how is None else how.unit, sparsity(layers),
            gone / units, float(right.mean()), clocks, energy_of(network),
        )  # fmt: skip


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


def largest(points: list[Point], method: str, unit: str) -> Point | None:
    """The point of a method with the largest sparsity whose loss is allowed; None: there is none."""
    dense = points[0].accuracy
    allowed = [each for each in points if (each.method, each.unit) == (method, unit) and dense - each.accuracy <= LOSS]
    return max(allowed, key=lambda each: each.sparsity, default=None)
