# SPDX-License-Identifier: Apache-2.0
"""`make bench`: simulation under cocotb beside a bare C++ loop, an epoch's wall time, the model's speed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from flow.paths import BUILD, FlowError, make_command, relative
from flow.provenance import origin
from flow.run_directory import RESULT, RunDirectory, alone_in
from flow.train.edge.bare import Speed, build_bare, measure
from flow.train.edge.command import train
from flow.train.edge.request import Request
from models.edge.benchmark import samples_per_second
from models.edge.job import load_checkpoint
from models.edge.training import plan
from models.lib.command_line import INTERRUPTED
from models.lib.job_file import CHECKPOINT, Mismatch

TARGETS = {"ratio": 0.5, "epoch_seconds": 180.0, "model_samples_per_second": 100_000.0}
"""To reach with the configuration of that name and whole epochs, on two free cores: at least, at most, at least."""
_TARGETS_OF = "mnist_64"

FIGURES = "bench.json"
_REPEAT = 2


def bench(request: Request) -> int:
    """Measure, print and save; exit status. Raises FlowError.

    Speeds are compared by processor time, which whatever else the machine does disturbs less; each simulation is one
    thread. What counts is from START to the end of a run: the training's first one in the bare loop, all of the epoch
    under cocotb.
    """
    directory = BUILD / "bench" / request.config.name
    command = make_command("bench", *(word for word in request.asked if not word.startswith("EPOCHS=")))
    with alone_in(directory):
        results = RunDirectory(directory, origin(command, request.path, request.text), FIGURES)
        with results.run():
            program = build_bare(request.config)
            try:
                bare = [measure(request, program, directory / "bare") for _ in range(_REPEAT)]
            except Mismatch as mismatch:
                raise FlowError(str(mismatch)) from None
            training = replace(request, epochs=1, resume=False, directory=directory / "train")
            if status := train(training):
                if status == INTERRUPTED:
                    raise KeyboardInterrupt
                raise FlowError(f"the training that is measured has failed: see {relative(training.directory)}")
            figures = _figures(training, bare)
            results.publish(figures, {})
    print(_text(figures))
    print(f"  {relative(results.result)}")
    return 0


def _figures(training: Request, bare: list[Speed]) -> dict[str, Any]:
    """What the file of figures holds, of a training that has ended and of the bare loop."""
    result: dict[str, Any] = json.loads((training.directory / RESULT).read_text())
    first = load_checkpoint(training.directory / CHECKPOINT, training.config, training.samples, training.data)[
        0
    ].history[0]
    best = min(bare, key=lambda speed: speed.processor_seconds)
    alone, beside = best.clocks / best.processor_seconds, first["simulated_clocks"] / first["processor_seconds"]
    whole = training.config.name == _TARGETS_OF and training.samples == len(training.data.train_x)
    return {
        "config": training.config.name,
        "complete": True,
        "failure": None,
        "samples": len(next(plan(training.config, training.samples, 1)).order),
        "clocks": best.clocks,
        "bare_clocks_per_second": best.clocks / best.seconds,
        "bare_clocks_per_processor_second": alone,
        "cocotb_clocks_per_second": first["simulated_clocks"] / first["simulation_seconds"],
        "cocotb_clocks_per_processor_second": beside,
        "ratio": beside / alone,
        "epoch_seconds": result["wall_seconds"],
        "model_samples_per_second": samples_per_second(training.config, training.data, training.samples, _REPEAT),
        "targets": TARGETS if whole else {},
    }


def _text(figures: dict[str, Any]) -> str:
    head = f"{'':30}{'processor time':>16}{'wall time':>14}"
    rows = [
        ("bare Verilator C++ loop", "bare_clocks_per_processor_second", "bare_clocks_per_second"),
        ("under cocotb, in training", "cocotb_clocks_per_processor_second", "cocotb_clocks_per_second"),
    ]
    lines = [f"{figures['config']}: {figures['samples']:,} samples, {figures['clocks']:,} clocks", head]
    lines += [f"  {name:28}{figures[cpu]:>16,.0f}{figures[wall]:>14,.0f} clocks/s" for name, cpu, wall in rows]
    goals = {key: f", to reach: {value:,g}" for key, value in figures["targets"].items()}
    lines += [f"  {'cocotb / bare':28}{figures['ratio']:>16.2f}{'':>14}{goals.get('ratio', '')}"]
    lines += [
        f"  {'bit-exact model alone':28}{figures['model_samples_per_second']:>16,.0f}{'':>14} samples/s"
        f"{goals.get('model_samples_per_second', '')}",
        f"  {'epoch, test and all checks':28}{'':>16}{figures['epoch_seconds']:>14,.1f} s"
        f"{goals.get('epoch_seconds', '')}",
    ]
    return "\n".join(lines)
