# SPDX-License-Identifier: Apache-2.0
"""Trained weights in a file: what a training leaves, and what another one begins with."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from models.checkpoint import Arrays
from models.pe_array.config import PeConfig
from models.pe_array.network import PeNetwork, Weights
from models.pe_array.shapes import Positions
from models.whole_file import written


class WeightsError(RuntimeError):
    """A file of weights that is missing or damaged, or of another network."""


def save_weights(path: Path, network: PeNetwork) -> None:
    """Write what ``weight_arrays`` gives; a reader sees the old file or the new one, never a part."""
    with written(path) as (file,):
        np.savez_compressed(file, **weight_arrays(network))  # type: ignore[arg-type]


def weight_arrays(network: PeNetwork) -> Arrays:
    """``row_i``, ``col_i``, ``masters_i``, ``mac_i``, ``weight_frac_i`` of layers with weights; ``widths``."""
    widths = network.config.widths
    arrays: Arrays = {"widths": np.array([widths.data, widths.master])}
    for i, weights in enumerate(network.weights):
        if weights:
            arrays |= {f"row_{i}": weights.positions.row, f"col_{i}": weights.positions.col}
            arrays |= {f"masters_{i}": weights.masters, f"mac_{i}": weights.mac}
            arrays[f"weight_frac_{i}"] = np.array(network.config.layers[i].weight_frac)
    return arrays


def load_weights(path: Path, network: PeNetwork) -> None:
    """Give a network the positions and masters of a file, and momenta of 0.

    Raises:
        WeightsError: it cannot be used; then nothing has changed.
    """
    if not path.is_file():
        raise WeightsError(f"there is no {path}: train the network that training.initial names first")
    try:
        with np.load(path) as file:
            arrays = dict(file)
        _check_widths(arrays, network.config)
        weights = [
            _layer(arrays, i, network.config) if layer.has_weights else None
            for i, layer in enumerate(network.config.layers)
        ]
    except KeyError as error:
        raise WeightsError(f"{path} holds no weights of this network: it has no {error}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} holds no weights of this network: {error}") from None
    if sum(name.startswith("masters_") for name in arrays) != sum(map(bool, weights)):
        raise WeightsError(f"{path} holds the weights of a network of more layers")
    network.weights = weights


def _check_widths(arrays: Arrays, config: PeConfig) -> None:
    """Raises KeyError, ValueError."""
    found, wanted = tuple(arrays["widths"].tolist()), (config.widths.data, config.widths.master)
    if found != wanted:
        raise ValueError(f"array.data_bits and array.master_bits are {found} in it, not {wanted}")


def _layer(arrays: Arrays, index: int, config: PeConfig) -> Weights:
    """Weights of a layer. Raises KeyError, ValueError."""
    layer = config.layers[index]
    positions = Positions(arrays[f"row_{index}"], arrays[f"col_{index}"])
    masters, frac = arrays[f"masters_{index}"], int(arrays[f"weight_frac_{index}"])
    if frac != layer.weight_frac:
        raise ValueError(f"layer {index} has weight_frac = {frac}, not {layer.weight_frac}")
    if masters.shape != (len(positions), *layer.conv.kernel) or masters.dtype != np.int32:
        raise ValueError(
            f"layer {index} has masters {masters.dtype} {masters.shape}, not int32 "
            f"{(len(positions), *layer.conv.kernel)}"
        )
    limit = 1 << (config.widths.master - 1)
    if len(masters) and not -limit <= masters.min() <= masters.max() < limit:
        raise ValueError(f"layer {index} has masters beyond {config.widths.master} bits")
    try:
        positions.check(layer.conv)
    except (ValueError, IndexError) as error:
        raise ValueError(f"layer {index}: {error}") from None
    return Weights(layer.conv, positions, masters, np.zeros_like(masters), config.widths)


def starting_network(config: PeConfig) -> PeNetwork:
    """The network that a training begins with: random weights, or those of the file ``training.initial``.

    Raises:
        WeightsError: the file cannot be used.
    """
    network = PeNetwork(config)
    if config.training.initial is not None:
        load_weights(config.training.initial, network)
    return network
