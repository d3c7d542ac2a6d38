# SPDX-License-Identifier: Apache-2.0
"""The scoreboard's whole training step: what the array's clocks are of the program that training compiles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_cnn import small_cnn

from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import Compute, Engine
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.network import PeNetwork
from studies import networks, published, scoreboard, scoreboard_c, scoreboard_step
from studies.phase_clocks import SIZES
from studies.played_step import KINDS, Asked, PlayedStep
from studies.scoreboard_b import Board, Row
from studies.scoreboard_step import PORTS, Whole, first_of, vgg11, whole

LATENCY = 40


def small(momentum: bool, directory: Path) -> PeConfig:
    """A convolution, a pool and a fully connected layer on two PEs, pruned before the first step."""
    path = directory / "small.toml"
    path.write_text(small_cnn(
        outputs=8, density=0.5, dense_density=1.0, epochs=1, rate_shift=[11], init_seed=3, prune_at=0,
        momentum_shift=3 * momentum,
    ))  # fmt: skip
    return PeConfig.load(path)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Whole]:
    directory = tmp_path_factory.mktemp("configs")
    asked = {momentum: Asked(small(momentum, directory), LATENCY) for momentum in (False, True)}
    return {momentum: whole("step", each, each.played()) for momentum, each in asked.items()}


def test_clocks_are_those_of_the_program_that_training_compiles(wholes: dict[bool, Whole], tmp_path: Path) -> None:
    for momentum, played in wholes.items():
        network = PeNetwork(small(momentum, tmp_path))
        network.prune()
        step = StepProgram(network, grid_of(network.config))
        memory = StepMemory(step)
        memory.put(network, 11)
        array = ArrayClocks(step.grid, replace(SIZES, latency=LATENCY))
        assert played.clocks == array.run(step.address, step.descriptors, memory.memory).clocks


def test_the_first_step_has_a_timeline(tmp_path: Path) -> None:
    asked = Asked(small(False, tmp_path), LATENCY)
    found = first_of({"one": asked, "another": asked})
    assert found.name == "one"
    assert found == whole("one", asked, asked.played())
    assert found.steps is not None
    assert found.steps.timeline.clocks == found.clocks


def test_momentum_takes_longer_and_only_updates_do(wholes: dict[bool, Whole]) -> None:
    without, with_momentum = wholes[False], wholes[True]
    assert with_momentum.clocks > without.clocks
    assert with_momentum.parts["update"] > without.parts["update"]
    assert with_momentum.parts["FF"] == without.parts["FF"]


def test_parts_of_all_kinds_make_the_whole(wholes: dict[bool, Whole]) -> None:
    for each in wholes.values():
        assert tuple(each.parts) == KINDS
        assert sum(each.parts.values()) == each.clocks
        assert min(each.parts.values()) > 0


def test_entries_of_parts_are_those_that_pes_issue(wholes: dict[bool, Whole], tmp_path: Path) -> None:
    """All that the array counts as busy belongs to a part; a share is what PEs issue for a phase in its clocks."""
    asked = Asked(small(False, tmp_path), LATENCY)
    step, run = asked.run(seen=True)
    played = PlayedStep.of(step, run)
    assert sum(played.issued.values()) == run.busy
    assert run.timeline is not None
    # up to the end of its last command PEs work on FF of the first layer alone, and on nothing for long behind that
    last = sum(isinstance(each, Compute) for each in step.descriptors[: dict(step.parts)["ff0"]]) - 1
    bins = -(-run.done[Engine.COMPUTE][last] // run.timeline.width)
    assert played.issued["ff0"] == run.timeline.issued[:, :bins].sum()
    issuing, name = wholes[False].issuing, asked.config.layers[0].name
    assert [*issuing] == ["FF layers[0]", "FF layers[2]", "NG layers[2]", "WG layers[2]", "WG layers[0]"]
    entries, clocks = (of["wg0"] + of["bg0"] for of in (played.issued, played.parts))  # weights and biases
    assert issuing[f"WG {name}"] == pytest.approx(entries / (clocks * asked.config.pes))


def test_shares_of_both_ports_stand_side_by_side() -> None:
    shares = {"FF a": 0.5, "WG a": 0.684}
    one, two = (Whole(name, 1, {}, of) for name, of in zip(PORTS, (shares, shares | {"NG a": 1.012}), strict=True))
    expected = ("a", "50.0%", "–", "68.4%", "50.0%", "101.2%", "68.4%")
    assert scoreboard_step.issuing([two, Whole("another", 1, {}), one]) == [expected]
    assert len(scoreboard_step.ISSUING_HEAD) == len(expected)


def test_the_network_is_the_published_one() -> None:
    """Layer by layer as ``networks`` has it, at the published densities, with pools where the maps become smaller."""
    config = vgg11(momentum=True)
    shapes = networks.layers(published.NETWORK)
    weighted = [layer for layer in config.layers if layer.has_weights]
    assert [(layer.conv, layer.in_shape[1:]) for layer in weighted] == [
        (shape.conv, (shape.height, shape.width)) for shape in shapes
    ]
    assert {layer.name: layer.density for layer in weighted} == published.DENSITIES
    assert sum(layer.kind == "max_pool" for layer in config.layers) == 5
    assert (config.in_shape, config.training.batch, config.pes) == ((3, 32, 32), 32, 32)
    assert config.training.momentum_shift > 0
    assert vgg11(momentum=False).training.momentum_shift == 0
    assert (config.wide, vgg11(False, 64, wide=True).pes, vgg11(False, 64, wide=True).wide) == (1, 64, 2)


def test_the_headline_names_momentum_and_the_assumed_clock() -> None:
    whole = Whole("with momentum", 6_250_000, dict.fromkeys(KINDS, 0))
    (line,) = scoreboard_step.table([whole])
    # 29.4 GOP without the NG of conv1, in 25 ms
    assert line == ("with momentum", "45.099", "25.000", "250 MHz (assumed)", "1173", "1.80")
    assert len(line) == len(scoreboard_step.HEAD)


def test_phases_alone_stand_beside_the_program() -> None:
    rows = [Row("conv1", "FF", 1000, 0, 10, 10, 1.0, "MACs"), Row("conv1", "WG", 500, 200, 10, 10, 1.0, "MACs")]
    whole = Whole("no momentum", 3000, dict.fromkeys(KINDS, 500))
    lines = {line[0]: line[1:] for line in scoreboard_step.where(Board(rows, {"FF": 30, "NG": 40}), [whole])}
    assert {name: cells[0] for name, cells in lines.items()} == {
        "FF": "1,000", "NG": "0", "WG": "300", "update": "200", "pooling": "70", KINDS[-1]: "–", "in all": "1,570",
    }  # fmt: skip
    assert [cells[1] for cells in lines.values()] == ["500"] * 6 + ["3,000"]


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a small network in place of VGG-11: steps are in terminal, result and page."""
    monkeypatch.setattr(scoreboard_step, "vgg11", lambda momentum, pes=32, wide=False: small(momentum, tmp_path))
    monkeypatch.setattr(scoreboard_step, "BLOCKS", {"layers[0]": (4, 1), "layers[2]": (5, 16)})
    monkeypatch.setattr(scoreboard.scoreboard_b, "run", lambda latency, only: Board(latency=latency))
    monkeypatch.setattr(scoreboard_c, "fine_tuned", lambda names: [])
    monkeypatch.setattr(Board, "worst", lambda self: [Row("conv1", "FF", 1, 0, 1, 1, 1.0, "MACs")] * 2)
    scoreboard.main(["--latency", "20", "--out", str(tmp_path / "out")])
    found = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    plain, momentum, chosen, wide, more = found["steps"]
    assert (wide["name"], more["name"]) == ("no momentum, a wide port", "no momentum, 64 PEs and a wide port")
    assert plain["clocks"] < momentum["clocks"]
    assert chosen["clocks"] != plain["clocks"]
    assert "make train-cnn" in chosen["name"]
    assert all(sum(step["parts"].values()) == step["clocks"] for step in found["steps"])
    printed, html = capsys.readouterr().out, (tmp_path / "out" / "scoreboard.html").read_text(encoding="utf-8")
    for step in found["steps"]:
        assert step["ms"] == pytest.approx(step["clocks"] / 250e3)
        assert any(f"{step['ms']:.3f}  250 MHz (assumed)" in line for line in printed.splitlines())
        assert f"<td>{step['ms']:.3f}</td><td>250 MHz (assumed)</td>" in html
    assert f'{{"clocks":{plain["clocks"]},"width"' in html, "the timeline of the first"
