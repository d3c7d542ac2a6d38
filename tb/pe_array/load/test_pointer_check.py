# SPDX-License-Identifier: Apache-2.0
"""Bench of pointer_check.v: every beat's verdict two clocks later, over arrays with at most one fault."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack

LATENCY = 2


def array(b: Bench, lanes: int) -> tuple[list[int], int]:
    """Pointers and elements, with a fault or without."""
    rng = b.rng
    blocks = rng.choice([0, 1, lanes - 1, lanes, rng.randint(0, 5 * lanes)])
    top = rng.choice([0, 1, 9, (1 << 32) - 1])
    pointers = [0, *sorted(rng.choice([rng.randint(0, top), top]) for _ in range(blocks))]
    elements = pointers[-1]
    fault = rng.choice(["none", "none", "start", "fall", "end", "end"])
    at = rng.randrange(blocks + 1)
    if fault == "start":
        pointers[0] = rng.choice([1, 1 << 31, rng.randrange(1, 1 << 32)])
    elif fault == "fall" and pointers[at]:
        pointers[at] = rng.randrange(pointers[at])
    elif fault == "end":
        elements ^= 1 << rng.randrange(32)
    b.cover("fault", fault)
    return pointers, elements


def verdicts(pointers: list[int], elements: int, lanes: int) -> list[bool]:
    """Of every beat: whether a rule is broken by a pointer of it."""
    before = [0, *pointers]
    wrong = [p < q or (n == 0 and p != 0) for n, (p, q) in enumerate(zip(pointers, before, strict=False))]
    wrong[-1] |= pointers[-1] != elements
    return [any(wrong[n : n + lanes]) for n in range(0, len(wrong), lanes)]


@bench_test(timeout_clocks=3_000)
async def arrays(b: Bench) -> None:
    """Arrays of all lengths one after the other, beats of others in between, resets."""
    rng, lanes = b.rng, int(b.params["B"]) // 4
    b.drive(s_valid=0)
    await b.reset()
    way = deque([False] * LATENCY)
    gaps: Iterator[bool] = patterns.never()

    async def clock(valid: bool, first: bool, words: list[int], left: int, elements: int, bad: bool) -> bool:
        reset = rng.random() < 0.01
        b.drive(
            rst=reset,
            s_valid=valid,
            s_first=first,
            s_data=pack(words + [rng.getrandbits(32) for _ in range(lanes - len(words))], 32),
            s_left=left,
            s_elements=elements,
        )
        await b.clocks()
        b.check(bad=way.popleft())
        way.append(bad)
        if reset:
            b.cover("reset", "bad_inside" if any(way) else "else")
            way.extend([False] * LATENCY)
            for _ in range(LATENCY):
                way.popleft()
        return reset

    for _ in range(100):
        _, gaps = patterns.any_pattern(rng)
        pointers, elements = array(b, lanes)
        for beat, bad in enumerate(verdicts(pointers, elements, lanes)):
            while next(gaps):
                await clock(False, rng.random() < 0.5, [], rng.getrandbits(20), rng.getrandbits(32), False)
            start = beat * lanes
            words = pointers[start : start + lanes]
            if await clock(True, beat == 0, words, len(pointers) - 1 - start, elements, bad):
                break
    for _ in range(LATENCY):
        await clock(False, False, [], 0, 0, False)
