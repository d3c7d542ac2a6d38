# SPDX-License-Identifier: Apache-2.0
"""Progress of a training on the terminal: follows the events that the simulator writes."""

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


def bar(done: int, total: int) -> str:
    """So much of it."""
    filled = round(_BAR * done / total)
    return f"[{'#' * filled}{'.' * (_BAR - filled)}]"


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
