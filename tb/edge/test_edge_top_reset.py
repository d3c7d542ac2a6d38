# SPDX-License-Identifier: Apache-2.0
"""Soft resets of rtl/edge/edge_top.v at any time: what they keep is kept, and the engine works afterwards."""

from __future__ import annotations

import numpy as np

from models.edge.config import Mode
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.registers import Ctrl, EdgeReg, EdgeStatus, Kind, ModeBits
from tb.edge.drivers.driver import EdgeDriver
from tb.edge.drivers.frame_model import FrameModel
from tb.edge.drivers.networks import random_network, random_samples
from tb.edge.drivers.session import (
    check_counters,
    drained,
    expect,
    one_run,
    send_with_bad_frames,
    set_up,
    set_up_with_network,
)
from tb.lib.axi import bus as axi
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import unpack
from tb.lib.ports import Beside, Transfers


class SampleMonitor(Beside):
    """Feeds the frame model with the beats that the design accepts on s_axis."""

    def __init__(self, driver: EdgeDriver) -> None:
        config = driver.config
        self.driver = driver
        self.model = FrameModel(config.layers[0] // config.in_lanes, config.classes)
        self.resetting = False  # a soft reset is over when its write is answered
        super().__init__(driver.bench)

    def look(self) -> None:
        """A beat that was taken, and the end of a soft reset."""
        b, config = self.b, self.driver.config
        mask, sign = (1 << config.format.width) - 1, 1 << (config.format.width - 1)
        if self.resetting and b.high("s_axil_bvalid"):
            self.model.soft_reset()
            self.resetting = False
        if b.high("s_axis_tvalid") and b.high("s_axis_tready"):
            lanes = unpack(b.see("s_axis_tdata"), self.driver.lane_bits, config.in_lanes)
            words = [((lane & mask) ^ sign) - sign for lane in lanes]
            self.model.beat(words, b.high("s_axis_tlast"), b.see("s_axis_tuser"))

    async def soft_reset(self) -> None:
        """Reset the engine and the model."""
        self.resetting = True
        await self.driver.command(Ctrl.SOFT_RESET)
        self.driver.bench.require(not self.resetting, "the write of a soft reset has no answer")


async def adopt_parameters(b: Bench, driver: EdgeDriver, connectivity: Connectivity, network: EdgeNetwork) -> None:
    """Take over the weights and biases that training has left; seeds and permutations must be the old ones."""
    for i in range(len(driver.config.junctions)):
        network.weights[i][:] = await driver.dump(i + 1, Kind.WEIGHTS)
        network.biases[i][:] = await driver.dump(i + 1, Kind.BIASES)
        b.equal("seeds", await driver.dump(i + 1, Kind.SEEDS), connectivity.seeds[i])


async def run_after_reset(b: Bench, driver: EdgeDriver, monitor: SampleMonitor, network: EdgeNetwork) -> None:
    """A correct run of the samples that have come since the reset and some more; counters start at 0."""
    config = driver.config
    left = monitor.model.good
    x, labels = random_samples(b, config, 5)
    if left:
        x = np.concatenate([np.array([words for words, _ in left], dtype=np.int16), x])
        labels = np.concatenate([[label for _, label in left], labels])
    result = network.run(x, labels, Mode.PIPELINED, 1, False, 3)
    expect(b, config, result, labels)
    collector = b.start(driver.collect())
    driver.send(x[len(left) :], labels[len(left) :])
    await driver.start(Mode.PIPELINED, len(x), 1, False, 3)
    await driver.finish()
    await drained(b)
    collector.cancel()
    await check_counters(b, driver, result, len(x), Mode.PIPELINED, dropped=sum(monitor.model.drops.values()))
    await driver.compare_network(network)


@bench_test(timeout_clocks=600_000)
async def reset_in_mid_run(b: Bench) -> None:
    """At any clock of a run, with samples coming in: complete predictions still come, in order, and no others."""
    driver = await set_up(b)
    axi.full_speed(*driver.regs.channels)
    config = driver.config
    connectivity, network = random_network(b, config)
    await driver.load_network(connectivity, network)
    monitor = SampleMonitor(driver)
    mode = b.rng.choice(list(Mode))
    x, labels = random_samples(b, config, 15)
    await driver.start(mode, b.rng.choice([0, 15]), 1, False, 0)
    send_with_bad_frames(b, driver, x, labels)
    spread = (driver.schedule.pipeline + 4) * config.pass_clocks * b.rng.choice([1, 1, 3])
    await b.clocks(b.rng.randint(1, spread))
    complete = await driver.regs.get(EdgeReg.PREDICTIONS)
    admitted = await driver.regs.get(EdgeReg.SAMPLES)
    b.cover("reset", f"mid_{mode.name.lower()}_run" if admitted else "before_samples")
    b.cover("reset", "mid_frame" if monitor.model.begun else "between_frames")

    await monitor.soft_reset()
    driver.samples.clear()
    axi.full_speed(driver.samples, driver.predictions)
    status = await driver.status()
    wrong = EdgeStatus.RUN_BUSY | EdgeStatus.DONE | EdgeStatus.PARAM_ERR | EdgeStatus.BAD_CMD
    b.require(not status & wrong, f"after reset: STATUS = {status:#x}")
    await b.wait_for(driver.samples.idle, 2000, "the source to end its frame")
    await b.clocks((driver.schedule.pipeline + 8) * config.junctions[-1].groups + 50)
    came = [await driver.prediction(1) for _ in range(driver.predictions.count())]
    b.require(complete <= len(came) <= 15, f"{complete} predictions were complete before the reset, {len(came)} came")
    before = EdgeNetwork(config, connectivity, network.weights, network.biases)
    result = before.run(x, labels, mode, 1)
    for k, prediction in enumerate(came):
        b.equal("before reset", [*prediction[0], *prediction[1:]], [*result.outputs[k], result.classes[k], labels[k]])

    if mode == Mode.INFERENCE:
        await driver.compare_network(network)
    await adopt_parameters(b, driver, connectivity, network)
    await run_after_reset(b, driver, monitor, network)


@bench_test(timeout_clocks=200_000)
async def reset_in_mid_frame(b: Bench) -> None:
    """The rest of a begun frame is swallowed, up to TLAST, and is no drop; settings are kept, flags are cleared."""
    driver = await set_up(b)
    axi.full_speed(*driver.regs.channels)
    config = driver.config
    connectivity, network = random_network(b, config)
    await driver.load_network(connectivity, network)
    monitor = SampleMonitor(driver)
    settings = {
        EdgeReg.MODE: ModeBits.STOCHASTIC | Mode.INFERENCE,
        EdgeReg.LR_SHIFT: config.lr_max,
        EdgeReg.NSAMPLES: b.rng.getrandbits(32),
        EdgeReg.RNG_SEED: 77,
    }
    for register, value in settings.items():
        await driver.regs.set(register, value)
    await driver.select(0, Kind.SEEDS)
    await driver.command(Ctrl.LOAD)  # no such section: sets BAD_CMD
    beats = config.layers[0] // config.in_lanes
    x, labels = random_samples(b, config, 3)
    driver.send(x[:2], labels[:2])
    driver.samples.send_nowait(driver.sample_frame(np.tile(x[2], b.rng.choice([1, 1, 3])), int(labels[2])))
    stop_at = b.rng.randint(1, beats - 1)

    def in_third_frame() -> bool:
        model = monitor.model
        return len(model.good) == 2 and model.begun and model.count >= stop_at

    await b.wait_for(in_third_frame, 5000, "the middle of the third frame")
    driver.samples.clear_pause_generator()
    driver.samples.pause = True
    await b.clocks(3)
    b.cover("reset", "mid_frame" if monitor.model.begun else "between_frames")
    await monitor.soft_reset()
    b.equal("status", await driver.status(), 0)
    for register, value in settings.items():
        b.equal("settings", await driver.regs.get(register), value)
    driver.samples.pause = False
    await b.wait_for(driver.samples.idle, 2000, "the source to end its frame")
    await run_after_reset(b, driver, monitor, network)


@bench_test(timeout_clocks=200_000)
async def reset_in_mid_dump(b: Bench) -> None:
    """A DUMP goes on to its end; its words are right."""
    driver, config, network = await set_up_with_network(b)
    axi.full_speed(driver.params_out)
    kind = b.rng.choice([Kind.WEIGHTS, Kind.BIASES])
    values = (network.weights if kind == Kind.WEIGHTS else network.biases)[0]
    await driver.select(1, kind)
    await driver.command(Ctrl.DUMP)
    await b.clocks(b.rng.randint(0, 6 * len(values) + 60))  # a word takes 2 clocks, a row 3 more
    driver.params_out.pause = True
    b.cover("reset", "mid_dump" if await driver.status() & EdgeStatus.DUMP_BUSY else "after_dump")
    await driver.command(Ctrl.SOFT_RESET)
    driver.params_out.pause = False
    b.equal("dumped", await driver.dumped(), values, config.format)
    await one_run(b, driver, network)


@bench_test(timeout_clocks=200_000)
async def reset_in_mid_load(b: Bench) -> None:
    """A LOAD is given up: complete rows are written, the rest of its frame is swallowed; the next LOAD is right."""
    driver = await set_up(b)
    axi.full_speed(*driver.regs.channels)
    config = driver.config
    connectivity, network = random_network(b, config)
    await driver.load_network(connectivity, network)
    shape, fmt = config.junctions[0], config.format
    words = b.np.integers(fmt.min_raw, fmt.max_raw, shape.edges, endpoint=True)
    taken = Transfers(b, "s_axis_param")
    stop_at = b.rng.choice([0, *[b.rng.randint(1, shape.edges - 3)] * 3])
    await driver.select(1, Kind.WEIGHTS)
    await driver.command(Ctrl.LOAD)
    if stop_at:
        driver.params_in.send_nowait(driver.section_frame(words))
    await b.wait_for(lambda: taken.count >= stop_at, 20_000, f"{stop_at} words loaded")
    driver.params_in.clear_pause_generator()
    driver.params_in.pause = True
    await b.clocks(10)
    b.cover("reset", "mid_load" if taken.count else "before_load")
    rows = taken.count // shape.z
    network.weights[0][: rows * shape.z] = words[: rows * shape.z]
    await driver.command(Ctrl.SOFT_RESET)
    b.equal("status", await driver.status(), 0)
    network.biases[0][:] = b.np.integers(fmt.min_raw, fmt.max_raw, shape.n_right, endpoint=True)
    await driver.select(1, Kind.BIASES)
    await driver.command(Ctrl.LOAD)
    driver.params_in.send_nowait(driver.section_frame(network.biases[0]))
    driver.params_in.pause = False
    await driver.wait_status(EdgeStatus.LOAD_BUSY, False)
    await driver.compare_network(network)
    b.equal("status", await driver.status(), 0)
    await one_run(b, driver, network)
