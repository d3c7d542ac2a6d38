# SPDX-License-Identifier: Apache-2.0
"""Workers: processes of this machine, or those of a scheduler of Dask that CLUSTER names."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.comm.core import connect
from distributed.security import Security
from distributed.utils import silence_logging_cmgr

from flow.paths import BUILD, FlowError
from flow.suite import processes

DEATHS = 3
"""Workers that may die while they do a job; with one more it has failed. On a scheduler of others, theirs counts."""
CONNECT = 20.0
"""Seconds in which a scheduler must answer."""

_LOCAL: dict[str, Any] = {
    # a simulation takes the memory that it takes: no worker is stopped or ended for it
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.scheduler.worker-ttl": None,  # a model may compute for minutes without a word
    "distributed.nanny.pre-spawn-environ": {},  # Dask would set these variables in this process too
}
_OF_DASK = {"PYTHONHASHSEED", "__DASK_PARENT_PID"}
_DEAF = "import signal\nsignal.signal(signal.SIGINT, lambda *_: None)\n"
"""Runs in a worker of this machine as it starts: Ctrl-C at the terminal is for the campaign, which ends its workers."""


@contextlib.contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the scheduler at an address; of workers of its own, one per core or JOBS, where there is none.

    Raises:
        FlowError: no scheduler answers there, or it has other versions of Python or Dask.
    """
    with silence_logging_cmgr(logging.CRITICAL), _remote(address) if address else _local() as client:
        yield client


@contextlib.contextmanager
def _clean_environment() -> Iterator[None]:
    """Variables that Dask sets in this process for its workers are gone afterwards: nobody else should see them."""
    before = set(os.environ)
    try:
        yield
    finally:
        for name in _OF_DASK - before:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _local() -> Iterator[Client]:
    place = BUILD / "tmp"
    place.mkdir(parents=True, exist_ok=True)
    with (
        _clean_environment(),
        dask.config.set(_LOCAL | {"distributed.scheduler.allowed-failures": DEATHS}),
        LocalCluster(
            n_workers=processes(), threads_per_worker=1, processes=True, memory_limit=0,
            silence_logs=logging.CRITICAL, local_directory=str(place), host="127.0.0.1",
            dashboard_address="127.0.0.1:0", preload=_DEAF,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client


def look_for(address: str) -> None:
    """Before a campaign touches what the one before left: what ``connected`` will need is there.

    Raises:
        FlowError: as ``connected`` and ``workers`` do, or JOBS is wrong.
    """
    if not address:
        processes()
        return
    with connected(address) as client:
        workers(client, address)


async def _probe(address: str) -> None:
    """Raises OSError (TimeoutError too) or ValueError where none answers.

    A client would wait for ever for the greeting of something that listens there and says nothing.
    """
    of_client = Security().get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, timeout=CONNECT, **of_client), CONNECT + 1)
    await comm.close()


@contextlib.contextmanager
def _remote(address: str) -> Iterator[Client]:
    try:
        asyncio.run(_probe(address))
        client = Client(address, timeout=CONNECT)
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FlowError(
            f"CLUSTER={address}: no scheduler of Dask answers there ({reason}); give its address, as in "
            f"CLUSTER=tcp://host:8786, or none for processes of this machine"
        ) from None
    with client:
        try:
            client.get_versions(check=True)
        except ValueError as error:
            raise FlowError(f"CLUSTER={address}: all of it must have the packages of .venv here: {error}") from None
        yield client


def workers(client: Client, address: str) -> int:
    """How many there are now. Raises FlowError where one has several threads: a job needs a process for itself."""
    threads = client.nthreads()
    if wide := sorted(name for name, count in threads.items() if count > 1):
        raise FlowError(
            f"CLUSTER={address}: worker {wide[0]} has {threads[wide[0]]} threads, and a job needs a process for "
            f"itself: start workers with --nthreads 1 and more of them with --nworkers"
        )
    return len(threads)
