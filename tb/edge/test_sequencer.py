# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/edge/sequencer.v: every output in every clock of runs of all kinds, and the predicted clocks of each."""

from __future__ import annotations

from models.edge.config import Mode
from models.edge.schedule import Schedule
from models.edge.stages import Span
from tb.edge.drivers.sequencer_model import Inputs, Phase, SequencerModel
from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.ports import Beside
from tb.lib.trace import Trace

PULSES = ("busy", "done", "stall", "admit", "frame_free", "pass_start", "train")
FREE_WATCH = 20
"""Clocks in which a sample of a run that was cut off would still leave."""


class RunCounter(Beside):
    """Counts the clocks and samples of every run, in the design, and compares with the schedule's prediction."""

    def __init__(self, b: Bench, schedule: Schedule) -> None:
        super().__init__(b)
        self.schedule = schedule
        self.mode = Mode.PIPELINED
        self.reset()

    def reset(self) -> None:
        """No run is under way."""
        self._clocks = self._admitted = self._freed = 0

    def look(self) -> None:
        """One clock."""
        b = self.b
        if b.see("done"):
            expected = self.schedule.clocks(self._admitted, self.mode) if self._admitted else Span.RUN
            b.equal("clocks of a run", self._clocks, expected)
            b.equal("samples that FF was done with", self._freed, self._admitted)
            self.reset()
        if b.see("start") and not b.see("busy"):
            self.mode = Mode(b.see("mode"))
        self._clocks += b.see("busy") - b.see("stall")
        self._admitted += b.see("admit")
        self._freed += b.see("frame_free")


class SequencerTrace:
    """Runs planned with the model, and what it says of every clock."""

    def __init__(self, b: Bench) -> None:
        assert b.config is not None
        self.b = b
        self.schedule = Schedule(b.config)
        self.cp, self.depth = self.schedule.pass_clocks, self.schedule.pipeline
        if (self.cp, self.depth) != (b.params["CP"], b.params["U"]):
            raise ValueError(f"the test plan must say CP = {self.cp}, U = {self.depth} for this configuration")
        self.model = SequencerModel(self.cp, self.depth)
        self.now = 0
        noise = {"stop": 1, "mode": 2, "nsamples": 32, "lr_shift": 5, "frame_valid": 1, "out_room": 1}
        self.trace = Trace(b, ["start"], noise)
        for pin in PULSES:
            self.trace.watch(pin, 1)
        self.trace.watch("tokens", self.depth + 1)
        self.trace.watch("pass_lr", 5)
        self.frames, self.room = patterns.never(), patterns.never()

    def patterns(self) -> None:
        """Choose how samples and room for predictions come and go."""
        frames, self.frames = patterns.any_pattern(self.b.rng)
        room, self.room = patterns.any_pattern(self.b.rng)
        self.b.cover("frames", frames)
        self.b.cover("room", room)

    def clock(self, start: bool = False, stop: bool = False, nsamples: int = 0, mode: Mode | None = None) -> None:
        """One clock; what is not given is random."""
        rng = self.b.rng
        pins = Inputs(
            start, stop, rng.choice(list(Mode)) if mode is None else mode, nsamples if start else rng.getrandbits(32),
            rng.getrandbits(5), not next(self.frames), not next(self.room),
        )  # fmt: skip
        self.trace.drive(self.now, **{name: int(value) for name, value in vars(pins).items()})
        outputs = self.model.clock(pins)
        for pin, value in outputs.items():
            if value is not None:
                self.trace.expect(self.now, pin, [value])
        if outputs["stall"]:
            self.b.cover("stall", "frame" if pins.out_room else "both" if not pins.frame_valid else "room")
        self.now += 1

    def idle(self, clocks: int) -> None:
        """Clocks without a run; `stop` means nothing then."""
        for _ in range(clocks):
            self.clock(stop=self.b.rng.random() < 0.5)

    def run(self, mode: Mode, nsamples: int, stop_after: int | None = None, limit: int | None = None) -> None:
        """A run to its end, or to `limit` clocks.

        Args:
            stop_after: clocks from the start to `stop`, which lasts for 1 clock or more.
        """
        rng = self.b.rng
        self.patterns()
        self.b.cover("mode", mode.name.lower())
        self.clock(start=True, mode=mode, nsamples=nsamples, stop=rng.random() < 0.2)
        lasting = rng.choice([1, 1, rng.randint(1, 3 * self.cp)])
        clocks = 0
        while self.model.phase != Phase.IDLE and clocks != limit:
            stop = stop_after is not None and stop_after <= clocks < stop_after + lasting
            if stop and clocks == stop_after:
                self._cover_stop()
            again = rng.random() < 0.1
            if again:
                self.b.cover("start", "while_busy")
            self.clock(start=again, stop=stop)
            clocks += 1

    def _cover_stop(self) -> None:
        model = self.model
        if model.phase == Phase.RUN:
            before = not any(model.samples)
            kind = "without_samples" if before else "at_boundary" if model.countdown == 0 else "in_pass"
            self.b.cover("stop", kind)

    def reset(self) -> None:
        """A reset, whatever the inputs."""
        self.trace.reset(self.now)
        self.trace.drive(self.now, start=self.b.rng.getrandbits(1))
        self.model.reset()
        self.now += 1

    def random_run(self, limit: int | None = None) -> None:
        """A run that ends by its count, or by `stop`."""
        rng = self.b.rng
        mode = rng.choice(list(Mode))
        longest = 4 if mode == Mode.SEQUENTIAL else 2 * self.depth
        count = rng.choice([1, 2, rng.randint(1, longest)])
        kind = rng.choice(["count", "count", "endless", "cut_short"])
        self.b.cover("end", kind)
        self.b.cover("samples", "fewer_than_pipeline" if count < self.depth else "more")
        if kind == "count":
            self.run(mode, count, limit=limit)
        else:
            nsamples = 0 if kind == "endless" else rng.randint(1 << 20, (1 << 32) - 1)
            self.run(mode, nsamples, stop_after=rng.choice([0, 1, rng.randint(0, count * self.cp)]), limit=limit)


@bench_test(timeout_clocks=300_000)
async def runs(b: Bench) -> None:
    """Runs of all modes and ends, some right after each other, with stalls."""
    sequencer = SequencerTrace(b)
    while sequencer.now < max(3000, 60 * sequencer.cp):
        sequencer.random_run()
        gap = b.rng.choice([0, 0, 1, b.rng.randint(0, 20)])
        b.cover("start", "back_to_back" if gap == 0 else "later")
        sequencer.idle(gap)
    sequencer.idle(2)
    RunCounter(b, sequencer.schedule)
    await sequencer.trace.run()


@bench_test(timeout_clocks=100_000)
async def reset_in_mid_run(b: Bench) -> None:
    """A reset in any clock ends the run at once; nothing of it is seen later."""
    sequencer = SequencerTrace(b)
    for _ in range(8):
        sequencer.random_run(limit=b.rng.randint(1, 3 * sequencer.cp + sequencer.depth))
        b.cover("reset", sequencer.model.phase.name.lower())
        sequencer.reset()
        sequencer.idle(b.rng.choice([0, 0, FREE_WATCH]))
    sequencer.run(Mode.PIPELINED, 2)
    sequencer.idle(2)
    RunCounter(b, sequencer.schedule)
    await sequencer.trace.run()
