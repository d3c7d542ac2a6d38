# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/edge/edge_top.v: a host trains a network over AXI; the bit-exact network says what must come of it.

Soft resets are in test_edge_top_reset.py.
"""

from __future__ import annotations

from models.edge.config import Mode
from models.edge.registers import Ctrl, EdgeReg, EdgeStatus, Kind
from tb.edge.drivers.networks import alternating, random_samples
from tb.edge.drivers.register_checks import check_constants, check_refusals, check_settings
from tb.edge.drivers.session import (
    check_counters,
    drained,
    expect,
    one_run,
    send_with_bad_frames,
    set_up,
    set_up_with_network,
)
from tb.lib.bench import Bench, bench_test


@bench_test(timeout_clocks=400_000)
async def registers(b: Bench) -> None:
    """The register map, with stalls on all channels."""
    driver = await set_up(b)
    await check_constants(b, driver.regs, driver.config)
    await check_settings(b, driver.regs, driver.config, writes=8)
    await check_refusals(b, driver.regs, driver.config, accesses=30)


@bench_test(timeout_clocks=400_000)
async def parameters(b: Bench) -> None:
    """All sections, loaded in random order with random words, come back."""
    driver = await set_up(b)
    config, fmt = driver.config, driver.config.format
    sections: dict[tuple[int, Kind], list[int]] = {}
    for i, shape in enumerate(config.junctions):
        rows = shape.fan_out if config.sweep_seeds else 1
        sections[i + 1, Kind.WEIGHTS] = b.np.integers(fmt.min_raw, fmt.max_raw, shape.edges, endpoint=True).tolist()
        sections[i + 1, Kind.BIASES] = b.np.integers(fmt.min_raw, fmt.max_raw, shape.n_right, endpoint=True).tolist()
        sections[i + 1, Kind.SEEDS] = b.np.integers(0, shape.sweep, rows * shape.z).tolist()
        if config.dither:
            sections[i + 1, Kind.PERMS] = b.np.integers(0, shape.z, shape.fan_out * shape.z).tolist()
    for section in b.rng.sample(list(sections), len(sections)):
        await driver.load(*section, sections[section])
    for section in b.rng.sample(list(sections), len(sections)):
        b.cover("section", section[1].name.lower())
        b.equal(f"{section}", await driver.dump(*section), sections[section])
    b.require(await driver.status() == 0, "STATUS is not 0 after a reset")


@bench_test(timeout_clocks=1_000_000)
async def runs(b: Bench) -> None:
    """Runs in every mode, one after the other, with bad frames between the samples and stalls everywhere."""
    driver, config, network = await set_up_with_network(b)
    b.start(driver.collect())
    for mode in b.rng.sample(list(Mode), 3):
        n, endless = b.rng.choice([1, 2, b.rng.randint(3, 12)]), b.rng.random() < 0.3
        stochastic, lr_shift = b.rng.random() < 0.5, b.rng.randint(0, config.lr_max)
        rng_seed = b.rng.getrandbits(16)
        b.cover("mode", mode.name.lower())
        b.cover("rounding", "stochastic" if stochastic else "half_up")
        b.cover("end", "stop" if endless else "count")
        x, labels = random_samples(b, config, n)
        result = network.run(x, labels, mode, lr_shift, stochastic, rng_seed)
        expect(b, config, result, labels)
        await driver.command(Ctrl.CLEAR)
        early = b.rng.random() < 0.5
        b.cover("samples_come", "before_start" if early else "after_start")
        if early:
            bad = send_with_bad_frames(b, driver, x, labels)
            await b.clocks(b.rng.randint(0, 200))
        await driver.start(mode, 0 if endless else n, lr_shift, stochastic, rng_seed)
        if not early:
            bad = send_with_bad_frames(b, driver, x, labels)
        if endless:
            await driver.admitted(n)
            await driver.command(Ctrl.STOP)
        await driver.finish()
        await drained(b)
        flags = {"short": EdgeStatus.FRAME_SHORT, "long": EdgeStatus.FRAME_LONG, "label": EdgeStatus.BAD_LABEL}
        expected = int(EdgeStatus.DONE)
        for kind, count in bad.items():
            expected |= flags[kind] if count else 0
        b.equal("status", await driver.status(), expected)
        await check_counters(b, driver, result, n, mode, dropped=sum(bad.values()))
        await driver.compare_network(network)


@bench_test(timeout_clocks=1_000_000)
async def switched_modes(b: Bench) -> None:
    """Hybrid training: runs take turns in their mode, which the host writes while the run before goes on."""
    driver, config, network = await set_up_with_network(b)
    b.start(driver.collect())
    modes = alternating(b.rng, 3)
    roundings = [b.rng.random() < 0.5 for _ in modes]
    await driver.set_mode(modes[0], roundings[0])
    for k, mode in enumerate(modes):
        n, lr_shift, rng_seed = b.rng.randint(2, 6), b.rng.randint(0, config.lr_max), b.rng.getrandbits(16)
        x, labels = random_samples(b, config, n)
        result = network.run(x, labels, mode, lr_shift, roundings[k], rng_seed)
        expect(b, config, result, labels)
        await driver.command(Ctrl.CLEAR)
        await driver.begin(n, lr_shift, rng_seed)
        held = b.rng.randint(0, n - 1)  # the run waits for the others, and cannot end before the mode is written
        driver.send(x[:held], labels[:held])
        await driver.admitted(b.rng.randint(0, held))
        if k + 1 < len(modes):
            await driver.set_mode(modes[k + 1], roundings[k + 1])
        b.require(await driver.status() & EdgeStatus.RUN_BUSY, "the run ended without its samples")
        driver.send(x[held:], labels[held:])
        await driver.finish()
        await drained(b)
        await check_counters(b, driver, result, n, mode)
        await driver.compare_network(network)
        if k:
            b.cover("switch", f"{modes[k - 1].name}_to_{mode.name}".lower())


@bench_test(timeout_clocks=400_000)
async def full_speed(b: Bench) -> None:
    """With samples always there, on a stream no wider than it must be, not one clock is lost."""
    driver, config, network = await set_up_with_network(b, stalls=False)
    b.start(driver.collect())
    n, mode = 40, b.rng.choice([Mode.PIPELINED, Mode.INFERENCE])
    x, labels = random_samples(b, config, n)
    result = network.run(x, labels, mode, config.lr_max, True, b.seed)
    expect(b, config, result, labels)
    driver.send(x, labels)
    await b.clocks(2 * config.pass_clocks + 10)
    await driver.start(mode, n, config.lr_max, True, b.seed)
    await driver.finish()
    await drained(b)
    await check_counters(b, driver, result, n, mode, stalls=0)
    await driver.compare_network(network)


@bench_test(timeout_clocks=400_000)
async def learning_rate(b: Bench) -> None:
    """A new learning rate counts from the next pass on: changed between two samples, it is that of the second."""
    driver, config, network = await set_up_with_network(b)
    b.start(driver.collect())
    await driver.start(Mode.SEQUENTIAL, 3, 0, False, 0)
    for k in range(3):
        lr_shift = b.rng.randint(0, config.lr_max)
        await driver.regs.set(EdgeReg.LR_SHIFT, lr_shift)
        x, labels = random_samples(b, config, 1)
        expect(b, config, network.run(x, labels, Mode.SEQUENTIAL, lr_shift), labels)
        driver.send(x, labels)
        await driver.admitted(k + 1)
        await b.clocks((driver.schedule.pipeline + 2) * config.pass_clocks)
    await driver.finish()
    await drained(b)
    await driver.compare_network(network)


@bench_test(timeout_clocks=400_000)
async def commands_while_busy(b: Bench) -> None:
    """START, LOAD and DUMP while anything is busy set BAD_CMD and disturb nothing; so do sections that do not exist."""
    driver, config, network = await set_up_with_network(b)
    b.start(driver.collect())

    async def refused(busy: str, bits: int) -> None:
        b.cover("bad_command", f"{'_and_'.join(str(bit.name).lower() for bit in Ctrl if bits & bit)}_while_{busy}")
        await driver.command(bits)
        status = await driver.status()
        b.equal("bad command", bool(status & EdgeStatus.BAD_CMD), True)
        await driver.command(Ctrl.CLEAR)

    async def all_refused(busy: str) -> None:
        for bits in b.rng.sample([Ctrl.START, Ctrl.LOAD, Ctrl.DUMP], 3):
            await refused(busy, bits)

    await refused("idle", b.rng.choice([Ctrl.START | Ctrl.LOAD, Ctrl.LOAD | Ctrl.DUMP, Ctrl.START | Ctrl.DUMP]))
    missing = [(0, 0), (len(config.junctions) + 1, 2), (255, 1)] + [(1, 3)] * (not config.dither)
    for junction, kind in missing:
        await driver.select(junction, Kind(kind))
        await refused("section_missing", b.rng.choice([Ctrl.LOAD, Ctrl.DUMP]))

    # a run that waits for samples
    await driver.select(1, Kind.WEIGHTS)
    await driver.start(Mode.PIPELINED, 0, 3 % config.lr_max, True, 7)
    await all_refused("run")
    x, labels = random_samples(b, config, 3)
    result = network.run(x, labels, Mode.PIPELINED, 3 % config.lr_max, True, 7)
    expect(b, config, result, labels)
    driver.send(x, labels)
    await driver.admitted(3)
    await driver.command(Ctrl.STOP)
    await driver.finish()
    await drained(b)

    # a LOAD that waits for its words
    await driver.command(Ctrl.LOAD)
    await all_refused("load")
    network.weights[0][:] = b.np.integers(-5, 5, len(network.weights[0]))
    driver.params_in.send_nowait(driver.section_frame(network.weights[0]))
    await driver.wait_status(EdgeStatus.LOAD_BUSY, False)

    # a DUMP that nobody takes
    driver.params_out.clear_pause_generator()
    driver.params_out.pause = True
    await driver.command(Ctrl.DUMP)
    await all_refused("dump")
    driver.params_out.pause = False
    b.equal("dumped", await driver.dumped(), network.weights[0], config.format)
    await driver.compare_network(network)


@bench_test(timeout_clocks=400_000)
async def stop_without_samples(b: Bench) -> None:
    """An endless run that is stopped before any sample came ends by itself, and the next run is right."""
    driver, _, network = await set_up_with_network(b)
    await driver.start(Mode.PIPELINED, 0, 0, False, 0)
    await b.clocks(b.rng.randint(0, 100))
    await driver.command(Ctrl.STOP)
    await driver.finish()
    counters = await driver.counters()
    b.equal("counts", [counters.samples, counters.predictions], [0, 0])
    await one_run(b, driver, network)
