# SPDX-License-Identifier: Apache-2.0
"""`make sweep`: all points of a space, on the workers of this machine or of a cluster; rows, and a page."""

from __future__ import annotations

import importlib.metadata
import json
import time
from typing import Any

from flow.ask import switch
from flow.config_file import flow_errors
from flow.farm import sources
from flow.farm.cluster import look_for
from flow.farm.job import Job
from flow.farm.table import KEPT, RESULTS, Table
from flow.paths import BUILD, make_command, relative
from flow.provenance import commit
from flow.run_directory import RunDirectory, alone_in, text_writer
from flow.sweep import area
from flow.sweep.point import REFUSED
from flow.sweep.report import page
from flow.sweep.space import Space, changed, read
from flow.synth.command import BASELINE
from flow.train.command import REPORT
from models.lib.toml_section import named
from studies.kept import study_key


def sweep(space: str, cluster: str, resume: str) -> bool:
    """Check the variables of the make command line and run; True if every point has a row. Raises FlowError.

    Args:
        space: file (``space``).
        cluster: address of a scheduler of Dask; empty: processes of this machine.
        resume: points that are known, of the same sources, are not done again.
    """
    found, go_on = read(space), switch("RESUME", resume, "go on with the points that are known")
    command = make_command("sweep", SPACE=space, CLUSTER=cluster, RESUME=resume)
    return run(found, command, cluster, go_on)


def run(space: Space, command: str, cluster: str, resume: bool) -> bool:
    """Do all points of a space; True if each has a row: with figures, or with the rule that it breaks."""
    look_for(cluster)
    place = BUILD / "sweep" / space.name
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "numba")}
    study = study_key(
        sources=sources.everything(), packages=packages, base=space.values, samples=space.samples,
        epochs=space.epochs, area=space.area, baseline=BASELINE.read_text(),
        files=sources.named([space.values, space.keys], space.base.parent),
    )  # fmt: skip
    about = {
        "command": command, "configuration_file": relative(space.path), "configuration": space.text,
        "base": relative(space.base), "area": space.area, "keys": [*space.keys],
        "area_model": area.error_text(space.kind) if space.area == "fit" else None,
    }  # fmt: skip
    with alone_in(place):
        directory = RunDirectory(place, about)
        with directory.run(RESULTS, REPORT, *([] if resume else [KEPT])):
            begin = time.monotonic()
            table = Table(jobs(space), place, study)
            try:
                table.fill(cluster, f"sweep of {space.name}")
            finally:
                refused, failed = sum(REFUSED in row for row in table.rows), len(table.failed)
                result: dict[str, Any] = {
                    "complete": table.whole and not failed,
                    "failure": table.failure("points"),
                    "points": len(table.order), "done": len(table.rows) - failed - refused, "refused": refused,
                    "wall_seconds": round(time.monotonic() - begin, 1), "versions": {"commit": commit(), **packages},
                }  # fmt: skip
                written = text_writer(page(space.name, {**about, **result}, table.rows))
                directory.publish(result, {RESULTS: table.writer(), REPORT: written})
    print(f"{result['done']} of {result['points']} points are done, {refused} refused, {failed} have failed")
    if refused:
        print(f"  as {next(row[REFUSED] for row in table.rows if REFUSED in row)}")
    print(f"results: {relative(place / RESULTS)}, {relative(place / REPORT)}")
    return bool(result["complete"])


def jobs(space: Space) -> list[Job]:
    """One for each point."""
    found = []
    for point in space.points:
        key = json.dumps(point, sort_keys=True, ensure_ascii=False)
        with flow_errors(), named(relative(space.path)):
            values = changed(space.values, point)
        found.append(Job(
            ", ".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in point.items()),
            "flow.sweep.point:evaluate",
            {
                "key": key, "values": values, "directory": str(space.base.parent), "samples": space.samples,
                "epochs": space.epochs, "area": space.area,
            },
            {key: {"point": point}},
        ))  # fmt: skip
    return found
