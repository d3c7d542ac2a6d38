# SPDX-License-Identifier: Apache-2.0
"""Rules that a network must keep so that an engine can be built for it (docs/edge/overview.md)."""

from __future__ import annotations

from models.lib.toml_section import ConfigError

WIDTH_MIN, WIDTH_MAX = 4, 16
"""Bits of a number."""


def frac_max(width: int) -> int:
    """Most fraction bits of numbers of so many bits; at least one."""
    return width - 2


MAX_JUNCTIONS = 56
"""The 12-bit register map has room for so many blocks of junction registers."""

MAX_ROWS = 65536
"""Rows of a weight bank (C = W/z) that the 16-bit row field of a parameter header can address."""


def check_network(
    layers: tuple[int, ...], fan_out: tuple[int, ...], lanes: tuple[int, ...], activations: tuple[str, ...]
) -> None:
    """Raise ConfigError where a rule is broken. Arguments as the keys of ``[network]``."""
    junctions = len(layers) - 1
    if not 1 <= junctions <= MAX_JUNCTIONS:
        raise ConfigError(f"network.layers = {list(layers)} must have 2 … {MAX_JUNCTIONS + 1} entries")
    for key, values in (("fan_out", fan_out), ("z", lanes), ("activation", activations)):
        if len(values) != junctions:
            raise ConfigError(
                f"network.{key} = {list(values)} must have {junctions} entries, one fewer than network.layers"
            )
    for i in range(junctions):
        _check_junction(i, layers[i], layers[i + 1], fan_out[i], lanes[i])
    for i in range(1, junctions):
        fan_in = layers[i - 1] * fan_out[i - 1] // layers[i]
        together = max(1, lanes[i - 1] // fan_in)
        if lanes[i] % together:
            raise ConfigError(
                f"network.z[{i}]: P = {together} neurons that junction {i} completes per clock "
                f"does not divide z = {lanes[i]} of junction {i + 1}"
            )
    if activations[-1] != "sigmoid":
        raise ConfigError(f"network.activation[{junctions - 1}] = {activations[-1]!r}: the last layer must be sigmoid")


def _check_junction(i: int, n_left: int, n_right: int, fan_out: int, z: int) -> None:
    where = f"(junction {i + 1})"
    edges = n_left * fan_out
    if fan_out > n_right:
        raise ConfigError(f"network.fan_out[{i}]: fan-out = {fan_out} exceeds N_right = {n_right} {where}")
    if edges % n_right:
        raise ConfigError(
            f"network.fan_out[{i}]: N_right = {n_right} does not divide W = {edges}, fan-in is not an integer {where}"
        )
    fan_in = edges // n_right
    if edges % z:
        raise ConfigError(f"network.z[{i}]: z = {z} does not divide W = {edges} {where}")
    if n_left % z:
        raise ConfigError(f"network.z[{i}]: z = {z} does not divide N_left = {n_left} {where}")
    if fan_in % z and z % fan_in:
        raise ConfigError(f"network.z[{i}]: neither divides the other, z = {z} and fan-in = {fan_in} {where}")
    if edges // z < 2:
        raise ConfigError(f"network.z[{i}]: z = {z} leaves C = W/z = {edges // z} clocks, at least 2 needed {where}")
    if edges // z > MAX_ROWS:
        raise ConfigError(
            f"network.z[{i}]: z = {z} leaves W/z = {edges // z} rows of weights, at most {MAX_ROWS} {where}"
        )
