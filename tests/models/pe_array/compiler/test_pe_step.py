# SPDX-License-Identifier: Apache-2.0
"""Training steps as programs in memory: what the machine leaves there against the network's model, every bit."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from models.pe_array.compiler.allocation import Allocation
from models.pe_array.compiler.sequence import Sequence
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.channel_records import Records
from models.pe_array.isa.descriptors import (
    Collect,
    Compute,
    Descriptor,
    Drain,
    Engine,
    Learn,
    Map,
    Output,
    Scales,
    Stream,
    Update,
)
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import After
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.shapes import Pair
from models.pe_array.network.config import PeConfig
from models.pe_array.network.fitting import choose_block
from models.pe_array.network.network import PeNetwork
from tests.models.pe_array.compiler.pe_steps import (
    CONV,
    KINDS,
    LARGE,
    SHAPE,
    Favour,
    batch,
    execute,
    fixed,
    hasty,
    machine,
    random_config,
    same,
    same_weights,
    train,
    values,
)

DENSE = {"kind": "dense", "outputs": 5, "weight_frac": 6, "out_frac": 4}
LENET = Path(__file__).resolve().parents[4] / "configs" / "pe_array" / "lenet5_mnist.toml"


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_random_networks(kinds: list[str], seed: int) -> None:
    rng = random.Random(1000 * seed + KINDS.index(kinds))
    network = PeNetwork(random_config(rng, kinds))
    if rng.random() < 0.6:
        network.prune()
    shape = PeShape(
        network.config.training.batch, 32, rng.choice([128, 256, 1024]), rng.choice([64, 128, 512]),
        rng.choice([32, 128]), rng.choice([8, 16]), rng.choice([32, 64, 128]),
    )  # fmt: skip
    base, balanced = rng.choice([0, 1 << 20, (1 << 32) - (1 << 18)]), rng.random() < 0.7
    step = StepProgram(network, Grid(rng.choice([2, 4, 8]), shape), base=base, balanced=balanced, search=seed == 0)
    train(network, step, 3, seed)


def test_lenet_dense_then_pruned() -> None:
    """The shipped configuration. Pruning moves the elements: what memory has goes back, and a new program is made."""
    network = PeNetwork(PeConfig.load(LENET))
    grid = Grid(8, PeShape(32))
    memory = train(network, StepProgram(network, grid, blocks={5: (11, 15)}, search=False), 1)
    read_back = PeNetwork(network.config)
    read_back.weights = memory.weights()
    for each in (network, read_back):
        each.prune()
    pruned = StepProgram(read_back, grid, search=False)
    assert pruned.allocation.size < memory.step.allocation.size
    same_weights(train(network, pruned, 1, seed=1), network)
    with pytest.raises(ValueError, match="elements elsewhere"):
        memory.put_weights(network)


@pytest.mark.parametrize(("widths", "rate"), [((6, 20), 14), ((4, 16), 19), ((7, 32), 22)])
def test_other_widths(widths: Pair, rate: int) -> None:
    """What is rounded has the widths of the configuration; nothing else of the array depends on them."""
    network = fixed(widths=widths, rate_shift=[rate])
    memory = train(network, StepProgram(network, Grid(4, SHAPE), search=False), 3)
    limits = -(1 << widths[0] - 1), (1 << widths[0] - 1) - 1
    for maps in (memory.trace().outputs, memory.trace().deltas):
        low, high = min(int(each.min()) for each in maps), max(int(each.max()) for each in maps)
        assert limits[0] <= low < high <= limits[1]
    for weights in network.weights:
        if weights:
            assert limits[0] <= weights.mac.min() <= weights.mac.max() <= limits[1]


def test_strips_and_orders_and_their_proof() -> None:
    """Gradients of several strips are added up; channels move, and come back to their places."""
    network = fixed(size=LARGE)
    step = StepProgram(network, Grid(4, SHAPE), search=False)
    assert any(isinstance(each, Collect) and each.add for each in step.descriptors)
    assert any((step.order(f"output{n}") != np.arange(len(step.order(f"output{n}")))).any() for n in range(6))
    assert (step.order("image") == np.arange(2)).all()
    assert (step.order("output5") == np.arange(10)).all()
    train(network, step, 3)


LOAD, COMPUTE, STORE = Engine.LOAD, Engine.COMPUTE, Engine.STORE


@pytest.mark.parametrize(
    ("kinds", "engine", "order"),
    [
        ((Map,), "stores", (LOAD, COMPUTE, STORE)),
        ((Map, Stream), "computes", (LOAD, STORE, COMPUTE)),
        ((Compute,), "loads", (COMPUTE, STORE, LOAD)),
        ((Compute,), "stores", (LOAD, COMPUTE, STORE)),
        ((Drain,), "computes", (STORE, LOAD, COMPUTE)),
    ],
)
def test_a_missing_wait_is_seen(kinds: tuple[type[Descriptor], ...], engine: str, order: tuple[Engine, ...]) -> None:
    """What the phases wait for of each other decides the result, in this order at the latest."""
    network = fixed(size=LARGE)
    step = StepProgram(network, Grid(4, SHAPE), search=False)
    rate, (images, labels) = network.config.training.rate_shift(0), batch(network.config, 1)
    expected = StepMemory(step)
    expected.put(network, rate)
    expected.put_batch(images, labels)
    start = expected.memory.copy()
    execute(machine(expected), step, Favour(*order))
    same(expected, network.train_step(images, labels, rate))
    same_weights(expected, network)
    broken = hasty(step, lambda each: replace(each.after, **{engine: 0}) if isinstance(each, kinds) else None)
    memory = StepMemory(step, start)
    memory["program"][:] = np.frombuffer(broken, np.uint8)
    try:
        stop = machine(memory).run(step.address, step.length, order=Favour(*order))
    except ValueError:  # a tap list that is not there yet
        return
    assert stop is not None or [each for each in memory.differences(expected) if not each.startswith("program")]


def test_updates_run_beside_what_follows() -> None:
    """No operation waits for an update; an update waits for its gradients and for all loads of the old weights."""
    step = StepProgram(fixed(fused=False), Grid(4, SHAPE), search=False)
    loads = stores = 0
    updates: list[int] = []
    read: dict[int, int] = {}  # number of the last load of a tensor's weights
    collected: dict[int, int] = {}
    for each in step.descriptors:
        loads += each.counts and each.engine is LOAD
        stores += each.counts and each.engine is STORE
        if isinstance(each, Stream):
            read |= {
                tensor.address: loads
                for tensor in step.tensors.values()
                if tensor.address <= each.address < tensor.address + tensor.bytes
            }
        elif isinstance(each, Collect):
            collected[each.address] = stores
        elif isinstance(each, Update):
            updates.append(stores)
            biases = each.weights == step.tensors["unused"].address
            assert biases or each.after.loads >= read[each.weights]
            assert each.after.stores >= collected[each.gradients]
            assert each.after.computes == 0
    assert len(updates) == 4 + 2
    assert updates[-1] == stores
    assert not {each.after.stores for each in step.descriptors} & set(updates)


def test_biases_lie_in_the_order_of_their_channels() -> None:
    """Nothing is between the blocks, so that drains can read them; drains of other layers add none."""
    rows, lanes = 19, 8  # three blocks, the last one ragged
    document = values(random.Random(1), [CONV | {"outputs": rows, "bias": True}, CONV, DENSE], lanes)
    network = PeNetwork(PeConfig.from_dict(document))
    network.prune()
    step = StepProgram(network, Grid(4, SHAPE), search=False)
    memory = train(network, step, 2)
    order = step.order("output0")
    assert (order != np.arange(rows)).any()
    assert np.array_equal(memory["bias_masters0"][:rows], network.layer_weights(0).bias[order])
    assert not memory["bias_masters0"][rows:].any()
    first, most = step.tensors["bias_masters0"].address, 4 * rows
    scaled = False
    for each in step.descriptors:
        if isinstance(each, Scales):
            scaled = each.records == Records.BIASES
            assert not scaled or first <= each.address < first + most
        elif isinstance(each, Output):
            output = step.tensors["output0"]
            assert scaled == (output.address <= each.address < output.address + output.bytes)


@pytest.mark.parametrize("pruned", [False, True])
def test_inference(pruned: bool) -> None:
    network = fixed()
    if not pruned:
        network = PeNetwork(network.config)
    step = StepProgram(network, Grid(4, SHAPE), training=False, search=False)
    memory = StepMemory(step)
    memory.put(network, 14)
    array = machine(memory)
    for n in range(2):
        images, _ = batch(network.config, n)
        memory.put_batch(images)
        execute(array, step, random.Random(n) if n else None)
        want, got = network.forward(images), memory.trace()
        for a, b in zip(got.outputs, want.outputs, strict=True):
            assert np.array_equal(a, b)
        assert np.array_equal(memory.logits.argmax(axis=0), network.classify(images))
        assert not any(each.size for each in got.deltas + got.gradients + got.indices)
    assert step.allocation.size < StepProgram(network, Grid(4, SHAPE), search=False).allocation.size
    assert "masters0" not in step.tensors
    assert not memory.gaps(0).any()
    with pytest.raises(ValueError, match="no masters"):
        memory.weights()


def test_another_rate_changes_the_updates_alone() -> None:
    network = fixed(momentum=0)
    step = StepProgram(network, Grid(2, SHAPE), search=False)
    a, b = step.program(14), step.program(15)
    assert len(a) == len(b) == 32 * step.length
    assert step.address % 32 == 0
    changed = {n // 32 for n in range(len(a)) if a[n] != b[n]}
    assert changed == {n for n, each in enumerate(step.descriptors) if isinstance(each, Update | Learn)}
    memory = StepMemory(step)
    memory.put(network, 14)
    memory.put_program(15)
    images, labels = batch(network.config, 1)
    memory.put_batch(images, labels)
    execute(machine(memory), step, None)
    network.train_step(images, labels, 15)
    same_weights(memory, network)
    with pytest.raises(ValueError, match=r"update shift = -\d+ must be 0 … 31"):
        step.program(0)


def test_tensors_lie_apart_on_bursts() -> None:
    step = StepProgram(fixed(), Grid(4, SHAPE), search=False, base=1 << 16)
    tensors = list(step.tensors.values())
    assert all(each.address % (16 * 8) == 0 for each in tensors)
    assert all(a.address + a.bytes <= b.address for a, b in pairwise(tensors))
    first, last = step.write_window
    assert all(each.writable == (first <= each.address <= last) for each in tensors)
    assert tensors[0].address == step.read_window[0] == 1 << 16
    assert tensors[-1].address + tensors[-1].bytes <= step.read_window[1] + 1
    assert (step.tensors["output0"].shape, step.tensors["masters0"].dtype) == ((6, 9, 8, 8), "<i4")


def test_differences_are_named() -> None:
    step = StepProgram(fixed(), Grid(4, SHAPE), search=False)
    a, b = StepMemory(step), StepMemory(step)
    b["masters4"][3] = 7
    assert a.differences(b) == [f"masters4: 1 of {a['masters4'].size} differ, first (3,): 0, 7"]
    assert not a.differences(a)


def test_what_cannot_be_is_refused() -> None:
    network = fixed()
    config = network.config
    with pytest.raises(ValueError, match="B = 16 must be the batch, 8"):
        StepProgram(network, Grid(2, PeShape(16)))
    with pytest.raises(ValueError, match=r"B = 4 must be .* at least 8"):
        StepProgram(PeNetwork(replace(config, training=replace(config.training, batch=4))), Grid(2, PeShape(4)))
    with pytest.raises(ValueError, match="ACC = 24 must be at least 32"):
        StepProgram(network, Grid(2, PeShape(8, 24)))
    with pytest.raises(ValueError, match="base = 0x20 must be a multiple of 128"):
        StepProgram(network, Grid(2, SHAPE), base=32, search=False)
    with pytest.raises(ValueError, match="beyond 32 bits"):
        StepProgram(network, Grid(2, SHAPE), search=False, base=(1 << 32) - 128)
    with pytest.raises(ValueError, match=r"a block of one element does not fit: .*tap entries"):
        StepProgram(network, Grid(2, replace(SHAPE, t_depth=2)))
    memory = StepMemory(StepProgram(network, Grid(2, SHAPE), search=False))
    with pytest.raises(ValueError, match="images int16"):
        memory.put_batch(np.zeros((2, 9, 8, 8), dtype=np.int16))
    with pytest.raises(ValueError, match="ends before tensor"):
        StepMemory(memory.step, memory.memory[:-1000]).put_program(14)


def test_small_blocks_where_large_ones_do_not_fit() -> None:
    network = fixed()
    small = Grid(2, replace(SHAPE, x_depth=64, y_depth=16))
    rows, cols = choose_block(network.config.layers[2], small)
    assert rows < 5 or cols < 6
    train(network, StepProgram(network, small, search=False), 1)


def test_pointers_are_checked() -> None:
    step = StepProgram(fixed(), Grid(2, SHAPE), search=False)
    made = Sequence(step.tensors, step.storage.parts, SHAPE)
    made.check(0, 3, 4)
    assert made.descriptors[0].after == After()
    memory = StepMemory(step)
    memory.put(fixed(), 14)
    memory["pointers2"][0] = 1
    stop = machine(memory).run(step.address, step.length)
    assert stop is not None
    assert (stop.cause.name, stop.index) == ("POINTERS", 1)


def test_allocation_keeps_what_is_written_together() -> None:
    allocation = Allocation(8)
    allocation.add("a", "i1", (3,))
    with pytest.raises(ValueError, match="nothing that the program writes"):
        _ = allocation.write_window
    with pytest.raises(ValueError, match="tensor a is there already"):
        allocation.add("a", "i1", (3,))
    allocation.add("b", "<i4", (33,), writable=True)
    assert allocation.write_window == (128, 128 + 256 - 1)
    allocation.add("c", "i1", (1,))
    with pytest.raises(ValueError, match="tensor d is written, but one before it"):
        allocation.add("d", "i1", (1,), writable=True)
    view = allocation.view(np.zeros(allocation.size, dtype=np.uint8), "b")
    assert (view.shape, view.dtype.str) == ((33,), "<i4")
