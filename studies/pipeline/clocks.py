# SPDX-License-Identifier: Apache-2.0
"""Clocks of training in pipelined stages against one array: ``python -m studies.pipeline``.

Where networks are cut is found from predicted clocks. Weights are random; data do not matter to clocks.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from models.lib.command_line import Parser, one_line_errors, whole_number
from models.lib.telling import Telling
from models.pe_array.isa import assumed
from models.pe_array.network.config import PeConfig
from models.pe_array.network.fitting import CLOCKS
from models.pe_array.network.network import PeNetwork
from models.pe_array.training.partition import partition
from models.pe_array.training.stage_clocks import LINK, PlayedPipeline, StageClocks
from studies.phase_clocks import SIZES
from studies.pipeline.accuracy import LENET
from studies.scoreboard_step import vgg11

PES = 8
"""Of each array for the residual networks."""
RESIDUAL = {"ResNet-20": (32, (16, 32, 64), 3), "8 equal blocks": (16, (16,), 8)}
"""Rows and columns of the pictures, channels of the groups, and blocks of two convolutions in each."""
NETWORKS = ("LeNet-5", "VGG-11", *RESIDUAL)
ARRAYS = 2, 4
PICTURES = 50_000
"""Of an epoch, those of CIFAR-10; LeNet-5 has the 60,000 of MNIST."""
HEAD = (
    "network", "arrays", "stages begin with", "clocks of the stages", "hand-over", "of a step", "one array",
    "times as fast, an epoch", "kept, KB",
)  # fmt: skip


def resnet(name: str) -> PeConfig:
    """A residual network as those of He et al. (2016) for CIFAR, dense, without normalisation; only for clocks."""
    size, groups, blocks = RESIDUAL[name]
    made: list[dict[str, Any]] = []

    def conv(label: str, outputs: int, stride: int = 1, kernel: int = 3, **keys: Any) -> None:
        plain = {
            "name": label, "kind": "conv", "outputs": outputs, "kernel": kernel, "stride": stride, "pad": kernel // 2,
            "weight_frac": 7, "out_frac": 4, "delta_frac": 7,
        }  # fmt: skip
        made.append(plain | keys)

    conv("stem", 16)
    before = "stem"
    for group, channels in enumerate(groups, 1):
        for block in range(1, blocks + 1):
            here, stride = f"block{group}_{block}", 2 if group > 1 and block == 1 else 1
            conv(f"{here}a", channels, stride, input=before)
            if stride > 1:
                conv(f"{here}p", channels, stride, 1, input=before, relu=False)
            conv(here, channels, input=f"{here}a", add=f"{here}p" if stride > 1 else before)
            before = here
    made.append({"kind": "global_average_pool", "out_frac": 4, "delta_frac": 7})
    made.append({"name": "dense", "kind": "dense", "outputs": 10, "weight_frac": 7, "out_frac": 4})
    return PeConfig.from_dict({
        "name": name.replace("-", "_").replace(" ", "_"),
        "input": {"channels": 3, "height": size, "width": size, "frac": 4},
        "layers": made,
        "training": {"batch": 32, "epochs": 1, "rate_shift": [16], "init_seed": 1, "order_seed": 1},
        "array": {"pes": PES},
    }, limits=CLOCKS)  # fmt: skip


def network_of(name: str) -> PeNetwork:
    """A network as it is trained most of the time: pruned, where it has densities."""
    config = PeConfig.load(LENET) if name == "LeNet-5" else vgg11(False) if name == "VGG-11" else resnet(name)
    network = PeNetwork(config)
    network.prune()
    return network


@dataclass(frozen=True)
class StagesRow:
    """A network on several arrays."""

    name: str
    config: PeConfig
    found: PlayedPipeline

    @property
    def cells(self) -> tuple[str, ...]:
        """Of the table with columns HEAD."""
        found = self.found
        batches = (60_000 if self.name == "LeNet-5" else PICTURES) // self.config.batch
        clocks = [max(stage.clocks.values()) for stage in found.stages]
        return (
            self.name, f"{len(found.stages)}", ", ".join(self.config.layers[n].name for n in found.schedule.first),
            " / ".join(f"{each:,}" for each in clocks), f"{found.hand_over:,}", f"{found.step:,}", f"{found.one:,}",
            f"{found.speed_up(batches):.2f}", " / ".join(f"{stage.kept_bytes / 1e3:,.0f}" for stage in found.stages),
        )  # fmt: skip


def rows(name: str, latency: int) -> Iterator[StagesRow]:
    """A network on 2 and on 4 arrays."""
    network = network_of(name)
    config = network.config
    with Telling() as tell:
        clocks = StageClocks(network, replace(SIZES, latency=latency), tell=lambda what: tell(f"{name}: {what}"))
        for arrays in ARRAYS:
            yield StagesRow(name, config, partition(clocks, config.layers, arrays, config.batch))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser("studies.pipeline", "Clocks of training in pipelined stages against one array.")
    parser.add_argument("networks", nargs="*", metavar="network", help=f"of {', '.join(NETWORKS)} (default: all)")
    parser.add_argument("--latency", type=whole_number(1, 10_000), default=SIZES.latency, help="of memory, in clocks")
    options = parser.parse_args(arguments)
    for name in options.networks:
        if name not in NETWORKS:
            parser.error(f"argument network: invalid choice: {name!r} (choose from {', '.join(NETWORKS)})")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    with one_line_errors():
        options = _options(arguments)
        print(
            f"Links between neighbours: {LINK.bytes} bytes per clock each way, {LINK.latency} clocks of latency; "
            f"arrays at {assumed.clock()}, memories of {options.latency} clocks. Steps have FF, NG, WG and updates."
        )
        print(" | ".join(HEAD), flush=True)
        for name in options.networks or NETWORKS:
            for row in rows(name, options.latency):
                print(" | ".join(row.cells), flush=True)
