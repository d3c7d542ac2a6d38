# SPDX-License-Identifier: Apache-2.0
"""Synthesis: area and clock of a junction and of a PE against their baselines, and checks of the checks."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from flow import verilog
from flow.paths import BUILD, ROOT, FlowError
from flow.synth import command as synth
from flow.synth import edge as synth_edge
from flow.synth import netlist
from flow.synth import pe as synth_pe
from flow.synth.command import Outcome
from flow.synth.edge import EdgeTarget
from flow.synth.netlist import Area, Netlist
from flow.synth.pe import PeTarget
from flow.synth.target import Figures, Plan, Target
from models.edge.config import EdgeConfig
from models.pe_array.isa.widths import Widths
from models.pe_array.network.config import PeConfig

TINY = EdgeConfig.load(ROOT / "configs" / "edge" / "tiny.toml")
MNIST_64 = EdgeConfig.load(ROOT / "configs" / "edge" / "mnist_64.toml")
LENET5 = PeConfig.load(ROOT / "configs" / "pe_array" / "lenet5_mnist.toml")
BANK = "rows.weights.ram.mem.0.0"
REFERENCE: dict[str, Any] = json.loads(synth.BASELINE.read_text())


def outcome(area: Area, family: str = "xc7", **timing: Any) -> Outcome:
    clock = netlist.Timing(**timing) if timing else None
    return Outcome("junction_2", family, Netlist(area, {}, (f"top/{BANK}",), ()), clock, 0.0)


def test_junction_is_as_small_as_its_baseline() -> None:
    """The junction that is compared with the published block: 32 edges per clock in FF, BP and UP."""
    target = EdgeTarget(MNIST_64, 2)
    shape = MNIST_64.junctions[1]
    assert (shape.z, shape.n_left, shape.n_right) == (32, 64, 32)
    assert "xc7" in REFERENCE["baseline"]["mnist_64"]["junction_2"]
    checked = synth.check("mnist_64", synth.run(target, "xc7"), REFERENCE)
    assert not checked.problems, f"{checked.problems}\n{synth.table('mnist_64', [checked], REFERENCE)}"


def test_pe_is_as_small_as_its_baseline() -> None:
    """A processing element of 8 lanes, as it is in the array; `make synth` has the one of 32."""
    assert "xc7" in REFERENCE["baseline"]["lenet5_mnist"]["pe_8"]
    checked = synth.check("lenet5_mnist", synth.run(PeTarget(LENET5, "pe", 1, 8), "xc7"), REFERENCE)
    assert not checked.problems, f"{checked.problems}\n{synth.table('lenet5_mnist', [checked], REFERENCE)}"


@pytest.mark.parametrize(
    ("config", "target"), [("lenet5_mnist", PeTarget(LENET5, "pe", 1, 8)), ("tiny", EdgeTarget(TINY, 2))]
)
def test_clock_is_that_of_its_baseline(config: str, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processing element and a junction, placed once and routed on ECP5; `make synth` takes the slowest of three."""
    monkeypatch.setattr(netlist, "SEEDS", (1,))
    assert "fmax_mhz" in REFERENCE["baseline"][config][target.name]["ecp5"]
    checked = synth.check(config, synth.run(target, "ecp5"), REFERENCE)
    assert checked.timing is not None
    assert not checked.problems, f"{checked.problems}\n{synth.table(config, [checked], REFERENCE)}"


def test_weights_in_lut_memory_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the junction's rows that leaves the kind of memory to the tool does not pass."""
    original = verilog.library()["junction_rows"].path
    text = original.read_text()
    assert text.count(".BLOCK(1)") == 1, "junction_rows.v has changed: choose another fault"
    copy = BUILD / "canary" / "synth" / original.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text.replace(".BLOCK(1)", ".BLOCK(0)"))
    files = [dataclasses.replace(f, path=copy) if f.path == original else f for f in verilog.closure(synth_edge.TOP)]
    monkeypatch.setattr(verilog, "closure", lambda _: files)
    config = EdgeConfig.load(ROOT / "tb" / "edge" / "configs" / "l1.toml")
    problems = synth.run(EdgeTarget(config, 1), "xc7").problems
    assert problems == [
        "the weights of junction 1 are in no block RAM",
        "the weights of junction 1 are in LUTs used as memory",
    ]


def test_structure() -> None:
    area = Area(lut=10, lut_memory=2, ff=5, block_ram=6, dsp=96)
    good = Netlist(area, {}, (f"top/{BANK}",), ("top/sums.g_mem[0].ram.mem.0.0",))
    target = EdgeTarget(MNIST_64, 2)
    assert target.structure_problems(good) == []
    few = dataclasses.replace(good, area=dataclasses.replace(area, dsp=95))
    assert "95 DSPs, expected one per multiplier = 96" in target.structure_problems(few)
    whole = dataclasses.replace(good, block_rams=(f"top/top.engine.jn[1].junction.{BANK}",))
    assert "the weights of junction 2 are in no block RAM" in EdgeTarget(MNIST_64).structure_problems(whole)


def test_structure_of_the_array() -> None:
    """Every PE needs its X, Y, W and E in block RAM; what else is in LUTs does not matter."""
    names = [f"top/core.grid.g_pe[{p}].place.pe.{m}.g_mem.mem.0.0" for p in (0, 1) for m in synth_pe.BLOCK_MEMORIES]
    other = ("top/core.grid.g_pe[0].place.pe.address.t_ram.g_mem.mem.0.0", "top/core.grid.maps.x_ramp.mem.0.0")
    good = Netlist(Area(lut=10, lut_memory=2, ff=5, block_ram=6, dsp=2 * 10 + 11), {}, tuple(names), other)
    array = PeTarget(LENET5, "array", 2, 8)
    assert array.structure_problems(good) == []
    for name in names:
        place = name.removeprefix("top/core.grid.").removesuffix(".g_mem.mem.0.0")
        lost = dataclasses.replace(good, block_rams=tuple(n for n in names if n != name))
        assert array.structure_problems(lost) == [f"{place} is in no block RAM"]
        mixed = dataclasses.replace(good, lut_rams=(name,))
        assert array.structure_problems(mixed) == [f"{place} is in LUTs used as memory"]
    few = dataclasses.replace(good, area=dataclasses.replace(good.area, dsp=30))
    assert array.structure_problems(few) == ["30 DSPs, expected one per multiplier = 31"]


def test_structure_of_a_pe_and_of_what_is_around_it() -> None:
    names = tuple(f"top/pe.{memory}.g_mem.mem.0.0" for memory in synth_pe.BLOCK_MEMORIES)
    cell = Netlist(Area(lut=10, lut_memory=2, ff=5, block_ram=6, dsp=34), {}, names, ())
    assert PeTarget(LENET5, "pe", 1, 32).structure_problems(cell) == []
    assert len(PeTarget(LENET5, "pe", 1, 32).structure_problems(dataclasses.replace(cell, block_rams=()))) == 4
    frame = Netlist(Area(lut=10, lut_memory=2, ff=5, block_ram=6, dsp=11), {}, (), ())
    assert PeTarget(LENET5, "frame", 32, 32).structure_problems(frame) == []
    assert PeTarget(LENET5, "frame", 32, 32).structure_problems(cell) != []


def test_pes_are_left_out_of_the_frame() -> None:
    script = netlist.script("xc7", [], ROOT / "w.v", "synth_top/top", ROOT / "out", ("*/a", "*/b"))
    lines = script.splitlines()
    first = lines.index("blackbox */a %M")
    assert lines[first + 1] == "blackbox */b %M"
    assert lines[first + 2] == netlist.SYNTHESIS["xc7"]
    assert "blackbox" not in netlist.script("xc7", [], ROOT / "w.v", "synth_top/top", ROOT / "out")
    assert ".SCALE(0)" in PeTarget(LENET5, "array", 2, 8).wrapper("")
    assert PeTarget(LENET5, "frame", 2, 8).boxes
    assert not PeTarget(LENET5, "array", 2, 8).boxes
    assert not PeTarget(LENET5, "pe", 2, 8).boxes


def test_the_configuration_decides_which_engine() -> None:
    planned = synth.plan("configs/pe_array/lenet5_mnist.toml").runs
    runs = [(target.name, family) for target, family in planned]
    areas = ("pe_8", "frame_2x8", "array_2x8", "pe_32")
    narrow, wide = ([(name + end, "xc7") for name in areas] for end in ("", "_wide"))
    assert runs == [*narrow, *wide, ("pe_8", "ecp5"), ("array_2x8", "ecp5")]
    target = planned[2][0]
    units = ".SOFTMAX(0),\n    .SCALE(0)"  # a training with sigmoid takes neither
    assert f".P(2),\n    .B(8),\n    .FRAC(4),\n    {units},\n    .DATA(8),\n    .MASTER(24)" in target.wrapper("")
    narrow = dataclasses.replace(target, config=dataclasses.replace(LENET5, widths=Widths(4, 16)))
    assert ".DATA(4),\n    .MASTER(16)" in narrow.wrapper("")
    assert ".BUS(" not in target.wrapper("")
    assert ".BUS(128)" in dataclasses.replace(target, wide=True).wrapper("")
    with pytest.raises(FlowError, match="no such file"):
        synth.plan("configs/missing.toml")


def sized(lut: float, block_ram: float = 1) -> Figures:
    return {"lut_total": lut, "ff": 10 * lut, "block_ram": block_ram, "dsp": 2}


def test_extrapolation(monkeypatch: pytest.MonkeyPatch) -> None:
    """PEs and what is around them, added up; block RAM beyond the published one is a problem, LUTs are a figure."""
    figures = {
        "pe_8": sized(10), "frame_2x8": sized(5), "array_2x8": sized(20, 4), "pe_32": sized(10000, 30),
        "pe_8_wide": sized(11), "frame_2x8_wide": sized(8), "array_2x8_wide": sized(30, 4), "pe_32_wide": sized(1, 34),
    }  # fmt: skip
    plan = synth_pe.plan(LENET5)
    compared = plan.compare(figures, REFERENCE)
    assert compared.lines[0].startswith("EXTRAPOLATED, not synthesised as a whole: 32 PEs x 32 lanes")
    assert "lower bound" in compared.lines[0]
    assert compared.problems == []
    report = compared.report["extrapolation"]
    assert report["figures"] == {"lut_total": 320005, "ff": 3200050, "block_ram": 961, "dsp": 66}
    assert report["published"] == {"lut_total": 199111, "ff": 249122, "block_ram": 1060, "dsp": 1030}
    assert report["sum_misses_array"] == pytest.approx({"lut_total": 0.25, "ff": 0.25, "block_ram": -0.25, "dsp": 2})
    report = compared.report["extrapolation_wide"]
    assert report["figures"] == {"lut_total": 40, "ff": 400, "block_ram": 1089, "dsp": 66}
    assert report["sum_misses_array"] == pytest.approx({"lut_total": 0, "ff": 0, "block_ram": -0.25, "dsp": 2})
    assert "with a wide port: 32 PEs x 32 lanes = 32 x pe_32_wide + frame_2x8_wide" in compared.lines[4]
    more = plan.compare(figures | {"pe_32": sized(10000, 34)}, REFERENCE)
    assert more.problems == ["block_ram = 1089 of 32 x 32, extrapolated, is above the published 1060"]
    monkeypatch.setattr(synth_pe, "AROUND", synth_pe.LARGE)
    exact = synth_pe.plan(LENET5)
    assert [target.name for target, _ in exact.runs if target.name.startswith("frame_32x32")] == [
        "frame_32x32", "frame_32x32_wide",
    ]  # fmt: skip
    large = dict.fromkeys(("frame_32x32", "frame_32x32_wide"), sized(100, 100))
    compared = exact.compare(figures | large, REFERENCE)
    assert "lower bound" not in compared.lines[0]
    assert compared.report["extrapolation"]["figures"]["lut_total"] == 320100
    assert compared.problems == []


def test_multipliers() -> None:
    assert PeTarget(LENET5, "pe", 1, 32).multipliers == 32 + 2
    assert PeTarget(LENET5, "array", 2, 8).multipliers == 2 * (8 + 2) + 11
    assert PeTarget(LENET5, "frame", 32, 32).multipliers == 11
    assert EdgeTarget(MNIST_64, 2).multipliers == 3 * 32
    assert EdgeTarget(MNIST_64, 1).multipliers == 2 * 128 + 2
    assert EdgeTarget(MNIST_64).multipliers == 3 * 32 + 2 * 128 + 2
    wide = dataclasses.replace(MNIST_64, lr_max=16)
    assert EdgeTarget(wide, 2).multipliers == 4 * 32


def test_figures_out_of_tolerance() -> None:
    expected = {"lut_total": 100, "ff": 50, "block_ram": 1, "dsp": 4, "fmax_mhz": 50.0}
    tolerance = REFERENCE["tolerance"]
    area = Area(lut=90, lut_memory=10, ff=50, block_ram=1, dsp=4)
    assert synth.baseline_problems(outcome(area, fmax_mhz=50.0, path=()), expected, tolerance) == []
    assert synth.baseline_problems(outcome(area), expected, tolerance) == []
    for change, word in (({"lut": 110}, "lut_total"), ({"lut": 70}, "lut_total"), ({"ff": 60}, "ff"),
                         ({"block_ram": 1.5}, "block_ram"), ({"dsp": 5}, "dsp")):  # fmt: skip
        problems = synth.baseline_problems(outcome(dataclasses.replace(area, **change)), expected, tolerance)
        assert len(problems) == 1
        assert word in problems[0]
    slow = synth.baseline_problems(outcome(area, fmax_mhz=30.0, path=()), expected, tolerance)
    assert slow == ["fmax_mhz = 30, baseline 50 ± 10%"]
    assert synth.baseline_problems(outcome(area), {}, tolerance)[0] == "lut_total = 100 has no baseline"


def test_larger_than_published() -> None:
    small, large = (outcome(Area(lut, 0, 6183, 6, 96)) for lut in (9656, 9657))
    limits = REFERENCE["published"]["mnist_64"]["junction_2"]["xc7"]
    assert synth.limit_problems(small, limits) == []
    assert synth.limit_problems(large, limits) == ["lut_total = 9657 is above the published 9656"]


@pytest.mark.parametrize(("config", "target", "least"), [("tiny", "edge_top", 100), ("lenet5_mnist", "pe_8", 115)])
def test_clocks_that_must_be_reached(config: str, target: str, least: int) -> None:
    """Also where a baseline has come down within its tolerance, time after time."""
    entry = REFERENCE["baseline"][config][target]["ecp5"]
    assert entry["fmax_mhz"] >= least
    area = Area(entry["lut_total"], 0, entry["ff"], entry["block_ram"], entry["dsp"])
    made = [
        dataclasses.replace(outcome(area, fmax_mhz=fmax, path=()), target=target, family="ecp5")
        for fmax in (least, least - 0.1)
    ]
    reference = REFERENCE | {"baseline": {}}
    found = [synth.check(config, each, reference).problems for each in made]
    assert found == [[], [f"fmax_mhz = {least - 0.1:g} must be at least {least}"]]


def test_baseline_file(tmp_path: Path) -> None:
    reference: dict[str, Any] = {"tolerance": REFERENCE["tolerance"], "published": {}, "least": {}, "baseline": {}}
    result = outcome(Area(10, 5, 7, 1.5, 2))
    assert synth.check("net", result, reference).problems == []
    synth.record("net", [result], reference, tmp_path / "baseline.json")
    stored = json.loads((tmp_path / "baseline.json").read_text())
    assert stored["baseline"]["net"]["junction_2"]["xc7"] == {"lut_total": 15, "ff": 7, "block_ram": 1.5, "dsp": 2}
    grown = outcome(Area(20, 5, 7, 1.5, 2))
    assert synth.check("net", grown, stored).problems == ["lut_total = 25, baseline 15 ± 3%"]


def test_a_placement_that_is_not_routed_has_no_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Routing has a limit of processor time; which seeds it stopped is said, and not one clock is an error."""
    monkeypatch.setattr(netlist, "from_root", str)
    ends = {1: 91.0, 3: 99.0}

    def route(name: str, arguments: list[str], log: Path, seconds: int) -> None:
        seed = int(arguments[arguments.index("--seed") + 1])
        if seed not in ends:
            netlist.run_tool("python", ["-c", "while True: pass"], log, 1)
        report = {"fmax": {"clk": {"achieved": ends[seed]}}}
        Path(arguments[arguments.index("--report") + 1]).write_text(json.dumps(report))

    run_tool = netlist.run_tool
    with monkeypatch.context() as patched:
        patched.setattr(netlist, "run_tool", lambda *a: run_tool(*a) if a[0] == "python" else route(*a))
        netlist.place_and_route(tmp_path, netlist.SEEDS)
    found = netlist.read_routed(tmp_path, netlist.SEEDS)
    assert found == netlist.Timing(91.0, (), seeds=(91.0, 99.0), stopped=(2,))
    told = synth.table("net", [dataclasses.replace(outcome(Area(10, 5, 7, 1.5, 2)), timing=found)], REFERENCE)
    assert "not routed in 1800 s of processor time: seeds 2" in told
    for seed in ends:
        (tmp_path / f"timing_{seed}.json").write_text((tmp_path / "timing_2.json").read_text())
    with pytest.raises(FlowError, match="no placement was routed in 1800 s of processor time"):
        netlist.read_routed(tmp_path, netlist.SEEDS)


def test_engines_too_large_for_ecp5_stay_out() -> None:
    areas, clocks = ([(name, family) for name in ("junction_2", "edge_top")] for family in ("xc7", "ecp5"))
    for name, wanted in (("tiny", [*areas, *clocks]), ("mnist_64", areas), ("mnist_64_ecp5", [*areas, *clocks])):
        runs = [(target.name, family) for target, family in synth.plan(f"configs/edge/{name}.toml").runs]
        assert sorted(runs) == sorted(wanted)


def test_a_missing_baseline_is_told() -> None:
    result = outcome(Area(10, 5, 7, 1.5, 2))
    assert "no baseline" in synth.table("other", [result], REFERENCE)
    assert "no baseline" not in synth.table("mnist_64", [result], REFERENCE)


def test_a_failing_tool_is_reported(tmp_path: Path) -> None:
    """With its last words; a short program in its place, because the first start of Yosys takes a minute."""
    complaint = "import sys; print('ERROR: no such file'); sys.exit(3)"
    with pytest.raises(FlowError, match=r"python failed:\nERROR: no such file\n\(all of it: .*tool\.log\)"):
        netlist.run_tool("python", ["-c", complaint], tmp_path / "tool.log")


def test_a_missing_tool_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="yowasp-nothing is missing; install it with: make setup"):
        netlist.run_tool("yowasp-nothing", [], tmp_path / "tool.log")


def test_results_of_a_synthesis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They name their configuration, whose text decides whose they are, and are gone while the next one runs."""
    config, other, directory = tmp_path / "mine.toml", tmp_path / "other.toml", tmp_path / "synth" / "same"
    text = (ROOT / "configs" / "edge" / "tiny.toml").read_text().replace('"tiny"', '"same"')
    config.write_text(text)
    other.write_text(text + "# another\n")
    runs: list[tuple[EdgeTarget, str]] = []
    monkeypatch.setattr(synth, "BUILD", tmp_path)
    monkeypatch.setattr(synth, "chosen", lambda path: (Path(path), Path(path).read_text(), Plan("same", runs)))
    assert synth.synth(str(config))

    def told() -> dict[str, Any]:
        found: dict[str, Any] = json.loads((directory / "result.json").read_text())
        return found

    assert told()["configuration"] == text
    assert told()["complete"]
    with pytest.raises(FlowError, match=r"synth/same has the results of .*mine\.toml, .* as .*other\.toml"):
        synth.synth(str(other))

    def stop(*_: object) -> Outcome:
        assert told()["state"] == "running"
        raise KeyboardInterrupt

    monkeypatch.setattr(synth, "run", stop)
    runs.append((EdgeTarget(EdgeConfig.load(config), 1), "xc7"))
    with pytest.raises(KeyboardInterrupt):
        synth.synth(str(config))
    assert (told()["complete"], told()["state"]) == (False, "interrupted")
