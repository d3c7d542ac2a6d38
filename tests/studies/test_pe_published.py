# SPDX-License-Identifier: Apache-2.0
"""The published tables agree with each other and with the shapes, but for the misfits that are explained."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from studies import networks, published
from studies.published import PHASES, Phase


def test_misfits_are_those_that_are_explained() -> None:
    assert published.misfits() == published.MISFITS.keys()


@pytest.mark.parametrize(
    ("layer", "phase", "field", "value", "misfit"),
    [
        ("conv4_2", "WG", "micros", "3943", "conv4_2 WG GOP/s"),
        ("conv4_2", "WG", "utilisation", "38", "conv4_2 WG utilisation"),
        ("conv2", "FF", "gops", "815.2", "conv2 FF GOP/s"),
        ("conv2", "FF", "micros", "1497", "FF total"),
        ("conv3_1", "NG", "utilisation", "90", "conv3_1 NG bound"),
    ],
)
def test_wrong_figures_are_found(
    layer: str, phase: Phase, field: str, value: str, misfit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = published.VGG11[layer]
    run = dataclasses.replace(row.runs[phase], **{field: Decimal(value)})
    monkeypatch.setitem(published.VGG11, layer, dataclasses.replace(row, runs={**row.runs, phase: run}))
    assert misfit in published.misfits() - published.MISFITS.keys()


def test_layers_and_phases() -> None:
    assert list(published.VGG11) == [layer.name for layer in networks.layers(published.NETWORK)]
    for layer, row in published.VGG11.items():
        assert tuple(row.runs) == (PHASES if layer != "conv1" else ("FF", "WG"))
    run = published.VGG11["conv5_1"].runs["NG"]
    assert (run.micros, run.gops, run.utilisation, run.bound) == (358, Decimal("1687.7"), 33, "memory")
    assert [row.layer for row in published.VGG11.values() if row.runs["FF"].bound == "compute"] == [
        "conv2", "conv3_1", "conv3_2", "conv4_1", "conv4_2",
    ]  # fmt: skip
    assert all(row.runs["WG"].bound == "memory" for row in published.VGG11.values())


def test_sums_of_the_columns() -> None:
    sums = {
        phase: sum(row.runs[phase].micros for row in published.VGG11.values() if phase in row.runs) for phase in PHASES
    }
    assert sums == {"FF": 10_931, "NG": 10_176, "WG": 23_992}
    assert sum(total.micros for total in published.TOTALS.values()) == 45_912
    assert sum(published.gop().values()) == pytest.approx(9.8108, abs=5e-5)
    assert published.PEAK_GOPS == 512


def test_compute_limit() -> None:
    """26.6 ms, 1.72 times faster, 1,100 GOP/s without an NG of conv1: all from times and utilisations."""
    middle = {
        phase: sum(float(row.runs[phase].micros * row.runs[phase].utilisation) * 1e-5 for row in rows)
        for phase in PHASES
        if (rows := [row for row in published.VGG11.values() if phase in row.runs])
    }
    assert middle == pytest.approx({"FF": 8.9095, "NG": 8.7100, "WG": 8.9271}, abs=1e-4)
    for phase in PHASES:
        low, high = published.compute_limit_ms(phase)
        assert low < middle[phase] < high
    step = sum(middle.values())
    assert step == pytest.approx(26.6, abs=0.06)
    assert 45.912 / step == pytest.approx(1.72, abs=0.01)
    needed = 3 * sum(published.gop().values()) - published.gop()["conv1"]
    assert 1e3 * needed / step == pytest.approx(1100, rel=0.01)
    # WG loses 15.1 of 19.4 ms; 0.8 ms of NG's loss is the NG of conv1 that only the total has
    lost = {phase: float(published.TOTALS[phase].micros) / 1e3 - middle[phase] for phase in PHASES}
    assert lost == pytest.approx({"FF": 2.0, "NG": 2.3, "WG": 15.1}, abs=0.05)


def test_explanations_of_the_misfits() -> None:
    gop = published.gop()
    assert gop["dense8"] == pytest.approx(0.00033, abs=5e-6)
    for run in published.VGG11["dense8"].runs.values():
        assert float(run.micros * run.gops) * 1e-6 == pytest.approx(0.00033, abs=5e-6)
    assert published.derived_density("conv1", "FF") == pytest.approx((0.878, 0.912), abs=0.001)
    assert published.derived_density("conv1", "WG") == pytest.approx((0.846, 1.034), abs=0.001)
    assert sum(gop.values()) / 10_988e-6 == pytest.approx(892.8, abs=0.1)
    without = sum(gop.values()) - gop["conv1"]
    assert without / 10_988e-6 < 883
    fcnn = published.TRAINING["FCNN, Maxeler, fp32"]
    assert float(fcnn.gops / fcnn.watts) == pytest.approx(0.257, abs=0.0005)


@pytest.mark.parametrize("layer", published.VGG11)
def test_derived_densities(layer: str) -> None:
    """What the three phases leave possible has numbers in common."""
    bounds = [published.derived_density(layer, phase) for phase in published.VGG11[layer].runs]
    assert max(low for low, _ in bounds) <= min(high for _, high in bounds)


def test_machine_and_area() -> None:
    """One DSP per MAC, six more; 75 LUTs of an 8-bit multiplier against 708 of an fp32 one."""
    assert published.AREA_B.dsp - published.PES * published.LANES == 6
    assert published.AREA_C.uram == 960
    costs = published.COSTS
    assert costs["fixed8"].mac_dsp == 1
    assert costs["fp32"].multiplier_lut / costs["fixed8"].multiplier_lut == pytest.approx(9.4, abs=0.05)
    assert costs["fp32"].multiplier_ff / costs["fixed8"].multiplier_ff > published.ENERGY_SAVING
    assert all(cost.adder_lut == int(name[5:]) for name, cost in costs.items() if name.startswith("fixed"))


def test_fine_tuning_is_about_four_times_faster() -> None:
    assert len(published.FINE_TUNING) == 12
    gains = [float(row.gpu_seconds / row.fpga_seconds) for row in published.FINE_TUNING]
    assert min(gains) == pytest.approx(3.97, abs=0.005)
    assert max(gains) == pytest.approx(4.27, abs=0.005)
    row = published.FINE_TUNING[7]
    assert (row.network, row.data_set, row.sparse_percent, row.gpu_seconds, row.fpga_seconds) == (
        "VGG16", "VOC2007", Decimal("92.5"), 4458, 1098,
    )  # fmt: skip
    assert all(85 < row.sparse_percent < 96 for row in published.FINE_TUNING)


def test_intervals() -> None:
    assert published.interval(Decimal("0.60")) == (0.595, 0.605)
    assert published.interval(Decimal("1.10E+3")) == (1095, 1105)
    assert published.times((1, 2), (3, 4)) == (3, 8)
    assert published.over((1, 2), (4, 5)) == (0.2, 0.5)
    assert published.total([(1, 2), (3, 5)]) == (4, 7)
    assert published.meet((1, 2), (2, 3))
    assert not published.meet((1, 2), (2.1, 3))
    with pytest.raises(ValueError, match="NaN is not a number"):
        published.interval(Decimal("NaN"))
