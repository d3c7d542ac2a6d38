# SPDX-License-Identifier: Apache-2.0
"""Interleaver: which left neuron every edge comes from (docs/edge/overview.md), and proof that it is legal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.edge.config import EdgeConfig
from models.edge.shape import JunctionShape

Int32Array = npt.NDArray[np.int32]


class ConnectivityError(ValueError):
    """A connection pattern that the engine's memories cannot serve, or that leaves a neuron unconnected."""


@dataclass(frozen=True)
class Connectivity:
    """Seed vectors and lane permutations of all junctions. Index i = 0 is junction 1.

    Attributes:
        shapes: the junctions.
        seeds: per junction int32 (rows, z), start address of every left memory; fan-out rows, or 1 for all sweeps.
        perms: per junction int32 (fan-out, z), the memory that feeds every lane; rows of 0 … z-1 without dithering.
    """

    shapes: tuple[JunctionShape, ...]
    seeds: tuple[Int32Array, ...]
    perms: tuple[Int32Array, ...]

    @classmethod
    def generate(cls, config: EdgeConfig) -> Connectivity:
        """Random pattern of a configuration, without duplicate edges; the same for the same connectivity seed."""
        seeds = []
        perms = []
        for i, shape in enumerate(config.junctions):
            rng = np.random.default_rng([config.connectivity_seed, i])
            seeds.append(_random_seeds(shape, shape.fan_out if config.sweep_seeds else 1, rng))
            rows = [rng.permutation(shape.z) if config.dither else np.arange(shape.z) for _ in range(shape.fan_out)]
            perms.append(np.array(rows, dtype=np.int32))
        return cls(config.junctions, tuple(seeds), tuple(perms))

    def left_neuron(self, i: int) -> Int32Array:
        """Left neuron of every edge of junction index i; int32 (W,) in edge order."""
        shape, seeds, perms = self.shapes[i], self.seeds[i], self.perms[i]
        clock = np.arange(shape.clocks)
        sweep, t = clock // shape.sweep, clock % shape.sweep
        memory = perms[sweep]  # (C, z)
        start = np.take_along_axis(seeds[sweep if len(seeds) > 1 else np.zeros_like(sweep)], memory, axis=1)
        address = (start + t[:, None]) % shape.sweep
        return (address * shape.z + memory).astype(np.int32).reshape(-1)

    def check(self) -> tuple[int, ...]:
        """Prove the pattern legal, junction by junction; returns the duplicate edges of each.

        Raises ConnectivityError where a seed or permutation is out of range, or ``check_edges`` finds a fault.
        """
        counts = []
        for i, (shape, seeds, perms) in enumerate(zip(self.shapes, self.seeds, self.perms, strict=True)):
            name = f"junction {i + 1}"
            if seeds.shape not in ((1, shape.z), (shape.fan_out, shape.z)) or perms.shape != (shape.fan_out, shape.z):
                raise ConnectivityError(
                    f"{name}: seeds {seeds.shape} and perms {perms.shape} do not fit fan-out = {shape.fan_out}, "
                    f"z = {shape.z}"
                )
            if seeds.min() < 0 or seeds.max() >= shape.sweep:
                raise ConnectivityError(f"{name}: a seed is not in 0 … D-1 = {shape.sweep - 1}")
            for sweep, row in enumerate(perms):
                if not np.array_equal(np.sort(row), np.arange(shape.z)):
                    raise ConnectivityError(
                        f"{name}: perms of sweep {sweep} are not a permutation of 0 … {shape.z - 1}"
                    )
            check_edges(shape, self.left_neuron(i), name)
            counts.append(duplicate_edges(shape, self.left_neuron(i)))
        return tuple(counts)


def check_edges(shape: JunctionShape, left: npt.ArrayLike, name: str = "junction") -> None:
    """Prove a list of edges, int (W,) in edge order, legal by looking at every edge.

    Each left memory is read exactly once per clock (no clash), each left neuron exactly once per sweep, and so
    every left neuron has ``fan_out`` edges and every right neuron ``fan_in`` (the order of edges says so): none
    is unconnected. Raises ConnectivityError that names the first clock, sweep or neuron that breaks this.
    """
    edges = np.asarray(left)
    if edges.shape != (shape.edges,) or edges.min() < 0 or edges.max() >= shape.n_left:
        raise ConnectivityError(f"{name}: must list W = {shape.edges} left neurons of 0 … {shape.n_left - 1}")
    memory = np.sort(edges.reshape(shape.clocks, shape.z) % shape.z, axis=1)
    clash = np.nonzero((memory != np.arange(shape.z)).any(axis=1))[0]
    if clash.size:
        raise ConnectivityError(f"{name}: clock {clash[0]} does not read each of the z = {shape.z} memories once")
    neurons = np.sort(edges.reshape(shape.fan_out, shape.n_left), axis=1)
    uneven = np.nonzero((neurons != np.arange(shape.n_left)).any(axis=1))[0]
    if uneven.size:
        raise ConnectivityError(
            f"{name}: sweep {uneven[0]} does not visit each of the {shape.n_left} left neurons once"
        )


def duplicate_edges(shape: JunctionShape, left: npt.ArrayLike) -> int:
    """Edges that join the same two neurons as an earlier edge.

    The engine computes with them as with any other: the two weights add up in FF and BP and are updated one by
    one. They cost a slot and bring no new input. ``Connectivity.generate`` makes none.
    """
    edges = np.asarray(left, dtype=np.int64)
    pair = edges * shape.n_right + np.arange(shape.edges) // shape.fan_in
    return int(shape.edges - np.unique(pair).size)


def _random_seeds(shape: JunctionShape, rows: int, rng: np.random.Generator) -> Int32Array:
    """Random start addresses that make no duplicate edge.

    Edges of a right neuron that are read in one sweep are distinct. A neuron whose Q clocks straddle the end of a
    sweep reads Q - k addresses before it and k after it from each memory; they are distinct for every k where the
    next sweep starts at most D - Q addresses further on.
    """
    seeds = rng.integers(0, shape.sweep, (rows, shape.z))
    for row in range(1, rows):
        if row * shape.sweep % shape.q:
            step = rng.integers(0, shape.sweep - shape.q + 1, shape.z)
            seeds[row] = (seeds[row - 1] + step) % shape.sweep
    return seeds.astype(np.int32)
