# SPDX-License-Identifier: Apache-2.0
"""Rows of a campaign: kept at once as they come, and one file at the end that is the same whoever computed it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flow.farm.crew import work
from flow.farm.job import FAILED, Done, Job, Row, due
from flow.run_directory import Writer, text_writer
from models.lib.telling import Telling
from studies.kept import keeper, known

RESULTS = "results.jsonl"
"""All rows, in the order of the campaign: equal campaigns make equal files."""
KEPT = "kept.jsonl"
"""Rows in the order in which they came, with seconds and machines: from there RESUME=1 goes on."""


class Table:
    """The rows of a campaign.

    Attributes:
        resumed: rows that were known before.
        stopped: why it came to no end; empty if it did, or the user stopped it.
    """

    def __init__(self, jobs: Sequence[Job], directory: Path, study: str) -> None:
        """
        Args:
            directory: has the file of rows that are kept.
            study: key of all that a row rests on beside its own key: rows of another study do not count.
        """
        self.jobs = jobs
        self.order = [key for job in jobs for key in job.rows]
        self._keep = keeper(directory / KEPT, study)
        before = known(directory / KEPT, study)
        self._kept: dict[str, dict[str, Any]] = {
            key: before[key] for key in self.order if key in before and FAILED not in before[key]["row"]
        }
        self.resumed = len(self._kept)
        self.stopped = ""
        self._failures = 0  # so far: `failed` goes through all rows

    def add(self, done: Done) -> None:
        """Keep the rows of a job."""
        for key, row in done.rows().items():
            kept = {"row": row, "seconds": round(done.seconds / len(done.job.rows), 2), "host": done.host}
            self._keep(key, kept)
            self._kept[key] = kept
            self._failures += FAILED in row

    @property
    def rows(self) -> list[Row]:
        """Those that are there, in order."""
        return [self._kept[key]["row"] for key in self.order if key in self._kept]

    @property
    def seconds(self) -> dict[str, float]:
        """That each row took, by key."""
        return {key: self._kept[key]["seconds"] for key in self.order if key in self._kept}

    @property
    def whole(self) -> bool:
        """No row is missing."""
        return len(self._kept) == len(self.order)

    @property
    def failed(self) -> list[Row]:
        """Rows without a result."""
        return [row for row in self.rows if FAILED in row]

    def failure(self, what: str) -> str | None:
        """Why the campaign has failed, if it has; `what`: its rows, for people."""
        failed = len(self.failed)
        return self.stopped or (f"{failed} of {len(self.order)} {what} have failed" if failed else None)

    def writer(self) -> Writer:
        """Writes the file of results."""
        return text_writer("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows))

    def fill(self, address: str, what: str) -> None:
        """Do what is missing, on the workers of `address` (``crew.work``), and say how far it has come.

        Args:
            what: the campaign, for messages.
        """
        jobs = due(self.jobs, self._kept)
        if self.resumed:
            print(f"{what}: {self.resumed} of {len(self.order)} are known", flush=True)
        try:
            with Telling() as tell, contextlib.closing(work(jobs, address, _say)) as ends:
                for done in ends:
                    self.add(done)
                    text = done.outcome.text or (f"FAIL  {done.job.name}: {done.failure}" if done.failure else "")
                    if text:
                        print(text, flush=True)
                    tell(f"{what}: {len(self._kept)} of {len(self.order)}, {self._failures} have failed")
        except KeyboardInterrupt:
            print(f"{what}: {len(self._kept)} of {len(self.order)} are kept; RESUME=1 goes on from there", flush=True)
            raise
        except BaseException as error:
            self.stopped = str(error) or type(error).__name__
            raise


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
