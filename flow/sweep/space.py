# SPDX-License-Identifier: Apache-2.0
"""The file that SPACE names: a configuration, and lists of values for some of its keys.

name = "tiny_lanes"                  # of the directory of results
base = "configs/edge/tiny.toml"      # seen from the checkout, or from this file
samples = 2000                       # of an epoch (default: all)
epochs = 2                           # (default: the configuration's)
seeds = [1, 2]                       # init_seed of the training (default: the configuration's)
area = "fit"                         # or "synth", "none"
[space]
"format.width" = { from = 8, to = 16, step = 2 }
"network.z" = [[16, 4], [32, 8]]
"layers.2.density" = [0.25, 0.5]     # a list of tables: by number, from 0 on
"""

from __future__ import annotations

import copy
import itertools
import json
import os.path
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow.config_file import flow_errors
from flow.paths import ROOT, FlowError
from models.edge.config import EPOCHS_MAX, EdgeConfig
from models.lib.network_kind import EDGE, NetworkKind, kind_of
from models.lib.toml_section import ConfigError, Section, named, parse, read_text, shown, shown_path
from models.pe_array.network.config import PeConfig

AREAS = ("fit", "synth", "none")
POINTS_MAX = 100_000
SAMPLES_MAX = 10_000_000

Values = dict[str, Any]


@dataclass(frozen=True)
class Space:
    """What is swept.

    Attributes:
        name: of the directory of results.
        text: of the file.
        base: file of the configuration, and its values.
        keys: values of every key that is swept.
        samples, epochs: of every training; None: all, and the configuration's.
        seeds: one of the configuration's if empty.
        area: one of ``AREAS``.
    """

    name: str
    path: Path
    text: str
    base: Path
    values: Values
    keys: dict[str, list[Any]]
    samples: int | None
    epochs: int | None
    seeds: tuple[int, ...]
    area: str

    @property
    def kind(self) -> NetworkKind:
        """Of the configuration."""
        return kind_of(self.values)

    @property
    def points(self) -> Iterator[dict[str, Any]]:
        """Every combination of values, by key; the last key changes first."""
        keys = self.keys | ({"training.init_seed": list(self.seeds)} if self.seeds else {})
        for values in itertools.product(*keys.values()):
            yield dict(zip(keys, values, strict=True))


def made(kind: NetworkKind, values: Values, directory: Path) -> EdgeConfig | PeConfig:
    """The configuration of a point. Raises ConfigError."""
    return (EdgeConfig if kind is EDGE else PeConfig).from_dict(values, directory)


def changed(values: Values, point: dict[str, Any]) -> Values:
    """The values of a configuration, with those of a point in their places. Raises ConfigError: no such place."""
    found = copy.deepcopy(values)
    for key, value in point.items():
        place: Any = found
        *tables, last = key.split(".")
        for name in tables:
            place = _inside(place, name, key)
        if isinstance(place, list):
            _inside(place, last, key)
            place[int(last)] = value
        else:
            place[last] = value
    return found


def _inside(place: Any, name: str, key: str) -> Any:
    if isinstance(place, list):
        if not name.isdecimal() or int(name) >= len(place):
            raise ConfigError(f"{shown(key)}: '{name}' must be a number, 0 … {len(place) - 1}: it counts a list")
        return place[int(name)]
    found = place.setdefault(name, {})
    if not isinstance(found, dict | list):
        raise ConfigError(f"{shown(key)}: '{name}' is a value, not a table")
    return found


def read(name: str) -> Space:
    """The space that SPACE names. Raises FlowError."""
    if not name:
        raise FlowError("say which space, as in SPACE=configs/sweep/tiny_lanes.toml (docs/sweeps.md)")
    path = Path(name) if os.path.exists(name) else ROOT / name
    with flow_errors():
        text = read_text(path)
        with named(name):
            return _read(Section(parse(text, path)), path.resolve(), text)


def _read(top: Section, path: Path, text: str) -> Space:
    name, base = top.file_name("name"), _base(top.text("base"), path)
    samples = top.optional_integer("samples", 1, SAMPLES_MAX)
    epochs = top.optional_integer("epochs", 1, EPOCHS_MAX)
    seeds = top.integers("seeds", 0, 2**32 - 1) if top.given("seeds") else ()
    area = top.choice("area", AREAS, AREAS[0])
    table = top.table("space", required=True)
    keys = {key: _listed(f"space.{key}", value) for key, value in table.values.items()}
    _finish(top)
    if not keys:
        raise ConfigError("[space] has no key: give at least one with a list of values")
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"seeds = {shown(list(seeds))} must name each once")
    if seeds and "training.init_seed" in keys:
        raise ConfigError("seeds are values of training.init_seed, which stands in [space] too: leave one out")
    space = Space(name, path, text, base, parse(read_text(base), base), keys, samples, epochs, seeds, area)
    count = len(seeds or (0,))
    for values in keys.values():
        count *= len(values)
    if count > POINTS_MAX:
        raise ConfigError(f"[space] has {count:,} points, at most {POINTS_MAX:,}")
    made(space.kind, space.values, base.parent)
    for key in keys:
        _check_key(space, key)
    return space


def _finish(top: Section) -> None:
    """Refuse unknown keys."""
    known = ("name", "base", "samples", "epochs", "seeds", "area", "space")
    if unknown := sorted(set(top.values) - set(known)):
        raise ConfigError(f"{top.key(unknown[0])} is not a known key (known here: {', '.join(known)})")


def _base(name: str, path: Path) -> Path:
    for place in (ROOT / name, path.parent / name):
        if place.is_file():
            return place.resolve()
    raise ConfigError(f"base = {shown_path(name)}: there is no such file, seen from the checkout or from this file")


def _listed(key: str, value: Any) -> list[Any]:
    """The values of a key: a list, or a range."""
    if isinstance(value, dict):
        table = Section(value, key)
        first, last = table.real("from", -1e12, 1e12), table.real("to", -1e12, 1e12)
        step = table.real("step", 1e-9, 1e12, 1)
        table.finish()
        if last < first:
            raise ConfigError(f"{key}: to = {shown(value['to'])} must be at least from = {shown(value['from'])}")
        if (last - first) / step > POINTS_MAX:
            raise ConfigError(f"{key}: more than {POINTS_MAX:,} values")
        whole = all(isinstance(number, int) for number in value.values())
        steps = [first + number * step for number in range(int((last - first) / step + 1e-9) + 1)]
        return [int(each) if whole else round(each, 12) for each in steps]
    if not isinstance(value, list) or not value:
        raise ConfigError(
            f"{key} = {shown(value)} must be a list of at least one value, or a range as "
            f"{{ from = 1, to = 4, step = 1 }}"
        )
    try:
        said = {json.dumps(each, sort_keys=True) for each in value}
    except TypeError:
        raise ConfigError(f"{key} = {shown(value)} has a date or a time: no key of a configuration takes one") from None
    if len(said) < len(value):
        raise ConfigError(f"{key} = {shown(value)} must name each value once")
    return value


class _Nothing:
    """Is no value of any key."""

    def __repr__(self) -> str:
        return "nothing"


def _check_key(space: Space, key: str) -> None:
    """Raise ConfigError for a key that configurations of this kind do not have."""
    try:
        made(space.kind, changed(space.values, {key: _Nothing()}), space.base.parent)
    except ConfigError as error:
        if "is not a known key" in str(error) or "it counts a list" in str(error) or "not a table" in str(error):
            raise ConfigError(f"[space] {error}") from None
