# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/load/map_load.v, that is map_raster.v and a map_window.v per PE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.lib.clocks.stream_fifo import NONE, Fifo, fifos
from models.lib.fixed_point import IntArray
from models.lib.record import Array, Flag, Int, Record, clocked, records
from models.pe_array.clocks.load.map_raster import MapRasterClocks, RasterState, raster_clock, raster_state
from models.pe_array.clocks.load.map_window import WINDOW, Load, MapWindowClocks, window_clock, window_state
from models.pe_array.isa.map_transfer import LoadCommand, PeWindows


class MapState(NamedTuple):
    """The raster, and registers and FIFOs of the windows; (1,) whether these may change without a beat."""

    raster: RasterState
    windows: Array
    fifos: Fifo
    busy: IntArray


def map_state(pes: int, stages: int, depth: int, wide: int = 1) -> MapState:
    """As after a reset. pes, stages, depth, wide: P, STAGES, DEPTH, WIDE."""
    windows = records(WINDOW, pes)
    windows[:] = window_state(stages, depth)
    return MapState(raster_state(stages, wide), windows, fifos(pes, depth), np.zeros(1, dtype=np.int64))


@clocked
def map_busy(state: MapState) -> Flag:
    """Windows change in this clock."""
    return state.busy[0] != 0 or state.raster.way[state.raster.n.place].number != NONE


@clocked
def map_clock(state: MapState, offered: Flag, command: Record, words: Int, readies: Array) -> None:
    """One clock, with a command at the port or none, 0 … WIDE beats, and PEs that are ready or not."""
    windows, pes = state.windows, len(state.windows)
    rooms = ended = inside = 0
    beat = state.raster.way[state.raster.n.place]
    busy = map_busy(state)
    for pe in range(pes):
        rooms += windows[pe].room
        ended += windows[pe].ended
        if busy:
            window_clock(windows[pe], Fifo(state.fifos.n[pe], state.fifos.words[pe]), beat, readies[pe] != 0)
            inside += state.fifos.n[pe].count + 1 - windows[pe].room
    state.busy[0] = inside
    raster_clock(state.raster, offered, command, words, rooms == pes, ended, pes)


class MapLoadClocks:
    """rtl/pe_array/load/map_load.v by itself: a raster and one window per PE.

    Args:
        windows: of the PEs.
        stages, depth, wide: parameters.
    """

    def __init__(self, windows: Sequence[PeWindows], stages: int, depth: int, wide: int = 1) -> None:
        self._state = state = map_state(len(windows), stages, depth, wide)
        self.raster = MapRasterClocks(len(windows), stages, wide, state.raster)
        self.windows = [
            MapWindowClocks(of_pe, stages, depth, (state.windows[pe], Fifo(state.fifos.n[pe], state.fifos.words[pe])))
            for pe, of_pe in enumerate(windows)
        ]

    @property
    def loads(self) -> list[Load | None]:
        """What stands at the load ports of the PEs."""
        return [window.load for window in self.windows]

    def clock(self, command: LoadCommand | None, words: int, readies: Sequence[bool]) -> None:
        """One clock, with a command at the port or none, 0 … WIDE beats, and PEs that are ready or not."""
        beat = self.raster.broadcast
        if beat is not None:
            for window in self.windows:
                window.comes(beat)
        at_port = self.raster.at_port(command)
        map_clock(self._state, command is not None, at_port, int(words), np.array(readies, dtype=np.int64))
