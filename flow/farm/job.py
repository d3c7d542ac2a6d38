# SPDX-License-Identifier: Apache-2.0
"""A job: what a worker is to call, and the rows that come of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
"""Of the file of results; what JSON can say."""
FAILED = "failed"
"""Key of a row that has no result: what failed, and why."""


@dataclass(frozen=True)
class Job:
    """Work for one worker.

    Attributes:
        name: that no other job of the campaign has.
        function: ``package.module:name``, called with ``arguments`` as keywords. It gives back an ``Outcome``.
        arguments: what JSON can say.
        rows: what is known beforehand of every row that the job makes, by the row's key.
        after: name of a job that must have succeeded before; none if empty.
    """

    name: str
    function: str
    arguments: Mapping[str, Any]
    rows: Mapping[str, Row] = field(default_factory=dict)
    after: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a job's function gives back.

    Attributes:
        rows: what each of the job's rows has beside what was known, by key; with ``FAILED`` where it has failed.
        text: to be printed at once, if any.
    """

    rows: Mapping[str, Row] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class Done:
    """A job that has come to its end.

    Attributes:
        failure: why there is no outcome: an error in the job, workers that died of it; empty if there is one.
        seconds: that it took.
        host: machine that did it.
    """

    job: Job
    outcome: Outcome
    failure: str = ""
    seconds: float = 0.0
    host: str = ""

    def rows(self) -> dict[str, Row]:
        """All rows of the job, by key."""
        rows = self.outcome.rows
        if self.failure:
            rows = {key: {FAILED: {f"({self.job.name})": self.failure}} for key in self.job.rows}
        return {key: {"key": key, **known, **rows[key]} for key, known in self.job.rows.items()}


def due(jobs: Iterable[Job], known: Mapping[str, Row]) -> list[Job]:
    """The jobs whose rows are not all known, and those that must come before them."""
    missing = {job.name for job in jobs if any(key not in known for key in job.rows)}
    wanted = {job.after for job in jobs if job.name in missing}
    return [job for job in jobs if job.name in missing or job.name in wanted]
