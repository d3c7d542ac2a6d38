# SPDX-License-Identifier: Apache-2.0
"""Speed of the bit-exact model: ``python -m models.edge.benchmark [configs/edge/mnist_64.toml]``."""

from __future__ import annotations

import time
from pathlib import Path

from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.training import RawData, chosen_samples, plan
from models.lib.command_line import Parser, integer, one_line_errors

DEFAULT_CONFIG = Path(__file__).resolve().parent.parent.parent / "configs" / "edge" / "mnist_64.toml"
WARM_UP = 16


def samples_per_second(config: EdgeConfig, data: RawData, samples: int, repeat: int = 3) -> float:
    """Training samples per second of processor time (of all threads: there is one), compilation excluded.

    Trains as the configuration says, on the first ``samples`` rows; the fastest of ``repeat`` goes counts, because
    whatever else the machine does can only make one slower.
    """
    network = EdgeNetwork(config, Connectivity.generate(config))
    run = next(plan(config, samples, 1))
    best = 0.0
    for order in [run.order[:WARM_UP]] + [run.order] * repeat:
        start = time.process_time()
        network.run(
            data.inputs(0), data.train_labels, run.mode, run.lr_shift, config.training.stochastic,
            run.rng_seed, order,
        )  # fmt: skip
        speed = len(order) / (time.process_time() - start)
        if order is run.order:
            best = max(best, speed)
    return best


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("models.edge.benchmark", "Training speed of the bit-exact model of the edge engine on one core.")
    parser.add_argument("config", type=Path, nargs="?", default=DEFAULT_CONFIG, help="configuration file")
    parser.add_argument("--samples", type=integer, help="the first so many (default: all)")
    with one_line_errors():
        options = parser.parse_args(arguments)
        config = EdgeConfig.load(options.config)
        data = RawData.load(config)
        speed = samples_per_second(config, data, chosen_samples(parser, config, data, options.samples))
        print(f"{config.name}: {speed:,.0f} training samples per second of processor time")


if __name__ == "__main__":
    main()
