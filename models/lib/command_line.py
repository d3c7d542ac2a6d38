# SPDX-License-Identifier: Apache-2.0
"""What the command lines of models/ share: arguments with limits, files that can be written, errors on one line."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from models.lib.checkpoint import CheckpointError
from models.lib.data_sets.data_set import DataError
from models.lib.toml_section import ConfigError, shown, shown_path

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell makes of SIGINT and SIGPIPE."""

USER_ERRORS: tuple[type[Exception], ...] = (ConfigError, CheckpointError, DataError, OSError)


class Parser(argparse.ArgumentParser):
    """Of ``python -m <module>``; what is wrong with the arguments is one line, exit status 2."""

    def __init__(self, module: str, description: str) -> None:
        super().__init__(prog=f"python -m {module}", description=description)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how the command is used, and exit."""
        self.exit(2, f"error: {' '.join(message.split())}; {' '.join(self.format_usage().split())}\n")

    def limit(self, option: str, value: int | None, low: int, high: int, why: str) -> None:
        """Refuse the value of an option whose limits depend on others; None: not given."""
        if value is not None and not low <= value <= high:
            self.error(f"argument {option}: {value} must be {low} … {high} ({why})")


def integer(text: str) -> int:
    """Type of an argument: an integer, whose limits depend on others."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shown(text)} must be a whole number") from None


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Type of an argument: an integer, low … high."""

    def convert(text: str) -> int:
        value = integer(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{shown(value)} must be {low} … {high}")
        return value

    return convert


def number(low: float, high: float) -> Callable[[str], float]:
    """Type of an argument: a number, low … high."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{shown(text)} must be a number, {low:g} … {high:g}") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} must be {low:g} … {high:g}")
        return value

    return convert


def output_file(text: str) -> Path:
    """Type of an argument: a file to write, which is tried now because it would fail after hours of work."""
    path = Path(text)
    try:
        if path.exists() and not path.is_file():
            raise argparse.ArgumentTypeError(f"{shown_path(text)} is not a file: name one in that directory")
        path.with_name(f"{path.name}.part").exists()  # raises OSError where the name is too long
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{shown_path(text)} cannot be written: {_why(error)}") from None
    _try_writing(path.parent)
    return path


def output_directory(text: str) -> Path:
    """Type of an argument: a directory to write to, made now if need be."""
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{shown_path(text)} cannot be made: {_why(error)}") from None
    _try_writing(path)
    return path


def _try_writing(directory: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        what = f"{shown_path(directory)} cannot be written to: {_why(error)}"
        raise argparse.ArgumentTypeError(what) from None


def _why(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)


@contextlib.contextmanager
def one_line_errors(*more: type[Exception]) -> Iterator[None]:
    """A command; what its user can mend (``more``: errors of this command) ends it with one line and status 1.

    Ctrl-C ends it with status 130, a reader of its output that goes away, as ``head`` does, silently.
    """
    try:
        yield
        if sys.stdout:  # None where the shell has closed it
            sys.stdout.flush()
    except BrokenPipeError:
        _give_up_output()
        sys.exit(BROKEN_PIPE)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except (*USER_ERRORS, *more) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        _give_up_output()
        sys.exit(1)


def _give_up_output() -> None:
    """What can no longer be written must not fail once more as Python ends."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
