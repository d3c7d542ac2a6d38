# SPDX-License-Identifier: Apache-2.0
"""The page about a training: one file that opens from disk, with no network."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from flow.train import plots
from flow.train.result import table
from flow.train.simulation import Outcome
from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 960px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: 0; } h2 { font-size: 1.1em; margin: 2em 0 .3em; }
p { margin: .3em 0; } .note { color: #52606d; }
table { border-collapse: collapse; margin: .6em 0; }
td, th { text-align: left; padding: .2em 1.2em .2em 0; border-bottom: 1px solid #e4e7eb; }
td { font-variant-numeric: tabular-nums; }
img { max-width: 100%; }
.verdict { display: inline-block; padding: .1em .7em; border-radius: 1em; color: white; }
.pass { background: #2a9d5c; } .stopped { background: #d9730d; } .fail { background: #c0392b; }
"""


def _rows(rows: list[tuple[str, ...]], head: tuple[str, ...] = ()) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + (line(head, "th") if head else "") + "".join(line(row, "td") for row in rows) + "</table>"


def _section(title: str, note: str, content: str) -> str:
    return f'<h2>{escape(title)}</h2><p class="note">{escape(note)}</p>{content}'


def _verdict(result: dict[str, Any]) -> str:
    kind, text = "pass", "simulation and model are equal in every bit"
    if result["failure"] is not None:
        kind, text = "fail", result["failure"]
    elif not result["complete"]:
        kind, text = "stopped", "interrupted; equal in every bit so far"
    return f'<p><span class="verdict {kind}">{escape(text)}</span></p>'


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
    return _rows(rows, head)


def write_report(
    path: Path, config: EdgeConfig, connections: Connectivity, outcome: Outcome, result: dict[str, Any]
) -> None:
    """Write the page."""
    form = config.format
    parts = [
        f"<h1>{escape(config.name)}: {'-'.join(map(str, config.layers))}</h1>",
        f'<p class="note">{config.density:.1%} of the edges of the fully connected network; {form.width} bits, '
        f"{form.frac} of fraction; {config.training.mode.name.lower()} training on MNIST in Verilog simulation</p>",
        _verdict(result),
        _rows(list(table(result))),
        _section("Junctions", "Shape, and how often a value was clipped while training.", _junctions(config, result)),
    ]
    if result["history"]:
        parts.append(_section(
            "Accuracy", "Share of right predictions. The first curve is taken while the weights change.",
            plots.accuracy(result["history"]),
        ))  # fmt: skip
    if result["confusion"]:
        parts.append(_section(
            "Confusion matrix", "Test images by label and predicted class, after the last epoch.",
            plots.confusion(result["confusion"]),
        ))  # fmt: skip
    if outcome.state.profile:
        parts.append(_section(
            "Units at work",
            "Share of the clocks in which each unit handles edges, over the first run: from the busy counters, read "
            "over AXI4-Lite while the engine worked. A pass is one sample's turn.",
            plots.utilisation(outcome.state.profile, result["pass_clocks"]),
        ))  # fmt: skip
    parts += [
        _section("Weights", "Before and after training.", plots.weights(config, outcome.parameters)),
        _section(
            "Connectivity", "Every dot is an edge, red for positive and blue for negative weights.",
            plots.connectivity(config, connections, outcome.parameters),
        ),
    ]  # fmt: skip
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(config.name)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )
