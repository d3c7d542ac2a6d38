# SPDX-License-Identifier: Apache-2.0
"""All pictures of the docs that are made: what is made of what, and which of them are stale."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from flow.docs import blocks, flight, waves
from flow.paths import ROOT

DOCS = ROOT / "docs"
PICTURES = DOCS / "pictures"
DIAGRAMS = DOCS / "diagrams"
IN_FLIGHT = ("mnist_64", "four_layer")
"""Configurations whose passes are drawn."""

_PART = re.compile(r'<g id="([^"]+)">(?:(?!</?g\b).)*</g>')


def sources() -> Iterator[tuple[Path, Callable[[], str]]]:
    """Every picture that is made, and how."""
    for source in sorted(DIAGRAMS.rglob("*.txt")):
        place = PICTURES / source.relative_to(DIAGRAMS).with_suffix(".svg")
        yield place, partial(blocks.svg, source.read_text(encoding="utf-8"), source.name)
    for bench in sorted(waves.SOURCES.rglob("*.v")):
        place = PICTURES / bench.relative_to(waves.SOURCES).with_name(f"{bench.stem}_wave.svg")
        yield place, partial(_wave, bench)
    for name in IN_FLIGHT:
        config = next((ROOT / "configs").rglob(f"{name}.toml"))
        yield PICTURES / "edge" / f"{name}_passes.svg", partial(flight.svg, config)


def _wave(bench: Path) -> str:
    """The picture of signals, on white, without the hundreds of parts that WaveDrom defines and it does not use."""
    drawn = waves.svg(bench)
    lean = _PART.sub(lambda part: part[0] if f'"#{part[1]}"' in drawn else "", drawn)
    return lean.replace("<defs>", '<rect width="100%" height="100%" fill="white"/><defs>', 1).replace("><", ">\n<")


def stale() -> list[str]:
    """Pictures that are missing, or are not what is made of their sources now."""
    return [
        f"{place.relative_to(ROOT)} is stale: make docs draws it again"
        for place, draw in sources()
        if not place.is_file() or place.read_text(encoding="utf-8") != draw()
    ]


def refresh() -> list[Path]:
    """Draw what is stale; the files that changed."""
    changed = []
    for place, draw in sources():
        text = draw()
        if not place.is_file() or place.read_text(encoding="utf-8") != text:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            changed.append(place)
    return changed
