# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of the bit-exact network: same connectivity, schedule, staleness and initial parameters.

What the two differ in is fixed point alone: no rounding, no saturation, exact sigmoid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.edge.activation import Activation
from models.edge.config import Mode
from models.edge.layout import Layout
from models.edge.network import EdgeNetwork
from models.edge.schedule import Operation

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any

OP_FF, OP_BP = int(Operation.FF), int(Operation.BP)
RELU = int(Activation.RELU)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FloatResult:
    """Outputs float64 (n, N_L), predicted classes int32 (n,), and how many equal the label."""

    outputs: FloatArray
    classes: npt.NDArray[np.int32]
    correct: int


class FloatTwin:
    """Twin of a network, with that network's parameters at the time of construction.

    Attributes:
        weights: float64, all junctions one after the other, in edge order.
        biases: float64, all junctions one after the other.
    """

    def __init__(self, network: EdgeNetwork) -> None:
        self.config = network.config
        self.schedule = network.schedule
        self.weights = self.config.format.to_real(np.concatenate(network.weights))
        self.biases = self.config.format.to_real(np.concatenate(network.biases))
        self._left = network.left
        self._layout = Layout.build(self.config, self.schedule)

    def run(
        self,
        x: npt.ArrayLike,
        labels: npt.ArrayLike,
        mode: Mode = Mode.PIPELINED,
        lr_shift: int = 0,
        order: npt.ArrayLike | None = None,
    ) -> FloatResult:
        """One run; arguments as those of ``EdgeNetwork.run``, raw inputs included."""
        inputs = np.ascontiguousarray(x, dtype=np.int16)
        rows = np.arange(len(inputs)) if order is None else np.ascontiguousarray(order, dtype=np.int64)
        label = np.asarray(labels, dtype=np.int64)[rows]
        layout = self._layout
        outputs = np.empty((len(rows), self.config.layers[-1]))
        room = [np.zeros(n) for n in (layout.gathered, layout.act, layout.slope, layout.delta, layout.sums)]
        arguments: tuple[Any, ...] = (
            self.schedule.events(len(rows), mode), inputs, 1.0 / self.config.format.one, rows, label, layout.table,
            self._left, self.weights, self.biases, 2.0**-lr_shift, *room, outputs,
        )  # fmt: skip
        run(*arguments)
        classes = outputs[:, : self.config.classes].argmax(axis=1).astype(np.int32)
        return FloatResult(outputs, classes, int((classes == label).sum()))


@njit(cache=True)
def gather(
    source: Array, source0: Int, left: Array, edge0: Int, target: Array, target0: Int, edges: Int, scale: float
) -> None:
    """Bring left activations, times scale, into edge order."""
    source_u, edge_u, target_u = np.uint64(source0), np.uint64(edge0), np.uint64(target0)
    for e in range(np.uint64(edges)):
        target[target_u + e] = source[source_u + left[edge_u + e]] * scale


@njit(cache=True)
def activate(activation: Int, s: float) -> tuple[float, float]:
    """(activation, derivative) of a sum."""
    if activation == RELU:
        return (s, 1.0) if s > 0.0 else (0.0, 0.0)
    a = 1.0 / (1.0 + np.exp(-s))
    return a, a * (1.0 - a)


@njit(cache=True, fastmath={"reassoc", "contract"})
def feedforward(
    row: Array, w: Array, b: Array, gathered: Array, gather0: Int, act: Array, act0: Int, slope: Array, slope0: Int
) -> None:
    """Activations and derivatives of the right layer."""
    for j in range(row.n_right):
        edge = np.uint64(row.edge0 + j * row.fan_in)
        from_u = np.uint64(gather0 + j * row.fan_in)
        s = 0.0
        for k in range(np.uint64(row.fan_in)):
            s += w[edge + k] * gathered[from_u + k]
        s += b[row.neuron0 + j]
        act[act0 + j], slope[slope0 + j] = activate(row.activation, s)


@njit(cache=True)
def backpropagate(
    row: Array, w: Array, left: Array, delta: Array, delta0: Int, sums: Array, slope: Array, slope0: Int, out0: Int
) -> None:
    """Deltas of the left layer from those of the right layer."""
    sums[: row.n_left] = 0.0
    for j in range(row.n_right):
        edge = np.uint64(row.edge0 + j * row.fan_in)
        d = delta[delta0 + j]
        for k in range(np.uint64(row.fan_in)):
            sums[left[edge + k]] += w[edge + k] * d
    for k in range(row.n_left):
        delta[out0 + k] = sums[k] * slope[slope0 + k]


@njit(cache=True)
def update(
    row: Array, w: Array, b: Array, gathered: Array, gather0: Int, delta: Array, delta0: Int, rate: float
) -> None:
    """Update the weights and biases of a junction."""
    for j in range(row.n_right):
        edge = np.uint64(row.edge0 + j * row.fan_in)
        from_u = np.uint64(gather0 + j * row.fan_in)
        step = rate * delta[delta0 + j]
        for k in range(np.uint64(row.fan_in)):
            w[edge + k] -= step * gathered[from_u + k]
        b[row.neuron0 + j] -= step


@njit(cache=True)
def run(
    events: Array, x: Array, scale: float, order: Array, labels: Array, table: Array, left: Array, w: Array, b: Array,
    rate: float, gathered: Array, act: Array, slope: Array, delta: Array, sums: Array, outputs: Array,
) -> None:  # fmt: skip
    """Play the events of a run (``Schedule.events``) on the parameters; as ``kernel.run``."""
    last = len(table) - 1
    flat_x = x.reshape(-1)
    for event in range(len(events)):
        i = np.int64(events[event, 1])
        n = np.int64(events[event, 2])
        row = table[i]
        edges = row.n_right * row.fan_in
        gather0 = row.gather0 + n % row.gather_slots * edges
        delta0 = row.delta0 + n % row.delta_slots * row.n_right
        if events[event, 0] == OP_FF:
            if i == 0:
                gather(flat_x, order[n] * x.shape[1], left, row.edge0, gathered, gather0, edges, scale)
            else:
                before = table[i - 1]
                source0 = before.act0 + n % before.act_slots * before.n_right
                gather(act, source0, left, row.edge0, gathered, gather0, edges, 1.0)
            act0 = row.act0 + n % row.act_slots * row.n_right
            slope0 = row.slope0 + n % row.slope_slots * row.n_right
            feedforward(row, w, b, gathered, gather0, act, act0, slope, slope0)
            if i == last:
                for j in range(row.n_right):
                    outputs[n, j] = act[act0 + j]
                    delta[delta0 + j] = act[act0 + j] - (j == labels[n])
        elif events[event, 0] == OP_BP:
            before = table[i - 1]
            slope0 = before.slope0 + n % before.slope_slots * before.n_right
            out0 = before.delta0 + n % before.delta_slots * before.n_right
            backpropagate(row, w, left, delta, delta0, sums, slope, slope0, out0)
        else:
            update(row, w, b, gathered, gather0, delta, delta0, rate)
