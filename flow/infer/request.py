# SPDX-License-Identifier: Apache-2.0
"""What the user asked `make infer` for, checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flow.ask import switch, whole_number
from flow.compile import request as compiling
from flow.modules import SIMULATORS
from flow.paths import BUILD, FlowError, make_command
from models.lib.data_sets.data_set import Pictures

MODEL = "model"
"""What SIM says where no simulator is to run: the machine's model executes the program."""
SAMPLES = 64
"""Pictures that are simulated where the user does not say."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """An inference.

    Attributes:
        compilation: of the network.
        sim: a simulator, or ``MODEL``.
        pictures: the test pictures that are classified.
        resume: go on behind the batches that a run before has done.
        directory: where the results go.
    """

    compilation: compiling.Request
    sim: str
    pictures: Pictures
    resume: bool
    asked: tuple[str, ...]
    directory: Path

    @property
    def name(self) -> str:
        """Of the results."""
        return self.compilation.name

    def replay(self, resume: bool = False) -> str:
        """The command that does it again, or goes on."""
        return make_command("infer", *self.asked, *(["RESUME=1"] if resume else []))


def request(
    model: str, data: str, norm: str = "", quant: str = "", sparsify: str = "", batch: str = "", pes: str = "",
    sim: str = "verilator", samples: str = "", resume: str = "", directory: Path | None = None,
) -> Request:  # fmt: skip
    """Check the variables of the make command line; empty ones have their default. Raises FlowError."""
    if sim not in (*SIMULATORS, MODEL):
        raise FlowError(f"SIM={sim} must be one of {', '.join((*SIMULATORS, MODEL))}")
    going_on = switch("RESUME", resume, "go on behind the batches that are done")
    if going_on and sim == MODEL:
        raise FlowError(f"RESUME=1 goes on with a simulation, and SIM={MODEL} is none: leave RESUME out")
    compiling.find(model)
    compiling.require_data(data)
    asked = compiling.request(model, data, norm, quant, sparsify, batch=batch, pes=pes)
    assert asked.source is not None
    test = asked.source.data.test
    default = len(test) if sim == MODEL else min(SAMPLES, len(test))
    count = whole_number("SAMPLES", samples, 1, len(test), "test pictures") if samples else default
    more = {"SIM": sim if sim != "verilator" else "", "SAMPLES": samples}
    given = [*asked.asked, *(f"{name}={value}" for name, value in more.items() if value)]
    return Request(
        compilation=asked,
        sim=sim,
        pictures=test[:count],
        resume=going_on,
        asked=tuple(given),
        directory=directory or BUILD / "infer" / asked.name,
    )
