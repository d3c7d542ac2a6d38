# SPDX-License-Identifier: Apache-2.0
"""Waves hold the chosen instances and clocks, and nothing else, whichever simulator wrote them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from flow import ask, build, modules, paths, simulate, waves
from flow.build import Design, Options
from flow.paths import FlowError
from flow.simulate import Run
from flow.waves import Waves
from tb.lib.bench import PERIOD_NS

READ = modules.find_module("axi_read")


def test_clocks_are_those_of_the_benches() -> None:
    assert waves.PERIOD_NS == PERIOD_NS
    assert build.TIMESCALE == ("1ns", "1ps")


def record(sim: str, chosen: Waves) -> tuple[int, int, int]:
    """Signals of the file, and the first and the last clock in it."""
    result = simulate.simulate(Run(READ, READ.sets[0], sim, (1,), waves=chosen, label="waves-", test="full_speed"))
    assert result.passed
    path = result.run.waves_file
    assert waves.report(path).startswith(f"waves: {paths.relative(paths.RUNS)}/waves-{sim}/")
    if path.suffix == ".vcd":
        text = path.read_text(encoding="utf-8")
        times = [int(time) for time in re.findall(r"^#(\d+)", text, re.MULTILINE)]
        return text.count("$var "), times[0] // 10_000, times[-1] // 10_000
    # FST's first block: its type, length, first and last time, two constants, numbers of scopes and of signals
    header = path.read_bytes()
    first, last, signals = (int.from_bytes(header[at : at + 8], "big") for at in (9, 17, 49))
    return signals, first // 10_000, last // 10_000


@pytest.mark.parametrize("sim", modules.SIMULATORS)
def test_chosen_scopes_and_clocks(sim: str) -> None:
    everything = record(sim, Waves())
    some = record(sim, Waves(("bursts",), 20, 30))
    assert everything[1] == 0
    assert everything[2] > 100
    assert 0 < some[0] < everything[0]
    assert some[1:] == (20, 30)


@pytest.mark.parametrize("sim", modules.SIMULATORS)
def test_an_instance_that_is_not_there(sim: str) -> None:
    run = Run(READ, READ.sets[0], sim, (1,), waves=Waves(("bursts", "nothing")), label="waves-")
    with pytest.raises(FlowError, match=r"SCOPE=bursts,nothing: axi_read has no such instance"):
        simulate.simulate(run)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (("1", "a b", "", ""), r"SCOPE=a b: 'a b' must be the path of an instance"),
        (("1", "ram", "x", ""), r"FROM=x must be a whole number, 0 … \d+ \(clock of 10 ns\)"),
        (("1", "", "20", "10"), r"TO=10 must be 20 … \d+ \(clock of 10 ns, not before FROM\)"),
        (("", "ram", "", ""), r"SCOPE, FROM and TO say what WAVES=1 records"),
        (("0", "", "5", ""), r"SCOPE, FROM and TO say what WAVES=1 records"),
    ],
)
def test_mistakes(variables: tuple[str, str, str, str], message: str) -> None:
    with pytest.raises(FlowError, match=message):
        ask.waves_of("stream_fifo", *variables)


def test_the_top_module_may_be_named() -> None:
    asked = ask.waves_of("stream_fifo", "1", "stream_fifo.ram,other[3].x,ram", "", "7")
    assert asked == Waves(("ram", "other[3].x"), 0, 7)
    assert ask.waves_of("stream_fifo", "1", "stream_fifo", "", "") == Waves()


def test_probes_of_several_processes_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each compiles to a place of its own, and leaves nothing."""
    places: list[str] = []

    def compiler(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        place = command[command.index("-o") + 1]
        places.append(place)
        if len(places) == 1:  # another process, meanwhile
            waves.fst.__wrapped__()
        Path(place).touch()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(waves, "BUILD", tmp_path)
    monkeypatch.setattr(subprocess, "run", compiler)
    assert waves.fst.__wrapped__()
    assert len(set(places)) == 2
    assert not list((tmp_path / "tmp").iterdir())


def test_without_lz4_it_is_vcd_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waves, "fst", lambda: False)
    assert waves.suffix("verilator") == "vcd"
    assert waves.suffix("icarus") == "fst"
    options = Options("verilator", waves=True)
    design = Design.of("lfsr16", {})
    vcd = build.directory(design, options)
    (tmp_path / "x.vcd").touch()
    assert waves.report(tmp_path / "x.vcd").endswith("sudo apt-get install liblz4-dev zlib1g-dev")
    monkeypatch.setattr(waves, "fst", lambda: True)
    assert build.directory(design, options) != vcd
