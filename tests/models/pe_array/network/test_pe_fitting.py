# SPDX-License-Identifier: Apache-2.0
"""What the array cannot run is refused with the configuration; whatever is accepted has a program. Large ones soon."""

from __future__ import annotations

import hashlib
import random
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from models.lib.telling import QUIET, Telling
from models.lib.toml_section import ConfigError
from models.pe_array.compiler.emitter import Emitter
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.word_order import word_order
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import Program
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.network import fitting
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.network import PeNetwork

CONFIGS = Path(__file__).resolve().parents[4] / "configs" / "pe_array"
LAST = {"kind": "dense", "outputs": 10, "weight_frac": 6, "out_frac": 4}
FRACS = {"weight_frac": 6, "out_frac": 6, "delta_frac": 6}


def document(layers: list[dict[str, Any]], batch: int = 8, pes: int = 4, **training: Any) -> dict[str, Any]:
    """A network for MNIST."""
    return {
        "name": "any",
        "input": {"height": 28, "width": 28, "frac": 6},
        "layers": layers,
        "training": {"batch": batch, "epochs": 1, "rate_shift": [16], "init_seed": 1, "order_seed": 1} | training,
        "array": {"pes": pes},
    }


def test_width_of_the_port() -> None:
    made = document([LAST], batch=32)
    made["array"]["wide"] = 2
    assert grid_of(PeConfig.from_dict(made)).beat == 64
    made["training"]["batch"] = 64
    with pytest.raises(ConfigError, match=r"array\.wide = 2 must be 1 … 1"):
        PeConfig.from_dict(made)
    for pes, wide in ((3, 1), (4, 3), (4, 2)):
        with pytest.raises(ValueError, match="must be"):
            Grid(pes, PeShape(64), wide)


def random_layers(rng: random.Random) -> list[dict[str, Any]]:
    """Layers of all kinds with small and large windows, some of which read or add an earlier map."""
    layers: list[dict[str, Any]] = []
    alike = rng.random() < 0.4  # convolutions that can add each other's maps
    for index in range(rng.randint(0, 4)):
        kind = rng.choice(["conv", "conv", "conv", "dense", "max_pool", "average_pool", "global_average_pool"])
        layer: dict[str, Any] = {"kind": kind}
        if kind in ("conv", "max_pool", "average_pool"):
            layer |= {"kernel": rng.choice([1, 2, 2, 3, 3, 5, 11]), "stride": rng.choice([1, 1, 2, 3])}
            layer |= {"pad": rng.choice([0, 0, 1, 2, 5]), "dilation": rng.choice([1, 1, 1, 2, 5, 9, 13, 25])}
            if not index and rng.random() < 0.3:  # windows that many maps have room for, but not all memories
                layer |= {"kernel": 2, "dilation": rng.randint(18, 27)}
        if kind in ("conv", "dense"):
            layer |= FRACS | {"outputs": rng.choice([1, 2, 3, 6, 8, 8, 40, 130]), "relu": rng.random() < 0.5}
            layer["bias"] = layer["outputs"] in (2, 40, 130)
        if kind == "conv":
            layer["groups"] = rng.choice([1, 1, 1, 2])
        if kind == "conv" and alike:
            wide = rng.choice([1, 2])
            layer |= {"kernel": 3, "pad": wide, "dilation": wide, "stride": 1, "groups": 1, "outputs": 8}
        if kind in ("conv", "dense") and index and rng.random() < 0.3:
            layer["add"] = rng.choice(["image", *(f"layers[{n}]" for n in range(index))])
        if index and rng.random() < 0.15:
            layer["input"] = rng.choice(["image", *(f"layers[{n}]" for n in range(index))])
        layers.append(layer)
    return [*layers, LAST]


def accepted(rng: random.Random) -> tuple[PeConfig, int]:
    """The next configuration that is not refused, and how many were for their size or their windows."""
    late = 0
    while True:
        training = {"gradient_rounding": rng.choice(["half_up", "stochastic"])}
        made = document(random_layers(rng), rng.choice([8, 16, 32, 64]), rng.choice([1, 2, 4, 16, 64]), **training)
        try:
            return PeConfig.from_dict(made), late
        except ConfigError as error:
            late += "does not fit in the array" in str(error)


def test_whatever_is_accepted_has_a_program() -> None:
    rng, late = random.Random(6), 0
    for _ in range(12):
        config, more = accepted(rng)
        late += more
        config.check_data((1, 28, 28), 10, "MNIST")
        network = PeNetwork(config)
        step = StepProgram(network, grid_of(config), search=False)
        word_order(step)
        StepMemory(step).put(network, 16)
        whole = StepProgram(network, grid_of(config), search=False, pooled=False) if step.absent else step
        assert sum(fitting.least_bytes(layer, config.training.batch) for layer in config.layers) < whole.allocation.size
    assert late, "windows that are too large are among those refused"


@pytest.mark.parametrize(
    ("layers", "keys", "message"),
    [
        ([LAST], {"batch": 4}, r"training\.batch = 4 must be one of 8, 16, 32, 64: a PE has a MAC for every image"),
        ([LAST | {"outputs": 257}], {}, r"layers\[0\]\.outputs = 257 must be at most 256 in the last layer"),
        ([{"kind": "conv", "kernel": 1, "outputs": 8192, **FRACS}, LAST], {}, r"layers\[0\]\.outputs = 8192 must be 1"),
        (
            [{"kind": "conv", "kernel": 2, "dilation": 27, "outputs": 1, **FRACS}, LAST], {},
            r"layers\[0\]: kernel = 2 with dilation = 27 on a map of 28 x 28 does not fit in the array.* 784 words",
        ),
        (
            [{"kind": "conv", "kernel": [2, 3], "dilation": [27, 13], "outputs": 1, **FRACS}, LAST], {},
            r"layers\[0\]: kernel = \[2, 3\] with dilation = \[27, 13\] on a map of 28 x 28 does not fit",
        ),
        (
            [{"kind": "conv", "kernel": 1, "outputs": 2, **FRACS}, {"kind": "max_pool", "kernel": 2, "stride": 1,
             "dilation": 15, "pad": 14}, LAST], {},
            r"layers\[1\]: kernel = 2 with dilation = 15 .* words of Y",
        ),
        (
            [{"kind": "dense", "outputs": 4096, **FRACS}] * 3 + [LAST], {"batch": 32},
            r"layers\[1\]\.outputs = 4096: weights and maps of a batch of 32 take [\d,]+ bytes of memory, which must",
        ),
        (
            [*[{"kind": "conv", "kernel": 3, "pad": 1, "outputs": 512} | FRACS] * 2, {"kind": "max_pool", "kernel": 9},
             LAST], {"batch": 8},
            r"layers\[1\]\.outputs = 512: a step takes at least [\d,]+ commands, which must be at most 131,072",
        ),
    ],
)  # fmt: skip
def test_refused_with_the_configuration(layers: list[dict[str, Any]], keys: dict[str, Any], message: str) -> None:
    begin = time.process_time()
    with pytest.raises(ConfigError, match=message):
        PeConfig.from_dict(document(layers, **keys))
    assert time.process_time() - begin < 1


def test_fully_connected_layers_alone_are_trained_on_images() -> None:
    config = PeConfig.from_dict(document([{"kind": "dense", "outputs": 12, **FRACS}, LAST]))
    config.check_data((1, 28, 28), 10, "MNIST")
    assert config.in_shape == (1, 28, 28)
    assert config.layers[0].in_shape == (784, 1, 1)


DIGESTS = {
    ("lenet5_mnist", False): "87c50fcbfe7f2440d450",
    ("lenet5_mnist", True): "cc8112c6ae6edb07c9c2",
    ("lenet5_finetune", True): "dbe2243a84d6003f9e2b",
    ("resnet_mnist", False): "b9db95b4929e08d1bd3a",
}
"""Of the memory that a step begins with, program and data: a faster planner must not plan anything else."""


@pytest.mark.parametrize(("name", "pruned"), DIGESTS)
def test_programs_stay_as_they_are(name: str, pruned: bool) -> None:
    values = tomllib.loads((CONFIGS / f"{name}.toml").read_text())
    values["training"].pop("initial", None)
    network = PeNetwork(PeConfig.from_dict(values))
    if pruned:
        network.prune()
    memory = StepMemory(StepProgram(network, grid_of(network.config)))
    memory.put(network, network.config.training.rate_shift(0))
    assert hashlib.sha256(memory.memory.tobytes()).hexdigest()[:20] == DIGESTS[name, pruned]


def test_large_layers_are_planned_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 channels to 64, some 2 s of a processor: what takes the time is the operations of programs that are compared.

    They are counted, for seconds differ from machine to machine, and double where lines are counted too.
    """
    layer = {"kind": "conv", "outputs": 64, "kernel": 3, "pad": 1, **FRACS}
    network = PeNetwork(PeConfig.from_dict(document([layer, layer, LAST], batch=32)))
    told: list[str] = []
    made: list[int] = []
    program = Emitter.program

    def counted(self: Emitter, *arguments: Any) -> Program:
        result = program(self, *arguments)
        made.append(len(result.operations))
        return result

    monkeypatch.setattr(Emitter, "program", counted)
    StepProgram(network, grid_of(network.config), tell=told.append)
    assert len(made) <= 60
    assert sum(made) < 200_000
    phases = ["1 of 3: FF", "2 of 3: FF", "3 of 3: FF"]
    phases += ["3 of 3: NG", "3 of 3: WG", "2 of 3: NG", "2 of 3: WG", "1 of 3: WG"]
    assert [each for each in told if "layer" in each] == [f"planning layer {each}" for each in phases]


def test_long_computations_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    with Telling() as tell:
        tell("short")
    assert capsys.readouterr().err == ""
    with Telling() as tell:
        tell("first")
        tell("long")
        time.sleep(QUIET + 0.2)
    assert capsys.readouterr().err == "long\n"
    assert QUIET < 1


def test_few_elements_make_few_blocks() -> None:
    """Fully connected layers of LeNet-5 on 32 PEs: a block of a few elements would cost more than they do."""
    values = tomllib.loads((CONFIGS / "lenet5_mnist.toml").read_text()) | {"array": {"pes": 32}}
    config = PeConfig.from_dict(values)
    layer, grid = config.layers[4], grid_of(config)
    assert fitting.choose_block(layer, grid, True, 7680) == (15, 50)
    rows, cols = fitting.choose_block(layer, grid)
    assert rows * cols < 15 * 50, "all elements keep more slots busy"
