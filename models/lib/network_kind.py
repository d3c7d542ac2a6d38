# SPDX-License-Identifier: Apache-2.0
"""Which engine a configuration is for: each kind has a table that the other has not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.lib.toml_section import ConfigError


@dataclass(frozen=True)
class NetworkKind:
    """A kind of configuration.

    Attributes:
        key: what such a document has, and no other.
        table: the same as it stands in a file.
        engine: what the network is for.
        folder: the shipped ones are in this folder of configs/.
        commands: what trains it.
    """

    key: str
    table: str
    engine: str
    folder: str
    commands: str


EDGE = NetworkKind("network", "[network]", "edge engine", "edge", "make train and python -m models.edge.training")
PE_ARRAY = NetworkKind(
    "layers", "[[layers]]", "PE array", "pe_array", "make train-cnn and python -m models.pe_array.training"
)
KINDS = (EDGE, PE_ARRAY)


def kind_of(values: Mapping[str, Any]) -> NetworkKind:
    """The kind of a document. Raises ConfigError if it is of neither or of both."""
    found = [kind for kind in KINDS if kind.key in values]
    if len(found) == 1:
        return found[0]
    told = " or ".join(f"{kind.table} ({kind.engine})" for kind in KINDS)
    raise ConfigError(f"must have either {told}, and has {'both' if found else 'neither'}")


def require(kind: NetworkKind, values: Mapping[str, Any]) -> None:
    """Raise ConfigError unless a document is of this kind; the text names the commands that take it."""
    found = kind_of(values)
    if found is not kind:
        raise ConfigError(
            f"{found.table} makes it a network of the {found.engine}, whose commands are {found.commands}; "
            f"a network of the {kind.engine} has {kind.table}"
        )
