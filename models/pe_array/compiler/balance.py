# SPDX-License-Identifier: Apache-2.0
"""Even work for all slots: permutations of channels (docs/pe_array/layer_programs.md).

A tensor's channels are the rows of the layers that make it (FF gives a slot some rows) and the columns of those that
read it (NG gives a slot some columns). They are put in an order in which the blocks that slots work on at the same time
have nearly the same number of elements, in FF and NG and against every block of the other side.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.tiles.room import block_sums

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code
Mask = npt.NDArray[np.bool_]

SWEEPS = 20
"""Most sweeps of exchanges over all pairs."""
EXACT = 1 << 53
"""Whole numbers up to it are exact in floating point."""


@dataclass(frozen=True)
class BalancedLayer:
    """What the balance must know of a layer.

    Attributes:
        mask: bool (rows, columns), the elements that are stored.
        source, target: names of the tensors that the layer reads and makes.
        pixels: columns per channel of the source; above 1 where a fully connected layer reads a map.
        ff, ng: clocks per element in FF and NG (entries of the tap lists); 0 where a layer has no such phase.
    """

    mask: Mask
    source: str
    target: str
    pixels: int = 1
    ff: int = 1
    ng: int = 1


def distribute(loads: npt.ArrayLike, rooms: Sequence[int]) -> IntArray:
    """A group for every item, so that the groups' loads are nearly the same in every component.

    Longest first to the group with the smallest load; with several components, to the one whose load has the smallest
    scalar product with the item's. Then pairs are exchanged as long as that makes the sum of the squares of all loads
    smaller.

    Args:
        loads: not negative, (items,) or (items, components), in clocks.
        rooms: most items of every group; together at least as many as there are items.

    Returns:
        Groups, int64 (items,).

    Raises:
        ValueError: there is not room for all items, or a load is negative.
    """
    items = np.asarray(loads, dtype=np.int64)
    items = np.ascontiguousarray(items[:, np.newaxis] if items.ndim == 1 else items)
    room = np.array(rooms, dtype=np.int64)
    if room.sum() < len(items):
        raise ValueError(f"{len(items)} items do not fit in groups of {room.sum()} together")
    if (items < 0).any():
        raise ValueError("a load must not be negative")
    group = np.zeros(len(items), dtype=np.int64)
    totals = np.zeros((len(room), items.shape[1]), dtype=np.int64)
    longest_first(np.argsort(-items.sum(axis=1), kind="stable"), items, room, group, totals)
    products, fits = _products(items, items), _products(totals, items)
    for _ in range(SWEEPS):
        if not exchange(products, fits, group):
            break
    return group


def _products(ones: IntArray, others: IntArray) -> IntArray:
    """Scalar products of the rows of two arrays of numbers that are not negative, int64 (ones, others).

    In floating point, which has the faster product of matrices, where all of their sums are exact.
    """
    if not ones.size or int(ones.max()) * int(others.max()) * ones.shape[1] >= EXACT:
        return ones @ others.T
    return (ones.astype(np.float64) @ others.T.astype(np.float64)).astype(np.int64)


def order_of_channels(loads: npt.ArrayLike, block: int) -> IntArray:
    """The permutation of a tensor's channels: place ``n`` is for channel ``order[n]``; int64 (channels,).

    Args:
        loads: (channels, components), see ``distribute``.
        block: channels of a block; the last block may be ragged.
    """
    channels = len(np.asarray(loads))
    rooms = [min(block, channels - first) for first in range(0, channels, block)]
    return np.argsort(distribute(loads, rooms), kind="stable")


def orders_of_tensors(
    layers: Sequence[BalancedLayer], blocks: Mapping[str, int], fixed: Collection[str] = (), passes: int = 2
) -> dict[str, IntArray]:
    """Permutations of the channels of all tensors of a network.

    Tensors are balanced one after the other against the blocks of the tensors at the other ends of their layers, which
    change when those are balanced; hence more than one pass.

    Args:
        layers: in any order; several may read or make the same tensor.
        blocks: channels of a block of every tensor.
        fixed: tensors whose channels stay where they are.
        passes: over all tensors.

    Returns:
        For every tensor its order, see ``order_of_channels``.

    Raises:
        ValueError: layers do not agree on the number of channels of a tensor.
    """
    channels: dict[str, int] = {}
    for layer in layers:
        for name, n in ((layer.source, layer.mask.shape[1] // layer.pixels), (layer.target, layer.mask.shape[0])):
            if channels.setdefault(name, n) != n:
                raise ValueError(f"tensor {name} has {channels[name]} channels in one layer and {n} in another")
    orders = {name: np.arange(n, dtype=np.int64) for name, n in channels.items()}
    for _ in range(passes):
        for name in channels:
            if name not in fixed:
                orders[name] = order_of_channels(_loads(name, layers, blocks, orders), blocks[name])
    return orders


def permute(layer: BalancedLayer, orders: Mapping[str, IntArray], array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array (rows, columns, …) of a layer, such as mask or masters, with the channels in their new order."""
    columns = orders[layer.source][:, np.newaxis] * layer.pixels + np.arange(layer.pixels)
    return array[orders[layer.target]][:, columns.reshape(-1)]


def _loads(
    name: str, layers: Sequence[BalancedLayer], blocks: Mapping[str, int], orders: Mapping[str, IntArray]
) -> IntArray:  # fmt: skip
    """Clocks of a tensor's channels, in their first order, against every block of the other side; (channels, …).

    The sum over the blocks is a component too: a slot that is ahead in one block can be behind in the next one.
    """
    parts: list[IntArray] = [np.zeros((len(orders[name]), 1), dtype=np.int64)]
    for layer in layers:
        if name not in (layer.source, layer.target):
            continue
        counts: npt.NDArray[Any] = layer.mask  # per channel of the source
        if layer.pixels > 1:
            counts = counts.reshape(len(counts), -1, layer.pixels).sum(axis=2)
        for end, other, clocks, matrix in (
            (layer.target, layer.source, layer.ff, counts),
            (layer.source, layer.target, layer.ng, counts.T),
        ):
            if end == name and clocks:
                sums = block_sums(matrix[:, orders[other]], 1, blocks[other]) * clocks
                parts += [sums, sums.sum(axis=1, keepdims=True)]
    return np.concatenate(parts, axis=1)


@njit(cache=True)
def longest_first(order: Array, loads: Array, room: Array, group: Array, totals: Array) -> None:
    """Give items their groups in the order given; fills ``group`` and ``totals``, uses up ``room``."""
    for item in order:
        best, least, least_sum = -1, np.int64(0), np.int64(0)
        for g in range(len(room)):
            if room[g] > 0:
                product = np.int64(0)
                total = np.int64(0)
                for k in range(loads.shape[1]):
                    product += totals[g, k] * loads[item, k]
                    total += totals[g, k]
                if best < 0 or product < least or (product == least and total < least_sum):
                    best, least, least_sum = g, product, total
        group[item] = best
        room[best] -= 1
        for k in range(loads.shape[1]):
            totals[best, k] += loads[item, k]


@njit(cache=True)
def exchange(products: Array, fits: Array, group: Array) -> bool:
    """Exchange pairs of items where that lowers the sum of squares of the groups' loads; false if none did.

    What an exchange of ``a`` and ``b`` changes, the sum of ``d*(t_a - t_b + d)`` over the components with ``d = b - a``
    and ``t`` the loads of their groups, is made of scalar products: no pair looks at the components.

    Args:
        products: of the items' loads, (items, items).
        fits: of the groups' loads and the items', (groups, items); changes with the groups.
        group: of every item.
    """
    changed = False
    for a in range(len(group)):
        for b in range(a + 1, len(group)):
            ga, gb = group[a], group[b]
            if ga == gb:
                continue
            square = products[a, a] + products[b, b] - 2 * products[a, b]
            if fits[ga, b] - fits[gb, b] - fits[ga, a] + fits[gb, a] + square < 0:
                for item in range(len(group)):
                    more = products[b, item] - products[a, item]
                    fits[ga, item] += more
                    fits[gb, item] -= more
                group[a], group[b] = gb, ga
                changed = True
    return changed
