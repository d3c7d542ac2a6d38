# SPDX-License-Identifier: Apache-2.0
"""Programs with one fault each, for the bench of pe_array: every cause, in every engine that can have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from models.pe_array.isa import descriptors as d
from models.pe_array.isa.descriptors import BYTES, KINDS, Cause, Descriptor
from models.pe_array.isa.pe_command import Op
from models.pe_array.machine.memory import BusFault
from tb.pe_array.drivers.array_cases import CaseMemory

FAULTS = (
    "opcode", "field_load", "field_compute", "field_store", "address_fetch", "address_load", "address_read",
    "address_write", "bus_fetch", "bus_load", "bus_read", "bus_write", "pointers", "coordinate", "host",
)  # fmt: skip


@dataclass
class Faulty:
    """A program with a fault.

    Attributes:
        made: the descriptors.
        address: of the program.
        fault: of the bus, or None.
    """

    made: list[Descriptor]
    address: int
    fault: BusFault | None = None


def make_faulty(memory: CaseMemory, rng: Random, name: str, made: list[Descriptor]) -> Faulty:
    """Put a program with the fault of that name in memory. Where arrays are corrupted, those in memory are."""
    made, lanes, beat = list(made), memory.lanes, memory.grid.beat

    def find(*kinds: type[Descriptor]) -> int:
        return rng.choice([n for n, each in enumerate(made) if isinstance(each, kinds)])

    def change(at: int, **fields: Any) -> None:
        made[at] = replace(made[at], **fields)

    def bus(address: int, beats: int, causes: Sequence[Cause]) -> BusFault:
        first = (address + rng.randrange(beats) * lanes) // beat * beat
        return BusFault(first, first + beat - 1, rng.choice(causes))

    reads, writes = (Cause.READ_SLVERR, Cause.READ_DECERR), (Cause.WRITE_SLVERR, Cause.WRITE_DECERR)
    pes, fault = memory.grid.pes, None
    closed = rng.choice([memory.first - lanes, memory.last + 1, memory.base - BYTES & 0xFFFFFFFF])
    if name == "opcode":
        address = memory.program(made)
        at = address - memory.base + BYTES * rng.randrange(len(made))
        memory.data[at] = rng.choice([n for n in range(256) if n not in KINDS])
        return Faulty(made, address)
    if name == "field_load":
        at = find(d.Window, d.Map, d.Stream)
        wrong = made[at]
        if isinstance(wrong, d.Window):
            change(at, **{rng.choice(["pe", "slot"]): rng.randint(pes, 255)})
        elif isinstance(wrong, d.Map):
            change(at, run_beats=wrong.run_beats + 1)
        else:
            change(at, memory=3)
    elif name == "field_compute":
        at = find(d.Set, d.Compute)
        if isinstance(made[at], d.Set):
            change(at, field=rng.choice([6, 7]))
        else:
            change(at, op=Op.GRAD, tiles_log2=pes.bit_length())
    elif name == "field_store":
        at = find(d.Drain, d.Slot, d.Output, d.Scales)
        wrong = made[at]
        if isinstance(wrong, d.Drain):
            change(at, **rng.choice([{"slots": 0}, {"height": 0}, {"width": wrong.width + 1}, {"sy_log2": 7}]))
        elif isinstance(wrong, d.Slot):
            change(at, slot=rng.randint(pes, 63))
        elif isinstance(wrong, d.Output):
            change(at, runs=wrong.runs + 1)
        else:
            change(at, records=3)
    elif name == "address_fetch":
        address = memory.program(made)
        return Faulty(made, rng.choice([address + BYTES // 2, address + 1, closed]))
    elif name == "address_load":
        change(find(d.Map, d.Stream, d.Pointers), address=rng.choice([memory.low + 1, closed]))
    elif name == "address_read":
        change(find(d.Delta), **{rng.choice(["logits", "labels"]): closed})
    elif name == "address_write":
        at = find(d.Output, d.Collect, d.Delta, d.Update)
        names = {d.Output: "address", d.Collect: "address", d.Delta: "output", d.Update: "weights"}
        change(at, **{names[type(made[at])]: rng.choice([memory.low, closed])})
    elif name == "bus_fetch":
        address = memory.program(made)
        return Faulty(made, address, bus(address, len(made) * BYTES // lanes, reads))
    elif name == "bus_load":
        wrong = made[find(d.Map, d.Stream, d.Pointers)]
        assert isinstance(wrong, d.Map | d.Stream | d.Pointers)
        fault = bus(wrong.address, wrong.beats if isinstance(wrong, d.Stream) else 1, reads)
    elif name == "bus_read":
        scaled = [each for each in made if isinstance(each, d.Scales) and each.records]
        wrong = rng.choice([made[find(d.Delta, d.Update)], *scaled])
        assert isinstance(wrong, d.Delta | d.Update | d.Scales)
        if isinstance(wrong, d.Scales):
            fault = bus(wrong.address // lanes * lanes, 1, reads)
        else:
            fault = bus(wrong.logits if isinstance(wrong, d.Delta) else wrong.masters, 1, reads)
    elif name == "bus_write":
        wrong = made[find(d.Output, d.Collect, d.Delta, d.Update)]
        assert isinstance(wrong, d.Output | d.Collect | d.Delta | d.Update)
        if isinstance(wrong, d.Output | d.Collect):
            fault = bus(wrong.address, wrong.run_beats if isinstance(wrong, d.Output) else 1, writes)
        else:
            fault = bus(wrong.output if isinstance(wrong, d.Delta) else wrong.weights, 1, writes)
    elif name == "pointers":
        wrong = made[find(d.Pointers)]
        assert isinstance(wrong, d.Pointers)
        memory.data[wrong.address - memory.base + 4 * rng.randint(0, wrong.blocks)] += 77
    elif name == "coordinate":
        checked = [each for each in made if isinstance(each, d.Stream) and each.check and each.coordinates]
        chosen = rng.choice(checked)
        at = chosen.address - memory.base + 2 * rng.randrange(chosen.coordinates)
        memory.data[at + rng.randint(0, 1)] = rng.randint(max(chosen.row_max, chosen.col_max) + 1, 255)
    return Faulty(made, memory.program(made), fault)
