# SPDX-License-Identifier: Apache-2.0
"""Phases behind each other in one program: what an operation of a phase must wait for of the phases before.

The descriptors of a phase count loads, computes and stores from its start. Behind others,

- loads wait until all computes of the phases before are done, because the memories of the PEs are used anew,
- loads of a map wait until it is stored, and commands and loads to Y until no drain reads Y any more,
- the first gradients of a WG wait for the collects of the WG before: sums of gradients are set for one split at a time,
- a collect that adds waits for the one whose gradients it adds to,
- an update waits for the gradients, and for the loads of the phases that multiply with the old weights,
- a WG whose gradients go to the update at once waits for these loads.

Nothing in a step waits for an update, so that updates run beside the phases behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as List

from models.pe_array.compiler.allocation import Tensor
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
    Pointers,
    Slot,
    Stream,
    Update,
)
from models.pe_array.isa.operations import After
from models.pe_array.isa.pe_command import Op
from models.pe_array.network.config import Training


class Sequence:
    """A program in the making.

    Args:
        tensors: of the network, by name.
        parts: maps that another one consists of, by its name.

    Attributes:
        descriptors: made so far.
    """

    def __init__(self, tensors: Mapping[str, Tensor], parts: Mapping[str, tuple[str, ...]]) -> None:
        self._tensors, self._parts = tensors, parts
        self.descriptors: list[Descriptor] = []
        self._loads = self._computes = self._stores = 0
        self._stored: dict[str, int] = {}  # stores after which a map is complete
        self._read: dict[int, int] = {}  # loads after which a layer's weights are no longer needed
        self._drained = 0  # stores after which no drain reads Y
        self._collected = 0  # stores after which all gradients are in memory

    def check(self, layer: int, blocks: int, elements: int) -> None:
        """Check the pointers of a layer's matrix."""
        self._put(Pointers(self._tensors[f"pointers{layer}"].address, blocks, elements))

    def add(self, phase: Phase, descriptors: List[Descriptor], learn: Learn | None = None) -> None:
        """A phase, whose descriptors count from their own start; learn: what stands for its collects, or None."""
        loads, computes, stores = self._loads, self._computes, self._stores
        collects: dict[tuple[Slot, ...], int] = {}
        slots: list[Slot] = []
        for each in descriptors:
            after = each.after
            drained = stores + after.stores if after.stores else self._drained
            if isinstance(each, Map):
                source = phase.operand if each.y else phase.x
                ready = max(self._ready(source or ""), drained if each.y else 0)
                self._put(each.behind(After(0, computes + after.computes, ready)))
            elif isinstance(each, Stream):
                self._put(each.behind(After(0, computes + after.computes, 0)))
            elif isinstance(each, Compute):
                ready = max(drained, self._collected if each.op == Op.GRAD else 0)
                self._put(each.behind(After(loads + after.loads, 0, ready)))
            elif isinstance(each, Drain):
                beside = [name for made in phase.outputs for name in (made.mask, made.added, made.places)]
                masks = [self._ready(name) for name in beside if name is not None]
                self._put(each.behind(After(0, computes + after.computes, max(masks, default=0))))
            elif isinstance(each, Collect):
                if learn is not None:
                    self._put(learn.behind(After(loads=self._read[phase.layer])))
                    continue
                key, slots = tuple(slots), []
                self._put(each.behind(After(stores=collects[key] if each.add else 0)))
                collects[key] = self._stores
            else:
                if isinstance(each, Slot):
                    slots.append(each)
                self._put(each)
        for made in phase.outputs:
            self._stored[made.tensor] = self._drained = self._stores
            if made.places is not None and made.places not in self._stored:
                self._stored[made.places] = self._stores
        if phase.gradients:
            self._collected = self._stores
        self._read[phase.layer] = self._loads

    def delta(self, layer: int, classes: int, softmax: bool) -> None:
        """Deltas of the last layer, whose outputs are the logits."""
        logits, labels, output = (self._tensors[name].address for name in (f"output{layer}", "labels", f"delta{layer}"))
        after = After(stores=self._stored[f"output{layer}"])
        self._put(Delta(logits, labels, output, classes, softmax, after=after))
        self._stored[f"delta{layer}"] = self._stores

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

    def _ready(self, name: str) -> int:
        """Stores after which a map is complete; nothing stores an image."""
        if name in self._parts:
            return max(self._ready(part) for part in self._parts[name])
        return self._stored.get(name, 0)

    def _put(self, descriptor: Descriptor) -> None:
        self.descriptors.append(descriptor)
        if descriptor.counts:
            engine = descriptor.engine
            self._loads += engine is Engine.LOAD
            self._computes += engine is Engine.COMPUTE
            self._stores += engine is Engine.STORE
