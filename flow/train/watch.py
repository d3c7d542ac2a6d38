# SPDX-License-Identifier: Apache-2.0
"""Progress of a training on the terminal: follows the events that tb/edge/runs/train.py writes."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any, Protocol, TextIO

_POLL_SECONDS = 0.1
_LINE_SECONDS = 10.0
"""How often a line is printed where the output is no terminal."""
_BAR = 20


def duration(seconds: float) -> str:
    """As 1:02 or 1:02:03."""
    total = max(0, round(seconds))
    hours, rest = divmod(total, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


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
        filled = round(_BAR * done / of)
        name = "test " if tests else "epoch"
        accuracy = f"{correct / done:.2%}" if done else "-"
        return (
            f"{name} {self.current['epoch'] + 1}/{self.epochs} [{'#' * filled}{'.' * (_BAR - filled)}] "
            f"{done:,}/{of:,}  {rate:,.0f} samples/s  accuracy {accuracy}  ETA {left}"
        )


class Shown(Protocol):
    """What a watcher tells events, and asks what to show."""

    def take(self, event: dict[str, Any]) -> str | None:
        """Note an event; the line that is worth printing for good, if it is."""

    def line(self) -> str:
        """Where the training is now."""


class Watcher:
    """Shows the events of a file while a `with` block runs: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, path: Path, progress: Shown, out: TextIO | None = None) -> None:
        self.path, self.progress = path, progress
        self.out = out or sys.stdout
        self.live = self.out.isatty()
        self.shown = time.monotonic()
        self.position = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Watcher:
        self.path.unlink(missing_ok=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        self._show()
        self._clear()

    def _follow(self) -> None:
        while not self.ended.wait(_POLL_SECONDS):
            self._show()

    def _show(self) -> None:
        fresh = False
        for event in self._events():
            fresh = True
            if line := self.progress.take(event):
                self._clear()
                print(line, file=self.out, flush=True)
        if self.live and fresh:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{self.progress.line()[:width]}", end="", file=self.out, flush=True)
        elif fresh and time.monotonic() - self.shown >= _LINE_SECONDS:
            self.shown = time.monotonic()
            print(self.progress.line(), file=self.out, flush=True)

    def _events(self) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        with self.path.open() as file:
            file.seek(self.position)
            lines = file.read()
        complete = lines[: lines.rfind("\n") + 1]
        self.position += len(complete.encode())
        return [json.loads(line) for line in complete.splitlines()]

    def _clear(self) -> None:
        if self.live:
            print("\r\033[K", end="", file=self.out, flush=True)
