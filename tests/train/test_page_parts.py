# SPDX-License-Identifier: Apache-2.0
"""Parts of pages: classes, pictures of matrices, panels."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes

from flow import page
from flow.train import classes, plots


def test_section_of_few_classes() -> None:
    """A matrix of the classes that occurred, and each with what it was taken for, most often first."""
    counted = [[0, 0, 8], [0, 2, 1], [0, 30, 1], [2, 0, 3], [2, 2, 1], [2, 30, 4]]
    section = classes.section(counted, "after the last epoch")
    assert section.startswith('<h2>Classes</h2><p class="note">Test images by label and predicted class, after the')
    assert section.count("<img") == 1
    assert "<tr><td>0</td><td>10</td><td>80.00%</td><td>2 (1), 30 (1)</td></tr>" in section
    assert "<tr><td>2</td><td>8</td><td>12.50%</td><td>30 (4), 0 (3)</td></tr>" in section
    one = classes.section([[0, 0, 5]], "in the last test")
    assert "<tr><td>0</td><td>5</td><td>100.00%</td><td></td></tr>" in one
    many = classes.section([[n % 10, n, 1] for n in range(classes.MATRIX + 1)], "in the last test")
    assert "<img" not in many, "too many classes for a matrix"


def test_dots_of_a_large_matrix_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture of 50,000 x 60,000 places has a bounded size, and every element a dot."""
    shown = []
    monkeypatch.setattr(Axes, "imshow", lambda _, picture, **style: shown.append((picture, style["extent"])))
    axes = page.panels(1, 2.0)[1][0]
    place = np.array([0, 49_999]), np.array([59_999, 30_000])
    plots.dots(axes, (50_000, 60_000), *place, np.array([1.0, -1.0]))
    plots.dots(axes, (2, 3), np.array([1]), np.array([2]), np.array([5.0]))
    picture, extent = shown[0]
    assert picture.shape == plots.DOTS
    assert (picture[0, -1], picture[-1, 300]) == (1.0, -1.0)
    assert np.isfinite(picture).sum() == 2
    assert extent == (-0.5, 59_999.5, 49_999.5, -0.5)
    np.testing.assert_array_equal(shown[1][0], [[np.nan] * 3, [np.nan, np.nan, 5.0]])


def test_panels_do_not_overlap() -> None:
    """Ten layers are three rows of four."""
    figure, axes = page.panels(10, 2.0)
    assert len(axes) == 10
    assert figure.get_size_inches().tolist() == [9.2, 6.0]
    assert len({round(each.get_position().y0, 3) for each in axes}) == 3
