# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: rtl/pe_array/drain_store.v with tile_drain.v and requantise.v, for descriptors without errors."""

from __future__ import annotations

from collections import deque

from models.pe_array import descriptors as d
from models.pe_array.map_timing import DrainTiming
from models.pe_array.map_transfer import DrainCommand
from models.pe_array.port_clocks import Beats

CHECK = 4
"""Clocks in which the lengths of a DRAIN are compared."""
PIPE = 3
"""Stages of requantise."""
PENDING = 127
"""Most write commands that are not answered."""


class PipeClocks:
    """rtl/pe_array/pipe_control.v: stages that move where there is room.

    Args:
        stages: at least 1.
    """

    def __init__(self, stages: int) -> None:
        self._valid = [False] * stages

    @property
    def valid(self) -> bool:
        """The last stage holds a word."""
        return self._valid[-1]

    def ready(self, m_ready: bool) -> bool:
        return m_ready or not all(self._valid)

    def clock(self, valid: bool, m_ready: bool) -> None:
        """One clock, with a word or none."""
        moves, before = m_ready, [valid, *self._valid]
        for stage in reversed(range(len(self._valid))):
            moves = moves or not before[stage + 1]
            if moves:
                self._valid[stage] = before[stage]


class DrainClocks:
    """OUTPUT and DRAIN.

    Attributes:
        drain: rtl/pe_array/tile_drain.v.
        done: pulse.

    Args:
        pes, lanes, y_depth: P, B, Y_DEPTH.
    """

    def __init__(self, pes: int, lanes: int, y_depth: int) -> None:
        self.drain = DrainTiming(pes, y_depth)
        self._lanes = lanes
        self._pipe = PipeClocks(PIPE)
        self._output: d.Output | None = None
        self._state = 0  # 0 idle, 1 … CHECK: lengths are compared, CHECK + 1: run
        self._offer: DrainCommand | None = None
        self._writes: deque[Beats] = deque()
        self._reads: deque[Beats] = deque()
        self._pending = 0
        self._commanded = False
        self.done = False

    @property
    def idle(self) -> bool:
        return self._state == 0

    def d_ready(self, _descriptor: d.Descriptor, _rd_cmd_ready: bool) -> bool:
        return self._state == 0

    @property
    def _runs(self) -> bool:
        return self._state > CHECK

    @property
    def read(self) -> Beats | None:
        """Command at the read port."""
        return self._reads[0] if self._reads and self._runs else None

    @property
    def write(self) -> Beats | None:
        """Command at the write port."""
        return self._writes[0] if self._writes and self._runs and self._pending != PENDING else None

    @property
    def word(self) -> bool:
        """A beat stands at the write port."""
        return self._pipe.valid

    def _mask(self) -> bool:
        return self._output is not None and self._output.use_mask

    def rd_ready(self, wr_ready: bool) -> bool:
        return self._pipe.ready(wr_ready) and self._mask() and self.drain.word is not None and self._runs

    def clock(
        self, took: d.Descriptor | None, rd_cmd_ready: bool, beat: bool, wr_cmd_ready: bool, wr_ready: bool,
        answer: bool,
    ) -> None:  # fmt: skip
        """One clock.

        Args:
            took: descriptor that is taken, while idle.
            rd_cmd_ready, wr_cmd_ready: the ports take commands.
            beat: of a mask stands at the read port.
            wr_ready: the write port takes a beat.
            answer: a write command is answered.
        """
        masked = beat or not self._mask()
        word = self.drain.word is not None and self._runs
        drain_ready = self._pipe.ready(wr_ready) and masked and self._runs
        command = self.write is not None and wr_cmd_ready
        last = command and len(self._writes) == 1
        ends = self._runs and self._commanded and not self._pending
        asks = self.read is not None and rd_cmd_ready
        offer, took_offer = self._offer, self._offer is not None and self.drain.cmd_ready
        self._pipe.clock(word and masked, wr_ready)
        self.drain.clock(offer, drain_ready)

        if took_offer:
            self._offer = None
        if command:
            self._writes.popleft()
        if asks:
            self._reads.popleft()
        self._pending += command - answer
        self._commanded = self._state > 0 and (self._commanded or last)
        if 0 < self._state <= CHECK:
            self._state += 1
        self.done = ends
        if ends:
            self._state = 0
        if isinstance(took, d.Output):
            self._output = took
        elif isinstance(took, d.Drain):
            self._begin(took)

    def _begin(self, drain: d.Drain) -> None:
        assert self._output is not None
        self._state = 1
        self._offer = DrainCommand(
            drain.slots, drain.channels, drain.channels_last, drain.height, drain.width, drain.tile_height,
            drain.tile_width, drain.sy_log2, drain.sx_log2, drain.ybase, drain.ystride,
        )  # fmt: skip
        self._writes.extend(self._pattern(self._output, self._output.address))
        if self._output.use_mask:
            self._reads.extend(self._pattern(self._output, self._output.mask))

    def _pattern(self, output: d.Output, address: int) -> list[Beats]:
        first = address // self._lanes
        return [
            Beats(first + group * output.group_stride + run * output.run_stride, output.run_beats)
            for group in range(output.groups)
            for run in range(output.runs)
        ]
