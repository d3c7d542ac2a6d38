# SPDX-License-Identifier: Apache-2.0
"""From partial gradients to new weights, word by word as the RTL makes them (docs/pe_array/rounding.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray, round_shift, saturate
from models.pe_array.isa.pe_command import GRADIENT_BITS, wrap
from models.pe_array.isa.runs import COLLECT_CHUNK
from models.pe_array.isa.widths import MOMENTUM_BITS, SHIFT_MAX, STANDARD, Widths
from models.pe_array.network.requantise import BoolArray, rounded

DECAY_MAX = 15
UPDATE_WORDS = 4
"""Words of an update per beat of MAC weights, and the bytes of a weight in them."""


def sum_gradients(partial: npt.ArrayLike, group: int) -> IntArray:
    """Sums of the partial gradients of each slot, modulo 2^32, int64 (P // group, n).

    Args:
        partial: what each PE delivers, in its order, (P, n); PE ``p`` belongs to slot ``p // group``.
        group: S, PEs per slot.

    Raises:
        ValueError: S does not divide P.
    """
    values = np.asarray(partial, dtype=np.int64)
    if group < 1 or len(values) % group:
        raise ValueError(f"group = {group} must divide P = {len(values)}")
    return wrap(values.reshape(-1, group, values.shape[1]).sum(axis=1), GRADIENT_BITS)


def pack_gradients(gradients: npt.ArrayLike, lanes: int) -> IntArray:
    """Words of ``lanes`` gradients, lane 0 first, zeros in the lanes that the last one lacks; int64 (words, lanes)."""
    flat = np.asarray(gradients, dtype=np.int64).reshape(-1)
    return np.concatenate([flat, np.zeros(-len(flat) % lanes, dtype=np.int64)]).reshape(-1, lanes)


def learn_order(words: npt.ArrayLike, chunk: int = COLLECT_CHUNK) -> list[tuple[int, int, int]]:
    """Chunks (slot, first word, words) of a LEARN in their order: ``chunk`` words of every slot in turn.

    The words of a slot are filled up to a whole beat of MAC weights. Random words are taken in this order.

    Args:
        words: of every slot, from slot 0 on.
    """
    left = [-(-count // UPDATE_WORDS) * UPDATE_WORDS for count in np.asarray(words, dtype=np.int64).tolist()]
    return [
        (slot, first, min(chunk, count - first))
        for first in range(0, max(left, default=0), chunk)
        for slot, count in enumerate(left)
        if first < count
    ]


@dataclass(frozen=True)
class Updated:
    """What `weight_update.v` gives, all of one shape.

    Attributes:
        master: new master weights, signed.
        momentum: new momenta, 32 bits signed; None where there were none.
        weight: MAC weights, signed.
        master_clipped, momentum_clipped, weight_clipped: which were clipped; momenta: they, or Nesterov's steps.
    """

    master: IntArray
    momentum: IntArray | None
    weight: IntArray
    master_clipped: BoolArray
    momentum_clipped: BoolArray
    weight_clipped: BoolArray


def _moved(v: IntArray, decay: int, g: IntArray) -> tuple[IntArray, BoolArray]:
    """``sat32(v - hu(v, m) + g)``, and which were clipped."""
    return saturate(v - round_shift(v, decay) + g, MOMENTUM_BITS)


def weight_update(
    master: npt.ArrayLike,
    gradient: npt.ArrayLike,
    shift: int,
    random: npt.ArrayLike | None = None,
    momentum: npt.ArrayLike | None = None,
    decay: int = 0,
    widths: Widths = STANDARD,
    *,
    nesterov: bool = False,
    weight_decay: int = 0,
) -> Updated:
    """``w' = sat(w - hu(w, d) - round(s, k))``; without weight decay the middle term is missing.

    The step s is g, with momentum ``v' = sat32(v - hu(v, m) + g)``, with Nesterov's ``sat32(v' - hu(v', m) + g)``:
    the momentum that v' and the same gradient would make.

    Args:
        master: weights w, any shape.
        gradient: 32-bit gradients g of the same shape.
        shift: k, 0 … 31.
        random: 16-bit random words of the same shape; None rounds half up. Decays always do.
        momentum: 32-bit momenta v of the same shape; needs ``decay``.
        decay: m, 1 … 15; 0 without momentum.
        widths: of masters and MAC weights.
        nesterov: counts with momentum alone.
        weight_decay: d, 1 … 31; 0: none.

    Raises:
        ValueError: a shift out of its range, or only one of momentum and decay.
    """
    w, g = np.asarray(master, dtype=np.int64), np.asarray(gradient, dtype=np.int64)
    for name, value, most in (("decay", decay, DECAY_MAX), ("weight_decay", weight_decay, SHIFT_MAX)):
        if not 0 <= value <= most:
            raise ValueError(f"{name} = {value} must be 0 … {most}")
    if (momentum is not None) != (decay > 0):
        raise ValueError(f"decay = {decay} must be {'0 without' if decay else 'at least 1 with'} momenta")
    step, new_momentum, momentum_clipped = g, None, np.zeros(g.shape, dtype=np.bool_)
    if momentum is not None:
        new_momentum, momentum_clipped = _moved(np.asarray(momentum, dtype=np.int64), decay, g)
        step = new_momentum
        if nesterov:
            step, ahead_clipped = _moved(new_momentum, decay, g)
            momentum_clipped = momentum_clipped | ahead_clipped
    if weight_decay:
        w = w - round_shift(w, weight_decay)
    new, clipped = saturate(w - rounded(step, shift, random), widths.master)
    weight, weight_clipped = saturate(round_shift(new, widths.dropped), widths.data)
    return Updated(new, new_momentum, weight, clipped, momentum_clipped, weight_clipped)
