# SPDX-License-Identifier: Apache-2.0
"""A step's timeline as a part of a page: a picture to zoom into, drawn by ``draw.js``, and a table of its waits."""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

from models.pe_array.clocks.timeline import ENGINES, PORTS
from models.pe_array.isa.descriptors import Engine
from studies import html
from studies.timeline.steps import KINDS, OTHER, Segment, Steps

GRAINS = 1 << 16
"""Gaps inside of an operation's kind and part are kept from so small a part of the whole on."""
GROUPS = 8
"""Rows of PEs, at most."""
WORST = 12
"""Waits of the PEs in the table, at most."""
STYLE = """
.timeline canvas { width: 100%; touch-action: none; cursor: crosshair; } .timeline .told { min-height: 1.5em; }
.timeline i { display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 .9em; }
"""
_NAMES = {Engine.LOAD: "load engine", Engine.COMPUTE: "compute engine", Engine.STORE: "store engine"}
_PORT_COLOUR, _PE_COLOUR = "#0e8a9c", "#1f6feb"


def data_of(steps: Steps) -> dict[str, Any]:
    """What ``draw.js`` draws.

    Segments are lists: clocks from the end of the one before, length, then ``busy`` clocks, kind, name of the part
    (busy), or what for (waits), as places in lists of names.
    """
    line = steps.timeline
    grain = max(1, line.clocks // GRAINS)
    kinds = list(dict.fromkeys((*KINDS.values(), OTHER)))
    names = ["", *(span.name for span in steps.spans)]
    reasons: dict[str, int] = {}
    engines = []
    for engine in ENGINES:
        busy, waits = steps.busy(engine, grain), [each for each in steps.waits(engine) if each.length >= grain]
        engines.append({
            "name": _NAMES[engine],
            "busy": [
                [gap, each.length, each.busy, kinds.index(each.what), names.index(each.part)]
                for gap, each in _apart(busy)
            ],
            "waits": [
                [gap, each.length, reasons.setdefault(each.what, len(reasons))] for gap, each in _apart(waits)
            ],
        })  # fmt: skip
    beats = [
        {"name": f"beats {name}", "most": 1, "colour": _PORT_COLOUR, "counts": of.tolist()}
        for name, of in zip(PORTS, line.beats, strict=True)
    ]
    pes = len(line.issued)
    size = -(-pes // GROUPS)
    groups = [
        {
            "name": f"PE {first}" if size == 1 else f"PEs {first} … {min(first + size, pes) - 1}",
            "most": min(size, pes - first), "colour": _PE_COLOUR,
            "counts": line.issued[first : first + size].sum(axis=0).tolist(),
        }
        for first in range(0, pes, size)
    ]  # fmt: skip
    return {
        "clocks": line.clocks, "width": line.width, "kinds": kinds, "names": names, "reasons": list(reasons),
        "parts": [[span.name, span.first, span.last] for span in steps.spans], "engines": engines,
        "bins": beats + groups,
    }  # fmt: skip


def _apart(segments: list[Segment]) -> list[tuple[int, Segment]]:
    """Each with the clocks between the end of the one before, or 0, and its first."""
    ends = [0, *(each.first + each.length for each in segments)]
    return [(each.first - end, each) for end, each in zip(ends, segments, strict=False)]


def section(title: str, steps: Steps, of: str = "") -> str:
    """A heading, the picture and the longest waits of the PEs; ``of``: what is shown. The page needs ``STYLE``."""
    data = data_of(steps)
    # in a script element "</" would end it
    told = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    code = Path(__file__).with_name("draw.js").read_text(encoding="utf-8")
    waits = Counter[str]()
    for each in steps.waits(Engine.COMPUTE):
        waits[each.what] += each.length
    rows = [
        (what, f"{clocks:,}", f"{clocks / data['clocks']:.1%}") for what, clocks in waits.most_common(WORST)
    ]  # fmt: skip
    rows.append(("all waits", f"{waits.total():,}", f"{waits.total() / data['clocks']:.1%}"))
    keys = "".join(f"<i data-kind='{escape(kind)}'></i>{escape(kind)}" for kind in data["kinds"])
    note = (
        f"{of}{data['clocks']:,} clocks of the model that predicts the array's exactly. Engines: what they work on, "
        "and pale where they wait. Ports and PEs: how full each clock is. Wheel or buttons zoom, dragging moves, a "
        "double click shows all; pointing at a place tells what is there."
    )
    return html.section(title, note, (
        "<div class='timeline'><p><select><option>all parts</option></select> "
        "<button value='0.5'>closer</button> <button value='2'>wider</button>"
        f"{keys}</p><canvas></canvas><p class='told'></p></div>"
        f"<script>{code}\ntimeline(document.currentScript.previousElementSibling, {told});</script>"
        "<p class='note'>No command is in the PEs, and the next one waits for</p>"
        + html.rows(rows, ("the end of", "clocks", "of all"))
    ))  # fmt: skip
