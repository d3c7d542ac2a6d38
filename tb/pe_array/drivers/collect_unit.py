# SPDX-License-Identifier: Apache-2.0
"""A collect_store between its queue, a grid and a memory or update_store: what it is given, and what is expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from models.pe_array.isa.descriptors import Collect, Descriptor, Learn, Slot, unnamed
from models.pe_array.isa.pe_command import GRADIENT_BITS, wrap
from models.pe_array.network.weight_update import UPDATE_WORDS, learn_order, pack_gradients
from tb.lib import values
from tb.lib.bench import Bench
from tb.pe_array.drivers.collect_watch import CollectWatch
from tb.pe_array.drivers.descriptor_port import DescriptorPort
from tb.pe_array.drivers.gradient_slots import GradientSlots
from tb.pe_array.drivers.port_memory import PortMemory

COUNT_MAX = (1 << 24) - 1


@dataclass(frozen=True)
class Part:
    """What a COLLECT gets from a slot: first beat, relative to the place of the array, and number of gradients."""

    slot: int
    beat: int
    gradients: int


class Ports(PortMemory):
    """Memory; with a LEARN the ports of update_store: offsets lie from the base on, and what is read does not come.

    Attributes:
        asked, chunks: (offset, words) of the chunks of LEARNs that were asked for, and that were given.
    """

    asked: list[tuple[int, int]]
    chunks: list[tuple[int, int]]

    def clear(self) -> None:
        """Forget what was asked for and given."""
        self.asked, self.chunks = [], []

    def _offer(self, name: str, payload: Sequence[str]) -> tuple[int, ...] | None:
        offer = super()._offer(name, payload)
        if offer is None or not name.endswith("cmd") or not self.b.high("learns"):
            return offer
        (self.asked if name == "rd_cmd" else self.chunks).append((offer[0], offer[1] + 1))
        return None if name == "rd_cmd" else (self.base + offer[0], offer[1])


class Unit:
    """A collect_store between its queue, a grid and a memory, and their model."""

    def __init__(self, b: Bench, errors: bool = False) -> None:
        self.b, self.beat = b, int(b.params["B"])
        self.lanes, self.count, self.rounds = self.beat // 4, int(b.params["P"]), 3 if int(b.params["P"]) <= 4 else 1
        self.beats = beats = 128 * self.count
        size = beats * self.beat
        self.memory = Ports(b, min(b.rng.getrandbits(32) // self.beat * self.beat, (1 << 32) - size), size)
        self.port, self.slots = DescriptorPort(b), GradientSlots(b)
        self.expected = self.memory.data.copy()
        if not errors and CollectWatch.fits(b):  # of errors the cycle model knows nothing
            CollectWatch(b)

    async def start(self) -> None:
        """Reset."""
        await self.b.reset()
        self.memory.writes.clear()
        self.memory.clear()
        self.order: list[tuple[int, int]] = []
        self.before = ""
        self.memory.answers = 0
        self.expected[:] = self.memory.data

    def parts(self, slots: Sequence[int], longest: int = 60) -> list[Part]:
        """Random numbers of gradients for these slots, their beats one behind the other with gaps."""
        rng, parts, beat = self.b.rng, [], rng_gap(self.b)
        for slot in rng.sample(list(slots), len(slots)):
            kind = rng.choice(["one", "whole", "any", "any", "short"])
            gradients = {
                "one": 1,
                "whole": self.lanes * rng.randint(1, max(1, longest // self.lanes)),
                "any": rng.randint(1, longest),
                "short": rng.randint(1, self.lanes),
            }[kind]
            parts.append(Part(slot, beat, gradients))
            beat += -(-gradients // self.lanes) + rng_gap(self.b)
            self.b.cover("part", "one" if gradients == 1 else "ragged" if gradients % self.lanes else "whole")
        self.b.require(beat <= self.beats, "the array does not fit in memory")
        self.b.cover("slots", "none" if not parts else "all" if len(parts) == self.count else "some")
        return parts

    def name(self, parts: Sequence[Part], first: int) -> None:
        """SLOTs for these parts; `first` is added to all beats. Some slots are named before and not meant."""
        rng = self.b.rng
        for part in parts:
            if rng.random() < 0.1:
                self.port.send(Slot(part.slot, rng.getrandbits(24), rng.getrandbits(24)))
                self.b.cover("named", "twice")
            self.port.send(Slot(part.slot, first + part.beat, part.gradients), self.noise(Slot))
        others = sorted(set(range(self.count)) - {part.slot for part in parts})
        for slot in others if rng.random() < 0.3 else []:
            self.port.send(Slot(slot, rng.getrandbits(24), 0), self.noise(Slot))
            self.b.cover("named", "without_gradients")

    def noise(self, kind: type[Descriptor]) -> int:
        """Bits that SLOT or COLLECT ignores."""
        return self.b.rng.getrandbits(256) & unnamed(kind.opcode)

    def collect(self, parts: Sequence[Part], add: bool, offer: bool = True, place: int | None = None) -> int:
        """A COLLECT of these parts and its gradients, also in the model; its place in the program.

        Args:
            offer: the slots have the gradients at once; else they must be put into their queues later.
            place: beat of memory where the array begins; None: anywhere.
        """
        rng, memory = self.b.rng, self.memory
        used = max((part.beat + -(-part.gradients // self.lanes) for part in parts), default=0)
        place = rng.randint(0, self.beats - used) if place is None else place
        first = rng.choice([0, rng.getrandbits(24)])
        first = min(first, COUNT_MAX - used)
        self.name(parts, first)
        address = (memory.base + (place - first) * self.beat) % (1 << 32)
        index = self.port.send(Collect(address, add), self.noise(Collect))
        self.b.cover("add", add)
        self.behind("collect")
        self.sums: dict[int, list[int]] = {}
        for part in parts:
            fresh = values.signed(self.b, 32, part.gradients)
            words = pack_gradients(fresh, self.lanes)
            there = self.expected.view("<i4").reshape(-1, self.lanes)
            rows = slice(place + part.beat, place + part.beat + len(words))
            there[rows] = wrap(there[rows] + words if add else words, GRADIENT_BITS)
            self.sums[part.slot] = [int(x) & 0xFFFFFFFF for x in fresh]
            if offer:
                self.slots.queue[part.slot].extend(self.sums[part.slot])
        return index

    def behind(self, kind: str) -> None:
        """What an operation follows."""
        if self.before:
            self.b.cover("behind", f"{self.before}_{kind}")
        self.before = kind

    def learn(self, slots: Sequence[int]) -> None:
        """A LEARN of some gradients of these slots, from the memory's first beat on, and what it gives for them."""
        rng, words = self.b.rng, []
        parts: list[Part] = []
        beat = 0
        for slot in sorted(slots):
            gradients = rng.choice([1, rng.randint(1, 60), UPDATE_WORDS * self.lanes * rng.randint(1, 7)])
            packed = pack_gradients(values.signed(self.b, 32, gradients), self.lanes)
            parts.append(Part(slot, beat, gradients))
            rows = slice(beat, beat - (-len(packed) // UPDATE_WORDS) * UPDATE_WORDS)
            there = self.expected.view("<i4").reshape(-1, self.lanes)
            there[rows], there[beat : beat + len(packed)] = 0, packed
            self.slots.queue[slot].extend(int(x) & 0xFFFFFFFF for x in packed.reshape(-1)[:gradients])
            words.append(len(packed))
            beat = rows.stop + UPDATE_WORDS * rng.randrange(2)
        self.name(rng.sample(parts, len(parts)), 0)
        self.port.send(Learn(rng.getrandbits(32), rng.getrandbits(32), rng.randrange(32)), self.noise(Learn))
        chunk = int(self.b.params["CHUNK"])
        for slot, first, count in learn_order(words, chunk):
            self.order.append(((parts[slot].beat + first) * self.beat, count))
        self.behind("learn")

    def any_gaps(self) -> None:
        """Other patterns at all handshakes."""
        self.memory.any_gaps()
        for each in (self.port, self.slots):
            each.gaps.any()

    async def after_reset(self) -> None:
        """A COLLECT of some slots, often not all: one that was named before the reset must not enter."""
        some = self.b.rng.sample(range(self.count), self.b.rng.randint(0, self.count))
        self.collect(self.parts(some, 20), self.b.rng.random() < 0.5)
        self.b.cover("after_reset", "none" if not some else "all" if len(some) == self.count else "some")
        await self.compare()

    async def compare(self) -> None:
        """Wait for the end and compare all of memory."""
        await self.port.until_done()
        self.b.equal("memory", int((self.memory.data != self.expected).sum()), 0)
        self.b.equal("answers", self.memory.answers, len(self.memory.writes))
        self.b.equal("left", sum(len(queue) for queue in self.slots.queue), 0)
        for what, found in (("what is read", self.memory.asked), ("what is given", self.memory.chunks)):
            self.b.equal(
                f"chunks of LEARNs, {what}", list(chain.from_iterable(found)), list(chain.from_iterable(self.order))
            )


def rng_gap(b: Bench) -> int:
    """Beats between two parts."""
    return b.rng.choice([0, 0, b.rng.randint(0, 20)])
