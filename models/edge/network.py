# SPDX-License-Identifier: Apache-2.0
"""Bit-exact model of the whole engine: what comes out of ``edge_top``, LSB for LSB (docs/edge/top.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.edge import kernel
from models.edge.activation import Activation
from models.edge.config import EdgeConfig, Mode
from models.edge.interleaver import Connectivity
from models.edge.layout import Layout
from models.edge.parameters import Int16Array, initial_parameters
from models.edge.schedule import Schedule
from models.lib.fixed_point import lane_seed

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RunResult:
    """What a run of n samples gave.

    Attributes:
        outputs: raw output activations, int16 (n, N_L).
        classes: predicted class of every sample, int32 (n,).
        correct: predictions equal to the label.
        saturated_ff, saturated_bp, saturated_up: saturation counts, int64 (L,), as in registers SAT_FF … SAT_UP.
    """

    outputs: Int16Array
    classes: npt.NDArray[np.int32]
    correct: int
    saturated_ff: IntArray
    saturated_bp: IntArray
    saturated_up: IntArray


class EdgeNetwork:
    """The engine with its parameters. Connectivity and configuration are fixed, parameters change as it trains.

    Attributes:
        weights: per junction int16 (W,), raw, in edge order. Views: write into them to load parameters.
        biases: per junction int16 (N_right,), raw.
        left: left neuron of every edge of all junctions, one after the other.
    """

    def __init__(
        self,
        config: EdgeConfig,
        connectivity: Connectivity,
        weights: Sequence[npt.ArrayLike] | None = None,
        biases: Sequence[npt.ArrayLike] | None = None,
    ) -> None:
        """Parameters that are not given are ``initial_parameters(config)``."""
        self.config = config
        self.schedule = Schedule(config)
        first = initial_parameters(config)
        self._weights = np.concatenate(first[0])
        self._biases = np.concatenate(first[1])
        self.weights = _views(self._weights, [shape.edges for shape in config.junctions])
        self.biases = _views(self._biases, [shape.n_right for shape in config.junctions])
        for name, views, given in (("weights", self.weights, weights), ("biases", self.biases, biases)):
            if given is not None:
                self._fill(name, views, given)
        left = [connectivity.left_neuron(i) for i in range(len(config.junctions))]
        self.left = np.concatenate(left).astype(np.uint16)
        sums = np.arange(1 << config.format.width)  # two's complement: negative ones are behind the others
        sums[1 << (config.format.width - 1) :] -= 1 << config.format.width
        self._activations = np.array([each(sums, config.format) for each in Activation], dtype=np.int16)
        self._layout = Layout.build(config, self.schedule)

    def _fill(self, name: str, views: tuple[Int16Array, ...], given: Sequence[npt.ArrayLike]) -> None:
        fmt = self.config.format
        if len(given) != len(views):
            raise ValueError(f"{name}: {len(given)} arrays given, {len(views)} junctions")
        for i, (view, values) in enumerate(zip(views, given, strict=True)):
            raw = np.asarray(values)
            if raw.shape != view.shape or raw.min() < fmt.min_raw or raw.max() > fmt.max_raw:
                raise ValueError(
                    f"{name} of junction {i + 1}: shape {raw.shape}, range {raw.min()} … {raw.max()}; must be "
                    f"{view.shape}, {fmt.min_raw} … {fmt.max_raw}"
                )
            view[:] = raw

    def run(
        self,
        x: npt.ArrayLike,
        labels: npt.ArrayLike,
        mode: Mode = Mode.PIPELINED,
        lr_shift: int = 0,
        stochastic: bool = False,
        rng_seed: int = 0,
        order: npt.ArrayLike | None = None,
    ) -> RunResult:
        """One run of the engine, from START until the pipeline is drained. Training modes change the parameters.

        Args:
            x: raw inputs (rows, N0), signed WIDTH bits; int16 and contiguous is fastest.
            labels: (rows,), 0 … CLASSES-1.
            lr_shift: the learning rate is 2**-lr_shift; 0 … LR_MAX.
            rng_seed: 16-bit register RNG_SEED from which all random generators start.
            order: rows of x that make up the run, in order of presentation; None for all.
        """
        config = self.config
        given = np.asarray(x)
        inputs = np.ascontiguousarray(given, dtype=np.int16)
        rows = np.arange(len(inputs)) if order is None else np.ascontiguousarray(order, dtype=np.int64)
        label = np.asarray(labels, dtype=np.int64)
        if inputs.ndim != 2 or inputs.shape[1] != config.layers[0] or label.shape != (len(inputs),):
            raise ValueError(f"x {inputs.shape} and labels {label.shape} must be (n, {config.layers[0]}) and (n,)")
        if inputs.size and not (config.format.min_raw <= given.min() and given.max() <= config.format.max_raw):
            raise ValueError(
                f"x {given.min()} … {given.max()} must be {config.format.min_raw} … {config.format.max_raw}"
            )
        if rows.size == 0 or rows.min() < 0 or rows.max() >= len(inputs):
            raise ValueError(f"a run needs at least one sample, each a row 0 … {len(inputs) - 1} of x")
        label = label[rows]
        if label.min() < 0 or label.max() >= config.classes:
            raise ValueError(f"labels {label.min()} … {label.max()} must be 0 … {config.classes - 1}")
        if not 0 <= lr_shift <= config.lr_max:
            raise ValueError(f"lr_shift = {lr_shift} must be 0 … LR_MAX = {config.lr_max}")
        outputs = np.empty((len(rows), config.layers[-1]), dtype=np.int16)
        saturations = np.zeros((3, len(config.junctions)), dtype=np.int64)
        layout = self._layout
        lanes = sum(shape.lanes for shape in config.junctions)
        lfsr = lane_seed(np.arange(lanes), rng_seed).astype(np.uint16)
        fmt = config.format
        room = [np.zeros(n, dtype=np.int16) for n in (layout.gathered, layout.act, layout.slope, layout.delta)]
        arguments: tuple[Any, ...] = (
            self.schedule.events(len(rows), mode), inputs, rows, label, layout.table, self.left,
            self._weights, self._biases, lfsr,
            self._activations[:, 0], self._activations[:, 1], fmt.frac, fmt.width, lr_shift, bool(stochastic),
            *room, np.zeros(layout.sums, dtype=np.int64), outputs, saturations,
        )  # fmt: skip
        kernel.run(*arguments)
        classes = outputs[:, : config.classes].argmax(axis=1).astype(np.int32)
        return RunResult(outputs, classes, int((classes == label).sum()), *saturations)


def _views(flat: Int16Array, sizes: list[int]) -> tuple[Int16Array, ...]:
    ends = np.cumsum(sizes)
    return tuple(flat[end - size : end] for size, end in zip(sizes, ends, strict=True))
