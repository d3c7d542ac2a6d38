# SPDX-License-Identifier: Apache-2.0
"""What an inference in simulation is to do, and how far it has come: for flow/ and the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.lib import checkpoint
from models.lib.job_file import CHECKPOINT, JobFile
from models.lib.toml_section import COUNT_MAX, SECONDS_MAX, Section
from models.lib.whole_file import written
from models.pe_array.frontend.program_file import InferenceProgram, Int8Array
from models.pe_array.isa.registers import Counter
from models.pe_array.isa.sizes import Sizes
from models.pe_array.training import harness

BATCHES = "batches.npz"
LATENCY, OUTSTANDING = 48, 16
"""Of the memory, as in the tables of studies: clocks of its latency, and bursts that a port may have on their way."""
SIZES = Sizes(LATENCY, outstanding=OUTSTANDING)
"""The array that clocks are predicted for."""
_LOGIT_FRAC = 4
"""Parameter FRAC, which only trainings use."""


@dataclass(frozen=True)
class InferenceJob(JobFile):
    """What to do.

    Attributes:
        directory: where checkpoint, events and, on failure, the mismatch are written.
        program: folder of the program's files.
        batches: file of ``images`` int8 (n, C, H, W, B) and ``outputs`` int8 (n, classes, B), what must come out.
        identity: text that is equal for jobs that can go on from each other's checkpoints.
        resume: go on from the checkpoint.
    """

    directory: str
    program: str
    batches: str
    identity: str
    resume: bool

    def save_done(self, done: list[dict[str, Any]]) -> None:
        """Write the checkpoint: events of the batches that were right."""
        checkpoint.write(Path(self.directory) / CHECKPOINT, self.identity, {"batches": done}, {})

    def load_done(self) -> list[dict[str, Any]]:
        """What the checkpoint holds, nothing where the job begins anew. CheckpointError where it cannot be used."""
        if not self.resume:
            return []
        path = Path(self.directory) / CHECKPOINT
        state, _ = checkpoint.read(path, self.identity, {}, "program, RTL, simulator or choice of pictures")
        try:
            record = Section(state, "state")
            batches = record.tables("batches")
            for number, each in enumerate(batches):
                _check_event(each, number)
            record.finish()
        except ValueError as error:
            raise checkpoint.damaged(path, error) from None
        return [each.values for each in batches]


def _check_event(event: Section, number: int) -> None:
    event.fixed("event", "batch")
    event.integer("batch", number, number)
    for name in ("compared", "clocks"):
        event.integer(name, 0, COUNT_MAX)
    event.real("seconds", 0.0, SECONDS_MAX)
    event.counts("counters", *Counter.__members__)
    event.numbers("groups", 0, COUNT_MAX, None, 2)
    event.finish()


def save_batches(path: Path, images: Int8Array, outputs: Int8Array) -> None:
    """Write them; see ``InferenceJob``."""
    with written(path) as (file,):
        np.savez(file, images=images, outputs=outputs)


def parameters(program: InferenceProgram) -> dict[str, int]:
    """HDL parameters of the harness, whose memory has room for a program."""
    beats = 1 << (program.size // program.lanes).bit_length()
    return harness.parameters(program.grid, beats, _LOGIT_FRAC, LATENCY, OUTSTANDING, program.widths)
