# SPDX-License-Identifier: Apache-2.0
"""The page about accuracy and sparsity."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from flow import page as pages
from flow.page import BLUE, GREEN, GREY, ORANGE
from models.pe_array.frontend.sparsify import LEVELS
from studies import html
from studies.sparsification import LOSS, UNITS, Point, largest

_COLOURS = dict(zip(LEVELS, (BLUE, ORANGE, GREEN), strict=True))
_STYLES = dict(zip(UNITS, ("o-", "s--"), strict=True))


def page(result: dict[str, Any]) -> str:
    """The page of what result.json holds."""
    parts = [
        "<h1>Sparsity without retraining</h1>",
        f'<p class="note">{result["images"]:,} test pictures, classified by the quantised network. Sparsity: share of '
        "the weights of convolutions and dense layers that is zero. The array leaves out kernels of zeros, and single "
        "weights of dense layers: those save clocks. Solid lines: whole kernels are taken; dashed: single weights.</p>",
    ]
    for network in result["networks"]:
        head, rows = table(network)
        note = f"A batch is {network['batch']} pictures on {network['pes']} PEs. Energy is an estimate, for ratios."
        parts += [
            html.section(network["name"], note, _plot(network)),
            html.rows(best(network), ("method", "unit", "sparsity", "right", "points lost", "clocks saved")),
            html.rows(rows, head),
        ]
    versions = [("command", result["command"]), *result["versions"].items()]
    parts.append(html.section("Made by", "Command and versions.", html.rows(versions)))
    return html.document("Sparsity without retraining", parts)


def _points(network: dict[str, Any]) -> list[Point]:
    return [Point(**each) for each in network["points"]]


def best(network: dict[str, Any]) -> list[tuple[str, ...]]:
    """The largest sparsity of every method at the allowed loss."""
    points = _points(network)
    rows: list[tuple[str, ...]] = []
    for unit in UNITS:
        for method in LEVELS:
            found = largest(points, method, unit)
            if found is None:
                rows.append((method, unit, f"none at {100 * LOSS:g} points", "–", "–", "–"))
                continue
            lost = 100 * (points[0].accuracy - found.accuracy)
            rows.append((
                method, unit, f"{found.sparsity:.1%}", f"{found.accuracy:.2%}", f"{lost:.2f}", _saved(points[0], found)
            ))  # fmt: skip
    return rows


def _saved(dense: Point, point: Point) -> str:
    """Share of the clocks."""
    if dense.clocks is None or point.clocks is None:
        return "–"
    return f"{1 - point.clocks / dense.clocks:.1%}"


def table(network: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of all points."""
    points = _points(network)
    dense = points[0]
    rows: list[tuple[str, ...]] = [
        (each.how, f"{each.sparsity:.1%}", f"{each.left_out:.1%}", f"{each.accuracy:.2%}",
         f"{100 * (dense.accuracy - each.accuracy):.2f}", "–" if each.clocks is None else f"{each.clocks:,}",
         _saved(dense, each), f"{each.energy[0]:,.0f} … {each.energy[1]:,.0f}",
         f"{1 - sum(each.energy) / sum(dense.energy):.1%}")
        for each in points
    ]  # fmt: skip
    head = (
        "taken away", "weights zero", "kernels left out", "right", "points lost", "clocks of a batch", "saved",
        "energy, µJ", "saved",
    )  # fmt: skip
    return head, rows


def _plot(network: dict[str, Any]) -> str:
    points = _points(network)
    dense = points[0]
    with mpl.rc_context(pages.FIGURES):
        figure = Figure(figsize=(9.2, 3.4))
        left, right = figure.subplots(1, 2)
        for unit in UNITS:
            for method in LEVELS:
                curve = [each for each in points if (each.method, each.unit) == (method, unit)]
                curve.sort(key=lambda each: each.sparsity)
                shares = [0.0, *(100 * each.sparsity for each in curve)]
                style = {"color": _COLOURS[method], "markersize": 3, "label": f"{method}, {unit}"}
                accuracy = [100 * dense.accuracy, *(100 * each.accuracy for each in curve)]
                left.plot(shares, accuracy, _STYLES[unit], **style)
                if dense.clocks is not None:
                    clocks = [100.0, *(100 * (each.clocks or 0) / dense.clocks for each in curve)]
                    right.plot(shares, clocks, _STYLES[unit], **style)
        left.axhline(100 * (dense.accuracy - LOSS), color=GREY, linewidth=1)
        left.set_ylabel("right, %")
        right.set_ylabel("clocks, % of those of the dense network")
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.set_xlabel("weights that are zero, %")
            axes.grid(color=GREY, alpha=0.3)
        left.legend(loc="lower left", fontsize=7)
    return pages.image(figure, "accuracy and clocks against sparsity")
