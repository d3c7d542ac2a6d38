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
def refusing(what: str) -> Iterator[None]:
    """Errors of the onnx package, which are of many kinds and lines, as one line."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
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
    with refusing(f"{path} is not an ONNX model"):
        return onnx.load(str(path))


def checked(model: onnx.ModelProto, oldest: int = FIRST_OPSET) -> onnx.ModelProto:
    """A copy that keeps the rules of ONNX: constants are whole, tensors made before they are read, opsets known.

    Raises:
        UnsupportedModel: it breaks one, in one line.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    if not made.graph.node or not made.graph.output:
        raise UnsupportedModel("the model has no nodes, or no outputs")
    for opset in made.opset_import:
        if opset.domain in ("", "ai.onnx") and not oldest <= opset.version <= LAST_OPSET:
            raise UnsupportedModel(
                f"the model has opset {opset.version}, must be {oldest} … {LAST_OPSET}: "
                "convert it with onnx.version_converter"
            )
    for tensor in made.graph.initializer:
        _inside(tensor)
    outputs = [each.type.tensor_type for each in made.graph.output if each.type.HasField("tensor_type")]
    without = [each for each in outputs if not each.HasField("shape")]
    for each in without:
        each.shape.SetInParent()  # which the checker wants, and nobody else
    with refusing("the model is damaged"):
        onnx.checker.check_model(made)
    for each in without:
        each.ClearField("shape")
    return made


def prepare(model: onnx.ModelProto) -> onnx.ModelProto:
    """A checked copy whose batch has a size, whose functions are inlined and whose shapes are inferred.

    Raises:
        UnsupportedModel: it breaks a rule of ONNX, in one line.
    """
    made = checked(model)
    if made.functions:
        with refusing("the functions of the model cannot be inlined"):
            made = onnx.inliner.inline_local_functions(made)
    names = {each.name for each in made.graph.initializer}
    for each in made.graph.input:
        shape = each.type.tensor_type.shape
        if each.name not in names and len(shape.dim) and not shape.dim[0].dim_value:
            shape.dim[0].dim_value = 1
    with refusing("the shapes of the model contradict each other"):
        return onnx.shape_inference.infer_shapes(made, check_type=True, data_prop=True)


def array_of(tensor: onnx.TensorProto) -> npt.NDArray[np.generic]:
    """The constant that a model holds. UnsupportedModel where it is damaged, in one line."""
    _inside(tensor)
    with refusing(f"{tensor.name} is damaged"):
        return np.asarray(onnx.numpy_helper.to_array(tensor))


def _inside(tensor: onnx.TensorProto) -> None:
    """UnsupportedModel where numbers are in a file that nobody has read: no model says which files are opened."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise UnsupportedModel(f"{tensor.name} is in another file: load the model with onnx.load")
