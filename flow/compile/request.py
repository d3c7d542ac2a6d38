# SPDX-License-Identifier: Apache-2.0
"""What the user asked `make compile` for, checked before anything is computed."""

from __future__ import annotations

import hashlib
import os.path
import re
from dataclasses import dataclass
from pathlib import Path

import onnx

from flow.ask import whole_number
from flow.paths import BUILD, ROOT, FlowError, make_command, relative
from models.lib.data_sets.data_set import DataError
from models.lib.telling import Telling
from models.pe_array.frontend import model_file, pictures
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.frontend.lower import BATCHES
from models.pe_array.frontend.optimisations import ALL, Optimisations
from models.pe_array.frontend.pictures import PictureSource
from models.pe_array.frontend.quantise import METHODS, Options
from models.pe_array.frontend.sparsify import Sparsification

TABLE = "table"
"""What OPT says to measure all of them."""
CALIBRATION = 512
"""Pictures of the training part that a float model is calibrated with."""
NORM = "unit"
PES_MAX = 64


@dataclass(frozen=True, kw_only=True)
class Request:
    """A compilation.

    Attributes:
        path, model, digest: the file, what it holds, and the SHA-256 of its bytes.
        name: of the results: that of the file, without what makes it odd.
        source: labelled pictures; None: none were given.
        options: how a float model is quantised.
        sparsification: None: nothing is taken away.
        optimisations: of the program.
        table: all optimisations are measured, alone and together.
        density: share of the weights that the start of a fine-tuning keeps; 1.0: all.
        batch, pes: of the array.
        samples: test pictures for the accuracies; None: all.
        asked: the variables that the user gave.
        directory: where the results go.
    """

    path: Path
    model: onnx.ModelProto
    digest: str
    name: str
    source: PictureSource | None
    options: Options
    sparsification: Sparsification | None
    optimisations: Optimisations
    table: bool
    density: float
    batch: int
    pes: int
    samples: int | None
    asked: tuple[str, ...]
    directory: Path

    @property
    def replay(self) -> str:
        """The command that does it again."""
        return make_command("compile", *self.asked)


def request(
    model: str, data: str = "", norm: str = "", quant: str = "", sparsify: str = "", opt: str = "", batch: str = "",
    pes: str = "", samples: str = "", density: str = "", directory: Path | None = None,
    source: PictureSource | None = None,
) -> Request:  # fmt: skip
    """Check the variables of the make command line; empty ones have their default. Raises FlowError.

    Args:
        source: what ``data`` and ``norm`` name, where it has been read; None: read it.
    """
    path = find(model)
    variables = {
        "MODEL": relative(path), "DATA": data, "NORM": norm, "QUANT": quant, "SPARSIFY": sparsify, "OPT": opt,
        "DENSITY": density, "BATCH": batch, "PES": pes, "SAMPLES": samples,
    }  # fmt: skip
    try:
        options = quantisation(quant)
        how = Sparsification.parse(sparsify) if sparsify else None
        optimisations = ALL if opt == TABLE else Optimisations.parse(opt or "all")
        loaded = model_file.load(path)
        source = source or read_source(data, norm)
    except UnsupportedModel as error:
        raise FlowError(str(error)) from None
    count = None
    if samples:
        most = len(source.data.test) if source else 0
        if not most:
            raise FlowError(f"SAMPLES={samples} counts test pictures: name them with DATA")
        count = whole_number("SAMPLES", samples, 1, most, "test pictures")
    name = name_of(path)
    return Request(
        path=path,
        model=loaded,
        digest=digest_of(path),
        name=name,
        source=source,
        options=options,
        sparsification=how,
        optimisations=optimisations,
        table=opt == TABLE,
        density=kept(density, source),
        batch=batches(batch),
        pes=power("PES", pes, 8, PES_MAX),
        samples=count,
        asked=tuple(f"{key}={value}" for key, value in variables.items() if value),
        directory=directory or BUILD / "compile" / name,
    )


def find(model: str) -> Path:
    """The file that MODEL names, relative to where make runs or to the checkout. Raises FlowError."""
    if not model:
        raise FlowError("MODEL=file.onnx must say which network to compile")
    path = Path(model) if os.path.exists(model) else ROOT / model
    if not os.path.isfile(path):
        raise FlowError(f"MODEL={model}: there is no such file")
    return path.resolve()


def require_data(data: str) -> None:
    """FlowError where no pictures are named."""
    if not data:
        raise FlowError("DATA=… must name labelled pictures: mnist, fashion_mnist, cifar10:folder, or a path")


def name_of(path: Path) -> str:
    """Of the results of a file."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem)


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_source(data: str, norm: str) -> PictureSource | None:
    """The pictures that DATA and NORM name. Raises FlowError."""
    if not data:
        if norm:
            raise FlowError(f"NORM={norm} says what becomes of the pixels of DATA: give that too")
        return None
    try:
        normal = pictures.parse_normal(norm or NORM)
        with Telling() as tell:
            tell(f"DATA={data}: reading")
            return PictureSource(pictures.load(data), normal, data)
    except DataError as error:
        raise FlowError(str(error)) from None


def quantisation(text: str) -> Options:
    """What QUANT says: a method, or ``asymmetric``, or both with a comma between them. Raises FlowError."""
    words = text.split(",") if text else []
    methods = [word for word in words if word in METHODS]
    if len(methods) > 1 or sorted(words) != sorted({*methods, *({"asymmetric"} & {*words})}):
        raise FlowError(
            f"QUANT={text} must be one of {', '.join(METHODS)}, asymmetric, or one of them and asymmetric with a comma "
            "between them"
        )
    return Options(methods[0] if methods else Options.method, "asymmetric" in words)


def batches(text: str) -> int:
    """What BATCH says. Raises FlowError."""
    if text and text not in map(str, BATCHES):
        raise FlowError(f"BATCH={text} must be one of {', '.join(map(str, BATCHES))}: a PE has a MAC for every picture")
    return int(text or 16)


def kept(density: str, source: PictureSource | None) -> float:
    """What DENSITY says. Raises FlowError."""
    try:
        value = float(density or 1.0)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1.0:
        raise FlowError(f"DENSITY={density} must be above 0 and at most 1: the share of the weights that is kept")
    if density and source is None:
        raise FlowError(f"DENSITY={density} is of a fine-tuning, which needs pictures: name them with DATA")
    return value


def power(variable: str, text: str, default: int, most: int) -> int:
    """A power of two. Raises FlowError."""
    value = whole_number(variable, text, 1, most, "a power of two") if text else default
    if value & (value - 1):
        raise FlowError(f"{variable}={text} must be a power of two, 1 … {most}")
    return value
