# SPDX-License-Identifier: Apache-2.0
"""The graph of a compiled network as SVG: a box per layer, downwards, and an arc for every map that skips layers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, GAP = 260, 34, 16
"""Of a box, and between boxes, in pixels."""
LANE = 14
"""Pixels between arcs that are side by side."""
_STYLE = (
    "<style>text{font:12px sans-serif;fill:#1f2933}.small{font-size:11px;fill:#52606d}"
    "rect{fill:#eaf2fd;stroke:#1f6feb}.free{fill:#f4f5f7;stroke:#7b8794}"
    "path{fill:none;stroke:#1f2933;stroke-width:1.2}</style>"
)


def svg(layers: Sequence[dict[str, Any]], image: Sequence[int]) -> str:
    """The picture.

    Args:
        layers: rows of ``LayerRow``.
        image: (channels, H, W) of the pictures.
    """
    rows = {"image": 0} | {layer["name"]: number for number, layer in enumerate(layers, 1)}
    skips = [(rows[source], number) for number, layer in enumerate(layers, 1) for source in layer["reads"]]
    lanes = _lanes([skip for skip in skips if skip[1] - skip[0] > 1])
    left = 10
    across = left + WIDTH + 20 + LANE * (1 + max(lanes.values(), default=0))
    tall = (HEIGHT + GAP) * (len(layers) + 1)
    parts = [_box(0, left, "image", " x ".join(map(str, image)), "free")]
    for number, layer in enumerate(layers, 1):
        note = f"{' x '.join(map(str, layer['out_shape']))}, {layer['clocks']:,} clocks"
        kind = "" if layer["weights"] else "free"
        parts.append(_box(number, left, f"{layer['name']} ({layer['kind']})", note, kind))
    for source, target in skips:
        if target - source == 1:
            x = left + WIDTH / 2
            parts.append(f'<path d="M{x} {_bottom(source)} V{_top(target)}"/>')
        else:
            side, lane = left + WIDTH, left + WIDTH + LANE * (1 + lanes[source, target])
            middle = [_top(each) + HEIGHT / 2 for each in (source, target)]
            parts.append(f'<path d="M{side} {middle[0]} H{lane} V{middle[1]} H{side}"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {tall}" width="{across}" height="{tall}" '
        f'role="img" aria-label="graph of the network">{_STYLE}{"".join(parts)}</svg>'
    )


def _lanes(skips: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """A lane for every arc, so that no two that meet share one; short arcs lie inside."""
    taken: list[list[tuple[int, int]]] = []
    found: dict[tuple[int, int], int] = {}
    for skip in sorted(set(skips), key=lambda each: each[1] - each[0]):
        number = next(
            (n for n, lane in enumerate(taken) if all(skip[1] <= a or skip[0] >= b for a, b in lane)), len(taken)
        )
        if number == len(taken):
            taken.append([])
        taken[number].append(skip)
        found[skip] = number
    return found


def _top(number: int) -> int:
    return GAP // 2 + number * (HEIGHT + GAP)


def _bottom(number: int) -> int:
    return _top(number) + HEIGHT


def _box(number: int, left: int, title: str, note: str, kind: str) -> str:
    top, middle = _top(number), left + WIDTH // 2
    return (
        f'<rect class="{kind}" x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="4"/>'
        f'<text x="{middle}" y="{top + 14}" text-anchor="middle">{escape(_short(title))}</text>'
        f'<text class="small" x="{middle}" y="{top + 28}" text-anchor="middle">{escape(note)}</text>'
    )


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"…{text[1 - most :]}"
