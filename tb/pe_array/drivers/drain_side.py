# SPDX-License-Identifier: Apache-2.0
"""The drain of a grid as the store engine sees it: it takes commands, gives random words, refuses what is illegal."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from models.lib.fixed_point import IntArray
from models.pe_array.isa.commands import DRAIN_COMMAND
from models.pe_array.isa.descriptors import Drain
from models.pe_array.isa.map_transfer import DrainCommand
from tb.lib import values
from tb.lib.bench import Bench
from tb.lib.lanes import pack
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside

FIRST_WORD = 1
"""Clocks from a command to its first word, at least: fewer than a grid needs. To an error it is three."""


def drain_command(drain: Drain) -> DrainCommand:
    """The command of a descriptor."""
    return DrainCommand(**{name: getattr(drain, name) for name in DRAIN_COMMAND.order})


@dataclass
class _Job:
    words: deque[int]
    due: int


class DrainSide(Beside):
    """Serves drain_cmd_* and drain_* from the moment it is made; a reset forgets all.

    Attributes:
        pes: of the grid; it decides what is legal.
        gaps: pauses of "drain_cmd" and "drain".
        expected: commands that must come, with their accumulators (words, B).
    """

    def __init__(self, b: Bench, pes: int = 64) -> None:
        super().__init__(b)
        self.pes = pes
        self.gaps = Gaps(b, "drain_cmd", "drain")
        self.expected: deque[tuple[Drain, IntArray]] = deque()
        self.reset()
        b.drive(drain_cmd_ready=0, drain_cmd_error=0, drain_valid=0)

    def expect(self, drain: Drain, most: int = 1 << 20, accumulators: IntArray | None = None) -> IntArray:
        """A command that must come; its accumulators, signed, (words, B): at most so many, none if it is illegal."""
        command = drain_command(drain)
        words = min(command.words, most) if command.legal(self.pes) else 0
        if accumulators is None:
            accumulators = values.signed(self.b, int(self.b.params["ACC"]), (words, int(self.b.params["B"])))
        self.expected.append((drain, accumulators))
        return accumulators

    def reset(self) -> None:
        """Nothing is under way, and nothing must come."""
        self._jobs: deque[_Job] = deque()
        self._error_at: int | None = None
        self._offered = False
        self._cmd_ready = False
        self.expected.clear()

    def _take_command(self) -> None:
        params = self.b.params
        drain, accumulators = self.expected.popleft()
        fields = {name: getattr(drain, name) for name in DRAIN_COMMAND.order}
        self.b.equal("drain_cmd", self.b.see("drain_cmd"), DRAIN_COMMAND.pack(fields))
        if len(accumulators):
            words = deque(pack(word, int(params["ACC"])) for word in accumulators)
            self._jobs.append(_Job(words, self.clock + FIRST_WORD + self.b.rng.randrange(16)))
        else:
            self._error_at = self.clock + 2  # driven one clock later

    def look(self) -> None:
        """A word that was taken, and a command."""
        if self._offered and self.b.high("drain_ready"):
            self._offered = False
            self._jobs[0].words.popleft()
            if not self._jobs[0].words:
                self._jobs.popleft()
        if self._cmd_ready and self.b.high("drain_cmd_valid"):
            self._take_command()

    def drive(self) -> None:
        """Room for a command, the error of one, and the next word."""
        b, rng = self.b, self.b.rng
        self._cmd_ready = self.gaps.go("drain_cmd")
        b.drive(drain_cmd_ready=self._cmd_ready, drain_cmd_error=self._error_at == self.clock)
        if not self._offered:
            self._offered = bool(self._jobs) and self._jobs[0].due <= self.clock and self.gaps.go("drain")
            if self._offered:
                b.drive(drain_data=self._jobs[0].words[0], drain_last=len(self._jobs[0].words) == 1)
            elif rng.random() < 0.1:
                width = int(b.params["B"]) * int(b.params["ACC"])
                b.drive(drain_data=rng.getrandbits(width), drain_last=rng.getrandbits(1))
        b.drive(drain_valid=self._offered)
