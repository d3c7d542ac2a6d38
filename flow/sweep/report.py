# SPDX-License-Identifier: Apache-2.0
"""The page of a sweep: accuracy against what the reader chooses, with the points that no other one beats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from flow.farm.job import FAILED, Row
from flow.sweep.point import REFUSED
from studies import html

COSTS = {
    "clocks_per_sample": "clocks per sample", "lut_total": "LUTs", "ff": "flip-flops", "block_ram": "block RAMs",
    "dsp": "DSPs", "energy_uj": "energy of a sample, µJ (estimate)",
}  # fmt: skip
"""What accuracy is set against: less is better."""
SCRIPT = Path(__file__).with_name("pareto.js")
_STYLE = """
#plot { width: 100%; height: auto; } #plot text { font: 12px system-ui, sans-serif; fill: #1f2933; }
select { font: inherit; } #told { min-height: 3em; } .best { font-weight: bold; }
"""


def page(name: str, about: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The page of rows, of which it has all."""
    done = [row for row in rows if "accuracy" in row]
    costs = {key: title for key, title in COSTS.items() if any(key in row for row in done)}
    note = [
        f"{len(done)} configurations out of {about['base']}, {about['refused']} refused. Accuracy is that of the "
        "bit-exact model on the test set, clocks are exact, energy is an estimate that is good for ratios.",
        *([f"Area: {about['area_model']}."] if about["area_model"] else []),
    ]
    parts = [f"<h1>{escape(name)}</h1>", html.notes(note)]
    if done:
        parts.append(html.section("Accuracy against cost", _SAID, _plot(costs, done)))
        parts.append(html.section("All points", "Those that no other one beats in both are bold.", _table(costs, done)))
    if left := [(_told(row), str(row.get(REFUSED) or row.get(FAILED))) for row in rows if "accuracy" not in row]:
        parts.append(html.section("Without a result", "What is refused breaks a rule.", html.rows(left, _WHY)))
    versions = [("command", str(about["command"])), *about["versions"].items()]
    file = f"<details><summary>{escape(about['configuration_file'])}</summary>"
    file += f"<pre>{escape(about['configuration'])}</pre></details>"
    parts.append(html.section("Made by", "Command, versions and space.", html.rows(versions) + file))
    if done:
        parts.append(f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>")
    return html.document(f"Sweep {name}", parts, _STYLE)


_WHY = ("point", "why")
_SAID = "The line joins the points that no other one beats in both. A click or a key says what a point is."


def _told(row: Row) -> str:
    return ", ".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in row["point"].items())


def _plot(costs: Mapping[str, str], done: Sequence[Row]) -> str:
    options = "".join(f'<option value="{key}">{escape(title)}</option>' for key, title in costs.items())
    points = [{"told": _told(row), "accuracy": row["accuracy"], **{key: row.get(key) for key in costs}} for row in done]
    data = json.dumps(points, ensure_ascii=False).replace("<", "\\u003c")
    return (
        f'<p><label>against <select id="cost">{options}</select></label></p>'
        '<svg id="plot" viewBox="0 0 900 460" role="img" aria-label="accuracy against cost"></svg>'
        f'<p id="told" aria-live="polite"></p><script type="application/json" id="points">{data}</script>'
    )


def _table(costs: Mapping[str, str], done: Sequence[Row]) -> str:
    cells = [
        (_told(row), f"{row['accuracy']:.2%}", *("–" if row.get(key) is None else f"{row[key]:,g}" for key in costs))
        for row in done
    ]
    return html.rows(cells, ("point", "accuracy", *costs.values())).replace("<table>", '<table id="all">', 1)
