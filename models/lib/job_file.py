# SPDX-License-Identifier: Apache-2.0
"""Jobs for a simulator: a file says what to do, others what has become of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from models.lib.whole_file import write_text

CHECKPOINT = "checkpoint.npz"
EVENTS = "events.jsonl"
MISMATCH = "mismatch.json"
"""In the job's directory: where to go on from, what happens, and what differed."""


class Mismatch(AssertionError):
    """A simulated engine gave something else than the model; the text names the first such element.

    Attributes:
        count: elements that differ in what was being compared.
    """

    def __init__(self, text: str, count: int = 1) -> None:
        super().__init__(text)
        self.count = count

    def write(self, directory: Path) -> None:
        """Leave it in the job's directory."""
        write_text(directory / MISMATCH, json.dumps({"text": str(self), "count": self.count}) + "\n")


@dataclass(frozen=True)
class JobFile:
    """What to do; a job adds its fields."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote."""
        return cls(**json.loads(path.read_text()))

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_text(path, json.dumps(asdict(self), indent=1) + "\n")
