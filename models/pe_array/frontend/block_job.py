# SPDX-License-Identifier: Apache-2.0
"""What a compiled network in simulation is to do where all of its memory is compared: for flow/ and the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.lib.job_file import JobFile
from models.lib.whole_file import written
from models.pe_array.frontend.program_file import Bytes

AFTER = "memory_after.npy"


@dataclass(frozen=True)
class BlockJob(JobFile):
    """What to do.

    Attributes:
        directory: where events and, on failure, the mismatch are written.
        program: folder of the program's files, whose memory has a batch in it, and of AFTER: that memory afterwards.
    """

    directory: str
    program: str

    def save_after(self, memory: Bytes) -> None:
        """What must be in memory at the end."""
        with written(Path(self.program) / AFTER) as (file,):
            np.save(file, memory)

    @property
    def after(self) -> Bytes:
        """What ``save_after`` wrote."""
        loaded: Bytes = np.load(Path(self.program) / AFTER)
        return loaded
