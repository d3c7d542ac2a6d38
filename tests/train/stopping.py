# SPDX-License-Identifier: Apache-2.0
"""Trainings that are stopped at a chosen event of the simulation, as a user at a terminal would.

The signal comes from inside of the simulation, so that it always comes at the same place: a test that waits for a line
in the file of events and then sends it may be too late on a busy machine, because the training is over by then.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from flow.paths import ROOT

_BENCH = """
import os
from {bench} import {trainer}

told = {trainer}.event
count = 0

def event(self, kind, **values):
    global count
    result = told(self, kind, **values)
    if kind == "{kind}" and count == {runs}:
        os.killpg(0, {signal})
    count += kind == "{run}"
    return result

{trainer}.event = event
"""
_MAIN = """
import sys
sys.path[:0] = [{directory!r}, {root!r}]
import {simulation} as simulation
for name in vars(simulation).keys() & ("_BENCH", "_STAGES"):
    setattr(simulation, name, "stopping_bench," + getattr(simulation, name))
from flow.__main__ import main
sys.exit(main())
"""
_ENGINES = {
    "train": ("tb.edge.runs.train", "Trainer", "flow.train.edge.simulation", "run", "progress"),
    "train-cnn": ("tb.pe_array.runs.train", "Training", "flow.train.pe_array.simulation", "step", "step"),
}


def stopped(words: list[str], runs: int, with_signal: signal.Signals, directory: Path) -> tuple[int, str]:
    """Run `python -m flow WORDS`, which ends by a signal to all of its processes; exit code and what was printed.

    Args:
        words: the command (train, train-cnn) and its options.
        runs: how many runs (train) or steps (train-cnn) are over when it comes, in the middle of the next one (train)
            or at its end.
        directory: for what the simulation loads beside its bench.
    """
    bench, trainer, simulation, run, kind = _ENGINES[words[0]]
    told = {"run": run, "kind": kind, "runs": runs, "signal": int(with_signal)}
    text = _BENCH.format(bench=bench, trainer=trainer, **told)
    (directory / "stopping_bench.py").write_text(text)
    main = _MAIN.format(directory=str(directory), root=str(ROOT), simulation=simulation)
    done = subprocess.run(
        [sys.executable, "-E", "-X", "utf8", "-c", main, *words],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, timeout=600,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout
