# SPDX-License-Identifier: Apache-2.0
"""Simulations of several arrays, each a process of its own, meet in a directory: each leaves a file and reads all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from models.lib.whole_file import part_of, write_text, written
from models.pe_array.training.job import STOPPED

_NAP_SECONDS = 0.02


class Stopped(Exception):
    """Another simulation has stopped; the message says why."""


class Meetings:
    """One of the simulations.

    Args:
        directory: that all of them have, without files of others.
        number: of this one, of so many.
        watch: is called now and then while it waits; what it raises ends that.
    """

    def __init__(self, directory: Path, number: int, count: int, watch: Callable[[], None]) -> None:
        self._directory, self._number, self._count, self._watch = directory, number, count, watch
        self._before: Path | None = None

    def meet(self, name: str, brought: bytes) -> list[bytes]:
        """What everybody brought, in their order, when all are there.

        Args:
            name: of the meeting, which no other one of the directory has.

        Raises:
            Stopped: somebody will not come.
        """
        mine = self._file(name, self._number)
        with written(mine) as (out,):
            out.write(brought)
        waiting = {number: self._file(name, number) for number in range(self._count)}
        found: dict[int, bytes] = {}
        while waiting:
            for number, file in list(waiting.items()):
                if file.is_file():
                    found[number] = file.read_bytes()
                    del waiting[number]
            if waiting:
                self._may_go_on()
                time.sleep(_NAP_SECONDS)
        if self._before:  # all are here, so all have read what was brought to the meeting before
            self._before.unlink()
        self._before = mine
        return [found[number] for number in range(self._count)]

    def stop(self, why: str) -> None:
        """Tell the others that nobody will come any more."""
        write_text(self._directory / f"{STOPPED}.{self._number}", why)

    def _may_go_on(self) -> None:
        self._watch()
        for file in self._directory.glob(f"{STOPPED}.*"):
            if file != part_of(file.with_suffix("")):
                raise Stopped(file.read_text())

    def _file(self, name: str, number: int) -> Path:
        return self._directory / f"{name}.{number}"
