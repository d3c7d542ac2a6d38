# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/control/array_control.v."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.lib.record import Array, Flag, Record, clocked, kind, record
from models.pe_array.clocks.program_fetch import EngineFault
from models.pe_array.isa.descriptors import Cause, Engine

_HOST = int(Cause.HOST)

IDLE_CLOCKS = 8
"""Clocks for which everything must be idle at the end of a program."""
HOLD_CLOCKS = 4
"""Least clocks for which engines are held in reset by a stop."""

IDLE, RUN, STOP = range(3)
CONTROL = kind("state count run seed ended cause engine index reset")
"""State and its clocks; pulses run and seed_load; the last program has come to its end; why it was stopped: cause or 0,
engine, descriptor; engine_rst, and cancel too unless the program has ended."""


def control_state() -> Record:
    """As after a reset."""
    return record(CONTROL, reset=1)


@clocked
def control_clock(n: Record, start: Flag, seed: Flag, stop: Flag, faults: Array, idle: Flag, ports_idle: Flag) -> None:
    """One clock.

    Args:
        start, seed, stop: what the host wants.
        faults: (5, 2): cause or 0, and descriptor, of dispatcher, fetch, load, compute and store engine.
        idle: fetch, dispatcher, queues and engines are idle.
        ports_idle: AXI ports are idle.
    """
    ran = n.run != 0
    n.run = n.seed = n.reset = 0
    if n.state == IDLE:
        if start and not stop:
            n.state, n.count, n.run, n.seed = RUN, 0, 1, 1 if seed else 0
            n.ended = n.cause = n.engine = n.index = 0
    elif n.state == RUN:
        n.count = n.count + 1 if idle and ports_idle and not ran else 0
        seen = 0
        while seen < len(faults) and faults[seen, 0] == 0:
            seen += 1
        if seen < len(faults):
            n.cause, n.index = faults[seen]
            n.engine = max(0, seen - 1)  # the dispatcher's count as those of the fetch
        elif stop:
            n.cause, n.engine, n.index = _HOST, 0, 0
        if seen < len(faults) or stop:
            n.state, n.count, n.reset = STOP, 0, 1
        elif n.count == IDLE_CLOCKS:
            n.state, n.ended, n.reset = IDLE, 1, 1
    else:
        n.count += 1
        if n.count >= HOLD_CLOCKS and ports_idle:
            n.state = IDLE
        n.reset = 1 if n.state == STOP else 0


class ControlClocks:
    """rtl/pe_array/control/array_control.v.

    Attributes:
        run, seed_load: pulses.
        busy: a program runs, or is being stopped.
        ended: the last program has come to its end.
        status: cause, engine and descriptor of the stop, or None.
        reset: engine_rst; cancel: that of the AXI ports.
    """

    def __init__(self) -> None:
        self._n = control_state()

    @property
    def run(self) -> bool:
        return bool(self._n.run)

    @property
    def seed_load(self) -> bool:
        return bool(self._n.seed)

    @property
    def busy(self) -> bool:
        return bool(self._n.state != IDLE)

    @property
    def ended(self) -> bool:
        return bool(self._n.ended)

    @property
    def status(self) -> tuple[int, int, int] | None:
        n = self._n
        return (Cause(int(n.cause)), Engine(int(n.engine)), int(n.index)) if n.cause else None

    @property
    def reset(self) -> bool:
        return bool(self._n.reset)

    @property
    def cancel(self) -> bool:
        """As the name says."""
        return bool(self._n.reset) and not self._n.ended

    def clock(
        self, start: bool, seed: bool, stop: bool, faults: Sequence[EngineFault | None], idle: bool, ports_idle: bool
    ) -> None:
        """One clock.

        Args:
            faults: of dispatcher, fetch, load, compute and store engine.
            idle: fetch, dispatcher, queues and engines are idle.
            ports_idle: AXI ports are idle.
        """
        seen = np.array([(0, 0) if fault is None else (fault.cause, fault.index) for fault in faults], dtype=np.int64)
        control_clock(self._n, start, seed, stop, seen, idle, ports_idle)
