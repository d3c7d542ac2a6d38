# SPDX-License-Identifier: Apache-2.0
"""Random memories and commands for a processing element, legal ones with all their corners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.isa.pe_command import Memory, Op, PeCommand, PeShape, Tap, pack_taps
from models.pe_array.machine.pe import ProcessingElement
from tb.lib import values
from tb.lib.bench import Bench


def shape_of(params: dict[str, Any]) -> PeShape:
    """The model's shape for HDL parameters of pe."""
    depths = {f"{name}_depth": params.get(f"{name.upper()}_DEPTH") for name in "xywet"}
    return PeShape(params.get("B", 32), params.get("ACC", 32), **{k: v for k, v in depths.items() if v is not None})


def tap_words(b: Bench, shape: PeShape, words: int) -> IntArray:
    """Tap entries of so many words of T; `last` is often there, so that lists of any length can be cut out of them."""
    count = words * shape.lanes // 4
    p_last, p_null = b.rng.choice([0.1, 0.3, 0.7, 1.0]), b.rng.choice([0.0, 0.2, 0.8])
    yoffs = b.rng.choice([1, 2, 4, 1 << 10])
    taps = [
        Tap(
            xoff=b.rng.randrange(1 << 12),
            woff=b.rng.choice([b.rng.randrange(1 << 7), b.rng.randrange(4)]),
            yoff=b.rng.randrange(yoffs),
            last=b.rng.random() < p_last,
            null=b.rng.random() < p_null,
        )
        for _ in range(count)
    ]
    taps[-1] = replace(taps[-1], last=True)
    return np.frombuffer(pack_taps(taps).tobytes(), dtype=np.int8).reshape(words, shape.lanes).astype(np.int64)


def memory_words(b: Bench, shape: PeShape, memory: Memory, words: int) -> IntArray:
    """Random bytes (words, lanes) for a memory; operands of UNPOOL are often indices that its lists have."""
    if memory == Memory.T:
        return tap_words(b, shape, words)
    if memory == Memory.Y and b.rng.random() < 0.5:
        return b.np.integers(0, 4, (words, shape.lanes))
    return values.signed(b, 8, (words, shape.lanes))


@dataclass(frozen=True)
class Footprint:
    """Y words that a command reads as operands and writes as results (both modulo the depth)."""

    operands: frozenset[int]
    results: frozenset[int]


def footprint(pe: ProcessingElement, command: PeCommand) -> Footprint:
    """What a command does with Y. `results` of MAC and MAX are their accumulators, those of GRAD none."""
    shape = pe.shape
    row, col = element_coordinates(pe, command)
    entries = list_entries(pe, command)
    yoff, last = entries >> 19 & 0x3FF, entries >> 29 & 1
    out = col if command.swap else row
    y = (command.ybase + out[:, None] * command.ystride + yoff[None, :]) % shape.y_depth
    count = int(last.sum()) * command.elements
    ring = (command.rbase + np.arange(count)) % shape.y_depth
    words = frozenset(y.reshape(-1).tolist())
    return Footprint(words, frozenset(ring.tolist()) if command.op == Op.UNPOOL else words)


def element_coordinates(pe: ProcessingElement, command: PeCommand) -> tuple[IntArray, IntArray]:
    """Row and col of the command's elements."""
    first = command.ebase * (pe.shape.lanes // 2)
    packed = pe.e[(first + np.arange(command.elements)) % len(pe.e)].astype(np.int64)
    return packed >> 8, packed & 0xFF


def list_entries(pe: ProcessingElement, command: PeCommand) -> IntArray:
    """Entries of the command's tap list."""
    first = command.tbase * (pe.shape.lanes // 4)
    return pe.t[(first + np.arange(command.taps)) % len(pe.t)].astype(np.int64)


def list_lengths(pe: ProcessingElement, tbase: int, most: int) -> list[int]:
    """Lengths that a list from word ``tbase`` on can have: where its final entry has `last`."""
    first = tbase * (pe.shape.lanes // 4)
    last = pe.t[(first + np.arange(most)) % len(pe.t)] >> 29 & 1
    return [int(k) + 1 for k in np.flatnonzero(last)]


def random_command(
    b: Bench, pe: ProcessingElement, before: PeCommand | None, op: Op | None = None, entries: int = 120
) -> PeCommand:
    """A legal command on anything in the memories, of about so many entries at most.

    `before` is the command that is queued ahead of it: an UNPOOL must not read what an UNPOOL there writes. No GRAD or
    UNPOOL clears and has no elements.
    """
    shape, rng = pe.shape, b.rng
    while True:
        chosen = op if op is not None else rng.choice([before.op if before else Op.MAC, *Op])
        tbase = rng.randrange(shape.t_depth)
        lengths = list_lengths(pe, tbase, min(len(pe.t) + 2, 40))
        if not lengths:
            continue
        taps = rng.choice([lengths[0], rng.choice(lengths)])
        command = PeCommand(
            op=chosen,
            taps=taps,
            elements=rng.choice(
                [0, 1, rng.randint(1, max(1, entries // taps)), rng.randint(1, max(1, entries // taps))]
            ),
            swap=rng.random() < 0.5,
            clear=rng.choice([0, 0, 0, 1, rng.randint(0, min(shape.y_depth, 40))]),
            ebase=rng.randrange(shape.e_depth),
            wbase=rng.randrange(shape.w_depth),
            wstride=rng.choice([0, 1, 9, rng.randrange(1 << 7)]),
            tbase=tbase,
            xbase=rng.randrange(shape.x_depth),
            xstride=rng.choice([0, 1, rng.randrange(1 << 12)]),
            ybase=rng.randrange(shape.y_depth),
            ystride=rng.choice([0, 0, 1, 4, rng.randrange(1 << 10)]),
            rbase=rng.randrange(shape.y_depth),
        )
        if chosen in (Op.GRAD, Op.UNPOOL) and not command.elements:
            command = replace(command, clear=0)
        if chosen != Op.UNPOOL:
            return command
        mine = footprint(pe, command)
        earlier = footprint(pe, before).results if before is not None and before.op == Op.UNPOOL else frozenset[int]()
        if not mine.operands & (mine.results | earlier):
            return command
        if op is None and rng.random() < 0.1:  # it may be that there is none
            return replace(command, op=Op.MAX)
