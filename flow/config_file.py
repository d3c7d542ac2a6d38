# SPDX-License-Identifier: Apache-2.0
"""The configuration file that CONFIG names: where it is, which engine it is for, and errors in it as FlowError."""

from __future__ import annotations

import contextlib
import os.path
from collections.abc import Iterator
from pathlib import Path

from flow.paths import ROOT, FlowError, relative
from models.edge.config import EdgeConfig
from models.lib.toml_section import ConfigError, read_toml, shown_path
from models.pe_array.network.config import PeConfig

EDGE = "network"
PE_ARRAY = "layers"
"""Keys that documents of one engine have, and those of the other have not."""


@contextlib.contextmanager
def flow_errors() -> Iterator[None]:
    """What is wrong with a TOML file is something that the user can mend."""
    try:
        yield
    except ConfigError as error:
        raise FlowError(str(error)) from None


def find(text: str, *engines: str) -> Path:
    """The file that CONFIG names, relative to where make runs or to the checkout.

    Raises:
        FlowError: there is none; the text lists the shipped ones for these engines.
    """
    path = Path(text) if os.path.exists(text) else ROOT / text
    if not os.path.exists(path):  # unlike Path.exists, it has an answer for names that no file can have
        files = sorted((ROOT / "configs").glob("*.toml"))
        shipped = ", ".join(relative(file) for file in files if any(has(file, engine) for engine in engines))
        raise FlowError(f"CONFIG={shown_path(text)}: there is no such file; shipped are {shipped}")
    return path


def has(path: Path, engine: str) -> bool:
    """Whether a file is for an engine; one that cannot be read is for none."""
    try:
        return engine in read_toml(path)
    except ConfigError:
        return False


def load_edge(text: str) -> tuple[Path, EdgeConfig]:
    """The configuration of the edge engine that CONFIG names, and its file. Raises FlowError."""
    path = find(text, EDGE)
    with flow_errors():
        return path.resolve(), EdgeConfig.load(path)


def load_pe(text: str) -> tuple[Path, PeConfig]:
    """The configuration of the PE array that CONFIG names, and its file. Raises FlowError."""
    path = find(text, PE_ARRAY)
    with flow_errors():
        return path.resolve(), PeConfig.load(path)
