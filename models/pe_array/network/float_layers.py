# SPDX-License-Identifier: Apache-2.0
"""Float twin of the bit-exact layers: the same operations on real numbers, written independently of them.

Maps are (channels, H, W, batch), kernels are dense (rows, cols, KH, KW) and zero where a group or a mask allows none.
A convolution is a matrix product with the patches of its input; all gradients are those of sums over the batch. Results
have the precision of what they are made from: float64 for slopes that are checked, float32 for trainings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.shapes import Conv, Pool, SlidingWindow, WholeMap

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def _slices(window: SlidingWindow, tap: int, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the padded map that a tap sees, one for each window."""
    index = divmod(tap, window.kernel[1])
    first = [index[axis] * window.dilation[axis] for axis in range(2)]
    rows, cols = (
        slice(first[axis], first[axis] + (size[axis] - 1) * window.stride[axis] + 1, window.stride[axis])
        for axis in range(2)
    )
    return rows, cols


def _patches(window: SlidingWindow, x: FloatArray, fill: float = 0.0) -> FloatArray:
    """(channels, taps, OH, OW, batch): what every window sees of a map; ``fill`` in the padding."""
    size = window.out_size(x.shape[1], x.shape[2])
    out = np.empty((x.shape[0], window.taps, *size, x.shape[3]), dtype=x.dtype)
    padded = _padded(window, x, fill)
    for tap in range(window.taps):
        out[:, tap] = padded[:, *_slices(window, tap, size)]
    return out


def _padded(window: SlidingWindow, x: FloatArray, fill: float) -> FloatArray:
    top, left, bottom, right = window.pad
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)


def _overlay(window: SlidingWindow, seen: Sequence[FloatArray], height: int, width: int) -> FloatArray:
    """Adjoint of ``_patches``: a map (channels, height, width, batch) of the sums of all that windows hold.

    Args:
        seen: what every tap holds of them, (channels, OH, OW, batch).
    """
    top, left, bottom, right = window.pad
    channels, out_height, out_width, batch = seen[0].shape
    out = np.zeros((channels, height + top + bottom, width + left + right, batch), seen[0].dtype)
    for tap, each in enumerate(seen):
        out[:, *_slices(window, tap, (out_height, out_width))] += each
    return np.ascontiguousarray(out[:, top : top + height, left : left + width])


def grouped(conv: Conv, w: FloatArray) -> FloatArray:
    """Kernels (groups, rows/groups, cols/groups * taps) of a dense (rows, cols, KH, KW)."""
    groups, rows, cols = conv.groups, conv.rows // conv.groups, conv.cols // conv.groups
    if groups == 1:
        return w.reshape(1, rows, cols * conv.taps)
    blocks = w.reshape(groups, rows, groups, cols * conv.taps)
    return blocks[np.arange(groups), :, np.arange(groups)]


def conv_forward(conv: Conv, x: FloatArray, w: FloatArray) -> FloatArray:
    """Convolution (rows, OH, OW, batch) of x (cols, H, W, batch)."""
    patches = _patches(conv, x)
    shape = (conv.rows, *patches.shape[2:])
    product = grouped(conv, w) @ patches.reshape(conv.groups, conv.cols // conv.groups * conv.taps, -1)
    return product.reshape(shape)


def conv_input_gradient(conv: Conv, d: FloatArray, w: FloatArray, height: int, width: int) -> FloatArray:
    """Gradient (cols, height, width, batch) of the input from d (rows, OH, OW, batch) of the output."""
    back = grouped(conv, w).transpose(0, 2, 1) @ d.reshape(conv.groups, conv.rows // conv.groups, -1)
    return _overlay(conv, [*back.reshape(conv.cols, conv.taps, *d.shape[1:]).swapaxes(0, 1)], height, width)


def conv_weight_gradient(conv: Conv, x: FloatArray, d: FloatArray) -> FloatArray:
    """Gradient of the kernels, dense (rows, cols, KH, KW), zero outside the groups."""
    groups, rows, cols = conv.groups, conv.rows // conv.groups, conv.cols // conv.groups
    patches = _patches(conv, x).reshape(groups, cols * conv.taps, -1)
    blocks = d.reshape(groups, rows, -1) @ patches.transpose(0, 2, 1)
    if groups == 1:
        return blocks.reshape(rows, cols, *conv.kernel)
    out = np.zeros((groups, rows, groups, cols * conv.taps), dtype=blocks.dtype)
    out[np.arange(groups), :, np.arange(groups)] = blocks
    return out.reshape(conv.rows, conv.cols, *conv.kernel)


def max_pool(pool: Pool, x: FloatArray) -> tuple[FloatArray, IntArray]:
    """(maxima, taps of the first maxima), both (C, OH, OW, batch)."""
    size = pool.out_size(x.shape[1], x.shape[2])
    padded = _padded(pool, x, -np.inf)
    maxima = padded[:, *_slices(pool, 0, size)].copy()
    index = np.zeros(maxima.shape, dtype=np.int64)
    for tap in range(1, pool.taps):
        seen = padded[:, *_slices(pool, tap, size)]
        np.copyto(index, tap, where=seen > maxima)
        np.maximum(maxima, seen, out=maxima)
    return maxima, index


def max_pool_backward(pool: Pool, d: FloatArray, index: IntArray, height: int, width: int) -> FloatArray:
    """Gradient (C, height, width, batch) of the input from d (C, OH, OW, batch) of the maxima."""
    return _overlay(pool, [(index == tap) * d for tap in range(pool.taps)], height, width)


def _pixels(pool: Pool, height: int, width: int, dtype: npt.DTypeLike) -> FloatArray:
    """Pixels that count in every window, (OH, OW, 1): of a map of ones, with ones in the padding that counts."""
    counted = np.ones((1, height, width, 1), dtype)
    if pool.counted is None:
        return np.asarray(_patches(pool, counted, 1.0).sum(axis=1)[0])
    top, left, bottom, right = pool.counted
    grown = np.pad(counted, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=1.0)
    rest = tuple(a - b for a, b in zip(pool.pad, pool.counted, strict=True))
    inner = SlidingWindow(pool.kernel, pool.stride, (rest[0], rest[1], rest[2], rest[3]), pool.dilation)
    return np.asarray(_patches(inner, grown).sum(axis=1)[0])


def average_pool(pool: Pool, x: FloatArray) -> FloatArray:
    """Averages (C, OH, OW, batch) of the pixels that count; padding that counts is 0."""
    size = (x.shape[1], x.shape[2])
    if isinstance(pool, WholeMap):
        return np.asarray(x.mean(axis=(1, 2), keepdims=True))
    pool.out_size(*size)
    average: FloatArray = _patches(pool, x).sum(axis=1) / _pixels(pool, *size, x.dtype)
    return average


def average_pool_backward(pool: Pool, d: FloatArray, height: int, width: int) -> FloatArray:
    """Gradient (C, height, width, batch) of the input from d (C, OH, OW, batch) of the averages."""
    if isinstance(pool, WholeMap):
        return np.broadcast_to(d / (height * width), (d.shape[0], height, width, d.shape[3])).copy()
    return _overlay(pool, [d / _pixels(pool, height, width, d.dtype)] * pool.taps, height, width)


def relu(x: FloatArray, high: float = np.inf) -> FloatArray:
    """max(x, 0), at most ``high``."""
    return np.clip(x, 0.0, high)


def relu_backward(d: FloatArray, a: FloatArray, high: float = np.inf) -> FloatArray:
    """d where the activation a is positive and below ``high``, else 0."""
    return np.where((a > 0.0) & (a < high), d, 0.0)


def sigmoid(logits: FloatArray) -> FloatArray:
    """1 / (1 + exp(-logits)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def softmax(logits: FloatArray) -> FloatArray:
    """exp(logits) / sum(exp(logits)) over the classes, without overflow; logits (classes, batch)."""
    powers = np.exp(logits - logits.max(axis=0))
    shares: FloatArray = powers / powers.sum(axis=0)
    return shares


def cross_entropy(logits: FloatArray, labels: IntArray, shares: bool = False) -> float:
    """Sum over the batch of the loss of logits (classes, batch) and labels.

    With ``shares`` the cross-entropy of softmax(logits); without, the sum over the classes of the binary ones of
    sigmoid(logits).
    """
    target = np.arange(len(logits))[:, None] == labels
    if shares:
        return float(np.logaddexp.reduce(logits, axis=0).sum() - (logits * target).sum())
    return float((np.logaddexp(0.0, logits) - logits * target).sum())


def output_delta(logits: FloatArray, labels: IntArray, shares: bool = False) -> FloatArray:
    """Gradient of ``cross_entropy`` by the logits (classes, batch)."""
    answers = softmax(logits) if shares else sigmoid(logits)
    delta: FloatArray = answers - (np.arange(len(logits))[:, None] == labels)
    return delta


def bias_gradient(d: FloatArray) -> FloatArray:
    """Gradient (channels,) of the biases from d (channels, OH, OW, batch) of the output."""
    sums: FloatArray = d.reshape(len(d), -1).sum(axis=1)
    return sums


def update(
    w: FloatArray, v: FloatArray | None, gradient: FloatArray, rate: float, momentum_shift: int = 0, *,
    nesterov: bool = False, weight_decay: int = 0,
) -> None:  # fmt: skip
    """Step of gradient descent, in place: ``v <- v * (1 - 2**-m) + g; w <- w - w * 2**-d - rate * s``.

    The step s is v, with ``nesterov`` ``v * (1 - 2**-m) + g``, and g where there is no momentum. d is ``weight_decay``;
    0: the term is missing.
    """
    step = gradient
    if v is not None:
        kept = 1.0 - 2.0**-momentum_shift
        v *= kept
        v += gradient
        step = kept * v + gradient if nesterov else v
    if weight_decay:
        w -= w * 2.0**-weight_decay
    w -= rate * step
