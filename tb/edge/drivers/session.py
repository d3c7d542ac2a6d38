# SPDX-License-Identifier: Apache-2.0
"""Steps that tests of edge_top share: set-up with stalls, expectations of a run, comparison of all counters."""

from __future__ import annotations

from models.edge.config import EdgeConfig, Mode
from models.edge.network import EdgeNetwork, RunResult
from models.edge.registers import Ctrl
from models.edge.schedule import Schedule
from tb.edge.drivers.driver import EdgeDriver
from tb.edge.drivers.networks import Labels, Samples, random_network, random_samples
from tb.lib.axi import bus as axi
from tb.lib.bench import Bench


async def set_up(b: Bench, stalls: bool = True) -> EdgeDriver:
    """A driver for a design out of reset, with random stalls on every channel."""
    assert b.config is not None
    driver = EdgeDriver(b, b.config)
    if stalls:
        streams = (driver.samples, driver.predictions, driver.params_in, driver.params_out)
        axi.stall(b, *driver.regs.channels)
        patterns = axi.stall(b, *streams)
        for group, name in zip(("samples", "predictions", "params_in", "params_out"), patterns, strict=True):
            b.cover(group, name)
    await b.reset()
    return driver


async def set_up_with_network(b: Bench, stalls: bool = True) -> tuple[EdgeDriver, EdgeConfig, EdgeNetwork]:
    """The same, with a random network in the design."""
    driver = await set_up(b, stalls)
    connectivity, network = random_network(b, driver.config)
    await driver.load_network(connectivity, network)
    return driver, driver.config, network


def expect(b: Bench, config: EdgeConfig, result: RunResult, labels: Labels) -> None:
    """Tell the scoreboard which predictions a run must give."""
    b.expect("outputs", result.outputs, config.format)
    b.expect("classes", result.classes)
    b.expect("labels", labels)


async def drained(b: Bench) -> None:
    """Wait until all expected predictions have come."""
    await b.wait_for(lambda: not b.pending, 50_000, "the last predictions")


async def check_counters(
    b: Bench, driver: EdgeDriver, result: RunResult, n: int, mode: Mode, dropped: int = 0, stalls: int | None = None
) -> None:
    """Compare all counters with those of a single run of n samples since the last CLEAR."""
    config, schedule = driver.config, Schedule(driver.config)
    trained = 0 if mode == Mode.INFERENCE else n
    counters = await driver.counters()
    b.equal("clocks", counters.cycles - counters.stalls, schedule.clocks(n, mode))
    b.equal(
        "counts",
        [counters.samples, counters.predictions, counters.correct, counters.dropped],
        [n, n, result.correct, dropped],
    )
    for i, shape in enumerate(config.junctions):
        b.expect("busy", [n * shape.clocks, trained * shape.clocks * (i > 0), trained * shape.clocks])
        saturated = (result.saturated_ff, result.saturated_bp, result.saturated_up)
        b.expect("saturations", [unit[i] for unit in saturated])
        b.got("busy", [unit[i] for unit in counters.busy])
        b.got("saturations", [unit[i] for unit in counters.saturations])
    if stalls is not None:
        b.equal("stalls", counters.stalls, stalls)


def send_with_bad_frames(b: Bench, driver: EdgeDriver, x: Samples, labels: Labels) -> dict[str, int]:
    """Queue the samples with frames between them that must be dropped; how many of each kind."""
    config = driver.config
    beats = config.layers[0] // config.in_lanes
    bad = {"short": 0, "long": 0, "label": 0}
    for words, label in zip(x, labels, strict=True):
        while b.rng.random() < 0.3:
            kind = b.rng.choice(["short", "long", "label"] if beats > 1 else ["long", "label"])
            b.cover("bad_frame", kind)
            size = beats
            if kind == "short":
                size = b.rng.choice([1, beats - 1, b.rng.randint(1, beats - 1)])
            elif kind == "long":
                size = b.rng.choice([beats + 1, 2 * beats, b.rng.randint(beats + 1, 3 * beats)])
            wrong = b.rng.choice([config.classes, 0xFFFF]) if kind == "label" else int(label)
            driver.samples.send_nowait(driver.sample_frame(b.np.integers(0, 2, size * config.in_lanes), wrong))
            bad[kind] += 1
        driver.send(words[None], [label])
    return bad


async def one_run(b: Bench, driver: EdgeDriver, network: EdgeNetwork, n: int = 4) -> None:
    """A pipelined run of n samples from CLEAR to the comparison of everything. `driver.collect` must not run."""
    config = driver.config
    x, labels = random_samples(b, config, n)
    await driver.command(Ctrl.CLEAR)
    rng_seed, lr_shift = b.rng.getrandbits(16), b.rng.randint(0, config.lr_max)
    result = network.run(x, labels, Mode.PIPELINED, lr_shift, True, rng_seed)
    expect(b, config, result, labels)
    collector = b.start(driver.collect())
    await driver.start(Mode.PIPELINED, n, lr_shift, True, rng_seed)
    driver.send(x, labels)
    await driver.finish()
    await drained(b)
    collector.cancel()
    await check_counters(b, driver, result, n, Mode.PIPELINED)
    await driver.compare_network(network)
