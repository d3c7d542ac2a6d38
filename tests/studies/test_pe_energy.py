# SPDX-License-Identifier: Apache-2.0
"""Counts and energies by hand, and the ratios that follow from the energies per operation."""

from __future__ import annotations

import math

import pytest

from models.pe_array.isa.pe_command import Memory, PeShape
from models.pe_array.isa.shapes import Conv
from studies import networks, published
from studies.energy import (
    HOROWITZ_45NM,
    SPARSE8,
    VARIANTS,
    Activity,
    Energy,
    EnergyTable,
    activity,
    capacity,
    energies,
    energy,
    main,
    saving,
)
from studies.networks import WeightLayer
from studies.roofline import work

SMALL = WeightLayer("small", Conv.make(2, 3, 3, pad=1), 4, 4)
"""Six kernels of 3 x 3 on 4 x 4 pixels; 100 pairs of output pixel and tap are on the map."""


def test_counts_by_hand() -> None:
    """Three of the six kernels, batch and lanes 4: 3 * 100 tap entries."""
    forward = activity(SMALL, "FF", 4, 0.5, lanes=4)
    assert forward.macs == 1200
    assert forward.accesses == {
        Memory.X: 3 * 16 * 4 + 1200,  # loaded, read
        Memory.Y: 2 * (2 * 16 * 4 + 3 * 16 * 4) * 4,  # cleared and drained; three kernels reach 16 pixels each
        Memory.W: 27 + 300,
        Memory.E: 2 * 3 * 2,
        Memory.T: 300 * 4,
    }
    assert forward.additions == 2 * 16 * 4
    assert forward.dram == 192 + 128 + 27 + 6 + 8
    backward = activity(SMALL, "NG", 4, 0.5, lanes=4)
    assert backward.accesses[Memory.X] == 128 + 1200
    assert backward.accesses[Memory.Y] == 2 * (192 + 192) * 4
    assert backward.additions == 192
    gradient = activity(SMALL, "WG", 4, 0.5, lanes=4)
    assert gradient.accesses == {
        Memory.X: 192 + 1200, Memory.Y: (128 + 1200) * 4, Memory.W: 0, Memory.E: 12, Memory.T: 1200,
    }  # fmt: skip
    assert gradient.additions == 27 * 3 + 27
    assert gradient.dram == 577


def test_sums_of_a_stride() -> None:
    """Depth-wise, stride 2 on 5 x 6 pixels: 3 x 3 pixels of sums in FF, all 5 x 6 in NG."""
    layer = WeightLayer("dw", Conv.make(8, 8, 3, 2, pad=1, groups=8), 5, 6)
    assert activity(layer, "FF", 4, lanes=4).accesses[Memory.Y] == 2 * (8 * 9 * 4 + 8 * 9 * 4) * 4
    assert activity(layer, "NG", 4, lanes=4).accesses[Memory.Y] == 2 * (8 * 30 * 4 + 8 * 30 * 4) * 4


def test_counts_of_two_words() -> None:
    """Five images in words of four: every list is walked twice, weights are loaded once."""
    counted = activity(SMALL, "FF", 5, 0.5, lanes=4)
    assert counted.macs == 2400
    assert counted.accesses[Memory.W] == 27 + 600
    assert counted.accesses[Memory.E] == 3 * 3 * 2
    assert counted.dram == work(SMALL, "FF", 5, 0.5, 4).bytes


def test_counts_in_fp32() -> None:
    arithmetic, sparse = VARIANTS["fp32, dense"]
    assert not sparse
    counted = activity(SMALL, "WG", 4, 1.0, arithmetic, lanes=4)
    assert counted.accesses == {
        Memory.X: 4 * (192 + 2400), Memory.Y: 4 * (128 + 2400), Memory.W: 0, Memory.E: 0, Memory.T: 2400,
    }  # fmt: skip
    assert counted.dram == 4 * (192 + 128) + 2 * 4 * 54


def test_energy_by_hand() -> None:
    """Memories of 64 (X), 256 (Y), 32 (W) and 16 bytes (E, T) with 4 lanes and depths 16, 16, 8, 4, 4."""
    table = EnergyTable(
        add={"int32": 1.0}, multiply={"int8": 10.0}, sram=((16, 8.0), (64, 16.0), (256, 64.0)), dram=(80.0, 160.0)
    )
    shape = PeShape(4, x_depth=16, y_depth=16, w_depth=8, e_depth=4, t_depth=4)
    assert [capacity(memory, SPARSE8, shape) for memory in Memory] == [64, 256, 32, 16, 16]
    counts = {Memory.X: 3, Memory.Y: 5, Memory.W: 7, Memory.E: 11, Memory.T: 13}
    found = energy(Activity(100, 20, counts, 1000), SPARSE8, table, shape)
    assert found.mac == 100 * 11 + 20
    assert found.sram == pytest.approx(3 * 2 + 5 * 8 + 7 * math.sqrt(2) + 11 * 1 + 13 * 1)
    assert found.dram == (10_000, 20_000)
    assert found.total == (found.mac + found.sram + 10_000, found.mac + found.sram + 20_000)
    assert found + found == Energy(2 * found.mac, 2 * found.sram, (20_000, 40_000))


def test_energy_of_memories() -> None:
    """Per byte an eighth of an access of 64 bits; between the capacities of the source a power law."""
    per_byte = HOROWITZ_45NM.sram_byte
    assert [8 * per_byte(size << 10) for size in (8, 32, 1024)] == pytest.approx([10, 20, 100])
    assert 8 * per_byte(16 << 10) == pytest.approx(10 * math.sqrt(2))
    assert 8 * per_byte(1 << 10) == pytest.approx(10)
    assert 8 * per_byte(185_364) == pytest.approx(math.sqrt(20 * 100), rel=1e-4)  # the middle of 32 KB and 1 MB
    assert 8 * per_byte(32 << 20) == pytest.approx(500)
    sizes = [1 << n for n in range(10, 26)]
    assert sorted(map(per_byte, sizes)) == list(map(per_byte, sizes))
    # the contract's PE in 8 bits: 32, 64, 16, 2 and 2 KB; in fp32 X and W are four times as large
    assert [capacity(memory) >> 10 for memory in Memory] == [32, 64, 16, 2, 2]
    assert [capacity(memory, VARIANTS["fp32, sparse"][0]) >> 10 for memory in Memory] == [128, 64, 64, 2, 2]


def test_saving_of_8_bits_against_the_claim() -> None:
    """System B claims 8 for a multiplication; the source has more against fp32 and less against fp16."""
    assert saving("multiply") == pytest.approx(18.5)
    assert saving("mac") == pytest.approx(4.6 / 0.3)
    multiply = HOROWITZ_45NM.multiply
    assert multiply["fp16"] / multiply["int8"] == pytest.approx(5.5)
    assert 5.5 < published.ENERGY_SAVING < 18.5
    assert multiply["int32"] / multiply["int8"] == pytest.approx(15.5)


def test_memory_costs_more_than_arithmetic() -> None:
    """An access of 64 bits to DRAM is worth thousands of 8-bit MACs; hence a weight that is left out is worth more
    than its MAC."""
    assert HOROWITZ_45NM.dram[0] / SPARSE8.mac() == pytest.approx(4333, abs=1)
    parts = energies(published.NETWORK)
    assert all(part.mac < part.sram for part in parts.values())
    assert all(part.mac < part.dram[0] for part in parts.values())
    # every MAC of WG reads an accumulator-wide word of Y, one in nine (3 x 3) of FF reads and writes one
    assert parts["conv2", "WG"].sram > 2.5 * parts["conv2", "FF"].sram


def test_ratios_of_a_step() -> None:
    """Printed by the command line; MACs alone save what one MAC saves, a step saves less."""
    steps = {}
    for variant in VARIANTS:
        steps[variant] = sum(energies(published.NETWORK, variant).values(), start=Energy(0, 0, (0, 0)))
    sparse8, fp32 = steps["8 bits, sparse"], steps["fp32, sparse"]
    assert fp32.mac / sparse8.mac == pytest.approx(saving("mac"), rel=0.01)
    assert fp32.total[0] / sparse8.total[0] == pytest.approx(2.99, abs=0.01)
    assert steps["8 bits, dense"].total[0] / sparse8.total[0] == pytest.approx(2.12, abs=0.01)
    assert steps["fp32, dense"].total[0] / sparse8.total[0] == pytest.approx(6.02, abs=0.01)


def test_dense_differs_from_density_1_by_the_codes_alone() -> None:
    coded = activity(SMALL, "FF", 4, 1.0, SPARSE8, 4)
    plain = activity(SMALL, "FF", 4, 1.0, VARIANTS["8 bits, dense"][0], 4)
    assert (coded.macs, coded.additions) == (plain.macs, plain.additions)
    assert coded.dram - plain.dram == 6 * 2 + 2 * 4
    assert coded.accesses[Memory.E] == 2 * 6 * 2
    assert plain.accesses[Memory.E] == 0


@pytest.mark.parametrize("network", networks.NAMES)
def test_every_network(network: str) -> None:
    parts = energies(network)
    assert len(parts) == 3 * len(networks.layers(network)) - 1
    assert all(0 < part.mac < part.total[0] < part.total[1] for part in parts.values())


def test_less_density_less_energy() -> None:
    tenth = energies("LeNet-5", densities=dict.fromkeys(("conv1", "conv2", "fc3", "fc4", "fc5"), 0.1))
    for key, whole in energies("LeNet-5").items():
        part = tenth[key]
        assert part.mac < whole.mac
        assert part.sram < whole.sram
        assert part.dram[0] < whole.dram[0]


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    out = capsys.readouterr().out
    assert out.startswith("VGG-11 CIFAR, batch 32, energies in µJ\nAn estimate, not a measurement")
    conv2 = next(line for line in out.splitlines() if line.startswith("conv2 ") and " WG " in line)
    part = energies(published.NETWORK)["conv2", "WG"]
    assert [float(cell) for cell in conv2.replace("…", " ").split()[2:]] == pytest.approx(
        [1e-6 * value for value in (part.mac, part.sram, *part.dram, *part.total)], abs=0.006
    )
    for variant in VARIANTS:
        assert f"\n{variant} " in out
    assert "18.5 times for a multiplication (system B claims 8), 15.3 for a multiply-accumulate." in out
    main(["LeNet-5", "--batch", "1", "--density", "0.25"])
    assert capsys.readouterr().out.startswith("LeNet-5, batch 1,")
    with pytest.raises(SystemExit):
        main(["LeNet-5", "--density", "-1"])
    assert "error: argument --density: -1.0 must be 0 … 1" in capsys.readouterr().err
