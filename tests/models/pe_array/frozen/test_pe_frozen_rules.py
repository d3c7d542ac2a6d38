# SPDX-License-Identifier: Apache-2.0
"""What frozen networks refuse, and kinds of layers that only they have."""

from __future__ import annotations

import numpy as np
import pytest

from models.pe_array.isa.shapes import Conv
from models.pe_array.network.frozen.builder import FrozenBuilder
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.kinds.identity import Identity
from models.pe_array.network.layer import IMAGE
from models.pe_array.network.scaling import Addend, Scaling, scaled

ONE = Scaling.of(1.0)


def built() -> FrozenBuilder:
    """A convolution to 5 channels, and three times that."""
    made = FrozenBuilder("rules", (3, 4, 4), 8)
    made.convolution(IMAGE, Conv.make(5, 3), np.ones((5, 3, 1, 1), np.int64), ONE)
    made.identity(0, ONE, None, 3)
    return made


def test_weights_where_they_belong() -> None:
    network = built().network(2)
    config, (weights, none) = network.config, network.weights
    assert config.classes == 5
    assert network.layer_weights(0) is weights
    with pytest.raises(TypeError, match="layer 1 is identity and has no weights"):
        network.layer_weights(1)
    with pytest.raises(ValueError, match="layer 0 of kind conv must have weights"):
        FrozenNetwork(config, [None, none])
    with pytest.raises(ValueError, match="layer 1 of kind identity must not have weights"):
        FrozenNetwork(config, [weights, weights])


def test_pictures_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"images \(3, 4, 5, 8\) must be \(channels, H, W, batch\) = \(3, 4, 4\)"):
        built().network(2).forward(np.zeros((3, 4, 5, 8), np.int8))


def test_maps_of_different_sizes_are_not_added() -> None:
    made = built()
    with pytest.raises(ValueError, match=r"a map of \(3, 4, 4\) cannot be added to one of \(5, 4, 4\)"):
        made.identity(0, Scaling.of(1.0, addend=Addend(1 << 23)), IMAGE)
    with pytest.raises(ValueError, match="a map is added where the scales say how, and only there"):
        made.identity(0, ONE, 1)


def test_identity_multiplies_in_both_directions() -> None:
    """Bytes and floating point, forwards and backwards: the same factor."""
    layer = built().layers[1]
    assert isinstance(layer, Identity)
    assert (layer.factor, layer.scale, layer.multiplier) == (3, 0, 3)
    x = np.random.default_rng(1).integers(-40, 40, (5, 4, 4, 8)).astype(np.int8)
    none = np.zeros(0, np.uint8)
    np.testing.assert_array_equal(layer.feedforward(x, None, None).values, 3 * x)
    np.testing.assert_array_equal(layer.input_gradient(x, none, None), 3 * x.astype(np.int32))
    floats = x.astype(np.float32)
    np.testing.assert_array_equal(layer.float_forward(floats, floats)[0], 3 * floats)
    np.testing.assert_array_equal(layer.float_input_gradient(floats, none.astype(np.int64), floats), 3 * floats)
    forward, backward = layer.forward_phase(), layer.backward_phase()
    assert (forward.one_weight, forward.backward) == (True, False)
    assert (backward.one_weight, backward.backward) == (True, True)


def test_configurations_do_not_have_it() -> None:
    with pytest.raises(ValueError, match="is of frozen networks alone"):
        Identity.read(None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("even", "near"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("factor", [0, 5000000])
def test_compiled_requantisation_is_what_its_text_says(even: bool, near: bool, factor: int) -> None:
    """Numba's whole numbers do not wrap where Python's would not; ties and values at the limits are among them."""
    rng = np.random.default_rng(2)
    acc = np.concatenate((rng.integers(-(1 << 25), 1 << 25, (3, 40)), 64 * rng.integers(-256, 256, (3, 40))), axis=1)
    biases = np.array([-(1 << 31), 0, (1 << 31) - 1])
    multipliers, shifts = np.array([1 << 23, 1 << 23, (1 << 24) - 1]), np.array([31, 7, 20])
    added = rng.integers(-128, 128, acc.shape).astype(np.int8)
    found = []
    for function in (scaled, scaled.py_func):
        out = np.zeros(acc.shape, np.int8)
        clipped = function(
            acc.astype(np.int32), biases, multipliers, shifts, added, factor, 3, -7, 5, -100, 90, even, near, 8, out
        )
        found.append((int(clipped), out.tolist()))
    assert found[0] == found[1]
    assert found[0][0] > 20
    assert {-100, 90} < set(np.array(found[0][1]).reshape(-1).tolist())
