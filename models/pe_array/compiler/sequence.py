# SPDX-License-Identifier: Apache-2.0
"""Phases behind each other in one program: what an operation of a phase must wait for of the phases before.

The descriptors of a phase count loads, computes and stores from its start. Behind others,

- loads wait until no compute uses the half of a memory that they fill (``halves``),
- loads of a map wait until the bytes that they read of it are stored,
- commands and loads to Y wait until no drain reads that half,
- the first gradients of a WG wait for the collects of the WG before: sums of gradients are set for one split at a time,
- a collect that adds waits for the one whose gradients it adds to,
- an update waits for the gradients, and for the loads of the phases that multiply with the old weights,
- a WG whose gradients go to the update at once waits for these loads.

Nothing in a step waits for an update, so that updates run beside the phases behind them.

Weights come before maps at the beginning of a phase, because they need not wait for the drains of the phase before.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as List
from dataclasses import dataclass

from models.pe_array.compiler.allocation import Tensor
from models.pe_array.compiler.halves import Halves, memory_of
from models.pe_array.compiler.phases import Phase
from models.pe_array.isa.descriptors import (
    Collect,
    Compute,
    Delta,
    Descriptor,
    Drain,
    Engine,
    Learn,
    Map,
    Output,
    Pointers,
    Slot,
    Stream,
    Update,
    Window,
)
from models.pe_array.isa.operations import After
from models.pe_array.isa.pe_command import Memory, Op, PeShape
from models.pe_array.isa.runs import Runs, Spans, large_runs, levels_of, spreads
from models.pe_array.network.config import Training


@dataclass(frozen=True)
class _Stored:
    """Bytes of a map, None: all, and the number of stores after which they are there."""

    bytes: Spans | None
    stores: int


class Sequence:
    """A program in the making.

    Args:
        tensors: of the network, by name.
        parts: maps that another one consists of, by its name.
        shape: of the PEs.

    Attributes:
        descriptors: made so far.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], parts: Mapping[str, tuple[str, ...]], shape: PeShape
    ) -> None:  # fmt: skip
        self._tensors, self._parts, self._lanes = tensors, parts, shape.lanes
        self.descriptors: list[Descriptor] = []
        self._loads = self._computes = self._stores = 0
        self._stored: dict[str, list[_Stored]] = {}  # of every map
        self._halves = Halves(shape)
        self._found: dict[tuple[str | None, int, int, int, int], int] = {}  # what loads of a phase wait for
        self._read: dict[int, int] = {}  # loads after which a layer's weights are no longer needed
        self._collected = 0  # stores after which all gradients are in memory

    def check(self, layer: int, blocks: int, elements: int) -> None:
        """Check the pointers of a layer's matrix."""
        self._put(Pointers(self._tensors[f"pointers{layer}"].address, blocks, elements))

    def add(self, phase: Phase, descriptors: List[Descriptor], learn: Learn | None = None) -> None:
        """A phase, whose descriptors count from their own start; learn: what stands for its collects, or None."""
        loads, computes, stores = self._loads, self._computes, self._stores
        collects: dict[tuple[Slot, ...], int] = {}
        slots: list[Slot] = []
        stored: list[_Stored] = []
        to: Output | None = None
        halves = self._halves
        self._found.clear()
        for each in self._first_weights(phase, halves.begin(descriptors)):
            after = each.after
            if isinstance(each, Map | Stream):
                filled = halves.filled(each)
                free = computes + after.computes if after.computes else max(halves.used[half] for half in filled)
                ready = 0
                if isinstance(each, Map):
                    ready = self._loaded(phase, each)
                    if each.y:
                        drained = stores + after.stores if after.stores else halves.drained[filled[0][1]]
                        ready = max(ready, drained)
                self._put(each.behind(After(0, free, ready)))
            elif isinstance(each, Compute):
                drained = stores + after.stores if after.stores else halves.y_free(each)
                ready = max(drained, self._collected if each.op == Op.GRAD else 0)
                self._put(each.behind(After(loads + after.loads, 0, ready)))
                halves.note(each, self._computes, 0)
            elif isinstance(each, Drain):
                beside = [name for made in phase.outputs for name in (made.mask, made.added, made.places)]
                masks = [self._ready(name) for name in beside if name is not None]
                self._put(each.behind(After(0, computes + after.computes, max(masks, default=0))))
                halves.note(each, 0, self._stores)
                assert to is not None
                stored.append(_Stored(self._written_by(each, to), self._stores))
            elif isinstance(each, Collect):
                if learn is not None:
                    self._put(learn.behind(After(loads=self._read.get(phase.layer, 0))))
                    continue
                key, slots = tuple(slots), []
                self._put(each.behind(After(stores=collects[key] if each.add else 0)))
                collects[key] = self._stores
            else:
                if isinstance(each, Slot):
                    slots.append(each)
                elif isinstance(each, Output):
                    to = each
                halves.note(each, 0, 0)
                self._put(each)
        for made in phase.outputs:
            self._stored[made.tensor] = stored
            if made.places is not None:
                self._stored.setdefault(made.places, [_Stored(None, self._stores)])  # what spreads only reads them
        if phase.gradients:
            self._collected = self._stores
        self._read[phase.layer] = self._loads

    def delta(self, layer: int, classes: int, softmax: bool) -> None:
        """Deltas of the last layer, whose outputs are the logits."""
        logits, labels, output = (self._tensors[name].address for name in (f"output{layer}", "labels", f"delta{layer}"))
        after = After(stores=self._ready(f"output{layer}"))
        self._put(Delta(logits, labels, output, classes, softmax, after=after))
        self._stored[f"delta{layer}"] = [_Stored(None, self._stores)]

    def update(self, layer: int, beats: int, learn: Learn, prefix: str = "") -> None:
        """New weights of a layer, after its last phase, or new biases.

        Args:
            learn: the settings; see ``learn``.
            prefix: of the name of the gradients: biases have one.
        """
        gradients = self._tensors[f"{prefix}gradients{layer}"].address
        after = After(self._read[layer], 0, self._collected)
        self._put(
            Update(
                gradients, learn.masters, learn.weights, beats, learn.shift, learn.stochastic, learn.decay,
                learn.momenta, learn.nesterov, learn.weight_decay, after=after,
            )
        )  # fmt: skip

    def learn(self, layer: int, shift: int, training: Training, prefix: str = "", values: str | None = None) -> Learn:
        """How the weights of a layer, or its biases, are updated.

        Args:
            shift: of the gradients in the first epoch.
            prefix: of the names of masters and momenta: biases have one.
            values: name of the array for MAC weights; by default the layer's.
        """
        masters, momenta = (self._tensors[f"{prefix}{name}{layer}"].address for name in ("masters", "momenta"))
        weights = self._tensors[values or f"values{layer}"].address
        weight_decay = 0 if prefix else training.weight_decay(training.rate_shift(0))
        return Learn(
            masters, weights, shift, training.stochastic_updates, training.momentum_shift, momenta, training.nesterov,
            weight_decay,
        )  # fmt: skip

    def _ready(self, name: str | None, read: Spans | None = None) -> int:
        """Stores after which bytes of a map are there, None: all; nothing stores an image."""
        if name is None:
            return 0
        if name in self._parts:
            return max(self._ready(part, read) for part in self._parts[name])
        for each in reversed(self._stored.get(name, ())):
            if each.bytes is None or read is None or each.bytes.meet(read):
                return each.stores
        return 0

    def _loaded(self, phase: Phase, load: Map) -> int:
        """Stores after which there is what a load of a phase reads; channels come again and again."""
        name = phase.operand if load.y else phase.x
        key = name, load.address, load.run_beats, load.runs, load.run_stride
        if key not in self._found:
            runs = Runs.pattern(load.address, load.run_beats, [(load.runs, load.run_stride * self._lanes)])
            self._found[key] = self._ready(name, Spans(runs, self._lanes))
        return self._found[key]

    def _written_by(self, drain: Drain, to: Output) -> Spans:
        runs = large_runs if spreads(drain) else Runs.pattern
        return Spans(runs(to.address, to.run_beats, levels_of(to, self._lanes)), self._lanes)

    def _first_weights(self, phase: Phase, descriptors: List[Descriptor]) -> List[Descriptor]:
        """Loads before the first command in the order in which they become possible: weights, maps.

        Tap lists come first where the first map waits for the last store, and last where only they wait.
        """
        count = next((n for n, each in enumerate(descriptors) if isinstance(each, Compute)), 0)
        first = descriptors[:count]
        lists_first = any(
            self._loaded(phase, each) == self._stores
            for each in first if isinstance(each, Map)
        )  # fmt: skip

        def place(each: Descriptor) -> int:
            if isinstance(each, Stream) and memory_of(each) == Memory.T:
                return 0 if lists_first else 3
            return 1 if isinstance(each, Stream) else 2 if isinstance(each, Map | Window) else 0

        return [*sorted(first, key=place), *descriptors[count:]]

    def _put(self, descriptor: Descriptor) -> None:
        self.descriptors.append(descriptor)
        if descriptor.counts:
            engine = descriptor.engine
            self._loads += engine is Engine.LOAD
            self._computes += engine is Engine.COMPUTE
            self._stores += engine is Engine.STORE
