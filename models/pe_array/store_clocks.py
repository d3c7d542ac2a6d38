# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: rtl/pe_array/store_engine.v, one part at work at a time, for descriptors without errors."""

from __future__ import annotations

from collections.abc import Sequence

from models.pe_array import descriptors as d
from models.pe_array.collect_clocks import CollectClocks
from models.pe_array.drain_clocks import DrainClocks
from models.pe_array.map_timing import Read
from models.pe_array.port_clocks import Beats
from models.pe_array.update_clocks import DeltaClocks, UpdateClocks

Part = DrainClocks | CollectClocks | UpdateClocks | DeltaClocks


class StoreClocks:
    """The store engine. Outputs of a clock are its properties.

    Args:
        pes, lanes, y_depth: P, B, Y_DEPTH.
    """

    def __init__(self, pes: int, lanes: int, y_depth: int) -> None:
        self._drain, self._collect = DrainClocks(pes, lanes, y_depth), CollectClocks(pes, lanes)
        self._update, self._delta = UpdateClocks(lanes), DeltaClocks(lanes)
        self._parts: tuple[Part, ...] = (self._drain, self._collect, self._update, self._delta)
        self._part: Part = self._drain

    @property
    def drained(self) -> Read | None:
        """What a drain reads."""
        return self._drain.drain.read

    @property
    def idle(self) -> bool:
        return all(part.idle for part in self._parts)

    @property
    def done(self) -> bool:
        return any(part.done for part in self._parts)

    @property
    def read(self) -> Beats | None:
        """Command at the read port."""
        return self._part.read

    @property
    def write(self) -> Beats | None:
        """Command at the write port."""
        return self._part.write

    @property
    def word(self) -> bool:
        """A beat stands at the write port."""
        return self._part.word

    def rd_ready(self, wr_ready: bool) -> bool:
        return self._part.rd_ready(wr_ready)

    def _of(self, descriptor: d.Descriptor) -> Part:
        if isinstance(descriptor, d.Output | d.Drain):
            return self._drain
        if isinstance(descriptor, d.Slot | d.Collect):
            return self._collect
        return self._update if isinstance(descriptor, d.Update) else self._delta

    def d_ready(self, descriptor: d.Descriptor, rd_cmd_ready: bool) -> bool:
        part = self._of(descriptor)
        return (part is self._part or self.idle) and part.d_ready(descriptor, rd_cmd_ready and part is self._part)

    def enters(self, given: Sequence[bool]) -> list[bool]:
        """Slots whose gradients are taken."""
        return self._collect.enters(given)

    def clock(
        self, took: d.Descriptor | None, rd_cmd_ready: bool, beat: bool, wr_cmd_ready: bool, wr_ready: bool,
        answer: bool, given: Sequence[bool],
    ) -> None:  # fmt: skip
        """One clock.

        Args:
            took: descriptor that is taken, or None.
            rd_cmd_ready, wr_cmd_ready: the ports take commands.
            beat: stands at the read port.
            wr_ready: the write port takes a beat.
            answer: a write command is answered.
            given: slots that have a sum of gradients.
        """
        of = None if took is None else self._of(took)
        for part in self._parts:
            here = part is self._part
            ports = (rd_cmd_ready and here, beat and here, wr_cmd_ready and here, wr_ready and here, answer and here)
            own = took if part is of else None
            if isinstance(part, CollectClocks):
                part.clock(own, *ports, given)
            else:
                part.clock(own, *ports)
        if of is not None:
            self._part = of
