# SPDX-License-Identifier: Apache-2.0
"""Models in onnxruntime: what everything here is compared with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

FloatArray = npt.NDArray[np.float32]
_BATCH = 64


class Runner:
    """A model ready to run.

    Args:
        threads: of onnxruntime; 0: as many as it likes.
    """

    def __init__(self, model: onnx.ModelProto, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0]

    def __call__(self, x: FloatArray) -> FloatArray:
        """Outputs float32 (n, values) of pictures float32 (n, C, H, W); bytes where the model takes bytes."""
        kind = {"tensor(uint8)": np.uint8, "tensor(int8)": np.int8}.get(self._input.type, np.float32)
        parts = [
            self._session.run(None, {self._input.name: x[at : at + _BATCH].astype(kind)})[0]
            for at in range(0, len(x), _BATCH)
        ]
        made = np.concatenate(parts)
        return np.asarray(made.reshape(len(made), -1), dtype=np.float32)

    def classes(self, x: FloatArray) -> npt.NDArray[np.int64]:
        """The largest output (n,); of equal ones the first."""
        return np.asarray(self(x).argmax(axis=1))
