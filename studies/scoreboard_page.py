# SPDX-License-Identifier: Apache-2.0
"""The scoreboard as text and as a page: one file that opens from disk, with no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from models.pe_array.isa import assumed
from studies import published, scoreboard_b, scoreboard_c, scoreboard_c_table, scoreboard_step
from studies.scoreboard_b import Board
from studies.scoreboard_c import FineTuning
from studies.scoreboard_step import Whole

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 1080px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: 0; } h2 { font-size: 1.1em; margin: 2em 0 .3em; }
p { margin: .3em 0; } .note { color: #52606d; }
table { border-collapse: collapse; margin: .6em 0; }
td, th { text-align: left; padding: .2em 1.2em .2em 0; border-bottom: 1px solid #e4e7eb; }
td { font-variant-numeric: tabular-nums; }
.bar { height: .5em; margin: 1px 0; } .theirs { background: #9aa5b1; } .ours { background: #1f6feb; }
"""


def text(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    """A table in columns."""
    wide = [max(len(line[n]) for line in (head, *lines)) for n in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(size) for cell, size in zip(line, wide, strict=True)) for line in (head, *lines)
    )


def page(board: Board, wholes: Sequence[Whole], rows: Sequence[FineTuning], notes: Sequence[str]) -> str:
    """The page: the tables, and bars for every time; ``wholes``: steps of system B, ``notes``: of system C."""
    lines = scoreboard_b.table(board)
    of_layers = [(f"{line[0]} {line[1]}", float(line[2]), float(line[6])) for line in lines]
    of_networks = [(f"{row.network} {row.data_set}", row.published_seconds, row.seconds) for row in rows]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Scoreboard of the PE array</title><style>{_STYLE}</style></head><body>"
        f"<h1>Scoreboard of the PE array</h1>{_paragraphs(scoreboard_b.notes(board))}"
        f"{_steps(board, wholes)}<h2>Phases alone</h2>{_rows(scoreboard_b.TOTALS_HEAD, scoreboard_b.totals(board))}"
        f"<h2>Layers</h2>{_rows(scoreboard_b.HEAD, lines)}"
        f"<h2>Times in µs, ours at {assumed.clock()}: published grey, ours blue</h2>{_bars(of_layers)}"
        f"<h2>System C: {scoreboard_c.EPOCHS} epochs</h2>{_paragraphs(notes)}"
        f"{_rows(scoreboard_c_table.HEAD, scoreboard_c_table.table(rows))}"
        f"<h2>Times in s, ours at {assumed.clock()}: published grey, ours blue</h2>{_bars(of_networks)}"
        "</body></html>\n"
    )


def _steps(board: Board, wholes: Sequence[Whole]) -> str:
    """System B's step as one program; nothing where only some of its layers were played."""
    if not wholes:
        return ""
    return (
        f"<h2>System B: a training step of 32 images, {published.NETWORK}</h2>"
        f"{_paragraphs(scoreboard_step.notes(wholes))}{_rows(scoreboard_step.HEAD, scoreboard_step.table(wholes))}"
        f"<h2>Where the clocks go</h2>"
        f"{_rows(scoreboard_step.where_head(wholes), scoreboard_step.where(board, wholes))}"
    )


def _paragraphs(notes: Sequence[str]) -> str:
    return "".join(f"<p class='note'>{escape(note)}</p>" for note in notes)


def _rows(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(cells, "td") for cells in lines) + "</table>"


def _bars(times: Sequence[tuple[str, float, float]]) -> str:
    """A line per name: a bar of the published time above one of ours."""
    longest = max((time for _, *both in times for time in both), default=1.0)
    lines = [
        f"<tr><td>{escape(name)}</td><td style='width:40em'>"
        + "".join(
            f"<div class='bar {kind}' style='width:{100 * time / longest:.1f}%'></div>"
            for kind, time in (("theirs", theirs), ("ours", ours))
        )
        + "</td></tr>"
        for name, theirs, ours in times
    ]
    return f"<table>{''.join(lines)}</table>"
