# SPDX-License-Identifier: Apache-2.0
"""Training in pipelined stages: what every stage sees, against a list of old weights; switches, checkpoints, rules."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pe_trainings import CONFIGS, changed, first_images, lenet, values

from models.lib.checkpoint import CheckpointError
from models.lib.toml_section import ConfigError
from models.pe_array.network.config import NEVER, PeConfig
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.stages.schedule import Pipeline, StageSchedule, cuts, kept, kept_bytes
from models.pe_array.network.weights import Weights
from models.pe_array.training.trainer import Trainer
from tests.models.pe_array.network.pe_nets import NETS
from tests.models.pe_array.training.test_pe_trainer import same_network

CUTS = {2: (0, 2), 3: (0, 4, 5), 4: (0, 2, 5, 6)}
"""First layers of the stages of LeNet-5, by their number."""


def pipelined(stages: int, schedule: str = "pipelined", switch_at: int | None = None, **keys: Any) -> PeConfig:
    return replace(lenet(**keys), pipeline=Pipeline(stages, CUTS[stages], schedule, switch_at))


class Naive:
    """The same by a list of all weights that there have been: no steps, no stages, no maps that are kept.

    Args:
        begins: batches before which the pipeline is empty.
    """

    def __init__(self, trainer: Trainer, begins: list[int], prune_at: int = NEVER) -> None:
        net, pipeline = trainer.network, trainer.config.pipeline
        assert pipeline is not None
        assert pipeline.first is not None
        self.net, first, stages = PeNetwork(net.config), pipeline.first, pipeline.stages
        stage_of = [max(n for n, each in enumerate(first) if each <= layer) for layer in range(len(net.weights))]
        self.stale = [2 * (stages - 1 - stage) for stage in stage_of]
        self.begins, self.prune_at, self.trainer = begins, prune_at, trainer
        self.versions: list[list[Weights | None]] = [self.net.weights]

    def train(self, batches: int, switch_at: int = NEVER) -> None:
        for n in range(batches):
            if n == self.prune_at:
                self.net.weights = self.versions[n]
                self.net.prune()
            begin = n if n >= switch_at else max(each for each in self.begins if each <= n)
            seen = [max(begin, n - stale) for stale in self.stale]
            self.net.weights = [self.versions[version][layer] for layer, version in enumerate(seen)]
            batch = self.trainer.data.batch(self.trainer.batch_rows(n), n // self.trainer.steps_per_epoch)
            trace = self.net.forward(batch.images)
            self.net.weights = copy.deepcopy(self.versions[n])
            self.net.backward(trace, batch.labels)
            self.net.update(trace, self.net.config.training.rate_shift(n // self.trainer.steps_per_epoch))
            self.versions.append(self.net.weights)


@pytest.mark.parametrize("stages", [2, 3, 4])
def test_against_a_list_of_old_weights(stages: int) -> None:
    """Two epochs of 12 steps, pruned before step 17."""
    data, _ = first_images(12 * 32)
    trainer = Trainer(pipelined(stages, prune_at=17), data)
    naive = Naive(trainer, [0, 12, 17], prune_at=17)
    naive.train(24)
    plain = Trainer(lenet(prune_at=17), data)
    for each in (trainer, trainer, plain, plain):
        each.train_epoch()
    assert same_network(trainer.network, naive.net)
    assert np.array_equal(trainer.network.saturations, naive.net.saturations)
    assert not same_network(trainer.network, plain.network), "staleness changes what is learnt"
    assert [epoch.images for epoch in trainer.history] == [384, 384]


def test_residual_network_against_a_list_of_old_weights() -> None:
    """Four stages: a block with an identity, one with a projection, one behind a wider layer, and the logits."""
    config = PeConfig.load(CONFIGS / "resnet_mnist.toml")
    names = [layer.name for layer in config.layers]
    first = (0, names.index("half"), names.index("wide"), len(names) - 1)
    pipeline = Pipeline(len(first), first, "pipelined", None)
    data, _ = first_images(8 * config.training.batch)
    trainer = Trainer(replace(config, pipeline=pipeline, training=replace(config.training, prune_at=11)), data)
    naive = Naive(trainer, [0, 8, 11], prune_at=11)
    naive.train(16)
    for _ in range(2):
        trainer.train_epoch()
    assert same_network(trainer.network, naive.net)
    assert np.array_equal(trainer.network.saturations, naive.net.saturations)


def test_not_pipelined_is_what_it_was(tmp_path: Path) -> None:
    """Bit for bit, and a checkpoint of one goes on as the other."""
    data, _ = first_images(256)
    plain, none = Trainer(lenet(prune_at=5), data), Trainer(pipelined(2, "none", prune_at=5), data)
    plain.train_epoch()
    plain.save(tmp_path / "checkpoint.npz")
    none.load(tmp_path / "checkpoint.npz")
    for each in (plain, none):
        each.train_epoch()
    assert same_network(plain.network, none.network)
    assert plain.history == none.history


@pytest.mark.parametrize("switch_at", [5, 8, 11])
def test_hybrid_goes_on_from_a_checkpoint_on_either_side_of_the_switch(switch_at: int, tmp_path: Path) -> None:
    """Three epochs of 8 steps: it switches within the first or second one, or between them."""
    data, _ = first_images(256)
    config = pipelined(3, "hybrid", switch_at)
    whole, parts = Trainer(config, data), Trainer(config, data)
    naive = Naive(whole, [0, 8])
    naive.train(24, switch_at)
    for _ in range(3):
        whole.train_epoch()
        parts.train_epoch()
        parts.save(tmp_path / "checkpoint.npz")
        parts = Trainer(config, data)
        parts.load(tmp_path / "checkpoint.npz")
    for trainer in (whole, parts):
        assert same_network(trainer.network, naive.net)
        assert trainer.history == whole.history
    for other in (pipelined(3, "hybrid", 20), pipelined(2, "hybrid", switch_at), pipelined(3), lenet()):
        with pytest.raises(CheckpointError, match="belongs to another configuration"):
            Trainer(other, data).load(tmp_path / "checkpoint.npz")


def test_no_checkpoint_while_batches_are_under_way(tmp_path: Path) -> None:
    data, _ = first_images(256)
    trainer = Trainer(pipelined(2), data)
    trainer.train_step()
    with pytest.raises(ValueError, match="no checkpoint at step 1: batches are under way in the stages"):
        trainer.save(tmp_path / "checkpoint.npz")


@pytest.mark.parametrize("stages", range(2, 6))
def test_schedule(stages: int) -> None:
    """From its steps alone: staleness, slots, and the length of a run."""
    schedule, batches = StageSchedule(tuple(range(stages)), stages), 9
    done = dict.fromkeys(range(stages), 0)
    entered: dict[tuple[int, int], int] = {}
    for step in range(schedule.steps(batches)):
        for stage in range(stages):
            n, m = schedule.forward(stage, step), schedule.backward(stage, step)
            if 0 <= n < batches:
                entered[stage, n] = step
                assert n - done[stage] == min(n, schedule.staleness(stage)), "updates that FF does not see"
            if 0 <= m < batches:
                assert done[stage] == m, "NG sees all of them"
                assert step - entered[stage, m] + 1 == schedule.slots(stage)
                done[stage] += 1
    assert set(done.values()) == {batches}
    assert schedule.steps(0) == 0


def test_what_stages_keep() -> None:
    """LeNet-5: maps that WG reads, places of maxima, and maps that stop gradients, counted by hand."""
    layers = lenet().layers
    assert kept(layers, range(2, 5)) == [("output", 1), ("index", 3), ("output", 3)]
    assert kept_bytes(layers, range(0, 2), (1, 28, 28), 32) == 32 * (784 + 6 * 14 * 14)
    assert kept_bytes(layers, range(2, 7), (1, 28, 28), 32) == 32 * (6 * 196 + 400 + 400 + 120 + 84)
    assert cuts(layers) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"stages": ["layers[0]"]}, r"pipeline\.stages has 1 layers, must have 2 … 16, with which stages begin"),
        ({"stages": ["layers[1]", "layers[2]"]}, r"stages\[0\] = layers\[1\] must be the first layer, layers\[0\]"),
        ({"stages": ["layers[0]", "x"]}, r"pipeline\.stages\[1\] = 'x' must be one of layers\[0\], layers\[1\]"),
        ({"stages": ["layers[0]", "layers[0]"]}, r"stages\[1\] = layers\[0\] must be behind layers\[0\]"),
        (
            {"stages": ["layers[0]", "layers[1]", "layers[2]"]},
            r"stages\[1\] = layers\[1\] begins a stage in which no layer has weights",
        ),
        ({}, r"pipeline\.stages is missing"),
        ({"schedule": "both"}, r"pipeline\.schedule = 'both' must be one of pipelined, hybrid, none"),
        ({"schedule": "hybrid"}, r"pipeline\.schedule = hybrid needs pipeline\.switch_at"),
        ({"switch_at": 3}, r"pipeline\.schedule = pipelined cannot have pipeline\.switch_at"),
        ({"schedule": "hybrid", "switch_at": 0}, r"pipeline\.switch_at = 0 must be 1 … "),
        ({"cut": 1}, r"pipeline\.cut is not a known key"),
    ],
)
def test_rules(table: dict[str, Any], message: str) -> None:
    given = table if table.keys() <= {"stages"} else {"stages": ["layers[0]", "layers[2]"]} | table
    with pytest.raises(ConfigError, match=message):
        PeConfig.from_dict(changed("pipeline", given))


@pytest.mark.parametrize("table", [{"arrays": 2}, {"arrays": 1, "link_bytes": 1}, {}])
def test_no_table_of_another_link(table: dict[str, int]) -> None:
    """It would say nothing of the links between stages."""
    document = changed("pipeline", {"stages": ["layers[0]", "layers[2]"]}) | {"parallel": table}
    with pytest.raises(ConfigError, match=r"\[parallel\] does not go with \[pipeline\]"):
        PeConfig.from_dict(document)


@pytest.mark.parametrize("rounding", ["update_rounding", "gradient_rounding"])
def test_no_random_words_in_stages(rounding: str) -> None:
    document = changed("pipeline", {"stages": ["layers[0]", "layers[2]"]})
    document["training"][rounding] = "stochastic"
    with pytest.raises(ConfigError, match=r"schedule = pipelined needs training\.update_rounding and"):
        PeConfig.from_dict(document)
    document["pipeline"]["schedule"] = "none"
    PeConfig.from_dict(document)


@pytest.mark.parametrize(
    ("net", "legal"),
    [
        ("identity", {"b", "layers[3]", "layers[4]"}),
        ("projection", {"b", "d", "layers[5]", "layers[6]"}),
        ("two readers", {"b", "layers[4]", "layers[5]"}),
        ("the image", {"layers[3]", "layers[4]"}),
    ],
)
def test_only_one_map_crosses(net: str, legal: set[str]) -> None:
    document = values() | {"layers": copy.deepcopy(NETS[net])}
    document["layers"][-1]["outputs"] = 10
    document["input"]["channels"] = 3
    config = PeConfig.from_dict(document)
    assert {config.layers[index].name for index in cuts(config.layers)} == legal


def test_a_map_that_crosses_and_may_not() -> None:
    document = values() | {"layers": copy.deepcopy(NETS["identity"])}
    document["pipeline"] = {"stages": ["a", "c"]}
    with pytest.raises(ConfigError, match=r"stages\[1\] = c: layers\[2\] \(c\) uses a map from before it; of these, "):
        PeConfig.from_dict(document)
