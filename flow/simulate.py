# SPDX-License-Identifier: Apache-2.0
"""Runs: one set of a module on one simulator, several seeds in one process, with the verdict and the replay line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

from filelock import FileLock

from flow import after_reset, build, verilog, waves
from flow.benches import expected, test_filter, tests_of
from flow.build import Design, Options
from flow.modules import Module, TestSet
from flow.paths import RUNS, FlowError, make_command, relative
from flow.runners import ENVIRONMENT, runner_for
from flow.waves import Waves
from models.lib.toml_section import ConfigError, read_text

Params = dict[str, int | str]

_SIGMOID_FILE, _CONFIG = "sigmoid.hex", "config.toml"
RESULTS, LOG = "results.xml", "run.log"
"""Files of a run: verdicts of its tests, and what the simulator said."""


@dataclass(frozen=True)
class Run:
    """One simulator process: a module's bench on one parameter set."""

    module: Module
    test_set: TestSet
    sim: str
    seeds: tuple[int, ...]
    waves: Waves | None = None
    coverage: bool = False
    design: Design | None = None  # another design than the module's own (a deliberately broken copy)
    label: str = ""  # tells its directory apart from the ordinary run's
    test: str = ""  # the one test that runs, if not all

    @property
    def directory(self) -> Path:
        """Where the run's log, results, waveform and coverage are; the same for the same run."""
        kind = ("coverage-" if self.coverage else "") + self.label + self.sim
        first, last = self.seeds[0], self.seeds[-1]
        seeds = f"seed{first}" + (f"-{last}" if last != first else "")
        if self.seeds != tuple(range(first, last + 1)):
            seeds = f"seeds-{hashlib.sha256(repr(self.seeds).encode()).hexdigest()[:12]}"
        return RUNS / kind / self.module.name / self.test_set.name / "-".join(filter(None, (seeds, self.test)))

    @property
    def waves_file(self) -> Path:
        """Where its waves are, if it records any."""
        name = f"{self.module.name}-{self.test_set.name}-{self.seeds[0]}"
        return self.directory / f"{name}.{waves.suffix(self.sim)}"

    @property
    def bench(self) -> str:
        """What runs: modules with commas between them."""
        return self.test_set.bench or self.module.bench

    @property
    def replay(self) -> str:
        """The command that repeats this run."""
        config = self.test_set.config
        chosen = f"SET={self.test_set.name}"
        if self.test_set.name == "config" and config is not None:
            chosen = f"CONFIG={relative(config)}"
        words = [f"MODULE={self.module.name}", f"SIM={self.sim}", chosen, f"SEED={','.join(map(str, self.seeds))}"]
        return make_command("sim", *words, *([f"TEST={self.test}"] if self.test else []))


@dataclass(frozen=True)
class Result:
    """What came out of a run."""

    run: Run
    tests: int
    failures: dict[str, str] = field(default_factory=dict)  # test name -> message
    log: Path = Path()
    replay: str = ""

    @property
    def passed(self) -> bool:
        """True if tests ran and none failed."""
        return self.tests > 0 and not self.failures

    def report(self) -> str:
        """A line for a pass; for a failure what failed, where the log is and, last, the line that replays it."""
        name = f"{self.run.module.name} {self.run.test_set.name} {self.run.sim}"
        seeds = f"seeds {','.join(map(str, self.run.seeds))}"
        if self.passed:
            return f"pass  {name}: {self.tests} tests, {seeds}"
        failures = [f"  {test}: {message}" for test, message in self.failures.items()]
        due = len(expected(self.run.bench, self.run.seeds, self.run.test))
        lines = [f"FAIL  {name}: {self.tests} of {due} tests ran, {seeds}", *failures]
        return "\n".join([*lines, f"  log: {relative(self.log)}", f"replay: {self.replay}"])


def parameters(module: Module, test_set: TestSet, text: str | None = None) -> dict[str, int | str]:
    """The HDL parameters of a set: those of its configuration that the top module declares, then its own.

    Args:
        text: of the configuration, where it has been read already.
    """
    declared = verilog.library()[module.top].parameters if module.top in verilog.library() else ()
    values: dict[str, int | str] = {}
    if test_set.config is not None:
        from models.edge.config import EdgeConfig

        path = test_set.config
        config = EdgeConfig.load(path) if text is None else EdgeConfig.parse(text, path)
        known = config.verilog_parameters(_SIGMOID_FILE)
        values = {name: value for name, value in known.items() if name in declared}
    values |= test_set.params
    if "SIGMOID_FILE" in declared:
        values.setdefault("SIGMOID_FILE", f'"{_SIGMOID_FILE}"')
    return values


def plain_value(value: int | str) -> int | str:
    """A parameter as Python has it: 48'h10 is 16, "text" in quotes is text."""
    if isinstance(value, str):
        if sized := re.fullmatch(r"\d+'([bdh])([0-9a-fA-F_]+)", value):
            return int(sized[2], {"b": 2, "d": 10, "h": 16}[sized[1]])
        return value.strip('"')
    return value


def _write_sigmoid(params: dict[str, int | str], directory: Path) -> None:
    """The table that $readmemh reads, beside the running simulator."""
    if plain_value(params.get("SIGMOID_FILE", "")) == _SIGMOID_FILE:
        from models.edge.activation import SigmoidTable
        from models.lib.fixed_point import Format

        missing = [name for name in ("WIDTH", "FRAC") if name not in params]
        if missing:
            raise FlowError(f"a set of a module with SIGMOID_FILE must give {' and '.join(missing)}, for the table")
        table = SigmoidTable.build(Format(int(params["WIDTH"]), int(params["FRAC"])))
        (directory / _SIGMOID_FILE).write_text(table.hex_text())


def _environment(run: Run, params: dict[str, int | str]) -> dict[str, str]:
    environment = ENVIRONMENT | {
        "EDGELOOM_SEEDS": ",".join(map(str, run.seeds)),
        "EDGELOOM_PARAMS": json.dumps({name: plain_value(value) for name, value in params.items()}),
        "EDGELOOM_PATIENCE": str(run.test_set.patience),
        "EDGELOOM_MODULE": run.module.name,
        "EDGELOOM_RESET": json.dumps(after_reset.of(run.module)),
        "EDGELOOM_POINTS": json.dumps(run.module.points),
        "EDGELOOM_COVERAGE": str(run.directory / "functional.json"),
        "COCOTB_RANDOM_SEED": str(run.seeds[0]),
    }
    if run.test_set.config is not None:
        environment["EDGELOOM_CONFIG"] = str(run.directory / _CONFIG)
    return environment


def simulate(run: Run) -> Result:
    """Build what is needed, run the bench and judge the results.

    A run in which no test ran (a bench that cannot be imported, a simulator that died) has failed. Where one seed of
    several failed, it is tried alone, first in the test that failed and then in all: if it fails there too, it alone is
    in the replay line (else it needs what ran before it left in the design).

    Raises:
        BuildError: the design does not build.
    """
    result = _simulate(run)
    with contextlib.suppress(FlowError, ConfigError, OSError):  # files that are edited meanwhile; the failure stands
        for alone in _smaller(run, result):
            if not _simulate(alone).passed:
                return replace(result, replay=alone.replay)
    return result


def _smaller(run: Run, result: Result) -> list[Run]:
    """Smaller runs in which the first test that failed could fail again, the smallest first."""
    failed = next(filter(None, (re.fullmatch(r"(\w+)/seed=(\d+)", name) for name in result.failures)), None)
    if failed is None:
        return []
    seed = replace(run, seeds=(int(failed[2]),))
    test = replace(seed, test=failed[1]) if len(tests_of(run.bench)) > 1 else seed
    return [each for each in ([test, seed] if test != seed else [seed]) if each != run]


def build_of(run: Run, params: Params | None = None) -> tuple[Design, Options]:
    """What a run simulates, and how that is built.

    Args:
        params: HDL parameters, where they are known already.
    """
    if params is None:
        params = parameters(run.module, run.test_set)
    scopes = run.waves.scopes if run.waves and run.sim == "icarus" else ()
    blocks = run.test_set.blocks if run.sim == "verilator" else ()
    options = Options(run.sim, run.waves is not None, run.coverage, run.test_set.fast, scopes=scopes, blocks=blocks)
    return run.design or Design.of(run.module.top, params), options


def _simulate(run: Run) -> Result:
    config = run.test_set.config
    text = None if config is None else read_text(config)  # the bench reads it after a build that may take long
    params = parameters(run.module, run.test_set, text)
    built = build.build(*build_of(run, params))
    if run.waves:
        waves.require_scopes(run.waves, run.sim, run.module.top, built)
    RUNS.mkdir(parents=True, exist_ok=True)
    run.directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{run.directory}.lock"):
        shutil.rmtree(run.directory, ignore_errors=True)
        run.directory.mkdir()
        if text is not None:
            (run.directory / _CONFIG).write_text(text)
        _write_sigmoid(params, run.directory)
        results, log, died = _execute(run, built, params)
        return Result(run, *judge(expected(run.bench, run.seeds, run.test), results, log, died), log, run.replay)


def _execute(run: Run, built: Path, params: dict[str, int | str]) -> tuple[Path, Path, str]:
    """Run the simulator; its results file, its log, and what it died of, if it did."""
    runner = runner_for(run.sim)
    results, log = run.directory / RESULTS, run.directory / LOG
    plusargs: list[str] = []
    arguments: list[str] = []
    if run.waves:
        plusargs, arguments = waves.arguments(run.waves, run.sim, run.module.top, run.waves_file)
    if run.sim == "verilator":
        plusargs += ["+verilator+rand+reset+2", f"+verilator+seed+{run.seeds[0]}"]
        plusargs += [f"+verilator+coverage+file+{run.directory / 'coverage.dat'}"] if run.coverage else []
    died = ""
    try:
        runner.test(
            test_module=run.bench,
            hdl_toplevel=run.module.top,
            hdl_toplevel_lang="verilog",
            build_dir=built,
            test_dir=run.directory,
            results_xml=str(results),
            plusargs=plusargs,
            test_args=arguments,
            extra_env=_environment(run, params),
            waves=run.waves is not None,
            timescale=build.TIMESCALE,
            log_file=log,
            test_filter=test_filter(run.test) if run.test else None,
        )
    except (SystemExit, RuntimeError) as error:
        died = str(error)
    return results, log, died


def run_job(bench: str, top: str, sim: str, built: Path, directory: Path, job: Path, params: Params) -> dict[str, str]:
    """Run a bench that is no test but does a job, which it finds through EDGELOOM_TRAIN; the message of every failure.

    Args:
        built, directory: of the program, and where it runs.
        params: HDL parameters that the program was built with.
    """
    told = {"EDGELOOM_TRAIN": str(job), "EDGELOOM_PARAMS": json.dumps(params)}
    results, log = directory / RESULTS, directory / LOG
    with contextlib.suppress(SystemExit, RuntimeError):  # the results file tells; without one the run has failed
        runner_for(sim).test(
            test_module=bench,
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            build_dir=built,
            test_dir=directory,
            results_xml=str(results),
            extra_env=ENVIRONMENT | told,
            timescale=build.TIMESCALE,
            log_file=log,
        )
    return judge(expected(bench, ()), results, log)[1]


def judge(due: Sequence[str], results: Path, log: Path, died: str = "") -> tuple[int, dict[str, str]]:
    """How many tests ran, and the message of every failure by name; no failure means that all passed.

    Args:
        due: names of the tests that must be in the results, neither more nor less.
        died: what the simulator program ended with, if not with success.
    """
    try:
        cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return 0, {"(no results)": _last_lines(log)}
    failures = _with_last_words(_failures(cases), log) or _silent_failure(log, died)
    ran = Counter(case.get("name", "?") for case in cases)
    return len(cases), failures | _miscounted(Counter(due), ran)


def _miscounted(due: Counter[str], ran: Counter[str]) -> dict[str, str]:
    """Tests that should have run and did not, and those that nobody knows of."""
    found = {"(did not run)": due - ran, "(not in the bench's source)": ran - due}
    found |= {} if due else {"(no tests)": Counter(["the bench has none"])}
    return {name: ", ".join(tests.elements()) for name, tests in found.items() if tests}


def _failures(cases: Iterable[ElementTree.Element]) -> dict[str, str]:
    failures: dict[str, str] = {}
    for case in cases:
        for kind in ("failure", "error", "skipped"):
            if (problem := case.find(kind)) is not None:
                what = (problem.get("type") or kind, problem.get("message"))
                failures[case.get("name", "?")] = ": ".join(filter(None, what))
    return failures


def _with_last_words(failures: dict[str, str], log: Path) -> dict[str, str]:
    """Where the design ended the simulation, add what it printed."""
    if not any(message.startswith("SimFailure") for message in failures.values()):
        return failures
    lines = log.read_text(errors="replace").splitlines()
    said = [line for line in lines if line and not line.startswith(" ") and "VCD info" not in line]
    return {name: "; ".join([message, *said[-5:]]) for name, message in failures.items()}


def _silent_failure(log: Path, died: str) -> dict[str, str]:
    """A simulator that reports an error, or dies of one, although all tests passed."""
    errors = [line for line in log.read_text(errors="replace").splitlines() if line.startswith(("%Error", "ERROR:"))]
    errors += [died] if died else []
    return {"(simulator)": errors[0]} if errors else {}


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-25:] if log.is_file() else ["the simulator did not start"]
    return "the simulation ended without results; its last output:\n    " + "\n    ".join(lines)
