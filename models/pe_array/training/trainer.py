# SPDX-License-Identifier: Apache-2.0
"""A training under way: the network, its twin, the order of the images, and checkpoints."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.lib import checkpoint
from models.lib.checkpoint import CheckpointError
from models.lib.data_sets.epoch import epoch_order
from models.lib.telling import Telling
from models.lib.toml_section import ConfigError, Section
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.word_order import word_order
from models.pe_array.isa.widths import CLASSES_MAX
from models.pe_array.network.config import EPOCHS_MAX, NEVER, PeConfig, Training, grid_of
from models.pe_array.network.float_layers import cross_entropy
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.stages.pipelined import PipelinedNetwork, UnderWay
from models.pe_array.network.trace import Trace, summed
from models.pe_array.training.images import Batch, Images, Int8Array, LabelArray, classes
from models.pe_array.training.partition import cut
from models.pe_array.training.weights_file import starting_network

LOSS_MAX = 129.0 * CLASSES_MAX
"""More than the loss of an image can be: with sigmoid at most 129 per class, for logits of 8 bits, no fraction."""


@dataclass
class Epoch:
    """What the steps of an epoch gave so far.

    Attributes:
        rate_shift: of its steps.
        images, correct, loss: how many were trained on, how many of them were classified correctly before the step,
            and the sum of their cross-entropies.
        density: share of the weights in the last step.
    """

    rate_shift: int
    images: int = 0
    correct: int = 0
    loss: float = 0.0
    density: float = 1.0


@dataclass(frozen=True)
class EpochResult:
    """Shares of correct answers, 0 … 1, while training, of the network and of its twin (nan: none); seconds."""

    epoch: int
    correct: float
    twin: float
    density: float
    seconds: float
    twin_seconds: float


@dataclass(frozen=True)
class StepResult:
    """What a step gave: maps of every array, images classified right by the network and its twin, seconds of both.

    In pipelined stages: the maps so far of the batch that entered, and the images of the batches whose logits it made.
    """

    traces: tuple[Trace, ...]
    correct: int
    twin_correct: int
    seconds: float
    twin_seconds: float

    @property
    def counts(self) -> tuple[float, float, float, float]:
        """All but the maps."""
        return self.correct, self.twin_correct, self.seconds, self.twin_seconds


class Trainer:
    """A training under way: the network, its twin if asked for, and how far it is.

    Attributes:
        step: number of the next step, counted from the beginning of the training.
        history: of every epoch that has begun.
        stages: in which steps are pipelined; None: none is.

    Pipelined stages are drained where weights are looked at or change otherwise: at the end of an epoch, before the
    pruning, and before steps that are not pipelined.
    """

    def __init__(self, config: PeConfig, data: Images, twin: bool = False) -> None:
        """Raises ConfigError, WeightsError."""
        config.check_data(data.shape, 1 + int(data.labels.max(initial=0)), data.title)
        if len(data) < config.step_images:
            raise ConfigError(f"{len(data)} images must be at least a batch, {config.step_images}, on all arrays")
        self.config = config = cut(config)
        self.data = data
        self.network = starting_network(config)
        self._identity = identity(self.network, len(data), data.source)
        self.twin = FloatNetwork(self.network, np.float32) if twin else None
        self.step = 0
        self.history: list[Epoch] = []
        staged = config.staged
        self.stages = None if staged is None else PipelinedNetwork(self.network, staged.of(config.layers))
        self._order: tuple[int, LabelArray] | None = None  # of the images, in an epoch
        self._batch: tuple[int, Batch] | None = None  # of a step

    @property
    def empty(self) -> bool:
        """Whether no batch is under way in stages, so that a checkpoint can be written."""
        return self.stages is None or self.stages.empty

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of all arrays in the data."""
        return len(self.data) // self.config.step_images

    def batch_rows(self, step: int) -> LabelArray:
        """Rows of the data that a step trains on; array after array where there are several."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, epoch_order(len(self.data), epoch, self.config.training.order_seed)
        batch = self.config.step_images
        return self._order[1][place * batch : (place + 1) * batch]

    def next_batch(self) -> Batch:
        """What the next step trains on, on all arrays; whoever else looks at it gets the same one."""
        if self._batch is None or self._batch[0] != self.step:
            epoch = self.step // self.steps_per_epoch
            self._batch = self.step, self.data.batch(self.batch_rows(self.step), epoch)
        return self._batch[1]

    @property
    def rate_shift(self) -> int:
        """Of the next step."""
        return self.config.training.rate_shift(self.step // self.steps_per_epoch)

    def prune_if_due(self) -> bool:
        """Prune before the step for which the configuration says so; whether that happened."""
        if self.step < self.config.training.prune_at or self.network.pruned:
            return False
        self.network.prune()
        return True

    def order_words(self) -> None:
        """Where random words have no order, they get that of the program for the present positions, which is made.

        Raises:
            ConfigError: there is no program on the configuration's array.
        """
        words = self.network.random
        if words is not None and words.order is None:
            try:
                with Telling() as tell:
                    words.order = word_order(StepProgram(self.network, grid_of(self.config), tell=tell))
            except ValueError as error:
                raise ConfigError(f"stochastic rounding has the order of a program: {error}") from error

    def train_step(self) -> StepResult:
        """The next step, of all arrays. In pipelined stages a batch enters, and those are counted that have logits."""
        self.prune_if_due()
        self.order_words()
        batch, rate_shift = self.next_batch(), self.rate_shift
        images, labels = batch.images, batch.labels
        begin = time.perf_counter()
        if self.step % self.steps_per_epoch == 0:
            self.history.append(Epoch(rate_shift))
        if self.stages is None or not self.config.pipelined(self.step):
            traces = tuple(self._trace(images[..., part], labels[part]) for part in self.parts)
            self.network.update(summed(traces), rate_shift)
            correct = sum(self._note(trace, labels[part]) for trace, part in zip(traces, self.parts, strict=True))
        else:
            entering = UnderWay(images, labels, rate_shift)
            made, traces = self.stages.enter(entering), (entering.trace,)
            if self._drained_behind(self.step):
                made += self.stages.drain()
            correct = sum(self._note(each.trace, each.labels) for each in made)
        middle, twin_correct = time.perf_counter(), 0
        if self.twin:
            twin_correct = self.twin.train_step(real(self.config, images), labels, rate_shift)
        self.step += 1
        return StepResult(traces, correct, twin_correct, middle - begin, time.perf_counter() - middle)

    @property
    def parts(self) -> list[slice]:
        """Images of every array, of those of a step."""
        n = self.config.training.batch
        return [slice(first, first + n) for first in range(0, self.config.step_images, n)]

    def _trace(self, images: Int8Array, labels: LabelArray) -> Trace:
        """Maps and gradients of an array's batch."""
        trace = self.network.forward(np.ascontiguousarray(images))
        self.network.backward(trace, labels)
        return trace

    def _drained_behind(self, step: int) -> bool:
        """Whether the stages are drained behind a step."""
        after, ends = step + 1, (step + 1) % self.steps_per_epoch == 0
        return ends or after == self.config.training.prune_at or not self.config.pipelined(after)

    def _note(self, trace: Trace, labels: LabelArray) -> int:
        """Count a batch; how many of its images were classified correctly."""
        correct = int((trace.logits.argmax(axis=0) == labels).sum())
        epoch = self.history[-1]
        epoch.images += len(labels)
        epoch.correct += correct
        epoch.loss += cross_entropy(trace.logits / 2.0**self.config.logit_frac, labels, self.config.training.softmax)
        epoch.density = self.network.density
        return correct

    def train_epoch(self) -> EpochResult:
        """Train to the end of the epoch."""
        epoch, place = divmod(self.step, self.steps_per_epoch)
        steps = []
        with Telling() as tell:
            for step in range(place, self.steps_per_epoch):
                tell(f"epoch {epoch + 1}: step {step + 1:,} of {self.steps_per_epoch:,}")
                steps.append(self.train_step().counts)
        correct, twin_correct, seconds, twin_seconds = (sum(each) for each in zip(*steps, strict=True))
        count = len(steps) * self.config.step_images
        twin_share = twin_correct / count if self.twin else float("nan")
        return EpochResult(epoch, correct / count, twin_share, self.network.density, seconds, twin_seconds)

    def classes(self, data: Images) -> LabelArray:
        """What the network takes images for."""
        return classes(self.network.classify, data, self.config.training.batch)

    def accuracy(self, data: Images) -> float:
        """Share of images that the network classifies correctly."""
        return float((self.classes(data) == data.labels).mean())

    def twin_accuracy(self, data: Images) -> float:
        """Share of images that the twin classifies correctly; nan without one."""
        twin = self.twin
        if twin is None:
            return float("nan")
        found = classes(lambda images: twin.classify(real(self.config, images)), data, self.config.training.batch)
        return float((found == data.labels).mean())

    @property
    def identity(self) -> str:
        """Of checkpoints that this training can go on from."""
        return self._identity

    def save(self, path: Path, record: Any = None) -> None:
        """Write a checkpoint: everything that the rest of the training depends on, but not the twin.

        Args:
            record: what else ``load`` is to give back; JSON must be able to hold it.

        Raises:
            ValueError: batches are under way in pipelined stages, as they are but at the end of an epoch.
        """
        if not self.empty:
            raise ValueError(f"no checkpoint at step {self.step}: batches are under way in the stages")
        state = {"step": self.step, "history": [asdict(epoch) for epoch in self.history], "record": record}
        checkpoint.write(path, self.identity, state, self.network.state())

    def load(self, path: Path, read_record: Callable[[Section, int], Any] | None = None) -> Any:
        """Go on from a checkpoint; the record that was saved with it.

        Args:
            read_record: makes the record out of its table, given the step that is next; ValueError where it is damaged.

        Raises:
            CheckpointError: it cannot be used; then nothing has changed.
        """
        if self.twin:
            raise CheckpointError("a training with a twin cannot go on from a checkpoint, which does not hold the twin")
        given, arrays = checkpoint.read(path, self.identity, self.network.expected())
        try:
            state = Section(given, "state")
            step = state.integer("step", 0, EPOCHS_MAX * self.steps_per_epoch)
            tables = state.tables("history", -(-step // self.steps_per_epoch))
            history = [self._epoch(number, table, step) for number, table in enumerate(tables)]
            record = state.anything("record")
            if read_record:
                record = read_record(state.table("record", required=True), step)
            state.finish()
            pruned, due = bool(arrays["pruned"]), self.config.training.prune_at
            if step != due and pruned != (step > due):
                raise ValueError(f"pruned = {pruned} at step = {step} of a training that prunes before step {due}")
            self.network.restore(arrays)
        except ValueError as error:
            raise checkpoint.damaged(path, error) from None
        self.step, self.history = step, history
        return record

    def _epoch(self, number: int, table: Section, step: int) -> Epoch:
        """What a checkpoint before a step says of an epoch. Raises ConfigError."""
        batch, most = self.config.step_images, self.steps_per_epoch
        images = batch * min(most, step - number * most)
        rate_shift = self.config.training.rate_shift(number)
        table.fixed("rate_shift", rate_shift)
        table.fixed("images", images)
        epoch = Epoch(
            rate_shift,
            images,
            table.integer("correct", 0, images),
            table.real("loss", 0.0, LOSS_MAX * images),
            table.real("density", 0.0, 1.0),
        )
        table.finish()
        return epoch


_WAY = (
    "batch", "epochs", "rate_shifts", "momentum_shift", "init_seed", "init_scale", "order_seed", "prune_at",
    "validation", "rewind", "rescale", "initial", "stochastic_updates", "stochastic_gradients", "rounding_seed",
    "nesterov", "weight_decay_shift", "softmax",
)  # fmt: skip
"""Fields of ``Training`` in the text of ``way``."""
_NO_WEIGHTS: dict[str, object] = {"epochs": 1, "validation": 0, "initial": None}
"""Those of them that say nothing of the weights, with the value that stands there."""


def way(training: Training) -> str:
    """All of a training that weights follow from, as text. What is older than a field keeps the text that it had."""
    names = (*_WAY, "fused") if training.fused and training.stochastic_updates else _WAY
    shown = (f"{name}={_NO_WEIGHTS.get(name, getattr(training, name))!r}" for name in names)
    return f"Training({', '.join(shown)})"


def identity(network: PeNetwork, samples: int, source: str) -> str:
    """Text that is equal for trainings that go the same way, whatever their number of epochs.

    Args:
        network: before the first step.
        source: of the images.
    """
    config, training = network.config, network.config.training
    how = way(training)
    how += f", wide={config.wide}" if config.wide > 1 and training.stochastic_updates else ""  # other random words
    how += f", {config.link!r}" if config.link.arrays > 1 else ""  # its clocks are in the record
    if config.staged is not None:
        how += f", {config.staged!r}"
    digest = hashlib.sha256(f"{config.layers!r} {how} {config.pes} {samples} {source}".encode())
    for name, array in network.state().items():
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def real(config: PeConfig, images: Int8Array) -> npt.NDArray[np.float64]:
    """What raw input maps stand for."""
    return images / 2.0 ** config.layers[0].in_frac


def accuracies_of_pruning(config: PeConfig, data: Images) -> tuple[float, float | None]:
    """Shares of images that the starting network classifies correctly, as it is and pruned; None: it never is.

    Raises WeightsError.
    """
    network = starting_network(config)

    def share() -> float:
        return float((classes(network.classify, data, config.training.batch) == data.labels).mean())

    before = share()
    if config.training.prune_at == NEVER:
        return before, None
    network.prune()
    return before, share()
