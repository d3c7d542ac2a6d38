# SPDX-License-Identifier: Apache-2.0
"""Bench of pe_address.v: addresses and weights of random entries, while words of E, T and W are loaded."""

from __future__ import annotations

from collections import deque

from models.lib.fixed_point import IntArray
from models.pe_array.isa.pe_command import Memory, Op, PeShape, Tap
from models.pe_array.machine.pe import ProcessingElement
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.patterns import Gaps

TICKS = 5
"""From an entry of the walk to the outputs."""
WEIGHT = 2
"""Clocks from the tick behind the one in which an entry is at the outputs to its weight."""

PINS = {"E": Memory.E, "T": Memory.T, "W": Memory.W}


class Addresses:
    """A model of the memories, and the entries on their way."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        p = b.params
        self.shape = PeShape(
            p["B"], x_depth=1 << p["XAW"], y_depth=1 << p["YAW"],
            w_depth=1 << p["WAW"], e_depth=1 << p["EAW"], t_depth=1 << p["TAW"],
        )  # fmt: skip
        self.pe = ProcessingElement(self.shape.lanes, 32, *(self.shape.depth(memory) for memory in Memory))
        self.results, self.wide = 0, int(p.get("WIDE", 1))

    async def load(self, memory: Memory, addr: int) -> None:
        """Write a random word, with WIDE = 2 now and then two, and wait for the clock."""
        b, depth = self.b, self.shape.depth(memory)
        word = self._word(memory)
        self.pe.load(memory, addr, word)
        words, pair = {addr % 2: word}, self.wide > 1 and b.rng.random() < 0.5
        if pair:
            words[1 - addr % 2] = self._word(memory)
            self.pe.load(memory, (addr + 1) % depth, words[1 - addr % 2])
            b.cover("pair", "odd" if addr % 2 else "even")
        bits = 8 * self.shape.lanes
        data = pack(word, 8)
        if self.wide > 1:  # banks
            data = sum((pack(words[n], 8) if n in words else b.rng.getrandbits(bits)) << bits * n for n in range(2))
        b.drive(load_addr=addr + depth * b.rng.randrange(4096 // depth), load_data=data, load_pair=pair)
        enable = f"load_{memory.name.lower()}"
        b.drive({enable: 1})
        b.cover("load", memory.name.lower())
        await b.clocks()
        b.drive({enable: 0})

    def _word(self, memory: Memory) -> IntArray:
        word = values.signed(self.b, 8, self.shape.lanes, "uniform")
        if memory == Memory.T:
            word[3::4] &= 0x7F  # bit 31 of an entry is 0
        return word

    def drive(self, valid: bool, first: bool) -> dict[str, int] | None:
        """A random entry on the inputs; what must come of it."""
        b, shape = self.b, self.shape
        rng = b.rng
        op = rng.choice(list(Op))
        kind = rng.choice(["tap", "tap", "tap", "tap", "clear", "empty"])
        xbase, xstride = rng.randrange(shape.x_depth), rng.randrange(shape.x_depth)
        ybase, ystride, rbase = (rng.randrange(shape.y_depth) for _ in range(3))
        swap, fence, ends = (rng.random() < 0.5 for _ in range(3))
        epos, tpos, wpos = (rng.randrange(len(array)) for array in (self.pe.e, self.pe.t, self.pe.w))
        pins = {
            "valid": valid, "clear": kind == "clear", "tap": kind == "tap", "first": first, "fence": fence,
            "ends": ends, "op": op, "swap": swap, "epos": epos, "tpos": tpos, "wpos": wpos, "xbase": xbase,
            "xstride": xstride, "ybase": ybase, "ystride": ystride, "rbase": rbase,
        }  # fmt: skip
        b.drive({f"in_{name}": value for name, value in pins.items()})
        if not valid:
            return None
        expected = {"clear": kind == "clear", "fence": fence, "ends": ends, "op": int(op)}
        b.cover("entry", kind if kind != "tap" else op.name.lower())
        if first:
            self.results = 0
            self.rbase = rbase
        if kind != "tap":
            expected |= {"skip": 1, "last": 0}
            return expected | ({"raddr": ybase} if kind == "clear" else {})
        tap = Tap.unpack(int(self.pe.t[tpos]))
        row, col = int(self.pe.e[epos]) >> 8, int(self.pe.e[epos]) & 0xFF
        into, out = (row, col) if swap else (col, row)
        yaddr = (ybase + out * ystride + tap.yoff) % shape.y_depth
        weight = int(self.pe.w[(wpos + tap.woff) % len(self.pe.w)]) & 0xFF
        expected |= {
            "skip": tap.null, "last": tap.last, "yaddr": yaddr,
            "xaddr": (xbase + into * xstride + tap.xoff) % shape.x_depth,
            "raddr": (self.rbase + self.results) % shape.y_depth if op == Op.UNPOOL else yaddr,
            "woff": tap.woff,
        }  # fmt: skip
        if op == Op.MAC:
            expected["weight"] = weight
        self.results += tap.last
        b.cover("null", int(tap.null))
        b.cover("swap", int(swap))
        return expected


async def start(b: Bench) -> Addresses:
    """Reset, and random words everywhere."""
    model = Addresses(b)
    b.drive(dict.fromkeys(("load_e", "load_t", "load_w", "go", "in_valid"), 0))
    await b.reset()
    for memory in PINS.values():
        for addr in range(model.shape.depth(memory)):
            await model.load(memory, addr)
    return model


@bench_test(timeout_clocks=30_000)
async def entries(b: Bench) -> None:
    """Entries with any addresses, with and without pauses; then other words in the memories, and again."""
    model = await start(b)
    gaps = Gaps(b, "go")
    for _ in range(4):
        gaps.any()
        p_valid = b.rng.choice([1.0, 0.7])
        line: deque[dict[str, int] | None] = deque([None] * TICKS)
        left: dict[str, int] = {}  # the weight of the entry that left the outputs in the last tick
        weights: deque[dict[str, int]] = deque([{}] * WEIGHT)  # those of the clocks to come
        first = True
        for number in range(200 + TICKS + 1 + WEIGHT):
            valid = number < 200 and (first or b.rng.random() < p_valid)
            entry = model.drive(valid, first)
            first = (first and not valid) or b.rng.random() < 0.1
            go = False
            while not go:
                go = gaps.go("go")
                b.drive(go=go)
                await b.clocks()
                pins = dict(line[0] or {})
                weight = {"weight": pins.pop("weight")} if "weight" in pins else {}
                b.check(pins, weights.popleft(), valid=line[0] is not None)
                weights.append(left if go else {})
            left = weight
            line.popleft()
            line.append(entry)
        b.drive(go=0)
        for memory in PINS.values():
            for _ in range(8):
                await model.load(memory, b.rng.randrange(model.shape.depth(memory)))


@bench_test(timeout_clocks=10_000)
async def reset_in_flight(b: Bench) -> None:
    """A reset drops the entries on their way."""
    model = await start(b)
    for _ in range(5):
        b.drive(go=1)
        for _ in range(b.rng.randint(1, 6)):
            model.drive(True, True)
            await b.clocks()
        b.drive(in_valid=0)
        await b.reset()
        b.cover("reset", "in_flight")
        for _ in range(TICKS + 1):
            await b.clocks()
            b.check(valid=0)
