# SPDX-License-Identifier: Apache-2.0
"""Host of an edge_top: registers, parameters, samples and predictions over its AXI interfaces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.edge.config import EdgeConfig, Mode
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.registers import Ctrl, EdgeReg, EdgeStatus, JunctionReg, Kind, ModeBits, ParamSel, junction_register
from models.edge.schedule import Schedule
from tb.lib.axi import bus as axi
from tb.lib.bench import PATIENCE, Bench

_STREAM_CLOCKS = 20_000


def lane_bits(width: int) -> int:
    """Bits of a stream lane that carries a word of `width` bits."""
    return (width + 7) // 8 * 8


def signed(word: int, bits: int) -> int:
    """The two's complement value of a word of `bits` bits."""
    return word - (1 << bits) if word >> (bits - 1) else word


@dataclass(frozen=True)
class Counters:
    """All counters; lists have an entry per junction."""

    cycles: int
    stalls: int
    samples: int
    correct: int
    predictions: int
    dropped: int
    busy: list[list[int]]
    """[unit][junction], units FF, BP, UP: clocks with edges in flight."""
    saturations: list[list[int]]
    """[unit][junction]."""


class EdgeDriver:
    """Everything around an edge_top. Build it before the reset.

    Attributes:
        regs: AXI4-Lite master.
        samples, predictions, params_in, params_out: bus models of the streams.
    """

    def __init__(self, bench: Bench, config: EdgeConfig) -> None:
        self.bench, self.config = bench, config
        self.schedule = Schedule(config)
        self.lane_bits = lane_bits(config.format.width)
        self.out_lanes = config.junctions[-1].p
        self.regs = axi.AxiLite(bench)
        self.samples = axi.stream_source(bench, "s_axis", config.in_lanes)
        self.predictions = axi.stream_sink(bench, "m_axis", self.out_lanes)
        self.params_in = axi.stream_source(bench, "s_axis_param")
        self.params_out = axi.stream_sink(bench, "m_axis_param")

    # -- registers -------------------------------------------------------------------------------

    async def command(self, bits: int) -> None:
        """Write CTRL."""
        await self.regs.set(EdgeReg.CTRL, bits)

    async def status(self) -> int:
        """Read STATUS."""
        return await self.regs.get(EdgeReg.STATUS)

    async def wait_status(self, bits: int, value: bool, reads: int = 5000) -> int:
        """Read STATUS until any of `bits` is set (`value`), or all are clear (not `value`); the last STATUS."""
        for _ in range(reads * PATIENCE):
            status = await self.status()
            if bool(status & bits) == value:
                return status
        raise TimeoutError(f"read STATUS {reads} times, waiting for {bits!r} to become {value}; it is {status:#x}")

    async def counters(self) -> Counters:
        """Read every counter."""
        get = self.regs.get
        cycles = await get(EdgeReg.CYCLES_LO) | await get(EdgeReg.CYCLES_HI) << 32
        stalls = await get(EdgeReg.STALLS_LO) | await get(EdgeReg.STALLS_HI) << 32
        samples, correct, predictions, dropped = [
            await get(register) for register in (EdgeReg.SAMPLES, EdgeReg.CORRECT, EdgeReg.PREDICTIONS, EdgeReg.DROPPED)
        ]
        busy, saturations = [
            [
                [await get(junction_register(i + 1, register)) for i in range(len(self.config.junctions))]
                for register in registers
            ]
            for registers in (
                (JunctionReg.BUSY_FF, JunctionReg.BUSY_BP, JunctionReg.BUSY_UP),
                (JunctionReg.SAT_FF, JunctionReg.SAT_BP, JunctionReg.SAT_UP),
            )
        ]
        return Counters(cycles, stalls, samples, correct, predictions, dropped, busy, saturations)

    # -- runs ------------------------------------------------------------------------------------

    async def start(self, mode: Mode, n: int, lr_shift: int, stochastic: bool, rng_seed: int) -> None:
        """Set up and start a run; n = 0: endless."""
        await self.set_mode(mode, stochastic)
        await self.begin(n, lr_shift, rng_seed)

    async def set_mode(self, mode: Mode, stochastic: bool) -> None:
        """Of the next run, at any time before its START."""
        await self.regs.set(EdgeReg.MODE, int(mode) | (ModeBits.STOCHASTIC if stochastic else 0))

    async def begin(self, n: int, lr_shift: int, rng_seed: int) -> None:
        """Start a run whose mode is set."""
        await self.regs.set(EdgeReg.LR_SHIFT, lr_shift)
        await self.regs.set(EdgeReg.NSAMPLES, n)
        await self.regs.set(EdgeReg.RNG_SEED, rng_seed)
        await self.command(Ctrl.START)

    async def admitted(self, n: int, reads: int = 5000) -> None:
        """Read SAMPLES until n samples have been admitted."""
        for _ in range(reads * PATIENCE):
            if await self.regs.get(EdgeReg.SAMPLES) >= n:
                return
        raise TimeoutError(f"read SAMPLES {reads} times, waiting for {n}")

    async def finish(self) -> int:
        """Wait for the end of the run; STATUS then."""
        status = await self.wait_status(EdgeStatus.RUN_BUSY, False)
        self.bench.require(status & EdgeStatus.DONE, f"the run ended without DONE: {status:#x}")
        return status

    def sample_frame(self, words: npt.ArrayLike, label: int) -> axi.StreamFrame:
        """A frame of samples with a label; bits above WIDTH, which the engine ignores, are random."""
        width = self.config.format.width
        spare = self.lane_bits - width
        lanes = [
            (int(word) & ((1 << width) - 1)) | self.bench.rng.getrandbits(spare or 1) * bool(spare) << width
            for word in np.asarray(words)
        ]
        return axi.frame(lanes, label, self.config.in_lanes)

    def send(self, x: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Queue samples; they enter as fast as the engine takes them."""
        for words, label in zip(np.asarray(x), np.asarray(labels), strict=True):
            self.samples.send_nowait(self.sample_frame(words, int(label)))

    async def prediction(self, clocks: int = _STREAM_CLOCKS) -> tuple[list[int], int, int]:
        """The next prediction: (output activations, class, label)."""
        words, user = await axi.receive(self.predictions, clocks)
        self.bench.require(not any(user[: -self.out_lanes]), f"tuser must be 0 before the last beat: {user}")
        return [signed(word, self.lane_bits) for word in words], user[-1] & 0xFFFF, user[-1] >> 16

    async def collect(self) -> None:
        """Hand every prediction to the scoreboard, channels "outputs", "classes", "labels"; for ever."""
        while True:
            outputs, class_, label = await self.prediction(10**7)
            self.bench.got("outputs", outputs)
            self.bench.got("classes", class_)
            self.bench.got("labels", label)

    # -- parameters ------------------------------------------------------------------------------

    async def select(self, junction: int, kind: Kind) -> None:
        """Choose a section for LOAD and DUMP."""
        await self.regs.set(EdgeReg.PARAM_SEL, ParamSel.JUNCTION.put(junction) | ParamSel.KIND.put(kind))

    @staticmethod
    def section_frame(words: Iterable[int]) -> axi.StreamFrame:
        """A frame of parameters."""
        return axi.frame(int(word) & 0xFFFFFFFF for word in words)

    async def load(self, junction: int, kind: Kind, words: Iterable[int]) -> None:
        """Write a section; `words` may be too few or too many."""
        await self.select(junction, kind)
        await self.command(Ctrl.LOAD)
        self.params_in.send_nowait(self.section_frame(words))
        await self.wait_status(EdgeStatus.LOAD_BUSY, False)

    async def dump(self, junction: int, kind: Kind) -> list[int]:
        """Read a section."""
        await self.select(junction, kind)
        await self.command(Ctrl.DUMP)
        return await self.dumped()

    async def dumped(self) -> list[int]:
        """The words of a section that is being dumped."""
        words, _ = await axi.receive(self.params_out, _STREAM_CLOCKS)
        await self.wait_status(EdgeStatus.DUMP_BUSY, False)
        return [signed(word, 32) for word in words]

    async def load_network(self, connectivity: Connectivity, network: EdgeNetwork) -> None:
        """Load connectivity and parameters of every junction."""
        for i in range(len(self.config.junctions)):
            await self.load(i + 1, Kind.SEEDS, connectivity.seeds[i].reshape(-1))
            if self.config.dither:
                await self.load(i + 1, Kind.PERMS, connectivity.perms[i].reshape(-1))
            await self.load(i + 1, Kind.WEIGHTS, network.weights[i])
            await self.load(i + 1, Kind.BIASES, network.biases[i])

    async def compare_network(self, network: EdgeNetwork) -> None:
        """Dump weights and biases and compare them with the model's."""
        fmt = self.config.format
        for i in range(len(self.config.junctions)):
            for name, kind, values in (
                ("weights", Kind.WEIGHTS, network.weights[i]),
                ("biases", Kind.BIASES, network.biases[i]),
            ):
                self.bench.equal(f"{name} {i + 1}", await self.dump(i + 1, kind), values, fmt)
