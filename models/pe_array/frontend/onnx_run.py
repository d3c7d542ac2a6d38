# SPDX-License-Identifier: Apache-2.0
"""Models in onnxruntime: what everything here is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from models.pe_array.frontend.graph import UnsupportedModel, shaped

FloatArray = npt.NDArray[np.float32]
_BATCH = 64


@contextmanager
def _refusing() -> Iterator[None]:
    """Errors of onnxruntime, which are of many kinds and lines, as one line."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnsupportedModel(f"onnxruntime cannot run the model: {reason[:200].strip()}") from None


class Runner:
    """A model ready to run.

    Args:
        output: the tensor whose values are wanted; "": the first output of the model.
        threads: of onnxruntime; 0: as many as it likes.

    Raises:
        UnsupportedModel: onnxruntime cannot run the model, in one line; a call can say so too.
    """

    def __init__(self, model: onnx.ModelProto, output: str = "", threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        if output and output != model.graph.output[0].name:
            whole, model = model, onnx.ModelProto()
            model.CopyFrom(whole)
            del model.graph.output[:]
            model.graph.output.append(onnx.ValueInfoProto(name=output))
        with _refusing():
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        self._input = self._session.get_inputs()[0]

    def __call__(self, x: npt.NDArray[Any]) -> FloatArray:
        """Outputs float32 (n, values) of pictures (n, C, H, W), which are rounded where the model takes bytes."""
        given = shaped(x, tuple(self._input.shape[1:]))
        kind = {"tensor(uint8)": np.uint8, "tensor(int8)": np.int8}.get(self._input.type)
        if kind is None:
            given = given.astype(np.float32)
        else:
            given = np.clip(np.rint(given), np.iinfo(kind).min, np.iinfo(kind).max).astype(kind)
        with _refusing():
            parts = [
                self._session.run(None, {self._input.name: given[at : at + _BATCH]})[0]
                for at in range(0, len(x), _BATCH)
            ]
        made = np.concatenate(parts)
        return np.asarray(made.reshape(len(made), -1), dtype=np.float32)

    def classes(self, x: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The largest output (n,); of equal ones the first."""
        return np.asarray(self(x).argmax(axis=1))
