# SPDX-License-Identifier: Apache-2.0
"""Typed reading of configuration tables, with messages that name the key, the value and the rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class ConfigError(ValueError):
    """A configuration that breaks a rule. The text names the key, its value and the rule."""


class Section:
    """One table of a TOML document. Keys that nobody asked for are refused by ``finish``."""

    def __init__(self, values: Any, name: str = "") -> None:
        if not isinstance(values, Mapping):
            raise ConfigError(f"[{name}] must be a table, not {values!r}")
        self._values = dict(values)
        self._name = name
        self._known: set[str] = set()

    def key(self, key: str) -> str:
        """Full name of a key for messages, e.g. ``network.z``."""
        return f"{self._name}.{key}" if self._name else key

    def _take(self, key: str, default: Any) -> Any:
        self._known.add(key)
        if key in self._values:
            return self._values[key]
        if default is None:
            raise ConfigError(f"{self.key(key)} is missing")
        return default

    def _bounded(self, label: str, value: Any, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{label} = {value!r} must be an integer")
        if not low <= value <= high:
            raise ConfigError(f"{label} = {value} must be {low} … {high}")
        return value

    def given(self, key: str) -> bool:
        """Whether the table has the key."""
        return key in self._values

    def table(self, key: str, required: bool = False) -> Section:
        """A nested table; a missing one that is not required counts as empty."""
        return Section(self._take(key, None if required else {}), self.key(key))

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """An integer, low … high."""
        return self._bounded(self.key(key), self._take(key, default), low, high)

    def integers(self, key: str, low: int, high: int, default: list[int] | None = None) -> tuple[int, ...]:
        """A list of at least one integer, each low … high."""
        values = self._take(key, default)
        if not isinstance(values, list | tuple) or not values:
            raise ConfigError(f"{self.key(key)} = {values!r} must be a list of at least one integer")
        return tuple(self._bounded(f"{self.key(key)}[{i}]", value, low, high) for i, value in enumerate(values))

    def real(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """A number, low … high."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{self.key(key)} = {value!r} must be a number")
        if not low <= value <= high:
            raise ConfigError(f"{self.key(key)} = {value} must be {low} … {high}")
        return float(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """``true`` or ``false``."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise ConfigError(f"{self.key(key)} = {value!r} must be true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A string that is not empty."""
        value = self._take(key, default)
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{self.key(key)} = {value!r} must be a string that is not empty")
        return value

    def path(self, key: str, directory: Path) -> Path | None:
        """A file, relative to a directory; None where the key is missing."""
        self._known.add(key)
        return directory / self.text(key) if key in self._values else None

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of the given strings."""
        value = self._take(key, default)
        if value not in choices:
            raise ConfigError(f"{self.key(key)} = {value!r} must be one of {', '.join(choices)}")
        return str(value)

    def choices(self, key: str, choices: tuple[str, ...]) -> tuple[str, ...]:
        """A list of at least one of the given strings."""
        values = self._take(key, None)
        if not isinstance(values, list | tuple) or not values:
            raise ConfigError(f"{self.key(key)} = {values!r} must be a list of at least one string")
        for i, value in enumerate(values):
            if value not in choices:
                raise ConfigError(f"{self.key(key)}[{i}] = {value!r} must be one of {', '.join(choices)}")
        return tuple(values)

    def finish(self) -> None:
        """Refuse keys that were never asked for."""
        unknown = sorted(set(self._values) - self._known)
        if unknown:
            known = ", ".join(sorted(self._known))
            raise ConfigError(f"{self.key(unknown[0])} is not a known key (known here: {known})")
