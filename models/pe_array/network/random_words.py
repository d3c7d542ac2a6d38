# SPDX-License-Identifier: Apache-2.0
"""Stochastic rounding in a network's training: which random word of the array rounds which weight or pixel.

All lanes of a module step once per word that is rounded stochastically (docs/pe_array/numbers.md, layer_programs.md).
So a number gets the word of its lane in the place that the program gives it: that order is data, and comes from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from models.lib.fixed_point import IntArray, lane_seed, lfsr_step
from models.pe_array.network.config import PeConfig
from models.pe_array.network.layers import HALF_UP, UInt16Array
from models.pe_array.network.weight_update import UPDATE_WORDS

PERIOD = 65535
"""Steps after which a lane begins again."""


@cache
def _states() -> tuple[UInt16Array, IntArray]:
    """The states of a lane, two periods from state 1 on, and the place of every state in the first."""
    states, places = np.empty(2 * PERIOD, dtype=np.uint16), np.zeros(PERIOD + 1, dtype=np.int64)
    state = 1
    for n in range(PERIOD):
        states[n], places[state] = state, n
        state = int(lfsr_step(state))
    states[PERIOD:] = states[:PERIOD]
    return states, places


@dataclass(frozen=True)
class WordOrder:
    """Which word rounds what in a step, words counted from the first one of the step.

    Attributes:
        updates: per layer with weights: ``word * lanes + lane`` of every weight, int64 (n, KH, KW); lanes: beat / 4.
        update_words: words of all updates.
        deltas: per layer, and per pass that the gradient by its output is made in: word of every pixel, int64
            (channels, H, W); image ``b`` is lane ``b``. Only of gradients that the program rounds stochastically.
        delta_words: words of all these.
        biases: as ``updates``: of every bias of a layer, int64 (rows,).
    """

    updates: dict[int, IntArray]
    update_words: int
    deltas: dict[int, list[IntArray]]
    delta_words: int
    biases: dict[int, IntArray] = field(default_factory=dict)


class RandomWords:
    """The random words of a network's training, step after step. They belong to a program: see ``order``.

    Attributes:
        order: of the program for the positions that the elements have now; None: not known, no step can be made.
        taken: words that updates and deltas have taken since the seed, modulo ``PERIOD``, int64 (2,).
    """

    def __init__(self, config: PeConfig) -> None:
        """At the configuration's seed."""
        training = config.training
        self._stochastic = training.stochastic_updates, training.stochastic_gradients
        batch, lanes = training.batch, config.wide * training.batch // UPDATE_WORDS
        self._states, places = _states()
        self._updates = places[lane_seed(batch + np.arange(lanes), training.rounding_seed)]
        self._deltas = places[lane_seed(np.arange(batch), training.rounding_seed)]
        self.order: WordOrder | None = None
        self.taken: IntArray = np.zeros(2, dtype=np.int64)

    def of_update(self, layer: int) -> UInt16Array:
        """Of all weights of a layer, flat, or HALF_UP."""
        return self._update_words(self._known().updates[layer]) if self._stochastic[0] else HALF_UP

    def of_biases(self, layer: int) -> UInt16Array:
        """Of all biases of a layer, or HALF_UP."""
        return self._update_words(self._known().biases[layer]) if self._stochastic[0] else HALF_UP

    def _update_words(self, order: IntArray) -> UInt16Array:
        words, lanes = np.divmod(order.reshape(-1), len(self._updates))
        return np.asarray(self._states[self._updates[lanes] + (words + self.taken[0]) % PERIOD])

    def of_delta(self, layer: int, number: int) -> UInt16Array:
        """Of a pass of the gradient by the output of a layer, flat (channels, H, W, batch), or HALF_UP."""
        if not self._stochastic[1]:
            return HALF_UP
        words = (self._known().deltas[layer][number].reshape(-1, 1) + self.taken[1]) % PERIOD
        return np.asarray(self._states[self._deltas + words]).reshape(-1)

    def updates_done(self) -> None:
        """The updates of a step are behind."""
        self.taken[0] = (self.taken[0] + (self._known().update_words if self._stochastic[0] else 0)) % PERIOD

    def deltas_done(self) -> None:
        """The way back of a step is behind."""
        self.taken[1] = (self.taken[1] + (self._known().delta_words if self._stochastic[1] else 0)) % PERIOD

    def _known(self) -> WordOrder:
        if self.order is None:
            raise ValueError("stochastic rounding needs the order of a program's words for these positions")
        return self.order
