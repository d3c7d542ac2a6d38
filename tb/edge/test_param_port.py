# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/edge/param_port.v: loads and dumps of all sections, into a model of the engine's row banks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.edge.config import EdgeConfig
from models.edge.registers import Kind
from tb.lib.axi import bus as axi
from tb.lib.bench import Bench, bench_test
from tb.lib.ports import Beside


@dataclass
class Bank:
    """A row bank as its cfg_* ports show it, with OUT_REG (rtl/lib/row_bank.v)."""

    rows: list[list[int]]
    limit: int = 0
    """Values allowed, 0 … limit-1; 0: any."""
    shift: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    """That was read last."""
    coming: list[int] = field(default_factory=list)
    """Row that it is from the next clock on."""
    lane: int = 0
    """Word of it that is chosen in this clock."""
    out: int = 0
    """Word that was chosen in the clock before."""

    def words(self) -> list[int]:
        """The section, in order."""
        return [word for row in self.rows for word in row]

    def fill(self, words: Sequence[int]) -> None:
        """What a LOAD of these words must leave."""
        lanes = len(self.rows[0])
        for k, word in enumerate(words[: lanes * len(self.rows)]):
            self.rows[k // lanes][k % lanes] = 0 if self.out_of_range(word) else word

    def out_of_range(self, word: int) -> bool:
        """Is it refused, and 0 written?"""
        return bool(self.limit) and word >= self.limit


class Banks(Beside):
    """All banks of an engine, clocked by the ports of the design."""

    def __init__(self, b: Bench, config: EdgeConfig) -> None:
        super().__init__(b)
        self.banks: dict[tuple[int, int], Bank] = {}
        self.expected: dict[tuple[int, int], Bank] = {}
        for banks in (self.banks, self.expected):
            for i, shape in enumerate(config.junctions):
                seed_rows = shape.fan_out if config.sweep_seeds else 1
                banks[i + 1, Kind.WEIGHTS] = self._bank(shape.clocks, shape.z)
                banks[i + 1, Kind.BIASES] = self._bank(shape.groups, shape.p)
                banks[i + 1, Kind.SEEDS] = self._bank(seed_rows, shape.z, shape.sweep)
                if config.dither:
                    banks[i + 1, Kind.PERMS] = self._bank(shape.fan_out, shape.z, shape.z)
        self.errors = self.bad_commands = self.accepted = 0
        b.drive(cfg_out=0)

    @staticmethod
    def _bank(rows: int, lanes: int, limit: int = 0) -> Bank:
        shift, row, coming = ([0] * lanes for _ in range(3))
        return Bank([[0] * lanes for _ in range(rows)], limit, shift=shift, row=row, coming=coming)

    def answer(self) -> None:
        """An access of this clock, and the flags."""
        b = self.b
        shift, write, read = (int(b.high(f"cfg_{name}")) for name in ("shift", "write", "read"))
        self.errors += b.high("param_err")
        self.bad_commands += b.high("bad_cmd")
        self.accepted += b.high("s_axis_param_tvalid") and b.high("s_axis_param_tready")
        self._edge(shift, write, read)

    def drive(self) -> None:
        """The word of the bank that is selected, or anything."""
        b = self.b
        if b.known("cfg_junction") and b.known("cfg_kind"):
            bank = self.banks.get((b.see("cfg_junction"), b.see("cfg_kind")))
            b.drive(cfg_out=bank.out if bank else b.rng.getrandbits(32))

    def _edge(self, shift: int, write: int, read: int) -> None:
        for bank in self.banks.values():
            bank.out, bank.row = bank.row[bank.lane], bank.coming
        self.b.require(shift + write + read <= 1, "several accesses in one clock")
        if not shift + write + read:
            return
        key = self.b.see("cfg_junction"), self.b.see("cfg_kind")
        self.b.require(key in self.banks, f"access to section {key}, which does not exist")
        bank, row = self.banks[key], self.b.see("cfg_addr")
        if shift:
            bank.shift = [*bank.shift[1:], self.b.see("cfg_word")]
            bank.lane = (bank.lane + 1) % len(bank.row)
        else:
            self.b.require(row < len(bank.rows), f"row {row} of section {key}, which has {len(bank.rows)}")
        if write:
            bank.rows[row] = list(bank.shift)
        if read:
            bank.coming, bank.lane = list(bank.rows[row]), 0

    def compare(self) -> None:
        """All sections must be as expected."""
        for key, bank in self.expected.items():
            self.b.equal(f"section {key}", self.banks[key].words(), bank.words())


class Port:
    """Host side of a param_port with its banks."""

    def __init__(self, b: Bench) -> None:
        assert b.config is not None
        self.b, self.config = b, b.config
        b.drive(dict.fromkeys(("soft_rst", "load", "dump", "sel_junction", "sel_kind"), 0))
        self.words_in = axi.stream_source(b, "s_axis_param")
        self.words_out = axi.stream_sink(b, "m_axis_param")
        self.banks = Banks(b, self.config)
        for key, bank in self.banks.banks.items():
            for k, row in enumerate(bank.rows):
                row[:] = self.random(key, len(row))
                self.banks.expected[key].rows[k] = list(row)

    def random(self, key: tuple[int, int], count: int) -> list[int]:
        """Legal words for a section."""
        limit = self.banks.expected[key].limit
        return [self.b.rng.randrange(limit) if limit else self.b.rng.getrandbits(32) for _ in range(count)]

    async def command(self, name: str, junction: int, kind: int) -> None:
        """A one-clock pulse of load or dump; what is selected changes right after it."""
        self.b.drive({name: 1}, sel_junction=junction, sel_kind=kind)
        await self.b.clocks()
        self.b.drive({name: 0}, sel_junction=self.b.rng.getrandbits(8), sel_kind=self.b.rng.getrandbits(2))
        await self.b.settle()

    async def idle(self) -> None:
        """Wait until neither a LOAD nor a DUMP is busy."""
        b = self.b
        await b.wait_for(lambda: not (b.see("load_busy") or b.see("dump_busy")), 40_000, "the end of a command")
        await self.b.clocks(2)

    async def words_accepted(self, count: int) -> None:
        """Wait until so many words have been accepted since the reset."""
        await self.b.wait_for(lambda: self.banks.accepted >= count, 20_000, f"{count} words")

    async def load(self, key: tuple[int, int], length: str) -> None:
        """LOAD a frame of the right length, or "short" or "long", with illegal values now and then; check it."""
        b, bank = self.b, self.banks.expected[key]
        size = len(bank.words())
        if length == "short" and size == 1:
            length = "right"
        b.cover("length", length)
        count = {"right": size, "short": b.rng.randint(1, max(1, size - 1)), "long": b.rng.randint(size + 1, 2 * size)}
        words = self.random(key, count[length])
        if bank.limit and b.rng.random() < 0.5:
            b.cover("value", "out_of_range")
            for _ in range(b.rng.randint(1, 3)):
                words[b.rng.randrange(len(words))] = b.rng.choice([bank.limit, 0xFFFFFFFF, bank.limit | 0x10000])
        bad = length != "right" or any(bank.out_of_range(word) for word in words[:size])
        bank.fill(words)
        errors = self.banks.errors
        early = b.rng.random() < 0.3
        if early:
            self.words_in.send_nowait(axi.frame(words))
        await self.command("load", *key)
        b.check(load_busy=1, dump_busy=0)
        if not early:
            self.words_in.send_nowait(axi.frame(words))
        await self.idle()
        b.equal("left over", self.words_in.count() + self.words_in.active, 0)
        b.equal("error", self.banks.errors > errors, bad)
        self.banks.compare()

    async def dump(self, key: tuple[int, int]) -> None:
        """DUMP a section and compare its words."""
        b = self.b
        b.expect("dumped", self.banks.expected[key].words())
        await self.command("dump", *key)
        b.check(load_busy=0, dump_busy=1)
        b.got("dumped", (await axi.receive(self.words_out, 40_000))[0])
        await self.idle()
        self.banks.compare()


async def set_up(b: Bench) -> Port:
    """A port out of reset with stalls on both streams."""
    port = Port(b)
    for group, name in zip(("load_stall", "dump_stall"), axi.stall(b, port.words_in, port.words_out), strict=True):
        b.cover(group, name)
    await b.reset()
    return port


@bench_test(timeout_clocks=400_000)
async def sections(b: Bench) -> None:
    """Loads and dumps of all sections in random order."""
    port = await set_up(b)
    keys = list(port.banks.expected)
    for key in b.rng.sample(keys, len(keys)):
        b.cover("section", Kind(key[1]).name.lower())
        await port.load(key, b.rng.choice(["right", "right", "short", "long"]))
        await port.dump(b.rng.choice([key, *keys]))


@bench_test(timeout_clocks=100_000)
async def missing_sections(b: Bench) -> None:
    """Commands for sections that do not exist: one pulse of bad_cmd, and nothing else."""
    port = await set_up(b)
    junctions = len(port.config.junctions)
    missing = [(0, 0), (0, 3), (junctions + 1, 1), (255, 2)] + [(junctions, 3), (1, 3)] * (not port.config.dither)
    for junction, kind in b.rng.sample(missing, len(missing)):
        before = port.banks.bad_commands
        name = b.rng.choice(["load", "dump"])
        b.cover("missing", name)
        await port.command(name, junction, kind)
        await port.idle()
        b.equal("bad_cmd pulses", port.banks.bad_commands - before, 1)
        port.banks.compare()
    await port.dump(b.rng.choice(list(port.banks.expected)))


@bench_test(timeout_clocks=100_000)
async def soft_reset_in_load(b: Bench) -> None:
    """A LOAD is given up between rows, the rest of its frame swallowed; the next LOAD is right."""
    port = await set_up(b)
    for _ in range(4):
        key = b.rng.choice(list(port.banks.expected))
        bank = port.banks.expected[key]
        words = port.random(key, len(bank.words()) + b.rng.choice([0, 0, 3]))
        start = port.banks.accepted
        await port.command("load", *key)
        port.words_in.send_nowait(axi.frame(words))
        await port.words_accepted(start + b.rng.randint(0, len(words)))
        port.words_in.pause = True
        port.words_in.clear_pause_generator()
        await b.clocks(8)
        got = port.banks.accepted - start
        lanes = len(bank.rows[0])
        complete = len(words) if got >= len(words) else got // lanes * lanes
        b.cover("reset", "before_load" if not got else "mid_load" if got < len(words) else "after_load")
        bank.fill(words[:complete])
        b.drive(soft_rst=1)
        await b.clocks(b.rng.randint(1, 4))
        b.drive(soft_rst=0)
        await b.settle()
        b.equal("busy", b.see("load_busy"), 0)
        port.banks.compare()
        axi.stall(b, port.words_in)
        await b.clocks()
        if got:
            await port.load(b.rng.choice(list(port.banks.expected)), "right")
        else:  # the frame is still to come, whole: the next LOAD takes it
            bank.fill(words)
            await port.command("load", *key)
            await port.idle()
            port.banks.compare()


@bench_test(timeout_clocks=100_000)
async def soft_reset_in_dump(b: Bench) -> None:
    """A DUMP goes on."""
    port = await set_up(b)
    for _ in range(3):
        key = b.rng.choice(list(port.banks.expected))
        dump = b.start(port.dump(key))
        await b.clocks(b.rng.randint(1, 2 * len(port.banks.expected[key].words()) + 3))
        b.cover("reset", "mid_dump" if b.high("dump_busy") else "after_dump")
        b.drive(soft_rst=1)
        await b.clocks(b.rng.randint(1, 20))
        b.drive(soft_rst=0)
        await dump


@bench_test(timeout_clocks=100_000)
async def hard_resets(b: Bench) -> None:
    """A hard reset ends a LOAD or a DUMP and its frame; a soft reset behind it has no rest of a frame to swallow."""
    port = await set_up(b)
    keys = list(port.banks.expected)
    for _ in range(4):
        key = b.rng.choice(keys)
        bank, dumping = port.banks.expected[key], b.rng.random() < 0.3
        start = port.banks.accepted
        words = port.random(key, len(bank.words()) + b.rng.choice([0, 3]))
        await port.command("dump" if dumping else "load", *key)
        if dumping:
            await b.clocks(b.rng.randint(1, 20))
        else:
            port.words_in.send_nowait(axi.frame(words))
            await port.words_accepted(start + b.rng.randint(1, len(words)))
        port.words_in.pause = True
        port.words_in.clear_pause_generator()
        await b.clocks(8)
        got, lanes = port.banks.accepted - start, len(bank.rows[0])
        bank.fill(words[: len(words) if got >= len(words) else got // lanes * lanes])
        soft = b.rng.random() < 0.7
        in_dump = b.high("dump_busy")
        if dumping and not in_dump:  # its frame has been taken as a whole
            b.equal("dumped", (await axi.receive(port.words_out, 1))[0], bank.words())
        else:
            b.cover("reset", "hard_in_dump" if in_dump else "hard_in_load" if got < len(words) else "hard_after_load")
        b.cover("reset", "soft_behind_hard", int(soft and 0 < got < len(words)))
        b.drive(rst=1)
        await b.clocks()
        b.drive(rst=0)
        if soft:
            await b.clocks(b.rng.randint(0, 2))
            b.drive(soft_rst=1)
            await b.clocks()
            b.drive(soft_rst=0)
        await b.settle()
        b.equal("busy", [b.see("load_busy"), b.see("dump_busy"), b.see("m_axis_param_tvalid")], [0, 0, 0])
        axi.stall(b, port.words_in)
        await b.clocks()
        await port.load(b.rng.choice(keys), "right")
        await port.dump(b.rng.choice(keys))
