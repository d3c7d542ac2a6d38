# SPDX-License-Identifier: Apache-2.0
"""Area on the 7 series: synthesised, or as a model fitted to what was synthesised says, with its error.

**Edge engine**: terms with a factor each, fitted so that the squares of the relative errors are least. Its error is
what it misses an engine by that it was not fitted to: each is left out in turn. The engines stand in
``synthesised.json``; ``python -m flow.sweep.area`` synthesises them anew.

**PE array**: as often as there are PEs what one takes, which is a line through those with few and with many lanes, and
the rest of a small array, all from the baselines of `make synth`. Its error is what it misses that array by, which was
synthesised as a whole. The rest grows with PEs and lanes, so that of larger arrays it is a lower bound. All parts are
there with a narrow and with a wide port.

DSPs are counted, not fitted: one per multiplier (`flow/synth`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flow.paths import ROOT, set_environment
from flow.sweep.space import changed, made
from flow.synth.command import BASELINE, run
from flow.synth.edge import EdgeTarget
from flow.synth.pe import LARGE, SMALL, PeTarget, add, part_name
from models.edge.config import EdgeConfig
from models.lib.network_kind import EDGE, NetworkKind
from models.lib.toml_section import read_toml
from models.lib.whole_file import write_text
from models.pe_array.network.config import PeConfig

POINTS = Path(__file__).with_name("synthesised.json")
FIGURES = ("lut_total", "ff", "block_ram")
"""That are fitted."""
FAMILY = "xc7"
ARRAY = "lenet5_mnist"
"""Configuration of the array in the baselines."""

Figures = Mapping[str, float]


def target(config: EdgeConfig | PeConfig) -> EdgeTarget | PeTarget:
    """What is synthesised of a configuration: all of its engine."""
    if isinstance(config, EdgeConfig):
        return EdgeTarget(config)
    return PeTarget(config, "array", config.pes, config.batch, config.wide > 1)


def synthesised(config: EdgeConfig | PeConfig) -> dict[str, float]:
    """Figures of a netlist, made now unless an equal one is there."""
    found = run(target(config), FAMILY).figures
    return {name: found[name] for name in (*FIGURES, "dsp")}


def terms(config: EdgeConfig) -> list[float]:
    """What an edge engine's area grows with: a constant, lanes by bits, and lanes by lanes by bits if permuted."""
    width, lanes = config.format.width, [junction.z for junction in config.junctions]
    return [1, sum(lanes) * width, config.dither * sum(z * z for z in lanes) * width]


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes:
        factors: of the terms, by figure.
        errors: mean and largest relative error on engines that were left out, by figure.
        points: engines that it was fitted to.
    """

    factors: dict[str, list[float]]
    errors: dict[str, tuple[float, float]]
    points: int


def fit(rows: Sequence[tuple[list[float], Figures]]) -> Fit:
    """Fit to terms and figures of engines."""
    x = np.array([each for each, _ in rows], dtype=np.float64)
    factors, errors = {}, {}
    for name in FIGURES:
        y = np.array([figures[name] for _, figures in rows], dtype=np.float64)
        factors[name] = _least(x, y).tolist()
        misses = []
        for left in range(len(rows)):
            keep = np.arange(len(rows)) != left
            misses.append(abs(float(x[left] @ _least(x[keep], y[keep])) / float(y[left]) - 1))
        errors[name] = (sum(misses) / len(misses), max(misses))
    return Fit(factors, errors, len(rows))


def _least(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Factors with the least squares of relative errors."""
    return np.asarray(np.linalg.lstsq(x / y[:, None], np.ones(len(y)), rcond=None)[0])


def engines() -> list[tuple[EdgeConfig, dict[str, Any]]]:
    """Edge engines of the fit: the configuration of each, and its entry in the file."""
    found = []
    for each in json.loads(POINTS.read_text()):
        base = ROOT / each["base"]
        config = made(EDGE, changed(read_toml(base), each["point"]), base.parent)
        assert isinstance(config, EdgeConfig)
        found.append((config, each))
    return found


@functools.cache
def edge_model() -> Fit:
    """The fitted model of the edge engine."""
    return fit([(terms(config), each["figures"]) for config, each in engines()])


@functools.cache
def _parts() -> dict[str, Figures]:
    """What was synthesised of the array, by name of the part."""
    baseline = json.loads(BASELINE.read_text())["baseline"][ARRAY]
    return {name: families[FAMILY] for name, families in baseline.items() if FAMILY in families}


def _array(pes: int, lanes: int, wide: bool = False) -> dict[str, float]:
    """Figures of an array, with a narrow or a wide port, added up."""
    few, many = SMALL[1], LARGE[1]
    small, large = (_parts()[part_name("pe", 1, size, wide)] for size in (few, many))
    share = (lanes - few) / (many - few)
    cell = {name: small[name] + share * (large[name] - small[name]) for name in (*FIGURES, "dsp")}
    return add(cell, pes, _parts()[part_name("frame", *SMALL, wide)])


def fitted(config: EdgeConfig | PeConfig) -> dict[str, float]:
    """Figures that the model gives."""
    if isinstance(config, EdgeConfig):
        figures = {name: float(np.dot(terms(config), factors)) for name, factors in edge_model().factors.items()}
    else:
        sum_ = _array(config.pes, config.batch, config.wide > 1)
        figures = {name: sum_[name] for name in FIGURES}
    return figures | {"dsp": float(target(config).multipliers)}


def error_text(kind: NetworkKind) -> str:
    """How far the model is off, for people."""
    if kind is EDGE:
        found = edge_model()
        parts = ", ".join(f"{name} {mean:.1%} (at most {most:.1%})" for name, (mean, most) in found.errors.items())
        return f"fitted to {found.points} synthesised engines; error where one is left out: {parts}; DSPs are counted"
    misses = []
    for wide in (False, True):
        whole, sum_ = _parts()[part_name("array", *SMALL, wide)], _array(*SMALL, wide)
        misses.append(", ".join(f"{name} {sum_[name] / whole[name] - 1:+.1%}" for name in FIGURES))
    return (
        f"added up from synthesised parts, which misses the array of {SMALL[0]} PEs x {SMALL[1]} lanes by {misses[0]} "
        f"(with a wide port by {misses[1]}); of larger ones it is a lower bound; DSPs are counted"
    )


def main() -> None:
    """Synthesise the engines of the fit and write their figures."""
    found = []
    for config, each in engines():
        found.append(each | {"figures": synthesised(config)})
        print(f"{each['base']} {each['point']}: {found[-1]['figures']}", flush=True)
    write_text(POINTS, json.dumps(found, indent=1) + "\n")
    edge_model.cache_clear()
    print(error_text(EDGE))


if __name__ == "__main__":
    set_environment()
    main()
