# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/axil_slave.v: which accesses become pulses, and what is answered."""

from __future__ import annotations

from tb.lib.axi import bus as axi
from tb.lib.bench import Bench, bench_test
from tb.lib.ports import Beside


class User(Beside):
    """The registers behind the slave: a memory in which some addresses refuse, with answers held back at random."""

    def __init__(self, b: Bench) -> None:
        super().__init__(b)
        self.words = 1 << (b.params["ADDR_WIDTH"] - 2)
        self.memory = [b.rng.getrandbits(32) for _ in range(self.words)]
        self.refuses_write = [b.rng.random() < 0.3 for _ in range(self.words)]
        self.refuses_read = [b.rng.random() < 0.3 for _ in range(self.words)]
        self.writes = self.reads = 0
        b.drive(dict.fromkeys(("write_ok", "write_hold", "read_ok", "read_data"), 0))
        self._hold = 0  # clocks to hold an answer back

    def answer(self) -> None:
        """Whether an access is good, and what is read, in its own clock; anything in others."""
        b, rng = self.b, self.b.rng
        b.drive(write_ok=rng.getrandbits(1), read_ok=rng.getrandbits(1), read_data=rng.getrandbits(32))
        self._hold = max(0, self._hold - 1)
        if b.high("write"):
            address = b.see("write_addr")
            self.writes += 1
            b.drive(write_ok=not self.refuses_write[address])
            if not self.refuses_write[address]:
                self.memory[address] = b.see("write_data")
            self._hold = rng.choice([0, 0, rng.randint(1, 20)])
        if b.high("read"):
            address = b.see("read_addr")
            self.reads += 1
            b.drive(read_ok=not self.refuses_read[address], read_data=self.memory[address])

    def look(self) -> None:
        """No answer comes while it is held back."""
        if self._hold:
            self.b.equal("answer while held", self.b.high("s_axil_bvalid") and self.b.high("write_hold"), False)

    def drive(self) -> None:
        """Hold the answer back."""
        self.b.drive(write_hold=self._hold > 0)


def random_address(b: Bench) -> int:
    """Often aligned, often one of a few."""
    address = b.rng.randrange(1 << b.params["ADDR_WIDTH"])
    return b.rng.choice([address, address & ~3, address & ~3, address & 0x1C])


async def set_up(b: Bench) -> tuple[axi.AxiLite, User]:
    """Master and user around a slave out of reset, stalls on all channels."""
    master, user = axi.AxiLite(b), User(b)
    names = axi.stall(b, *master.channels)
    for channel, name in zip(("aw", "w", "b", "ar", "r"), names, strict=True):
        b.cover(channel, name)
    await b.reset()
    return master, user


@bench_test(timeout_clocks=100_000)
async def accesses(b: Bench) -> None:
    """Reads and writes one after the other, illegal ones among them; a mirror of the memory says what comes."""
    master, user = await set_up(b)
    mirror = list(user.memory)
    writes = reads = 0
    for _ in range(150):
        address = random_address(b)
        word = address >> 2
        if b.rng.random() < 0.5:
            data, strobe = b.rng.getrandbits(32), b.rng.choice([0xF, 0xF, b.rng.randrange(16)])
            legal = address % 4 == 0 and strobe == 0xF
            writes += legal
            good = legal and not user.refuses_write[word]
            if good:
                mirror[word] = data
            b.cover("write", "done" if good else "refused" if legal else "misaligned" if address % 4 else "strobe")
            b.equal("bresp", await master.write(address, data, strobe), axi.OKAY if good else axi.SLVERR)
        else:
            legal = address % 4 == 0
            reads += legal
            good = legal and not user.refuses_read[word]
            b.cover("read", "done" if good else "refused" if legal else "misaligned")
            b.equal("read", await master.read(address), [mirror[word], axi.OKAY] if good else [0, axi.SLVERR])
    b.equal("pulses", [user.writes, user.reads], [writes, reads])
    b.equal("memory", user.memory, mirror)


@bench_test(timeout_clocks=100_000)
async def queued_accesses(b: Bench) -> None:
    """Addresses and data far ahead of each other, reads and writes at the same time: answers come in order."""
    master, user = await set_up(b)
    mirror = list(user.memory)
    count = 60
    half = 1 << (b.params["ADDR_WIDTH"] - 1)
    addresses = [random_address(b) % half for _ in range(count)]
    expected = []
    for address in addresses:
        data = b.rng.getrandbits(32)
        good = address % 4 == 0 and not user.refuses_write[address >> 2]
        if good:
            mirror[address >> 2] = data
        expected.append(axi.OKAY if good else axi.SLVERR)
        master.write_nowait(address, data, prot=b.rng.randrange(8))
    b.expect("bresp", expected)
    read = [b.rng.randrange(half >> 2, half >> 1) for _ in range(count)]  # the half that nobody writes
    for word in read:
        b.expect("read", [0, axi.SLVERR] if user.refuses_read[word] else [mirror[word], axi.OKAY])
        master.read_nowait(word * 4, prot=b.rng.randrange(8))
    for _ in range(count):
        b.got("bresp", await master.response())
    for _ in range(count):
        b.got("read", await master.answer())
    b.equal("memory", user.memory, mirror)
