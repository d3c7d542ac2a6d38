# SPDX-License-Identifier: Apache-2.0
"""`python -m flow <command>`: what the Makefile calls."""

from __future__ import annotations

import argparse
import os.path
import sys
from pathlib import Path

from flow import paths
from flow.paths import FlowError
from models.toml_section import ConfigError


def _modules(_: argparse.Namespace) -> int:
    from flow import modules

    print(modules.listing())
    return 0


def _seeds(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(seed) for seed in text.split(","))
    except ValueError:
        seeds = ()
    if not seeds or min(seeds) < 1:
        raise argparse.ArgumentTypeError(f"SEED={text} must be a number from 1 or several, as in 1,2,3")
    return seeds


def _sim(arguments: argparse.Namespace) -> int:
    from flow import modules
    from flow.simulate import Run, simulate

    module = modules.find_module(arguments.module)
    if arguments.config:
        config = Path(arguments.config).resolve()
        if not os.path.isfile(config):
            raise FlowError(f"CONFIG={arguments.config}: there is no such file")
        sets = [modules.TestSet("config", {}, config)]
    elif arguments.set == "all":
        sets = list(module.sets)
    else:
        sets = [module.find_set(arguments.set) if arguments.set else module.sets[0]]
    passed = True
    for test_set in sets:
        run = Run(module, test_set, arguments.sim, arguments.seed, waves=arguments.waves)
        result = simulate(run)
        print(result.report())
        if arguments.waves:
            print(f"waves: {paths.relative(run.directory)}")
        passed = passed and result.passed
    return 0 if passed else 1


def _lint(_: argparse.Namespace) -> int:
    from flow.lint import lint

    return 0 if lint() else 1


def _test(arguments: argparse.Namespace) -> int:
    from flow import regress

    return 0 if regress.test(arguments.seeds) else 1


def _regress(arguments: argparse.Namespace) -> int:
    from flow import regress

    return 0 if regress.regress(arguments.seeds) else 1


def _coverage(arguments: argparse.Namespace) -> int:
    from flow.coverage import campaign

    return 0 if campaign.run(arguments.seeds) else 1


def _train(arguments: argparse.Namespace) -> int:
    from flow.train.command import train
    from flow.train.request import request

    return train(request(arguments.config, arguments.epochs, arguments.samples, arguments.sim, arguments.resume))


def _train_cnn(arguments: argparse.Namespace) -> int:
    from flow.train_cnn.command import train
    from flow.train_cnn.request import request

    return train(
        request(
            arguments.config, arguments.steps, arguments.epochs, arguments.samples, arguments.sim, arguments.resume
        )
    )  # fmt: skip


def _bench(arguments: argparse.Namespace) -> int:
    from flow.train.bench import bench
    from flow.train.request import request

    return bench(request(arguments.config, "1", arguments.samples))


def _synth(arguments: argparse.Namespace) -> int:
    from flow.synth import synth

    return 0 if synth(arguments.config, arguments.update) else 1


def _scoreboard(arguments: argparse.Namespace) -> int:
    from models.pe_array import scoreboard

    scoreboard.main(["--out", str(arguments.out)])
    return 0


def _full_size(arguments: argparse.Namespace) -> int:
    from flow.full_size.command import full_size
    from flow.full_size.request import request

    return full_size(request(arguments.layers))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flow", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("modules", help="list the modules under test")
    command.set_defaults(function=_modules)
    command = commands.add_parser("sim", help="run the bench of one module")
    command.add_argument("module")
    command.add_argument("--sim", choices=("verilator", "icarus"), default="verilator")
    command.add_argument("--seed", type=_seeds, default=(1,))
    command.add_argument("--set", default="", help="parameter set of the test plan (default: the first; 'all': every)")
    command.add_argument("--config", default="", help="engine configuration instead of a set")
    command.add_argument("--waves", action="store_true")
    command.set_defaults(function=_sim)
    command = commands.add_parser("lint", help="warnings of Verilator, ruff and mypy")
    command.set_defaults(function=_lint)
    for name, function, default in (("test", _test, 5), ("regress", _regress, 20), ("coverage", _coverage, 5)):
        command = commands.add_parser(name)
        command.add_argument("--seeds", type=int, default=default)
        command.set_defaults(function=function)
    train = commands.add_parser("train", help="train in simulation and compare every bit with the model")
    bench = commands.add_parser("bench", help="speed of simulation and model")
    for command, function in ((train, _train), (bench, _bench)):
        command.add_argument("--config", default="configs/mnist_64.toml")
        command.add_argument("--samples", default="")
        command.set_defaults(function=function)
    for name in ("epochs", "resume"):
        train.add_argument(f"--{name}", default="")
    train.add_argument("--sim", default="verilator")
    command = commands.add_parser("train-cnn", help="train a CNN on the PE array, in simulation and in its model")
    command.add_argument("--config", default="configs/lenet5_mnist.toml")
    for name in ("steps", "epochs", "samples", "resume"):
        command.add_argument(f"--{name}", default="")
    command.add_argument("--sim", default="verilator")
    command.set_defaults(function=_train_cnn)
    command = commands.add_parser("scoreboard", help="clocks of the PE array beside the published tables")
    command.add_argument("--out", type=Path, default=paths.BUILD / "scoreboard")
    command.set_defaults(function=_scoreboard)
    command = commands.add_parser("full-size", help="layers of the published network on the whole array in simulation")
    command.add_argument("--layers", default="", help="names with commas between them")
    command.set_defaults(function=_full_size)
    command = commands.add_parser("synth", help="area and clock, compared with the baselines")
    command.add_argument("--config", default="configs/mnist_64.toml")
    command.add_argument("--update", action="store_true", help="make the figures found the new baselines")
    command.set_defaults(function=_synth)
    return parser


def main() -> int:
    """Run one command; problems that the user can mend are one message without a traceback."""
    arguments = _parser().parse_args()
    paths.set_environment()
    try:
        return int(arguments.function(arguments))
    except (FlowError, ConfigError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
