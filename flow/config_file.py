# SPDX-License-Identifier: Apache-2.0
"""The configuration file that CONFIG names: where it is, what it says, and errors in it as FlowError."""

from __future__ import annotations

import contextlib
import os.path
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from flow.paths import ROOT, FlowError, relative
from models.edge.config import EdgeConfig
from models.lib.network_kind import EDGE, KINDS, PE_ARRAY, NetworkKind, kind_of
from models.lib.toml_section import ConfigError, named, parse, read_text, shown_path
from models.pe_array.network.config import PeConfig

Config = TypeVar("Config")


@dataclass(frozen=True)
class ConfigFile(Generic[Config]):
    """A configuration file, read once: its text is what its configuration was made from, whatever becomes of it."""

    path: Path
    text: str
    config: Config


@contextlib.contextmanager
def flow_errors() -> Iterator[None]:
    """What is wrong with a TOML file is something that the user can mend."""
    try:
        yield
    except ConfigError as error:
        raise FlowError(str(error)) from None


def find(name: str, *kinds: NetworkKind) -> Path:
    """The file that CONFIG names, relative to where make runs or to the checkout.

    Raises:
        FlowError: there is none; the text lists the shipped ones of these kinds.
    """
    path = Path(name) if os.path.exists(name) else ROOT / name
    if not os.path.exists(path):  # unlike Path.exists, it has an answer for names that no file can have
        files = [file for kind in kinds for file in sorted((ROOT / "configs" / kind.folder).glob("*.toml"))]
        shipped = ", ".join(map(relative, files))
        raise FlowError(f"CONFIG={shown_path(name)}: there is no such file; shipped are {shipped}")
    return path


def load_edge(name: str) -> ConfigFile[EdgeConfig]:
    """The configuration of the edge engine that CONFIG names. Raises FlowError."""
    return _read(name, (EDGE,), EdgeConfig.from_dict)


def load_pe(name: str) -> ConfigFile[PeConfig]:
    """The configuration of the PE array that CONFIG names. Raises FlowError."""
    return _read(name, (PE_ARRAY,), PeConfig.from_dict)


def load(name: str) -> ConfigFile[EdgeConfig | PeConfig]:
    """The configuration that CONFIG names, of the kind that its content says. Raises FlowError."""

    def make(values: Mapping[str, Any], directory: Path) -> EdgeConfig | PeConfig:
        made = EdgeConfig if kind_of(values) is EDGE else PeConfig
        return made.from_dict(values, directory)

    return _read(name, KINDS, make)


def _read(
    name: str, kinds: tuple[NetworkKind, ...], make: Callable[[Mapping[str, Any], Path], Config]
) -> ConfigFile[Config]:
    path = find(name, *kinds)
    with flow_errors():
        text = read_text(path)
        values = parse(text, path)
        with named(path):
            return ConfigFile(path.resolve(), text, make(values, path.resolve().parent))
