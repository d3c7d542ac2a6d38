# SPDX-License-Identifier: Apache-2.0
"""`make train-cnn` from request to page, on a small network, and that it fails where it must."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from trainings import broken_design

from flow.build import Design
from flow.paths import ROOT, FlowError
from flow.train_cnn.command import REPORT, RESULT, train
from flow.train_cnn.request import Request, request
from flow.train_cnn.simulation import HARNESS
from models.pe_array.config import PeConfig
from models.pe_array.training import Trainer
from tb.pe_array.train_job import CHECKPOINT, images_to_test, simulated_steps, trainer_of

LENET = ROOT / "configs" / "lenet5_mnist.toml"
IMAGES = 64

SMALL = """
name = "small"
[input]
height = 28
width = 28
frac = 7
[[layers]]
kind = "conv"
outputs = 3
kernel = 5
stride = 4
weight_frac = 7
out_frac = 4
delta_frac = 9
density = 0.7
[[layers]]
kind = "max_pool"
kernel = 2
[[layers]]
kind = "dense"
outputs = 10
weight_frac = 6
out_frac = 4
density = 0.3
[training]
batch = 8
epochs = 2
rate_shift = [11, 12]
momentum_shift = 3
init_seed = 1
order_seed = 1
prune_at = 5
[array]
pes = 2
"""


def small(directory: Path, **variables: str) -> Request:
    """A request for the small network that leaves its results beside its file."""
    path = directory / "small.toml"
    path.write_text(SMALL)
    return request(str(path), samples=str(IMAGES), directory=directory / "out", **variables)


def result_of(asked: Request) -> dict[str, Any]:
    """What result.json holds."""
    result: dict[str, Any] = json.loads((asked.directory / RESULT).read_text())
    return result


def test_small_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dense and pruned steps in simulation; the rest ends where the model alone ends."""
    asked = small(tmp_path, steps="2")
    assert train(asked) == 0
    result = result_of(asked)
    assert result["simulated_steps"] == [0, 1, 4, 5]
    assert (result["mismatches"], result["failure"]) == (0, None)
    densities = [step["density"] for step in result["steps"]]
    assert densities[:3] == [1.0] * 3
    assert densities[3] < 0.4
    values = [step["compared"] for step in result["steps"]]
    assert min(values) > 1000
    assert values[3] < values[2], "fewer weights, fewer values"
    assert result["compared"] > sum(values), "logits of the test images"
    assert result["tests"]["images"] == 2 * 8
    assert 0.05 < result["mac_utilisation"] < 1
    assert [epoch["epoch"] for epoch in result["epochs_in_the_model"]] == [1, 2]

    alone = trainer_of(asked.config, IMAGES)
    while alone.step < 2 * alone.steps_per_epoch:
        alone.train_step()
    assert result["model_test_accuracy"] == alone.accuracy(images_to_test())
    page = (asked.directory / REPORT).read_text()
    sources = re.findall(r'(?:src|href)="(.{20})', page)
    assert sources == ["data:image/svg+xml;b"] * 4
    printed = capsys.readouterr().out
    assert "steps 0 … 1 and 4 … 5 of 16 in simulation" in printed
    assert "pass  small: simulation and model are equal in every bit" in printed


def test_checkpoint_is_that_of_the_model(tmp_path: Path) -> None:
    """Training goes on from what the simulation left."""
    asked = small(tmp_path, steps="1", epochs="1")
    assert train(asked) == 0
    left, alone = trainer_of(asked.config, IMAGES), trainer_of(asked.config, IMAGES)
    left.load(asked.directory / CHECKPOINT)
    while alone.step < left.step:
        alone.train_step()
    assert left.step == 6
    for got, want in zip(left.network.weights, alone.network.weights, strict=True):
        if got and want:
            assert (got.masters == want.masters).all()
            assert (got.momenta == want.momenta).all()


def test_broken_rtl_is_caught(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Negative sums that lose their sign: the training ends at the first step, with a line that replays it."""
    asked = small(tmp_path, steps="1")
    design = broken_design(
        Design.of(HARNESS, asked.params), "requantise_lane", "extended >>> shift", "extended >> shift", tmp_path
    )
    assert train(asked, design) == 1
    result = result_of(asked)
    assert "step 0: " in result["failure"]
    assert re.search(r"expected -?\d+, got -?\d+; \d+ of \d+ values differ", result["failure"])
    assert result["mismatches"] is None
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].startswith("replay: make train-cnn CONFIG=")


def test_places() -> None:
    assert simulated_steps(100, 4, 1000) == [range(4), range(98, 102)]
    assert simulated_steps(3, 4, 1000) == [range(4)], "pruning is among the first steps"
    assert simulated_steps(5, 4, 1000) == [range(4), range(4, 8)]
    assert simulated_steps(100, 4, 50) == [range(4)], "the training ends before it is pruned"
    assert simulated_steps(100, 8, 5) == [range(5)]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"config": "no/such.toml"}, r"no/such\.toml: there is no such file; shipped are configs/lenet5_mnist\.toml$"),
        ({"config": "configs/tiny.toml"}, r"configs/tiny\.toml: \[\[layers\]\] must be at least one table"),
        ({"steps": "0"}, r"STEPS=0 must be 1 … 100000"),
        ({"samples": "31"}, r"SAMPLES=31 must be 32 … 60000"),
        ({"epochs": "x"}, r"EPOCHS=x must be a whole number"),
        ({"sim": "vcs"}, r"SIM=vcs must be one of verilator, icarus"),
    ],
)
def test_variables(variables: dict[str, str], message: str) -> None:
    given: dict[str, Any] = {"config": str(LENET)} | variables
    with pytest.raises(FlowError, match=message):
        request(**given)


def test_network_that_is_not_for_mnist(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text(SMALL.replace("height = 28", "height = 32"))
    with pytest.raises(FlowError, match=r"other\.toml: small cannot train on 60000 images of MNIST"):
        request(str(path))


def test_array_of_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(SMALL.replace("pes = 2", "pes = 6"))
    with pytest.raises(FlowError, match=r"bad\.toml: array\.pes = 6 must be a power of two"):
        request(str(path))
    assert PeConfig.load(LENET).pes == 4
    assert isinstance(trainer_of(PeConfig.load(LENET), 64), Trainer)
