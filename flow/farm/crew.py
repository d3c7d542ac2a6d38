# SPDX-License-Identifier: Apache-2.0
"""Jobs on workers: each worker has one at a time, in the order of the list, and one that dies costs a retry."""

from __future__ import annotations

import itertools
import queue
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from flow.farm import cluster, remote, sources
from flow.farm.job import Done, Job, Outcome
from flow.paths import BUILD, ROOT, FlowError

LOOK = 5.0
"""Seconds after which a silent scheduler is looked for."""


def work(jobs: Sequence[Job], address: str, say: Callable[[str], None]) -> Generator[Done]:
    """Do all jobs on the workers of a scheduler; each as it comes to its end. Close the iterator to stop early.

    Args:
        address: of the scheduler; empty: processes of this machine, for as long as that lasts.
        say: is told what a user should know at once.

    Raises:
        FlowError: workers cannot be used, or are gone for good.
    """
    if not jobs:
        return
    with cluster.connected(address) as client:
        crew = _Crew(client, address, say)
        try:
            yield from crew.run(jobs)
        finally:
            crew.leave()


class _Crew:
    """The workers, and what they are doing."""

    def __init__(self, client: Client, address: str, say: Callable[[str], None]) -> None:
        self.client, self.address, self.say = client, address, say
        self.place = (str(ROOT), str(BUILD), sources.code())
        self.mark = f"-{uuid.uuid4().hex}"  # a scheduler that outlives us must not take our job for an older one
        self.inbox: queue.SimpleQueue[Future[Any] | None] = queue.SimpleQueue()  # None: other workers than before
        self.flying: dict[Future[Any], Job] = {}
        client.subscribe_topic("all", self._event)

    def _event(self, event: Any) -> None:
        """What the scheduler tells, on a thread of its own."""
        message = event[1]
        action = message.get("action") if isinstance(message, dict) else None
        if action == "remove-worker":
            lost = [str(key).removesuffix(self.mark) for key in message.get("processing-tasks", ())
                    if str(key).endswith(self.mark)]  # fmt: skip
            if lost:
                self.say(f"a worker has died: {', '.join(lost)} begins anew")
        if action in ("remove-worker", "add-worker"):
            self.inbox.put(None)

    def run(self, jobs: Sequence[Job]) -> Iterator[Done]:
        """All jobs."""
        waiting = list(jobs)
        open_ = {job.name for job in jobs}
        while waiting or self.flying:
            self._start(waiting, open_)
            future = self._wait()
            if future is None:
                continue
            done = self._end(future)
            open_.discard(done.job.name)
            yield done
            if done.failure:
                lost = [job for job in waiting if job.after == done.job.name]
                waiting[:] = [job for job in waiting if job not in lost]
                yield from (Done(job, Outcome(), done.failure, host=done.host) for job in lost)

    def _wait(self) -> Future[Any] | None:
        """What has ended; None where there are other workers than before."""
        while True:
            try:
                return self.inbox.get(timeout=LOOK)
            except queue.Empty:
                if self.client.status not in ("running", "connecting"):
                    raise self._gone() from None

    def _gone(self) -> FlowError:
        return FlowError(f"the scheduler {self.address} is gone; RESUME=1 goes on with what is known")

    def _start(self, waiting: list[Job], open_: set[str]) -> None:
        """Give every worker that has nothing to do the next job that may begin."""
        try:
            count = cluster.workers(self.client, self.address)
        except OSError:
            raise self._gone() from None
        if not count:
            self.say("there is no worker: waiting for one")
        ready = (job for job in list(waiting) if job.after not in open_)
        for job in itertools.islice(ready, max(0, count - len(self.flying))):
            waiting.remove(job)
            future = self.client.submit(
                remote.caller(), self.place, job.function, dict(job.arguments), key=job.name + self.mark, pure=False,
            )  # fmt: skip
            self.flying[future] = job
            future.add_done_callback(self.inbox.put)

    def _end(self, future: Future[Any]) -> Done:
        job = self.flying.pop(future)
        if future.status == "finished":
            found = future.result()
            outcome = Outcome(found["rows"], found["text"])
            return Done(job, outcome, found["failure"], found["seconds"], found["host"])
        if future.status != "error":
            raise self._gone()
        error = future.exception()
        if isinstance(error, KilledWorker):
            return Done(job, Outcome(), "every worker that tried it died: killed, or for want of memory")
        raise FlowError(f"a worker cannot do jobs of this checkout: {type(error).__name__}: {error}")

    def leave(self) -> None:
        """Stop what is still being done."""
        if self.client.status != "running":
            return
        self.client.unsubscribe_topic("all")
        if self.flying:
            ours = {future.key for future in self.flying}
            busy = [worker for worker, keys in self.client.processing().items() if ours & set(keys)]
            self.client.cancel(list(self.flying), force=True)
            self.client.run(remote.end_programs, workers=busy, on_error="ignore")
