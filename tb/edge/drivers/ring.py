# SPDX-License-Identifier: Apache-2.0
"""Ring buffers of frames that passes read in natural order: an endless list of frames is what they must look like.

The pass that carries the n-th sample reads frame n. Slots do not occur here; the benches only keep to the rule that
no more frames are begun than there are slots for, so that a ring with a wrong slot anywhere gives wrong words.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from tb.lib import patterns
from tb.lib.bench import Bench
from tb.lib.trace import Trace


class Frame:
    """Words by number, each with the clock in which it is written."""

    def __init__(self, trained: bool) -> None:
        self.trained = trained  # the sample's pass reads the frame (it does not in inference)
        self.words: dict[int, tuple[int, int]] = {}

    def read(self, clock: int, first: int, count: int) -> list[int] | None:
        """Words first … first+count-1, or None if one of them is not in the bank yet."""
        words = [self.words.get(number, (clock, 0)) for number in range(first, first + count)]
        return [word for _, word in words] if all(written < clock for written, _ in words) else None


class Ring:
    """Frames that have been begun, and the passes that used them."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.frames: list[Frame] = []
        self.opened = 0  # passes with a sample so far
        self._reading = False  # the present pass carries a sample and so holds its frame

    @property
    def room(self) -> bool:
        """A further frame may be begun."""
        return len(self.frames) - (self.opened - self._reading) < self.slots

    def begin(self, trained: bool = True) -> Frame:
        """A new frame to write."""
        self.frames.append(Frame(trained))
        return self.frames[-1]

    def open_pass(self, token: bool) -> Frame | None:
        """The next pass begins, and the frame of the pass before it is given up. The frame to read, if any."""
        self._reading = token
        self.opened += token
        return self.frames[self.opened - 1] if token else None


class RingTrace:
    """Sessions of reading and writing, each after a reset, played into a trace.

    Args:
        groups: groups of a frame; a group is `count` words, read `latency` clocks after rd_en on the output `pin`.
        writer: called in every session; drives the write side through `trace` in clock `now`, once per step.
        reset: inputs that are random in the clock of a reset, in which nothing of them counts.
    """

    def __init__(
        self, b: Bench, trace: Trace, slots: int, groups: int, count: int, latency: int, pin: str,
        writer: Callable[[RingTrace], Iterator[None]], reset: list[str],
    ) -> None:  # fmt: skip
        self.b, self.trace = b, trace
        self._slots, self._groups, self._count, self._latency, self._pin = slots, groups, count, latency, pin
        self._writer, self._reset = writer, reset
        self.now = 0

    async def run(self, sessions: int, longest: int) -> None:
        """Plan some sessions of up to `longest` clocks, run them all and compare."""
        for _ in range(sessions):
            self.ring = Ring(self._slots)
            reader, writer = self._reader(), self._writer(self)
            for _ in range(self.b.rng.randint(longest // 4, longest)):
                next(reader)
                next(writer)
                self.now += 1
            self.trace.drive(self.now, **{pin: self.b.rng.getrandbits(1) for pin in self._reset})
            self.trace.reset(self.now)
            self.now += 1
        await self.trace.run()

    def next_frame(self) -> Generator[None, None, Frame]:
        """For a writer: a new frame, once there is room for it."""
        while not self.ring.room:
            self.b.cover("write", "full")
            yield
        return self.ring.begin()

    def _reader(self) -> Iterator[None]:
        b, rng, ring = self.b, self.b.rng, self.ring
        _, pauses = patterns.any_pattern(rng)
        samples = rng.choice([0.3, 0.9, 1.0])  # share of passes with a sample, if there is one
        while True:
            token = ring.opened < len(ring.frames) and rng.random() < samples
            self.trace.drive(self.now, rd_start=1, rd_token=int(token))
            frame = ring.open_pass(token)
            yield
            if frame is not None and frame.trained and rng.random() < 0.9:
                b.cover("pass", "sample")
                yield from self._read(frame, pauses)
            else:
                b.cover("pass", "empty" if frame is None else "unread")
                for _ in range(rng.randint(0, 4)):
                    yield

    def _read(self, frame: Frame, pauses: Iterator[bool]) -> Iterator[None]:
        """Read all groups, now and then not all; the next pass may start in the clock of the last one."""
        b, rng = self.b, self.b.rng
        groups = rng.randint(1, self._groups) if rng.random() < 0.1 else self._groups
        close = rng.random() < 0.5
        if close:
            b.cover("pass", "back_to_back")
        if groups < self._groups:
            b.cover("pass", "cut_short")
        for group in range(groups):
            clocks = rng.choice([0, 1, 1, 1, 1, 2, 3])  # that the group is read in; 0: it is passed over
            b.cover("group", ("skipped", "read", "held")[min(clocks, 2)])
            for clock in range(max(clocks, 1)):
                words = frame.read(self.now, group * self._count, self._count)
                while next(pauses) or words is None:
                    yield
                    words = frame.read(self.now, group * self._count, self._count)
                last = clock >= clocks - 1
                self.trace.drive(self.now, rd_en=int(clocks > 0), rd_step=int(last))
                if clocks:
                    self.read_group(words, first=clock == 0)
                if not (last and group == groups - 1 and close):
                    yield

    def read_group(self, words: list[int], first: bool) -> None:
        """A group is read in clock `now`; first: not for another clock of the same group. Benches may extend this."""
        self.trace.expect(self.now + self._latency, self._pin, words)
