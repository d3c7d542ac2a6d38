# SPDX-License-Identifier: Apache-2.0
"""The compiled processing element against a slow one in plain Python integers, random commands and corners."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.pe_array.isa.pe_command import Memory, Op, PeCommand, PeShape, Tap, pack_taps, pad_bytes
from models.pe_array.machine import pe as pe_model
from models.pe_array.machine.pe import ProcessingElement


@pytest.fixture(params=["compiled", "python"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test on the compiled loop and on its Python source (which coverage sees)."""
    if request.param == "python":
        monkeypatch.setattr(pe_model, "execute", pe_model.execute.py_func)
    return str(request.param)


def signed(value: int, bits: int) -> int:
    value %= 1 << bits
    return value - (1 << bits) if value >> (bits - 1) else value


class SlowPe:
    """Section 4 of the contract, word by word; memories are lists of byte strings, Y of lists of integers."""

    def __init__(self, lanes: int, acc_bits: int, depths: dict[str, int]) -> None:
        self.lanes, self.acc_bits, self.depths = lanes, acc_bits, depths
        self.mem = {name: [bytes(lanes)] * depths[name] for name in "XWET"}
        self.y = [[0] * lanes for _ in range(depths["Y"])]

    def load(self, name: str, address: int, word: bytes, shift: int) -> None:
        if name == "Y":
            self.y[address] = [signed(signed(byte, 8) << shift, self.acc_bits) for byte in word]
        else:
            self.mem[name][address] = word

    def field(self, name: str, code: str, position: int) -> int:
        """Little-endian number ``position`` of a memory seen as a stream."""
        size = struct.calcsize(code)
        per_word = self.lanes // size
        word = self.mem[name][position // per_word % self.depths[name]]
        return int(struct.unpack_from("<" + code, word, position % per_word * size)[0])

    def run(self, c: PeCommand) -> list[int]:
        y_depth, lanes = self.depths["Y"], range(self.lanes)
        for n in range(c.clear):
            self.y[(c.ybase + n) % y_depth] = [0] * self.lanes
        gradients: list[int] = []
        results = 0
        for e in range(c.elements):
            coordinate = self.field("E", "H", c.ebase * (self.lanes // 2) + e)
            source, target = coordinate % 256, coordinate // 256
            if c.swap:
                source, target = target, source
            window: list[tuple[int, bytes]] = []
            s = [0] * self.lanes
            for k in range(c.taps):
                entry = self.field("T", "I", c.tbase * (self.lanes // 4) + k)
                xoff, woff, yoff = entry % 4096, (entry >> 12) % 128, (entry >> 19) % 1024
                last, null = (entry >> 29) % 2, (entry >> 30) % 2
                x = self.mem["X"][(c.xbase + source * c.xstride + xoff) % self.depths["X"]]
                w = self.field(
                    "W", "b", (c.wbase * self.lanes + e * c.wstride + woff) % (self.depths["W"] * self.lanes)
                )
                at = (c.ybase + target * c.ystride + yoff) % y_depth
                if not null:
                    window.append((woff, x))
                    for b in lanes:
                        xb = signed(x[b], 8)
                        if c.op == Op.MAC:
                            s[b] += w * xb
                        elif c.op == Op.GRAD:
                            s[b] += xb * signed(self.y[at][b], 8)
                        elif c.op == Op.UNPOOL and self.y[at][b] % 256 == woff:
                            s[b] += xb
                if last:
                    if c.op == Op.MAC:
                        self.y[at] = [signed(self.y[at][b] + s[b], self.acc_bits) for b in lanes]
                    elif c.op == Op.GRAD:
                        gradients.append(signed(sum(s), 32))
                    elif c.op == Op.MAX:
                        for b in lanes:
                            values = [signed(x[b], 8) for _, x in window]
                            best = max(values, default=-128)
                            index = window[values.index(best)][0] if values else 0
                            self.y[at][b] = index * 256 + best % 256
                    else:
                        self.y[(c.rbase + results) % y_depth] = [signed(value, self.acc_bits) for value in s]
                    results += 1
                    window, s = [], [0] * self.lanes
        return gradients


def random_command(rng: random.Random, op: Op, depths: dict[str, int]) -> PeCommand:
    def stride(high: int) -> int:
        return rng.choice([0, 1, rng.randrange(16), rng.randrange(high)])

    return PeCommand(
        op=op, taps=rng.choice([1, 2, rng.randrange(1, 20)]), elements=rng.choice([0, 1, 2, rng.randrange(20)]),
        swap=rng.random() < 0.5, clear=rng.choice([0, 1, rng.randrange(depths["Y"] + 1), depths["Y"]]),
        ebase=rng.randrange(depths["E"]), wbase=rng.randrange(depths["W"]), wstride=stride(128),
        tbase=rng.randrange(depths["T"]), xbase=rng.randrange(depths["X"]), xstride=stride(4096),
        ybase=rng.randrange(depths["Y"]), ystride=stride(1024), rbase=rng.randrange(depths["Y"]),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(25))
def test_random_commands_equal_the_slow_model(seed: int, kernel: str) -> None:
    rng = random.Random(seed)
    lanes = rng.choice([4, 8, 16])
    acc_bits = rng.choice([16, 17, 24, 32, 33, 48])
    depths = {name: 1 << rng.randrange(1, 8) for name in "XYWET"}
    pe = ProcessingElement(lanes, acc_bits, *(depths[name] for name in "XYWET"))
    slow = SlowPe(lanes, acc_bits, depths)
    for memory in Memory:
        for address in range(depths[memory.name]):
            word = bytes(rng.choice([rng.randrange(256), 0x80, 0x7F, 0]) for _ in range(lanes))
            if memory is Memory.E and rng.random() < 0.7:
                word = bytes(byte % 4 for byte in word)
            if memory is Memory.Y and rng.random() < 0.5:
                word = bytes(byte % 128 for byte in word)
            shift = rng.choice([0, 0, rng.randrange(16)])
            pe.load(memory, address, word, shift)
            slow.load(memory.name, address, word, shift)
    ran = 0
    for _ in range(12):
        command = random_command(rng, rng.choice(list(Op)), depths)
        per_word = lanes // 4
        for k in range(command.taps):
            entry = Tap(
                xoff=rng.randrange(4096), woff=rng.randrange(rng.choice([3, 128])), yoff=rng.randrange(1024),
                last=k == command.taps - 1 or rng.random() < 0.4, null=rng.random() < 0.2,
            ).pack()  # fmt: skip
            position = command.tbase * per_word + k
            address = position // per_word % depths["T"]
            packed = bytearray(slow.mem["T"][address])
            struct.pack_into("<I", packed, position % per_word * 4, entry)
            pe.load(Memory.T, address, bytes(packed))
            slow.load("T", address, bytes(packed), 0)
        final = slow.field("T", "I", command.tbase * per_word + command.taps - 1)
        if not final >> 29 & 1:
            continue  # the list is longer than the memory and has overwritten its end
        expected = slow.run(command)
        got = pe.run(command)
        assert got == expected, f"gradients of {command}"
        assert pe.y.tolist() == slow.y, f"Y after {command}"
        ran += 1
    assert ran > 0


def test_sums_wrap_and_the_largest_gradient_fits_in_32_bits() -> None:
    pe = ProcessingElement(64, 48, t_depth=64)
    pe.load(Memory.X, 0, bytes([0x80] * 64))
    pe.load(Memory.Y, 0, bytes([0x80] * 64))
    pe.load(Memory.T, 0, pad_bytes(pack_taps([Tap(last=k == 1022) for k in range(1023)]), 64))
    total = sum(pe.run(PeCommand(op=Op.GRAD, taps=1023, elements=1)))
    assert total == 64 * 1023 * 128 * 128 < 1 << 31
    narrow = ProcessingElement(4, 16)
    narrow.load(Memory.W, 0, bytes([0x80] * 4))
    narrow.load(Memory.X, 0, bytes([0x80, 0x7F, 0, 1]))
    narrow.load(Memory.T, 0, pad_bytes(pack_taps([Tap(last=True)]), 4))
    for _ in range(2):
        narrow.run(PeCommand(op=Op.MAC, taps=1, elements=1))
    assert narrow.drain(0).tolist() == [[-32768, -32512, 0, -256]]


def test_a_window_of_nulls_has_no_maximum() -> None:
    pe = ProcessingElement(4)
    pe.load(Memory.X, 0, bytes([1, 2, 3, 4]))
    pe.load(Memory.T, 0, pad_bytes(pack_taps([Tap(woff=5, last=True, null=True), Tap(woff=6, last=True)]), 4))
    pe.run(PeCommand(op=Op.MAX, taps=1, elements=1, ybase=3))
    pe.run(PeCommand(op=Op.MAX, taps=1, elements=1, ybase=4, tbase=1))
    assert pe.drain(3, 2).tolist() == [[0x80] * 4, [0x601, 0x602, 0x603, 0x604]]


def test_tap_entries_pack_and_unpack() -> None:
    taps = [Tap(), Tap(4095, 127, 1023, True, True), Tap(1, 2, 3, True), Tap(1, 2, 3, null=True)]
    entries = pack_taps(taps)
    assert [hex(entry) for entry in entries] == ["0x0", "0x7fffffff", "0x20182001", "0x40182001"]
    assert [Tap.unpack(int(entry)) for entry in entries] == taps


def test_loads_wrap_at_the_end_of_a_memory_and_take_any_byte_type() -> None:
    pe = ProcessingElement(4, x_depth=2, w_depth=2)
    pe.load(Memory.X, 1, [-1, -2, -3, -4, 5, 6, 7, 8])
    assert pe.x.tolist() == [[5, 6, 7, 8], [-1, -2, -3, -4]]
    pe.load(2, 0, np.array([255, 254, 253, 252], dtype=np.uint8))
    assert pe.w.tolist() == [-1, -2, -3, -4, 0, 0, 0, 0]
    pe.load(Memory.W, 1, np.array([255, -128, 0, 1]))
    assert pe.w.tolist() == [-1, -2, -3, -4, -1, -128, 0, 1]


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: PeShape(2), "lanes = 2 must be a power of two, 4 … 64"),
    (lambda: PeShape(8, 49), "acc_bits = 49 must be 16 … 48"),
    (lambda: PeShape(8, e_depth=24), "e_depth = 24 must be a power of two, 2 … 4096"),
    (lambda: PeShape(8, y_depth=2048), "y_depth = 2048 must be a power of two, 2 … 1024"),
    (lambda: Tap(xoff=4096), "tap xoff = 4096 must be 0 … 4095"),
    (lambda: Tap(woff=-1), "tap woff = -1 must be 0 … 127"),
    (lambda: Tap(yoff=1024), "tap yoff = 1024 must be 0 … 1023"),
    (lambda: Tap.unpack(1 << 31), "must fit in 31 bits"),
    (lambda: ProcessingElement(4).load(Memory.E, 64, bytes(4)), "load address 64 must be 0 … 63 in E"),
    (lambda: ProcessingElement(4).load(Memory.Y, 0, bytes(4), 16), "load shift = 16 must be 0 … 15"),
    (lambda: ProcessingElement(4).load(Memory.X, 0, bytes(5)), "5 bytes must be a multiple of 4"),
    (lambda: ProcessingElement(4).load(Memory.X, 0, [0, 0, 256, 0]), "must be bytes"),
    (lambda: ProcessingElement(4, x_depth=2).load(Memory.X, 0, bytes(12)), "3 words must fit in the 2 words of X"),
    (lambda: ProcessingElement(4).run(PeCommand(op=Op.MAC, taps=0)), "command taps = 0 must be 1 … 1023"),
    (lambda: ProcessingElement(4).run(PeCommand(op=Op.MAC, taps=1, clear=513)), "command clear = 513 must be 0 … 512"),
    (lambda: ProcessingElement(4).run(PeCommand(op=Op.MAC, taps=1, rbase=512)), "command rbase = 512 must be 0 … 511"),
    (lambda: ProcessingElement(4).run(PeCommand(op=Op.MAC, taps=1, elements=1)), "tap 0, the final one of the list"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_what_the_contract_forbids_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
