# SPDX-License-Identifier: Apache-2.0
"""Whatever a command meets that the user can mend is one line, which begins with "error: "."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from flow import __main__, lint
from flow.generate import files
from flow.paths import ROOT
from flow.train.edge import example
from models.lib.data_sets.data_set import DataError
from models.lib.registers import DescriptionError


def raising(error: Exception) -> Callable[..., None]:
    """A function that does nothing else."""

    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command says on standard error; it must fail."""

    def say(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["flow", *words])
        monkeypatch.setattr(__main__.paths, "set_environment", lambda: None)
        assert __main__.main() == 1
        return capsys.readouterr().err

    return say


def test_data_that_are_damaged(said: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example.RawData, "load", raising(DataError("data/x.gz is damaged: fetch it again")))
    assert said("example") == "error: data/x.gz is damaged: fetch it again\n"


@pytest.mark.parametrize("command", ["lint", "check", "generate"])
def test_a_description_that_clashes_where_it_is_imported(
    command: str, said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clash = DescriptionError("registers of X: B lies on A at 0x004")
    monkeypatch.setattr(lint, "lint", raising(clash))
    monkeypatch.setattr(files, "write", raising(clash))
    assert said(command) == "error: registers of X: B lies on A at 0x004\n"


def test_descriptions_that_clash_in_a_file(said: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is good; lint says it among its complaints and goes on."""
    monkeypatch.setitem(files.FILES, "rtl/x.vh", raising(DescriptionError("X: A stands for two things")))  # type: ignore[arg-type]
    monkeypatch.setattr(files, "_text", lambda _: None)
    assert lint.stale() == ["X: A stands for two things"]
    assert said("generate", "--check") == "error: X: A stands for two things\n"


def test_a_module_that_is_no_python(said: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    error = SyntaxError("invalid syntax", (str(ROOT / "models" / "lib" / "x.py"), 7, 1, "def f(:"))
    monkeypatch.setattr(lint, "lint", raising(error))
    assert said("lint") == "error: models/lib/x.py:7: invalid syntax\n"
