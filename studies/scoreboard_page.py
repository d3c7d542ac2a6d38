# SPDX-License-Identifier: Apache-2.0
"""The scoreboard as a page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from models.pe_array.isa import assumed
from studies import html, published, scoreboard_b, scoreboard_c, scoreboard_c_table, scoreboard_step
from studies.scoreboard_b import Board
from studies.scoreboard_c import FineTuning
from studies.scoreboard_step import Whole
from studies.timeline import page as timeline_page

_BARS = """
body { max-width: 1080px; }
.bar { height: .5em; margin: 1px 0; } .theirs { background: #9aa5b1; } .ours { background: #1f6feb; }
"""


def page(board: Board, wholes: Sequence[Whole], rows: Sequence[FineTuning], notes: Sequence[str]) -> str:
    """The page: the tables, and bars for every time; ``wholes``: steps of system B, ``notes``: of system C."""
    lines = scoreboard_b.table(board)
    of_layers = [(f"{line[0]} {line[1]}", float(line[2]), float(line[6])) for line in lines]
    of_networks = [(f"{row.network} {row.data_set}, {row.pes} PEs", row.published_seconds, row.seconds) for row in rows]
    clock = assumed.clock()
    parts = [
        f"<h1>Scoreboard of the PE array</h1>{html.notes(scoreboard_b.notes(board))}",
        _steps(board, wholes),
        f"<h2>Phases alone</h2>{html.rows(scoreboard_b.totals(board), scoreboard_b.TOTALS_HEAD)}",
        f"<h2>Layers</h2>{html.rows(lines, scoreboard_b.HEAD)}",
        f"<h2>Times in µs, ours at {clock}: published grey, ours blue</h2>{_bars(of_layers)}",
        f"<h2>System C: {scoreboard_c.EPOCHS} epochs</h2>{html.notes(notes)}",
        html.rows(scoreboard_c_table.table(rows), scoreboard_c_table.HEAD),
        f"<h2>Times in s, ours at {clock}: published grey, ours blue</h2>{_bars(of_networks)}",
    ]
    return html.document("Scoreboard of the PE array", parts, _BARS + timeline_page.STYLE)


def _steps(board: Board, wholes: Sequence[Whole]) -> str:
    """System B's step as one program, the first over its clocks; nothing where only some of its layers were played."""
    if not wholes:
        return ""
    first = wholes[0]
    assert first.steps is not None
    return (
        f"<h2>System B: a training step of 32 images, {published.NETWORK}</h2>"
        f"{html.notes(scoreboard_step.notes(wholes))}{html.rows(scoreboard_step.table(wholes), scoreboard_step.HEAD)}"
        f"<h2>Where the clocks go</h2>"
        f"{html.rows(scoreboard_step.where(board, wholes), scoreboard_step.where_head(wholes))}"
        f"<h2>When PEs issue</h2>{html.rows(scoreboard_step.issuing(wholes), scoreboard_step.ISSUING_HEAD)}"
        f"{timeline_page.section(f'The step over its clocks: {first.name}', first.steps)}"
    )


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
