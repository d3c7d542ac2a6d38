# SPDX-License-Identifier: Apache-2.0
"""Comparison of a simulated run with the model, element by element, with zero tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.edge.config import EdgeConfig, Mode
from models.edge.harness_files import Predictions
from models.edge.network import EdgeNetwork, RunResult
from models.edge.registers import EdgeReg, EdgeStatus, JunctionReg, Kind, junction_register
from models.edge.schedule import Schedule
from models.lib.fixed_point import Format
from models.lib.job_file import Mismatch

_START_CLOCKS = 8
"""From the last beat of a frame until the engine can take it, at most."""


def check_array(what: str, expected: npt.ArrayLike, got: npt.ArrayLike, fmt: Format | None = None) -> int:
    """Compare two arrays; returns the number of elements. Raises Mismatch."""
    want, have = np.asarray(expected), np.asarray(got)
    if want.shape != have.shape:
        raise Mismatch(f"{what}: expected an array of shape {want.shape}, got {have.shape}", 1)
    differ = want != have
    if differ.any():
        index = tuple(int(i) for i in np.argwhere(differ)[0])
        pair = [
            f"{int(values[index])}" + (f" (= {float(fmt.to_real(values[index]))!r})" if fmt else "")
            for values in (want, have)
        ]
        place = f"[{', '.join(map(str, index))}]" if index else ""
        raise Mismatch(
            f"{what}{place}: expected {pair[0]}, got {pair[1]}; {int(differ.sum())} of {want.size} differ",
            int(differ.sum()),
        )
    return int(want.size)


def check_predictions(
    where: str, predictions: Predictions, result: RunResult, labels: npt.NDArray[np.uint8], fmt: Format
) -> int:
    """Compare all output activations, classes and labels of a run. Indices are [sample, output]."""
    return (
        check_array(f"{where}, output activation [sample, neuron] ", result.outputs, predictions.outputs, fmt)
        + check_array(f"{where}, class [sample] ", result.classes, predictions.classes)
        + check_array(f"{where}, label [sample] ", labels, predictions.labels)
    )


def check_parameters(where: str, got: dict[tuple[int, Kind], npt.NDArray[np.int32]], network: EdgeNetwork) -> int:
    """Compare all weights and biases."""
    compared = 0
    for (i, kind), words in got.items():
        weights = kind == Kind.WEIGHTS
        name = "weight [edge] " if weights else "bias [neuron] "
        expected = network.weights[i] if weights else network.biases[i]
        compared += check_array(f"{where}, junction {i + 1} {name}", expected, words, network.config.format)
    return compared


def counter_registers(config: EdgeConfig) -> dict[str, int]:
    """Addresses of everything that counts, by name; those of a junction end in its number."""
    counters = {register.name: int(register) for register in (
        EdgeReg.CYCLES_LO, EdgeReg.CYCLES_HI, EdgeReg.STALLS_LO, EdgeReg.STALLS_HI, EdgeReg.SAMPLES, EdgeReg.CORRECT,
        EdgeReg.PREDICTIONS, EdgeReg.DROPPED, EdgeReg.STATUS,
    )}  # fmt: skip
    for name, offset in _units():
        for i in range(len(config.junctions)):
            counters[f"{name} {i + 1}"] = junction_register(i + 1, offset)
    return counters


def _units() -> list[tuple[str, JunctionReg]]:
    return [(register.name, register) for register in JunctionReg if register.name.startswith(("BUSY", "SAT"))]


def busy_units(config: EdgeConfig) -> list[str]:
    """Names of the units that can be busy; junction 1 has no BP."""
    return [name for name in counter_registers(config) if name.startswith("BUSY") and name != "BUSY_BP 1"]


def clocks_and_stalls(counters: dict[str, int]) -> tuple[int, int]:
    """CYCLES - STALLS, and STALLS."""
    cycles, stalls = (counters[f"{name}_LO"] | counters[f"{name}_HI"] << 32 for name in ("CYCLES", "STALLS"))
    return cycles - stalls, stalls


def check_counters(where: str, counters: dict[str, int], result: RunResult, config: EdgeConfig, mode: Mode) -> int:
    """Compare what ``counter_registers`` gave after a run of its own with model and schedule."""
    n = len(result.outputs)
    trained = 0 if mode == Mode.INFERENCE else n
    expected: dict[str, int] = {
        "SAMPLES": n, "PREDICTIONS": n, "CORRECT": result.correct, "DROPPED": 0, "STATUS": int(EdgeStatus.DONE),
    }  # fmt: skip
    got: dict[str, Any] = dict(counters)
    expected["CYCLES - STALLS"] = Schedule(config).clocks(n, mode)
    got["CYCLES - STALLS"] = clocks_and_stalls(counters)[0]
    for i, shape in enumerate(config.junctions):
        expected[f"BUSY_FF {i + 1}"] = n * shape.clocks
        expected[f"BUSY_BP {i + 1}"] = trained * shape.clocks if i else 0
        expected[f"BUSY_UP {i + 1}"] = trained * shape.clocks
        expected[f"SAT_FF {i + 1}"] = int(result.saturated_ff[i])
        expected[f"SAT_BP {i + 1}"] = int(result.saturated_bp[i])
        expected[f"SAT_UP {i + 1}"] = int(result.saturated_up[i])
    stalls, frame = clocks_and_stalls(counters)[1], config.layers[0] // config.in_lanes
    if stalls > frame + _START_CLOCKS:
        raise Mismatch(f"{where}: {stalls} stalled clocks, but the first frame comes in {frame}", 1)
    return sum(check_array(f"{where}, counter {name}", value, got[name]) for name, value in expected.items())
