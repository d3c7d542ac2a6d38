# SPDX-License-Identifier: Apache-2.0
"""`python -m flow <command>`: what the Makefile calls."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flow import environment, paths
from flow.paths import FlowError
from models.lib.checkpoint import CheckpointError
from models.lib.data_sets.data_set import DataError
from models.lib.registers import DescriptionError
from models.lib.toml_section import ConfigError


def _modules(_: argparse.Namespace) -> int:
    from flow import modules

    print(modules.listing())
    return 0


def _sim(arguments: argparse.Namespace) -> int:
    from flow import ask, waves
    from flow.benches import tests_of
    from flow.simulate import Run, simulate

    asked = ask.sim(
        arguments.module, arguments.set, arguments.config, arguments.sim, arguments.seed, arguments.test,
        arguments.waves, arguments.scope, getattr(arguments, "from"), arguments.to,
    )  # fmt: skip
    if asked.test == ask.LIST:
        benches = [each.bench or asked.module.bench for each in asked.sets]
        print("\n".join(dict.fromkeys(name for bench in benches for name in tests_of(bench))))
        return 0
    passed = True
    for test_set in asked.sets:
        run = Run(asked.module, test_set, asked.sim, asked.seeds, waves=asked.waves, test=asked.test)
        result = simulate(run)
        print(result.report())
        if asked.waves:
            print(waves.report(run.waves_file))
        passed = passed and result.passed
    return 0 if passed else 1


def _lint(_: argparse.Namespace) -> int:
    from flow.lint import lint

    return 0 if lint() else 1


def _docs(_: argparse.Namespace) -> int:
    from flow.docs.command import docs

    print(f"written: {paths.relative(docs())}")
    return 0


def _example(_: argparse.Namespace) -> int:
    from flow.train.edge.example import example

    return 0 if example() else 1


def _generate(arguments: argparse.Namespace) -> int:
    from flow.generate import files

    found = files.complaints() if arguments.check else files.write()
    if arguments.check:
        print("\n".join(found) if found else "generated files: none is stale")
        return 1 if found else 0
    print("\n".join(f"written: {name}" for name in found) if found else "all generated files are as they should be")
    return 0


def _check(_: argparse.Namespace) -> int:
    from flow import lint, suite

    clean = lint.lint()
    return 0 if suite.check() and clean else 1


def _test(arguments: argparse.Namespace) -> int:
    from flow import suite
    from flow.ask import seed_count, switch
    from flow.coverage import campaign

    covered = switch("COVERAGE", arguments.coverage, "count what is covered, and hold it against the gates")
    return 0 if (campaign if covered else suite).test(seed_count(arguments.seeds)) else 1


def _regress(arguments: argparse.Namespace) -> int:
    from flow.regression.command import regress

    return 0 if regress(arguments.seeds, arguments.module, arguments.cluster, arguments.resume) else 1


def _sweep(arguments: argparse.Namespace) -> int:
    from flow.sweep.command import sweep

    return 0 if sweep(arguments.space, arguments.cluster, arguments.resume) else 1


def _coverage(arguments: argparse.Namespace) -> int:
    from flow.ask import seed_count
    from flow.coverage import campaign

    return 0 if campaign.run(seed_count(arguments.seeds)) else 1


def _train(arguments: argparse.Namespace) -> int:
    from flow.train.edge.command import train
    from flow.train.edge.request import request

    return train(request(arguments.config, arguments.epochs, arguments.samples, arguments.sim, arguments.resume))


def _train_cnn(arguments: argparse.Namespace) -> int:
    from flow.train.pe_array.command import train
    from flow.train.pe_array.request import request

    return train(
        request(
            arguments.config, arguments.steps, arguments.epochs, arguments.samples, arguments.sim, arguments.resume
        )
    )  # fmt: skip


def _compile(arguments: argparse.Namespace) -> int:
    from flow.compile.command import run
    from flow.compile.request import request

    return run(
        request(
            arguments.model, arguments.data, arguments.norm, arguments.quant, arguments.sparsify, arguments.opt,
            arguments.batch, arguments.pes, arguments.samples, arguments.density,
        )
    )  # fmt: skip


def _infer(arguments: argparse.Namespace) -> int:
    from flow.infer.command import run
    from flow.infer.request import request

    return run(
        request(
            arguments.model, arguments.data, arguments.norm, arguments.quant, arguments.sparsify, arguments.batch,
            arguments.pes, arguments.sim, arguments.samples, arguments.resume,
        )
    )  # fmt: skip


def _data(arguments: argparse.Namespace) -> int:
    from flow.data_sets import data

    return data(arguments.set)


def _sparsify(arguments: argparse.Namespace) -> int:
    from flow.sparsify.command import request, run

    return run(
        request(
            arguments.model, arguments.data, arguments.norm, arguments.samples, arguments.points, arguments.clocks,
            arguments.batch, arguments.pes, arguments.resume,
        )
    )  # fmt: skip


def _bench(arguments: argparse.Namespace) -> int:
    from flow.train.edge.bench import bench
    from flow.train.edge.request import request

    return bench(request(arguments.config, "1", arguments.samples))


def _synth(arguments: argparse.Namespace) -> int:
    from flow.ask import switch
    from flow.synth.command import synth

    return 0 if synth(arguments.config, switch("UPDATE", arguments.update, "make the figures the new baselines")) else 1


def _scoreboard(arguments: argparse.Namespace) -> int:
    from flow.run_directory import RunDirectory, alone_in, text_writer
    from studies import scoreboard
    from studies.phase_clocks import LATENCY
    from studies.scoreboard_c import NAMES

    with alone_in(arguments.out):
        directory = RunDirectory(arguments.out, {"command": paths.make_command("scoreboard")})
        with directory.run(scoreboard.PAGE):
            found, page = scoreboard.play(LATENCY, [], [*NAMES], arguments.out / "steps.jsonl")
            directory.publish({"complete": True, "failure": None, **found}, {scoreboard.PAGE: text_writer(page)})
    print(f"\nwritten: {paths.relative(directory.result)}, {paths.relative(arguments.out / scoreboard.PAGE)}")
    return 0


def _full_size(arguments: argparse.Namespace) -> int:
    from flow.full_size.blocks import simulate
    from flow.full_size.command import full_size
    from flow.full_size.request import request

    job, blocks = request(arguments.layers)
    return (0 if job is None else full_size(job)) or simulate(blocks)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flow", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("modules", help="list the modules under test")
    command.set_defaults(function=_modules)
    command = commands.add_parser("sim", help="run the bench of one module")
    command.add_argument("module")
    command.add_argument("--sim", default="verilator")
    command.add_argument("--seed", default="1", help="one, or several with commas between them")
    command.add_argument("--set", default="", help="parameter set of the test plan (default: the first; 'all': every)")
    command.add_argument("--config", default="", help="engine configuration instead of a set")
    command.add_argument("--test", default="", help="one test of the bench; '?' lists them")
    command.add_argument("--waves", default="", help="1: record the signals")
    command.add_argument("--scope", default="", help="of these instances alone, with commas between them")
    for name in ("from", "to"):
        command.add_argument(f"--{name}", default="", help=f"{name} this clock of 10 ns")
    command.set_defaults(function=_sim)
    command = commands.add_parser("lint", help="warnings of Verilator, ruff and mypy")
    command.set_defaults(function=_lint)
    command = commands.add_parser("docs", help="pictures and site of the docs")
    command.set_defaults(function=_docs)
    command = commands.add_parser("example", help="the C driver trains a few samples on the Verilated engine")
    command.set_defaults(function=_example)
    command = commands.add_parser("generate", help="headers and tables of docs/reference from the models")
    command.add_argument("--check", action="store_true", help="write nothing, fail where one is stale")
    command.set_defaults(function=_generate)
    for name, function in (("test", _test), ("coverage", _coverage)):
        command = commands.add_parser(name)
        command.add_argument("--seeds", default="5")
        command.set_defaults(function=function)
        if name == "test":
            command.add_argument("--coverage", default="", help="1: what `make coverage` does too, and nothing twice")
    command = commands.add_parser("regress", help="all benches on many seeds, on one machine or a cluster")
    command.add_argument("--seeds", default="20")
    for name in ("module", "cluster", "resume"):
        command.add_argument(f"--{name}", default="")
    command.set_defaults(function=_regress)
    command = commands.add_parser("sweep", help="configurations: accuracy, clocks, area and energy of each")
    for name in ("space", "cluster", "resume"):
        command.add_argument(f"--{name}", default="")
    command.set_defaults(function=_sweep)
    command = commands.add_parser("check", help="lint, quick unit tests, one run of each module: a few minutes")
    command.set_defaults(function=_check)
    train = commands.add_parser("train", help="train in simulation and compare every bit with the model")
    bench = commands.add_parser("bench", help="speed of simulation and model")
    for command, function in ((train, _train), (bench, _bench)):
        command.add_argument("--config", default="configs/edge/mnist_64.toml")
        command.add_argument("--samples", default="")
        command.set_defaults(function=function)
    for name in ("epochs", "resume"):
        train.add_argument(f"--{name}", default="")
    train.add_argument("--sim", default="verilator")
    command = commands.add_parser("train-cnn", help="train a CNN on the PE array, in simulation and in its model")
    command.add_argument("--config", default="configs/pe_array/lenet5_mnist.toml")
    for name in ("steps", "epochs", "samples", "resume"):
        command.add_argument(f"--{name}", default="")
    command.add_argument("--sim", default="verilator")
    command.set_defaults(function=_train_cnn)
    command = commands.add_parser("compile", help="an ONNX model as a program of the PE array")
    for name in ("opt", "density"):
        command.add_argument(f"--{name}", default="")
    command.set_defaults(function=_compile)
    infer = commands.add_parser("infer", help="pictures through a compiled network")
    infer.add_argument("--sim", default="verilator")
    infer.add_argument("--resume", default="")
    infer.set_defaults(function=_infer)
    for each in (command, infer):
        for name in ("model", "data", "norm", "quant", "sparsify", "batch", "pes", "samples"):
            each.add_argument(f"--{name}", default="")
    command = commands.add_parser("sparsify", help="accuracy of pre-trained networks against sparsity")
    for name in ("model", "data", "norm", "samples", "points", "batch", "pes", "resume"):
        command.add_argument(f"--{name}", default="")
    command.add_argument("--clocks", default="1")
    command.set_defaults(function=_sparsify)
    command = commands.add_parser("data", help="bring a known data set to data/, verified")
    command.add_argument("--set", default="mnist")
    command.set_defaults(function=_data)
    command = commands.add_parser("scoreboard", help="clocks of the PE array beside the published tables")
    command.add_argument("--out", type=Path, default=paths.BUILD / "scoreboard")
    command.set_defaults(function=_scoreboard)
    command = commands.add_parser("full-size", help="layers of the published network on the whole array in simulation")
    command.add_argument("--layers", default="", help="names with commas between them")
    command.set_defaults(function=_full_size)
    command = commands.add_parser("synth", help="area and clock, compared with the baselines")
    command.add_argument("--config", default="configs/edge/mnist_64.toml")
    command.add_argument("--update", default="", help="1: make the figures found the new baselines")
    command.set_defaults(function=_synth)
    return parser


def main() -> int:
    """Run one command; problems that the user can mend are one message without a traceback."""
    arguments = _parser().parse_args()
    try:
        if sys.flags.optimize:
            raise FlowError(environment.WITHOUT_ASSERTS)
        if arguments.function is not _modules:  # which writes nothing
            paths.set_environment()
        with paths.writing(paths.BUILD):
            return int(arguments.function(arguments))
    except (FlowError, CheckpointError, ConfigError, DataError, DescriptionError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except SyntaxError as error:  # in what a command imports
        print(f"error: {paths.relative(Path(str(error.filename)))}:{error.lineno}: {error.msg}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    environment.restart_as_make_does()
    sys.exit(main())
