# SPDX-License-Identifier: Apache-2.0
"""How far a training of the edge engine is, and how that is shown."""

from __future__ import annotations

import time
from typing import Any

from flow.train.watch import bar, duration


class Progress:
    """What is known of a training under way, and how it is shown."""

    def __init__(self, epochs: int, samples: int, tests: int, history: list[dict[str, Any]]) -> None:
        """`samples` and `tests` per epoch; `history` holds the runs done before (records of events "run")."""
        self.epochs, self.samples, self.tests = epochs, samples, tests
        self.total = epochs * (samples + tests)
        self.finished = 0  # samples of finished runs
        self.current: dict[str, Any] = {"epoch": 0, "tests": False, "done": 0, "correct": 0}
        self.before = (0, 0)  # samples and correct predictions of the finished runs of this epoch
        self.start: tuple[float, int] | None = None  # time of the first progress, and the samples done by then
        for record in history:
            self.take({"event": "run", **record})

    def take(self, event: dict[str, Any]) -> str | None:
        """Note an event; the line that is worth printing for good, if it is."""
        if event["event"] == "progress":
            self.current = event
            if self.start is None:
                self.start = time.monotonic(), self.finished + event["done"]
        elif event["event"] == "run":
            done, correct = event["samples"], event["correct"]
            self.finished += done
            done, correct = (done, correct) if event["tests"] else (self.before[0] + done, self.before[1] + correct)
            self.current = {"epoch": event["epoch"], "tests": event["tests"], "done": 0, "correct": 0}
            self.before = (0, 0) if event["tests"] else (done, correct)
            epoch = f"epoch {event['epoch'] + 1} of {self.epochs}"
            if event["tests"]:
                return f"{epoch}: {correct / done:.2%} of {done:,} test images right"
            if done == self.samples:
                return f"{epoch}: {correct / done:.2%} right while training on {done:,} samples"
        return None

    def line(self) -> str:
        """Where the training is now."""
        tests, done, correct = self.current["tests"], self.current["done"], self.current["correct"]
        all_done = self.finished + done
        of = self.tests if tests else self.samples
        if not tests:
            done, correct = done + self.before[0], correct + self.before[1]
        since, skipped = self.start or (time.monotonic(), all_done)
        elapsed = time.monotonic() - since
        rate = (all_done - skipped) / elapsed if elapsed > 0 else 0.0
        left = duration((self.total - all_done) / rate) if rate > 0 else "?"
        name = "test " if tests else "epoch"
        accuracy = f"{correct / done:.2%}" if done else "-"
        return (
            f"{name} {self.current['epoch'] + 1}/{self.epochs} {bar(done, of)} "
            f"{done:,}/{of:,}  {rate:,.0f} samples/s  accuracy {accuracy}  ETA {left}"
        )
