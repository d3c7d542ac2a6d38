# SPDX-License-Identifier: Apache-2.0
"""Signs of life of a long computation, on the error output: nothing where it is short."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Self

QUIET = 0.7
"""Seconds before the first sign."""
EVERY = 1.0
"""Seconds from the first sign to the second; from there to the next twice as many, and so on."""


class Telling:
    """Says what a computation is doing: ``with Telling() as tell: tell("…")``, as often as there is something new.

    What has been told last is printed once ``QUIET`` seconds have passed, and then, where it has changed, ever more
    rarely: by a thread, so that a step that takes long is named while it is under way.
    """

    def __init__(self) -> None:
        self._text = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._print, daemon=True)

    def __call__(self, text: str) -> None:
        """What is being done from now on."""
        self._text = text

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _print(self) -> None:
        shown, wait, pause = "", QUIET, EVERY
        while not self._over.wait(wait):
            if self._text != shown:
                shown, wait, pause = self._text, pause, 2 * pause
                print(shown, file=sys.stderr, flush=True)


def silent(text: str) -> None:
    """In place of a ``Telling``: nothing is said."""
