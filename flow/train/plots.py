# SPDX-License-Identifier: Apache-2.0
"""Pictures of a training, each as an image that is part of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flow import page
from flow.page import BLUE, GREEN, GREY, INK, ORANGE
from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity
from models.edge.parameters import initial_parameters
from models.lib.confusion import Cells

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

DOTS = (160, 600)
"""Rows and columns of the dots of a matrix: what the smallest picture can show one by one."""

_UNIT_COLOURS = {"FF": BLUE, "BP": ORANGE, "UP": GREEN}


def accuracy(history: list[dict[str, Any]], modes: list[dict[str, Any]]) -> str:
    """Accuracy over the epochs: while training, on the test set, and that of the float twin.

    Args:
        modes: first and last epoch of each; where there are several, the ground of sequential ones is grey.
    """
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
        for part in modes if len(modes) > 1 else ():
            if part["mode"] == "sequential":
                axes.axvspan(part["first"] - 1, part["last"], color=GREY, alpha=0.15, linewidth=0)
        axes.set_xlabel("epochs done")
        axes.set_xlim(0, history[-1]["epoch"] + 0.02 * len(history))
        axes.set_ylabel("right, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color=GREY, alpha=0.3)
        axes.legend(loc="lower right")
    return page.image(figure, "accuracy over the epochs")


def confusion(counted: Cells, used: list[int]) -> str:
    """Confusion matrix of the classes `used`; colours show what share of a label's images went where."""
    matrix = np.zeros((len(used), len(used)), dtype=np.int64)
    for label, predicted, images in counted:
        matrix[used.index(label), used.index(predicted)] = images
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with mpl.rc_context(page.FIGURES):
        figure = Figure(figsize=(4.6, 4.4))
        axes = figure.subplots()
        axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(matrix):
            if value:
                colour = "white" if shares[row, column] > 0.4 else INK
                axes.text(column, row, f"{value}", ha="center", va="center", fontsize=7, color=colour)
        axes.set_xticks(range(len(used)), map(str, used))
        axes.set_yticks(range(len(used)), map(str, used))
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


def histograms(weights: Sequence[tuple[str, Array, Array, int]]) -> str:
    """Histograms of the weights of every part of a network, before and after training.

    Args:
        weights: title, raw values before and after, and how many fraction bits they have.
    """
    with mpl.rc_context(page.FIGURES):
        figure, grid = page.panels(len(weights), 2.4)
        for (title, before, after, frac), axes in zip(weights, grid, strict=True):
            scale = 2.0**frac
            edge = max(1, *(int(np.abs(values.astype(np.int64)).max()) for values in (before, after))) / scale
            bins = np.linspace(-edge, edge, 61).tolist()
            axes.hist(before.ravel() / scale, bins, histtype="step", color=GREY, label="before")
            axes.hist(after.ravel() / scale, bins, color=BLUE, alpha=0.7, label="after")
            axes.set_title(title)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        grid[0].legend(loc="upper left")
    return page.image(figure, "histogram of the weights")


def weights(config: EdgeConfig, parameters: Arrays) -> str:
    """Histogram of the weights of every junction."""
    shown = []
    for i, before in enumerate(initial_parameters(config)[0]):
        after = parameters[f"weights_{i + 1}"]
        shown.append((f"junction {i + 1}: {len(after):,} weights", before, after, config.format.frac))
    return histograms(shown)


def dots(axes: Axes, shape: tuple[int, int], row: Array, column: Array, values: Array, **style: Any) -> None:
    """A matrix with values at some places and nothing elsewhere, in a picture of at most DOTS dots.

    Args:
        shape: (rows, columns) of the matrix; neighbouring ones share a dot where there are more than dots.
    """
    height, width = (min(size, limit) for size, limit in zip(shape, DOTS, strict=True))
    picture = np.full((height, width), np.nan)
    picture[row.astype(np.int64) * height // shape[0], column.astype(np.int64) * width // shape[1]] = values
    extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
    axes.imshow(picture, aspect="auto", interpolation="nearest", extent=extent, **style)


def connectivity(config: EdgeConfig, connections: Connectivity, parameters: Arrays) -> str:
    """Which left neuron every right neuron is joined to, coloured by the trained weight; the rest does not exist."""
    with mpl.rc_context(page.FIGURES):
        shapes = config.junctions
        heights = [max(1.6, min(3.0, 9.0 * shape.n_right / shape.n_left)) for shape in shapes]
        figure = Figure(figsize=(9.2, sum(heights) + 0.9 * len(heights)))
        grid = figure.subplots(len(shapes), 1, squeeze=False, height_ratios=heights)[:, 0]
        for i, (shape, axes) in enumerate(zip(shapes, grid, strict=True)):
            right = np.arange(shape.edges) // shape.fan_in
            raw = parameters[f"weights_{i + 1}"].astype(np.float64)
            values = np.sign(raw) * np.sqrt(np.abs(raw))
            edge = float(np.abs(values).max()) or 1.0
            place = right, connections.left_neuron(i)
            dots(axes, (shape.n_right, shape.n_left), *place, values, cmap="RdBu_r", vmin=-edge, vmax=edge)
            axes.set_facecolor("#e4e7eb")
            axes.set_title(f"junction {i + 1}: {shape.edges:,} edges, {shape.density:.1%} of the possible ones")
            axes.set_xlabel(f"neuron of layer {i}")
            axes.set_ylabel(f"layer {i + 1}")
        figure.subplots_adjust(hspace=0.75)
    return page.image(figure, "edges between the layers")
