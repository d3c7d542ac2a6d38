# SPDX-License-Identifier: Apache-2.0
"""`make regress`: all benches on many seeds, on the workers of this machine or of a cluster."""

from __future__ import annotations

import re
import time
from pathlib import Path
from xml.etree import ElementTree

from flow import modules
from flow.ask import seed_count, switch
from flow.build import tool_version
from flow.farm import sources
from flow.farm.cluster import look_for
from flow.farm.job import FAILED, Job
from flow.farm.table import KEPT, RESULTS, Table
from flow.modules import SIMULATORS
from flow.paths import BUILD, FlowError, make_command, relative
from flow.provenance import commit
from flow.regression.bench import jobs_of
from flow.regression.cases import Case, cases
from flow.run_directory import RunDirectory, alone_in
from models.lib.whole_file import written
from studies.kept import study_key

JUNIT = BUILD / "junit-regress.xml"
NAME_MAX = 80
"""Characters of module names in that of a directory."""


def regress(seeds: str, module: str, cluster: str, resume: str) -> bool:
    """Check the variables of the make command line and run; True if every seed of every bench passed. Raises FlowError.

    Args:
        module: names, with commas between them; empty: all of the test plan.
        cluster: address of a scheduler of Dask; empty: processes of this machine.
        resume: what has passed before, of the same sources, is not run again.
    """
    chosen = {modules.find_module(name).name for name in _names(module)} if module else set()
    count, go_on = seed_count(seeds), switch("RESUME", resume, "go on with what has passed before")
    command = make_command("regress", SEEDS=seeds, MODULE=module, CLUSTER=cluster, RESUME=resume)
    return run([case for case in cases("plain") if not chosen or case.module.name in chosen], count, command,
               BUILD / "regress" / _folder(chosen), cluster, go_on)  # fmt: skip


def _names(module: str) -> list[str]:
    """What MODULE lists. Raises FlowError."""
    names = [name.strip() for name in module.split(",")]
    if not all(names):
        raise FlowError(f"MODULE={module} must have a name before and after every comma, as in MODULE=pe,pe_grid")
    return names


def _folder(chosen: set[str]) -> str:
    """Name of the directory of results of these modules, all if none: of many their beginning, and a digest."""
    name = "-".join(sorted(chosen)) or "all"
    return name if len(name) <= NAME_MAX else f"{name[:NAME_MAX]}-{study_key(modules=sorted(chosen))}"


def run(chosen: list[Case], seeds: int, command: str, place: Path, cluster: str, resume: bool) -> bool:
    """Run these cases; True if all passed. Results are in `place`, and in JUNIT for continuous integration."""
    look_for(cluster)
    jobs = plan(chosen, seeds)
    study = study_key(sources=sources.everything(), tools=[tool_version(sim) for sim in SIMULATORS])
    with alone_in(place):
        directory = RunDirectory(place, {"command": command})
        with directory.run(RESULTS, *([] if resume else [KEPT])):
            JUNIT.unlink(missing_ok=True)  # a run that is killed leaves no verdict, not that of the run before
            begin = time.monotonic()
            table = Table(jobs, place, study)
            try:
                table.fill(cluster, "regress")
            finally:
                failed = [row["key"] for row in table.failed]
                result = {
                    "complete": table.whole and not failed,
                    "failure": table.failure("runs"),
                    "runs": len(table.order), "passed": len(table.rows) - len(failed), "failed": failed,
                    "wall_seconds": round(time.monotonic() - begin, 1), "commit": commit(),
                }  # fmt: skip
                directory.publish(result, {RESULTS: table.writer()})
                write_junit(table)
    for row in table.failed:
        print(f"replay: {row['replay']}")
    print(f"{result['passed']} of {result['runs']} runs have passed, {len(failed)} have failed")
    print(f"results: {relative(place / RESULTS)}, {relative(JUNIT)}")
    return bool(result["complete"])


def plan(chosen: list[Case], seeds: int) -> list[Job]:
    """Builds and runs of these cases; what has the same build waits for one job. Raises FlowError."""
    found: dict[str, Job] = {}
    for case in chosen:
        for job in jobs_of(case, seeds):
            found.setdefault(job.name, job)
    return [*found.values()]


def write_junit(table: Table) -> None:
    """The rows as JUnit XML: a test case for each module, set, simulator and seed.

    Where rows are missing there is one more, with an error: without it, what has passed would look like all.
    """
    cut = int(not table.whole)
    suite = ElementTree.Element("testsuite", {
        "name": "regress", "tests": str(len(table.rows) + cut), "failures": str(len(table.failed)),
        "errors": str(cut), "skipped": "0", "time": f"{sum(table.seconds.values()):.1f}",
    })  # fmt: skip
    for row in table.rows:
        case = ElementTree.SubElement(suite, "testcase", {
            "classname": f"{row['module']}.{row['set']}.{row['sim']}", "name": f"seed{row['seed']}",
            "time": f"{table.seconds[row['key']]}",
        })  # fmt: skip
        if FAILED in row:
            said = "\n".join([*(f"{name}: {why}" for name, why in row[FAILED].items()), f"replay: {row['replay']}"])
            _say(case, "failure", said)
    if cut:
        said = f"{len(table.order) - len(table.rows)} of {len(table.order)} runs are missing"
        case = ElementTree.SubElement(suite, "testcase", {"classname": "regress", "name": "whole", "time": "0"})
        _say(case, "error", f"{said}: {table.stopped or 'it was stopped'}")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    with written(JUNIT) as (file,):
        ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _say(case: ElementTree.Element, verdict: str, said: str) -> None:
    """What is wrong with a test case."""
    plain = re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", said)  # XML has no other characters
    ElementTree.SubElement(case, verdict, {"message": plain.splitlines()[0]}).text = plain
