# SPDX-License-Identifier: Apache-2.0
"""Tables of layers in a configuration: which maps they read, and what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models.lib.toml_section import ConfigError, Section
from models.pe_array.isa.widths import Widths
from models.pe_array.network.kinds import KINDS
from models.pe_array.network.layer import Layer, Place, Shape


@dataclass(frozen=True)
class KnownMap:
    """What a layer leaves to the ones behind it."""

    name: str
    shape: Shape
    frac: int
    delta_frac: int


def _earlier(table: Section, key: str, maps: Mapping[int, KnownMap], default: str | None = None) -> int:
    """The layer that a key names."""
    name = table.text(key, default)
    if any(each.name == name for each in maps.values()):
        return _index(maps, name)
    names = ", ".join(each.name for each in maps.values())
    raise ConfigError(f"{table.key(key)} = {name!r} must be the name of an earlier layer (here: {names})")


def _index(maps: Mapping[int, KnownMap], name: str) -> int:
    return next(index for index, each in maps.items() if each.name == name)


def read_layer(table: Section, maps: Mapping[int, KnownMap], last: bool, widths: Widths) -> Layer:
    """A layer, given the maps before it by the number of their layers. ConfigError where a rule is broken."""
    name = table.text("name", f"layers[{len(maps) - 1}]")
    if any(name == each.name for each in maps.values()):
        raise ConfigError(f"{table.key('name')} = {name!r} is the name of an earlier map; names must differ")
    kind = KINDS[table.choice("kind", tuple(KINDS))]
    if kind.joins:
        reads = [_index(maps, each) for each in table.choices("inputs", tuple(each.name for each in maps.values()))]
    else:
        reads = [_earlier(table, "input", maps, maps[max(maps)].name)]
    first, *more = (Place(name, n, maps[n].shape, maps[n].frac, maps[n].delta_frac, last, widths) for n in reads)
    place = replace(first, more=tuple(more))
    try:
        layer = kind.read(table, place)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{table.key('kind')} = {kind.kind}: {error}") from None
    if kind.may_add and table.given("add"):
        layer = replace(layer, **_added(table, maps, layer.out_shape))
    table.finish()
    return layer


def _added(table: Section, maps: Mapping[int, KnownMap], shape: Shape) -> dict[str, Any]:
    """The map that a layer adds to its sums."""
    index = _earlier(table, "add", maps)
    if maps[index].shape != shape:
        raise ConfigError(
            f"{table.key('add')} = {maps[index].name}: its map of {' x '.join(map(str, maps[index].shape))} must have "
            f"the size of this layer's output, {' x '.join(map(str, shape))}"
        )
    return {"add": index, "add_frac": maps[index].frac}
