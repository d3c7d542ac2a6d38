# SPDX-License-Identifier: Apache-2.0
"""The engine once more, slowly: plain Python integers, pass by pass, clock by clock and lane by lane.

Written from docs/edge/*.md alone, so that it can judge models/edge. It shares no code with it: it takes the
bare numbers of a configuration, and works out schedule, connectivity, tables and random numbers by itself.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class ReferenceNetwork:
    layers: list[int]
    fan_out: list[int]
    z: list[int]
    activations: list[str]
    classes: int
    width: int
    frac: int
    lr_max: int
    seeds: list[list[list[int]]]  # [junction][row][memory]
    perms: list[list[list[int]]]  # [junction][sweep][lane]
    weights: list[list[int]]
    biases: list[list[int]]
    sat_ff: list[int] = field(default_factory=list)
    sat_bp: list[int] = field(default_factory=list)
    sat_up: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.count = len(self.z)
        self.edges = [self.layers[i] * self.fan_out[i] for i in range(self.count)]
        self.fan_in = [self.edges[i] // self.layers[i + 1] for i in range(self.count)]
        self.clocks = [self.edges[i] // self.z[i] for i in range(self.count)]
        self.pass_clocks = max(4, *self.clocks)
        self.together = [max(1, self.z[i] // self.fan_in[i]) for i in range(self.count)]
        levels = [math.ceil(math.log2(min(self.fan_in[i], self.z[i]))) for i in range(self.count)]
        tree = [1 + math.ceil((n - 1) / 2) if n else 0 for n in levels]
        cp = self.pass_clocks
        self.ffo = [0] * self.count
        for i in range(1, self.count):
            self.ffo[i] = self.ffo[i - 1] + math.ceil((self.clocks[i - 1] + 7 + tree[i - 1]) / cp)
        self.upo = [0] * self.count
        self.upo[-1] = self.ffo[-1] + math.ceil((self.clocks[-1] + 13 + tree[-1]) / cp)
        if self.count > 1:
            copied = self.ffo[-2] + math.ceil((self.clocks[-2] + 9 + tree[-2]) / cp)
            self.upo[-1] = max(self.upo[-1], copied + 1)
        for i in range(self.count - 1, 0, -1):
            self.upo[i - 1] = self.upo[i] + math.ceil((self.clocks[i] + 10) / cp)

    def left(self, i: int, c: int, lane: int) -> int:
        depth = self.layers[i] // self.z[i]
        sweep, t = divmod(c, depth)
        memory = self.perms[i][sweep][lane]
        seed = self.seeds[i][sweep if len(self.seeds[i]) > 1 else 0][memory]
        return (seed + t) % depth * self.z[i] + memory

    def clip(self, x: int) -> int:
        limit = 1 << (self.width - 1)
        return max(-limit, min(limit - 1, x))

    def half_up(self, x: int, shift: int) -> int:
        return math.floor((x + 2 ** (shift - 1)) / 2**shift) if abs(x) < 2**52 else (x + 2 ** (shift - 1)) >> shift

    def activation(self, i: int, s: int) -> tuple[int, int]:
        one = 2**self.frac
        if self.activations[i] == "relu":
            return (s, one) if s > 0 else (0, 0)
        bits = min(self.width, 12)
        index = s // 2 ** (self.width - bits)
        middle = 0.5 if self.width > bits else 0.0
        x = (index + middle) * 2 ** (self.width - bits) / one
        sig = 1 / (1 + math.exp(-x))
        return math.floor(one * sig + 0.5), math.floor(one * sig * (1 - sig) + 0.5)

    def addend(self, shift: int, lane: int) -> int:
        if not self.stochastic:
            return 2 ** (shift - 1)
        state = self.lfsr[lane]
        return state << (shift - 16) if shift >= 16 else state >> (16 - shift)

    def step(self, lane: int) -> None:
        x = self.lfsr[lane]
        self.lfsr[lane] = (x >> 1) ^ (0xB400 if x & 1 else 0)

    def run(
        self, x: list[list[int]], labels: list[int], mode: str, lr: int, stochastic: bool, rng_seed: int
    ) -> list[list[int]]:
        """Outputs of every sample; mode is "pipelined", "sequential" or "inference"."""
        self.stochastic, self.lr, self.labels = stochastic, lr, labels
        self.lfsr = []
        for lane in range(sum(z + p for z, p in zip(self.z, self.together, strict=True))):
            self.lfsr.append((((lane + 1) * 40503) % 65536) ^ rng_seed or 1)
        self.sat_ff, self.sat_bp, self.sat_up = ([0] * self.count for _ in range(3))
        self.act: dict[tuple[int, int], list[int]] = {(0, n): row for n, row in enumerate(x)}  # (layer, sample)
        self.der: dict[tuple[int, int], list[int]] = {}
        self.delta: dict[tuple[int, int], list[int]] = {}
        self.sums: dict[tuple[int, int], list[int]] = {}
        period = self.upo[0] + 1 if mode == "sequential" else 1
        admitted = {n * period: n for n in range(len(x))}  # pass -> sample
        passes = len(x) * period if mode == "sequential" else len(x) + self.upo[0]
        for number in range(passes):
            writes = []
            for i in range(self.count):
                sample = admitted.get(number - self.ffo[i])
                if sample is not None:
                    self.feedforward(i, sample)
                sample = admitted.get(number - self.upo[i])
                if sample is not None and mode != "inference":
                    self.make_delta(i, sample)
                    if i > 0:
                        self.backpropagate(i, sample)
                    writes.append((i, *self.update(i, sample)))
            for i, weights, biases in writes:
                self.weights[i], self.biases[i] = weights, biases
        return [self.act[self.count, n] for n in range(len(x))]

    def feedforward(self, i: int, n: int) -> None:
        z, fan_in = self.z[i], self.fan_in[i]
        total = [b << self.frac for b in self.biases[i]]
        for c in range(self.clocks[i]):
            for lane in range(z):
                e = c * z + lane
                total[e // fan_in] += self.weights[i][e] * self.act[i, n][self.left(i, c, lane)]
        act, der = [], []
        for value in total:
            s = self.half_up(value, self.frac)
            self.sat_ff[i] += s != self.clip(s)
            a, d = self.activation(i, self.clip(s))
            act.append(a)
            der.append(d)
        self.act[i + 1, n], self.der[i + 1, n] = act, der

    def make_delta(self, i: int, n: int) -> None:
        """Delta of the right layer of junction index i."""
        if i == self.count - 1:
            one = 2**self.frac
            self.delta[i + 1, n] = [a - (one if j == self.labels[n] else 0) for j, a in enumerate(self.act[i + 1, n])]
            return
        out = []
        for total, d in zip(self.sums[i + 1, n], self.der[i + 1, n], strict=True):
            t = self.half_up(total, self.frac)
            self.sat_bp[i] += t != self.clip(t)
            out.append(self.half_up(self.clip(t) * d, self.frac))
        self.delta[i + 1, n] = out

    def backpropagate(self, i: int, n: int) -> None:
        sums: dict[int, int] = defaultdict(int)
        for c in range(self.clocks[i]):
            for lane in range(self.z[i]):
                e = c * self.z[i] + lane
                sums[self.left(i, c, lane)] += self.weights[i][e] * self.delta[i + 1, n][e // self.fan_in[i]]
        self.sums[i, n] = [sums[k] for k in range(self.layers[i])]

    def update(self, i: int, n: int) -> tuple[list[int], list[int]]:
        z, fan_in, together = self.z[i], self.fan_in[i], self.together[i]
        base = sum(self.z[k] + self.together[k] for k in range(i))
        up = self.lr_max - self.lr
        shift = self.frac + self.lr_max
        weights, biases = list(self.weights[i]), list(self.biases[i])
        per_group = fan_in // z if z < fan_in else 1
        for c in range(self.clocks[i]):
            for lane in range(z):
                e = c * z + lane
                change = self.act[i, n][self.left(i, c, lane)] * self.delta[i + 1, n][e // fan_in] * 2**up
                new = (weights[e] * 2**shift - change + self.addend(shift, base + lane)) // 2**shift
                self.sat_up[i] += new != self.clip(new)
                weights[e] = self.clip(new)
                self.step(base + lane)
            if c % per_group == 0:
                for k in range(together):
                    j = c // per_group * together + k
                    change = self.delta[i + 1, n][j] * 2**up
                    addend = self.addend(self.lr_max, base + z + k)
                    new = (biases[j] * 2**self.lr_max - change + addend) // 2**self.lr_max
                    self.sat_up[i] += new != self.clip(new)
                    biases[j] = self.clip(new)
                    self.step(base + z + k)
        return weights, biases
