# SPDX-License-Identifier: Apache-2.0
"""Residual additions, several consumers of a map, global average pooling: models, programs, and what is refused."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import onnx
import onnx.helper as oh
import pytest
from onnx.reference import ReferenceEvaluator
from pe_nets import NETS, network
from slopes import assert_slopes

from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import Engine, Map
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import CommandField, SetField
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.widths import STANDARD
from models.pe_array.network import float_layers, requantise
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.network.layers import average_scale
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.output_delta import output_delta8
from models.pe_array.network.trace import Trace
from tests.models.pe_array.compiler.pe_steps import Favour, batch, execute, hasty, machine, same, train


def rounded(acc: np.ndarray, shift: int, relu: bool = False, mask: np.ndarray | None = None) -> np.ndarray:
    settings = requantise.DrainSettings(shift, relu)
    return requantise.requantise(np.rint(acc).astype(int), settings, mask=mask)[0].astype(float)


class Reference:
    """The laws of docs/pe_array/numbers.md written down once more, on float64 layers, which are exact on integers."""

    def __init__(self, net: PeNetwork, images: np.ndarray, labels: np.ndarray) -> None:
        self.layers, self.net = net.config.layers, net
        self.maps: dict[int, np.ndarray] = {-1: images.astype(float)}
        self.indices: dict[int, np.ndarray] = {}
        for n, layer in enumerate(self.layers):
            x = self.maps[layer.reads].reshape(*layer.in_shape, -1)
            if layer.kind == "max_pool":
                self.maps[n], self.indices[n] = float_layers.max_pool(layer.window, x)
                continue
            if layer.kind == "average_pool":
                acc = float_layers.average_pool(layer.window, x) * layer.window.taps * layer.multiplier
            else:
                acc = float_layers.conv_forward(layer.window, x, self.dense(n))
            if layer.bias:
                biases = net.layer_weights(n).bias / 2.0 ** (layer.bias_frac - layer.in_frac - layer.weight_frac)
                acc = acc + np.floor(biases + 0.5)[:, None, None, None]
            if layer.add is not None:
                acc = acc + self.maps[layer.add] * 2.0 ** (layer.in_frac + layer.weight_frac - layer.add_frac)
            self.maps[n] = np.minimum(rounded(acc, layer.forward_shift, layer.relu), layer.clip or 127)
        logits = self.maps[len(self.layers) - 1]
        d = output_delta8(logits.reshape(len(logits), -1).astype(int), labels, net.config.logit_frac)
        self.deltas = {len(self.layers) - 1: d.astype(float).reshape(logits.shape)}
        for n in reversed(range(len(self.layers) - 1)):
            self.deltas[n] = self.delta(n)

    def dense(self, n: int) -> np.ndarray:
        weights = self.net.layer_weights(n)
        return weights.positions.scatter(STANDARD.mac_weights(weights.masters).astype(float), weights.conv)

    def way_back(self, n: int) -> tuple[np.ndarray, int]:
        """Sums of a layer's way back, and their fraction bits."""
        layer, d = self.layers[n], self.deltas[n]
        size = layer.in_shape[1:]
        if layer.kind == "max_pool":
            return float_layers.max_pool_backward(layer.window, d, self.indices[n], *size), layer.delta_frac
        if layer.kind == "average_pool":
            acc = float_layers.average_pool_backward(layer.window, d, *size) * layer.window.taps * layer.multiplier
            return acc, layer.delta_frac + average_scale(layer.window.taps)[1]
        acc = float_layers.conv_input_gradient(layer.window, d, self.dense(n), *size)
        return acc, layer.delta_frac + layer.weight_frac

    def delta(self, n: int) -> np.ndarray:
        """Max pooling first, then additions from few fraction bits to many, then readers from last to first."""
        frac, shape = self.layers[n].delta_frac, self.maps[n].shape
        behind = list(enumerate(self.layers))[::-1]
        parts = [self.way_back(k) for k, layer in behind if layer.reads == n and layer.kind == "max_pool"]
        adders = sorted((k for k, layer in behind if layer.add == n), key=lambda k: self.layers[k].delta_frac)
        unrounded = [] if parts else [self.deltas[k] for k in adders[:1]]
        begin = [self.layers[k].delta_frac for k in adders[:1]]
        parts += [(self.deltas[k], self.layers[k].delta_frac) for k in adders]
        parts += [self.way_back(k) for k, layer in behind if layer.reads == n and layer.kind != "max_pool"]
        value, scale = np.zeros(shape), 0
        if unrounded and len(parts) > 1:
            value, scale = unrounded[0], begin[0]
            parts = parts[1:]
        for place, (acc, sums) in enumerate(parts):
            total = acc.reshape(shape) + value.reshape(shape) * 2.0 ** (sums - scale)
            mask = self.kept(n) if place == len(parts) - 1 else None
            value, scale = rounded(total, sums - frac, mask=mask), frac
        return value

    def kept(self, n: int) -> np.ndarray | None:
        """Where a gradient is not 0: that of a map that is only pooled has its ReLU behind the pooling."""
        layer, mask = self.layers[n], self.maps[n].astype(int)
        if self.pooled(n) is not None:
            return None
        if layer.kind == "max_pool" and layer.reads >= 0 and self.pooled(layer.reads) == n:
            layer = self.layers[layer.reads]
        if not layer.relu:
            return None
        return np.where(mask < layer.clip, mask, 0) if layer.clip else mask

    def pooled(self, n: int) -> int | None:
        users = [k for k, layer in enumerate(self.layers) if n in (layer.reads, layer.add)]
        return users[0] if len(users) == 1 and self.layers[users[0]].kind == "max_pool" else None

    def compare(self, trace: Trace) -> None:
        for n in range(len(self.layers)):
            assert np.array_equal(trace.outputs[n], self.maps[n]), n
            assert np.array_equal(trace.deltas[n], self.deltas[n]), n
            if self.layers[n].has_weights:
                x = self.maps[self.layers[n].reads].reshape(*self.layers[n].in_shape, -1)
                dense = float_layers.conv_weight_gradient(self.layers[n].conv, x, self.deltas[n])
                assert np.array_equal(trace.gradients[n], self.net.layer_weights(n).positions.gather(dense)), n
            if self.layers[n].bias:
                assert np.array_equal(trace.bias_gradients[n], self.deltas[n].sum(axis=(1, 2, 3))), n


@pytest.mark.parametrize("name", NETS)
def test_steps_bit_by_bit(name: str) -> None:
    net = network(name)
    for seed in range(3):
        images, labels = batch(net.config, seed)
        trace = net.forward(images)
        net.backward(trace, labels)
        Reference(net, images, labels).compare(trace)
        assert all(delta.any() for delta in trace.deltas)
        net.update(trace, 14)


def test_forward_against_onnx() -> None:
    """A residual block out of ONNX's operators: two convolutions, a projection, the sum rounded once, then ReLU."""
    net = network("projection", prune=False)
    images, _ = batch(net.config, 1)
    trace = net.forward(images)
    layers = net.config.layers
    tensors, nodes = [], []

    def add_conv(n: int, source: str, skip: str = "") -> str:
        layer, weights = layers[n], net.layer_weights(n)
        w = weights.positions.scatter(weights.mac.astype(np.float64), layer.conv)
        half = 2.0 ** (layer.forward_shift - 1)
        numbers = {"w": w, "half": half, "scale": 2.0**-layer.forward_shift, "low": -128.0, "high": 127.0}
        for name, data in numbers.items():
            tensors.append(onnx.numpy_helper.from_array(np.array(data), f"{name}{n}"))
        window = {"strides": layer.conv.stride, "pads": layer.conv.pad}
        nodes.append(oh.make_node("Conv", [source, f"w{n}"], [f"c{n}"], kernel_shape=layer.conv.kernel, **window))
        sums = f"c{n}"
        if skip:
            tensors.append(onnx.numpy_helper.from_array(np.array(2.0**layer.add_shift), f"up{n}"))
            nodes.append(oh.make_node("Mul", [skip, f"up{n}"], [f"s{n}"]))
            nodes.append(oh.make_node("Add", [sums, f"s{n}"], [f"t{n}"]))
            sums = f"t{n}"
        nodes.append(oh.make_node("Add", [sums, f"half{n}"], [f"h{n}"]))
        nodes.append(oh.make_node("Mul", [f"h{n}", f"scale{n}"], [f"m{n}"]))
        nodes.append(oh.make_node("Floor", [f"m{n}"], [f"f{n}"]))
        nodes.append(oh.make_node("Clip", [f"f{n}", f"low{n}", f"high{n}"], [f"y{n}"]))
        if layer.relu:
            nodes.append(oh.make_node("Relu", [f"y{n}"], [f"r{n}"]))
        return f"r{n}" if layer.relu else f"y{n}"

    a = add_conv(0, "x")
    c = add_conv(3, add_conv(1, a), add_conv(2, a))
    d = add_conv(4, c, c)
    info = [oh.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, None) for name in ("x", c, d)]
    graph = oh.make_graph(nodes, "block", info[:1], info[1:], tensors)
    model = oh.make_model(graph, opset_imports=[oh.make_opsetid("", 18)])
    found = ReferenceEvaluator(model).run(None, {"x": images.astype(np.float64).transpose(3, 0, 1, 2)})
    for n, got in zip((3, 4), found, strict=True):
        assert np.array_equal(got.transpose(1, 2, 3, 0), trace.outputs[n])


@pytest.mark.parametrize("name", NETS)
def test_twin_has_the_gradient_of_its_loss(name: str) -> None:
    twin = FloatNetwork(network(name, prune=False))
    images, labels = batch(twin.config, 1)
    x, labels = images / 64.0, labels % twin.config.classes

    found, *_ = twin.gradients(x, labels)
    rng = np.random.default_rng(1)
    for layer, w, gradient in zip(twin.config.layers, twin.weights, found, strict=True):
        if not layer.has_weights:
            continue
        allowed = np.flatnonzero(np.broadcast_to(layer.conv.allowed()[:, :, None, None], w.shape))
        places = rng.choice(allowed, min(len(allowed), 6), replace=False)
        assert_slopes(twin, x, labels, w, gradient, places, abs=1e-4)


@pytest.mark.parametrize(("name", "seed"), [*zip(NETS, [0, 1] * 5, strict=True), ("projection", 0), ("two readers", 1)])
def test_steps_on_the_array(name: str, seed: int) -> None:
    """Memories of several sizes, so that there are strips, tiles and both halves; in order, then in random orders."""
    rng = random.Random(list(NETS).index(name) * 10 + seed)
    shape = PeShape(
        8, 32, rng.choice([128, 256]), rng.choice([32, 64, 256]), rng.choice([32, 64]), rng.choice([8, 16]),
        rng.choice([32, 128]),
    )  # fmt: skip
    size = rng.choice([(6, 5), (8, 8), (7, 4)])
    step = StepProgram(network(name, size), Grid(rng.choice([2, 4]), shape), balanced=seed == 0, search=seed == 0)
    train(network(name, size), step, 2, seed)


def test_sums_begin_with_a_map_and_nothing_is_cleared() -> None:
    """An identity block on one strip: the map that is added is loaded to Y, shifted, once forward and once back."""
    net = network("identity", (4, 4))
    step = StepProgram(net, Grid(4, PeShape(8)), search=False)
    names = [phase.name for phase in step.phases]
    assert names[:5] == ["ff0", "ff1", "ff2", "ff3", "ff4"]
    assert names[5:] == ["ng4", "wg4", "ng3", "ng2", "wg2", "ng1", "wg1", "wg0"]
    layer = net.config.layers[2]
    assert (layer.add, layer.add_shift) == (0, 6)
    loads = {each.address for each in step.descriptors if isinstance(each, Map) and each.y and each.shift}
    for name in ("output0", "delta2"):
        tensor = step.tensors[name]
        own = {address for address in loads if tensor.address <= address < tensor.address + tensor.bytes}
        assert own, name
        loads -= own
    assert not loads
    for phase in step.phases:
        fields = [each for each in phase.program.computes() if isinstance(each, SetField)]
        cleared = any(each.field == CommandField.CLEAR and each.value for each in fields)
        assert cleared == (phase.name.startswith(("ff", "ng")) and phase.name not in ("ff2", "ng1"))


def test_a_missing_wait_of_what_sums_begin_with_is_seen() -> None:
    """The map must be stored, and the half of Y drained, before the map is loaded there."""
    net = network("identity", (8, 8))
    step = StepProgram(net, Grid(4, PeShape(8, 32, x_depth=128, y_depth=32)), search=False)
    favour = Favour(Engine.LOAD, Engine.COMPUTE, Engine.STORE)
    images, labels = batch(net.config, 1)
    expected = StepMemory(step)
    expected.put(net, 14)
    expected.put_batch(images, labels)
    start = expected.memory.copy()
    execute(machine(expected), step, favour)
    same(expected, net.train_step(images, labels, 14))
    broken = hasty(step, lambda each: replace(each.after, stores=0) if isinstance(each, Map) and each.shift else None)
    memory = StepMemory(step, start)
    memory["program"][:] = np.frombuffer(broken, np.uint8)
    assert machine(memory).run(step.address, step.length, order=favour) is None
    assert [each for each in memory.differences(expected) if not each.startswith("program")]


def test_tiles_of_different_size_are_not_preset() -> None:
    """Of a map with prime sides the strips are such that all tiles are full ones."""
    net = network("identity", (7, 7))
    step = StepProgram(net, Grid(4, PeShape(8)))
    train(network("identity", (7, 7)), step, 1)
    for phase in step.phases:
        if phase.name in ("ff2", "ng1"):
            for each in phase.program.stores():
                command = each.command
                assert command.height % command.tile_height == command.width % command.tile_width == 0
