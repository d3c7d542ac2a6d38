# SPDX-License-Identifier: Apache-2.0
"""The table of networks agrees with the survey and with figures that others count."""

from __future__ import annotations

import pytest

from studies import networks, survey


def deviations() -> dict[tuple[str, str], float]:
    """(network, figure) -> ours / published - 1, for the figures that differ by more than the table's rounding."""
    found = {}
    for network, row in survey.SURVEY.items():
        ours = networks.totals(network)
        for figure, published in row.items():
            value = getattr(ours, figure)
            if abs(value - published.value) > published.digit / 2:
                found[network, figure] = value / published.value - 1
    return found


def test_differences_from_the_survey_are_those_that_are_explained() -> None:
    assert deviations().keys() == survey.DIFFERENCES.keys()
    assert deviations()["LeNet-5", "conv_macs"] == pytest.approx(0.264, abs=0.001)
    assert deviations()["GoogLeNet v1", "conv_macs"] == pytest.approx(0.106, abs=0.001)


@pytest.mark.parametrize(
    ("network", "weights", "macs"),
    [
        ("VGG-11 CIFAR", 9_217_728 + 529_408, 152_764_416 + 529_408),
        # Howard et al. 2017, table 4: 4.2 million parameters, 569 million multiply-adds
        ("MobileNetV1", 3_185_088 + 1_024_000, 567_716_352 + 1_024_000),
        # He et al. 2016, table 1: 3.6 x 10^9
        ("ResNet-34", 21_267_648 + 512_000, 3_663_249_408 + 512_000),
    ],
)
def test_networks_outside_the_survey(network: str, weights: int, macs: int) -> None:
    total = networks.totals(network)
    assert total.conv_weights + total.fc_weights == weights
    assert total.conv_macs + total.fc_macs == macs


def test_alexnet_layers() -> None:
    """Layer 1: 34k weights, 105M MACs; layer 2: 307k, 224M; layer 3: 885k, 150M (the survey's section on networks)."""
    first = networks.layers("AlexNet")[:3]
    assert [layer.weights for layer in first] == [34_848, 307_200, 884_736]
    assert [round(layer.macs / 1e6) for layer in first] == [105, 224, 150]
    assert [layer.out_size for layer in first] == [(55, 55), (27, 27), (13, 13)]


@pytest.mark.parametrize("network", networks.NAMES)
def test_layers_follow_each_other(network: str) -> None:
    layers = networks.layers(network)
    assert len({layer.name for layer in layers}) == len(layers)
    assert sum(layer.weights for layer in layers if layer.fully_connected) == networks.totals(network).fc_weights
    assert layers[-1].fully_connected
    assert layers[-1].out_size == (1, 1)


def test_vgg11_layers_are_those_of_the_published_table() -> None:
    """GOP per batch of 32 to the digits published, but dense8: 0.003 is what 100 classes need, CIFAR-10 has 10."""
    gop = {layer.name: 2 * 32 * layer.macs / 1e9 for layer in networks.layers("VGG-11 CIFAR")}
    published = {
        "conv1": 0.11, "conv2": 1.21, "conv3_1": 1.21, "conv3_2": 2.42, "conv4_1": 1.21, "conv4_2": 2.42,
        "conv5_1": 0.60, "conv5_2": 0.60, "dense6": 0.02, "dense7": 0.02,
    }  # fmt: skip
    assert 10 * gop.pop("dense8") == pytest.approx(0.003, abs=0.0005)
    assert gop == pytest.approx(published, abs=0.005)


def test_unknown_network() -> None:
    with pytest.raises(KeyError, match=r"network 'VGG' is unknown; known are LeNet-5, AlexNet"):
        networks.layers("VGG")


def test_sized_networks_end_in_a_map_of_a_pixel_per_32() -> None:
    for network in ("AlexNet", "VGG-16", "MobileNetV1"):
        for size in (32, 96):
            layers, pools = networks.sized(network, size, 20)
            assert layers[-1].conv.rows == 20
            last = [layer for layer in layers if not layer.fully_connected][-1]
            halved = last.out_size[0] // (1 if network == "MobileNetV1" else 2)
            assert halved == size // 32
            assert any(pool.average for pool in pools) == (network == "MobileNetV1" and size > 32)
    assert networks.sized("VGG-16", 224, 1000)[0] == networks.layers("VGG-16")
    assert networks.sized("AlexNet", 227, 1000)[0] == networks.layers("AlexNet")
    with pytest.raises(ValueError, match="images of 33 x 33 pixels: VGG-16 needs a multiple of 32"):
        networks.sized("VGG-16", 33, 10)
