# SPDX-License-Identifier: Apache-2.0
"""How fast the bit-exact model of the PE array trains on this machine: ``python -m studies.model_speed``.

Each phase of each layer of a network is timed as it is and by plain loops (``models/pe_array/network/kernels.py``), one
after the other in one run, dense and at the published densities: of several times the least, so that what else the
machine does counts little. Then whole training steps. Results of both ways are compared in every bit.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from models.lib import threads
from models.lib.command_line import Parser, one_line_errors, whole_number
from models.pe_array.isa.shapes import Conv, Positions, SlidingWindow
from models.pe_array.network import kernels, layers, products, weight_gradients
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from studies import networks, published
from studies.networks import WeightLayer
from studies.roofline import add_network, chosen_densities

Map = npt.NDArray[np.int8]
Sums = npt.NDArray[np.int32]
LENET = Path(__file__).resolve().parents[1] / "configs" / "pe_array" / "lenet5_mnist.toml"
MNIST_IMAGES = 60_000
PHASES = ("FF", "NG", "WG")


@dataclass(frozen=True)
class Timed:
    """Seconds of a phase, as it is and by plain loops; products of its stored kernels, those on padding included."""

    layer: str
    pruned: bool
    density: float
    phase: str
    macs: int
    seconds: float
    plain: float


def _plain_sums(
    window: SlidingWindow, x: Map, positions: Positions, values: Map, out_channels: int, size: tuple[int, int],
    backward: bool,
) -> Sums:  # fmt: skip
    made = size if backward else window.out_size(*size)
    out = np.zeros((out_channels, *made, x.shape[3]), dtype=np.int32)
    geometry = layers.geometry(window)
    loops = kernels.input_gradient if backward else kernels.forward
    loops(geometry, x, positions.row, positions.col, values, out)
    return out


def _plain_gradients(conv: Conv, x: Map, d: Map, positions: Positions) -> npt.NDArray[np.int64]:
    out = np.empty((len(positions), *conv.kernel), dtype=np.int64)
    kernels.weight_gradient(layers.geometry(conv), x, d, positions.row, positions.col, out)
    return out


@contextmanager
def plain_loops() -> Iterator[None]:
    """As long as it lasts, the layers are computed by plain loops, on one core."""
    with (
        mock.patch.object(products, "sums", _plain_sums),
        mock.patch.object(weight_gradients, "gradients", _plain_gradients),
    ):
        yield


@dataclass(frozen=True)
class Clock:
    """How often something is timed, and by which clock, in seconds."""

    times: int
    now: Callable[[], float] = time.perf_counter

    def least(self, work: Callable[[], Any]) -> tuple[Any, float]:
        """What it gives, and its least time; the first call, which may compile, does not count."""
        made, seconds = work(), []
        for _ in range(self.times):
            begin = self.now()
            work()
            seconds.append(self.now() - begin)
        return made, min(seconds)


def time_layer(layer: WeightLayer, pruned: bool, density: float, batch: int, clock: Clock) -> list[Timed]:
    """All phases of a layer on random maps; RuntimeError where the ways differ in a bit."""
    conv, rng = layer.conv, np.random.default_rng(1)
    positions = Positions.of_mask(conv.allowed() & (rng.random((conv.rows, conv.cols)) < density))
    x, d, values = (
        rng.integers(-128, 128, shape, dtype=np.int8)
        for shape in (
            (conv.cols, layer.height, layer.width, batch),
            (conv.rows, *layer.out_size, batch),
            (len(positions), *conv.kernel),
        )
    )
    phases: dict[str, Callable[[], Any]] = {
        "FF": lambda: layers.conv_forward(conv, x, positions, values),
        "NG": lambda: layers.conv_input_gradient(conv, d, positions, values, layer.height, layer.width),
        "WG": lambda: layers.conv_weight_gradient(conv, x, d, positions),
    }
    macs, found = values.size * layer.out_size[0] * layer.out_size[1] * batch, []
    for phase, work in phases.items():
        made, seconds = clock.least(work)
        with plain_loops():
            wanted, plain = clock.least(work)
        if not np.array_equal(made, wanted):
            raise RuntimeError(f"{layer.name}, {phase}: both ways must be equal in every bit")
        found.append(Timed(layer.name, pruned, density, phase, macs, seconds, plain))
    return found


def time_step(config: PeConfig, pruned: bool, clock: Clock) -> tuple[float, float]:
    """Seconds of a training step on random images, as it is and by plain loops."""
    network, rng = PeNetwork(config), np.random.default_rng(1)
    if pruned:
        network.prune()
    images = rng.integers(0, 128, (*config.in_shape, config.batch), dtype=np.int8)
    labels = rng.integers(0, config.classes, config.batch)

    def work() -> None:
        network.train_step(images, labels, config.training.rate_shift(0))

    seconds = clock.least(work)[1]
    with plain_loops():
        return seconds, clock.least(work)[1]


def vgg11() -> PeConfig:
    """VGG-11 for pictures of CIFAR-10, pruned to the published densities: a step's work, not scales to train with."""
    tables: list[dict[str, Any]] = []
    size = 32
    for layer in networks.layers(published.NETWORK):
        if layer.height < size:
            tables.append({"kind": "max_pool", "kernel": 2})
            size = layer.height
        window = {"kind": "dense"} if layer.fully_connected else {"kind": "conv", "kernel": 3, "pad": 1}
        scales = {"weight_frac": 7, "out_frac": 4, "delta_frac": 9}
        tables.append(window | scales | {"outputs": layer.conv.rows, "density": published.DENSITIES[layer.name]})
    del tables[-1]["delta_frac"]
    training = {"batch": 32, "epochs": 1, "rate_shift": [12], "momentum_shift": 3, "init_seed": 1, "order_seed": 1}
    image = {"channels": 3, "height": 32, "width": 32, "frac": 7}
    return PeConfig.from_dict(
        {"name": "vgg11", "input": image, "layers": tables, "training": training, "array": {"pes": 32}}
    )


def _lines(rows: list[Timed]) -> Iterator[str]:
    """Of layers' phases, and of their sums over all layers."""
    yield "layer    density  phase        ms   plain ms  ratio  GMAC/s"
    totals = []
    for pruned, phase in itertools.product((False, True), PHASES):
        part = [row for row in rows if (row.pruned, row.phase) == (pruned, phase)]
        macs, seconds, plain = (sum(getattr(row, name) for row in part) for name in ("macs", "seconds", "plain"))
        dense = sum(row.macs for row in rows if not row.pruned and row.phase == phase)
        totals.append(Timed("all", pruned, macs / dense, phase, macs, seconds, plain))
    for row in [*rows, *totals]:
        yield (
            f"{row.layer:8} {row.density:7.2f}  {row.phase:5} {1e3 * row.seconds:9.3f} {1e3 * row.plain:10.3f} "
            f"{row.plain / row.seconds:6.1f} {1e-9 * row.macs / row.seconds:7.1f}"
        )


def report(network: str, densities: dict[str, float], batch: int, clock: Clock) -> Iterator[str]:
    """Lines to print: layers, then training steps."""
    clocks = "on the wall" if clock.now is time.perf_counter else "of all cores together"
    yield f"{network}, batch {batch}, {threads.count()} threads; plain: loops on one core"
    yield f"time {clocks}, least of {clock.times}"
    rows: list[Timed] = []
    for layer in networks.layers(network):
        rows += time_layer(layer, False, 1.0, batch, clock)
        rows += time_layer(layer, True, densities[layer.name], batch, clock)
    yield from _lines(rows)
    yield ""
    yield "training step      images/s  plain images/s  ratio"
    for config in (vgg11(), PeConfig.load(LENET)):
        for pruned in (False, True):
            seconds, plain = time_step(config, pruned, clock)
            rate, plain_rate = config.batch / seconds, config.batch / plain
            state = "pruned" if pruned else "dense"
            epoch = f"; an epoch of MNIST {MNIST_IMAGES / rate:.2f} s" if config.name.startswith("lenet5") else ""
            yield f"{config.name + ', ' + state:18} {rate:8.0f} {plain_rate:15.0f} {rate / plain_rate:6.1f}{epoch}"


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.model_speed", "Speed of the bit-exact model, beside plain loops.")
    add_network(parser)
    parser.add_argument("--threads", type=whole_number(1, 256), default=threads.count())
    parser.add_argument("--times", type=whole_number(1, 1000), default=3, help="how often each is timed")
    parser.add_argument("--cpu", action="store_true", help="processor time: for a machine that has other work to do")
    with one_line_errors():
        options = parser.parse_args(arguments)
        threads.use(options.threads)
        clock = Clock(options.times, time.process_time if options.cpu else time.perf_counter)
        for line in report(options.network, chosen_densities(options), options.batch, clock):
            print(line, flush=True)


if __name__ == "__main__":
    main()
