# SPDX-License-Identifier: Apache-2.0
"""`make sparsify`: three ways to take weights away, on one or several networks: a table, a plot and what is saved."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flow.ask import switch, whole_number
from flow.compile import request as compiling
from flow.compile.command import versions
from flow.paths import BUILD, FlowError, make_command, relative
from flow.run_directory import RESULT, RunDirectory, alone_in, text_writer
from flow.sparsify.report import BEST, PLOT, best, page, plot_writer, table
from flow.train.command import REPORT
from models.lib.compiled_cache import digest
from models.lib.data_sets.data_set import DataError
from models.lib.telling import Telling
from models.pe_array.frontend.clean import is_quantised, takes
from models.pe_array.frontend.graph import UnsupportedModel
from studies import html, sparsification
from studies.kept import POINTS_FILE, keeper, known, study_key
from studies.sparsification import TOPS, Point, Study

POINTS = 8
"""Levels of each curve, where the user does not say."""
CALIBRATION = 128


@dataclass(frozen=True, kw_only=True)
class Request:
    """A campaign.

    Attributes:
        networks: name and compilation of each; all have the same data.
        samples: test pictures; None: all.
        points: levels of each curve, beside those at the limits.
        clocks: predict them at every point.
        resume: what the run before found is not done again.
    """

    networks: tuple[compiling.Request, ...]
    samples: int | None
    points: int
    clocks: bool
    resume: bool
    asked: tuple[str, ...]
    directory: Path


def request(
    model: str, data: str, norm: str = "", samples: str = "", points: str = "", clocks: str = "1", batch: str = "",
    pes: str = "", resume: str = "", directory: Path | None = None,
) -> Request:  # fmt: skip
    """Check the variables of the make command line. Raises FlowError."""
    names = model.split(",")
    for name in names:
        compiling.find(name)
    compiling.require_data(data)
    source = compiling.read_source(data, norm)
    found = tuple(
        compiling.request(name, data, norm, batch=batch, pes=pes, samples=samples, source=source) for name in names
    )
    for each in found:
        if is_quantised(each.model):
            raise FlowError(f"{relative(each.path)} is quantised: weights are taken from a float model")
    variables = {
        "MODEL": model, "DATA": data, "NORM": norm, "SAMPLES": samples, "POINTS": points,
        "CLOCKS": "" if clocks == "1" else clocks, "BATCH": batch, "PES": pes, "RESUME": resume,
    }  # fmt: skip
    return Request(
        networks=found,
        samples=found[0].samples,
        points=whole_number("POINTS", points, 0, 100, "levels of each curve") if points else POINTS,
        clocks=switch("CLOCKS", clocks, "predict clocks at every point"),
        resume=switch("RESUME", resume, "go on with what the run before found"),
        asked=tuple(f"{key}={value}" for key, value in variables.items() if value),
        directory=directory or BUILD / "sparsify" / found[0].name,
    )


def run(request: Request) -> int:
    """The whole command; exit status 0, 1 where a network failed beside others. Raises FlowError: all did."""
    with alone_in(request.directory):
        directory = RunDirectory(request.directory, {"command": make_command("sparsify", *request.asked)})
        with directory.run(REPORT, PLOT, *([] if request.resume else [POINTS_FILE])):
            begin = time.monotonic()
            networks: list[dict[str, Any]] = []
            failure = None
            for number, each in enumerate(request.networks, 1):  # hours each: what is known is published at once
                try:
                    points = [asdict(point) for point in _study(request, each)]
                    networks.append({"name": each.name, "batch": each.batch, "pes": each.pes, "points": points})
                except FlowError as error:
                    failure = str(error)
                    print(f"FAIL  {failure}", flush=True)
                if networks:
                    result: dict[str, Any] = {
                        "complete": number == len(request.networks) and failure is None, "failure": failure,
                        "images": _images(request, each), "networks": networks, "versions": versions(),
                        "wall_seconds": time.monotonic() - begin,
                    }  # fmt: skip
                    directory.publish(
                        result, {REPORT: text_writer(page(result | directory.origin)), PLOT: plot_writer(networks)}
                    )  # fmt: skip
            if not networks:
                raise FlowError(str(failure))
    for network in networks:
        print(f"{network['name']}\n{html.text(*table(network))}\n\n{html.text(BEST, best(network))}\n")
    for name in (RESULT, REPORT, PLOT):
        print(f"  {relative(request.directory / name)}")
    return 0 if failure is None else 1


def _images(request: Request, network: compiling.Request) -> int:
    assert network.source is not None
    return request.samples or len(network.source.data.test)


def _study(request: Request, network: compiling.Request) -> list[Point]:
    """All points of a network, each told as it is found."""
    source = network.source
    assert source is not None
    found: list[Point] = []
    try:
        source.check(*takes(network.model))
        test, calibration = source.data.test[: request.samples], source.calibration(CALIBRATION)
        if calibration is None:
            raise DataError(f"{source.data.title} has no pictures to calibrate with: give one with a training part")
        with Telling() as tell:
            key = study_key(
                model=network.digest, data=source.data.digest, source=source.table(), samples=len(test),
                calibration=CALIBRATION, batch=network.batch, pes=network.pes,
                code=digest(Path(sparsification.__file__)),
                versions={name: version for name, version in versions().items() if name != "commit"},
            )  # fmt: skip
            path = request.directory / POINTS_FILE
            study = Study(
                network.model, calibration, source.floats(test.images), test.labels, network.batch,
                network.pes, request.clocks, _named(tell, network.name), known(path, key), keeper(path, key),
            )  # fmt: skip
            for point in study.points(request.points):
                found.append(point)
                print(_line(network.name, point), flush=True)
    except (DataError, UnsupportedModel) as error:
        raise FlowError(f"{relative(network.path)}: {error}") from None
    return found


def _named(tell: Telling, name: str) -> Callable[[str], None]:
    return lambda what: tell(f"{name}: {what}")


def _line(name: str, point: Point) -> str:
    clocks = "" if point.clocks is None else f", {point.clocks:,} clocks"
    right = f"{point.right[0]:.2%} right, {point.right[1]:.2%} among {TOPS[1]}"
    return f"{name} {point.how}: {point.sparsity:.1%} of the weights zero, {right}{clocks}"
