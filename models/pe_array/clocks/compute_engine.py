# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/control/compute_engine.v; descriptors as in ``program_fetch``."""

from __future__ import annotations

import numpy as np

from models.lib.clocks.stream_fifo import NONE
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.program_fetch import EngineFault, Item
from models.pe_array.clocks.table import COLUMNS, OPCODE, column, table
from models.pe_array.isa.descriptors import Cause, Compute, Set
from models.pe_array.isa.encoding import unpack
from models.pe_array.isa.operations import CommandField
from models.pe_array.isa.pe_command import Op

QUIET = 7
"""Clocks for which the grid must be idle, and its sums of gradients empty, before tiles_log2 changes."""

COMPUTE = kind("pes held is_set wanted quiet tiles fault")
"""P; descriptor inside, or NONE; whether it is a SET; the tiles_log2 that a GRAD wants, or NONE; clocks of quiet;
tiles_log2 as the grid sees it; cause of an error in this clock, or 0."""
_SET, _GRAD, _FIELDS, _CAUSE = Set.opcode, int(Op.GRAD), len(CommandField), int(Cause.FIELD)
_FIELD, _OP, _TILES = column(Set, "field"), column(Compute, "op"), column(Compute, "tiles_log2")


def compute_state(pes: int) -> Record:
    """As after a reset. pes: P."""
    return record(COMPUTE, pes=pes, held=NONE, wanted=NONE)


@clocked
def _changes(n: Record) -> Flag:
    return n.held != NONE and n.wanted not in (NONE, n.tiles)


@clocked
def compute_set(n: Record) -> Flag:
    """A SET is offered to the grid."""
    return n.held != NONE and n.is_set != 0


@clocked
def compute_command(n: Record) -> Flag:
    """A COMPUTE is offered to the grid."""
    return n.held != NONE and n.is_set == 0 and not _changes(n)


@clocked
def compute_idle(n: Record, grid_idle: Flag) -> Flag:
    """Nothing is begun and not done."""
    return n.held == NONE and grid_idle


@clocked
def compute_ready(n: Record, set_ready: Flag, cmd_ready: Flag) -> Flag:
    """A descriptor is taken when none is inside or the one inside goes."""
    goes = (compute_set(n) and set_ready) or (compute_command(n) and cmd_ready)
    return n.held == NONE or goes


@clocked
def compute_clock(n: Record, item: Int, set_ready: Flag, cmd_ready: Flag, quiet: Flag, table: Array) -> None:
    """One clock with a descriptor or NONE; ``quiet``: the grid is idle and its sums of gradients are empty."""
    n.fault = 0
    ready = compute_ready(n, set_ready, cmd_ready)
    n.quiet = n.quiet + 1 if _changes(n) and quiet else 0
    if n.quiet == QUIET:
        n.tiles, n.quiet = n.wanted, 0
    if not ready:
        return
    n.held = NONE
    if item == NONE:
        return
    row = table[item]
    n.is_set = 1 if row[OPCODE] == _SET else 0
    n.wanted = row[_TILES] if n.is_set == 0 and row[_OP] == _GRAD else NONE
    legal = row[_FIELD] < _FIELDS if n.is_set else n.wanted == NONE or 1 << n.wanted <= n.pes
    if legal:
        n.held = item
    else:
        n.fault = _CAUSE


class ComputeClocks:
    """rtl/pe_array/control/compute_engine.v.

    Attributes:
        set: SET that is offered to the grid, or None.
        command: COMPUTE that is offered to the grid, or None.
        tiles_log2: as the grid sees it.
        error: reported in this clock, or None.

    Args:
        pes: P.
    """

    def __init__(self, pes: int) -> None:
        self._n = compute_state(pes)
        self._item: Item | None = None  # the newest one taken
        self._rows = np.zeros((1, COLUMNS), dtype=np.int64)

    @property
    def set(self) -> Set | None:
        held = unpack(self._item.word) if self._item is not None and compute_set(self._n) else None
        return held if isinstance(held, Set) else None

    @property
    def command(self) -> Compute | None:
        held = unpack(self._item.word) if self._item is not None and compute_command(self._n) else None
        return held if isinstance(held, Compute) else None

    @property
    def tiles_log2(self) -> int:
        return int(self._n.tiles)

    @property
    def error(self) -> EngineFault | None:
        cause = int(self._n.fault)
        return EngineFault(cause, self._item.index) if cause and self._item is not None else None

    def idle(self, grid_idle: bool) -> bool:
        """Nothing is begun and not done."""
        return bool(compute_idle(self._n, grid_idle))

    def d_ready(self, set_ready: bool, cmd_ready: bool) -> bool:
        """A descriptor is taken when none is inside or the one inside goes."""
        return bool(compute_ready(self._n, set_ready, cmd_ready))

    def clock(self, item: Item | None, set_ready: bool, cmd_ready: bool, quiet: bool) -> None:
        """One clock with a descriptor or none; ``quiet``: the grid is idle and its sums of gradients are empty."""
        if item is not None and self.d_ready(set_ready, cmd_ready):
            self._item = item
            self._rows[0] = table([unpack(item.word)])[0]
        compute_clock(self._n, NONE if item is None else 0, set_ready, cmd_ready, quiet, self._rows)
