# SPDX-License-Identifier: Apache-2.0
"""Pruning at once, without the harm that it need not do: what is left of a layer makes what the whole layer made.

Layer after layer, from the first: the kernels that pruning leaves, and the bias, get the values with which the sums of
an output channel are nearest to those of the network before pruning, by least squares over many pixels of the pictures,
from the maps that the pruned layers ahead make. So each layer mends what the ones ahead lost too. This needs no labels
and no gradients; a training goes on from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.pe_array.frontend.finetune.real_layers import RealLayer
from models.pe_array.isa.shapes import Conv
from models.pe_array.network import float_layers
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.network.network import PeNetwork

Reals = npt.NDArray[np.float64]

PICTURES = 256
VALUES = 1 << 27
"""Of all maps together, for as many pictures as are looked at: a gigabyte."""
PIXELS = 12_000
"""Of a map, picked at random, at most so many times those."""
RIDGE = 0.1
"""Of the mean square of what is read: how firmly weights are held where they were. Without it, what hardly tells from
noise would make weights large."""


def pruned(layers: Sequence[RealLayer], network: PeNetwork, pictures: Reals) -> list[RealLayer]:
    """The layers with what pruning leaves of their weights, fitted: zeros are what is gone.

    Args:
        layers: of the model.
        network: the same with its weights, and the ``density`` of every layer. It is pruned, and no more than that.
        pictures: (n, C, H, W), as the layers read them; no more than ``PICTURES`` are looked at.
    """
    values = sum(int(np.prod(each.out_shape)) for each in network.config.layers)
    count = max(1, min(PICTURES, VALUES // values))
    whole, twin = FloatNetwork(network, np.float32), FloatNetwork(network, np.float32)
    images = np.ascontiguousarray(pictures[:count].transpose(1, 2, 3, 0).astype(whole.dtype))
    wanted: list[Reals] = []
    made: list[Reals] = []
    found = []
    for i, real in enumerate(layers):
        sums, _ = whole.sums(i, wanted, images)
        found.append(real)
        if real.has_weights and not real.picks:
            weights = network.layer_weights(i)
            weights.prune(network.config.layers[i].density)
            conv, before = weights.conv, twin.weights[i]
            twin.weights[i], twin.biases[i] = np.zeros_like(before), np.zeros_like(twin.biases[i])
            rest: Reals = sums - twin.sums(i, made, images)[0]  # without what is added
            new, bias = fitted(conv, weights.positions.mask(conv), before, twin.read(i, made, images), rest)
            twin.weights[i], twin.biases[i] = new.astype(twin.dtype), bias.astype(twin.dtype)
            found[i] = replace(real, weights=grouped(conv, new), bias=bias)
        wanted.append(whole.output(i, sums))
        made.append(twin.output(i, twin.sums(i, made, images)[0]))
    return found


def fitted(
    conv: Conv, mask: npt.NDArray[np.bool_], before: Reals, x: Reals, wanted: Reals
) -> tuple[Reals, Reals]:  # fmt: skip
    """Weights (rows, cols, KH, KW), zero where the mask (rows, cols) is false, and biases (rows,).

    Args:
        before: the weights that there were.
        x: map (cols, H, W, n) that is read.
        wanted: sums (rows, OH, OW, n).
    """
    places = wanted[0].size
    count = min(places, PIXELS, max(1, VALUES // (conv.cols * conv.taps)))
    pixels = np.unravel_index(np.random.default_rng(1).choice(places, count, replace=False), wanted[0].shape)
    seen, targets = _seen(conv, x, pixels), wanted[:, *pixels].astype(np.float64)
    mean, targets_mean = seen.mean(axis=0), targets.mean(axis=1)
    seen -= mean
    weights = np.zeros(before.shape)
    for row in range(conv.rows):
        kept = np.flatnonzero(mask[row])
        a, old = seen[:, kept].reshape(count, -1), before[row, kept].reshape(-1)
        new = _least_squares(a, targets[row] - targets_mean[row], old)
        weights[row, kept] = new.reshape(len(kept), *conv.kernel)
    return weights, targets_mean - np.tensordot(weights, mean, 3)


def _least_squares(a: Reals, y: Reals, old: Reals) -> Reals:
    """The x with the least (a x - y)^2 + ridge (x - old)^2; of two ways to solve it, that with the smaller matrix."""
    ridge = RIDGE * float((a**2).sum()) / max(1, a.shape[1]) + 1e-9
    rest = y - a @ old
    if a.shape[1] <= len(a):
        return np.asarray(old + np.linalg.solve(a.T @ a + ridge * np.eye(a.shape[1]), a.T @ rest))
    return np.asarray(old + a.T @ np.linalg.solve(a @ a.T + ridge * np.eye(len(a)), rest))


def _seen(conv: Conv, x: Reals, pixels: tuple[npt.NDArray[np.int64], ...]) -> Reals:
    """What windows see of a map (cols, H, W, n), those of some pixels of the output: (pixels, cols, KH, KW)."""
    top, left, bottom, right = conv.pad
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    lines, columns, pictures = pixels
    seen = np.empty((len(pictures), conv.cols, *conv.kernel))
    for ky, kx in np.ndindex(conv.kernel):
        line = lines * conv.stride[0] + ky * conv.dilation[0]
        column = columns * conv.stride[1] + kx * conv.dilation[1]
        seen[:, :, ky, kx] = padded[:, line, column, pictures].T
    return seen


def grouped(conv: Conv, weights: Reals) -> Reals:
    """Weights (rows, cols / groups, KH, KW): those of a row's group alone."""
    return float_layers.grouped(conv, weights).reshape(conv.rows, conv.cols // conv.groups, *conv.kernel)
