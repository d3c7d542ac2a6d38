# SPDX-License-Identifier: Apache-2.0
"""Published figures of the two systems that the PE array is built after, and whether they agree with each other.

B: sparse CNN training on an FPGA, K. Guo, Y. Wang et al. (Tsinghua University, DeePhi), 2018/2019.
C: sparse CNN fine-tuning accelerator, H. Nakahara et al. (Tokyo Institute of Technology), FPL 2019.

Every figure is a ``Decimal`` with the digits that were published: ``interval`` is what it may have been before it was
rounded. Two columns are derived, not published: a layer's *density* (time x 512 GOP/s x utilisation / GOP) and the
*compute limit* (the same time with 100 % of the MACs in use). ``misfits`` computes which figures cannot be brought into
agreement by rounding; ``MISFITS`` explains each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from models.pe_array.isa.assumed import CLOCK_MHZ
from studies import networks

Phase = Literal["FF", "NG", "WG"]
PHASES: tuple[Phase, ...] = ("FF", "NG", "WG")
"""Feedforward, neuron gradient (backpropagation), weight gradient (with the update)."""

Interval = tuple[float, float]

NETWORK = "VGG-11 CIFAR"
BATCH = 32
PES = 32
LANES = 32
"""MACs of a PE, one per image of the batch."""


GBYTES_PER_SECOND = Decimal("38.4")
"""Two channels of DDR4-2400 together."""
MASTER_BITS, MAC_BITS, ACCUMULATOR_BITS = 24, 8, 32
PEAK_GOPS = 2 * PES * LANES * CLOCK_MHZ / 1000
"""512: two operations per MAC and clock."""


@dataclass(frozen=True)
class PublishedRun:
    """One phase of one layer for a batch: time in µs, GOP/s (dense operations), MAC use in %, what bounds it."""

    micros: Decimal
    gops: Decimal
    utilisation: Decimal
    bound: Literal["memory", "compute"]


@dataclass(frozen=True)
class PublishedRow:
    """One layer: dense operations of a phase in 10^9, the phases (conv1 has no NG), derived density."""

    layer: str
    gop: Decimal
    runs: dict[Phase, PublishedRun]
    density: Decimal


@dataclass(frozen=True)
class Total:
    """Time in µs and GOP/s of a phase over all layers."""

    micros: Decimal
    gops: Decimal


@dataclass(frozen=True)
class Compared:
    """A system in a comparison: GOP/s, power in W, GOP/s/W."""

    system: str
    gops: Decimal
    watts: Decimal
    gops_per_watt: Decimal


@dataclass(frozen=True)
class Area:
    """What a design takes of an FPGA; ``uram`` None where none is published."""

    board: str
    lut: int
    ff: int
    bram: int
    dsp: int
    uram: int | None = None


@dataclass(frozen=True)
class Cost:
    """LUTs and flip-flops of a multiplier and of an adder on Xilinx parts, and DSPs of a MAC."""

    multiplier_lut: int
    multiplier_ff: int
    adder_lut: int
    adder_ff: int
    mac_dsp: int


@dataclass(frozen=True)
class PublishedFineTuning:
    """System C: seconds of 100 epochs at batch 32, and percent of the weights that are zero."""

    network: str
    data_set: str
    sparse_percent: Decimal
    gpu_seconds: Decimal
    fpga_seconds: Decimal


def _row(line: str) -> PublishedRow:
    layer, gop, *cells, density = line.split()
    runs: dict[Phase, PublishedRun] = {}
    for phase, start in zip(PHASES, range(0, len(cells), 4), strict=True):
        micros, gops, bound, utilisation = cells[start : start + 4]
        if micros != "-":
            runs[phase] = PublishedRun(
                Decimal(micros), Decimal(gops), Decimal(utilisation), "compute" if bound == "C" else "memory"
            )
    return PublishedRow(layer, Decimal(gop), runs, Decimal(density))


# layer GOP, then µs, GOP/s, bound (C compute, B memory) and utilisation in % of FF, NG and WG, then the derived density
_VGG11 = """
conv1   0.11   733  154.4 B 27      -      - -  -   4158  27.2 B 5    1.00
conv2   1.21  1487  812.2 C 95   1487  812.5 C 95   2804 430.8 B 50   0.60
conv3_1 1.21  1696  712.4 C 97   1694  713.0 C 97   2477 487.7 B 67   0.70
conv3_2 2.42  2877  839.7 C 98   2876  840.1 C 98   4398 549.3 B 64   0.60
conv4_1 1.21  1217  992.3 C 97   1217  992.9 C 97   2686 449.8 B 44   0.50
conv4_2 2.42  1457 1658.4 C 97   1456 1659.2 C 97   3933 614.2 B 36   0.30
conv5_1 0.60   366 1651.7 B 32    358 1687.7 B 33    915 659.8 B 13   0.10
conv5_2 0.60   365 1652.7 B 32    358 1688.7 B 33    915 660.0 B 13   0.10
dense6  0.02   329   51.0 B 1     328   51.1 B 1     717  23.4 B 0.5  0.10
dense7  0.02   329   51.0 B 1     328   51.1 B 1     717  23.4 B 0.5  0.10
dense8  0.003   75    4.4 B 0.1    74    4.4 B 0.1   272   1.2 B 0.02 0.10
"""

VGG11: dict[str, PublishedRow] = {row.layer: row for row in map(_row, _VGG11.strip().splitlines())}
"""VGG-11 on CIFAR-10, batch 32: the published simulation of system B, layer by layer."""

DENSITIES: dict[str, float] = {layer: float(row.density) for layer, row in VGG11.items()}
"""Fraction of the kernels (fully connected: of the weights) that is stored, derived."""

TOTAL_GOP = Decimal("9.81")
"""Dense operations of one phase over all layers, batch of 32, in 10^9."""

TOTALS: dict[Phase, Total] = {
    "FF": Total(Decimal(10931), Decimal("897.5")),
    "NG": Total(Decimal(10988), Decimal("892.8")),
    "WG": Total(Decimal(23993), Decimal("408.9")),
}
STEP_MS = Decimal("45.9")
STEP_GOPS = Decimal(641)
"""One training step of 32 images."""

COMPUTE_LIMIT_MS: dict[Phase, Decimal] = {"FF": Decimal("8.9"), "NG": Decimal("8.7"), "WG": Decimal("8.9")}
STEP_COMPUTE_LIMIT_MS = Decimal("26.6")
STEP_COMPUTE_LIMIT_GAIN = Decimal("1.72")
STEP_COMPUTE_LIMIT_GOPS = Decimal("1.10E+3")
"""Derived: time, gain over the published time and GOP/s of a step that uses every MAC in every clock."""

AREA_B = Area("KCU1500", lut=199_111, ff=249_122, bram=1_060, dsp=1_030)
AREA_C = Area("VCU1525", lut=934_381, ff=370_299, bram=3_806, dsp=1_106, uram=960)


def _compared(*rows: tuple[str, str, str, str]) -> dict[str, Compared]:
    return {name: Compared(name, *map(Decimal, figures)) for name, *figures in rows}


TRAINING = _compared(
    ("FCNN, Maxeler, fp32", "7.01", "27.3", "0.27"),
    ("FPT17, ZU19EG, fp32", "86.1", "14.2", "6.05"),
    ("FPDeep, VC709, fixed 16, per FPGA", "1022", "32", "31.97"),
    ("B, fixed 8/24, sparse", "641.1", "29", "22.11"),
    ("Titan X, fp32", "1252", "150", "8.4"),
)
INFERENCE = _compared(
    ("TCAD18", "84.3", "3.5", "24.1"),
    ("FPGA17", "645.25", "21.2", "30.43"),
    ("ESE, sparse, fixed 12", "2516", "41", "61.4"),
    ("B, sparse", "897.5", "29", "30.95"),
)
"""Comparisons that system B published."""

ENERGY_SAVING = Decimal(8)
"""Claimed for an 8-bit multiplication in place of one in fp32."""

COSTS: dict[str, Cost] = {
    "fp32": Cost(708, 858, 430, 749, 2),
    "fp16": Cost(221, 303, 211, 337, 1),
    "fixed32": Cost(1112, 1143, 32, 32, 4),
    "fixed16": Cost(289, 301, 16, 16, 1),
    "fixed8": Cost(75, 80, 8, 8, 1),
    "fixed4": Cost(17, 20, 4, 4, 1),
}

_DATA_SETS = ("CIFAR-10", "SVHN", "Linnaeus5", "VOC2007")
_FINE_TUNING = """
AlexNet     92.1 91.0 93.7 94.3   2548  3672 1482 2697    615  875  372  680
VGG16       93.4 95.4 93.3 92.5   4178  6121 2430 4458   1025 1435  612 1098
MobileNetV1 89.2 89.8 90.1 88.3   8352 12058 4902 8944   2052 2871 1223 2184
"""
FINE_TUNING: tuple[PublishedFineTuning, ...] = tuple(
    PublishedFineTuning(network, data_set, Decimal(cells[n]), Decimal(cells[4 + n]), Decimal(cells[8 + n]))
    for network, *cells in map(str.split, _FINE_TUNING.strip().splitlines())
    for n, data_set in enumerate(_DATA_SETS)
)
"""System C against a GPU."""

SPEED_GAIN_C, POWER_GAIN_C, EFFICIENCY_GAIN_C = Decimal(4), Decimal("2.9"), Decimal("11.6")
"""About 4x faster than the GPU, 2.9x less power, 11.6x performance per watt."""


MISFITS: dict[str, str] = {
    "dense8 GOP": "0.003 is what 100 classes need; CIFAR-10 has 10: 0.0003. Its GOP/s x time is 0.0003 in all three "
    "phases and its utilisation fits 10 classes too, so that only this cell has one zero too few.",
    "conv1 FF utilisation": "154.4 GOP/s at density 1.00 would be 30 % of 512 GOP/s, not 27 %; 0.88 … 0.91 fits FF, "
    "0.85 … 1.03 fits WG. Whether conv1 was pruned to 0.9 or something else counts as unused is not published.",
    "NG total": "10,988 µs is 812 µs more than the sum of its column, and 892.8 GOP/s counts the operations of all "
    "layers: the total contains an NG of conv1, which training does not need and which the column does not show. "
    "45.9 ms and 641 GOP/s contain it too; without it a step takes 45.1 ms.",
    "FCNN, Maxeler, fp32 GOP/s/W": "7.01 GOP/s at 27.3 W is 0.257, not 0.27.",
}
"""Figures that rounding does not bring into agreement with the others, and why."""


def interval(figure: Decimal) -> Interval:
    """(lowest, highest) value that is rounded to the digits of a figure."""
    exponent = figure.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{figure} is not a number")
    half = Decimal(1).scaleb(exponent) / 2
    return float(figure - half), float(figure + half)


def times(*factors: Interval) -> Interval:
    """Product of intervals of positive numbers."""
    low = high = 1.0
    for factor in factors:
        low, high = low * factor[0], high * factor[1]
    return low, high


def over(dividend: Interval, divisor: Interval) -> Interval:
    """Quotient of intervals of positive numbers."""
    return dividend[0] / divisor[1], dividend[1] / divisor[0]


def total(parts: Iterable[Interval]) -> Interval:
    """Sum of intervals."""
    low = high = 0.0
    for part in parts:
        low, high = low + part[0], high + part[1]
    return low, high


def meet(one: Interval, other: Interval) -> bool:
    """Whether two intervals have a number in common, up to the last bits of floating point."""
    return max(one[0], other[0]) <= min(one[1], other[1]) * (1 + 1e-12)


def gop() -> dict[str, float]:
    """Dense operations of a phase of every layer in 10^9, batch of 32, from the shapes: exact where VGG11 rounds."""
    return {layer.name: 2 * BATCH * layer.macs / 1e9 for layer in networks.layers(NETWORK)}


def derived_density(layer: str, phase: Phase) -> Interval:
    """Density of a layer from time, utilisation and the exact GOP of its shape, with what rounding leaves open."""
    run, operations = VGG11[layer].runs[phase], gop()[layer]
    used = times(interval(run.micros), interval(run.utilisation))
    return times(used, (PEAK_GOPS * 1e-8 / operations,) * 2)


def compute_limit_ms(phase: Phase) -> Interval:
    """Time of a phase with every MAC in use, from the published times and utilisations, in ms."""
    runs = [row.runs[phase] for row in VGG11.values() if phase in row.runs]
    return total(times(interval(run.micros), interval(run.utilisation), (1e-5, 1e-5)) for run in runs)


def misfits() -> set[str]:
    """Names of the figures that disagree with the others by more than rounding."""
    operations = gop()
    exact = sum(operations.values())
    checks: dict[str, bool] = {"total GOP": meet(interval(TOTAL_GOP), (exact, exact))}
    for layer, row in VGG11.items():
        checks[f"{layer} GOP"] = meet(interval(row.gop), (operations[layer],) * 2)
        for phase, run in row.runs.items():
            performed = times(interval(run.micros), interval(run.gops), (1e-6, 1e-6))
            checks[f"{layer} {phase} GOP/s"] = meet(performed, (operations[layer],) * 2)
            checks[f"{layer} {phase} utilisation"] = meet(derived_density(layer, phase), interval(row.density))
            checks[f"{layer} {phase} bound"] = (run.bound == "compute") == (run.utilisation >= 95)
    for phase, figures in TOTALS.items():
        column = total(interval(row.runs[phase].micros) for row in VGG11.values() if phase in row.runs)
        checks[f"{phase} total"] = meet(column, interval(figures.micros))
        performed = times(interval(figures.micros), interval(figures.gops), (1e-6, 1e-6))
        checks[f"{phase} total GOP/s"] = meet(performed, interval(TOTAL_GOP))
        checks[f"{phase} compute limit"] = meet(compute_limit_ms(phase), interval(COMPUTE_LIMIT_MS[phase]))
    step = total(times(interval(figures.micros), (1e-3, 1e-3)) for figures in TOTALS.values())
    checks["step ms"] = meet(step, interval(STEP_MS))
    checks["step GOP/s"] = meet(over((3e3 * exact, 3e3 * exact), step), interval(STEP_GOPS))
    for rows in (TRAINING, INFERENCE):
        for name, compared in rows.items():
            efficiency = over(interval(compared.gops), interval(compared.watts))
            checks[f"{name} GOP/s/W"] = meet(efficiency, interval(compared.gops_per_watt))
    limit = total(compute_limit_ms(phase) for phase in PHASES)
    checks["compute limit"] = meet(limit, interval(STEP_COMPUTE_LIMIT_MS))
    checks["compute limit gain"] = meet(over(step, limit), interval(STEP_COMPUTE_LIMIT_GAIN))
    needed = 1e3 * (3 * exact - operations["conv1"])
    checks["compute limit GOP/s"] = meet(over((needed, needed), limit), interval(STEP_COMPUTE_LIMIT_GOPS))
    checks["efficiency of C"] = meet(times(interval(SPEED_GAIN_C), interval(POWER_GAIN_C)), interval(EFFICIENCY_GAIN_C))
    return {name for name, agrees in checks.items() if not agrees}
