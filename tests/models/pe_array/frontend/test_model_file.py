# SPDX-License-Identifier: Apache-2.0
"""Files that are damaged, or made to do harm, are refused in one line: by the reader and by the whole compiler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from quantised_onnx import Bench, complaints
from small_onnx import Made, residual

from models.pe_array.frontend import model_file
from models.pe_array.frontend.api import compile
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.model_file import array_of, load
from models.pe_array.frontend.reader import read


def quantised() -> onnx.ModelProto:
    """One convolution."""
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, 1, 2, 5, 6), 0.1)
    bench.both(bench.add("Conv", x, bench.dequantise(bench.weights(3, 2, 3, 3), 0.1)), 0.5)
    return bench.model()


def line(made: Callable[[], object]) -> str:
    """What is refused, which is one line."""
    with pytest.raises(UnsupportedModel) as error:
        made()
    assert "\n" not in str(error.value)
    return str(error.value)


# --- files ---


@pytest.mark.parametrize(
    "data",
    [quantised().SerializeToString()[:400], quantised().SerializeToString()[:-3], b"PK\3\4" + b"\0" * 60, b"text " * 9],
    ids=["half", "end", "magic", "text"],
)
def test_files_that_are_no_models(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    assert line(lambda: load(path)).startswith(f"{path} is not an ONNX model: ")
    assert line(lambda: compile(path)) == line(lambda: load(path))


def test_no_file_and_one_that_is_too_large(tmp_path: Path) -> None:
    assert line(lambda: load(tmp_path)) == f"{tmp_path} is not a file: give the path of an ONNX model"
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(model_file.BYTES_MAX + 1)
    assert "large.onnx has 2,147,483,649 bytes, at most 2,147,483,648 can be read" in line(
        lambda: load(tmp_path / "large.onnx")
    )


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    assert line(lambda: compile(tmp_path / "net.onnx")) == "the model has no nodes, or no outputs"


def external(model: onnx.ModelProto, place: str) -> onnx.ModelProto:
    """The first constant lies in another file."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    return model


@pytest.mark.parametrize("place", ["../outside.bin", "/etc/passwd", "none.bin"])
def test_files_beside_a_model(tmp_path: Path, place: str) -> None:
    """Nothing outside of the model's folder is read."""
    (tmp_path / "outside.bin").write_bytes(bytes(4))
    (tmp_path / "net").mkdir()
    path = tmp_path / "net/net.onnx"
    path.write_bytes(external(quantised(), place).SerializeToString())
    assert line(lambda: load(path)).startswith(f"{path} is not an ONNX model: ")


def test_a_file_inside_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "scale.bin").write_bytes(np.float32(0.25).tobytes())
    path = tmp_path / "net.onnx"
    path.write_bytes(external(quantised(), "scale.bin").SerializeToString())
    assert numpy_helper.to_array(load(path).graph.initializer[0]) == 0.25


def test_constants_in_files_that_nobody_has_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model in memory says no folder; what lies where the program was started is not meant."""
    (tmp_path / "here.bin").write_bytes(np.ones(2, np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    assert line(lambda: read(external(quantised(), "here.bin"))) == (
        "k0 is in another file: load the model with onnx.load"
    )
    bench = Bench()
    x = bench.both(bench.input("x", TensorProto.FLOAT, 1, 2, 5, 6), 0.1)
    tensor = external(quantised(), "here.bin").graph.initializer[0]
    with pytest.raises(UnsupportedModel, match="k0 is in another file"):
        array_of(tensor)
    bench.nodes.append(helper.make_node("Constant", [], ["ones"], value=tensor))
    bench.both(bench.add("Mul", x, "ones"), 0.1)
    assert "k0 is in another file" in complaints(bench.model())[0]


# --- models ---


def _missing(model: onnx.ModelProto) -> None:
    del model.graph.initializer[0]


def _cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def _twice(model: onnx.ModelProto) -> None:
    model.graph.node[2].output[0] = model.graph.node[0].output[0]


def _short(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-1]


def _lie(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [1 << 33, 1 << 33]


def _no_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "nothing"


def _no_outputs(model: onnx.ModelProto) -> None:
    del model.graph.output[:]


def _no_nodes(model: onnx.ModelProto) -> None:
    del model.graph.node[:]


def _elsewhere(model: onnx.ModelProto) -> None:
    external(model, "../../../etc/passwd")


def _future(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def _no_opset(model: onnx.ModelProto) -> None:
    del model.opset_import[:]


def _domain(model: onnx.ModelProto) -> None:
    model.graph.node[1].domain = "org.nobody"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_missing, "the model is damaged: Nodes in a graph must be topologically sorted, however input '[ck]0' of"),
        (_cycle, "the model is damaged: Nodes in a graph must be topologically sorted"),
        (_twice, "the model is damaged: Graph must be in single static assignment"),
        (_short, r"the model is damaged: .* raw_data size \(\d+ bytes\) is too small"),
        (_lie, "the model is damaged: Tensor dimension product overflow"),
        (_no_output, "the model is damaged: Graph output 'nothing' is not an output of any node"),
        (_no_outputs, "the model has no nodes, or no outputs"),
        (_no_nodes, "the model has no nodes, or no outputs"),
        (_elsewhere, "[ck]0 is in another file"),
        (_future, "the model has opset 99, must be 10? … 25"),
        (_no_opset, "the model is damaged: .* must specify opset_import"),
        (_domain, "the model is damaged: No opset import for domain 'org.nobody'"),
    ],
)
def test_damaged_models(damage: Callable[[onnx.ModelProto], None], message: str) -> None:
    """Quantised ones and those of floats."""
    for made in (quantised(), residual()):
        damage(made)
        with pytest.raises(UnsupportedModel, match=message):
            compile(made, batch=8, pes=2)
    made = quantised()
    damage(made)
    with pytest.raises(UnsupportedModel, match=message):
        read(made)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((2, -8, 8), "all sizes but the batch must be fixed"),
        ((2, 1 << 20, 1 << 20), "input x is 2 x 1048576 x 1048576: a picture has at most 67,108,864 values"),
    ],
)
def test_sizes_of_pictures(sizes: tuple[int, ...], message: str) -> None:
    for made in (quantised(), residual()):
        for dim, size in zip(made.graph.input[0].type.tensor_type.shape.dim[1:], sizes, strict=True):
            dim.dim_value = size
        assert message in line(lambda made=made: compile(made, batch=8, pes=2))


def test_shapes_that_contradict_each_other() -> None:
    bench = Bench()
    x = bench.input("x", TensorProto.FLOAT, 1, 2, 5, 6)
    bench.add("Conv", x, bench.weights(3, 2, 3, 3))
    assert line(lambda: read(bench.model())).startswith("the shapes of the model contradict each other: ")


def test_an_output_without_a_shape() -> None:
    """Which onnxruntime takes too."""
    model = quantised()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert read(model).outputs[0].dims == (3, 3, 4)


def test_functions_of_a_model_are_inlined() -> None:
    """And what no function explains is refused."""
    model = quantised()
    halved = helper.make_function(
        "own", "Halved", ["a"], ["b"], [helper.make_node("Identity", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    model.functions.append(halved)
    model.opset_import.add(domain="own", version=1)
    node = helper.make_node("Halved", [model.graph.node[1].output[0]], ["inlined"], domain="own")
    model.graph.node.insert(2, node)
    model.graph.node[-3].input[0] = "inlined"
    assert len(read(model).operators) == 1
    del model.functions[:]
    assert complaints(model) == ["operators of own are unknown"]


def test_a_model_that_only_moves_axes() -> None:
    made = Made("N", 4, 4, 3)
    made.add("Transpose", perm=[0, 3, 1, 2])
    with pytest.raises(UnsupportedModel):
        compile(made.model("N", 3, 4, 4), batch=8, pes=2)
    made = Made("N", 3)
    made.add("Transpose", perm=[0, 3, 1, 2])
    made.add("Relu")
    with pytest.raises(UnsupportedModel):
        compile(made.model(), batch=8, pes=2)
