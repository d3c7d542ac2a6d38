# SPDX-License-Identifier: Apache-2.0
"""Pages of results: one file that opens from disk, with no network; and how figures on them look."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
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

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 960px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: 0; overflow-wrap: anywhere; } h2 { font-size: 1.1em; margin: 2em 0 .3em; }
p { margin: .3em 0; } .note { color: #52606d; }
table { border-collapse: collapse; margin: .6em 0; display: block; overflow-x: auto; }
pre { overflow-x: auto; }
td, th { text-align: left; padding: .2em .8em .2em 0; border-bottom: 1px solid #e4e7eb; }
td { font-variant-numeric: tabular-nums; }
img { max-width: 100%; }
.verdict { display: inline-block; padding: .1em .7em; border-radius: 1em; color: white; }
.pass { background: #2a9d5c; } .stopped { background: #d9730d; } .fail { background: #c0392b; }
"""


def rows(cells: Sequence[tuple[str, ...]], head: tuple[str, ...] = ()) -> str:
    """A table."""

    def line(row: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"

    return "<table>" + (line(head, "th") if head else "") + "".join(line(row, "td") for row in cells) + "</table>"


def section(title: str, note: str, content: str) -> str:
    """A heading, a note and what they are about."""
    return f'<h2>{escape(title)}</h2><p class="note">{escape(note)}</p>{content}'


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


def document(title: str, parts: Sequence[str]) -> str:
    """The page."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )
