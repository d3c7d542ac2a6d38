# SPDX-License-Identifier: Apache-2.0
"""Training in pipelined stages, each on an array of its own (docs/pipelined_training.md): table ``[pipeline]``.

Time is cut into *steps*. In a step every stage does FF of one batch, and then NG, WG and the update of an earlier one
with the maps that it has kept of it. Maps and gradients are handed over between steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from models.lib.toml_section import ConfigError, Section
from models.pe_array.network.gradient_passes import gradient_passes, label
from models.pe_array.network.layer import IMAGE, Layer

STAGES_MAX = 16
SCHEDULES = ("pipelined", "hybrid", "none")


class StageWork(Enum):
    """What a stage does in a step."""

    BOTH = "both"
    FORWARD = "forward"
    BACKWARD = "backward"

    @classmethod
    def of(cls, forward: bool, backward: bool) -> StageWork | None:
        """That of a stage with a batch for FF or not, and one for the way back or not; None: it has nothing to do."""
        if forward and backward:
            return cls.BOTH
        return cls.FORWARD if forward else cls.BACKWARD if backward else None


@dataclass(frozen=True)
class StageSchedule:
    """Which stage works on which batch in which step, batch n entering in step n.

    Attributes:
        first: layers with which the stages begin.
        layers: of the network.
    """

    first: tuple[int, ...]
    layers: int

    @property
    def stages(self) -> int:
        """Stages, and arrays."""
        return len(self.first)

    def layers_of(self, stage: int) -> range:
        """Layers of a stage."""
        ends = (*self.first[1:], self.layers)
        return range(self.first[stage], ends[stage])

    def forward(self, stage: int, step: int) -> int:
        """The batch whose FF a stage does in a step; below 0: none has come yet."""
        return step - stage

    def backward(self, stage: int, step: int) -> int:
        """The batch whose NG, WG and update a stage does in a step, behind FF of the other one."""
        return step - self.drain + stage

    def work(self, stage: int, step: int, batches: int) -> StageWork | None:
        """What a stage has to do in a step of a run of batches; None: nothing."""
        return StageWork.of(*(0 <= n < batches for n in (self.forward(stage, step), self.backward(stage, step))))

    @property
    def drain(self) -> int:
        """Steps from that in which a batch enters to that in which the first stage learns from it."""
        return 2 * (self.stages - 1)

    def staleness(self, stage: int) -> int:
        """Updates, those by the batches right before it, that a stage's weights do not have in FF of a batch.

        In NG of it they have them all. The last stage is never stale.
        """
        return 2 * (self.stages - 1 - stage)

    def slots(self, stage: int) -> int:
        """Batches whose maps a stage keeps at once: from before FF to after WG."""
        return self.staleness(stage) + 1

    def steps(self, batches: int) -> int:
        """Steps of a run of batches, from an empty pipeline to an empty one."""
        return batches + self.drain if batches else 0


@dataclass(frozen=True)
class Pipeline:
    """Table ``[pipeline]``.

    Attributes:
        stages: how many there are.
        first: layers with which they begin; None: where predicted clocks say (``training.partition``).
        schedule: of ``SCHEDULES``.
        switch_at: step, counted from the beginning of the training, from which on it is not pipelined; None: never.
    """

    stages: int
    first: tuple[int, ...] | None
    schedule: str
    switch_at: int | None = None

    @classmethod
    def read(cls, table: Section, layers: Sequence[Layer], stochastic: bool, steps_max: int) -> Pipeline:
        """What a table of a configuration says. Raises ConfigError.

        Args:
            layers: of the network.
            stochastic: something is rounded with random words.
            steps_max: of ``switch_at``.
        """
        names, first = {layer.name: index for index, layer in enumerate(layers)}, None
        if isinstance(table.values.get("stages"), int):
            stages = table.integer("stages", 2, STAGES_MAX)
        else:
            first = tuple(names[name] for name in table.choices("stages", tuple(names)))
            stages = len(first)
        schedule = table.choice("schedule", SCHEDULES, SCHEDULES[0])
        switch_at = table.optional_integer("switch_at", 1, steps_max)
        table.finish()
        if (schedule == "hybrid") != (switch_at is not None):
            rule = "needs" if switch_at is None else "cannot have"
            raise ConfigError(f"{table.key('schedule')} = {schedule} {rule} {table.key('switch_at')}")
        if stochastic and schedule != "none":
            raise ConfigError(
                f"{table.key('schedule')} = {schedule} needs training.update_rounding and training.gradient_rounding "
                "= half_up: every array would take random words of its own"
            )
        if first is not None:
            _check_stages(table.key("stages"), first, layers)
        elif stages > len(places(layers)) + 1:
            raise ConfigError(
                f"{table.key('stages')} = {stages} must be at most {len(places(layers)) + 1}: elsewhere more than one "
                "map would be handed over, or no layer of a stage would have weights"
            )
        return cls(stages, first, schedule, switch_at)

    def pipelined(self, step: int) -> bool:
        """Whether a step of the training is pipelined."""
        return self.schedule != "none" and (self.switch_at is None or step < self.switch_at)

    def of(self, layers: Sequence[Layer]) -> StageSchedule:
        """The schedule of a network's steps that are pipelined. ValueError where it is not known where stages begin."""
        if self.first is None:
            raise ValueError(f"where the {self.stages} stages begin is to be found first")
        return StageSchedule(self.first, len(layers))


def _check_stages(key: str, first: tuple[int, ...], layers: Sequence[Layer]) -> None:
    """Raises ConfigError."""
    if first[0] != 0:
        raise ConfigError(f"{key}[0] = {layers[first[0]].name} must be the first layer, {layers[0].name}")
    if not 2 <= len(first) <= STAGES_MAX:
        raise ConfigError(f"{key} has {len(first)} layers, must have 2 … {STAGES_MAX}, with which stages begin")
    for place, (one, other) in enumerate(pairwise((*first, len(layers)))):
        if one >= other:
            raise ConfigError(f"{key}[{place + 1}] = {layers[other].name} must be behind {layers[one].name}")
        if not any(layer.has_weights for layer in layers[one:other]):
            raise ConfigError(f"{key}[{place}] = {layers[one].name} begins a stage in which no layer has weights")
    for place, index in enumerate(first[1:], 1):
        reader = across(layers, index)
        if reader is not None:
            raise ConfigError(
                f"{key}[{place}] = {layers[index].name}: {label(layers, reader)} uses a map from before it; of "
                f"these, stages hand over only that of {label(layers, index - 1)}, and not into a concat"
            )


def across(layers: Sequence[Layer], index: int) -> int | None:
    """A layer for which no stage can begin with layer ``index``; None: one can.

    All that comes before it must be worth one map, the output of the layer before.
    """
    for number, layer in enumerate(layers[index:], index):
        sources = layer.sources if layer.add is None else (*layer.sources, layer.add)
        if any(source < index and (source != index - 1 or layer.joins) for source in sources):
            return number
    return None


def cuts(layers: Sequence[Layer]) -> list[int]:
    """Layers with which a stage behind the first can begin."""
    return [index for index in range(1, len(layers)) if across(layers, index) is None]


def places(layers: Sequence[Layer]) -> list[int]:
    """Those of ``cuts`` of which any choice is one for stages, each with weights.

    Where no layer between two has weights, the last one: pooling belongs to what is before it.
    """
    found: list[int] = []
    for index in cuts(layers):
        begin = found[-1] if found else 0
        if any(layer.has_weights for layer in layers[begin:index]):
            found.append(index)
        elif found:
            found[-1] = index
    while found and not any(layer.has_weights for layer in layers[found[-1] :]):
        found.pop()
    return found


def kept(layers: Sequence[Layer], mine: range) -> list[tuple[str, int]]:
    """What a stage keeps of a batch from FF to its WG: ``output`` or ``index``, of which layer, ``IMAGE`` too.

    The map that it reads, where WG does; activations where a ReLU's derivative comes in; indices of pooling.
    """
    found: dict[tuple[str, int], None] = {}
    for index in mine:
        if layers[index].has_weights:
            found |= {("output", source): None for source in layers[index].sources}
        if layers[index].keeps_indices:
            found["index", index] = None
    for index in range(max(mine.start - 1, 0), mine.stop - 1):
        for each in gradient_passes(layers, index):
            if each.relu is not None:
                found["output", index] = None
    return list(found)


def kept_bytes(layers: Sequence[Layer], mine: range, in_shape: tuple[int, int, int], batch: int) -> int:
    """Bytes of ``kept``, for one batch: a slot's."""

    def words(index: int) -> int:
        channels, height, width = in_shape if index == IMAGE else layers[index].out_shape
        return channels * height * width

    return batch * sum(words(index) for _, index in kept(layers, mine))
