# SPDX-License-Identifier: Apache-2.0
"""What an inference in simulation is to do: for flow/ and the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.lib.job_file import JobFile
from models.lib.whole_file import written
from models.pe_array.clocks.pe_array import Sizes
from models.pe_array.frontend.program_file import InferenceProgram, Int8Array
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
        directory: where events and, on failure, the mismatch are written.
        program: folder of the program's files.
        batches: file of ``images`` int8 (n, C, H, W, B) and ``outputs`` int8 (n, classes, B), what must come out.
    """

    directory: str
    program: str
    batches: str


def save_batches(path: Path, images: Int8Array, outputs: Int8Array) -> None:
    """Write them; see ``InferenceJob``."""
    with written(path) as (file,):
        np.savez(file, images=images, outputs=outputs)


def parameters(program: InferenceProgram) -> dict[str, int]:
    """HDL parameters of the harness, whose memory has room for a program."""
    beats = 1 << (program.size // program.lanes).bit_length()
    return harness.parameters(program.grid, beats, _LOGIT_FRAC, LATENCY, OUTSTANDING, program.widths)
