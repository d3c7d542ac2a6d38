# SPDX-License-Identifier: Apache-2.0
"""The page about accuracy and sparsity."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, BinaryIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flow import page as pages
from flow.page import BLUE, GREEN, GREY, ORANGE
from flow.run_directory import Writer
from models.pe_array.frontend.sparsify import LEVELS
from studies import html
from studies.sparsification import LOSS, TOPS, UNITS, Point, largest

_COLOURS = dict(zip(LEVELS, (BLUE, ORANGE, GREEN), strict=True))
_STYLES = dict(zip(UNITS, ("o-", "s--"), strict=True))

PLOT = "plot.svg"
BEST = (
    "method", "unit", "allowed loss of", "taken away", "sparsity", "fewer", "right", "points lost", "clocks saved",
    "energy saved",
)  # fmt: skip
"""Head of ``best``."""


def page(result: dict[str, Any]) -> str:
    """The page of what result.json holds."""
    parts = [
        "<h1>Sparsity without retraining</h1>",
        f'<p class="note">{result["images"]:,} test pictures, classified by the array. Sparsity: share of '
        "the weights of convolutions and dense layers that is zero. The array leaves out kernels of zeros, and single "
        "weights of dense layers: those save clocks. Solid lines: whole kernels are taken; dashed: single weights.</p>",
    ]
    for network in result["networks"]:
        head, rows = table(network)
        note = f"A batch is {network['batch']} pictures on {network['pes']} PEs. Energy is an estimate, for ratios."
        parts += [
            html.section(network["name"], note, pages.image(plot([network]), "accuracy and clocks against sparsity")),
            html.rows(best(network), BEST),
            html.rows(rows, head),
        ]
    versions = [("command", result["command"]), *result["versions"].items()]
    parts.append(html.section("Made by", "Command and versions.", html.rows(versions)))
    return html.document("Sparsity without retraining", parts)


def _points(network: dict[str, Any]) -> list[Point]:
    return [Point.of(each) for each in network["points"]]


def best(network: dict[str, Any]) -> list[tuple[str, ...]]:
    """The largest sparsity of every method at the allowed loss of top-1, and of top-5."""
    points = _points(network)
    rows: list[tuple[str, ...]] = []
    for unit, method, (place, top) in itertools.product(UNITS, LEVELS, enumerate(TOPS)):
        found, name = largest(points, method, unit, place), f"top-{top}"
        if found is None:
            rows.append((method, unit, name, f"none at {100 * LOSS:g} points", *"––––––"))
            continue
        rows.append((
            method, unit, name, found.how, f"{found.sparsity:.1%}", f"{1 / (1 - found.sparsity):.2f}x",
            f"{found.right[place]:.2%}", _lost(points[0], found, place), _saved(points[0], found),
            _energy_saved(points[0], found),
        ))  # fmt: skip
    return rows


def _lost(dense: Point, point: Point, place: int) -> str:
    return f"{100 * (dense.right[place] - point.right[place]):.2f}"


def _saved(dense: Point, point: Point) -> str:
    """Share of the clocks."""
    if dense.clocks is None or point.clocks is None:
        return "–"
    return f"{1 - point.clocks / dense.clocks:.1%}"


def _energy_saved(dense: Point, point: Point) -> str:
    return f"{1 - sum(point.energy) / sum(dense.energy):.1%}"


def table(network: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of all points, curve by curve."""
    points = _points(network)
    dense = points[0]
    ways = [("dense", UNITS[0]), *((method, unit) for unit in UNITS for method in LEVELS)]
    points.sort(key=lambda each: (ways.index((each.method, each.unit)), each.sparsity))
    rows: list[tuple[str, ...]] = [
        (each.how, f"{each.sparsity:.1%}", f"{each.left_out:.1%}", f"{each.right[0]:.2%}", _lost(dense, each, 0),
         f"{each.right[1]:.2%}", _lost(dense, each, 1), "–" if each.clocks is None else f"{each.clocks:,}",
         _saved(dense, each), f"{each.energy[0]:,.0f} … {each.energy[1]:,.0f}", _energy_saved(dense, each))
        for each in points
    ]  # fmt: skip
    head = (
        "taken away", "weights zero", "kernels left out", "top-1", "lost", "top-5", "lost", "clocks of a batch",
        "saved", "energy, µJ", "saved",
    )  # fmt: skip
    return head, rows


def plot(networks: list[dict[str, Any]]) -> Figure:
    """A row for each network: top-1, top-5 and clocks against sparsity."""
    with mpl.rc_context(pages.FIGURES):
        figure = Figure(figsize=(9.2, 2.9 * len(networks)))
        for network, row in zip(networks, figure.subplots(len(networks), 3, squeeze=False), strict=True):
            _draw(network, row)
        if len(_points(networks[0])) > 1:
            figure.axes[0].legend(loc="lower left", fontsize=7)
        figure.tight_layout()
    return figure


def plot_writer(networks: list[dict[str, Any]]) -> Writer:
    """Writes the plot as SVG, whose letters are text."""

    def write(file: BinaryIO) -> None:
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "edgeloom"}):
            plot(networks).savefig(file, format="svg", metadata={"Date": None})

    return write


def _draw(network: dict[str, Any], row: Iterable[Axes]) -> None:
    points = _points(network)
    dense = points[0]
    first, last, clocks = row
    for unit, method in itertools.product(UNITS, LEVELS):
        curve = [dense, *(each for each in points if (each.method, each.unit) == (method, unit))]
        if len(curve) == 1:
            continue
        curve.sort(key=lambda each: each.sparsity)
        style: dict[str, Any] = {
            "color": _COLOURS[method], "markersize": 3, "linewidth": 1, "label": f"{method}, {unit}"
        }  # fmt: skip
        for place, axes in enumerate((first, last)):
            shares = [100 * each.sparsity for each in curve]
            axes.plot(shares, [100 * each.right[place] for each in curve], _STYLES[unit], **style)
        played = [each for each in curve if each.clocks is not None]
        if dense.clocks is not None:
            counts = [100 * (each.clocks or 0) / dense.clocks for each in played]
            clocks.plot([100 * each.sparsity for each in played], counts, _STYLES[unit], **style)
    for place, axes in enumerate((first, last)):
        axes.axhline(100 * (dense.right[place] - LOSS), color=GREY, linewidth=1)
        axes.set_ylabel(f"top-{TOPS[place]}, %")
    clocks.set_ylabel("clocks, % of dense")
    clocks.set_ylim(bottom=0)
    first.set_title(network["name"])
    for axes in (first, last, clocks):
        axes.set_xlabel("weights that are zero, %")
        axes.grid(color=GREY, alpha=0.3)
