# SPDX-License-Identifier: Apache-2.0
"""Figures on pages of results, and how they look."""

from __future__ import annotations

import base64
import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, BLUE, ORANGE, GREEN, GREY = "#1f2933", "#1f6feb", "#d9730d", "#2a9d5c", "#9aa5b1"
FIGURES: Any = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY, "axes.titlesize": 9,
    "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "svg.hashsalt": "edgeloom", "legend.frameon": False,
}  # fmt: skip
"""Style of figures, for ``matplotlib.rc_context``."""

PANELS = 4
"""Panels of a figure that are side by side."""


def image(figure: Figure, text: str) -> str:
    """The figure as an <img> with its data inside."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{text}" src="data:image/svg+xml;base64,{data}">'


def panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels, side by side and then below each other; `height` is that of one, in inches."""
    across = min(count, PANELS)
    down = -(-count // across)
    figure = Figure(figsize=(min(9.2, 3.4 * across), height * down))
    grid = list(figure.subplots(down, across, squeeze=False).ravel())
    for axes in grid[count:]:
        axes.set_axis_off()
    figure.subplots_adjust(hspace=0.45)
    return figure, grid[:count]
