# SPDX-License-Identifier: Apache-2.0
"""The published tables of systems B and C beside the cycle model of our array.

``python -m studies.scoreboard`` prints them and writes ``result.json`` and ``scoreboard.html``.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from models.lib.command_line import Parser, one_line_errors, output_directory, whole_number
from models.lib.whole_file import written
from models.pe_array.isa import assumed
from studies import published, scoreboard_b, scoreboard_c, scoreboard_c_table, scoreboard_page, scoreboard_step
from studies.html import text
from studies.phase_clocks import LATENCY
from studies.played_step import all_played
from studies.published import PHASES
from studies.scoreboard_b import ALL, Board
from studies.scoreboard_c import NAMES, FineTuning
from studies.scoreboard_step import Whole

PAGE = "scoreboard.html"


def result(board: Board, wholes: list[Whole], rows: list[FineTuning], notes: list[str]) -> dict[str, Any]:
    """All figures for result.json; ``wholes``: steps of system B, ``notes``: of system C."""
    return {
        "latency": board.latency,
        "clock": assumed.clock(),
        "steps": [
            {
                "name": whole.name, "clocks": whole.clocks, "parts": whole.parts, "ms": whole.millis,
                "issuing": whole.issuing,
            }
            for whole in wholes
        ],
        "rows": [
            asdict(row)
            | {"micros": row.micros, "used": row.used, "as_published": row.as_published, "gops": row.gops}
            for row in board.rows
        ],
        "pooling_clocks": board.pooling,
        "phases_alone_ms": {phase: board.clocks(phase) / assumed.CLOCK_MHZ / 1e3 for phase in (*PHASES, ALL)},
        "system_c": [
            asdict(row) | {"seconds": row.seconds, "bound_above_published": row.bound_above_published} for row in rows
        ],
        "system_c_notes": notes,
    }  # fmt: skip


def _report(row: FineTuning) -> None:
    took, theirs = f"{row.seconds:.0f} s", f"{row.published_seconds:.0f} s"
    print(f"{row.network} on {row.data_set}, {row.pes} PEs: {took}, published {theirs}", flush=True)


def play(latency: int, layers: list[str], names: list[str], kept: Path | None = None) -> tuple[dict[str, Any], str]:
    """Play and print the tables; what result.json and scoreboard.html hold.

    Args:
        layers: of system B, these alone; none: all, and its step.
        names: of system C's networks.
        kept: file of steps that were played before.
    """
    steps = {} if layers else scoreboard_step.asked(latency)  # of some layers alone there is no step
    networks = scoreboard_c.fine_tuned(names)
    of_networks = [each.asked(latency) for each in networks]
    played = all_played([*islice(steps.values(), 1, None), *of_networks], kept)
    wholes = [scoreboard_step.first_of(steps)] if steps else []
    board = scoreboard_b.run(latency, tuple(layers))
    wholes += [scoreboard_step.whole(name, of, next(played)) for name, of in islice(steps.items(), 1, None)]
    if wholes:
        print(text(scoreboard_step.HEAD, scoreboard_step.table(wholes)), *scoreboard_step.notes(wholes), "", sep="\n\n")
        print(text(scoreboard_step.where_head(wholes), scoreboard_step.where(board, wholes)), "", sep="\n\n")
        print(text(scoreboard_step.ISSUING_HEAD, scoreboard_step.issuing(wholes)), "", sep="\n\n")
    print(text(scoreboard_b.HEAD, scoreboard_b.table(board)))
    print(text(scoreboard_b.TOTALS_HEAD, scoreboard_b.totals(board)), *scoreboard_b.notes(board), "", sep="\n\n")
    rows = []
    for network, of in zip(networks, of_networks, strict=True):
        rows.append(network.row(of, next(played)))
        _report(rows[-1])
    notes = scoreboard_c_table.notes(rows)
    print("", text(scoreboard_c_table.HEAD, scoreboard_c_table.table(rows)), *notes, sep="\n\n")
    return result(board, wholes, rows, notes), scoreboard_page.page(board, wholes, rows, notes)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.scoreboard", "The published tables of systems B and C beside our array.")
    parser.add_argument("--latency", type=whole_number(1, 10_000), default=LATENCY, help="clocks of the memory")
    parser.add_argument("--layers", nargs="+", default=[], choices=[*published.VGG11], help="only these of system B")
    names = [*NAMES]
    parser.add_argument("--networks", nargs="+", default=names, choices=names, help="only these of system C")
    parser.add_argument("--out", type=output_directory, help="directory for result.json and scoreboard.html")
    with one_line_errors():
        options = parser.parse_args(arguments)
        found, page = play(options.latency, options.layers, options.networks)
        if options.out:
            paths = options.out / PAGE, options.out / "result.json"
            with written(*paths) as files:
                for file, content in zip(files, (page, json.dumps(found, indent=1) + "\n"), strict=True):
                    file.write(content.encode())
            print(f"\nwritten: {paths[1]}, {paths[0]}")


if __name__ == "__main__":
    main()
