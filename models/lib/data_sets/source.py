# SPDX-License-Identifier: Apache-2.0
"""Table ``[data]`` of a configuration, whatever the engine: which set, how much of it, and how its pictures come in."""

from __future__ import annotations

import os.path
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.lib.data_sets import catalogue, pixels
from models.lib.data_sets.data_set import SIDE_MAX, DataError, DataSet, Holdout
from models.lib.data_sets.epoch import Augmentation
from models.lib.data_sets.pixels import Normal
from models.lib.toml_section import ConfigError, Section

NONE = "none"
SAMPLES_MAX = 10_000_000
SEED_MAX = 2**32 - 1


@dataclass(frozen=True)
class DataSource:
    """What a network is trained on.

    Attributes:
        set: the name of a known set, ``none``, or what the file calls the path of another.
        path: of the set that has no name, else None.
        directory: where a known set is, if not at home.
        pool: averages of squares of so many pixels a side.
        train_samples, test_samples: the first so many of each part; None: all.
        split: of a set without a test part of its own, None: not said.
        normal: how pixels are normalised; None: as the engine says.
        augmentation: of the training part.
    """

    set: str = NONE
    path: Path | None = None
    directory: Path | None = None
    pool: int = 1
    train_samples: int | None = None
    test_samples: int | None = None
    split: Holdout | None = None
    normal: Normal | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)

    @classmethod
    def read(cls, table: Section, directory: Path, default: str = NONE) -> DataSource:
        """The source that a table describes; paths are relative to a directory. Raises ConfigError."""
        name = table.text("set", default)
        path = None
        if name not in (NONE, *catalogue.KNOWN):
            path = directory / name
            if not os.path.exists(path):
                names = ", ".join((NONE, *catalogue.KNOWN))
                raise ConfigError(f"{table.key('set')} = {name!r} must be one of {names}, or a path that is there")
        place = table.path("directory", directory)
        if place is not None and name not in catalogue.KNOWN:
            raise ConfigError(f"{table.key('directory')}: only for the sets {', '.join(catalogue.KNOWN)}")
        usual = Holdout()
        split = Holdout(
            table.real("test_share", 0.0, 1.0, usual.share), table.integer("split_seed", 0, SEED_MAX, usual.seed)
        )
        given = any(table.given(key) for key in ("test_share", "split_seed"))
        if given and path is None:
            raise ConfigError(f"{table.key('test_share')}, split_seed: not for {name}: leave them out")
        source = cls(
            set=name,
            path=path,
            directory=place,
            pool=table.integer("pool", 1, SIDE_MAX, 1),
            train_samples=table.optional_integer("train_samples", 1, SAMPLES_MAX),
            test_samples=table.optional_integer("test_samples", 1, SAMPLES_MAX),
            split=split if given else None,
            normal=_normal(table),
            augmentation=Augmentation(
                table.integer("shift", 0, SIDE_MAX, 0),
                table.flag("mirror", default=False),
                table.integer("augment_seed", 0, SEED_MAX, 1),
            ),
        )
        table.finish()
        if source.known is not None:
            source.check(source.known.shape, source.known.train, source.known.test)
        return source

    @property
    def known(self) -> catalogue.KnownSet | None:
        """What is known of the set before it is read."""
        return catalogue.KNOWN.get(self.set)

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """(C, H, W) of the pictures that the network sees, where that is known before the set is read."""
        return None if self.known is None else self.pooled_shape(self.known.shape)

    def pooled_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """(C, H, W) of pictures of a shape."""
        channels, height, width = shape
        return channels, height // self.pool, width // self.pool

    @property
    def identity(self) -> str:
        """Text that is equal for sources that give the same of the same set, wherever it is."""
        return repr(replace(self, set="", path=None, directory=None))

    def check(self, shape: tuple[int, int, int], train: int, test: int) -> None:
        """ConfigError where a set does not have what is asked of it.

        Args:
            shape: (C, H, W) of its pictures.
            train, test: how many it has.
        """
        channels, height, width = shape
        if height % self.pool or width % self.pool:
            sides = f"the {height} pixels of an image's side" if height == width else f"{height} and {width} pixels"
            raise ConfigError(f"data.pool = {self.pool} does not divide {sides}")
        for key, asked, most in (("train", self.train_samples, train), ("test", self.test_samples, test)):
            if asked is not None and asked > most:
                raise ConfigError(f"data.{key}_samples = {asked} must be 1 … {most}, the pictures of {self.set}")
        if self.normal and len(self.normal.mean) not in (1, channels):
            raise ConfigError(f"data.mean = {list(self.normal.mean)} must have one number, or {channels}")
        if self.augmentation.shift >= min(height, width) // self.pool:
            most = min(height, width) // self.pool - 1
            raise ConfigError(f"data.shift = {self.augmentation.shift} must be 0 … {most}, less than a picture's side")

    def has(self, path: Path) -> bool:
        """Whether a file is one of the set's own."""
        known = self.known
        place = self.path or self.directory or (known.folder(self.set) if known else None)
        if place is None:
            return False
        return path.resolve() == place.resolve() or (path.exists() and path.resolve().is_relative_to(place.resolve()))

    def load(self) -> DataSet:
        """The pictures that the network sees. Raises ConfigError, DataError."""
        if self.set == NONE:
            raise ConfigError(f'data.set = {NONE!r}: no data set is named: add [data] set = "mnist"')
        name = self.set if self.path is None else str(self.path)
        whole = catalogue.load(name, self.directory, self.split)
        self.check(whole.shape, len(whole.train), len(whole.test))
        train, test = whole.train[: self.train_samples], whole.test[: self.test_samples]
        for key, part in (("train", train), ("test", test)):
            if not len(part):
                raise ConfigError(f"data.set = {self.set!r}: no pictures are left to {key}: change data.test_share")
        return replace(
            whole,
            train=replace(train, images=pixels.pooled(train.images, self.pool)),
            test=replace(test, images=pixels.pooled(test.images, self.pool)),
        )

    def table(self, channels: int, frac: int, low: int, high: int) -> npt.NDArray[np.int16] | None:
        """Raw numbers int16 (C, 256) by channel and pixel; None where pixels are not normalised."""
        if self.normal is None:
            return None
        normal = self.normal
        if len(normal.mean) == 1:
            normal = Normal(normal.mean * channels, normal.std * channels)
        return normal.table(frac, low, high)


NO_DATA = DataSource()


def check_unchanged(found: str, asked: str) -> None:
    """DataError where data are others now than they were when the training was asked for.

    Args:
        found, asked: texts that are equal for equal data.
    """
    if found != asked:
        raise DataError("the data set was changed after the training had been asked for: begin the training again")


def _normal(table: Section) -> Normal | None:
    if not table.given("mean") and not table.given("std"):
        return None
    mean, std = tuple(table.numbers("mean", 0.0, 1.0, None)), tuple(table.numbers("std", 0.001, 1000.0, None))
    if len(mean) != len(std) or not mean:
        raise ConfigError(f"{table.key('std')} must have as many numbers as mean, one or one for each channel")
    return Normal(mean, std)
