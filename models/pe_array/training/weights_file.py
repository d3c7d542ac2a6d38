# SPDX-License-Identifier: Apache-2.0
"""Trained weights in a file: what a training leaves, and what another one begins with."""

from __future__ import annotations

import os.path
from pathlib import Path

import numpy as np

from models.lib import array_file
from models.lib.array_file import Arrays, Expected
from models.pe_array.network.config import PeConfig
from models.pe_array.network.layers import NO_BIAS
from models.pe_array.network.network import PeNetwork, expected_elements, no_biases, read_positions
from models.pe_array.network.weights import Weights


class WeightsError(RuntimeError):
    """A file of weights that is missing or damaged, or of another network."""


def save_weights(path: Path, network: PeNetwork) -> None:
    """Write what ``weight_arrays`` gives; a reader sees the old file or the new one, never a part."""
    array_file.write(path, weight_arrays(network), compressed=True)


def weight_arrays(network: PeNetwork) -> Arrays:
    """``row_i``, ``col_i``, ``masters_i``, ``mac_i``, ``weight_frac_i`` of layers with weights; ``widths``.

    Of biases ``bias_i`` and ``bias_frac_i``.
    """
    widths = network.config.widths
    arrays: Arrays = {"widths": np.array([widths.data, widths.master])}
    for i, weights in enumerate(network.weights):
        if weights:
            arrays |= {f"row_{i}": weights.positions.row, f"col_{i}": weights.positions.col}
            arrays |= {f"masters_{i}": weights.masters, f"mac_{i}": weights.mac}
            layer = network.config.layers[i]
            arrays[f"weight_frac_{i}"] = np.array(layer.weight_frac)
            if layer.bias:
                arrays |= {f"bias_{i}": weights.bias, f"bias_frac_{i}": np.array(layer.bias_frac)}
    return arrays


def load_weights(path: Path, network: PeNetwork) -> None:
    """Give a network the positions and masters of a file, and momenta of 0.

    Raises:
        WeightsError: it cannot be used; then nothing has changed.
    """
    if not os.path.isfile(path):
        raise WeightsError(f"there is no {path}: train the network that training.initial names first")
    config = network.config
    try:
        arrays = array_file.read(path)
        _check_biases(arrays, config)
        array_file.check(arrays, _expected(config))
        _check_widths(arrays, config)
        weights = [_layer(arrays, i, config) if layer.has_weights else None for i, layer in enumerate(config.layers)]
    except ValueError as error:
        raise WeightsError(f"{path} is damaged or holds the weights of another network: {error}") from None
    network.begin_with(weights)


def _expected(config: PeConfig) -> dict[str, Expected]:
    """What ``save_weights`` writes of a network, pruned or not."""
    found = {"widths": Expected(np.int64, (2,), 0, 64)}
    limit = 1 << (config.widths.data - 1)
    for i, layer in enumerate(config.layers):
        if layer.has_weights:
            found |= expected_elements(config, i)
            found[f"mac_{i}"] = Expected(np.int8, found[f"masters_{i}"].shape, -limit, limit - 1)
            found[f"weight_frac_{i}"] = Expected(np.int64, (), layer.weight_frac, layer.weight_frac)
            if layer.bias:
                found[f"bias_frac_{i}"] = Expected(np.int64, (), layer.bias_frac, layer.bias_frac)
    return found


def _check_biases(arrays: Arrays, config: PeConfig) -> None:
    """Raises ValueError where a layer has biases and the file none of it, or the other way round."""
    for i, layer in enumerate(config.layers):
        if layer.has_weights and layer.bias != (f"bias_{i}" in arrays):
            what = f"it has no bias_{i}" if layer.bias else f"'bias_{i}' does not belong in it"
            mend = f"{not layer.bias}".lower()
            raise ValueError(f"{what}: layer {i} ({layer.name}) would be like it with layers[{i}].bias = {mend}")


def _check_widths(arrays: Arrays, config: PeConfig) -> None:
    """Raises ValueError."""
    found, wanted = tuple(arrays["widths"].tolist()), (config.widths.data, config.widths.master)
    if found != wanted:
        raise ValueError(f"widths: array.data_bits and array.master_bits are {found} in it, not {wanted}")


def _layer(arrays: Arrays, index: int, config: PeConfig) -> Weights:
    """Weights of a layer. Raises ValueError."""
    conv, masters = config.layers[index].conv, arrays[f"masters_{index}"]
    weights = Weights(
        conv, read_positions(arrays, conv, index), masters, np.zeros_like(masters), config.widths,
        arrays.get(f"bias_{index}", NO_BIAS), no_biases(config.layers[index]),
    )  # fmt: skip
    if not np.array_equal(weights.mac, arrays[f"mac_{index}"]):
        raise ValueError(f"mac_{index} are not the MAC weights of masters_{index}")
    return weights


def starting_network(config: PeConfig) -> PeNetwork:
    """The network that a training begins with: random weights, or those of the file ``training.initial``.

    Raises:
        WeightsError: the file cannot be used.
    """
    network = PeNetwork(config)
    if config.training.initial is not None:
        load_weights(config.training.initial, network)
    return network
