# SPDX-License-Identifier: Apache-2.0
"""What a worker does with a job: a process with one thread that sees the checkout where the campaign does."""

from __future__ import annotations

import codecs
import importlib
import locale
import os
import platform
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

from flow import environment, paths
from flow.farm import sources
from flow.farm.job import FAILED, Outcome
from flow.paths import ROOT, FlowError
from models.lib.checkpoint import CheckpointError
from models.lib.data_sets.data_set import DataError
from models.lib.toml_section import ConfigError

HOLD = 2.0
"""Seconds for which a failure is kept back. A batch system that ends a worker ends what it has started too: a compiler
may be gone a moment before the worker, and its end is no result. The worker dies meanwhile, and the job begins anew."""


def prepare(code: str) -> None:
    """Before the first job: the tools' environment, one thread. Raises FlowError: this worker cannot be used.

    Args:
        code: digest that the code of the campaign has.
    """
    if sys.flags.optimize:
        raise FlowError(environment.WITHOUT_ASSERTS)
    if codecs.lookup(locale.getpreferredencoding(False)).name != "utf-8":
        raise FlowError("files are UTF-8 and the worker's locale is not: start it with PYTHONUTF8=1")
    if sources.code() != code:
        raise FlowError(f"{ROOT} has other code there than here, or was edited since the campaign began")
    paths.set_environment()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from models.lib import threads  # brings NumPy, which reads that

    threads.use(1)


def do(function: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Call a job's function; what came of it, as what JSON can say: an error in it is a result too."""
    begin = time.monotonic()
    outcome, failure = Outcome(), ""
    try:
        module, name = function.split(":")
        outcome = getattr(importlib.import_module(module), name)(**arguments)
    except (FlowError, ConfigError, DataError, CheckpointError) as error:
        failure = str(error)
    except Exception as error:
        traceback.print_exc()
        failure = f"{type(error).__name__}: {error}"
    if failure or any(FAILED in row for row in outcome.rows.values()):
        time.sleep(HOLD)
    return {
        "rows": dict(outcome.rows), "text": outcome.text, "failure": failure,
        "seconds": round(time.monotonic() - begin, 2), "host": platform.node(),
    }  # fmt: skip
