# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/delta_store.v: batches of 1 … 256 classes, deltas in place of the logits, every error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.pe_array.isa.descriptors import Cause, Delta
from models.pe_array.network.output_delta import output_delta8
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.descriptor_port import DescriptorPort
from tb.pe_array.drivers.hdl_widths import has_softmax, widths_of
from tb.pe_array.drivers.port_memory import PortMemory, as_signed

KINDS = (
    "classes", "read_outside", "read_misaligned", "read_slverr", "read_decerr", "labels_decerr",
    "write_outside", "write_misaligned", "write_slverr", "write_decerr",
)  # fmt: skip
SIZE = 1 << 15


class Unit:
    """A delta_store between its queue and a memory, and their model."""

    def __init__(self, b: Bench) -> None:
        self.b, self.beat, self.frac = b, int(b.params["B"]), int(b.params["FRAC"])
        self.bits, self.softmax = widths_of(b).data, has_softmax(b)
        top = (1 << 32) - SIZE
        self.memory = PortMemory(b, b.rng.choice([0, top, b.rng.randrange(1 << 17) << 15]), SIZE)
        self.port = DescriptorPort(b)
        self.expected = self.memory.data.copy()

    async def start(self) -> None:
        """Reset."""
        await self.b.reset()
        self.expected[:] = self.memory.data

    def any_gaps(self) -> None:
        """Other patterns at all handshakes."""
        self.memory.any_gaps()
        self.port.gaps.any()

    def delta(self, classes: int, in_place: bool = False) -> Delta:
        """A descriptor: logits in the first half of memory, labels at its end, deltas in the second half."""
        b, beat, base = self.b, self.beat, self.memory.base
        room = SIZE // 2 // beat - classes - 1
        logits = base + b.rng.randint(0, room) * beat
        labels = base + SIZE // 2 - beat
        output = logits if in_place else base + SIZE // 2 + b.rng.randint(0, room) * beat
        style = b.rng.choice([256, classes])
        self.memory.word(labels)[:] = b.np.integers(0, style, beat)
        self.expected[:] = self.memory.data
        return Delta(logits, labels, output, classes, self.softmax and b.rng.random() < 0.5)

    def result(self, delta: Delta) -> None:
        """A descriptor in the model."""
        beat, base, b = self.beat, self.memory.base, self.b
        start, end = delta.logits - base, delta.logits - base + delta.classes * beat
        logits = as_signed(self.expected[start:end]).reshape(delta.classes, beat)
        labels = self.expected[delta.labels - base : delta.labels - base + beat]
        made = output_delta8(logits, labels, self.frac, self.bits, delta.softmax)
        deltas = made.astype(np.int8).view(np.uint8).reshape(-1)
        self.expected[delta.output - base : delta.output - base + len(deltas)] = deltas
        b.cover("classes", "one" if delta.classes == 1 else "256" if delta.classes == 256 else "some")
        b.cover("labels", "beyond" if (labels >= delta.classes).any() else "classes")
        b.cover("loss", "softmax" if delta.softmax else "sigmoid")
        b.cover("output", "in_place" if delta.output == delta.logits else "elsewhere")

    async def compare(self) -> None:
        """Wait for the end and compare all of memory."""
        await self.port.until_done()
        self.b.equal("memory", int((self.memory.data != self.expected).sum()), 0)

    async def fails(self, cause: Cause, index: int) -> None:
        """An error is reported; after a reset, all is as new."""
        done = self.port.done
        self.b.equal("error", await self.port.until_error(shut=True), [cause, index])
        self.b.require(self.port.done == done, "what had an error is done all the same")
        await self.start()


@bench_test(timeout_clocks=60_000)
async def batches(b: Bench) -> None:
    """Batches of all sizes under every pattern of pauses."""
    unit = Unit(b)
    await unit.start()
    for number in range(7):
        unit.any_gaps()
        if number == 0:
            unit.memory.fast()
        classes = 256 if number == 0 else b.rng.choice([1, 10, b.rng.randint(1, 40)])
        delta = unit.delta(classes, in_place=b.rng.random() < 0.5)
        for _ in range(2):  # in place, the first result is the second one's logits
            unit.port.send(delta)
            unit.result(delta)
            delta = replace(delta, softmax=unit.softmax and not delta.softmax)
        await unit.compare()


@bench_test(timeout_clocks=5_000)
async def clocks(b: Bench) -> None:
    """Latencies, and a word per clock, or with softmax in 8, where nobody waits."""
    unit = Unit(b)
    unit.memory.fast()
    await unit.start()
    delta = replace(unit.delta(100), softmax=unit.softmax and b.seed % 2 == 0)
    words = 2 * delta.classes if delta.softmax else 0  # that are read before those of the deltas
    unit.port.send(delta)
    unit.result(delta)
    seen: dict[str, list[int]] = {"rd_cmd_valid": [], "wr_cmd_valid": [], "rd_valid": [], "wr_valid": [], "wr_done": []}
    while not unit.port.done:
        await b.clocks()
        for name, at in seen.items():
            if b.high(name):
                at.append(unit.port.clock)
    # this test and the port look at the same clock edges, in no particular order: a clock more or less
    b.require(
        seen["rd_cmd_valid"][0] - unit.port.taken[-1] - 1 in (-1, 0, 1),
        "the clock of the read command",
    )
    b.require(
        seen["wr_cmd_valid"][0] == seen["rd_cmd_valid"][0],
        "the clock of the write command",
    )
    b.require(
        seen["wr_valid"][0] - seen["rd_valid"][1 + words] == (11 if delta.softmax else 2),
        "the clock of the first word",
    )
    b.require(
        seen["wr_valid"][-1] - seen["wr_valid"][0] == (delta.classes - 1) * (8 if delta.softmax else 1),
        "a gap between the words",
    )
    b.require(
        unit.port.finished[-1] - seen["wr_done"][-1] - 1 in (-1, 0, 1),
        "the clock of done",
    )
    await unit.compare()


@bench_test(timeout_clocks=60_000)
async def errors(b: Bench) -> None:
    """Too many classes, refused commands and error responses, one after the other; then all works again."""
    unit = Unit(b)
    await unit.start()
    for kind in [*b.rng.sample(KINDS, 6), *([] if unit.softmax else ["softmax"])]:
        unit.any_gaps()
        await provoke(unit, kind)
        b.cover("error", kind)
        memory = unit.memory
        memory.read_faults.clear()
        memory.write_faults.clear()
        memory.read_window = memory.write_window = (memory.base, memory.base + SIZE)
        delta = unit.delta(b.rng.randint(1, 20))
        unit.port.send(delta)
        unit.result(delta)
        await unit.compare()


async def provoke(unit: Unit, kind: str) -> None:
    """Errors of one kind; the unit has been reset afterwards."""
    memory, rng = unit.memory, unit.b.rng
    delta = unit.delta(rng.randint(1, 20))
    beat = rng.randrange(delta.classes) * unit.beat
    cause = Cause.ADDRESS
    if kind == "softmax":
        delta, cause = replace(delta, softmax=True), Cause.FIELD
    elif kind == "classes":
        for classes in (257, 513, 1025, 2049):
            await unit.fails(Cause.FIELD, unit.port.send(replace(delta, classes=classes)))
        delta, cause = replace(delta, classes=rng.randint(257, 4096)), Cause.FIELD
    elif kind == "read_outside":
        memory.read_window = (memory.base + SIZE // 2, memory.base + SIZE)
    elif kind == "write_outside":
        memory.write_window = (memory.base, delta.output + beat)
    elif kind == "read_misaligned":
        delta = replace(delta, logits=delta.logits + rng.randrange(1, unit.beat))
    elif kind == "write_misaligned":
        delta = replace(delta, output=delta.output + rng.randrange(1, unit.beat))
    elif kind == "labels_decerr":
        memory.read_faults[delta.labels], cause = 3, Cause.READ_DECERR
    elif kind in ("read_slverr", "read_decerr"):
        memory.read_faults[delta.logits + beat] = 2 if kind == "read_slverr" else 3
        cause = Cause.READ_SLVERR if kind == "read_slverr" else Cause.READ_DECERR
    else:
        memory.write_faults[delta.output + beat] = 2 if kind == "write_slverr" else 3
        cause = Cause.WRITE_SLVERR if kind == "write_slverr" else Cause.WRITE_DECERR
    await unit.fails(cause, unit.port.send(delta))


@bench_test(timeout_clocks=60_000)
async def resets(b: Bench) -> None:
    """A reset forgets what is under way; the next batch begins with its own labels and class 0."""
    unit = Unit(b)
    await unit.start()
    for _ in range(8):
        unit.any_gaps()
        unit.port.send(unit.delta(b.rng.randint(1, 40)))
        await b.wait_for(lambda: unit.port.begun, 2000, "the operation")
        await b.clocks(b.rng.choice([0, 1, 2, b.rng.randint(3, 60)]))
        b.cover("reset", "running" if unit.port.busy else "done")
        await unit.start()
    delta = unit.delta(10)
    unit.port.send(delta)
    unit.result(delta)
    await unit.compare()
