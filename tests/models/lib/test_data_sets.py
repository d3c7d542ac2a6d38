# SPDX-License-Identifier: Apache-2.0
"""Data sets: what every format gives, and what is said of data that cannot be used, on one line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.lib.data_sets import catalogue, idx
from models.lib.data_sets.data_set import DataError, DataSet, Holdout

RNG = np.random.default_rng(1)
GRAY = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 3, 5, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2], dtype=np.uint8)


def packed(array: np.ndarray) -> bytes:
    """An IDX file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return b"\0\0\x08" + bytes([array.ndim]) + sizes + array.tobytes()


def idx_folder(folder: Path, **arrays: np.ndarray) -> Path:
    """``train_images`` … as IDX files, every second of them gz."""
    folder.mkdir(exist_ok=True)
    for number, (name, array) in enumerate(arrays.items()):
        path = folder / f"{name.replace('_', '-')}-idx{array.ndim}-ubyte"
        if number % 2:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(packed(array), mtime=0))
        else:
            path.write_bytes(packed(array))
    return folder


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def class_folders(folder: Path, images: np.ndarray = COLOUR, labels: np.ndarray = LABELS, form: str = "png") -> Path:
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / "abc"[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image if image.ndim == 2 else image.transpose(1, 2, 0)).save(place / f"{number}.{form}")
    return folder


def both(data: DataSet) -> tuple[list[list[int]], list[int]]:
    """All pictures, flat, and all labels, of training and test."""
    parts = (data.train, data.test)
    return [image.ravel().tolist() for part in parts for image in part.images], [n for p in parts for n in p.labels]


def test_known_sets_are_what_their_records_say() -> None:
    known, data = catalogue.KNOWN["mnist"], catalogue.load("mnist")
    assert (data.title, data.shape, data.names) == (known.title, known.shape, known.names)
    assert (len(data.train), len(data.test), data.classes, data.digest) == (known.train, known.test, 10, "MNIST")
    assert data.train.labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert data.test.labels[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]
    assert np.bincount(data.train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert data.train.images.max() == 255
    assert not data.train.images[:, 0, 0, 0].any(), "the corner is empty"
    assert all(len(each.names) == 10 for each in catalogue.KNOWN.values())


def test_idx_folder(tmp_path: Path) -> None:
    """Gray and in colour, plain and packed, with a test part and without."""
    arrays = {"train_images": GRAY, "train_labels": LABELS, "t10k_images": GRAY[:2], "t10k_labels": LABELS[:2]}
    data = catalogue.load(str(idx_folder(tmp_path / "gray", **arrays)))
    assert (data.title, data.names, data.shape) == ("gray", ("0", "1", "2"), (1, 5, 4))
    assert np.array_equal(data.train.images[:, 0], GRAY)
    assert np.array_equal(data.test.labels, LABELS[:2])
    colour = idx_folder(tmp_path / "colour", train_images=COLOUR, train_labels=LABELS)
    one = catalogue.load(str(colour), split=Holdout(1.0))
    assert len(one.train) == 0
    assert np.array_equal(one.test.images, COLOUR)


def test_arrays(tmp_path: Path) -> None:
    names = np.array(["ant", "bee", "cow", "dog"])
    whole = catalogue.load(str(npz(tmp_path / "a.npz", images=COLOUR, labels=LABELS.astype(np.int64), names=names)))
    assert (whole.names, whole.shape, len(whole.train), len(whole.test)) == (tuple(names), (3, 5, 4), 3, 3)
    assert sorted(both(whole)[0]) == sorted(image.ravel().tolist() for image in COLOUR)
    parts = catalogue.load(str(npz(
        tmp_path / "b.npz", train_images=GRAY, train_labels=LABELS, test_images=GRAY[1:3], test_labels=LABELS[1:3]
    )))  # fmt: skip
    assert (parts.classes, parts.shape) == (3, (1, 5, 4))
    assert np.array_equal(parts.test.images[:, 0], GRAY[1:3])


@pytest.mark.parametrize("form", ["png", "bmp"])
def test_class_folders(form: str, tmp_path: Path) -> None:
    """Labels follow the names; hidden files do not count; parts have folders, or the pictures are divided."""
    folder = class_folders(tmp_path / "all", form=form)
    (folder / ".thumbs").write_text("")
    (folder / "a" / ".DS_Store").write_text("")
    data = catalogue.load(str(folder), split=Holdout(1.0))
    assert (data.names, data.shape) == (("a", "b", "c"), (3, 5, 4))
    given = {image.tobytes(): label for image, label in zip(data.test.images, data.test.labels, strict=True)}
    assert given == {image.tobytes(): label for image, label in zip(COLOUR[:6], (0, 1, 2, 0, 1, 2), strict=True)}
    class_folders(tmp_path / "two" / "train", GRAY, form=form)
    class_folders(tmp_path / "two" / "test", GRAY[:2], LABELS[:2], form=form)
    two = catalogue.load(str(tmp_path / "two"))
    assert (two.names, two.shape, sorted(two.test.labels)) == (("a", "b", "c"), (1, 5, 4), [0, 1])


def test_a_gray_picture_among_others_has_three_equal_channels(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "mixed")
    Image.fromarray(GRAY[0]).save(folder / "a" / "0.png")
    data = catalogue.load(str(folder), split=Holdout(1.0))
    assert any(np.array_equal(image, np.stack([GRAY[0]] * 3)) for image in data.test.images)


def test_pictures_stand_upright(tmp_path: Path) -> None:
    """As a camera says that was held sideways."""
    folder = class_folders(tmp_path / "all")
    turned, exif = Image.fromarray(np.rot90(GRAY[0]).copy()), Image.Exif()
    exif[0x0112] = 6  # to be turned to the right by 90 degrees
    turned.save(folder / "a" / "0.png", exif=exif)
    data = catalogue.load(str(folder), split=Holdout(1.0))
    assert any(np.array_equal(image[0], GRAY[0]) for image in data.test.images)


def test_the_first_pictures_are_of_all_classes(tmp_path: Path) -> None:
    """Though files and folders have class after class; a set in any other order keeps it."""
    labels = np.repeat(np.arange(4, dtype=np.uint8), 25)
    images = np.arange(100, dtype=np.uint8).reshape(-1, 1, 1, 1)
    given = npz(tmp_path / "a.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    data, again = (catalogue.load(str(given)) for _ in range(2))
    for part in (data.train, data.test):
        assert len(np.unique(part.labels[:20])) == 4
        assert np.array_equal(part.images.ravel() // 25, part.labels)
    assert data.digest == again.digest
    turned = npz(tmp_path / "b.npz", train_images=images, train_labels=labels[::-1], test_images=images,
                 test_labels=labels[::-1])  # fmt: skip
    assert np.array_equal(catalogue.load(str(turned)).train.images, images)


def test_split_is_of_every_class_seeded_and_whole(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(4, dtype=np.uint8), (40, 20, 10, 1))
    images = np.arange(71, dtype=np.uint8).reshape(-1, 1, 1, 1)
    path = str(npz(tmp_path / "a.npz", images=images, labels=labels))
    data, again, other = (catalogue.load(path, split=Holdout(0.25, seed)) for seed in (3, 3, 4))
    assert np.bincount(data.test.labels).tolist() == [10, 5, 2, 1]
    assert sorted(n for image in both(data)[0] for n in image) == list(range(71))
    assert both(data) == both(again)
    assert both(data) != both(other)
    assert data.digest == again.digest != other.digest
    assert len(catalogue.load(path, split=Holdout(0.0)).train) == 71


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _labels_only(folder: Path) -> Path:
    return idx_folder(folder, train_images=GRAY[:0], train_labels=LABELS)


def _twice(folder: Path) -> Path:
    idx_folder(folder, train_images=GRAY, train_labels=LABELS)
    (folder / "train-images.idx3-ubyte").write_bytes(packed(GRAY))
    return folder


def _damaged_gz(folder: Path) -> Path:
    idx_folder(folder, train_images=GRAY, train_labels=LABELS)
    path = folder / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:12])
    return folder


def _more_classes(folder: Path) -> Path:
    class_folders(folder / "train", COLOUR[:2], LABELS[:2])
    return class_folders(folder / "test").parent


def _other_size(folder: Path) -> Path:
    Image.fromarray(GRAY[0][:4]).save(class_folders(folder) / "b" / "9.png")
    return folder


def _with(name: str, folder: Path) -> Path:
    (class_folders(folder) / "b" / name).write_text("no picture")
    return folder


def _file(path: Path, name: str) -> Path:
    path.mkdir()
    (path / name).write_bytes(b"something")
    return path


def _empty_class(folder: Path) -> Path:
    (class_folders(folder) / "empty").mkdir()
    return folder


def _one_part(folder: Path) -> Path:
    return class_folders(folder / "train").parent


def _wide(folder: Path) -> Path:
    Image.new("L", (4097, 1)).save(class_folders(folder) / "a" / "w.png")
    return folder


def _no_classes(folder: Path) -> Path:
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
    return folder


def _deep(folder: Path) -> Path:
    Image.fromarray(GRAY[0].astype(np.uint16)).save(class_folders(folder) / "c" / "8.png")
    return folder


def _many(folder: Path) -> Path:
    for number in range(257):
        (folder / f"{number:03}").mkdir(parents=True)
    return folder


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing": (lambda p: p, "there is no such file or folder, and it is none of mnist, fashion_mnist, cifar10"),
    "empty folder": (_folder, "has neither IDX files .* nor folders of pictures"),
    "no pictures": (_labels_only, r"train images have the shape \(0, 1, 5, 4\): there must be some"),
    "IDX file twice": (_twice, "has both train-images-idx3-ubyte and train-images.idx3-ubyte: remove one"),
    "IDX file missing": (lambda p: idx_folder(p, train_labels=LABELS), r"has no train-images-idx3-ubyte \(or .*\.gz\)"),
    "test labels missing": (
        lambda p: idx_folder(p, train_images=GRAY, train_labels=LABELS, test_images=GRAY),
        "has no t10k-labels-idx1-ubyte",
    ),
    "damaged gz": (_damaged_gz, r"train-labels-idx1-ubyte\.gz is no gzip file, or a damaged one"),
    "no IDX": (lambda p: _file(p, "train-images-idx3-ubyte"), "is not an IDX file of unsigned bytes"),
    "labels of another number": (
        lambda p: idx_folder(p, train_images=GRAY, train_labels=LABELS[:5]), "6 train images and 5 train labels",
    ),
    "labels of two dimensions": (
        lambda p: idx_folder(p, train_images=GRAY, train_labels=LABELS[None]), r"labels are uint8 \(1, 6\): they must",
    ),
    "sizes of parts": (
        lambda p: npz(p, train_images=GRAY, train_labels=LABELS, test_images=COLOUR, test_labels=LABELS),
        "training and test are 1 x 5 x 4 and 3 x 5 x 4: they must have one size",
    ),
    "one class": (lambda p: npz(p, images=GRAY, labels=LABELS * 0), "there is one class, 0: a network needs two"),
    "one folder": (lambda p: class_folders(p, labels=LABELS * 0), "there is one class, a: a network needs two"),
    "no npz": (lambda p: _file(p.with_name("x"), "y") / "y", "cannot be read as .npz"),
    "pickled": (lambda p: npz(p, images=GRAY, labels=np.array([None] * 6)), "cannot be read as .npz .*allow_pickle"),
    "other arrays": (lambda p: npz(p, x=GRAY, y=LABELS), "holds x, y: it must hold images, labels, or train_images"),
    "no arrays": (npz, "holds nothing: it must hold"),
    "real pixels": (lambda p: npz(p, images=GRAY / 255, labels=LABELS), "images are float64: they must be uint8"),
    "channels last": (
        lambda p: npz(p, images=COLOUR.transpose(0, 2, 3, 1), labels=LABELS), r"images.transpose\(0, 3, 1, 2\)",
    ),
    "flat pictures": (lambda p: npz(p, images=GRAY.reshape(6, -1), labels=LABELS), r"it must be \(n, C, H, W\)"),
    "real labels": (lambda p: npz(p, images=GRAY, labels=LABELS / 1), "labels are float64 .*: they must be integers"),
    "labels too large": (lambda p: npz(p, images=GRAY, labels=LABELS + np.int16(300)), "labels are 300 … 302: they"),
    "labels below 0": (lambda p: npz(p, images=GRAY, labels=LABELS - np.int8(1)), "labels are -1 … 1: they must be 0"),
    "label without name": (
        lambda p: npz(p, images=GRAY, labels=LABELS, names=np.array(["a", "b"])), "label 2 is out of range: there are",
    ),
    "names": (lambda p: npz(p, images=GRAY, labels=LABELS, names=LABELS), "names are uint8 .*: they must be text"),
    "odd name": (
        lambda p: npz(p, images=GRAY, labels=LABELS, names=np.array(["a", "b\n", "c"])), r"class 'b\\n' needs a name",
    ),
    "more classes in the test": (_more_classes, "test/c: there is no such class in .*train"),
    "one part": (_one_part, "test: there is no such folder: have both train and test, or neither"),
    "empty class": (_empty_class, "empty is empty: put pictures of the class into it"),
    "picture of another size": (_other_size, r"b/9\.png is 4 x 4, .*a/0\.png is 5 x 4: scale or crop"),
    "no picture": (lambda p: _with("notes.txt", p), r"notes\.txt cannot be read as a picture"),
    "damaged picture": (lambda p: _with("7.png", p), r"7\.png cannot be read as a picture"),
    "wide picture": (_wide, "w.png has 4097 pixels a side: at most 4096"),
    "16 bits": (_deep, r"c/8\.png has pixels of the kind I;16: save it with 8 bits per channel"),
    "folders of files": (lambda p: class_folders(p / "train" / "x").parents[1], "there is no such folder: have both"),
    "parts without folders": (_no_classes, "train has no folders: it must have one of pictures for every class"),
    "many names": (
        lambda p: npz(p, images=GRAY, labels=LABELS, names=np.arange(257).astype(str)), "there are 257 classes",
    ),
    "many classes": (_many, "has 257 folders: at most 256"),
    "pickles": (lambda p: _file(p, "data_batch_1"), 'holds CIFAR-10: say set = "cifar10" and name this folder'),
    "batches": (lambda p: _file(p, "test_batch.bin"), 'holds CIFAR-10: say set = "cifar10"'),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used(case: str, tmp_path: Path) -> None:
    make, message = BAD[case]
    path = make(tmp_path / "set.npz")
    with pytest.raises(DataError, match=message) as caught:
        catalogue.load(str(path))
    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()


def test_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs it: a superuser may read anything."""

    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        catalogue.load(str(tmp_path))


def test_what_a_call_cannot_ask_for(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", train_images=GRAY, train_labels=LABELS, test_images=GRAY, test_labels=LABELS)
    with pytest.raises(DataError, match="has a test part of its own: leave test_share and split_seed out"):
        catalogue.load(str(path), split=Holdout(0.5))
    with pytest.raises(DataError, match="is a path: leave directory out, which is for mnist, fashion_mnist, cifar10"):
        catalogue.load(str(path), tmp_path)
    with pytest.raises(DataError, match=r"no/such: there is no such folder of CIFAR-10"):
        catalogue.load("cifar10", Path("no/such"))


def test_bytes_that_are_anything(tmp_path: Path) -> None:
    """A good file with bytes changed, cut off or put in is read, or refused on one line."""
    rng = np.random.default_rng(5)
    good = npz(tmp_path / "good.npz", images=COLOUR, labels=LABELS).read_bytes()
    folder = idx_folder(tmp_path / "idx", train_images=COLOUR, train_labels=LABELS)
    places = {tmp_path / "bad.npz": good}
    places |= {path: path.read_bytes() for path in folder.iterdir()}
    picture = class_folders(tmp_path / "pictures") / "a" / "0.png"
    places[picture] = picture.read_bytes()
    sets = {picture: tmp_path / "pictures", tmp_path / "bad.npz": tmp_path / "bad.npz"}
    said = []
    for path, contents in places.items():
        for _ in range(25):
            changed = bytearray(contents)
            for place in rng.integers(0, len(changed), 3):
                changed[place] = rng.integers(256)
            path.write_bytes(bytes(changed[: rng.integers(1, len(changed) + 1)] if rng.integers(2) else changed))
            try:
                catalogue.load(str(sets.get(path, folder)))
            except DataError as error:
                said.append(str(error))
        path.write_bytes(contents)
    assert len(said) > 50
    assert all(map(str.isprintable, said))


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "is not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01x", "is not an IDX file of unsigned bytes"),
        (b"\0\0\x08\x01\0\0\0\x02x", r"does not hold the \(2,\) bytes"),
        (b"\0\0\x08\x01\0\0\0\x02xyz", r"does not hold the \(2,\) bytes"),
        (b"\0\0\x08\x03\0\0\0\x02", "is cut off in its header"),
        (b"\0\0\x08\x05" + b"\0\0\0\x01" * 5 + b"x", "has 5 dimensions: images have 3 or 4"),
    ],
)
def test_idx_files_of_another_kind_are_refused(contents: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        idx.parse(contents)


def test_parse_idx() -> None:
    assert idx.parse(b"\0\0\x08\x02\0\0\0\x02\0\0\0\x01ab").tolist() == [[97], [98]]
