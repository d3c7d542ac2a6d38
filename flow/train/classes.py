# SPDX-License-Identifier: Apache-2.0
"""What a trained network takes test images for, as a section of a page that stays small for any number of classes."""

from __future__ import annotations

from collections.abc import Sequence

from flow.train import plots
from models.lib.confusion import Cells, by_label, mistakes
from studies import html

MATRIX = 16
"""Classes that a picture of the confusion matrix may have."""
ROWS = 20
"""Of a table, at most."""
_WRONG = 3
"""Wrong classes that are named per label."""


def section(counted: Cells, when: str, names: Sequence[str] = ()) -> str:
    """Confusion matrix, where it is small, and the labels with what they were taken for.

    Args:
        counted: of the test images.
        when: the test, such as "in the last test".
        names: of the classes, those that have one.
    """

    def named(label: int) -> str:
        name = names[label] if label < len(names) else ""
        return f"{label} {name}" if name not in ("", f"{label}") else f"{label}"

    used = sorted({n for label, predicted, _ in counted for n in (label, predicted)})
    parts = [plots.confusion(counted, used)] if len(used) <= MATRIX else []
    wrong = mistakes(counted)
    labels = by_label(counted)
    shown = sorted(labels, key=lambda each: each["right"] / each["images"])[:ROWS]
    if len(labels) <= ROWS:
        shown = labels
    rows = []
    for each in shown:
        taken = [f"{named(predicted)} ({images:,})" for label, predicted, images in wrong if label == each["label"]]
        share = f"{each['right'] / each['images']:.2%}"
        rows.append((named(each["label"]), f"{each['images']:,}", share, ", ".join(taken[:_WRONG])))
    parts.append(html.rows(rows, ("label", "images", "right", "most often taken for")))
    if len(labels) > ROWS:
        worst = [(named(label), named(predicted), f"{images:,}") for label, predicted, images in wrong[:ROWS]]
        parts.append(html.rows(worst, ("label", "taken for", "images")))
    note = f"Test images by label and predicted class, {when}."
    if len(labels) > ROWS:
        note += (
            f" Of {len(labels):,} labels the {ROWS} with the smallest share right, and the most frequent confusions; "
            "all of them are in result.json."
        )
    return html.section("Classes", note, "".join(parts))
