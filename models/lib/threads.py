# SPDX-License-Identifier: Apache-2.0
"""Work in parts, on several cores: compiled functions that do without Python's lock run at the same time."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

PARTS = 4
"""Parts of the work for each thread, so that none waits long for another that had a slower core."""
Work = Callable[[int, int], int | None]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Threads:
    """The threads of this process, which begin when they are first used.

    Attributes:
        count: of threads; a new one takes effect with the next work.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ThreadPoolExecutor | None = None
        self._own = threading.local()

    def reset(self, count: int) -> None:
        """Begin anew, with that many."""
        self.count, self._pool = count, None

    @property
    def inside(self) -> bool:
        """This is one of the threads: it would wait for ever for others that wait for it."""
        return getattr(self._own, "inside", False)

    def run(self, work: Work, ranges: Iterable[tuple[int, int]]) -> int:
        """Call the work for all ranges; the sum of what it gives back."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.count, "edgeloom", lambda: setattr(self._own, "inside", True))
        return sum(given or 0 for given in self._pool.map(lambda each: work(*each), ranges))


_threads = _Threads(cores())


def use(count: int) -> int:
    """Use that many threads from now on (one: none but the caller's); the number until now."""
    before = _threads.count
    _threads.reset(count)
    return before


def count() -> int:
    """Threads in use: at first, one per core."""
    return _threads.count


def split(work: Work, items: int, least: int = 1) -> int:
    """Call work(first, end) for ranges that together are 0 … items, at once on several cores; inside of work, for all.

    Args:
        work: must come to the same in whatever ranges, in any order.
        least: items in a range that are worth a thread.

    Returns the sum of what the calls give back.
    """
    parts = min(PARTS * _threads.count, items // max(least, 1))
    if parts < 2 or _threads.count == 1 or _threads.inside:
        return (work(0, items) or 0) if items else 0
    return _threads.run(work, itertools.pairwise(items * k // parts for k in range(parts + 1)))


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=lambda: use(count()))
