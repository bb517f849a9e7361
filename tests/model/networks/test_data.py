"""Images of one's own: every kind of file gives the same bits, and the message of every error."""

from __future__ import annotations

import dataclasses
import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.networks.data import load_data
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.encoding import Encoding, parse_rule
from bridgebnn.model.networks.host import HostDense
from bridgebnn.model.networks.idx import DatasetError
from bridgebnn.model.networks.jpeg_archive import load_jpeg_archive
from bridgebnn.model.networks.network import Network
from tests.model.networks.jpegs import jpeg_archive

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 256, (7, 4, 5)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2, 0])


def network(shape: tuple[int, ...], rule: str = "threshold", classes: int = 3) -> Network:
    encoding = Encoding(shape=shape, thresholds=parse_rule(rule))
    layer = Dense(
        weights=np.ones((classes, encoding.n_bits), np.int8),
        thresholds=np.zeros((1, classes), np.int32),
        polarity=np.ones((1, classes), np.int8),
        group_sizes=np.array([encoding.n_bits]),
        combine=Combine.ADD,
        output="score",
    )
    return Network(name="net", operations=(layer,), encoding=encoding)


def write_idx(path: Path, array: np.ndarray, zipped: bool) -> None:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    content = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if zipped else content)


def write_folder(root: Path, images: np.ndarray, names: list[str]) -> None:
    for i, (image, label) in enumerate(zip(images, LABELS, strict=True)):
        (root / names[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / names[label] / f"{i}.png")


@pytest.mark.parametrize(
    "kind", ["npz", "keras", "npy", "floats", "first", "idx", "idx.gz", "folder", "numbers"]
)
def test_grey_images_from_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    labels: Path | None = None
    path = tmp_path / kind
    if kind == "npz":
        np.savez_compressed(path, images=GREY, labels=LABELS)
        path = path.with_suffix(".npz")
    elif kind == "keras":
        np.savez(path, x_train=GREY[:1], y_train=LABELS[:1], x_test=GREY, y_test=LABELS[:, None])
        path = tmp_path / "keras.npz"
    elif kind in ("npy", "floats", "first"):
        path, labels = tmp_path / "i.npy", tmp_path / "l.npy"
        np.save(
            path,
            {"npy": GREY.astype(np.int64), "floats": GREY / np.float32(255), "first": GREY[:, None]}[kind],
        )
        np.save(labels, LABELS)
    elif kind.startswith("idx"):
        end = kind.removeprefix("idx")
        path = tmp_path / f"t10k-images-idx3-ubyte{end}"
        write_idx(path, GREY, bool(end))
        write_idx(tmp_path / f"t10k-labels-idx1-ubyte{end}", LABELS, bool(end))
    else:
        names = ["ant", "bee", "cat"] if kind == "folder" else ["0", "1", "2"]
        write_folder(path, GREY, names)
    net = network((4, 5), "thermometer:3")
    data = load_data(path, net, labels=labels)
    assert data.labels is not None
    assert data.labels.tolist() == LABELS.tolist()
    assert data.bits(net).tolist() == net.encoding(GREY).tolist()
    assert load_data(path, net, labels=labels, most=2).bits(net).tolist() == net.encoding(GREY[:2]).tolist()
    if kind == "folder":
        assert data.classes == ("ant", "bee", "cat")


def test_cifar_batches(tmp_path: Path) -> None:
    rows = np.concatenate([LABELS[:, None], COLOUR.transpose(0, 3, 1, 2).reshape(7, -1)], axis=1).astype(
        np.uint8
    )
    rows.tofile(tmp_path / "test_batch.bin")
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\nbird\n\n")
    net = network((32, 32, 3), "thermometer:2")
    for path in (tmp_path, tmp_path / "test_batch.bin"):
        data = load_data(path, net)
        assert data.bits(net).tolist() == net.encoding(COLOUR).tolist()
        assert data.labels is not None
        assert data.labels.tolist() == LABELS.tolist()
        assert data.classes == ("airplane", "automobile", "bird")
    (tmp_path / "short.bin").write_bytes(bytes(3074))
    (tmp_path / "odd.bin").write_bytes(bytes([10]) + bytes(3072))
    for name, message in (("short", "3074 bytes: a CIFAR-10 batch has 3073 for each"), ("odd", "label 10")):
        with pytest.raises(DatasetError, match=message):
            load_data(tmp_path / f"{name}.bin", net)


def test_folders_in_grey_and_colour(tmp_path: Path) -> None:
    write_folder(tmp_path / "rgb", COLOUR, ["a", "b", "c"])
    colour = network((32, 32, 3))
    assert (load_data(tmp_path / "rgb", colour).images == COLOUR).all()
    assert (load_data(tmp_path / "rgb").images == COLOUR).all()
    grey = load_data(tmp_path / "rgb", network((32, 32)))
    weighted = COLOUR @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey.images - weighted).max() <= 1
    write_folder(tmp_path / "grey", GREY, ["9", "10", "2"])
    data = load_data(tmp_path / "grey", network((4, 5), classes=11))
    assert data.labels is not None
    assert set(data.labels.tolist()) == {2, 9, 10}
    assert data.labels[:3].tolist() == [2, 9, 10]  # in turn
    for image in GREY[:2]:
        (tmp_path / "flat").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "flat" / f"{len(list((tmp_path / 'flat').iterdir()))}.png")
    assert load_data(tmp_path / "flat", network((4, 5))).labels is None


def test_errors_of_folders(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DatasetError, match=r"holds no images \(.png"):
        load_data(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(DatasetError, match="/a: holds no images"):
        load_data(tmp_path)
    Image.fromarray(GREY[0]).save(tmp_path / "a" / "1.png")
    Image.fromarray(GREY[0, :3]).save(tmp_path / "a" / "2.png")
    with pytest.raises(
        DatasetError, match=r"2\.png: 5 x 3 pixels, but 1\.png has 5 x 4: all must be one size"
    ):
        load_data(tmp_path)
    (tmp_path / "a" / "2.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"2\.png: cannot be read as an image"):
        load_data(tmp_path)
    Image.fromarray(GREY[0].astype(np.uint16)).save(tmp_path / "a" / "2.png")
    with pytest.raises(DatasetError, match=r"2\.png: is of mode I;16: must have 8 bits a value"):
        load_data(tmp_path)
    Image.fromarray(GREY[0]).save(tmp_path / "1.png")
    with pytest.raises(DatasetError, match=r"holds folders and images \(1\.png\): must be one or the other"):
        load_data(tmp_path)
    (tmp_path / "1.png").unlink()
    for name in ("1", "01"):
        (tmp_path / "n" / name).mkdir(parents=True)
    with pytest.raises(DatasetError, match="several folders are of one class"):
        load_data(tmp_path / "n")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (GREY / np.float32(256), "images hold 0."),
        (GREY.astype(int) + 100, "images hold 100 to 355: must be from 0 to 255"),
        (GREY.astype(int) - 300, "must be from 0 to 255"),
        (np.where(GREY > 99, np.nan, GREY), "images hold nan: must be finite"),
        (GREY > 99, "images hold 0 and 1 alone: say binarize = bits if these are bits"),
        ((GREY > 99).astype(np.float32), "images hold 0 and 1 alone"),
        (np.where(GREY > 99, 1, -1), "images hold -1 and 1 alone"),
        (GREY.astype("U3"), "must be numbers (count, ...)"),
        (GREY.ravel(), "must be numbers (count, ...)"),
        (GREY[:0], "holds no images"),
        (GREY.transpose(0, 2, 1), "i.npy: images of shape (7, 5, 4): must be (count, ...) with 4 x 5 values"),
    ],
)
def test_arrays_that_are_no_images(tmp_path: Path, images: Any, message: str) -> None:
    np.save(tmp_path / "i.npy", images)
    with pytest.raises(DatasetError, match=re.escape(message)):
        load_data(tmp_path / "i.npy", network((4, 5))).bits(network((4, 5)))


def test_channel_first_colours_are_told(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", COLOUR.transpose(0, 3, 1, 2))
    with pytest.raises(
        DatasetError, match=r"shape \(7, 3, 32, 32\): must be .* with 32 x 32 x 3 .* channel last"
    ):
        load_data(tmp_path / "i.npy").bits(network((32, 32, 3)))


def test_bits(tmp_path: Path) -> None:
    net = network((4, 5), "thermometer:3")
    bits = net.encoding(GREY)
    for array in (bits, bits.reshape(7, 4, 5, 3), 2.0 * bits - 1, bits.astype(bool)):
        np.save(tmp_path / "b.npy", array)
        assert (load_data(tmp_path / "b.npy", net, binarize="bits").bits(net) == bits).all()
    np.save(tmp_path / "b.npy", bits * 3)
    with pytest.raises(DatasetError, match=r"images hold 3: bits must be 0 and 1, or -1 and \+1"):
        load_data(tmp_path / "b.npy", net, binarize="bits")
    plain = network((4, 5), "bits")
    np.save(tmp_path / "b.npy", bits[:, :20])
    assert (load_data(tmp_path / "b.npy", plain).bits(plain) == bits[:, :20]).all()
    np.save(tmp_path / "g.npy", GREY)
    with pytest.raises(DatasetError, match=r"g\.npy: holds values, but net takes bits: binarize = bits"):
        load_data(tmp_path / "g.npy").bits(plain)


def test_networks_that_take_values(tmp_path: Path) -> None:
    layer = HostDense(
        weights=np.ones((2, 3)).astype(int), thresholds=[0, 0], fraction=0, output="score", planes=8
    )
    network = Network(name="n", operations=(layer,), encoding=Encoding(shape=(3,), thresholds=(), planes=8))
    np.save(tmp_path / "x.npy", np.array([[0, 130, 255]], np.uint8))
    data = load_data(tmp_path / "x.npy", network)
    assert data.bits(network).reshape(3, 8).sum(axis=1).tolist() == [0, 2, 8]
    np.save(tmp_path / "b.npy", np.array([[0, 1, 1]], np.uint8))
    bits = load_data(tmp_path / "b.npy", network, binarize="bits")
    with pytest.raises(DatasetError, match=r"b\.npy: holds bits, but n takes values 0\.\.255: say data"):
        bits.bits(network)
    with pytest.raises(DatasetError, match="n takes images of 3 values: no test images of that shape come"):
        load_data(None, network)


def test_jpeg_copies_of_cifar(tmp_path: Path) -> None:
    images = jpeg_archive(tmp_path / "c.npz")
    data = load_data(tmp_path / "c.npz")
    assert (data.images == images[3:]).all()
    assert (data.labels is not None and data.labels.tolist()) == [0, 1]
    assert data.classes == ("cat", "dog")
    assert len(load_data(tmp_path / "c.npz", most=1)) == 1
    found, labels, _ = load_jpeg_archive(tmp_path / "c.npz", "train")
    assert (found == images[:3]).all()
    assert labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_labels": None}, "has no test_labels: must hold test_jpeg, test_offsets, test_labels"),
        ({"test_offsets": [0, 5, 3]}, "test_offsets must rise, within"),
        ({"test_labels": [0, 1, 2]}, "must be whole, at least 0, (2,)"),
        ({"test_jpeg": np.zeros(9000, np.uint8)}, "test image 0 cannot be read"),
    ],
)
def test_damaged_jpeg_copies(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    jpeg_archive(tmp_path / "c.npz", **changes)
    with pytest.raises(DatasetError, match=re.escape(message)):
        load_data(tmp_path / "c.npz")


def test_the_rule_of_the_network_counts(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", GREY)
    net = network((4, 5), "threshold:100")
    assert (
        load_data(tmp_path / "i.npy", net, binarize="threshold:100").bits(net) == net.encoding(GREY)
    ).all()
    with pytest.raises(
        ValueError, match="binarize = threshold:99: net was made for threshold:100, which its file"
    ):
        load_data(tmp_path / "i.npy", net, binarize="threshold:99")
    # the images that come with the package are bits already
    mnist = network((28, 28), classes=10)
    data = load_data(None, mnist, most=50)
    assert data.bits(mnist).shape == (50, 784)
    with pytest.raises(
        DatasetError, match="bits made by threshold:128, but net takes those of threshold:100"
    ):
        data.bits(network((28, 28), "threshold:100", 10))
    with pytest.raises(DatasetError, match=r"images of shape \(50, 784\): must be .* 4 x 5 x 1 values"):
        data.bits(network((4, 5), classes=10))


def test_errors_of_labels_and_files(tmp_path: Path) -> None:
    net = network((4, 5))
    np.savez(tmp_path / "a.npz", images=GREY, labels=LABELS + 1)
    with pytest.raises(DatasetError, match=r"a\.npz: label 3: must be from 0 to 2, net has 3 classes"):
        load_data(tmp_path / "a.npz").bits(net)
    np.savez(tmp_path / "b.npz", images=GREY, labels=LABELS[:6])
    with pytest.raises(DatasetError, match="6 labels: must be one for each of 7 images"):
        load_data(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", images=GREY, labels=LABELS - 1)
    with pytest.raises(DatasetError, match="label -1: must be at least 0"):
        load_data(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", images=GREY, labels=LABELS + 0.5)
    with pytest.raises(DatasetError, match=r"labels are float64 \(7,\): must be integers"):
        load_data(tmp_path / "d.npz")
    np.savez(tmp_path / "e.npz", pictures=GREY)
    with pytest.raises(DatasetError, match="holds pictures: must hold one of images, x_test"):
        load_data(tmp_path / "e.npz")
    (tmp_path / "f.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:300])
    (tmp_path / "g.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (tmp_path / "h").write_text("PNG")
    for name, message in (
        ("f.npz", "cannot be read"),
        ("g.npy", "cannot be read"),
        ("h", "starts with 50 4e 47: must be .npz"),
        ("none", "no such file"),
    ):
        with pytest.raises(DatasetError, match=re.escape(message)):
            load_data(tmp_path / name)
    np.save(tmp_path / "o.npy", np.array([None, 1]), allow_pickle=True)
    with pytest.raises(DatasetError, match="cannot be read"):
        load_data(tmp_path / "o.npy")
    with pytest.raises(ValueError, match="without data: must come with images"):
        load_data(None, labels="x.npy")
    data = load_data(tmp_path / "a.npz")
    assert dataclasses.replace(data, labels=None).first(3).labels is None
