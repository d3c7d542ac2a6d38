# SPDX-License-Identifier: Apache-2.0
"""Every output of a collect_store in every clock, from the cycle model: order and lengths of its commands too."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.pe_array.clocks import collect_store as model
from models.pe_array.clocks.gradient_pack import DEPTH, pack_grant
from models.pe_array.clocks.table import COLUMNS, OPCODE, column
from models.pe_array.isa.descriptors import KINDS, Collect, Descriptor, Learn, Slot
from models.pe_array.isa.runs import COLLECT_CHUNK
from tb.lib.bench import Bench
from tb.lib.ports import Beside

_FIELDS: dict[type[Descriptor], dict[str, tuple[int, int]]] = {
    Slot: {"slot": (56, 6), "beat": (96, 24), "gradients": (128, 24)},
    Collect: {"add": (56, 1), "address": (96, 32)},
    Learn: {},
}
"""First bit and width of the fields in a descriptor [docs/pe_array/descriptors.md]."""


def _row(word: int) -> np.ndarray[Any, Any]:
    """A descriptor as the model has it."""
    row = np.zeros(COLUMNS, dtype=np.int64)
    row[OPCODE] = opcode = word & 0xFF
    kind = KINDS.get(opcode, Slot)  # no descriptor is offered
    for name, (low, width) in _FIELDS[kind].items():
        row[column(kind, name)] = word >> low & ((1 << width) - 1)
    return row


class CollectWatch(Beside):
    """Compares from the moment it is made, once there has been a reset, with every reset anew.

    The model has no errors.
    """

    def __init__(self, b: Bench) -> None:
        super().__init__(b)
        self.pes, self.lanes = int(b.params["P"]), int(b.params["B"])
        self.state: model.CollectState | None = None

    @staticmethod
    def fits(b: Bench) -> bool:
        """The model has CHUNK and DEPTH of the PE array only."""
        return (b.params["CHUNK"], b.params["DEPTH"]) == (COLLECT_CHUNK, DEPTH)

    def reset(self) -> None:
        """The model begins anew."""
        self.state = model.collect_state(self.pes, self.lanes)

    def look(self) -> None:
        """Compare, and follow."""
        if self.state is not None:
            self._clock(self.state)

    def _clock(self, state: model.CollectState) -> None:
        given = self.b.see("grad_valid")
        entered = np.zeros(self.pes, dtype=np.int64)
        pack_grant(state.pack, np.array([given >> slot & 1 for slot in range(self.pes)]), entered)
        self.b.check(grad_ready=sum(int(enters) << slot for slot, enters in enumerate(entered)))
        rd_cmd_ready, wr_cmd_ready, wr_ready = map(self.b.see, ("rd_cmd_ready", "wr_cmd_ready", "wr_ready"))
        word = self.b.see("d_data") if self.b.see("d_valid") else 0
        row = _row(word)
        took = bool(word) and bool(model.collect_d_ready(state, row, rd_cmd_ready))
        if word:
            self.b.check(d_ready=took)
        starts = took and row[OPCODE] != Slot.opcode
        self.b.check(starts=starts)
        for port, (first, beats) in (("rd", model.collect_read(state)), ("wr", model.collect_write(state))):
            self.b.check(**{f"{port}_cmd_valid": beats > 0})
            if beats:
                address = first * self.lanes % (1 << 32)
                self.b.check(**{f"{port}_cmd_addr": address, f"{port}_cmd_beats": beats - 1})
        self.b.check(
            rd_ready=bool(model.collect_rd_ready(state, wr_ready)), wr_valid=state.n.word,
            done=state.n.done, idle=bool(model.collect_idle(state)),
        )  # fmt: skip
        self._cover(state, starts)
        model.collect_clock(
            state, took, row, rd_cmd_ready, self.b.see("rd_valid"), wr_cmd_ready, wr_ready, self.b.see("wr_done"),
            entered,
        )  # fmt: skip

    def _cover(self, state: model.CollectState, start: bool) -> None:
        slots = state.pack.slots
        if start:
            self.b.cover("named", "all" if slots.named.all() else "some" if slots.named.any() else "none")
        wants = (slots.words >= COLLECT_CHUNK) | ((slots.ended != 0) & (slots.words > 0))
        if wants.sum() > 1:
            self.b.cover("turn", "several_want")
        if slots.open.any() and not start and slots.named.any():
            self.b.cover("named", "while_open")
