# SPDX-License-Identifier: Apache-2.0
"""What becomes of a stream of sample beats (docs/edge/top.md): good frames, drops, swallowed rests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


class FrameModel:
    """Fed with accepted beats in order.

    Attributes:
        good: (words, label) of the good frames, in order, since the last soft reset.
        drops: numbers of "short", "long" and "label" drops since the last soft reset.
        count: beats accepted of the frame that is coming in.
        swallowing: the rest of that frame is unwanted.
    """

    def __init__(self, beats: int, classes: int) -> None:
        self.beats, self.classes = beats, classes
        self.good: list[tuple[list[int], int]] = []
        self.drops: Counter[str] = Counter()
        self._words: list[int] = []
        self.count = 0
        self.swallowing = False

    def beat(self, words: Sequence[int], last: bool, user: int) -> str:
        """Take a beat; the verdict that it brings: "", "good", "short", "long" or "label"."""
        verdict = ""
        if not self.swallowing:
            self._words += words
            if last and self.count < self.beats - 1:
                verdict = "short"
            elif not last and self.count == self.beats - 1:
                verdict = "long"
            elif last:
                verdict = "good" if user < self.classes else "label"
        if verdict == "good":
            self.good.append((self._words, user))
        elif verdict:
            self.drops[verdict] += 1
        self.swallowing = not last and (self.swallowing or verdict == "long")
        self.count = 0 if last else self.count + 1
        if verdict:
            self._words = []
        return verdict

    @property
    def begun(self) -> bool:
        """Some beats of a frame, but not its last, have been accepted."""
        return self.count > 0

    def soft_reset(self) -> None:
        """Forget everything but that the rest of a begun frame is still to come."""
        self.good, self.drops, self._words = [], Counter(), []
        self.swallowing = self.begun
