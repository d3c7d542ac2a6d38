# SPDX-License-Identifier: Apache-2.0
"""The page about a training: one file that opens from disk, with no network."""

from __future__ import annotations

import itertools
from html import escape
from typing import Any

from flow import provenance
from flow.train import classes, plots
from flow.train.edge.result import table
from flow.train.edge.simulation import EdgeOutcome
from flow.train.verdict import verdict
from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity
from models.edge.schedule import Schedule
from studies import html

_GREY = " Where the ground is grey, training is sequential: no weight is stale."
_ROUNDING = {False: "half up", True: "stochastically"}


def _data(config: EdgeConfig, result: dict[str, Any]) -> str:
    """The images."""
    pool = config.data.pool
    return escape(result["config"]["data"]) + (f" (means of {pool} × {pool} pixels)" if pool > 1 else "")


def _modes(config: EdgeConfig, epochs: int) -> str:
    """Of so many epochs, in their order."""
    names = [mode.name.lower() for mode, _ in itertools.groupby(map(config.training.mode, range(epochs)))]
    return ", then ".join(names) if len(names) < 4 else "by turns pipelined and sequential"


def _turns(config: EdgeConfig) -> str:
    """How often a sample comes in."""
    period = Schedule(config).period(config.training.mode(0))
    return "a sample enters in every one" if period == 1 else f"a sample enters in every {period}th"


def _junctions(config: EdgeConfig, result: dict[str, Any]) -> str:
    rows = []
    for i, shape in enumerate(config.junctions):
        saturations = [f"{result['saturations'][unit][i]:,}" for unit in ("FF", "BP", "UP")]
        rows.append((
            f"{i + 1}", f"{shape.n_left} → {shape.n_right}", config.activations[i], f"{shape.fan_out}",
            f"{shape.fan_in}", f"{shape.edges:,}", f"{shape.density:.1%}", f"{shape.z}", f"{shape.clocks}",
            *saturations,
        ))  # fmt: skip
    head = (
        "junction", "neurons", "activation", "fan-out", "fan-in", "edges", "density", "z", "clocks",
        "saturated FF", "BP", "UP",
    )  # fmt: skip
    return html.rows(rows, head)


def report(config: EdgeConfig, connections: Connectivity, outcome: EdgeOutcome, result: dict[str, Any]) -> str:
    """The page."""
    form = config.format
    parts = [
        f"<h1>{escape(config.name)}: {'-'.join(map(str, config.layers))}</h1>",
        f'<p class="note">{config.density:.1%} of the edges of the fully connected network; {form.width} bits, '
        f"{form.frac} of fraction, updates rounded {_ROUNDING[config.training.stochastic]}; "
        f"{_modes(config, result['epochs'])} training on {_data(config, result)} in Verilog simulation</p>",
        verdict(result),
        html.rows(list(table(result))),
        html.section(
            "Junctions", "Shape, and how often a value was clipped while training.", _junctions(config, result)
        ),
    ]
    if result["history"]:
        parts.append(html.section(
            "Accuracy", "Share of right predictions. The first curve is taken while the weights change."
            f"{_GREY if len(result['modes']) > 1 else ''}",
            plots.accuracy(result["history"], result["modes"]),
        ))  # fmt: skip
    if result["confusion"]:
        parts.append(classes.section(result["confusion"], "in the last test", result["class_names"]))
    if outcome.state.profile:
        parts.append(html.section(
            "Units at work",
            "Share of the clocks in which each unit handles edges, over the first run: from the busy counters, read "
            f"over AXI4-Lite while the engine worked. A pass takes {result['pass_clocks']:,} clocks; {_turns(config)}.",
            plots.utilisation(outcome.state.profile, result["pass_clocks"]),
        ))  # fmt: skip
    parts += [
        html.section("Weights", "Before and after training.", plots.weights(config, outcome.parameters)),
        html.section(
            "Connectivity",
            "Every dot is an edge, red for positive and blue for negative weights; neighbours share a dot where layers "
            f"have more than {plots.DOTS[1]} neurons on the left or {plots.DOTS[0]} on the right.",
            plots.connectivity(config, connections, outcome.parameters),
        ),
        provenance.section(result),
    ]  # fmt: skip
    return html.document(config.name, parts)
