# SPDX-License-Identifier: Apache-2.0
"""Deltas of the output layer as `output_delta8.v` and `softmax8.v` make them (docs/pe_array/numbers.md)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray, round_shift, saturate

DELTA_FRAC_MAX = 7
"""Largest number of fraction bits of the logits."""
EXP_ONE = 65535
"""What stands for exp(0): the largest number of 16 bits. With 256 classes the roundings of 255 exponentials add up, to
at most a quarter of a share's last bit; with 14 bits or fewer they could be more than its own rounding leaves."""


def sigmoid_table(frac: int) -> IntArray:
    """``T[i] = floor(128*sig(i/2**frac) + 0.5)``, 0 … 128, int64 (256,), at index ``i & 255``.

    Raises:
        ValueError: frac is not 0 … 7.
    """
    _check(frac)
    logit = np.arange(256)
    logit[128:] -= 256
    sigmoid = 1.0 / (1.0 + np.exp(-logit / float(1 << frac)))
    return np.floor(128.0 * sigmoid + 0.5).astype(np.int64)


def exp_table(frac: int) -> IntArray:
    """``E[i] = floor(65535*exp(-i/2**frac) + 0.5)``, int64 (256,).

    Raises:
        ValueError: frac is not 0 … 7.
    """
    _check(frac)
    return np.floor(EXP_ONE * np.exp(-np.arange(256) / float(1 << frac)) + 0.5).astype(np.int64)


def _check(frac: int) -> None:
    if not 0 <= frac <= DELTA_FRAC_MAX:
        raise ValueError(f"frac = {frac} must be 0 … {DELTA_FRAC_MAX}")


def softmax8(logits: npt.ArrayLike, frac: int) -> IntArray:
    """``floor(128*e/sum(e) + 0.5)`` with ``e = E[max(z) - z]``, 0 … 128, over the first axis; int64 (classes, batch).

    Off by less than 0.75 from 128 times the softmax of the logits, for up to 256 classes: by 0.5 for its own rounding,
    and by 128 * 255/2 / 65535 for that of the exponentials.

    Args:
        logits: signed bytes z (classes, batch).
        frac: fraction bits of the logits.
    """
    z = np.asarray(logits, dtype=np.int64)
    e = exp_table(frac)[z.max(axis=0) - z]
    total = e.sum(axis=0)
    shares: IntArray = (256 * e + total) // (2 * total)
    return shares


def output_delta8(
    logits: npt.ArrayLike, labels: npt.ArrayLike, frac: int, bits: int = 8, softmax: bool = False
) -> IntArray:
    """``sat(hu(p - 128*[label == class], 8 - bits))``, int64 (classes, batch).

    p is ``softmax8`` of the logits, or ``T[logit]``: softmax, or sigmoid, with cross-entropy. The scale is
    2^(bits - 1).

    Args:
        logits: signed bytes (classes, batch).
        labels: classes 0 … 255 of the images, (batch,); one that is no class of the layer hits nothing.
        frac: fraction bits of the logits.
        bits: DATA, 4 … 8.
    """
    z = np.asarray(logits, dtype=np.int64)
    hit = np.asarray(labels)[None, :] == np.arange(len(z))[:, None]
    share = softmax8(z, frac) if softmax else sigmoid_table(frac)[z & 0xFF]
    return saturate(round_shift(share - 128 * hit, 8 - bits), bits)[0]


# --- the tables in Verilog ---


def verilog_constant(table: IntArray, bits: int) -> str:
    """The numbers of a table as a Verilog constant, the first one in the low ``bits`` (8 or 16); 32 bytes a line."""
    words = table.astype(f"<u{bits // 8}").tobytes()[::-1]
    return "{\n" + ",\n".join(f"        256'h{words[i : i + 32].hex()}" for i in range(0, len(words), 32)) + "}"


def _header(name: str, content: str, tables: list[IntArray], bits: int) -> str:
    """Text of a header: the tables of all numbers of fraction bits, as an expression of the parameter FRAC."""
    heads = [*(f"FRAC == {frac} ? " for frac in range(DELTA_FRAC_MAX)), f"/* FRAC == {DELTA_FRAC_MAX} ? */ "]
    constants = [f"    {head}{verilog_constant(table, bits)}" for head, table in zip(heads, tables, strict=True)]
    expression = " :\n".join(constants)
    return f"""\
// SPDX-License-Identifier: Apache-2.0
/*
 * {name}, a constant of the parameter FRAC (0 ... {DELTA_FRAC_MAX}): {content}
 *
 * Made by `make generate` from models/pe_array/network/output_delta.py: change that, not this.
 */
localparam [{256 * bits - 1}:0] {name} =
{expression};
"""


def sigmoid8_text() -> str:
    """Text of `sigmoid8.vh`."""
    tables = [sigmoid_table(frac) for frac in range(DELTA_FRAC_MAX + 1)]
    return _header(
        "SIGMOID8",
        "byte i of it, i an 8-bit two's complement\n"
        " * number, is T[i] = floor(128*sig(i/2^FRAC) + 0.5), 0 ... 128.",
        tables, 8,
    )  # fmt: skip


def exp16_text() -> str:
    """Text of `exp16.vh`."""
    tables = [exp_table(frac) for frac in range(DELTA_FRAC_MAX + 1)]
    return _header(
        "EXP16",
        f"word i of it, 16 bits, i from 0 to 255, is\n * E[i] = floor({EXP_ONE}*exp(-i/2^FRAC) + 0.5).",
        tables, 16,
    )  # fmt: skip
