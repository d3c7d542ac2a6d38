# SPDX-License-Identifier: Apache-2.0
"""Configuration files of both engines that no editor or a broken one wrote: nothing but ConfigError, on one line."""

from __future__ import annotations

import copy
import random
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.edge.config import EdgeConfig
from models.lib import toml_section
from models.lib.network_kind import EDGE, PE_ARRAY, NetworkKind, kind_of
from models.lib.toml_section import ConfigError
from models.pe_array.network.config import PeConfig

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
ENGINES: dict[NetworkKind, type[EdgeConfig] | type[PeConfig]] = {EDGE: EdgeConfig, PE_ARRAY: PeConfig}
SHIPPED = sorted(path for kind in ENGINES for path in (CONFIGS / kind.folder).glob("*.toml"))
SPACES = sorted((CONFIGS / "sweep").glob("*.toml"))
"""Of make sweep, which changes configurations: none themselves."""
CASES = 12
"""Mutations of each kind, of every shipped file."""


def engine_of(path: Path) -> type[EdgeConfig] | type[PeConfig]:
    return ENGINES[kind_of(tomllib.loads(path.read_text()))]


def refusal(engine: type[EdgeConfig] | type[PeConfig], path: Path) -> str:
    """What loading a file says."""
    with pytest.raises(ConfigError) as caught:
        engine.load(path)
    return str(caught.value)


@pytest.mark.parametrize("engine", ENGINES.values())
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# caf\xe9".encode("latin-1"), "line 1, byte 6: 0xe9 is not UTF-8: save it as UTF-8"),
        (b"# 1\n# 2\nname = '\xff'", "line 3, byte 9: 0xff is not UTF-8"),
        ('name = "x"'.encode("utf-16"), "line 1, byte 1: 0xff is not UTF-8"),
        ('name = "x"'.encode("utf-16-le"), "at line 1, column 2"),
        (b"x = " + b"[\n" * 5000, "arrays or tables are nested too deeply"),
        (b"x = " + b"{a = " * 400, "arrays or tables are nested too deeply"),
        (b"x = " + b"1" * 2000 + b"\n" + b"a." * 100_000 + b"a = 1", "too long for a configuration"),
        (b"\n" + b"a." * 2000 + b"a = 1", "line 2 has more than 2048 characters"),
        (b'name = "x"\n[format]\nwidth = ' + b"9" * 5000, "line 3 has more than 2048 characters"),
        (b"a = 1979-13-01", "at line 1, column"),
        (b"name =", "Invalid value (at "),
        (b"#" * (1 << 20), "too long for a configuration"),
        (b"", ": "),
    ],
    ids=range(13),
)
def test_contents(engine: type[EdgeConfig], content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    said = refusal(engine, path)
    assert said.startswith(f"{path}: ")
    assert message in said


@pytest.mark.parametrize("engine", ENGINES.values())
def test_no_files(engine: type[EdgeConfig], tmp_path: Path) -> None:
    assert refusal(engine, tmp_path) == f"{tmp_path}: a directory, not a configuration: name a TOML file in it"
    assert refusal(engine, tmp_path / "no.toml") == f"{tmp_path / 'no.toml'}: no such configuration file"
    assert "cannot be read: File name too long" in refusal(engine, tmp_path / ("a" * 300))
    assert "cannot be read: " in refusal(engine, Path("a\0b"))
    assert "cannot be read: Not a directory" in refusal(engine, SHIPPED[0] / "x.toml")
    assert "\n" not in refusal(engine, tmp_path / "a\nb")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_byte_order_mark_and_line_ends_of_windows(path: Path, tmp_path: Path) -> None:
    engine, copied = engine_of(path), tmp_path / path.name
    copied.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert engine.parse(toml_section.read_text(copied), path) == engine.load(path)


@pytest.mark.parametrize(
    "name",
    ["../../evil", "/tmp/evil", "..", ".", ".hidden", "a/b", "a\\b", "-rf", "--help", "a b", "a\0b", "a\nb", "\x1b[31m",
     "é", "٣", "\u0430", "x" * 65, "x" * 300, "a.toml", "NUL", "con", "Com1", "~", "$HOME", "a:b"],
)  # fmt: skip
def test_names_that_are_no_plain_file_names(name: str) -> None:
    """One rule for both engines, because both make directories of that name."""
    said = []
    for kind, engine in ENGINES.items():
        path = min((CONFIGS / kind.folder).iterdir())
        with pytest.raises(ConfigError, match=r"^name = ") as caught:
            engine.from_dict(tomllib.loads(path.read_text()) | {"name": name})
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert said[0].isprintable()


@pytest.mark.parametrize("name", ["x" * 64, "lenet5_mnist", "LeNet-5", "_", "9"])
def test_names_that_are(name: str) -> None:
    for path in SHIPPED:
        assert engine_of(path).from_dict(tomllib.loads(path.read_text()) | {"name": name}).name == name


def test_shipped_configurations_are_in_the_folder_of_their_kind() -> None:
    assert sorted(CONFIGS.rglob("*.toml")) == sorted([*SHIPPED, *SPACES])
    for path in SHIPPED:
        assert kind_of(toml_section.read_toml(path)).folder == path.parent.name


def test_configurations_of_the_other_engine_name_its_commands(tmp_path: Path) -> None:
    """Wherever the file lies: what it holds tells the kind, and comments, texts and other tables do not."""
    edge, array = tmp_path / "a.toml", tmp_path / "b.toml"
    edge.write_text('# [[layers]]\nname = "[[layers]]"\nnetwork.layers = [4, 2]\n')
    array.write_text('name = "[network]"\ntraining.network = 1\nlayers = [{ kind = "dense" }]\n')
    assert refusal(PeConfig, edge) == (
        f"{edge}: [network] makes it a network of the edge engine, whose commands are make train and python -m "
        "models.edge.training; a network of the PE array has [[layers]]"
    )
    assert refusal(EdgeConfig, array) == (
        f"{array}: [[layers]] makes it a network of the PE array, whose commands are make train-cnn and python -m "
        "models.pe_array.training; a network of the edge engine has [network]"
    )


@pytest.mark.parametrize("engine", ENGINES.values())
@pytest.mark.parametrize(
    ("content", "which"),
    [("", "neither"), ('name = "x"\n[networks]\n', "neither"), ("[network]\n[[layers]]\n", "both")],
)
def test_configurations_of_neither_kind_or_of_both(
    engine: type[EdgeConfig], content: str, which: str, tmp_path: Path
) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(content)
    assert refusal(engine, path) == (
        f"{path}: must have either [network] (edge engine) or [[layers]] (PE array), and has {which}"
    )


def places(values: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of everything in a document."""
    for key in list(values) if isinstance(values, dict) else range(len(values)):
        yield values, key
        if isinstance(values[key], dict | list):
            yield from places(values[key])


DEEP: Any = []
for _ in range(3000):
    DEEP = [DEEP]
ODD: list[Any] = [
    None, -1, 0, 1, 2**31, 10**4000, 1 << 20_000, -(1 << 20_000), 0.5, 1e300, -0.0, float("inf"), float("nan"), True,
    "", "x" * 5000, "a\nb", "\0", [], [[]], [{}], {}, {"a\nb": 1}, {"x" * 500: 1}, DEEP, {"a": DEEP},
    tomllib.loads("a=1979-05-27")["a"],
]  # fmt: skip


def complaint(load: Callable[[Any], object], given: Any) -> str:
    """What is said of a configuration, which must fit on a line; nothing if it is taken."""
    said = ""
    try:
        load(given)
    except ConfigError as error:
        said = str(error)
    assert said.isprintable()
    assert len(said) < 1000
    return said


EVERY_KEY = """
name = "every_key"
[input]
channels = 1
height = 28
width = 28
frac = 7
[array]
pes = 4
data_bits = 8
master_bits = 24
[[layers]]
kind = "conv"
name = "first"
input = "image"
outputs = 4
kernel = 3
pad = 1
stride = 1
dilation = 1
groups = 1
relu = true
weight_frac = 7
out_frac = 4
delta_frac = 9
density = 0.5
rate_shift = 1
init_scale = 0.5
[[layers]]
kind = "conv"
outputs = 4
kernel = 1
weight_frac = 7
out_frac = 4
delta_frac = 9
add = "first"
[[layers]]
kind = "average_pool"
kernel = 7
out_frac = 4
delta_frac = 9
[[layers]]
kind = "global_average_pool"
[[layers]]
kind = "dense"
outputs = 10
weight_frac = 6
out_frac = 4
[training]
batch = 8
epochs = 1
rate_shift = [14]
momentum_shift = 3
init_seed = 1
init_scale = 1.0
order_seed = 1
prune_at = 1
validation = 10
rewind = true
rescale = true
initial = "weights.npz"
update_rounding = "stochastic"
gradient_rounding = "half_up"
rounding_seed = 1
"""
DOCUMENTS = {path.stem: tomllib.loads(path.read_text()) for path in SHIPPED} | {"every_key": tomllib.loads(EVERY_KEY)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_values_of_the_wrong_kind(name: str) -> None:
    """Every value of a document replaced by odd ones, dropped, and given another key."""
    document, refused, rng = DOCUMENTS[name], 0, random.Random(name)
    engine = ENGINES[kind_of(document)]
    assert engine.from_dict(document).name == name
    count = len(list(places(document)))
    for number in range(count):
        for odd in [*rng.sample(ODD, 6), "drop", "rename"]:
            values = copy.deepcopy(document)
            container, key = list(places(values))[number]
            if odd in ("drop", "rename"):
                value = container.pop(key)
                if odd == "rename" and isinstance(container, dict):
                    container[f"{key}\n"] = value
            else:
                container[key] = odd
            refused += bool(complaint(engine.from_dict, values))
    assert refused > 4 * count, "most of it is refused"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_files_with_wrong_bytes(path: Path, tmp_path: Path) -> None:
    """Bytes replaced, left out, doubled; lines swapped; cut off."""
    rng, data, engine, refused = random.Random(path.stem), path.read_bytes(), engine_of(path), 0
    broken = tmp_path / "broken.toml"
    for number in range(5 * CASES):
        mutant, at, to = bytearray(data), *sorted(rng.sample(range(len(data)), 2))
        match number % 5:
            case 0:
                mutant[at] = rng.randrange(256)
            case 1:
                del mutant[at : at + rng.randrange(1, 9)]
            case 2:
                mutant[at:at] = mutant[at:to]
            case 3:
                mutant[at:at] = rng.choice([b"[", b"]", b'"', b"'''", b"\0", b"=", b".", b"\n", b"9" * 500, b"e999"])
            case 4:
                del mutant[at:]
        broken.write_bytes(mutant)
        said = complaint(engine.load, broken)
        assert not said or said.startswith(f"{broken}: ")
        refused += bool(said)
    assert refused > 2 * CASES
