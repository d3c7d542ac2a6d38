# SPDX-License-Identifier: Apache-2.0
"""Memory behind the read and write port of an engine: rd_cmd_*, rd_*, wr_cmd_*, wr_*, as axi_read and axi_write do it.

    memory = PortMemory(b, base=0x1000, size=4096)   # wide=True: some commands have beats of twice B bytes
    memory.data[:64] = ...
    memory.any_gaps()              # random pauses at all handshakes, covered as "rd_cmd/half" and so on
    ...
    memory.word(addr)              # what is there, as unsigned bytes

An engine may not rely on when a beat is read or written: a read command sees the memory as it was when the command was
taken, or as it is when the beat is offered; a write command is stored beat by beat, or all of it with its answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tb.lib.bench import Bench
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside

ByteWords = npt.NDArray[np.uint8]

REFUSED = 1
"""Error of a command that is misaligned or not all inside its window; 2 is SLVERR, 3 DECERR."""

GAPS = {"rd": ("rd_cmd", "rd"), "wr": ("wr_cmd", "wr")}
"""Handshakes of the two ports."""


@dataclass
class _Read:
    addr: int
    beats: int
    beat: int
    error: int
    due: int
    data: ByteWords | None = None
    sent: int = 0


@dataclass
class _Write:
    addr: int
    beats: int
    beat: int
    error: int
    due: int
    at_once: bool
    taken: list[bytes] = field(default_factory=list)


class PortMemory(Beside):
    """Serves both ports from the moment it is made; a reset of the design forgets what is under way.

    Attributes:
        base, data: first address and bytes from there on, uint8.
        wide: a beat at the port has so many times B bytes; with 2 rd_half and wr_half name commands that have B.
        pairs: all beats have B bytes, and now and then rd_pair says that the next one is there too.
        read_window, write_window: first byte and the byte behind the last; a command not all inside is refused.
        read_faults, write_faults: error (2 or 3) of a beat by its address.
        gaps: pauses of the handshakes: "rd_cmd", "rd", "wr_cmd", "wr".
        latency: a read's first beat and a write's answer come 1 … this many clocks later.
        paired: with `pairs`, how often an item comes with the next one.
        queue: commands of each kind that are taken and not complete, at most.
        reads, writes: (address, beats) of all commands taken.
        written: addresses of all beats stored, in order of their commands.
        answers: write commands answered.
    """

    def __init__(
        self, b: Bench, base: int, size: int, ports: Sequence[str] = ("rd", "wr"), wide: int = 1, pairs: bool = False
    ) -> None:  # fmt: skip
        super().__init__(b)
        self.base, self.beat, self.wide, self.pairs = base, int(b.params["B"]), wide, pairs
        self.ports = tuple(ports)
        self.data: ByteWords = b.np.integers(0, 256, size, dtype=np.uint8)
        self.read_window = self.write_window = (base, base + size)
        self.read_faults: dict[int, int] = {}
        self.write_faults: dict[int, int] = {}
        self.gaps = Gaps(b, *(gap for port in ports for gap in GAPS[port]))
        self.latency, self.queue = 20, 4
        self.paired = 0.7  # how often an item comes with the next one
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int]] = []
        self.written: list[int] = []
        self.answers = 0
        self._offers: dict[str, tuple[int, ...]] = {}
        self.reset()
        b.drive({f"{gap}_ready": 0 for port in ports for gap in GAPS[port] if gap != "rd"})
        b.drive({{"rd": "rd_valid", "wr": "wr_done"}[port]: 0 for port in self.ports})

    def any_gaps(self) -> None:
        """Random patterns at all handshakes, and another latency and queue."""
        self.gaps.any()
        self.latency = self.b.rng.choice([1, 5, 60])
        self.queue = self.b.rng.choice([1, 2, 8])

    def fast(self) -> None:
        """No pauses, answers and first beats as early as they can be."""
        self.gaps.none()
        self.latency, self.queue = 1, 16

    def words(self, addr: int, beats: int, beat: int | None = None) -> ByteWords:
        """The beats from an address on, (beats, B), a view; beat: bytes of them, if not B."""
        beat = beat or self.beat
        start = addr - self.base
        end = start + beats * beat
        self.b.require(0 <= start < end <= len(self.data), f"{beats} beats at {addr:#x} are not there")
        words: ByteWords = self.data[start:end].reshape(beats, beat)
        return words

    def word(self, addr: int) -> ByteWords:
        """The beat at an address, (B,), a view."""
        word: ByteWords = self.words(addr, 1)[0]
        return word

    @property
    def busy(self) -> bool:
        """A command is taken and not complete."""
        return bool(self._reads or self._fills or self._waits)

    # --- one clock ---

    def reset(self) -> None:
        """Forget what is under way."""
        self._reads: deque[_Read] = deque()
        self._fills: deque[_Write] = deque()  # data still to come
        self._waits: deque[_Write] = deque()  # answer still to come
        self._offers.clear()
        self._item: tuple[int, bool, int] | None = None
        self._pair = False  # the next one is there too

    def _offer(self, name: str, payload: Sequence[str]) -> tuple[int, ...] | None:
        """What the design offered in the clock that has ended if it was taken; an offer that is not must stay."""
        before = self._offers.pop(name, None)
        if not self.b.high(f"{name}_valid"):
            self.b.require(before is None, f"{name}_valid fell before {name}_ready")
            return None
        offer = tuple(self.b.see(pin) for pin in payload)
        self.b.require(before in (None, offer), f"{name} changed before it was taken")
        if self.b.high(f"{name}_ready"):
            return offer
        self._offers[name] = offer
        return None

    def _command(self, name: str) -> tuple[int, int, int] | None:
        """Address, beats and bytes of a beat of a command that was taken."""
        pins = [f"{name}_cmd_addr", f"{name}_cmd_beats", *([f"{name}_half"] if self.wide > 1 else [])]
        if (command := self._offer(f"{name}_cmd", pins)) is None:
            return None
        whole = self.wide > 1 and not command[-1]
        if self.wide > 1:
            self.b.cover("beats", f"{name}_whole" if whole else f"{name}_half")
        return command[0], command[1] + 1, self.beat << whole

    def _error(self, addr: int, beats: int, beat: int, window: tuple[int, int], faults: dict[int, int]) -> int:
        """Error of a command."""
        inside = window[0] <= addr and addr + beats * beat <= window[1]
        if not inside or addr % beat:
            return REFUSED
        return next((faults[a] for a in range(addr, addr + beats * beat, self.beat) if a in faults), 0)

    def look(self) -> None:
        """Take commands and words, and give up the word that was taken."""
        if "rd" in self.ports:
            self._take_read()
        if "wr" in self.ports:
            self._take_write()

    def drive(self) -> None:
        """Room for commands and words, the next word, the next answer."""
        if "rd" in self.ports:
            self._drive_read()
        if "wr" in self.ports:
            self._drive_write()

    def _due(self) -> int:
        return self.clock + self.b.rng.randint(1, self.latency)

    def _take_read(self) -> None:
        if self._item is not None and self.b.high("rd_ready"):
            read, both = self._reads[0], self._pair and self.b.high("rd_both")
            read.sent += 2 if both else 1
            if self._item[1] and (both or not self._pair):
                self._reads.popleft()
            self._item = None
            if self._pair:
                self.b.cover("pair", "both" if both else "first")
        if (command := self._command("rd")) is not None:
            addr, beats, beat = command
            self.reads.append((addr, beats))
            error = self._error(addr, beats, beat, self.read_window, self.read_faults)
            early = error != REFUSED and self.b.rng.random() < 0.5
            data = self.words(addr, beats, beat).copy() if early else None
            self._reads.append(_Read(addr, beats, beat, error, self._due(), data))

    def _drive_read(self) -> None:
        b = self.b
        b.drive(rd_cmd_ready=len(self._reads) < self.queue and self.gaps.go("rd_cmd"))
        if self._item is None and self._reads and self._reads[0].due <= self.clock and self.gaps.go("rd"):
            self._item = self._next_item(self._reads[0])
            if self.pairs:
                self._item = self._with_next(self._reads[0], self._item)
                b.drive(rd_pair=self._pair)
            b.drive(rd_data=self._item[0], rd_last=self._item[1], rd_error=self._item[2])
        elif self._item is None and self.b.rng.random() < 0.2:  # nothing may depend on them
            noise = {"rd_data": 8 * self.beat * self.wide, "rd_last": 1, "rd_error": 2}
            b.drive({pin: b.rng.getrandbits(width) for pin, width in noise.items()})
        b.drive(rd_valid=self._item is not None)

    def _next_item(self, read: _Read) -> tuple[int, bool, int]:
        addr, bits = read.addr + read.sent * read.beat, 8 * self.beat * self.wide
        if read.error == REFUSED or any(a in self.read_faults for a in range(addr, addr + read.beat, self.beat)):
            return self.b.rng.getrandbits(bits), True, read.error
        word = self.words(addr, 1, read.beat)[0] if read.data is None else read.data[read.sent]
        noise = self.b.rng.getrandbits(bits) >> 8 * read.beat << 8 * read.beat  # beside a half beat
        return int.from_bytes(word.tobytes(), "little") | noise, read.sent == read.beats - 1, 0

    def _with_next(self, read: _Read, item: tuple[int, bool, int]) -> tuple[int, bool, int]:
        """An item, and now and then the one behind it in the high bits; of the last two rd_last is that of both."""
        data, last, error = item
        bits, self._pair = 8 * self.beat, False
        if not last and self.b.rng.random() < self.paired:
            read.sent += 1
            second, last_of_two, fault = self._next_item(read)
            read.sent -= 1
            if not fault:
                self._pair = True
                return data | second << bits, last_of_two, 0
        return data | self.b.rng.getrandbits(bits) << bits, last, error

    def _take_write(self) -> None:
        if (beat := self._offer("wr", ("wr_data",))) is not None:
            write = self._fills[0]
            write.taken.append((beat[0] & (1 << 8 * write.beat) - 1).to_bytes(write.beat, "little"))
            if write.at_once:
                self._store(write, len(write.taken) - 1)
            if len(write.taken) == write.beats:
                write.due = self._due()
                self._waits.append(self._fills.popleft())
        if (command := self._command("wr")) is not None:
            addr, beats, size = command
            self.writes.append((addr, beats))
            error = self._error(addr, beats, size, self.write_window, self.write_faults)
            overtakes = any(not write.at_once for write in (*self._fills, *self._waits))
            self._fills.append(_Write(addr, beats, size, error, 0, not overtakes and self.b.rng.random() < 0.5))

    def _store(self, write: _Write, beat: int) -> None:
        if write.error == REFUSED:
            return
        addr = write.addr + beat * write.beat
        self.words(addr, 1, write.beat)[0][:] = np.frombuffer(write.taken[beat], dtype=np.uint8)
        self.written.append(addr)

    def _drive_write(self) -> None:
        room = len(self._fills) + len(self._waits) < self.queue
        self.b.drive(wr_cmd_ready=room and self.gaps.go("wr_cmd"))
        self.b.drive(wr_ready=bool(self._fills) and self.gaps.go("wr"))
        answer = bool(self._waits) and self._waits[0].due <= self.clock
        if answer:
            write = self._waits.popleft()
            if not write.at_once:
                for beat in range(write.beats):
                    self._store(write, beat)
            self.answers += 1
            self.b.drive(wr_error=write.error)
        elif self.b.rng.random() < 0.2:
            self.b.drive(wr_error=self.b.rng.getrandbits(2))
        self.b.drive(wr_done=answer)


def as_signed(words: Any) -> npt.NDArray[np.int64]:
    """Bytes as signed numbers of 8 bits, same shape."""
    return np.asarray(words, dtype=np.uint8).view(np.int8).astype(np.int64)
