# SPDX-License-Identifier: Apache-2.0
"""System C's table as text, and what its figures rest on."""

from __future__ import annotations

from collections.abc import Sequence

from models.pe_array.isa import assumed
from studies import networks, published
from studies.layer_phases import GRID, PORT
from studies.played_step import KINDS, MORE_PES
from studies.scoreboard_c import (
    BLOCKS,
    IMAGES,
    FineTuning,
    bound_seconds,
    densities,
    image_size,
    relative_time,
    steps_of,
)

LARGEST = 224
"""Pixels of a side for which VGG-16 and MobileNetV1 were made."""

HEAD = (
    "network", "data set", "PEs", "images", "image", "sparse %", "published s", "ours s", "clock", "published / ours",
    "MAC bound s", "ms a step", "FF NG WG update pooling", "bound, beyond it: conv FC pooling update",
    "largest layers",
)  # fmt: skip


def table(rows: Sequence[FineTuning]) -> list[tuple[str, ...]]:
    """Rows as text, columns ``HEAD``."""
    return [
        (
            row.network, row.data_set, f"{row.pes}", f"{row.images}", f"{row.size} x {row.size}",
            f"{row.sparse_percent}", f"{row.published_seconds:.0f}", f"{row.seconds:.0f}", assumed.clock(),
            f"{row.published_seconds / row.seconds:.2f}",
            f"{row.bound_seconds:.0f}" + ", above published" * row.bound_above_published,
            f"{row.clocks / assumed.CLOCK_MHZ / 1e3:.2f}",
            " ".join(f"{row.parts[kind] / row.clocks:.0%}" for kind in KINDS[:-1]),
            " ".join(f"{share:.0%}" for share in row.beyond.values()), ", ".join(row.largest),
        )
        for row in rows
    ]  # fmt: skip


def _tried() -> str:
    found = [f"{network} with {pes} PEs on images of {side} x {side}" for network, pes, side in BLOCKS]
    return f"Block sizes of {', '.join(found)} were found by trying."


def notes(rows: Sequence[FineTuning]) -> list[str]:
    """What the figures rest on."""
    times = ", ".join(f"{name} {relative_time(name):.2f} ({image_size(name)})" for name in IMAGES)
    large, _ = networks.sized("VGG-16", LARGEST, 10)
    line = next(each for each in published.FINE_TUNING if each.network == "VGG16")
    bound = bound_seconds(large, densities(large, float(line.sparse_percent)), steps_of(line.data_set))
    macs = GRID.pes * GRID.shape.lanes
    above = [f"{row.network} on {row.data_set} ({row.pes} PEs)" for row in rows if row.bound_above_published]
    found = [
        f"System C, 100 epochs, batch 32, times of its FPGA. Ours: cycle model, not RTL: {macs} MACs at "
        f"{assumed.clock()}, on an FPGA about as many DSPs as system C's {published.AREA_C.dsp} (ours extrapolated); "
        f"one wide port: all but what drains write moves at {2 * PORT:g} GB/s each way. With {MORE_PES} PEs twice the "
        "MACs. The clock of system C is not published.",
        "MAC bound: all MACs of a row with a stored weight and a pixel of the map in every clock; no program on this "
        "array is faster. Above the published time, it says that images, spread of the sparsity or clock were others "
        f"there: {', '.join(above) or 'no row'}.",
        "Beyond the bound: FF, NG and WG read, row by row, "
        f"{', '.join(f'{row.reads:.2f}' for row in rows)} times the beats of every tensor once: maps come again, for "
        f"half of Y holds {GRID.shape.y_depth // 2} words, so that few channels of results share a load, and rows "
        "around a strip are read twice. Fully connected layers use a weight once per 32 images, which its "
        "3 bytes with the coordinate take longer to read. Pooling and updates come on top, and waits between phases.",
        "Images: sizes are not published. Published time per image over that of CIFAR-10, and the side in pixels that "
        f"we take for it, 32 times its root to a multiple of 32: {times}. Not {LARGEST} x {LARGEST} for all: VGG-16 on "
        f"CIFAR-10 would take {macs} MACs {bound:.0f} s, published are {line.fpga_seconds}.",
        "Layers are those of the published networks with as many outputs as classes; fully connected layers read the "
        "last map as large as it is; AlexNet has conv1 padded by 5 and pools of 2 x 2. No biases, no normalisation.",
        "Sparsity: kernels (fully connected: weights) at random places; the first and depth-wise layers are dense, all "
        "others have one density, so that the whole network has the table's.",
        "Played: every row is one program of a whole step, compiled as make train-cnn compiles its steps: pooling, "
        f"output deltas, updates and all waits are in it. Nothing is estimated. {_tried()} A training in 8 "
        "bits would refuse VGG16 on images of 64 x 64 and more: gradients of conv1's weights have more products than "
        "surely fit in 32 bits.",
    ]
    others = [
        f"{row.network} {row.uniform_bound:.0f} s instead of {row.bound_seconds:.0f}"
        for row in rows if row.data_set == "CIFAR-10" and row.pes == GRID.pes
    ]  # fmt: skip
    if others:
        found.append(f"MAC bound with one density for all layers, CIFAR-10: {', '.join(others)}.")
    return found
