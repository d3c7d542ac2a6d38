# SPDX-License-Identifier: Apache-2.0
"""Pictures of a training, each as an image that is part of the page."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flow import page
from flow.page import BLUE, GREEN, GREY, INK, ORANGE
from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity
from models.edge.parameters import initial_parameters

Arrays = dict[str, np.ndarray[Any, Any]]

_UNIT_COLOURS = {"FF": BLUE, "BP": ORANGE, "UP": GREEN}


def accuracy(history: list[dict[str, Any]]) -> str:
    """Accuracy over the epochs: while training, on the test set, and that of the float twin."""
    curves = (
        ("test_accuracy", "test set, RTL (= model)", BLUE, "-"),
        ("float_test_accuracy", "test set, float64 twin", ORANGE, "--"),
    )
    with mpl.rc_context(page.FIGURES):
        figure = Figure(figsize=(6.4, 3.2))
        axes = figure.subplots()
        while_training = [
            (epoch["epoch"] - 1 + end, 100 * share) for epoch in history for end, share in epoch.get("curve", ())
        ]
        if while_training:
            axes.plot(*zip(*while_training, strict=True), color=GREY, linewidth=1, label="while training")
        for key, label, colour, style in curves:
            points = [(epoch["epoch"], 100 * epoch[key]) for epoch in history if key in epoch]
            if points:
                axes.plot(*zip(*points, strict=True), style, color=colour, marker="o", markersize=3, label=label)
        axes.set_xlabel("epochs done")
        axes.set_xlim(0, history[-1]["epoch"] + 0.02 * len(history))
        axes.set_ylabel("right, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color=GREY, alpha=0.3)
        axes.legend(loc="lower right")
    return page.image(figure, "accuracy over the epochs")


def confusion(counts: list[list[int]]) -> str:
    """Confusion matrix of the last test; colours show what share of a label's images went where."""
    matrix = np.array(counts)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with mpl.rc_context(page.FIGURES):
        figure = Figure(figsize=(4.6, 4.4))
        axes = figure.subplots()
        axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
        if len(matrix) <= 16:
            for (row, column), value in np.ndenumerate(matrix):
                if value:
                    colour = "white" if shares[row, column] > 0.4 else INK
                    axes.text(column, row, f"{value}", ha="center", va="center", fontsize=7, color=colour)
        axes.set_xticks(range(len(matrix)))
        axes.set_yticks(range(len(matrix)))
        axes.set_xlabel("class predicted")
        axes.set_ylabel("label")
    return page.image(figure, "confusion matrix")


def utilisation_points(rows: list[list[list[int]]], unit: int, pass_clocks: int) -> tuple[list[float], list[float]]:
    """(passes, % of clocks busy) between neighbouring readings of one unit's counter, as the corners of steps."""
    x: list[float] = []
    y: list[float] = []
    for (t0, n0), (t1, n1) in zip([row[unit] for row in rows], [row[unit] for row in rows[1:]], strict=False):
        x += [t0 / pass_clocks, t1 / pass_clocks]
        y += [100 * (n1 - n0) / (t1 - t0)] * 2
    return x, y


def utilisation(profile: dict[str, Any], pass_clocks: int) -> str:
    """How busy every unit was while the first run filled, ran and drained: counters read while it worked."""
    units, fill, drain = profile["units"], profile["fill"], profile["drain"]
    steady = [fill[-1], drain[0]] if fill and drain else []
    parts = [("fill", fill), ("steady state", steady), ("drain", drain)]
    with mpl.rc_context(page.FIGURES):
        figure = Figure(figsize=(9.2, 0.75 * len(units) + 0.9))
        grid = figure.subplots(len(units), 3, squeeze=False, sharey=True, sharex="col", width_ratios=[3, 2, 3])
        for row, unit in enumerate(units):
            colour = _UNIT_COLOURS[unit.split()[0].removeprefix("BUSY_")]
            for column, (title, readings) in enumerate(parts):
                axes = grid[row, column]
                x, y = utilisation_points(readings, row, pass_clocks)
                axes.fill_between(x, y, color=colour, alpha=0.35, linewidth=0)
                axes.plot(x, y, color=colour, linewidth=1)
                axes.set_ylim(0, 105)
                axes.set_yticks([0, 100])
                if row == 0:
                    axes.set_title(title)
                axes.ticklabel_format(axis="x", useOffset=False, style="plain")
                axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            grid[row, 0].set_ylabel(
                unit.removeprefix("BUSY_").replace(" ", "\njunction "), rotation=0, ha="right", va="center"
            )
        grid[-1, 1].set_xlabel("passes since the start of the run")
        figure.subplots_adjust(hspace=0.35, wspace=0.1)
    return page.image(figure, "share of clocks in which each unit is busy")


def weights(config: EdgeConfig, parameters: Arrays) -> str:
    """Histogram of the weights of every junction, before and after training."""
    before = initial_parameters(config)[0]
    with mpl.rc_context(page.FIGURES):
        figure = Figure(figsize=(min(9.2, 3.4 * len(before)), 2.6))
        grid = figure.subplots(1, len(before), squeeze=False)[0]
        for i, axes in enumerate(grid):
            after = config.format.to_real(parameters[f"weights_{i + 1}"])
            start = config.format.to_real(before[i])
            edge = float(max(np.abs(after).max(), np.abs(start).max(), 1 / config.format.one))
            bins = np.linspace(-edge, edge, 61)
            axes.hist(start, bins, histtype="step", color=GREY, label="before")
            axes.hist(after, bins, color=BLUE, alpha=0.7, label="after")
            axes.set_title(f"junction {i + 1}: {len(after):,} weights")
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        grid[0].legend(loc="upper left")
    return page.image(figure, "histogram of the weights")


def connectivity(config: EdgeConfig, connections: Connectivity, parameters: Arrays) -> str:
    """Which left neuron every right neuron is joined to, coloured by the trained weight; the rest does not exist."""
    with mpl.rc_context(page.FIGURES):
        shapes = config.junctions
        heights = [max(1.6, min(3.0, 9.0 * shape.n_right / shape.n_left)) for shape in shapes]
        figure = Figure(figsize=(9.2, sum(heights) + 0.9 * len(heights)))
        grid = figure.subplots(len(shapes), 1, squeeze=False, height_ratios=heights)[:, 0]
        for i, (shape, axes) in enumerate(zip(shapes, grid, strict=True)):
            picture = np.full((shape.n_right, shape.n_left), np.nan)
            right = np.arange(shape.edges) // shape.fan_in
            raw = parameters[f"weights_{i + 1}"].astype(np.float64)
            picture[right, connections.left_neuron(i)] = np.sign(raw) * np.sqrt(np.abs(raw))
            edge = float(np.nanmax(np.abs(picture))) or 1.0
            axes.imshow(picture, cmap="RdBu_r", vmin=-edge, vmax=edge, aspect="auto", interpolation="nearest")
            axes.set_facecolor("#e4e7eb")
            axes.set_title(f"junction {i + 1}: {shape.edges:,} edges, {shape.density:.1%} of the possible ones")
            axes.set_xlabel(f"neuron of layer {i}")
            axes.set_ylabel(f"layer {i + 1}")
        figure.subplots_adjust(hspace=0.75)
    return page.image(figure, "edges between the layers")
