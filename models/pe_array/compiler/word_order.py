# SPDX-License-Identifier: Apache-2.0
"""Which random word of the array rounds which weight or pixel: that order is taken from a step's program."""

from __future__ import annotations

import math

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.compiler.phases import BIAS
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import Collect, Drain, Learn, Output, Slot, Update
from models.pe_array.isa.runs import Runs, levels_of
from models.pe_array.network.random_words import WordOrder
from models.pe_array.network.weight_update import UPDATE_WORDS, learn_order


def word_order(step: StepProgram) -> WordOrder:
    """Of a training step's program."""
    updates, biases, update_words = _updates(step)
    deltas, delta_words = _deltas(step)
    return WordOrder(updates, update_words, deltas, delta_words, biases)


def _updates(step: StepProgram) -> tuple[dict[int, IntArray], dict[int, IntArray], int]:
    found: dict[int, IntArray] = {}
    biases: dict[int, IntArray] = {}
    of = {step.masters(index): (index, matrix, found) for index, matrix in step.matrices.items()}
    of |= {step.masters(index, BIAS): (index, matrix, biases) for index, matrix in step.biases.items()}
    words, lanes = 0, step.grid.beat // UPDATE_WORDS
    slots: dict[int, Slot] = {}
    places: dict[int, IntArray] = {}  # by address of the masters: of all weights as they are in memory
    for each in step.descriptors:
        if isinstance(each, Slot):
            slots[each.slot] = each
        elif isinstance(each, Collect):
            slots = {}
        elif isinstance(each, Update) and each.stochastic:
            places[each.masters] = words * lanes + np.arange(of[each.masters][1].length)
            words += UPDATE_WORDS * each.beats
        elif isinstance(each, Learn):
            named = [slots[slot] for slot in sorted(slots) if slots[slot].gradients]
            slots = {}
            at = places.setdefault(each.masters, np.zeros(of[each.masters][1].length, dtype=np.int64))
            for slot, first, count in learn_order([-(-slot.gradients // lanes) for slot in named]):
                begin = (named[slot].beat + first) * lanes
                at[begin : begin + count * lanes] = words * lanes + np.arange(count * lanes)
                words += count
    for masters, numbers in places.items():
        index, matrix, kind = of[masters]
        kind[index] = matrix.gather(numbers).astype(np.int64)
    return found, biases, words


def _deltas(step: StepProgram) -> tuple[dict[int, list[IntArray]], int]:
    lanes, words = step.grid.shape.lanes, 0
    names = {index: f"delta{index}" for index in range(len(step.config.layers))}
    maps = {index: step.tensors[name] for index, name in names.items() if name not in step.absent}
    writes: dict[int, list[IntArray]] = {index: [] for index in maps}  # per drain: places in the map, and words
    output = None
    for each in step.descriptors:
        if isinstance(each, Output):
            output = each
        elif isinstance(each, Drain) and output is not None and output.stochastic:
            index = next(n for n, map in maps.items() if 0 <= output.address - map.address < map.bytes)
            runs = Runs.pattern(output.address - maps[index].address, output.run_beats, levels_of(output, lanes))
            at = runs.addresses(lanes) // lanes
            writes[index].append(np.stack([at, words + np.arange(len(at))]))
            words += len(at)
    found: dict[int, list[IntArray]] = {}
    for index, drains in writes.items():
        if drains:
            shape = step.config.layers[index].out_shape
            passes = np.concatenate(drains, axis=1).reshape(2, -1, math.prod(shape))  # each writes the whole map
            found[index] = []
            for at, numbers in zip(*passes, strict=True):
                order = np.empty(shape, dtype=np.int64)
                order[step.order(f"delta{index}")] = numbers[np.argsort(at)].reshape(shape)
                found[index].append(order)
    return found, words
