# SPDX-License-Identifier: Apache-2.0
"""Tables and pages of results: text for terminals, and files that open from disk, with no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

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


def text(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    """A table in columns."""
    wide = [max(len(line[n]) for line in (head, *lines)) for n in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(size) for cell, size in zip(line, wide, strict=True)) for line in (head, *lines)
    )


def rows(cells: Sequence[tuple[str, ...]], head: tuple[str, ...] = ()) -> str:
    """A table."""

    def line(row: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"

    return "<table>" + (line(head, "th") if head else "") + "".join(line(row, "td") for row in cells) + "</table>"


def section(title: str, note: str, content: str) -> str:
    """A heading, a note and what they are about."""
    return f'<h2>{escape(title)}</h2><p class="note">{escape(note)}</p>{content}'


def notes(lines: Sequence[str]) -> str:
    """A paragraph for each."""
    return "".join(f'<p class="note">{escape(line)}</p>' for line in lines)


def document(title: str, parts: Sequence[str], style: str = "") -> str:
    """The page; ``style``: what it has beside that of all pages."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}{style}</style></head><body>{''.join(parts)}</body></html>\n"
    )
