# SPDX-License-Identifier: Apache-2.0
"""Bench of mac_lane.v: sums, maxima, gradients' operands, loads, one entry per clock or with pauses."""

from __future__ import annotations

from collections.abc import Iterator

from models.pe_array.isa.pe_command import NO_MAXIMUM, Op, wrap
from tb.lib import patterns, values
from tb.lib.bench import Bench, bench_test
from tb.lib.trace import Trace

SUM = RESULT = 3
"""Clocks from d0 to the sum and to the word for Y."""


class LaneTrace:
    """Windows of entries on their way through a lane; each starts with `first`."""

    def __init__(self, b: Bench) -> None:
        self.b, self.acc = b, int(b.params["ACC"])
        noise = {
            "x": 8,
            "op": 2,
            "skip": 1,
            "fresh": 1,
            "clear": 1,
            "value": 8,
            "y": self.acc,
            "load_byte": 8,
            "load_shift": 4,
        }
        self.trace = Trace(b, ["first", "load_valid"], noise)
        self.trace.watch("sum", self.acc, signed=True)
        self.trace.watch("result", self.acc, signed=True)
        self.now = 0
        self.op = Op.MAC
        self.style = "uniform"

    def byte(self) -> int:
        """A signed byte of the style of this window."""
        return int(values.signed(self.b, 8, 1, self.style)[0])

    def pause(self) -> None:
        """A clock without an entry: the operation stays what it was."""
        self.trace.drive(self.now, op=int(self.op), skip=1, first=0, clear=0)
        self.now += 1

    def window(self, op: Op, entries: int, p_skip: float, pauses: Iterator[bool]) -> None:
        """One window of an operation, and its result where it has one."""
        b = self.b
        self.op = op
        self.style = b.rng.choice(values.STYLES)
        total, best, index, fresh = 0, NO_MAXIMUM, 0, True
        for k in range(entries):
            while next(pauses):
                self.pause()
            x, skip = self.byte(), b.rng.random() < p_skip
            value = self.byte() if op == Op.MAC else b.rng.randrange(4)
            y = values.signed(b, self.acc, 1)[0]
            if op == Op.UNPOOL and b.rng.random() < 0.5:
                y = (int(y) & ~0xFF) | value
            y_byte = int(wrap(int(y), 8))
            if not skip:
                if op == Op.MAX and (fresh or x > best):
                    b.cover("max", "first" if fresh else "larger")
                    best, index = x, value
                elif op == Op.MAX:
                    b.cover("max", "equal" if x == best else "smaller")
                if op == Op.UNPOOL:
                    b.cover("unpool", "match" if y_byte == value else "other")
                factor = {Op.MAC: value, Op.GRAD: y_byte, Op.MAX: 0, Op.UNPOOL: int(y_byte == value)}[op]
                total += x * factor
            pins = {"x": x & 0xFF, "op": int(op), "value": value & 0xFF, "skip": int(skip), "first": int(k == 0)}
            self.trace.drive(self.now, fresh=int(fresh), clear=0, **pins)
            fresh = fresh and skip
            if op in (Op.GRAD, Op.UNPOOL):
                self.trace.drive(self.now, y=int(y) & ((1 << self.acc) - 1))
            self.now += 1
        last = self.now - 1
        if op in (Op.MAC, Op.GRAD, Op.UNPOOL):
            self.trace.expect(last + SUM, "sum", wrap([total], self.acc))
        if op == Op.MAC:
            y = int(values.signed(b, self.acc, 1)[0])
            self.trace.drive(last + SUM, y=y & ((1 << self.acc) - 1))
            b.cover("sum", "wraps" if wrap(y + total, self.acc) != y + total else "fits")
            self.trace.expect(last + RESULT, "result", wrap([y + total], self.acc))
        elif op == Op.MAX:
            b.cover("window", "empty" if fresh else "compared")
            self.trace.expect(last + RESULT, "result", wrap([index << 8 | best & 0xFF], self.acc))
        elif op == Op.UNPOOL:
            self.trace.expect(last + RESULT, "result", wrap([total], self.acc))
        b.cover("op", op.name.lower())

    def clear(self, op: Op) -> None:
        """An entry that clears a word."""
        self.trace.drive(self.now, op=int(op), skip=1, first=self.b.rng.randrange(2), clear=1)
        self.trace.expect(self.now + RESULT, "result", [0])
        self.b.cover("clear", op.name.lower())
        self.now += 1

    def load(self) -> None:
        """A byte to be loaded, in the clock in which an entry that has no result is in d1."""
        byte, shift = self.byte(), self.b.rng.randrange(16)
        self.trace.drive(self.now + 1, load_valid=1, load_byte=byte & 0xFF, load_shift=shift)
        self.trace.expect(self.now + RESULT, "result", wrap([byte << shift], self.acc))
        self.b.cover("load", "shifted" if shift else "plain")


@bench_test(timeout_clocks=10_000)
async def windows(b: Bench) -> None:
    """Windows of all operations behind each other, with loads and cleared words between their results."""
    lane = LaneTrace(b)
    for _ in range(250):
        pauses = b.rng.choice([patterns.never(), patterns.never(), patterns.random_pauses(b.rng, 0.3)])
        op = b.rng.choice(list(Op))
        if op in (Op.GRAD, Op.UNPOOL):  # the operation changes only where nothing is in flight
            for _ in range(6):
                lane.pause()
        for _ in range(b.rng.randint(1, 4)):
            lane.window(op, b.rng.choice([1, 2, b.rng.randint(1, 30)]), b.rng.choice([0.0, 0.0, 0.3, 1.0]), pauses)
            if b.rng.random() < 0.3:
                lane.load()
                lane.pause()
            if b.rng.random() < 0.2:
                lane.clear(op)
        for _ in range(6):
            lane.pause()
    await lane.trace.run(reset=False)
