# SPDX-License-Identifier: Apache-2.0
"""What a training of the PE array in simulation is to do, and where it leaves what: for flow/ and the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from models.lib.job_file import CHECKPOINT, JobFile
from models.lib.telling import silent
from models.lib.toml_section import COUNT_MAX, SECONDS_MAX, Section
from models.pe_array.compiler import random_programs
from models.pe_array.compiler.shared.shared_step import step_of
from models.pe_array.compiler.stages.stage_program import stage_programs
from models.pe_array.isa.descriptors import BYTES
from models.pe_array.isa.registers import Counter
from models.pe_array.network.config import NEVER, PeConfig, grid_of
from models.pe_array.network.network import PeNetwork
from models.pe_array.training import harness
from models.pe_array.training.trainer import Trainer

STOPPED = "stopped"
"""Begins the names of files that tell the simulations of several arrays that one of them has stopped, and why."""


STAGES = "stages"
"""What an event of a pipelined step has beside those of others: of every stage, clocks in which its programs ran, and
in which it waited for others. There may be no images in it that have come to the last stage."""


@dataclass(frozen=True)
class ArrayJob(JobFile):
    """What to do.

    Attributes:
        config: path of the TOML file, a copy that nobody edits meanwhile.
        directory: where checkpoint, events and, on failure, the mismatch are written.
        epochs: of the whole training, most of it in the model.
        steps: training steps in simulation, in each of the two places.
        batches: batches of test images that are classified in simulation at the end.
        samples: images of the training set, the first ones.
        resume: go on from the checkpoint.
        base: what paths in the TOML file are relative to.
        source: of the images, as they were when the training was asked for.
        initial: in place of the file of weights that the TOML file names, a copy of it.
        array: number of the one that a simulation is of, where several train.
    """

    config: str
    directory: str
    epochs: int
    steps: int
    batches: int
    samples: int
    resume: bool
    base: str
    source: str
    initial: str | None = None
    array: int = 0

    @property
    def place(self) -> Path:
        """Where the simulation of this array leaves its events and, on failure, the mismatch."""
        whole = Path(self.directory)
        return whole / "run" / f"array{self.array}" if self.array else whole

    @property
    def link(self) -> Path:
        """Directory in which the simulations of several arrays meet."""
        return Path(self.directory) / "run" / "link"

    def configuration(self) -> PeConfig:
        """What the TOML file says, beginning with the weights of ``initial``. Raises ConfigError."""
        config = PeConfig.load(Path(self.config), Path(self.base))
        return config if self.initial is None else with_initial(config, Path(self.initial))


@dataclass
class Record:
    """What a checkpoint holds of the simulation, beside the model: events of simulated steps and test batches."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    tests: list[dict[str, Any]] = field(default_factory=list)


def read_record(record: Section, step: int) -> Record:
    """What a checkpoint before a step holds; ConfigError, which names the field, where it cannot be."""
    before = -1
    steps, tests = record.tables("steps"), record.tables("tests")
    for each in steps:
        before = _check_event(each, "step", before + 1, step - 1)
        each.real("density", 0.0, 1.0)
        each.real("seconds", 0.0, SECONDS_MAX)
        each.integer("descriptors", 1, COUNT_MAX)
        each.counts("parts")
        each.numbers("groups", 0, COUNT_MAX, None, 2)
        if each.given(STAGES):
            each.numbers(STAGES, 0, COUNT_MAX, None, 2)
        each.finish()
    for number, each in enumerate(tests):
        _check_event(each, "test", number, number, "batch")
        each.finish()
    record.finish()
    return Record([each.values for each in steps], [each.values for each in tests])


def _check_event(event: Section, kind: str, low: int, high: int, number: str = "") -> int:
    """What events of both kinds have; the event's number, low … high."""
    event.fixed("event", kind)
    event.integer("correct", 0, event.integer("images", 0 if event.given(STAGES) else 1, COUNT_MAX))
    for name in ("compared", "clocks"):
        event.integer(name, 0, COUNT_MAX)
    event.counts("counters", *Counter.__members__)
    return event.integer(number or kind, low, high)


def save(job: ArrayJob, trainer: Trainer, record: Record) -> None:
    """Write the checkpoint of a job."""
    trainer.save(Path(job.directory) / CHECKPOINT, asdict(record))


def load(job: ArrayJob, trainer: Trainer) -> Record:
    """Go on from the checkpoint of a job. Raises CheckpointError; then the trainer is as before."""
    record: Record = trainer.load(Path(job.directory) / CHECKPOINT, read_record)
    return record


def places_of(job: ArrayJob, trainer: Trainer) -> list[range]:
    """Which steps of a job are simulated. In pipelined stages they begin where no batch is under way."""
    prune_at, before = trainer.config.training.prune_at, job.steps // 2
    if trainer.config.pipelined(prune_at - before):
        before = 0
    return simulated_steps(prune_at, job.steps, job.epochs * trainer.steps_per_epoch, before)


def simulation_is_over(job: ArrayJob, trainer: Trainer, record: Record) -> bool:
    """Whether nothing is left to simulate."""
    return trainer.step >= places_of(job, trainer)[-1].stop and len(record.tests) >= job.batches


def with_initial(config: PeConfig, initial: Path) -> PeConfig:
    """A configuration whose training begins with the weights of another file."""
    return replace(config, training=replace(config.training, initial=initial))


def simulated_steps(prune_at: int, steps: int, total: int, before: int | None = None) -> list[range]:
    """Which steps of a training are simulated: the first ones, and as many around the pruning, if it has one.

    Args:
        prune_at: the step before which the network is pruned.
        steps: in each place.
        total: steps of the training.
        before: how many of them come before the pruning; None: half of them.
    """
    first = range(min(steps, total))
    start = max(first.stop, prune_at - (steps // 2 if before is None else before))
    around = range(start, min(start + steps, total))
    return [first, around] if first.stop <= prune_at < around.stop else [first]


def memory_beats(config: PeConfig, tell: Callable[[str], None] = silent) -> int:
    """Beats of a memory that has room for a step of the network, dense and, if it is, pruned: a power of two.

    Of stages, for those of all.
    """
    grid, network = grid_of(config), PeNetwork(config)

    def size(tell: Callable[[str], None]) -> int:
        """Of the network as it is now."""
        staged = config.staged
        stages = [] if staged is None else stage_programs(network, grid, staged.of(config.layers), tell=tell)
        return max(each.allocation.size for each in (step_of(network, grid, tell=tell), *stages))

    sizes = [size(tell)]
    if config.training.prune_at != NEVER:
        network.prune()
        sizes.append(size(lambda what: tell(f"{what}, pruned")))
    sizes.append(random_programs.SCRATCH * grid.beat + random_programs.DESCRIPTORS * BYTES)
    return 1 << (max(sizes) // grid.shape.lanes).bit_length()


def parameters(config: PeConfig, tell: Callable[[str], None] = silent) -> dict[str, int]:
    """HDL parameters of the harness, whose memories have room for all programs; ``tell``: what is being made.

    Args:
        config: it is known where its stages begin.
    """
    one = harness.parameters(
        grid_of(config), memory_beats(config, tell), config.logit_frac, harness.LATENCY, harness.OUTSTANDING,
        config.widths,
    )  # fmt: skip
    return one if config.staged is None else one | {"ARRAYS": config.arrays}
