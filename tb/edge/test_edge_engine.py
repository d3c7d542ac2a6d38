# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/edge/edge_engine.v: whole runs in every mode against the bit-exact network, and their clocks."""

from __future__ import annotations

import numpy as np

from models.edge.config import EdgeConfig, Mode
from models.edge.network import EdgeNetwork, RunResult
from models.edge.schedule import Schedule
from tb.edge.drivers.engine_port import EnginePort
from tb.edge.drivers.networks import alternating, random_network, random_samples
from tb.lib import patterns
from tb.lib.bench import Bench, bench_test


def expect(b: Bench, config: EdgeConfig, result: RunResult, labels: np.ndarray) -> None:
    """Tell the scoreboard what the run must give."""
    b.expect("outputs", result.outputs, config.format)
    b.expect("labels", labels)


def check_counts(b: Bench, port: EnginePort, result: RunResult, n: int, mode: Mode) -> None:
    """Compare clocks, busy slots and saturations of the run just made with the prediction, and clear them."""
    schedule, config = Schedule(port.config), port.config
    trained = 0 if mode == Mode.INFERENCE else n
    b.equal("clocks", port.busy_clocks - port.stall_clocks, schedule.clocks(n, mode))
    for i, shape in enumerate(config.junctions):
        b.equal(
            "busy",
            [port.sums[f"busy_{unit}"][i] for unit in ("ff", "bp", "up")],
            [n * shape.clocks, trained * shape.clocks * (i > 0), trained * shape.clocks],
        )
        expected = [int(s[i]) for s in (result.saturated_ff, result.saturated_bp, result.saturated_up)]
        b.equal("saturations", [port.sums[f"sat_{unit}"][i] for unit in ("ff", "bp", "up")], expected)
        for unit, count in zip(("ff", "bp", "up"), expected, strict=True):
            if count:
                b.cover("saturated", unit)
    for totals in port.sums.values():
        totals[:] = [0] * len(totals)
    port.busy_clocks = port.stall_clocks = 0


async def set_up(b: Bench) -> tuple[EdgeConfig, EnginePort, EdgeNetwork]:
    """An engine behind a reset, with a random network."""
    assert b.config is not None
    connectivity, network = random_network(b, b.config)
    port = EnginePort(b, b.config)
    await port.restart(Schedule(b.config).ff_slots[0])
    await port.load_network(connectivity, network)
    return b.config, port, network


@bench_test(timeout_clocks=300_000)
async def runs(b: Bench) -> None:
    """Several runs in a row, each in a random mode, with stalls on both sides."""
    config, port, network = await set_up(b)
    idle_name, idle = patterns.any_pattern(b.rng)
    room_name, room = patterns.any_pattern(b.rng)
    b.cover("input", idle_name)
    b.cover("output", room_name)
    port.follow(room)
    for mode in b.rng.sample(list(Mode), 3):
        n = b.rng.choice([1, 2, b.rng.randint(3, 12)])
        endless = b.rng.random() < 0.3
        stochastic = b.rng.random() < 0.5
        lr_shift = b.rng.randint(0, config.lr_max)
        rng_seed = b.rng.getrandbits(16)
        b.cover("mode", mode.name.lower())
        b.cover("rounding", "stochastic" if stochastic else "half_up")
        b.cover("end", "stop" if endless else "count")
        x, labels = random_samples(b, config, n)
        result = network.run(x, labels, mode, lr_shift, stochastic, rng_seed)
        expect(b, config, result, labels)
        b.start(port.send(x, labels, idle, aborts=0.1))
        await port.run(n, mode, lr_shift, stochastic, rng_seed, stop_after=n if endless else 0)
        check_counts(b, port, result, n, mode)
        await port.compare_network(network)


@bench_test(timeout_clocks=300_000)
async def switched_modes(b: Bench) -> None:
    """Hybrid training: the mode changes from run to run and back; the weights go on, and none is stale any more."""
    config, port, network = await set_up(b)
    port.follow(patterns.never())
    modes = alternating(b.rng, 3)
    for k, mode in enumerate(modes):
        n = b.rng.randint(2, 6)
        x, labels = random_samples(b, config, n)
        lr_shift, rng_seed = b.rng.randint(0, config.lr_max), b.rng.getrandbits(16)
        result = network.run(x, labels, mode, lr_shift, True, rng_seed)
        expect(b, config, result, labels)
        b.start(port.send(x, labels, patterns.never()))
        await port.run(n, mode, lr_shift, True, rng_seed)
        check_counts(b, port, result, n, mode)
        await port.compare_network(network)
        if k:
            b.cover("switch", f"{modes[k - 1].name}_to_{mode.name}".lower())


@bench_test(timeout_clocks=300_000)
async def full_speed(b: Bench) -> None:
    """A longer run with samples always there: after the first one no clock is lost."""
    config, port, network = await set_up(b)
    port.follow(patterns.never())
    n = 40
    x, labels = random_samples(b, config, n)
    lr_shift = b.rng.randint(config.lr_max // 2, config.lr_max)
    result = network.run(x, labels, Mode.PIPELINED, lr_shift, True, b.seed)
    expect(b, config, result, labels)
    b.start(port.send(x, labels, patterns.never()))
    await b.wait_for(lambda: port.waiting, 10_000, "the first frame")
    await port.run(n, Mode.PIPELINED, lr_shift, True, b.seed)
    b.equal("stalls", port.stall_clocks, 0)
    check_counts(b, port, result, n, Mode.PIPELINED)
    await port.compare_network(network)


@bench_test(timeout_clocks=300_000)
async def reset_in_mid_run(b: Bench) -> None:
    """A reset at any clock of a run leaves an engine that works."""
    config, port, network = await set_up(b)
    x, labels = random_samples(b, config, 8)
    sending = b.start(port.send(x, labels, patterns.never()))
    b.drive(out_room=1, frame_valid=1, nsamples=8, start=1)
    await b.clocks()
    b.drive(start=0)
    await b.clocks(b.rng.randint(1, 12 * config.pass_clocks))
    b.cover("reset", "mid_run")
    sending.cancel()
    b.drive(dict.fromkeys(("act_valid", "act_commit", "act_abort"), 0))
    await port.restart(Schedule(config).ff_slots[0])
    connectivity, network = random_network(b, config)
    await port.load_network(connectivity, network)
    port.follow(patterns.never())
    result = network.run(x, labels, Mode.SEQUENTIAL, 2 % config.lr_max, False, 5)
    expect(b, config, result, labels)
    b.start(port.send(x, labels, patterns.never()))
    await port.run(8, Mode.SEQUENTIAL, 2 % config.lr_max, False, 5)
    check_counts(b, port, result, 8, Mode.SEQUENTIAL)
    await port.compare_network(network)
