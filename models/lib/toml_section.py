# SPDX-License-Identifier: Apache-2.0
"""Reading of TOML files, and typed reading of tables (TOML's or JSON's).

Messages name file, key, value and rule, on one line.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILE_BYTES_MAX = 1 << 16
LINE_MAX = 2048
"""No configuration comes near these. Memory and time of the parser grow with the square of a dotted key's length."""

NAME_MAX = 64
TEXT_MAX = 1024
COUNT_MAX = 2**63 - 1
"""Of what is counted: clocks, values, images."""
SECONDS_MAX = 1e9

_FILE_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_-]{{0,{NAME_MAX - 1}}}")
_DEVICE = re.compile("con|prn|aux|nul|com[0-9]|lpt[0-9]", re.IGNORECASE)  # no files on Windows, whatever the case


class ConfigError(ValueError):
    """A configuration that breaks a rule. The text names the key, its value and the rule."""


def read_text(path: str | Path) -> str:
    """The text of a TOML file, without the byte order mark that some editors put first.

    Raises:
        ConfigError: it cannot be read, is too long, or is not UTF-8.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise ConfigError(f"{shown_path(path)}: no such configuration file") from None
    except IsADirectoryError:
        raise ConfigError(f"{shown_path(path)}: a directory, not a configuration: name a TOML file in it") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{shown_path(path)}: cannot be read: {why}") from None
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError(f"{shown_path(path)}: too long for a configuration, which has at most {FILE_BYTES_MAX} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise ConfigError(
            f"{shown_path(path)}: line {line}, byte {column}: 0x{data[error.start]:02x} is not UTF-8: save it as UTF-8"
        ) from None


def parse(text: str, where: str | Path) -> dict[str, Any]:
    """What a TOML document holds. Raises ConfigError, which names ``where`` it is from."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LINE_MAX:
            raise ConfigError(f"{shown_path(where)}: line {number} has more than {LINE_MAX} characters: break it")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{shown_path(where)}: arrays or tables are nested too deeply") from None
    except ValueError as error:  # not TOML, or a number of thousands of digits
        raise ConfigError(f"{shown_path(where)}: {' '.join(str(error).split())}") from None


def read_toml(path: str | Path) -> dict[str, Any]:
    """What a TOML file holds. Raises ConfigError, which names the file."""
    return parse(read_text(path), path)


@contextlib.contextmanager
def named(where: str | Path) -> Iterator[None]:
    """Errors in the configuration get the name of its file in front."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{shown_path(where)}: {error}") from None


def shown(value: object) -> str:
    """A value in a message: printable, and never longer than a line."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or absurd nesting
        text = "(too long to be shown)"
    return text if len(text) <= 100 else f"{text[:80]}… ({len(text)} characters)"


def shown_path(path: str | Path) -> str:
    """The name of a file in a message, on one line."""
    text = str(path)
    return text if text.isprintable() and len(text) <= TEXT_MAX else shown(text)


class Section:
    """One table of a TOML document. Keys that nobody asked for are refused by ``finish``.

    Attributes:
        values: all that the table holds, as it is.
    """

    def __init__(self, values: Any, name: str = "") -> None:
        if not isinstance(values, Mapping):
            raise ConfigError(f"[{name}] must be a table, not {shown(values)}")
        self.values = dict(values)
        self._name = name
        self._known: set[str] = set()

    def key(self, key: str) -> str:
        """Full name of a key for messages, e.g. ``network.z``."""
        plain = key if key.isprintable() and len(key) <= NAME_MAX else shown(key)
        return f"{self._name}.{plain}" if self._name else plain

    def _take(self, key: str, default: Any) -> Any:
        self._known.add(key)
        if key in self.values:
            return self.values[key]
        if default is None:
            raise ConfigError(f"{self.key(key)} is missing")
        return default

    def _bounded(self, label: str, value: Any, low: float, high: float) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{label} = {shown(value)} must be an integer")
        if not low <= value <= high:
            raise ConfigError(f"{label} = {shown(value)} must be {low} … {high}")
        return value

    def given(self, key: str) -> bool:
        """Whether the table has the key."""
        return key in self.values

    def table(self, key: str, required: bool = False) -> Section:
        """A nested table; a missing one that is not required counts as empty."""
        return Section(self._take(key, None if required else {}), self.key(key))

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """An integer, low … high."""
        return self._bounded(self.key(key), self._take(key, default), low, high)

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        """An integer, low … high; None where the key is missing."""
        self._known.add(key)
        return self.integer(key, low, high) if key in self.values else None

    def integers(self, key: str, low: int, high: int, default: list[int] | None = None) -> tuple[int, ...]:
        """A list of at least one integer, each low … high."""
        values = self._take(key, default)
        if not isinstance(values, list | tuple) or not values:
            raise ConfigError(f"{self.key(key)} = {shown(values)} must be a list of at least one integer")
        return tuple(self._bounded(f"{self.key(key)}[{i}]", value, low, high) for i, value in enumerate(values))

    def _real(self, label: str, value: Any, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{label} = {shown(value)} must be a number")
        if not low <= value <= high:
            raise ConfigError(f"{label} = {shown(value)} must be {low} … {high}")
        return float(value)

    def real(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """A number, low … high."""
        return self._real(self.key(key), self._take(key, default), low, high)

    def numbers(self, key: str, low: float, high: float, *shape: int | None) -> list[Any]:
        """Lists in lists of numbers, low … high, integers if both are; sizes from the outside in, None: any."""
        check = self._bounded if isinstance(low, int) and isinstance(high, int) else self._real

        def walk(label: str, value: Any, sizes: tuple[int | None, ...]) -> None:
            if not sizes:
                check(label, value, low, high)
            elif not isinstance(value, list) or sizes[0] not in (None, len(value)):
                many = "any number" if sizes[0] is None else sizes[0]
                raise ConfigError(f"{label} = {shown(value)} must be a list of length {many}")
            else:
                for i, each in enumerate(value):
                    walk(f"{label}[{i}]", each, sizes[1:])

        values: list[Any] = self._take(key, None)
        walk(self.key(key), values, shape)
        return values

    def fixed(self, key: str, value: Any) -> None:
        """Exactly this value, of its type."""
        found = self._take(key, None)
        if type(found) is not type(value) or found != value:
            raise ConfigError(f"{self.key(key)} = {shown(found)} must be {shown(value)}")

    def tables(self, key: str, count: int | None = None) -> list[Section]:
        """A list of so many tables, or of any number of them."""
        values = self._take(key, None)
        if not isinstance(values, list) or count not in (None, len(values)):
            many = "" if count is None else f"{count} "
            raise ConfigError(f"{self.key(key)} = {shown(values)} must be a list of {many}tables")
        return [Section(value, f"{self.key(key)}[{i}]") for i, value in enumerate(values)]

    def counts(self, key: str, *names: str) -> dict[str, int]:
        """A table of whole numbers from 0 on, under these keys, or under any."""
        table = self.table(key, required=True)
        counts = {name: table.integer(name, 0, COUNT_MAX) for name in names or table.values}
        table.finish()
        return counts

    def anything(self, key: str) -> Any:
        """A value of any kind, which must be there."""
        return self._take(key, None)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """``true`` or ``false``."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise ConfigError(f"{self.key(key)} = {shown(value)} must be true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A string that is not empty and fits on a line."""
        value = self._take(key, default)
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{self.key(key)} = {shown(value)} must be a string that is not empty")
        if not value.isprintable() or len(value) > TEXT_MAX:
            raise ConfigError(f"{self.key(key)} = {shown(value)} must be at most {TEXT_MAX} printable characters")
        return value

    def file_name(self, key: str) -> str:
        """A string that is a plain file name on every system, and no option of any program."""
        value = self.text(key)
        if not _FILE_NAME.fullmatch(value) or _DEVICE.fullmatch(value):
            raise ConfigError(
                f"{self.key(key)} = {shown(value)} must consist of letters, digits, '_' and '-', all ASCII, at most "
                f"{NAME_MAX} and the first no '-', and be no device of Windows (it names directories)"
            )
        return value

    def path(self, key: str, directory: Path) -> Path | None:
        """A file, relative to a directory; None where the key is missing."""
        self._known.add(key)
        return directory / self.text(key) if key in self.values else None

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of the given strings."""
        value = self._take(key, default)
        if value not in choices:
            raise ConfigError(f"{self.key(key)} = {shown(value)} must be one of {', '.join(choices)}")
        return str(value)

    def choices(self, key: str, choices: tuple[str, ...]) -> tuple[str, ...]:
        """A list of at least one of the given strings."""
        values = self._take(key, None)
        if not isinstance(values, list | tuple) or not values:
            raise ConfigError(f"{self.key(key)} = {shown(values)} must be a list of at least one string")
        for i, value in enumerate(values):
            if value not in choices:
                raise ConfigError(f"{self.key(key)}[{i}] = {shown(value)} must be one of {', '.join(choices)}")
        return tuple(values)

    def finish(self) -> None:
        """Refuse keys that were never asked for."""
        unknown = sorted(set(self.values) - self._known)
        if unknown:
            known = ", ".join(sorted(self._known))
            raise ConfigError(f"{self.key(unknown[0])} is not a known key (known here: {known})")
