# SPDX-License-Identifier: Apache-2.0
"""A compiled network that was trained on, in the bit-exact model of the array."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.lib.telling import silent
from models.lib.toml_section import ConfigError
from models.pe_array.frontend.finetune.start import FloatArray, Start
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.training.images import Images
from models.pe_array.training.job import with_initial
from models.pe_array.training.trainer import EpochResult, Trainer
from models.pe_array.training.weights_file import save_weights


@dataclass(eq=False)
class FineTuned:
    """A network after its training.

    Attributes:
        start: its configuration, scales and weights as they are now.
        epochs: what each epoch gave: shares of right answers while it went on, density, seconds.
    """

    start: Start
    epochs: list[EpochResult] = field(default_factory=list)

    @property
    def density(self) -> float:
        """Share of all weights that is left, 0 … 1."""
        return self.start.network.density

    def predict(self, pictures: FloatArray) -> FloatArray:
        """Logits float32 (n, classes) of pictures float32 (n, C, H, W) as the model takes them: bit-exact."""
        return self.start.logits(pictures)

    def save(self, path: Path) -> None:
        """Write the weights as ``make train-cnn`` does: what ``training.initial`` of a configuration may name."""
        save_weights(path, self.start.network)


def train(
    start: Start, pictures: FloatArray, labels: npt.ArrayLike, epochs: int, tell: Callable[[str], None] = silent
) -> FineTuned:
    """Train so many epochs; arguments as those of ``Compiled.train``.

    Raises:
        UnsupportedModel: pictures and labels do not fit each other or the network.
    """
    known = np.asarray(labels, dtype=np.int64)
    if len(known) != len(pictures) or known.ndim != 1:
        raise UnsupportedModel(f"labels {known.shape} must be ({len(pictures)},), one for each picture")
    if known.size and not 0 <= known.min() <= known.max() < start.config.classes:
        raise UnsupportedModel(
            f"labels {known.min()} … {known.max()} must be 0 … {start.config.classes - 1}, the outputs of the model"
        )
    with tempfile.TemporaryDirectory() as directory:
        weights = Path(directory) / "weights.npz"
        save_weights(weights, start.network)
        try:
            trainer = Trainer(with_initial(start.config, weights), Images(start.quantise(pictures), known))
        except ConfigError as error:
            raise UnsupportedModel(str(error)) from None
    made = FineTuned(Start(start.config, trainer.network, start.tables, start.shrunk))
    for epoch in range(epochs):
        tell(f"epoch {epoch + 1} of {epochs}")
        made.epochs.append(trainer.train_epoch())
    return made
