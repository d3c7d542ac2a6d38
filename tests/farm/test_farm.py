# SPDX-License-Identifier: Apache-2.0
"""Jobs on workers of Dask: equal files, nothing done twice, and a worker that dies costs a retry."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import psutil
import pytest
from distributed import Client

from flow.farm import cluster, crew, sources
from flow.farm.crew import work
from flow.farm.job import FAILED, Done, Job, Outcome, due
from flow.farm.table import KEPT, Table
from flow.paths import ROOT, FlowError
from models.lib.whole_file import written
from tests.farm.jobs import job, stopped


def text(table: Table, tmp_path: Path) -> str:
    """The file of results."""
    with written(tmp_path / "results.jsonl") as (file,):
        table.writer()(file)
    return (tmp_path / "results.jsonl").read_text()


def filled(jobs: list[Job], directory: Path, address: str, study: str = "study") -> Table:
    """The table of a campaign, with all of its rows."""
    directory.mkdir(exist_ok=True)
    table = Table(jobs, directory, study)
    table.fill(address, "squares")
    return table


def test_two_runs_make_equal_files_whatever_comes_first(scheduler: str, tmp_path: Path) -> None:
    """The first job of the first run is the last one to end; no time and no machine is in the file."""
    mark = str(tmp_path / "mark")
    jobs = [job(0, until=mark), job(1), job(2), job(3, makes=mark)]
    once, again = (filled(jobs, tmp_path / name, scheduler) for name in ("a", "b"))
    assert text(once, tmp_path) == text(again, tmp_path)
    assert [row["key"] for row in once.rows] == ["n0", "n1", "n2", "n3"]
    assert once.rows[3] == {"key": "n3", "number": 3, "square": 9}
    came = [json.loads(line)["what"] for line in (tmp_path / "a" / KEPT).read_text().splitlines() if line]
    assert came[-1] == "n0"


def test_what_is_known_is_not_done_again(scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = filled([job(1), job(2, "raises")], tmp_path, scheduler)
    assert first.failed == [
        {"key": "n2", "number": 2, FAILED: {"(job 2)": "ZeroDivisionError: 2 by zero"}},
    ]
    assert first.whole
    with (tmp_path / KEPT).open("a") as file:
        file.write('{"study": "study", "what": "n3", "fou')  # a line that a kill cut short
    again = Table([job(1, "raises"), job(2), job(3)], tmp_path, "study")
    assert (again.resumed, again.whole, len(again.order)) == (1, False, 3)
    again.fill(scheduler, "squares")
    assert [row["square"] for row in again.rows] == [1, 4, 9]
    assert "squares: 1 of 3 are known" in capsys.readouterr().out
    assert Table([job(1)], tmp_path, "other sources").resumed == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_campaign_that_was_stopped_goes_on(how: signal.Signals, scheduler: str, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "utf8", "-m", "tests.farm.jobs", str(tmp_path)]
    variables = os.environ | {"JOBS": "1"}
    with (
        subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run,
        contextlib.ExitStack() as at_end,
    ):
        at_end.callback(run.kill)  # a campaign that does not hear the signal waits for ever, and so would this test
        while not (tmp_path / KEPT).is_file() or (tmp_path / KEPT).read_text().count('"row"') < 2:
            assert run.poll() is None, run.communicate()[0]
            time.sleep(0.02)
        others = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(how)
        said = run.communicate()[0].decode()
    assert run.returncode != 0
    _, alive = psutil.wait_procs(others, timeout=10)
    assert alive == []
    (tmp_path / "go").touch()
    jobs = stopped(tmp_path / "go")
    table = Table(jobs, tmp_path, "study")
    assert table.resumed == 2
    if how == signal.SIGINT:
        assert "squares: 2 of 5 are kept; RESUME=1 goes on from there" in said
        assert "worker" not in said.lower()
    table.fill(scheduler, "squares")
    (tmp_path / "fresh").mkdir()
    assert text(table, tmp_path) == text(filled(jobs, tmp_path / "fresh", scheduler), tmp_path)


def test_a_worker_that_dies_costs_a_retry(scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [job(0, "dies", mark=str(tmp_path / "mark")), job(1), job(2)]
    table = filled(jobs, tmp_path, scheduler)
    assert [row["square"] for row in table.rows] == [0, 1, 4]
    assert "a worker has died: job 0 begins anew" in capsys.readouterr().err


def test_a_worker_that_is_ended_costs_a_retry(scheduler: str, tmp_path: Path) -> None:
    """Also where what it has started ends before it does, which looks like a failure."""
    table = filled([job(0, "ended", mark=str(tmp_path / "mark")), job(1)], tmp_path, scheduler)
    assert table.failed == []
    assert [row["square"] for row in table.rows] == [0, 1]


def test_a_job_of_which_every_worker_dies_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS", "1")
    monkeypatch.setattr(cluster, "DEATHS", 1)
    table = filled([job(0, "dies", mark=""), job(1)], tmp_path, "")
    assert table.failed == [table.rows[0]]
    assert "every worker that tried it died" in table.rows[0][FAILED]["(job 0)"]
    assert table.rows[1]["square"] == 1


def test_what_comes_after_a_failed_job_has_failed_with_it(scheduler: str) -> None:
    jobs = [job(0, "raises"), job(1, after="job 0"), job(3, after="job 2"), job(2)]
    done = {each.job.name: each for each in work(jobs, scheduler, print)}
    assert done["job 1"].failure == done["job 0"].failure == "ZeroDivisionError: 0 by zero"
    names = list(done)
    assert names.index("job 2") < names.index("job 3")
    assert not done["job 3"].failure


def test_only_what_is_missing_is_due() -> None:
    jobs = [Job("build", "f", {}), job(1, after="build"), job(2), job(3, after="other"), Job("other", "f", {})]
    assert [each.name for each in due(jobs, {"n2": {}, "n3": {}})] == ["build", "job 1"]
    assert due(jobs, {"n1": {}, "n2": {}, "n3": {}}) == []
    assert list(work([], "", print)) == []


def test_rows_of_a_job_that_failed() -> None:
    done = Done(job(4), Outcome(), "no disk")
    assert done.rows() == {"n4": {"key": "n4", "number": 4, FAILED: {"(job 4)": "no disk"}}}


def test_an_address_without_a_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "tcp://no.such.host.invalid:1"):
        with pytest.raises(FlowError, match=f"^CLUSTER={address}: no scheduler of Dask answers there"):
            list(work([job(1)], address, print))


def test_something_that_listens_and_is_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and says nothing: that must not be waited for without end."""
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(FlowError, match=f"^CLUSTER={address}: no scheduler of Dask answers there"):
            cluster.look_for(address)


def test_workers_with_threads_are_refused() -> None:
    """Two jobs of one process would share its environment and the threads of the models."""

    class Two:
        def nthreads(self) -> dict[str, int]:
            return {"tcp://a": 1, "tcp://b": 2}

    with pytest.raises(FlowError, match="worker tcp://b has 2 threads, and a job needs a process for itself"):
        cluster.workers(cast(Client, Two()), "tcp://x")


def test_a_scheduler_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        status = "closed"

        def subscribe_topic(self, *_: object) -> None:
            """There is nobody to tell."""

        def nthreads(self) -> dict[str, int]:
            return {}

    monkeypatch.setattr(cluster, "connected", lambda _: contextlib.nullcontext(Gone()))
    monkeypatch.setattr(crew, "LOOK", 0.01)
    said: list[str] = []
    with pytest.raises(FlowError, match=r"^the scheduler tcp://x is gone; RESUME=1 goes on with what is known$"):
        list(crew.work([job(1)], "tcp://x", said.append))
    assert said == ["there is no worker: waiting for one"]


def test_workers_with_other_code_are_refused(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "code", lambda: "older")
    with pytest.raises(FlowError, match="has other code there than here"):
        list(work([job(1)], scheduler, print))


def test_digests_see_every_file(tmp_path: Path) -> None:
    """Of the code: what workers import; of everything: also what simulators read."""
    for name in ("rtl/a.v", "models/b.py", "models/__pycache__/b.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    code, everything = sources.code(tmp_path), sources.everything(tmp_path)
    (tmp_path / "rtl/a.v").write_text("2")
    assert (sources.code(tmp_path), sources.everything(tmp_path) != everything) == (code, True)
    (tmp_path / "models/b.py").write_text("2")
    for name in ("flow/c.json", "rtl/d.hex", "tb/e.cpp"):
        before = sources.everything(tmp_path)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
        assert sources.everything(tmp_path) != before, name
    assert sources.code(tmp_path) != code


def test_files_that_a_configuration_names_belong_to_what_results_rest_on(tmp_path: Path) -> None:
    """Data sets and first weights: other contents, other results; texts that name no file do not count."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "one").write_text("1")
    (tmp_path / "weights.npz").write_text("2")
    values = {"data": {"set": "set"}, "start": [{"weights": "weights.npz"}, "conv", 3, "\0", "x" * 5000]}
    found = [sources.named([values], tmp_path)]
    (tmp_path / "other").write_text("3")
    assert sources.named([values], tmp_path) == found[0]
    for place in ("weights.npz", "set/one", "set/two"):
        (tmp_path / place).write_text("4")
        found.append(sources.named([values], tmp_path))
    assert len(set(found)) == 4
    (tmp_path / "set").rename(tmp_path / "moved")
    assert sources.named({"set": "moved"}, tmp_path) != sources.named({"set": "none"}, tmp_path)
