# SPDX-License-Identifier: Apache-2.0
"""Float graphs made simple before they are quantised: constants folded, batch normalisation gone, NCHW at the borders.

What remains computes what the file computes, but for a softmax at its end: the array gives logits, which have the same
order. ``clean`` says so in what it returns.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import onnxslim
from onnx import NodeProto, helper, numpy_helper, version_converter

from models.pe_array.frontend import model_file
from models.pe_array.frontend.builder import VALUES_MAX
from models.pe_array.frontend.graph import UnsupportedModel

FloatArray = npt.NDArray[np.float32]

OPSET = 17
"""To which older models are brought: per-channel scales need 13."""
QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QGemm", "ConvInteger", "MatMulInteger")
"""Operators by which a model counts as quantised, besides all whose names begin with QLinear."""
_CHOOSING, _BEHIND = ("Softmax", "LogSoftmax", "ArgMax"), ("Cast", "Squeeze", "Identity")
"""Operators at the end that leave the order of the classes as it is, and what may come behind them."""
_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass(frozen=True)
class Cleaned:
    """A model that the rest of the front end takes.

    Attributes:
        model: one input of floats or bytes (N, C, H, W), one output (N, classes) or a map.
        quantised: it was quantised before it came here, and is as it was but for what was folded.
        notes: what was changed that a user may notice.
    """

    model: onnx.ModelProto
    quantised: bool
    notes: tuple[str, ...]

    @property
    def input_name(self) -> str:
        """Of the one input."""
        return str(self.model.graph.input[0].name)

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Of the input without the batch."""
        return _dimensions(self.model.graph.input[0])[1:]


def is_quantised(model: onnx.ModelProto) -> bool:
    """Whether it has scales already."""
    return any(node.op_type in QUANTISED or node.op_type.startswith("QLinear") for node in model.graph.node)


def clean(model: onnx.ModelProto, fold: bool = True) -> Cleaned:
    """A simple graph that computes the same.

    Args:
        model: of any opset; it is not changed.
        fold: batch normalisation becomes part of the weights and biases before it. Otherwise it remains a layer of its
            own, a multiplication and an addition per channel, with the activation behind it: what folding saves.

    Raises:
        UnsupportedModel: it is damaged, has several inputs or outputs, sizes that are not fixed, or onnx cannot convert
            it.
    """
    work = model_file.checked(model, oldest=1)
    _check_borders(work)
    notes: list[str] = []
    quantised = is_quantised(work)
    if not quantised:
        _floats(work)
        work = _converted(work)
        work = _slim(work, fold)
        _batch_normalisation(work)
        notes += _drop_softmax(work.graph)
    notes += _drop_transposes(work.graph)
    _free_batch(work.graph)
    _name_nodes(work.graph)
    return Cleaned(work, quantised, tuple(notes))


def constant(graph: onnx.GraphProto, name: str) -> npt.NDArray[np.generic] | None:
    """The value of an initialiser, None where a name is none."""
    for each in graph.initializer:
        if each.name == name:
            return np.asarray(numpy_helper.to_array(each))
    return None


def _dimensions(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Of an input or output; 0 where a size is not fixed."""
    return tuple(int(each.dim_value) for each in value.type.tensor_type.shape.dim)


def _check_borders(model: onnx.ModelProto) -> None:
    """One input and one output, with sizes. UnsupportedModel."""
    graph = model.graph
    constants = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in constants]
    for what, found in (("input", inputs), ("output", list(graph.output))):
        if len(found) != 1:
            names = ", ".join(each.name for each in found) or "none"
            raise UnsupportedModel(f"the model must have one {what}, has {len(found)}: {names}")
    del graph.input[:]  # old files list their weights as inputs, and must, before version 4 of the format
    graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)
    sizes = _dimensions(inputs[0])
    if len(sizes) < 2 or min(sizes[1:]) < 1:
        shown = " x ".join(
            each.dim_param or str(each.dim_value or "?") for each in inputs[0].type.tensor_type.shape.dim
        )
        raise UnsupportedModel(
            f"input {inputs[0].name} is {shown or 'without a shape'}: all sizes but the batch must be fixed; "
            "export the model with a fixed picture size"
        )
    if math.prod(sizes[1:]) > VALUES_MAX:
        shown = " x ".join(map(str, sizes[1:]))
        raise UnsupportedModel(f"input {inputs[0].name} is {shown}: a picture has at most {VALUES_MAX:,} values")


def _floats(model: onnx.ModelProto) -> None:
    """Half floats become floats. UnsupportedModel where the model takes anything else."""
    graph, half, single = model.graph, onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    source = graph.input[0]
    kind = source.type.tensor_type.elem_type
    if kind not in (half, single):
        name = helper.tensor_dtype_to_string(kind).removeprefix("TensorProto.")
        raise UnsupportedModel(
            f"input {source.name} is {name}: a model of floats takes floats; take the Cast at its input out"
        )
    attributes = [each for node in graph.node for each in node.attribute]
    for tensor in [*graph.initializer, *(each.t for each in attributes if each.HasField("t"))]:
        if tensor.data_type == half:
            tensor.CopyFrom(numpy_helper.from_array(model_file.array_of(tensor).astype(np.float32), tensor.name))
    for node in graph.node:
        for each in node.attribute:
            if node.op_type == "Cast" and each.name == "to" and each.i == half:
                each.i = single
    for border in (*graph.input, *graph.output):
        if border.type.tensor_type.elem_type == half:
            border.type.tensor_type.elem_type = single
    del graph.value_info[:]


def takes(model: onnx.ModelProto) -> tuple[tuple[int, ...], int]:
    """(C, H, W) mostly, of the pictures that a model takes once it is cleaned, and the kind of their elements.

    UnsupportedModel as ``clean``.
    """
    work = onnx.ModelProto()
    work.CopyFrom(model)
    _check_borders(work)
    _drop_transposes(work.graph)
    return _dimensions(work.graph.input[0])[1:], work.graph.input[0].type.tensor_type.elem_type


def _converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """In an opset that knows scales per channel. UnsupportedModel."""
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version < 13:
            try:
                return version_converter.convert_version(model, OPSET)
            except Exception as error:
                first = str(error).strip().splitlines()[0]
                raise UnsupportedModel(
                    f"opset {opset.version} cannot be converted to {OPSET}: {first}; export the model with opset 13 or "
                    "later"
                ) from None
    return model


def _slim(model: onnx.ModelProto, fold: bool) -> onnx.ModelProto:
    """Constants folded, dead nodes gone."""
    skipped = None if fold else ["FusionConvBN"]
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with model_file.refusing("onnxslim cannot clean the model"), quiet[0], quiet[1]:
        made: onnx.ModelProto = onnxslim.slim(model, skip_fusion_patterns=skipped)
    return made


def _batch_normalisation(model: onnx.ModelProto) -> None:
    """What is left of it becomes a channel-wise convolution of 1 x 1, y = a x + b, or just that behind dense layers."""
    graph = model.graph
    flat = {value.name for value in _inferred(model) if len(value.type.tensor_type.shape.dim) == 2}
    for node in list(graph.node):
        if node.op_type != "BatchNormalization":
            continue
        place = list(graph.node).index(node)
        gamma, beta, mean, variance = (_known(graph, node, name) for name in node.input[1:5])
        epsilon = next((each.f for each in node.attribute if each.name == "epsilon"), 1e-5)
        factor = gamma / np.sqrt(variance + np.float32(epsilon))
        names = [f"{node.output[0]}.{part}" for part in ("factor", "offset")]
        dense = node.input[0] in flat
        values = (factor if dense else factor.reshape(-1, 1, 1, 1), beta - mean * factor)
        for name, value in zip(names, values, strict=True):
            graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
        graph.node.remove(node)
        if dense:
            product = f"{node.output[0]}.product"
            graph.node.insert(place, helper.make_node("Mul", [node.input[0], names[0]], [product]))
            graph.node.insert(place + 1, helper.make_node("Add", [product, names[1]], [node.output[0]], node.name))
        else:
            made = helper.make_node(
                "Conv", [node.input[0], *names], [node.output[0]], node.name, group=len(factor), kernel_shape=[1, 1]
            )
            graph.node.insert(place, made)


def _inferred(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Tensors whose shapes follow from the model."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    return [*graph.input, *graph.value_info]


def _known(graph: onnx.GraphProto, node: NodeProto, name: str) -> FloatArray:
    value = constant(graph, name)
    if value is None:
        raise UnsupportedModel(f"BatchNormalization {node.name or node.output[0]}: {name} must be a constant")
    return np.asarray(value, dtype=np.float32)


def _drop_softmax(graph: onnx.GraphProto) -> list[str]:
    """The output is what a last softmax reads, or ArgMax."""
    tail: list[NodeProto] = []
    last = _maker(graph, graph.output[0].name)
    while last is not None and last.op_type in (*_CHOOSING, *_BEHIND):
        tail.append(last)
        last = _maker(graph, last.input[0])
    while tail and (tail[-1].op_type not in _CHOOSING or _maker(graph, tail[-1].input[0]) is None):
        tail.pop()
    for node in tail:
        _drop_last(graph, node)
    if tail:
        graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        graph.output[0].type.tensor_type.ClearField("shape")
    return [
        f"{node.op_type} at the end is left out: the output is logits, in the same order"
        for node in tail if node.op_type in _CHOOSING
    ]  # fmt: skip


def _drop_last(graph: onnx.GraphProto, last: NodeProto) -> None:
    """Without a last node: what it reads has the name of the graph's output, whichever output of a node it is."""
    old, name = last.input[0], last.output[0]
    graph.node.remove(last)
    for each in graph.node:
        for names in (each.input, each.output):
            names[:] = [name if one == old else one for one in names]


def _drop_transposes(graph: onnx.GraphProto) -> list[str]:
    """A model of NHWC pictures that transposes them at once takes NCHW; so at its end."""
    notes = []
    source = graph.input[0]
    readers = [node for node in graph.node if source.name in node.input]
    dims = source.type.tensor_type.shape.dim
    first = readers[0] if len(readers) == 1 and len(dims) == len(_TO_NCHW) else None
    if first is not None and _permutation(first) == _TO_NCHW and first.output[0] != graph.output[0].name:
        for node in graph.node:
            node.input[:] = [source.name if each == first.output[0] else each for each in node.input]
        graph.node.remove(first)
        sizes = [dims[place].dim_value for place in _TO_NCHW]
        for dim, size in zip(dims[1:], sizes[1:], strict=True):
            dim.dim_value = size
        notes.append("the Transpose of the input is left out: pictures come as N x C x H x W")
    last = _maker(graph, graph.output[0].name)
    if last is not None and _permutation(last) == _TO_NHWC and _maker(graph, last.input[0]) is not None:
        _drop_last(graph, last)
        graph.output[0].type.tensor_type.ClearField("shape")
        notes.append("the Transpose of the output is left out: maps are N x C x H x W")
    return notes


def _permutation(node: NodeProto) -> tuple[int, ...]:
    """Of a Transpose; () for other nodes."""
    if node.op_type != "Transpose":
        return ()
    return tuple(int(n) for each in node.attribute if each.name == "perm" for n in each.ints)


def _maker(graph: onnx.GraphProto, name: str) -> NodeProto | None:
    return next((node for node in graph.node if name in node.output), None)


def _free_batch(graph: onnx.GraphProto) -> None:
    """Any batch, where the file says one: what the graph does to a picture does not depend on it."""
    dims = graph.input[0].type.tensor_type.shape.dim
    if not dims[0].dim_value:
        return
    fixed = dims[0].dim_value
    dims[0].dim_param = "N"
    del graph.value_info[:]
    out = graph.output[0].type.tensor_type
    if out.HasField("shape") and len(out.shape.dim):
        out.shape.dim[0].dim_param = "N"
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for node in list(graph.node):
        if node.op_type == "Constant" and node.output[0] in shapes:
            values = helper.get_attribute_value(node.attribute[0])
            array = numpy_helper.to_array(values) if isinstance(values, onnx.TensorProto) else np.array(values)
            graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
            graph.node.remove(node)
    for each in graph.initializer:
        if each.name in shapes:
            value = numpy_helper.to_array(each).copy()
            if value.ndim == 1 and len(value) and value[0] == fixed and (value[1:] > 0).all():
                value[0] = -1
                each.CopyFrom(numpy_helper.from_array(value, each.name))
            elif value.ndim == 1 and len(value) > 1 and value[0] == fixed:
                value[0] = 0  # the batch stays what it was
                each.CopyFrom(numpy_helper.from_array(value, each.name))


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Every node has a name, by which errors and the report speak of it."""
    taken: set[str] = set()
    for node in graph.node:
        name = node.name or node.output[0]
        while name in taken:
            name += "_"
        taken.add(name)
        node.name = name


def operators(model: onnx.ModelProto) -> Sequence[str]:
    """Kinds of nodes, sorted."""
    return sorted({node.op_type for node in model.graph.node})
