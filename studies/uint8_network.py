# SPDX-License-Identifier: Apache-2.0
"""Networks that somebody else quantised to uint8 as ONNX: ``python -m studies.uint8_network ARRAYS.npz MODEL.onnx``.

TensorFlow Lite's networks of uint8, such as MobileNetV1, are chains of convolutions whose weights have zero points that
are not 0. Their integers in an ``.npz`` are enough to write them as ONNX, in QLinear or in QDQ form: onnxruntime and
the array can both run what nobody here has quantised.

Arrays of layer ``name``, in the order of the file; names that end in ``_dw`` are depth-wise:

    name.w_u8          uint8 (O, KH, KW, I), depth-wise (1, KH, KW, C): the order of TensorFlow Lite
    name.b_i32         int32 (O,), in steps of input scale times weight scale
    name.w_scale_zp    scale and zero point of the weights; likewise in_scale_zp and out_scale_zp of the maps
    name.stride_act    stride; a number for the activation, which limits of uint8 make superfluous
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.lib.command_line import Parser, one_line_errors, output_file, whole_number

Arrays = dict[str, npt.NDArray[Any]]
KEYS = ("w_u8", "b_i32", "w_scale_zp", "in_scale_zp", "out_scale_zp", "stride_act")


class _Model:
    """A graph in the making."""

    def __init__(self, qdq: bool) -> None:
        self.qdq = qdq
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, array: npt.NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], output, domain=domain, **attributes))
        return output

    def scale(self, name: str, pair: npt.NDArray[Any]) -> list[str]:
        """Scale and zero point of a tensor, as names."""
        return [
            self.constant(f"{name}.scale", np.array(pair[0], np.float32)),
            self.constant(f"{name}.zero", np.array(pair[1], np.uint8)),
        ]

    def convolution(
        self, name: str, source: str, given: list[str], arrays: Arrays, size: int
    ) -> tuple[str, list[str], int]:
        """A layer: its bytes, their scale and zero point, and the rows of its map."""
        weights = arrays["w_u8"]
        depthwise = name.endswith("_dw")
        weights = weights.transpose(3, 0, 1, 2) if depthwise else weights.transpose(0, 3, 1, 2)
        stride, kernel = int(arrays["stride_act"][0]), weights.shape[2]
        made = -(-size // stride)
        pad = max(0, (made - 1) * stride + kernel - size)  # TensorFlow's SAME: the odd row comes last
        window: dict[str, Any] = {
            "pads": [pad // 2, pad // 2, pad - pad // 2, pad - pad // 2], "strides": [stride, stride],
            "kernel_shape": [kernel, kernel], "group": weights.shape[0] if depthwise else 1,
        }  # fmt: skip
        own, out = self.scale(f"{name}.weights", arrays["w_scale_zp"]), self.scale(name, arrays["out_scale_zp"])
        w, b = self.constant(f"{name}.w", weights), self.constant(f"{name}.b", arrays["b_i32"])
        if not self.qdq:
            return self.add("QLinearConv", [source, *given, w, *own, *out, b], name, **window), out, made
        step = np.asarray(np.float32(arrays["in_scale_zp"][0]) * np.float32(arrays["w_scale_zp"][0]))
        real = [
            self.add("DequantizeLinear", [source, *given], f"{name}.in"),
            self.add("DequantizeLinear", [w, *own], f"{name}.weights"),
            self.add("DequantizeLinear", [b, self.constant(f"{name}.bias.scale", step)], f"{name}.bias"),
        ]
        sums = self.add("Conv", real, f"{name}.sums", **window)
        return self.add("QuantizeLinear", [sums, *out], name), out, made

    def average(self, source: str, given: list[str]) -> str:
        """Of whole maps, with the same scale."""
        if not self.qdq:
            inputs = [source, *given, *given]
            return self.add("QLinearGlobalAveragePool", inputs, "average", "com.microsoft", channels_last=0)
        real = self.add("DequantizeLinear", [source, *given], "average.in")
        return self.add("QuantizeLinear", [self.add("GlobalAveragePool", [real], "average.mean"), *given], "average")


def build(arrays: Arrays, size: int, qdq: bool = False) -> onnx.ModelProto:
    """The network of an ``.npz``: input uint8 (N, channels, size, size), output float32 (N, classes).

    Before the last layer, which makes the classes, maps are averaged.

    Raises:
        ValueError: an array is missing.
    """
    names = list(dict.fromkeys(key.split(".")[0] for key in arrays))
    for name in names:
        for key in KEYS:
            if f"{name}.{key}" not in arrays:
                raise ValueError(f"the array {name}.{key} is missing: a layer has {', '.join(KEYS)}")
    made, rows = _Model(qdq), size
    given, source = made.scale("picture", arrays[f"{names[0]}.in_scale_zp"]), "picture"
    for name in names:
        own = {key: arrays[f"{name}.{key}"] for key in KEYS}
        if name == names[-1]:
            source, rows = made.average(source, given), 1
        source, given, rows = made.convolution(name, source, given, own, rows)
    flat = made.add("Flatten", [source], "flat", axis=1)
    made.add("DequantizeLinear", [flat, *given], "logits")
    channels, classes = arrays[f"{names[0]}.w_u8"].shape[3], arrays[f"{names[-1]}.w_u8"].shape[0]
    picture = helper.make_tensor_value_info("picture", TensorProto.UINT8, ["N", channels, size, size])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
    graph = helper.make_graph(made.nodes, "uint8", [picture], [logits], made.constants)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = Parser("studies.uint8_network", "Write a chain of uint8 convolutions as a quantised ONNX model.")
    parser.add_argument("arrays", type=Path, help=".npz, see the head of studies/uint8_network.py")
    parser.add_argument("model", type=output_file, help="file to write")
    parser.add_argument("--size", type=whole_number(1, 1024), default=128, help="rows and columns of a picture")
    parser.add_argument("--qdq", action="store_true", help="in QDQ form; otherwise QLinear")
    with one_line_errors(ValueError):
        options = parser.parse_args(arguments)
        with np.load(options.arrays, allow_pickle=False) as arrays:
            onnx.save(build(dict(arrays), options.size, options.qdq), str(options.model))


if __name__ == "__main__":
    main()
