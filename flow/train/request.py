# SPDX-License-Identifier: Apache-2.0
"""What the user asked for, whatever the engine: the variables of the make command line, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from flow.ask import switch, whole_number
from flow.paths import make_command, relative

Config = TypeVar("Config")


@dataclass(frozen=True, kw_only=True)
class TrainingRequest(Generic[Config]):
    """A training; each engine adds what it trains on.

    Attributes:
        command: the target of make.
        path, text, config: the configuration file, its text as it was read, and what that says.
        sim: simulator.
        epochs, samples: of the whole training; samples of the training set, the first ones.
        resume: go on from the checkpoint.
        asked: the variables that the user gave, for the replay line.
        directory: where everything is left.
    """

    command: ClassVar[str]
    path: Path
    text: str
    config: Config
    sim: str
    epochs: int
    samples: int
    resume: bool
    asked: tuple[str, ...]
    directory: Path

    def replay(self, resume: bool) -> str:
        """The command that does it again, or goes on."""
        return make_command(self.command, *self.asked, *(["RESUME=1"] if resume else []))


def resumes(text: str) -> bool:
    """What RESUME says. Raises FlowError."""
    return switch("RESUME", text, "go on from the checkpoint")


def count(variable: str, text: str, default: int, low: int, high: int, why: str) -> int:
    """The value of a variable, which may be empty. Raises FlowError."""
    return whole_number(variable, text, low, high, why) if text else default


def given(path: Path, sim: str, **variables: str) -> tuple[str, ...]:
    """The variables that a command needs to ask for the same again."""
    variables |= {"SIM": "" if sim == "verilator" else sim}
    return f"CONFIG={relative(path)}", *(f"{name}={value}" for name, value in variables.items() if value)
