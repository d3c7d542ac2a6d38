# SPDX-License-Identifier: Apache-2.0
"""Weights and multiply-accumulates that a survey gives for well-known networks, beside those of ``networks``.

V. Sze, Y.-H. Chen, T.-J. Yang, J. Emer, "Efficient Processing of Deep Neural Networks: A Tutorial and Survey", Proc.
IEEE 105(12), 2017, table II. Where ours and the table differ by more than rounding, ``DIFFERENCES`` says why.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A figure of the survey's table, and the last digit that it gives."""

    value: float
    digit: float


SURVEY: dict[str, dict[str, Published]] = {
    "LeNet-5": {
        "conv_weights": Published(2.6e3, 0.1e3),
        "conv_macs": Published(283e3, 1e3),
        "fc_weights": Published(58e3, 1e3),
        "fc_macs": Published(58e3, 1e3),
    },
    "AlexNet": {
        "conv_weights": Published(2.3e6, 0.1e6),
        "conv_macs": Published(666e6, 1e6),
        "fc_weights": Published(58.6e6, 0.1e6),
        "fc_macs": Published(58.6e6, 0.1e6),
    },
    "VGG-16": {
        "conv_weights": Published(14.7e6, 0.1e6),
        "conv_macs": Published(15.3e9, 0.1e9),
        "fc_weights": Published(124e6, 1e6),
        "fc_macs": Published(124e6, 1e6),
    },
    "GoogLeNet v1": {
        "conv_weights": Published(6.0e6, 0.1e6),
        "conv_macs": Published(1.43e9, 0.01e9),
        "fc_weights": Published(1e6, 1e6),
        "fc_macs": Published(1e6, 1e6),
    },
    "ResNet-50": {
        "conv_weights": Published(23.5e6, 0.1e6),
        "conv_macs": Published(3.86e9, 0.01e9),
        "fc_weights": Published(2e6, 1e6),
        "fc_macs": Published(2e6, 1e6),
    },
}
"""The survey's table II, as far as weights and multiply-accumulates go."""

DIFFERENCES: dict[tuple[str, str], str] = {
    (
        "LeNet-5",
        "conv_macs",
    ): "357,600 here: 6 filters on 28x28 (117,600) and 16 on 10x10 outputs (240,000). No integer map "
    "sizes give 283k with the table's own 2.6k weights; the reason is not known to us.",
    (
        "LeNet-5",
        "fc_weights",
    ): "58,920 here; the table has two FC layers (120 and 84: 58,080), without the 84 x 10 output.",
    ("LeNet-5", "fc_macs"): "as fc_weights",
    ("GoogLeNet v1", "conv_macs"): "1.58G here. The layer table of its authors sums to 1.50G because it counts 34M for "
    "conv1 (7x7x3x64 on 112x112 is 118M); what else is missing from 1.43G is not known to us.",
}
"""Where (network, figure) differs from the survey's table by more than rounding, and why."""
