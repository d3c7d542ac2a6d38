# SPDX-License-Identifier: Apache-2.0
"""ONNX files that may be damaged: loading, checking, and making of what is left open what a reader can rely on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnx.checker
import onnx.inliner
import onnx.numpy_helper
import onnx.shape_inference

from models.pe_array.frontend.graph import UnsupportedModel

BYTES_MAX = 1 << 31
"""Of a model file: what protobuf can have in one piece."""
FIRST_OPSET, LAST_OPSET = 10, 25
"""Versions of ONNX's operators whose meaning is known here; QuantizeLinear came with 10."""


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Errors of the onnx package, which are of many kinds and lines, as one line."""
    try:
        yield
    except UnsupportedModel:
        raise
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UnsupportedModel(f"{what}: {reason[:200].strip()}") from None


def load(path: Path) -> onnx.ModelProto:
    """The model in a file, with what lies in files beside it.

    Raises:
        UnsupportedModel: it cannot be read, in one line.
    """
    if not path.is_file():
        raise UnsupportedModel(f"{path} is not a file: give the path of an ONNX model")
    if path.stat().st_size > BYTES_MAX:
        raise UnsupportedModel(f"{path} has {path.stat().st_size:,} bytes, at most {BYTES_MAX:,} can be read")
    with _refusing(f"{path} is not an ONNX model"):
        return onnx.load(str(path))


def prepare(model: onnx.ModelProto) -> onnx.ModelProto:
    """A checked copy whose batch has a size, whose functions are inlined and whose shapes are inferred.

    Raises:
        UnsupportedModel: it breaks a rule of ONNX, in one line.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    if not made.graph.node:
        raise UnsupportedModel("the model has no nodes")
    for opset in made.opset_import:
        if opset.domain in ("", "ai.onnx") and not FIRST_OPSET <= opset.version <= LAST_OPSET:
            raise UnsupportedModel(
                f"the model has opset {opset.version}, must be {FIRST_OPSET} … {LAST_OPSET}: "
                "convert it with onnx.version_converter"
            )
    for tensor in made.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise UnsupportedModel(f"{tensor.name} is in another file: load the model with onnx.load")
    with _refusing("the model is damaged"):
        onnx.checker.check_model(made)
        if made.functions:
            made = onnx.inliner.inline_local_functions(made)
    names = {each.name for each in made.graph.initializer}
    for each in made.graph.input:
        shape = each.type.tensor_type.shape
        if each.name not in names and len(shape.dim) and not shape.dim[0].dim_value:
            shape.dim[0].dim_value = 1
    with _refusing("the shapes of the model contradict each other"):
        return onnx.shape_inference.infer_shapes(made, check_type=True, data_prop=True)


def array_of(tensor: onnx.TensorProto) -> npt.NDArray[np.generic]:
    """The constant that a model holds. UnsupportedModel where it is damaged, in one line."""
    with _refusing(f"{tensor.name} is damaged"):
        return np.asarray(onnx.numpy_helper.to_array(tensor))
