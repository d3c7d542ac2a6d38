# SPDX-License-Identifier: Apache-2.0
"""The float64 twin of a training, computed in a process of its own while the simulator works."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from flow.paths import ROOT, FlowError
from models.edge.float_twin import FloatTwin
from models.edge.interleaver import Connectivity
from models.edge.job import EdgeJob, steps
from models.edge.network import EdgeNetwork
from models.edge.training import RawData
from models.lib.data_sets.source import check_unchanged


def accuracies(path: Path) -> list[float]:
    """Test accuracy of the twin after each epoch of the training of a job."""
    job = EdgeJob.load(path)
    config = job.configuration()
    data = RawData.load(config)
    check_unchanged(data.source, job.source)
    twin = FloatTwin(EdgeNetwork(config, Connectivity.generate(config)))
    found = []
    for step in steps(config, data, job.samples, job.epochs):
        x, labels = data.presented(step.run.epoch, step.tests)
        result = twin.run(x, labels, step.run.mode, step.run.lr_shift, step.run.order)
        if step.tests:
            found.append(result.correct / len(step.run.order))
    return found


class TwinProcess:
    """Computes ``accuracies`` beside a `with` block, which may end before it."""

    def __init__(self, path: Path) -> None:
        self.command = [sys.executable, "-m", __name__, str(path)]

    def __enter__(self) -> TwinProcess:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
        return self

    def result(self) -> list[float]:
        """Wait for the accuracies. Raises FlowError."""
        output, errors = self.process.communicate()
        if self.process.returncode:
            raise FlowError(f"the float64 twin failed: {(errors.splitlines() or ['it was killed'])[-1]}")
        found: list[float] = json.loads(output)
        return found

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the business of the parent
    print(json.dumps(accuracies(Path(sys.argv[1]))))
