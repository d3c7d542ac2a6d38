# SPDX-License-Identifier: Apache-2.0
"""Where the derivative of a ReLU comes into gradients: behind a max pool, if its map goes nowhere else."""

from __future__ import annotations

import random

import numpy as np
import pytest
from pe_nets import OUTPUT, conv, pool

from models.pe_array.network import layers
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from tests.models.pe_array.compiler.pe_steps import batch, values


def config(*made: dict[str, object]) -> PeConfig:
    document = values(random.Random(1), [*made, OUTPUT])
    document["input"] |= {"channels": 3, "height": 6, "width": 7}
    document["training"]["rate_shift"] = [14]
    return PeConfig.from_dict(document)


@pytest.mark.parametrize("clip", [0.0, 1.5])
def test_it_is_the_same_gradient(clip: float) -> None:
    """That by the pooled map as if it came in there, pixel by pixel; windows overlap."""
    network = PeNetwork(config(conv("a", **{"clip": clip} if clip else {}), pool("m", stride=2), conv("b")))
    first, pooled, behind = network.config.layers[:3]
    images, labels = batch(network.config, 1)
    trace = network.forward(images)
    network.backward(trace, labels)
    sums = behind.input_gradient(trace.deltas[2], trace.indices[2], network.weights[2])
    free = layers.requantise(sums, network.config.passes(1)[-1].shift)
    back = pooled.input_gradient(free.values, trace.indices[1], None)
    masked = layers.requantise(back, network.config.passes(0)[-1].shift, mask=trace.outputs[0], high=first.high)
    assert np.array_equal(trace.deltas[0], masked.values)
    assert (free.values != trace.deltas[1]).any()
    assert [[each.relu for each in network.config.passes(n)] for n in range(3)] == [[None], [0], [2]]


def test_a_map_that_others_use_keeps_its_own() -> None:
    added = config(conv("a"), pool("m"), conv("b", add="a"))
    assert [each.relu for each in added.passes(0)] == [None, 0]
    assert [each.relu for each in added.passes(1)] == [None]
    averaged = config(conv("a"), pool("m", "average_pool"), conv("b"))
    assert [averaged.passes(n)[-1].relu for n in range(2)] == [0, None]
    plain = config(conv("a", relu=False), pool("m"), pool("n"), conv("b"))
    assert [plain.passes(n)[-1].relu for n in range(4)] == [None, None, None, 3]
