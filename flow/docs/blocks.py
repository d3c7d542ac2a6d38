# SPDX-License-Identifier: Apache-2.0
"""Block diagrams: from a few lines of text to SVG.

A source in docs/diagrams has a statement per line; places and sizes are in units of 40 pixels:

    size 20 9                                    width and height of the picture
    frame all 1 1 18 7 edge_engine               a frame around others, its title above
    box ff 2 3 4 2 ff_unit | sums, activations   logic: title and notes, a line each
    mem w 8 3 4 2 junction_rows                  a memory
    ext m 14 3 4 2 memory                        what is outside the design
    text 2 7 some words                          words alone
    w -> ff : weights                            an arrow and its label; => thick, <-> both ways
    w -> ff @ 0.8 : weights                      the same, nearer the end of the sides that face each other
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from flow.paths import FlowError

UNIT = 40
CHARACTER = 6.9
"""Width that a character of a note is taken to have, in pixels: a little more than it has."""
_CSS = """
svg { background: white; }
text { font: 12px sans-serif; fill: #1f2933; }
.title { font-weight: bold; } .middle { text-anchor: middle; }
.box { fill: #eaf2fd; stroke: #1f6feb; } .mem { fill: #e8f6ee; stroke: #2a9d5c; }
.ext { fill: #f4f5f7; stroke: #7b8794; stroke-dasharray: 5 3; } .frame { fill: none; stroke: #7b8794; }
.line { fill: none; stroke: #1f2933; stroke-width: 1.3; } .thick { stroke-width: 3; }
.label { font-size: 11px; paint-order: stroke; stroke: white; stroke-width: 4px; }
"""
_BOX = re.compile(r"(box|mem|ext|frame)\s+(\w+)((?:\s+[\d.]+){4})\s+(.+)")
_ARROW = re.compile(r"(\w+)\s+(->|=>|<->|<=>)\s+(\w+)(?:\s+@\s+([\d.]+))?(?:\s+:\s+(.+))?")
_WORDS = re.compile(r"text\s+([\d.]+)\s+([\d.]+)\s+(.+)")


@dataclass(frozen=True)
class Box:
    """A rectangle with its lines of text, in pixels."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]

    def svg(self) -> str:
        """The rectangle and its text, which must fit into it."""
        parts = [
            f'<rect class="{self.kind}" x="{self.x:g}" y="{self.y:g}" width="{self.width:g}" '
            f'height="{self.height:g}" rx="4"/>'
        ]
        if self.kind == "frame":
            return (
                parts[0] + f'<text class="title" x="{self.x + 8:g}" y="{self.y + 17:g}">{escape(self.lines[0])}</text>'
            )
        top = self.y + self.height / 2 - 8 * (len(self.lines) - 1) + 4
        for number, line in enumerate(self.lines):
            style = "title middle" if number == 0 else "middle"
            parts.append(
                f'<text class="{style}" x="{self.x + self.width / 2:g}" y="{top + 16 * number:g}">{escape(line)}</text>'
            )
        return "".join(parts)

    def too_small(self) -> str | None:
        """The line that does not fit, if there is one."""
        if self.height < 16 * len(self.lines):
            return self.lines[-1]
        return next((line for line in self.lines if len(line) * CHARACTER > self.width), None)


def svg(source: str, name: str) -> str:
    """The picture that a source describes.

    Raises:
        FlowError: a statement is not understood, names an unknown box, or a text does not fit into its box.
    """
    boxes: dict[str, Box] = {}
    drawn: list[str] = []
    size = (0.0, 0.0)
    for number, raw in enumerate(source.splitlines(), 1):
        line = raw.strip()
        where = f"{name}:{number}"
        if not line or line.startswith("#"):
            continue
        if line.startswith("size "):
            across, down = line.split()[1:]
            size = (UNIT * float(across), UNIT * float(down))
        elif match := _BOX.fullmatch(line):
            place = [UNIT * float(each) for each in match[3].split()]
            box = Box(
                match[1], place[0], place[1], place[2], place[3], tuple(part.strip() for part in match[4].split("|"))
            )
            if wide := box.too_small():
                raise FlowError(f"{where}: '{wide}' does not fit into its box: make the box larger")
            boxes[match[2]] = box
            drawn.append(box.svg())
        elif match := _WORDS.fullmatch(line):
            drawn.append(
                f'<text x="{UNIT * float(match[1]):g}" y="{UNIT * float(match[2]):g}">{escape(match[3])}</text>'
            )
        elif match := _ARROW.fullmatch(line):
            ends = [boxes.get(match[1]), boxes.get(match[3])]
            if ends[0] is None or ends[1] is None:
                raise FlowError(f"{where}: '{match[1 if ends[0] is None else 3]}' is no box above")
            drawn.append(_arrow(ends[0], ends[1], match[2], float(match[4] or 0.5), match[5] or ""))
        else:
            raise FlowError(f"{where}: '{line}' is no statement of a diagram")
    return _document(size, drawn)


def _document(size: tuple[float, float], drawn: list[str]) -> str:
    head = '<marker id="{0}" viewBox="0 0 8 8" refX="{1}" refY="4" markerWidth="8" markerHeight="8" orient="{2}"'
    tip = ' markerUnits="userSpaceOnUse"><path d="M0 0 L8 4 L0 8 z" fill="#1f2933"/></marker>'
    markers = head.format("end", 8, "auto") + tip + head.format("begin", 8, "auto-start-reverse") + tip
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]:g} {size[1]:g}" width="{size[0]:g}" '
        f'height="{size[1]:g}">\n<style>{_CSS}</style><defs>{markers}</defs>\n'
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _arrow(a: Box, b: Box, kind: str, share: float, label: str) -> str:
    """A straight line where the boxes face each other, and an elbow where they do not."""
    level = (max(a.y, b.y), min(a.y + a.height, b.y + b.height))
    upright = (max(a.x, b.x), min(a.x + a.width, b.x + b.width))
    rightward, downward = a.x + a.width <= b.x, a.y + a.height <= b.y
    if level[0] < level[1]:
        y = level[0] + share * (level[1] - level[0])
        points = [(a.x + a.width, y), (b.x, y)] if rightward else [(a.x, y), (b.x + b.width, y)]
    elif upright[0] < upright[1]:
        x = upright[0] + share * (upright[1] - upright[0])
        points = [(x, a.y + a.height), (x, b.y)] if downward else [(x, a.y), (x, b.y + b.height)]
    else:
        x = b.x + share * b.width
        start = (a.x + a.width if rightward else a.x, a.y + a.height / 2)
        points = [start, (x, start[1]), (x, b.y if downward else b.y + b.height)]
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    style = "line thick" if "=" in kind else "line"
    begin = ' marker-start="url(#begin)"' if kind[0] == "<" else ""
    drawn = f'<path class="{style}" d="{path}" marker-end="url(#end)"{begin}/>'
    if not label:
        return drawn
    (x0, y0), (x1, y1) = points[:2]
    if y0 == y1:
        return f'{drawn}<text class="label middle" x="{(x0 + x1) / 2:g}" y="{y0 - 5:g}">{escape(label)}</text>'
    return f'{drawn}<text class="label" x="{x0 + 6:g}" y="{(y0 + y1) / 2 + 4:g}">{escape(label)}</text>'
