# SPDX-License-Identifier: Apache-2.0
"""Operations, bytes and bounds of the roofline: by hand, from tap lists and CSB images, beside the published table."""

from __future__ import annotations

import numpy as np
import pytest

from models.pe_array.isa.csb import encode, to_image
from models.pe_array.isa.shapes import Conv
from models.pe_array.tiles import geometry
from studies import networks, published, roofline
from studies.networks import WeightLayer
from studies.published import PHASES
from studies.roofline import DENSE8, Accelerator, Bound, PhaseWork, Storage, bounds, main, reach, work

SMALL = WeightLayer("small", Conv.make(2, 3, 3, pad=1), 4, 4)
"""Six kernels of 3 x 3 on 4 x 4 pixels: 54 weights; 10 x 10 of 16 x 9 pairs of pixel and tap are on the map."""


def test_operations_by_hand() -> None:
    half = work(SMALL, "FF", batch=4, density=0.5, lanes=4)
    assert (half.elements, half.words) == (3, 1)
    assert half.dense_macs == 4 * 54 * 16
    assert half.sparse_macs == 4 * 27 * 16
    assert half.macs == 4 * 3 * 100
    for phase in PHASES:
        assert work(SMALL, phase, 4, 0.5, 4).macs == half.macs


def test_bytes_by_hand() -> None:
    assert work(SMALL, "FF", 4, 0.5, 4).traffic == {
        "input map read": 3 * 16 * 4, "output map write": 2 * 16 * 4,
        "values read": 27, "coordinates read": 6, "pointers read": 8,
    }  # fmt: skip
    assert work(SMALL, "NG", 4, 0.5, 4, block=2).traffic == {
        "output gradient read": 128, "mask read": 192, "input gradient write": 192,
        "values read": 27, "coordinates read": 6, "pointers read": 12,
    }  # fmt: skip
    gradient = work(SMALL, "WG", 4, 0.5, 4)
    assert gradient.traffic == {
        "input map read": 192, "output gradient read": 128, "coordinates read": 6, "pointers read": 8,
        "masters read": 108, "masters write": 108, "values write": 27,
    }  # fmt: skip
    assert gradient.bytes == 577
    assert gradient.intensity == 2400 / 577


def test_bytes_of_other_storage() -> None:
    dense = work(SMALL, "FF", 4, 1.0, 4, DENSE8).traffic
    assert dense == {"input map read": 192, "output map write": 128, "values read": 54}
    floating = Storage(value=4, master=4, separate=False, coded=False)
    assert work(SMALL, "WG", 4, 1.0, 4, floating).traffic == {
        "input map read": 768, "output gradient read": 512, "masters read": 216, "masters write": 216,
    }  # fmt: skip
    with_momentum = work(SMALL, "WG", 4, 0.5, 4, Storage(momentum=4))
    assert with_momentum.bytes == work(SMALL, "WG", 4, 0.5, 4).bytes + 2 * 108
    assert work(SMALL, "NG", 4, 0.5, 4, Storage(momentum=4)) == work(SMALL, "NG", 4, 0.5, 4)


def test_maps_take_whole_pixel_words() -> None:
    ragged = work(SMALL, "FF", batch=5, lanes=4)
    assert ragged.words == 2
    assert ragged.traffic["input map read"] == 3 * 16 * 8
    assert ragged.macs == 5 * 6 * 100
    # the second word costs as many clocks as the first, with one lane of four at work
    machine = Accelerator(pes=2, lanes=4, clock=100.0, bandwidth=1e9)
    assert Bound(ragged, machine).compute_seconds == pytest.approx(2 * 6 * 100 / 2 / 100)


def test_groups_and_stride() -> None:
    layer = WeightLayer("dw", Conv.make(8, 8, 3, 2, pad=1, groups=8), 5, 6)
    job = work(layer, "FF", 4, 1.0, 4)
    assert job.elements == 8
    assert job.dense_macs == 4 * 8 * 9 * 3 * 3
    # rows -1 0 1, 1 2 3, 3 4 5: 7 pairs of 9 on 5 rows; columns -1 0 1, 1 2 3, 3 4 5: 8 on 6
    assert job.macs == 4 * 8 * 7 * 8


@pytest.mark.parametrize("case", range(60))
def test_reach_is_that_of_the_tap_lists(case: int) -> None:
    """Entries and sums of the lists that a PE walks, for the whole map as one tile."""
    rng = np.random.default_rng(case)
    while True:
        kernel, stride, pad, dilation = rng.integers((1, 1, 0, 1), (5, 4, 4, 3), (2, 4)).T
        window = Conv.make(1, 1, tuple(kernel), tuple(stride), tuple(pad), tuple(dilation))
        height, width = (int(n) for n in rng.integers(1, 8, 2))
        if all(n + 2 * p > d * (k - 1) for n, p, d, k in zip((height, width), pad, dilation, kernel, strict=True)):
            break
    found = reach(window, height, width)
    output = geometry.Region(0, 0, *window.out_size(height, width))
    if found.pairs == 0:
        assert (found.outputs, found.inputs) == (0, 0)
        return
    forward = geometry.forward(window, height, width, output)
    assert (len(forward.entries), forward.results) == (found.pairs, found.outputs)
    backward = geometry.input_gradient(window, height, width, geometry.Region(0, 0, height, width))
    assert (len(backward.entries), backward.results) == (found.pairs, found.inputs)


@pytest.mark.parametrize(("rows", "cols", "kernel", "block"), [(70, 40, 3, 32), (20, 300, 1, 256), (8, 8, 5, 4)])
def test_weights_are_those_of_a_csb_image(rows: int, cols: int, kernel: int, block: int) -> None:
    """The bound leaves out what fills blocks to whole beats, and nothing else."""
    lanes, density = 8, 0.25
    rng = np.random.default_rng(rows)
    mask = np.zeros(rows * cols, dtype=bool)
    mask[rng.permutation(rows * cols)[: round(density * rows * cols)]] = True
    masters = rng.integers(-(1 << 23), 1 << 23, (rows, cols, kernel, kernel))
    image = to_image(encode(masters, mask.reshape(rows, cols), block, block), lanes)
    job = work(WeightLayer("any", Conv.make(rows, cols, kernel), 8, 8), "WG", 8, density, lanes, block=block)
    blocks = -(-rows // block) * -(-cols // block)
    for name, array, filled in (
        ("values write", image.values, blocks * lanes), ("masters read", image.masters, blocks * 4 * lanes),
        ("coordinates read", image.coordinates, blocks * lanes), ("pointers read", image.pointers, lanes),
    ):  # fmt: skip
        assert job.traffic[name] <= len(array) < job.traffic[name] + filled, name


def test_bound_by_hand() -> None:
    job = PhaseWork(
        "any", "FF", 4, 1, 1, dense_macs=800, sparse_macs=400, macs=200, traffic={"a read": 30, "b write": 20}
    )
    assert (job.bytes, job.intensity) == (50, 8.0)
    compute = Bound(job, Accelerator(pes=2, lanes=4, clock=5.0, bandwidth=100.0))
    assert (compute.compute_seconds, compute.memory_seconds) == (5.0, 0.5)
    assert (compute.bound, compute.seconds, compute.attainable, compute.dense_rate) == ("compute", 5.0, 80.0, 320.0)
    memory = Bound(job, Accelerator(pes=2, lanes=4, clock=5.0, bandwidth=5.0))
    assert (memory.bound, memory.seconds, memory.attainable, memory.dense_rate) == ("memory", 10.0, 40.0, 160.0)


@pytest.mark.parametrize("bandwidth", [1e8, 1e9, 38.4e9, 1e12])
def test_attainable_is_the_roof(bandwidth: float) -> None:
    machine = Accelerator(bandwidth=bandwidth)
    for row in bounds("LeNet-5", machine, batch=64):
        roof = min(machine.peak, row.work.intensity * bandwidth)
        assert row.attainable == pytest.approx(roof)
        assert (row.bound == "compute") == (roof == machine.peak)


def test_no_published_time_is_below_its_bound() -> None:
    rows = bounds(published.NETWORK, Accelerator())
    assert len(rows) == 32
    for row in rows:
        run = published.VGG11[row.work.layer].runs[row.work.phase]
        assert 1e6 * row.seconds < run.micros, (row.work.layer, row.work.phase)


def test_step_of_the_published_network() -> None:
    """With padding the MACs need the 26.6 ms derived from the published times; without, 21.4 ms."""
    rows = bounds(published.NETWORK, Accelerator())
    padded = 1e3 * sum(row.work.sparse_macs for row in rows) / (Accelerator().peak / 2)
    assert padded == pytest.approx(float(published.STEP_COMPUTE_LIMIT_MS), abs=0.06)
    assert 1e3 * sum(row.compute_seconds for row in rows) == pytest.approx(21.37, abs=0.01)
    assert 1e3 * sum(row.seconds for row in rows) == pytest.approx(21.39, abs=0.01)
    dense = {row.work.layer: 2e-9 * row.work.dense_macs for row in rows}
    assert dense == pytest.approx(published.gop())


@pytest.mark.parametrize("network", networks.NAMES)
def test_every_network(network: str) -> None:
    rows = bounds(network, Accelerator(), batch=1, densities=dict.fromkeys(roofline.densities_of(network), 1.0))
    assert len(rows) == 3 * len(networks.layers(network)) - 1
    for row in rows:
        assert 0 < row.work.macs <= row.work.sparse_macs == row.work.dense_macs
        assert 0 < row.attainable <= Accelerator().peak / 32 * (1 + 1e-12)


def test_nothing_stored_nothing_computed() -> None:
    row = Bound(work(SMALL, "FF", 4, 0.0, 4), Accelerator(lanes=4))
    assert (row.work.macs, row.bound, row.attainable) == (0, "memory", 0.0)


def test_illegal_arguments() -> None:
    with pytest.raises(ValueError, match=r"density = 1.5 of small must be 0 … 1"):
        work(SMALL, "FF", density=1.5)
    with pytest.raises(ValueError, match=r"batch = 0 and lanes = 32 must be at least 1"):
        work(SMALL, "FF", 0)
    with pytest.raises(ValueError, match=r"block_rows = 257 must be at most 256"):
        work(SMALL, "FF", block=257)
    with pytest.raises(ValueError, match=r"clock = 0 must be positive"):
        Accelerator(clock=0)


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["VGG-11 CIFAR", "--batch", "32"])
    out = capsys.readouterr().out
    assert out.startswith(
        "VGG-11 CIFAR, batch 32, 32 x 32 MACs at 250 MHz (assumed) (512 GOP/s), 38.4 GB/s\nA bound, not a meas"
    )
    lines = {tuple(line.split()[:2]): line for line in out.splitlines()}
    line = " ".join(lines["conv4_2", "WG"].split())
    assert line == ("conv4_2 WG 2415.92 0.300 503.32 7.052 71.4 compute 983.0 2457.6 | 3933 614.2 memory 36 4.0")
    assert ("conv1", "NG") not in lines
    assert lines["step", "at"].endswith("; published 45.099 ms")
    assert "with those on padding 26.650 ms" in lines["step", "at"]


@pytest.mark.parametrize(
    "arguments",
    [["LeNet-5"], ["--batch", "64"], ["--density", "0.5"], ["--pes", "64"], ["--momentum"], ["--gbytes", "2"]],
)
def test_command_line_compares_only_what_can_be_compared(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(arguments)
    out = capsys.readouterr().out
    assert "published µs" not in out
    assert "; published" not in out
    assert "A bound, not a measurement and not a prediction" in out


def test_command_line_errors(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["LeNet-5", "--density", "2"])
    assert "error: argument --density: 2.0 must be 0 … 1" in capsys.readouterr().err


def test_report_of_one_layer_has_no_ng() -> None:
    rows = [Bound(work(SMALL, phase, 4, lanes=4), Accelerator(lanes=4)) for phase in ("FF", "WG")]
    summary = roofline.report(rows, compare=False).splitlines()
    assert [line[:5].strip() for line in summary if " at least " in line] == ["FF", "WG", "step"]
