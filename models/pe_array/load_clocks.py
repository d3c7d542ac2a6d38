# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: rtl/pe_array/load_engine.v with map_load.v behind it, for descriptors without errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from models.pe_array import descriptors as d
from models.pe_array.geometry import Region
from models.pe_array.map_timing import FifoClocks, LoadTiming
from models.pe_array.map_transfer import LoadCommand, PeWindows
from models.pe_array.port_clocks import Beats

POINTER_RUN = 256
"""Beats of a read command of POINTERS, but the last one's."""

ISSUE = 5
"""Clocks from taking a descriptor to its entries [load_issue]."""
END = 3
"""Clocks from an operation's last beat to its end [load_deliver]."""
WINDOW = 5
"""Registers of a WINDOW, a clock each [load_place]."""


class _Operation(NamedTuple):
    """Whose beats come: how many, whether they are a map's, and to which PEs they go as a stream."""

    beats: int
    map: bool
    pes: int


class LoadClocks:
    """The load engine. Outputs of a clock are its attributes and properties.

    Attributes:
        maps: rtl/pe_array/map_load.v.

    Args:
        pes, lanes: P, B.
        stages, map_depth: STAGES, MAP_DEPTH.
        depth: LOAD_DEPTH.
    """

    def __init__(self, pes: int, lanes: int, stages: int, map_depth: int, depth: int) -> None:
        nothing = PeWindows(Region(0, 0, 0, 0), Region(0, 0, 0, 0), 0)
        self.maps = LoadTiming([nothing] * pes, stages, map_depth)
        self._pes, self._lanes, self._depth, self._stages = pes, lanes, depth, stages
        self._inside = 0
        self._runs: deque[Beats] = deque()
        self._rest: Beats | None = None
        self._issued: deque[d.Descriptor | None] = deque([None] * ISSUE)
        self._operations: FifoClocks[_Operation] = FifoClocks()
        self._places: FifoClocks[d.Map | d.Window] = FifoClocks()
        self._taken = self._written = 0
        self._ends: deque[_Operation | None] = deque([None] * (END + max(0, stages - 2)))
        self._order: deque[bool] = deque()
        self._arrived = 0
        self._streams = deque([0] * (stages + 1))  # PEs of the beats on their way, newest last

    @property
    def command(self) -> Beats | None:
        """At the read port."""
        return self._runs[0] if self._runs else None

    def _runs_ready(self, cmd_ready: bool) -> bool:
        return not self._runs or (cmd_ready and len(self._runs) == 1)

    def d_ready(self, descriptor: d.Descriptor, cmd_ready: bool) -> bool:
        beats = isinstance(descriptor, d.Window) or (self._runs_ready(cmd_ready) and self._rest is None)
        return self._inside != self._depth and beats

    @property
    def rd_ready(self) -> bool:
        head = self._operations.head
        return head is not None and (not head.map or self.maps.raster.s_ready)

    @property
    def done(self) -> bool:
        return bool(self._order) and (not self._order[0] or self._arrived > 0)

    @property
    def idle(self) -> bool:
        return not self._inside and not any(list(self._streams)[:-1])

    def clock(self, offered: d.Descriptor | None, cmd_ready: bool, beat: bool, y_writes: Sequence[bool]) -> None:
        """One clock.

        Args:
            offered: a descriptor at the queue, or None.
            cmd_ready: the read port takes the command.
            beat: a beat stands at the read port.
            y_writes: of every PE: a load to Y waits, because it writes Y itself.
        """
        took = offered if offered is not None and self.d_ready(offered, cmd_ready) else None
        done, head = self.done, self._operations.head
        take = beat and self.rd_ready and head is not None
        place, map_command = self._places.head, None
        window = isinstance(place, d.Window) and self.maps.raster.idle
        window_done = window and self._written == WINDOW - 1
        if isinstance(place, d.Map):
            map_command = LoadCommand(
                place.channels, place.row, place.rows, place.width, place.base, place.y,
                None if place.all else place.slot, place.shift,
            )  # fmt: skip
        place_taken = window_done or (map_command is not None and self.maps.raster.cmd_ready)
        map_done = self.maps.raster.done

        # grid
        streamed = self._streams.popleft()
        self._streams.append(head.pes if take and head is not None else 0)
        readies = []
        for pe, load in enumerate(self.maps.loads):
            waits = load is not None and load.beat.command.to_y and y_writes[pe]
            readies.append(not streamed >> pe & 1 and not waits)
        self.maps.clock(map_command, beat and head is not None and head.map, readies)
        if window:
            self._written = 0 if window_done else self._written + 1
        if window_done and isinstance(place, d.Window):
            x, y = _region(place.x_columns, place.x_rows), _region(place.y_columns, place.y_rows)
            self.maps.windows[place.pe].windows = PeWindows(x, y, place.slot)

        # completions, in order
        self._ends.append(None)
        ended = self._ends.popleft()
        op_end = False
        if take and head is not None:
            self._taken += 1
            if op_end := self._taken == head.beats:
                self._taken = 0
                self._ends[-1] = head
        if done:
            self._arrived -= self._order.popleft()
        self._arrived += map_done
        if ended is not None:
            self._order.append(ended.map)

        # entries
        self._issued.append(took)
        issued = self._issued.popleft()
        self._operations.clock(self._operation(issued), op_end)
        self._places.clock(issued if isinstance(issued, d.Map | d.Window) else None, place_taken)
        self._inside += (took is not None) - done - window_done
        self._read(took, cmd_ready)

    def _read(self, took: d.Descriptor | None, cmd_ready: bool) -> None:
        """Read commands."""
        ready = self._runs_ready(cmd_ready)
        if self._runs and cmd_ready:
            self._runs.popleft()
        if self._rest is not None:
            if ready:
                self._runs.append(self._rest)
                self._rest = None
        elif isinstance(took, d.Map):
            first = took.address // self._lanes
            self._runs.extend(Beats(first + n * took.run_stride, took.run_beats) for n in range(took.runs))
        elif isinstance(took, d.Stream):
            self._runs.append(Beats(took.address // self._lanes, took.beats))
        elif isinstance(took, d.Pointers):
            first, beats = took.address // self._lanes, self._pointer_beats(took)
            whole = (beats - 1) // POINTER_RUN
            runs = [Beats(first + n * POINTER_RUN, POINTER_RUN) for n in range(whole)]
            rest = Beats(first + whole * POINTER_RUN, beats - whole * POINTER_RUN)
            self._runs.extend(runs or [rest])
            self._rest = rest if runs else None

    def _pointer_beats(self, pointers: d.Pointers) -> int:
        return pointers.blocks // (self._lanes // 4) + 1

    def _operation(self, issued: d.Descriptor | None) -> _Operation | None:
        if isinstance(issued, d.Map):
            return _Operation(issued.run_beats * issued.runs, True, 0)
        if isinstance(issued, d.Stream):
            return _Operation(issued.beats, False, issued.pes & ((1 << self._pes) - 1))
        if isinstance(issued, d.Pointers):
            return _Operation(self._pointer_beats(issued), False, 0)
        return None


def _region(columns: tuple[int, int], rows: tuple[int, int]) -> Region:
    """Region of (first, last + 1) columns and rows."""
    return Region(rows[0], columns[0], max(0, rows[1] - rows[0]), max(0, columns[1] - columns[0]))
