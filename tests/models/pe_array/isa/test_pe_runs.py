# SPDX-License-Identifier: Apache-2.0
"""Runs of beats: which have a byte in common."""

from __future__ import annotations

import random

from models.pe_array.isa.runs import Runs, Spans

LANES = 8


def test_spans_meet_where_there_is_a_byte_in_both() -> None:
    rng, found = random.Random(1), {True: 0, False: 0}
    for _ in range(300):
        made = []
        for _ in range(2):
            beats = rng.randint(1, 3)
            levels = [(rng.randint(1, 4), (beats + rng.randint(0, 3)) * LANES), (rng.randint(1, 3), 40 * LANES)]
            made.append(Runs.pattern(rng.randrange(60) * LANES, beats, rng.sample(levels, 2)))
        one, other = (Spans(each, LANES) for each in made)
        common = not {*made[0].addresses(LANES).tolist()}.isdisjoint(made[1].addresses(LANES).tolist())
        assert one.meet(other) == other.meet(one) == common
        found[common] += 1
    assert min(found.values()) > 50
