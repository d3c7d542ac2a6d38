# SPDX-License-Identifier: Apache-2.0
"""Random programs of the PE array, descriptor by descriptor: nothing of program.py or assemble.py is used.

A program loads all that it uses. Its operations have random fields and work on whatever is in the memories of the PEs;
each waits for what it must, and for more only now and then, so that every legal order gives the same memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from models.pe_array.isa import descriptors as d
from models.pe_array.isa.map_transfer import DrainCommand
from models.pe_array.isa.operations import After, CommandField
from models.pe_array.isa.pe_command import LAST_BIT, NULL_BIT, YOFF_LOW, Op
from models.pe_array.isa.runs import spreads
from models.pe_array.isa.widths import POOL_BEATS
from models.pe_array.network.weight_update import UPDATE_WORDS
from tb.pe_array.drivers.array_cases import CaseMemory

_E, _T = 1, 2
"""Memories of STREAM."""
_OWN_MEMORIES = "xywet"


@dataclass
class Use:
    """Loads, computes and stores that must be done before a thing may be read, and before it may be written."""

    read: list[int] = field(default_factory=lambda: [0, 0, 0])
    write: list[int] = field(default_factory=lambda: [0, 0, 0])


@dataclass
class Region:
    """Beats of memory that the program writes, or only reads."""

    address: int
    beats: int
    use: Use = field(default_factory=Use)


class FuzzProgram:
    """A random program.

    Args:
        memory: gets its data, but not the program itself.
        length: operations behind the loads that fill all memories.

    Attributes:
        made: the descriptors.
        prologue: number of those that fill memories and fields.
    """

    def __init__(self, memory: CaseMemory, length: int) -> None:
        self._memory, self._rng, self._np = memory, memory.b.rng, memory.b.np
        self._shape, self._pes, self._lanes = memory.grid.shape, memory.grid.pes, memory.lanes
        self._wide = memory.grid.wide
        self._own = {name: Use() for name in _OWN_MEMORIES}
        self._written: list[Region] = []
        self._counts = [0, 0, 0]
        inside = self._lanes // 4  # taps of a word: the last one of them always ends a sum, so that any word may
        self._lasts = [n == inside - 1 or self._rng.random() < 0.3 for n in range(inside)]
        self._output: tuple[d.Output, list[Region], object] | None = None
        self._beside = "mask"  # what drains read besides
        self.made: list[d.Descriptor] = []
        for each in memory.garbage():
            self._add(each, writes=_OWN_MEMORIES if each.counts else "")
        taps = self._taps(self._shape.t_depth)
        self._add(d.Stream(_T, self._put(taps).address, self._shape.t_depth, 0, self._everyone), writes="t")
        for own in CommandField:
            self._set(own, self._everyone)
        self.prologue = len(self.made)
        kinds = (
            self._window, self._map, self._map, self._stream, self._stream, self._pointers, self._command,
            self._command, self._command, self._gradients, self._drain, self._drain, self._update, self._delta,
        )  # fmt: skip
        for _ in range(length):
            self._rng.choice(kinds)()

    @property
    def _everyone(self) -> int:
        return (1 << self._pes) - 1

    def _add(
        self, made: d.Descriptor, reads: str = "", writes: str = "", from_: Sequence[Region] = (),
        to: Sequence[Region] = (), lazy: bool = True,
    ) -> None:  # fmt: skip
        """Append a descriptor that uses these memories of the PEs and regions; ``lazy``: it may wait for too much."""
        engine = made.engine - d.Engine.LOAD
        things = [(self._own[name].read, True) for name in reads] + [(self._own[name].write, True) for name in writes]
        things += [(each.use.read, False) for each in from_] + [(each.use.write, False) for each in to]
        after = [0, 0, 0]
        for counts, own in things:
            for n, count in enumerate(counts):
                if not (own and n == engine):  # an engine works in order
                    after[n] = max(after[n], count)
        if lazy and self._rng.random() < 0.15:
            after = list(self._counts)
        self.made.append(replace(made, after=After(*after)))
        self._counts[engine] += made.counts
        now = self._counts[engine]
        for use in [*(self._own[name] for name in reads), *(each.use for each in from_)]:
            use.write[engine] = now
        for use in [*(self._own[name] for name in writes), *(each.use for each in to)]:
            use.write[engine] = use.read[engine] = now

    # --- memory ---

    def _put(self, array: np.ndarray, written: bool = False) -> Region:
        region = Region(self._memory.put(array, written), array.size * array.itemsize // self._lanes)
        if written:
            self._written.append(region)
        return region

    def _random(self, beats: int, written: bool = False) -> Region:
        """Fresh beats with random content."""
        return self._put(self._memory.words(beats), written)

    def _source(self, beats: int, unit: int = 1) -> tuple[int, list[Region]]:
        """Address of beats to read: fresh ones, or of a region that was written, and the regions among them.

        unit: of its beats the address is a multiple, as ``beats`` are.
        """
        large = [each for each in self._written if each.beats >= beats]
        if large and self._rng.random() < 0.4:
            chosen = self._rng.choice(large)
            return chosen.address + self._lanes * unit * self._rng.randint(0, (chosen.beats - beats) // unit), [chosen]
        return self._random(beats).address, []

    def _target(self, beats: int, unit: int = 1) -> tuple[int, Region]:
        """Address of beats to write, fresh or not; unit: as in ``_source``."""
        large = [each for each in self._written if each.beats >= beats]
        if large and self._rng.random() < 0.3:
            chosen = self._rng.choice(large)
            return chosen.address + self._lanes * unit * self._rng.randint(0, (chosen.beats - beats) // unit), chosen
        region = self._random(beats, written=True)
        return region.address, region

    def _taps(self, words: int) -> np.ndarray:
        """Tap lists, uint32 (words * B/4): operands of UNPOOL lie in the lower half of Y."""
        taps = self._np.integers(0, 1 << YOFF_LOW, (words, len(self._lasts)))
        taps |= self._np.integers(0, self._shape.y_depth // 2, taps.shape) << YOFF_LOW
        taps |= (self._np.random(taps.shape) < 0.2).astype(np.int64) << NULL_BIT
        return (taps | np.array(self._lasts).astype(np.int64) << LAST_BIT).astype(np.uint32)

    # --- load ---

    def _window(self) -> None:
        def some() -> tuple[int, int]:
            first = self._rng.randint(0, 5)
            return first, first + self._rng.randint(0, 8)

        pe, slot = self._rng.randrange(self._pes), self._rng.randrange(self._pes)
        self._add(d.Window(pe, slot, some(), some(), some(), some()))

    def _map(self) -> None:
        rng = self._rng
        channels, rows, width = rng.randint(1, 3), rng.randint(1, 4), rng.randint(1, 6)
        beats = channels * rows * width
        runs = rng.choice([n for n in range(1, beats + 1) if beats % n == 0])
        stride = rng.randint(0, beats // runs + 3)
        address, regions = self._source((runs - 1) * stride + beats // runs)
        y, everyone = rng.random() < 0.4, rng.random() < 0.5
        self._add(
            d.Map(address, beats // runs, runs, stride, width, channels, rng.randrange(4096), rng.randint(0, 8), rows,
                  rng.randrange(16), y, everyone, rng.randrange(256 if everyone else self._pes)),
            writes="y" if y else "x", from_=regions,
        )  # fmt: skip

    def _stream(self) -> None:
        rng = self._rng
        memory = rng.choice([0, _E, _T])
        depth = (self._shape.w_depth, self._shape.e_depth, self._shape.t_depth)[memory]
        beats, check = rng.randint(1, min(depth, 20)), rng.random() < 0.5
        address, regions = (self._put(self._taps(beats)).address, []) if memory == _T else self._source(beats)
        largest, count = (255, 255), rng.choice([0, 1, rng.randint(1, beats * self._lanes // 2)])
        if check and not regions and count:
            at = address - self._memory.base
            pairs = self._memory.data[at : at + 2 * count].reshape(-1, 2)
            largest = int(pairs[:, 1].max()), int(pairs[:, 0].max())
        self._add(
            d.Stream(memory, address, beats, rng.randrange(4096), rng.getrandbits(64), check, *largest, count),
            writes="wet"[memory], from_=regions,
        )  # fmt: skip

    def _pointers(self) -> None:
        blocks = self._rng.choice([0, 1, self._rng.randint(1, 40)])
        steps = self._np.integers(0, self._rng.choice([1, 5, 1 << 26]) + 1, blocks)
        pointers = np.concatenate([[0], np.cumsum(steps)])
        room = np.zeros(-(-len(pointers) * 4 // self._lanes) * self._lanes // 4, dtype=np.uint32)
        room[: len(pointers)] = pointers
        self._add(d.Pointers(self._put(room).address, blocks, int(pointers[-1])))

    # --- compute ---

    def _set(self, own: CommandField, pes: int, value: int | None = None) -> None:
        rng = self._rng
        some = {
            CommandField.ELEMENTS: rng.choice([0, 1, rng.randint(1, 6)]),
            CommandField.CLEAR: rng.choice([0, 0, rng.randint(1, 8), rng.randint(0, self._shape.y_depth)]),
            CommandField.TAPS: rng.randint(1, 3) * len(self._lasts),
        }.get(own, rng.randrange(4096))
        self._add(d.Set(own, some if value is None else value, pes))

    def _compute(self, op: Op, ybase: int, rbase: int, tiles_log2: int) -> None:
        rng = self._rng
        ebase, wbase, xbase = (rng.randrange(4096) for _ in range(3))
        self._add(
            d.Compute(op, rng.random() < 0.5, tiles_log2, ebase, wbase, xbase, rng.randrange(128), ybase, rbase),
            reads="xwet", writes="y",
        )  # fmt: skip

    def _command(self) -> None:
        """MAC, MAX or UNPOOL, whose results lie in the upper half of Y and nowhere else."""
        rng = self._rng
        op = rng.choice([Op.MAC, Op.MAC, Op.MAX, Op.UNPOOL])
        for own in rng.sample(list(CommandField), rng.randint(0, 4)):
            self._set(own, rng.getrandbits(64))
        ybase, rbase = rng.randrange(4096), rng.randrange(4096)
        if op == Op.UNPOOL:
            self._set(CommandField.YSTRIDE, self._everyone, 0)
            words = self._shape.y_depth // 2 // (6 * sum(self._lasts))
            if words:
                self._set(CommandField.TAPS, self._everyone, rng.randint(1, words) * len(self._lasts))
            else:
                self._set(CommandField.ELEMENTS, self._everyone, 0)
            ybase, rbase = 0, self._shape.y_depth // 2
        self._compute(op, ybase, rbase, rng.randrange(8))

    def _gradients(self) -> None:
        """GRAD, and the COLLECTs of what all slots have, in one part or two; they run along with it."""
        rng = self._rng
        elements, words = rng.choice([0, 1, rng.randint(1, 6)]), rng.randint(1, 3)
        for own, value in ((CommandField.ELEMENTS, elements), (CommandField.TAPS, words * len(self._lasts))):
            self._set(own, self._everyone, value)
        tiles_log2 = rng.randint(0, self._pes.bit_length() - 1)
        self._compute(Op.GRAD, rng.randrange(4096), rng.randrange(4096), tiles_log2)
        total = elements * words * sum(self._lasts)
        first = rng.choice([total, rng.randint(0, total)])
        for count in (first, total - first):
            if count:
                self._collect(self._pes >> tiles_log2, count)

    def _collect(self, slots: int, count: int) -> None:
        rng = self._rng
        unit = rng.choice([1, UPDATE_WORDS])  # of beats: those of a LEARN are whole beats of MAC weights
        wide = self._wide
        beats, gap = -(-4 * count // (wide * self._lanes * unit)) * unit, unit * rng.randint(0, 1)
        room = wide * slots * (beats + gap)
        named = rng.sample(range(slots), slots)
        for place, slot in enumerate(named):
            if rng.random() < 0.2:  # of several for a slot the last one counts
                self._add(d.Slot(slot, rng.getrandbits(24), rng.getrandbits(24)), lazy=False)
            self._add(d.Slot(slot, place * (beats + gap), count), lazy=False)
        if unit == 1:
            address, region = self._target(room, wide)
            self._add(d.Collect(address, rng.random() < 0.5), to=[region], lazy=False)
            return
        masters, weights, momenta = arrays = [self._random(each, True) for each in (room, room // unit, room)]
        learn = d.Learn(
            masters.address, weights.address, rng.randrange(32), rng.random() < 0.5,
            rng.choice([0, rng.randrange(16)]), momenta.address, rng.random() < 0.5,
            rng.choice([0, rng.randrange(32)]),
        )  # fmt: skip
        self._add(learn, to=arrays, lazy=False)

    # --- store ---

    def _drain(self) -> None:
        """A DRAIN with its OUTPUT, or another one into the same place; some pool or spread."""
        rng = self._rng
        slots_log2 = rng.randint(0, self._pes.bit_length() - 1)
        tiles = self._pes.bit_length() - 1 - slots_log2
        sy = rng.randint(0, tiles)
        sx = rng.randint(0, tiles - sy)
        th, tw = rng.randint(1, 3), rng.randint(1, 3)
        height, width = rng.randint(1, th << sy), rng.randint(1, tw << sx)
        channels, last, slots = rng.randint(1, 2), rng.randint(1, 3), rng.randint(1, 1 << slots_log2)
        ybase, ystride = rng.randrange(4096), rng.randrange(4096)
        words = DrainCommand(slots, channels, last, height, width, th, tw, sy, sx).words
        windows, index = rng.choice([(False, False)] * 3 + [(True, False), (True, True), (False, True)])
        times = 1 + windows
        drain = d.Drain(
            slots, channels, last, times * height, times * width, times * th, times * tw, ybase, ystride, sy, sx,
            windows, index, rng.random() < 0.5,
        )  # fmt: skip
        kind = words, windows, index, spreads(drain) and (height, width)
        if self._output is None or self._output[2] != kind or rng.random() < 0.5:
            some = ["nothing", "biases", "full", "mask", "addend"][: 3 if windows else 1 if index else 5]
            beside = rng.choice(some)
            if self._beside not in some or rng.random() < 0.7:
                self._add(self._memory.scales(beside, words))
                self._beside = beside
            self._set_output(drain, words, self._beside, kind)
        assert self._output is not None
        _, regions, _ = self._output
        self._add(drain, reads="y", to=regions)  # what is read is fresh, or what is written itself

    def _set_output(self, drain: d.Drain, words: int, beside: str, kind: object) -> None:
        rng = self._rng
        most = POOL_BEATS if drain.index else words
        runs = rng.choice([n for n in range(1, words + 1) if words % n == 0 and words <= n * most])
        groups = rng.choice([n for n in range(1, runs + 1) if runs % n == 0])
        runs //= groups
        beats = words // runs // groups
        stride = beats + rng.randint(0, 2)
        group = runs * stride + rng.randint(0, 2)
        if spreads(drain):
            beats, runs, stride = drain.width, drain.height, drain.width + rng.randint(0, 2)
            groups, group = words // beats // runs, runs * stride + rng.randint(0, 2)
        room = groups * group
        address, region = self._target(room * (4 if spreads(drain) else 1))
        other = self._random(room, drain.index and drain.windows)
        mask = other.address if drain.index else rng.choice([address, other.address])
        output = d.Output(
            address, beats, runs, stride, groups, group, mask, rng.choice([rng.randint(0, 12), rng.randrange(32)]),
            rng.choice([0, 0, 1, 2]), rng.random() < 0.4, rng.random() < 0.5, beside == "mask",
        )  # fmt: skip
        self._add(output)
        self._output = output, [region, other] if drain.index and drain.windows else [region], kind

    def _update(self) -> None:
        rng = self._rng
        beats, decay = rng.randint(1, 3), rng.choice([0, rng.randrange(16)])
        words = self._wide * beats
        arrays_log2 = rng.choice([0, 0, 1, 2])
        gradients, from_ = self._source((4 << arrays_log2) * words, self._wide)
        arrays = [self._random(4 * words, True), self._random(words, True), self._random(4 * words, True)]
        masters, weights, momenta = arrays
        self._add(
            d.Update(gradients, masters.address, weights.address, beats, rng.randrange(32), rng.random() < 0.5, decay,
                     momenta.address, rng.random() < 0.5, rng.choice([0, rng.randrange(32)]), arrays_log2),
            from_=from_, to=arrays,
        )  # fmt: skip

    def _delta(self) -> None:
        rng = self._rng
        classes = rng.randint(1, 12)
        logits, from_ = self._source(classes)
        address, region = self._target(classes)
        if rng.random() < 0.3 and from_:
            address, region = logits, from_[0]
        elif from_ and from_[0] is region and address != logits:
            logits, from_ = self._random(classes).address, []  # it may be the same place, but not overlap
        labels = self._random(1).address
        self._add(d.Delta(logits, labels, address, classes, rng.random() < 0.5), from_=from_, to=[region])
