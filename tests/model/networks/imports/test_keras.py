"""Keras and Larq models in HDF5, written in Keras' layout, against loops of numpy, nothing shared with the reader."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bridgebnn.model.__main__ import main
from bridgebnn.model.networks import golden
from bridgebnn.model.networks.encoding import Encoding
from bridgebnn.model.networks.imports import ImportFailure, import_network
from bridgebnn.model.networks.network import Network

COUNT = 60
GAINS = [1.0, -1.0, 1e-9, -1e-9, 0.0, 3.7, -0.2, 1e5]


class Model:
    """A sequential model that grows layer by layer, with its file and its evaluation."""

    def __init__(self, *shape: int, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.layers: list[dict[str, Any]] = []
        self.arrays: list[dict[str, np.ndarray]] = []
        self.add("InputLayer", batch_input_shape=[None, *shape])

    def add(self, kind: str, arrays: dict[str, np.ndarray] | None = None, **config: Any) -> Model:
        name = f"{kind.lower()}_{len(self.layers)}"
        self.layers.append({"class_name": kind, "config": {"name": name, "dtype": "float32", **config}})
        self.arrays.append({k: v.astype(np.float32) for k, v in (arrays or {}).items()})
        return self

    def dense(self, n_in: int, n_out: int, bias: bool = False, **config: Any) -> Model:
        arrays = {"kernel": self.rng.normal(0, 1, (n_in, n_out))}
        arrays |= {"bias": self.rng.normal(0, 2, n_out)} if bias else {}
        config = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign"} | config
        return self.add("QuantDense", arrays, units=n_out, use_bias=bias, activation="linear", **config)

    def conv(self, kernel: int, channels: int, filters: int, **config: Any) -> Model:
        config = {
            "input_quantizer": {"class_name": "SteSign", "config": {"clip_value": 1.0}},
            "kernel_quantizer": "ste_sign",
            **{"kernel_size": [kernel, kernel], "strides": [1, 1], "padding": "valid"},
            **{"data_format": "channels_last", "use_bias": False, "activation": "linear"},
        } | config
        kernels = self.rng.normal(0, 1, (kernel, kernel, channels, filters))
        return self.add("QuantConv2D", {"kernel": kernels}, filters=filters, **config)

    def norm(self, n: int, **config: Any) -> Model:
        rng = self.rng
        arrays = {
            "gamma": np.resize(GAINS, n),
            "beta": rng.normal(0, 1, n) * (rng.random(n) < 0.5),
            "moving_mean": np.where(rng.random(n) < 0.5, rng.integers(-3, 4, n), rng.normal(0, 3, n)),
            "moving_variance": rng.uniform(0.1, 9, n),
        }
        for key, name in (("scale", "gamma"), ("center", "beta")):
            if not config.get(key, True):
                del arrays[name]
        return self.add("BatchNormalization", arrays, **{"axis": [3], "epsilon": 0.001} | config)

    def pool(self, **config: Any) -> Model:
        return self.add(
            "MaxPooling2D", **{"pool_size": [2, 2], "strides": [2, 2], "padding": "valid"} | config
        )

    def save(self, path: Path, functional: bool = False, **changes: Any) -> Path:
        layers = [dict(layer) for layer in self.layers]
        if functional:
            for before, layer in pairwise(layers):
                layer["inbound_nodes"] = [[[before["config"]["name"], 0, 0, {}]]]
            layers[0]["inbound_nodes"] = []
        config = {"class_name": "Functional" if functional else "Sequential", "config": {"layers": layers}}
        with h5py.File(path, "w") as file:
            for name, value in (
                {"keras_version": "2.11.0", "model_config": json.dumps(config)} | changes
            ).items():
                if value is not None:
                    file.attrs[name] = value
            weights = file.create_group("model_weights")
            for layer, arrays in zip(self.layers, self.arrays, strict=True):
                name = layer["config"]["name"]
                group = weights.create_group(name)
                group.attrs["weight_names"] = [f"{name}/{key}:0".encode() for key in arrays]
                for key, array in arrays.items():
                    group[f"{name}/{key}:0"] = array
        return path

    def evaluate(self, images: np.ndarray) -> np.ndarray:
        """Scores, (count, classes), one image and one pixel after the other."""
        return np.array([self._one(image.astype(np.float64)) for image in images])

    def _one(self, x: np.ndarray) -> np.ndarray:
        for layer, arrays in zip(self.layers, self.arrays, strict=True):
            kind, config = layer["class_name"], layer["config"]
            arrays = {key: value.astype(np.float64) for key, value in arrays.items()}
            if kind in ("QuantDense", "QuantConv2D"):
                x = x if config["input_quantizer"] is None else sign(x)
                kernel = arrays["kernel"] if config["kernel_quantizer"] is None else sign(arrays["kernel"])
                if config["kernel_quantizer"] == "magnitude_aware_sign":
                    for j in range(kernel.shape[-1]):
                        kernel[..., j] *= np.mean(np.abs(arrays["kernel"][..., j]))
                x = x @ kernel if kind == "QuantDense" else convolve(x, kernel, config)
                x = x + arrays.get("bias", 0.0)
            elif kind == "BatchNormalization":
                x = (x - arrays["moving_mean"]) / np.sqrt(arrays["moving_variance"] + config["epsilon"])
                x = x * arrays.get("gamma", 1.0) + arrays.get("beta", 0.0)
            elif kind == "MaxPooling2D":
                rows, columns = x.shape[0] // 2, x.shape[1] // 2
                x = np.array(
                    [
                        [x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(0, 1)) for j in range(columns)]
                        for i in range(rows)
                    ]
                )
            elif kind in ("Flatten", "Reshape"):
                x = x.ravel()
            elif kind == "Rescaling":
                x = x * config["scale"] + config["offset"]
            elif kind == "Activation" and config["activation"] == "relu":
                x = np.maximum(x, 0)
        return x


def sign(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, -1.0, 1.0)


def convolve(x: np.ndarray, kernel: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    if config["padding"] == "same":
        width = (len(kernel) - 1) // 2
        x = np.pad(x, ((width, width), (width, width), (0, 0)), constant_values=config.get("pad_values", 0))
    step = config["strides"][0]
    size = [(n - len(kernel)) // step + 1 for n in x.shape[:2]]
    out = np.zeros((*size, kernel.shape[-1]))
    for i in range(size[0]):
        for j in range(size[1]):
            window = x[i * step : i * step + len(kernel), j * step : j * step + len(kernel)]
            for f in range(kernel.shape[-1]):
                out[i, j, f] = np.sum(window * kernel[..., f])
    return out


def compare(
    model: Model, path: Path, shape: tuple[int, ...], scale: Any = lambda v: v / 255, **options: Any
) -> Network:
    network = import_network(path, **options)
    images = np.random.default_rng(2).integers(0, 256, (COUNT, *shape)).astype(np.uint8)
    images[0], images[1] = 0, 255
    theirs = model.evaluate(scale(images))
    ours = golden.forward(network, network.encoding(images))
    said = network.meta["import"]
    integers = (theirs - said["score_offset"]) / said["score_scale"]
    assert np.abs(integers - np.rint(integers)).max() < 1e-6
    assert (np.rint(integers) == ours.scores).all()
    assert len(np.unique(ours.classes)) > 1
    return network


@pytest.mark.parametrize("functional", [False, True])
def test_convolutions_pooling_and_every_gain(tmp_path: Path, functional: bool) -> None:
    model = Model(10, 8, 2).add("Rescaling", scale=2.0, offset=-1.0).conv(3, 2, 16).norm(16)
    model.conv(3, 16, 16, padding="same", pad_values=-1.0).pool().norm(16, epsilon=30.0, scale=False)
    model.add("Activation", activation="linear").conv(2, 16, 8, strides=[1, 1]).norm(8, center=False)
    model.add("Flatten").add("Dropout", rate=0.5).dense(48, 24, bias=True).norm(24, axis=[1]).dense(24, 10)
    path = model.save(tmp_path / "m.h5", functional)
    network = compare(model, path, (10, 8, 2))
    assert [o.kind for o in network.operations] == ["convolution"] * 3 + ["dense"] * 2
    assert network.encoding == Encoding(shape=(10, 8, 2), thresholds=(128,))
    assert sum(int((layer.polarity < 0).sum()) for layer in network.layers) > 5


@pytest.mark.parametrize("pads", [0.0, -1.0])
def test_real_layers_at_both_ends(tmp_path: Path, pads: float) -> None:
    model = Model(8, 8, 3).add("Rescaling", scale=2.0, offset=-1.0)
    model.conv(3, 3, 16, padding="same", pad_values=pads, input_quantizer=None, kernel_quantizer=None).norm(
        16
    )
    model.conv(3, 16, 8).norm(8).add("Flatten").dense(288, 10, kernel_quantizer=None, bias=True)
    network = import_network(model.save(tmp_path / "m.h5"))
    images = np.random.default_rng(2).integers(0, 256, (COUNT, 8, 8, 3)).astype(np.uint8)
    ours, said = golden.forward(network, network.encoding(images)), network.meta["import"]
    found = ours.scores * said["score_scale"] + said["score_offset"]
    np.testing.assert_allclose(found, model.evaluate(images / 255), rtol=1e-9, atol=1e-9)
    assert len(np.unique(ours.classes)) > 1
    assert [o.kind for o in network.operations] == ["host_convolution", "convolution", "host"]


def test_pooling_in_front_of_the_norm_strides_and_scales(tmp_path: Path) -> None:
    model = Model(13, 13, 1).conv(5, 1, 24, strides=[2, 2], kernel_quantizer="magnitude_aware_sign").pool()
    model.norm(24).add("Reshape", target_shape=[-1]).dense(96, 10)
    path = model.save(tmp_path / "m.h5")
    compare(model, path, (13, 13, 1), lambda v: v / 127.5 - 1, input_range="symmetric")
    # pixels of 0..1 are never below 0: a constant input
    assert import_network(path).encoding.thresholds == (0,)


def test_dense_layers_and_relu_and_softmax(tmp_path: Path) -> None:
    model = Model(21).add("Rescaling", scale=1.0, offset=-0.4).dense(21, 30).norm(30, axis=-1)
    model.add("Activation", activation="relu").add("Rescaling", scale=1.0, offset=-0.3).dense(30, 5)
    model.add("Activation", activation="softmax")
    network = compare(model, model.save(tmp_path / "m.h5"), (21,))
    assert network.encoding.thresholds == (102,)
    assert any("softmax left out" in note for note in network.meta["import"]["notes"])


def test_bits_enter(tmp_path: Path) -> None:
    model = Model(4, 4, 6).conv(2, 6, 8, input_quantizer=None).norm(8).add("Flatten").dense(72, 4)
    network = import_network(model.save(tmp_path / "m.h5"), input_range="bipolar", binarize="thermometer:3")
    assert network.encoding == Encoding(shape=(4, 4, 2), thresholds=(64, 128, 192))
    images = np.random.default_rng(3).integers(0, 256, (COUNT, 4, 4, 2))
    bits = network.encoding(images)
    theirs = model.evaluate(2.0 * bits.reshape(COUNT, 4, 4, 6) - 1)
    assert (golden.forward(network, bits).scores == theirs).all()


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = (
        Model(6, 6, 1)
        .add("Rescaling", scale=2.0, offset=-1.0)
        .conv(3, 1, 8)
        .norm(8)
        .add("Flatten")
        .dense(128, 10)
    )
    path = model.save(tmp_path / "m.h5")
    assert main(["import", str(path), "--out", str(tmp_path / "n.npz")]) == 0
    assert "an image of 6 x 6 x 1 values enters as: threshold:128" in capsys.readouterr().out
    np.save(tmp_path / "i.npy", np.random.default_rng(3).integers(0, 256, (5, 6, 6)))
    for network in (path, tmp_path / "n.npz"):  # also as it is
        assert main(["infer", "--network", str(network), "--data", str(tmp_path / "i.npy"), "--preload"]) == 0


def small(*layers: Any) -> Model:
    model = Model(6, 6, 2)
    for layer in layers:
        layer(model)
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda: Model(6, 6, 2).add("GlobalAveragePooling2D"),
            "GlobalAveragePooling2D globalaveragepooling2d_1: not supp",
        ),
        (
            lambda: Model(6).dense(6, 4, input_quantizer=None),
            "a chip has nothing to do: QuantDense quantdense_1 has real weights, or reads values",
        ),
        (
            lambda: Model(6, 6, 2).conv(3, 2, 4, kernel_quantizer=None, input_quantizer="ste_tern"),
            "'ste_tern': must be one",
        ),
        (
            lambda: Model(6, 6, 2).conv(3, 2, 4, kernel_quantizer="dorefa"),
            "kernel_quantizer 'dorefa': must be one",
        ),
        (lambda: Model(6, 6, 2).conv(3, 2, 4, data_format="channels_first"), "must be channels_last"),
        (lambda: Model(6, 6, 2).conv(3, 2, 4, groups=2), "groups and dilations"),
        (lambda: offset().conv(3, 2, 4, padding="same"), "pads with 0, between bits of -1 and 1"),
        (lambda: offset().conv(2, 2, 4, padding="same"), "must have stride 1 and an odd kernel"),
        (lambda: offset().conv(3, 2, 4, padding="causal"), "padding 'causal': must be"),
        (
            lambda: offset().add("ZeroPadding2D", padding=[[1, 1], [1, 1]]).conv(3, 2, 4),
            "pads with 0, between",
        ),
        (lambda: offset().add("ZeroPadding2D", padding=[[1, 1], [1, 1]]).pool(), "reads a padded map"),
        (
            lambda: offset().conv(3, 2, 4).pool(strides=[1, 1]),
            "window 2, stride 1, padding valid: must be windows",
        ),
        (
            lambda: offset().conv(2, 2, 4).pool(padding="same"),
            "window 2, stride 2, padding same: must be windows",
        ),
        (lambda: offset().conv(3, 2, 4).norm(4, axis=[1]), "axis 1: must be that of the channels"),
        (lambda: offset().conv(3, 2, 4).norm(5), "5 channels, but 4 come in"),
        (lambda: offset().conv(3, 2, 4).norm(4).dense(4, 4), "reads a map: must stand behind Flatten"),
        (
            lambda: offset().conv(3, 2, 4).norm(4).add("Reshape", target_shape=[8, 8]),
            r"to \[8, 8\]: must flatten",
        ),
        (
            lambda: offset().conv(3, 2, 4).add("Activation", activation="gelu"),
            "activation 'gelu': must be one of",
        ),
        (
            lambda: offset().add("Activation", activation="softmax").conv(3, 2, 4),
            "softmax: must be the last step",
        ),
        (lambda: offset().conv(3, 2, 4), "the scores come from a map"),
        (lambda: Model(6, None, 2), r"input shape \[None, 6, None, 2\]: must be fixed"),  # type: ignore[arg-type]
    ],
)
def test_refused_by_class_and_name(tmp_path: Path, model: Any, message: str) -> None:
    path = model().save(tmp_path / "m.h5")
    with pytest.raises(ImportFailure, match=message) as caught:
        import_network(path)
    assert str(caught.value).startswith(f"{path}: ")


def offset() -> Model:
    return Model(6, 6, 2).add("Rescaling", scale=2.0, offset=-1.0)


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"nothing")
    with pytest.raises(ImportFailure, match=r"x\.h5: is no HDF5 file"):
        import_network(tmp_path / "x.h5")
    with pytest.raises(FileNotFoundError):
        import_network(tmp_path / "absent.h5")
    for name, value, message in (
        ("a", None, "holds no model_config: save the whole model"),
        ("b", "{", "model_config is not as Keras writes it"),
        (
            "c",
            json.dumps({"class_name": "Mine", "config": {"layers": []}}),
            "model Mine: must be Sequential or Func",
        ),
    ):
        with pytest.raises(ImportFailure, match=message):
            import_network(offset().save(tmp_path / f"{name}.h5", model_config=value))
    model = offset().conv(3, 2, 4).add("Flatten").dense(64, 10)
    model.arrays[2] = {}
    with pytest.raises(ImportFailure, match="QuantConv2D quantconv2d_2: has no kernel, only nothing"):
        import_network(model.save(tmp_path / "d.h5"))
    model = offset().conv(3, 2, 4).add("Flatten").dense(64, 10)
    with h5py.File(model.save(tmp_path / "e.h5", functional=True), "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][3]["inbound_nodes"] = [
            {"args": [{"keras_history": ["rescaling_1", 0, 0]}]}
        ]
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(
        ImportFailure, match="Flatten flatten_3: reads rescaling_1: one chain, without branches"
    ):
        import_network(tmp_path / "e.h5")
