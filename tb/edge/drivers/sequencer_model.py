# SPDX-License-Identifier: Apache-2.0
"""What a sequencer must show in every clock (docs/edge/schedule.md)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from models.edge.config import Mode

FREE_DELAY = 8  # clocks from the end of a sample's first pass until its slot may be written
CLOSING = 16  # clocks of a run after its last pass


@dataclass(frozen=True)
class Inputs:
    """Inputs of one clock."""

    start: bool
    stop: bool
    mode: Mode
    nsamples: int
    lr_shift: int
    frame_valid: bool
    out_room: bool


class Phase(Enum):
    """What a sequencer is doing."""

    IDLE = 0
    RUN = 1
    CLOSE = 2


class SequencerModel:
    """A sequencer of `cp` clocks per pass and a pipeline of `depth` passes, stepped clock by clock."""

    def __init__(self, cp: int, depth: int) -> None:
        self.cp, self.depth = cp, depth
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.phase = Phase.IDLE
        self.mode = Mode.PIPELINED
        self.countdown = 0  # clocks to the next pass boundary; in CLOSE: to the end
        self.left: int | None = 0  # samples to come; None: until stop
        self.samples = deque([False] * (self.depth + 1))  # by passes since admission
        self.freed = deque([False] * FREE_DELAY)
        self.lr: int | None = None  # of the present pass
        self.pass_began = self.ended = False

    def clock(self, pins: Inputs) -> dict[str, int | None]:
        """Outputs in a clock with these inputs; None: of no meaning. The model is in the next clock then."""
        busy = self.phase != Phase.IDLE
        outputs: dict[str, int | None] = {
            "busy": busy,
            "done": self.ended,
            "pass_start": self.pass_began,
            "tokens": sum(present << age for age, present in enumerate(self.samples)),
            "train": self.mode != Mode.INFERENCE if busy else None,
            "pass_lr": self.lr,
            "frame_free": self.freed.popleft(),
            "stall": 0,
            "admit": 0,
        }
        self.pass_began = self.ended = leaves = False
        if self.phase == Phase.RUN:
            if pins.stop:
                self.left = 0
            if self.countdown:
                self.countdown -= 1
            else:
                leaves = self._boundary(pins, outputs)
        elif self.phase == Phase.CLOSE:
            self.countdown -= 1
            if not self.countdown:
                self.phase, self.ended = Phase.IDLE, True
        elif pins.start:
            self.phase, self.mode, self.countdown = Phase.RUN, pins.mode, 0
            self.left = pins.nsamples or None
        self.freed.append(leaves)
        return outputs

    def _boundary(self, pins: Inputs, outputs: dict[str, int | None]) -> bool:
        """A pass begins, or is waited for, or the run closes. True if FF of junction 1 is done with a sample."""
        in_flight = any(list(self.samples)[: self.depth])
        wanted = self.left != 0 and (self.mode != Mode.SEQUENTIAL or not in_flight)
        admit = wanted and pins.frame_valid and pins.out_room
        if wanted and not admit:
            outputs["stall"] = 1
            return False
        if self.left == 0 and not in_flight:
            self.samples = deque([False] * (self.depth + 1))
            self.phase, self.countdown, self.lr = Phase.CLOSE, CLOSING - 1, None
            return False
        leaves = self.samples[0]
        outputs["admit"] = int(admit)
        self.samples.pop()
        self.samples.appendleft(admit)
        if admit and self.left is not None:
            self.left -= 1
        self.pass_began, self.lr, self.countdown = True, pins.lr_shift, self.cp - 1
        return leaves
