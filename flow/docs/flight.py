# SPDX-License-Identifier: Apache-2.0
"""Which sample each junction works on in which pass: FF, BP and UP in flight, from the model's schedule."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from flow.page import FIGURES, INK
from models.edge.config import EdgeConfig, Mode
from models.edge.schedule import Operation, Schedule

SAMPLES = 6
_COLOURS = ("#a6cbf5", "#f7c99b", "#a9dfbf", "#d7bde2", "#f5b7b1", "#f9e79f")


def svg(config_file: Path, mode: Mode = Mode.PIPELINED) -> str:
    """The passes of a run of a few samples: a row per junction and operation, a column per pass."""
    config = EdgeConfig.load(config_file)
    schedule = Schedule(config)
    rows = [(i, each) for i in range(len(config.junctions)) for each in Operation if i or each != Operation.BP]
    passes = schedule.passes(SAMPLES, mode)
    with mpl.rc_context({**FIGURES, "svg.fonttype": "none"}):
        figure = Figure(figsize=(0.55 * passes + 1.8, 0.36 * len(rows) + 1.1))
        axes = figure.subplots()
        for operation, junction, sample in schedule.events(SAMPLES, mode).tolist():
            offset = schedule.ffo[junction] if operation == Operation.FF else schedule.upo[junction]
            x, y = sample * schedule.period(mode) + offset, rows.index((junction, Operation(operation)))
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=_COLOURS[sample % len(_COLOURS)], edgecolor="white"))
            axes.text(x + 0.5, y + 0.5, str(sample), ha="center", va="center", color=INK)
        axes.set(xlim=(0, passes), ylim=(len(rows), 0), xlabel=f"pass ({schedule.pass_clocks} clocks each)")
        axes.set_xticks([x + 0.5 for x in range(passes)], [str(x) for x in range(passes)])
        axes.set_yticks([y + 0.5 for y in range(len(rows))], [f"junction {i + 1} {each.name}" for i, each in rows])
        axes.tick_params(length=0)
        axes.set_title(f"{config.name}: the sample that each unit works on", loc="left")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight", facecolor="white")
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
