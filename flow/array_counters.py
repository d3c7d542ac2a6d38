# SPDX-License-Identifier: Apache-2.0
"""What the PE array counted over several programs: work of the PE groups, bytes of the channels, saturations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studies import html

_BYTES = {
    "FETCH_BEATS": "R: program", "LOAD_BEATS": "R: load engine", "STORE_BEATS": "R: store engine",
    "WRITTEN_BEATS": "W: store engine",
}  # fmt: skip
_STORE = "STORE_BEATS", "WRITTEN_BEATS"
"""Of these a beat has B bytes or, where gradients and weights move through a wide port, 2*B: counters do not tell."""
_CLIPPED = {
    "CLIPPED_OUTPUTS": "outputs", "CLIPPED_MASTERS": "masters", "CLIPPED_MOMENTA": "momenta",
    "CLIPPED_WEIGHTS": "MAC weights",
}  # fmt: skip


def totals(events: Sequence[dict[str, Any]], pes: int, lanes: int, wide: bool = False) -> dict[str, Any]:
    """Sums over programs, for result.json.

    Args:
        events: of the programs: ``counters`` by name, ``groups`` with (busy, stalled) PE clocks of every group.
        pes, lanes: of the array; wide: whether its port is.

    Returns:
        ``groups``: busy, stalled and idle PE clocks; ``bytes`` by channel, with a wide port those of program
        and loads alone; ``saturations`` by what was clipped.
    """
    clocks = sum(each["counters"]["CLOCKS"] for each in events)
    groups = []
    for counts in zip(*(each["groups"] for each in events), strict=True):
        busy, stalled = (sum(values) for values in zip(*counts, strict=True))
        idle = clocks * pes // len(events[0]["groups"]) - busy - stalled
        groups.append({"busy": busy, "stalled": stalled, "idle": idle})
    return {
        "groups": groups,
        "bytes": {
            name: lanes * sum(each["counters"][key] for each in events)
            for key, name in _BYTES.items() if not wide or key not in _STORE
        },
        "saturations": {name: sum(each["counters"][key] for each in events) for key, name in _CLIPPED.items()},
    }  # fmt: skip


def section(counted: dict[str, Any]) -> str:
    """Tables of ``totals`` for a page."""
    rows = []
    for number, group in enumerate(counted["groups"]):
        whole = sum(group.values())
        rows.append((f"{number}", *(f"{value / whole:.1%}" for value in group.values())))
    tables = [html.rows(rows, ("PE group", "busy", "stalled", "idle"))]
    for head, key in (("channel", "bytes"), ("clipped", "saturations")):
        tables.append(html.rows([(name, f"{value:,}") for name, value in counted[key].items()], (head, "")))
    return html.section("Counters", "Sums of what the array counted; groups are of neighbouring PEs.", "".join(tables))
