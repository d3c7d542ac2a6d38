# SPDX-License-Identifier: Apache-2.0
"""What is sent to a worker: it needs nothing of the checkout before it has found it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def caller() -> Callable[[tuple[str, str, str], str, Mapping[str, Any]], dict[str, Any]]:
    """A function that does a job on a worker.

    It is sent as code, not by name, since it stands inside another one: the scheduler, which reads it too, and a worker
    that was started anywhere need not know where the checkout is. A worker that serves for days takes the code as it is
    now: what it has of an older one is thrown away.
    """

    def call(place: tuple[str, str, str], function: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Do a job.

        Args:
            place: the checkout, its build directory, and the digest of its code (``sources.code``).
            function, arguments: of the job.
        """
        import os
        import sys

        root, build, code = place
        if getattr(sys.modules.get("flow"), "place_of_worker", None) != place:
            for name in list(sys.modules):
                if name.split(".")[0] in ("flow", "models", "studies"):
                    del sys.modules[name]
            sys.path[:] = [root, *(entry for entry in sys.path if entry != root)]
            os.environ["EDGELOOM_BUILD"] = build
            import flow
            from flow.farm import worker as begin

            begin.prepare(code)
            flow.place_of_worker = place  # type: ignore[attr-defined]
        from flow.farm import worker

        return worker.do(function, arguments)

    return call


def end_programs() -> None:
    """Stop what a job has started on this worker: simulators, compilers."""
    import contextlib

    import psutil

    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            process.kill()
