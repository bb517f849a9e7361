"""Keras models in HDF5 files (``.h5``), with Larq's layers, into a `Chain`. Needs ``h5py`` alone.

The file holds ``model_config`` (JSON: layers in their order) and ``model_weights`` (a group of arrays for each layer).
Kernels are (height, width, in, out) and (in, out); maps are channel last. A Larq layer quantises what it reads
(``input_quantizer``) and its kernel (``kernel_quantizer``), whose latent values the file keeps.

References
----------
Larq documentation, "Quantizers": sign(0) is +1; Heaviside(0) is 0; the magnitude-aware sign scales each filter by its
mean magnitude.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layers import Chain, check_sizes
from .values import ImportFailure, Step, Values

__all__ = ["SUPPORTED", "read_keras"]

Array = NDArray[np.float64]


def _sign(v: Array) -> Array:
    return np.where(v >= 0, 1.0, -1.0)


def _scaled_sign(v: Array) -> Array:
    return _sign(v) * np.abs(v).mean(axis=tuple(range(v.ndim - 1)))


STEPS: dict[str, Step] = {
    "linear": lambda v: v,
    "relu": lambda v: np.maximum(v, 0),
    "tanh": np.tanh,
    "hardtanh": lambda v: np.clip(v, -1, 1),
    "sign": np.sign,
    **dict.fromkeys(("stesign", "approxsign", "swishsign"), _sign),
    "steheaviside": lambda v: (v > 0).astype(np.float64),
}
"""Elementwise functions of activations and of Larq's quantisers, by name in lower case without underscores."""

KERNELS: dict[str, Step] = {
    **{name: STEPS[name] for name in ("stesign", "approxsign", "swishsign", "steheaviside")},
    "magnitudeawaresign": _scaled_sign,
}
"""Quantisers of kernels; the last axis of a kernel is the neuron."""


@dataclass(frozen=True)
class Layer:
    """A layer of the file: its class, its configuration, and its arrays by their last name."""

    kind: str
    config: dict[str, Any]
    weights: dict[str, Array]

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.kind} {self.config.get('name', '')}".strip()

    def weight(self, name: str) -> Array:
        """An array that must be there."""
        if name not in self.weights:
            raise ImportFailure(f"{self.place}: has no {name}, only {', '.join(self.weights) or 'nothing'}")
        return self.weights[name]


class Reader:
    """Goes along the layers of a file."""

    def __init__(self, layers: list[Layer], shape: tuple[int, ...], input_range: str) -> None:
        self.layers = layers
        self.chain = Chain(shape=shape, range=input_range)
        self.values = self.chain.start()
        self.flat = len(shape) != 3
        self.padded = 0

    def read(self) -> Chain:
        """The chain, with its scores."""
        for number, layer in enumerate(self.layers):
            handler = HANDLERS.get(layer.kind)
            if handler is None:
                raise ImportFailure(f"{layer.place}: not supported; what is: {', '.join(SUPPORTED)}")
            if self.padded and handler is not _conv:
                raise ImportFailure(
                    f"{layer.place}: reads a padded map: padding must stand in front of a convolution"
                )
            handler(self, layer)
            activation = layer.config.get("activation")
            if _name(activation) == "softmax":
                if number + 1 < len(self.layers):
                    raise ImportFailure(f"{layer.place}: softmax: must be the last step")
                self.chain.notes.append(f"{layer.place}: softmax left out, it keeps the order of the classes")
            elif activation is not None:
                self.then(_known(STEPS, activation, layer.place, "activation"))
        self.chain.finish(self.values, "the last layer")
        return self.chain

    def then(self, step: Step) -> None:
        """One more elementwise step."""
        self.values = self.values.then(step)

    def quantised(self, layer: Layer) -> tuple[Array, float, float]:
        """Kernel of a layer as it is used, low and high of the bits that it reads."""
        quantiser = layer.config.get("input_quantizer")
        if quantiser is not None:
            self.then(_known(STEPS, quantiser, layer.place, "input_quantizer"))
        kernel = layer.weight("kernel")
        quantiser = layer.config.get("kernel_quantizer")
        if quantiser is not None:
            kernel = _known(KERNELS, quantiser, layer.place, "kernel_quantizer")(kernel)
        low, high = self.chain.read_bits(self.values, layer.place)
        return kernel, low, high

    def biased(self, values: Values, layer: Layer) -> None:
        """Take the result of a layer, with its bias where it has one."""
        self.values = values
        if layer.config.get("use_bias", "bias" in layer.weights):
            bias = layer.weight("bias")
            self.then(lambda v: v + bias)


def _dense(reader: Reader, layer: Layer) -> None:
    if not reader.flat:
        raise ImportFailure(f"{layer.place}: reads a map: must stand behind Flatten")
    kernel, low, high = reader.quantised(layer)
    # what was flattened is channel last already
    reader.biased(reader.chain.dense(kernel.T, low, high, layer.place, False), layer)


def _conv(reader: Reader, layer: Layer) -> None:
    config = layer.config
    _channels_last(layer)
    if config.get("groups", 1) != 1 or set(_pair(config.get("dilation_rate", 1))) != {1}:
        raise ImportFailure(f"{layer.place}: groups and dilations are not supported")
    stride = check_sizes(_pair(config.get("strides", 1)), layer.place, "strides")
    kernel, low, high = reader.quantised(layer)
    ahead, reader.padded = reader.padded, 0
    padding, value = ahead, 0.0
    if config.get("padding", "valid") == "same":
        if stride != 1 or kernel.shape[0] % 2 == 0 or ahead:
            raise ImportFailure(
                f"{layer.place}: padding 'same' with stride {stride} and kernel {kernel.shape[0]}: must have stride 1 "
                "and an odd kernel, to be alike on all sides"
            )
        padding, value = (kernel.shape[0] - 1) // 2, float(config.get("pad_values") or 0.0)
    elif config.get("padding", "valid") != "valid":
        raise ImportFailure(f"{layer.place}: padding {config['padding']!r}: must be 'valid' or 'same'")
    filters = kernel.transpose(3, 2, 0, 1)
    reader.biased(reader.chain.convolution(filters, stride, padding, value, low, high, layer.place), layer)


def _norm(reader: Reader, layer: Layer) -> None:
    config, channels = layer.config, reader.values.channels
    axis = config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if axis not in (-1, len(reader.chain.shape)) and not (reader.flat and axis == 1):
        raise ImportFailure(f"{layer.place}: axis {axis}: must be that of the channels, the last one")
    mean, variance = layer.weight("moving_mean"), layer.weight("moving_variance")
    gain = layer.weight("gamma") if config.get("scale", True) else np.ones(len(mean))
    shift = layer.weight("beta") if config.get("center", True) else np.zeros(len(mean))
    if len(mean) != channels:
        raise ImportFailure(f"{layer.place}: {len(mean)} channels, but {channels} come in")
    root = np.sqrt(variance + float(config.get("epsilon", 1e-3)))
    reader.then(lambda v: (v - mean) / root * gain + shift)


def _pool(reader: Reader, layer: Layer) -> None:
    config = layer.config
    _channels_last(layer)
    window = check_sizes(_pair(config.get("pool_size", 2)), layer.place, "pool_size")
    stride = check_sizes(_pair(config.get("strides") or window), layer.place, "strides")
    # 'same' pads only where windows do not come out even
    even = all(n % window == 0 for n in reader.chain.shape[1:])
    if stride != window or (config.get("padding", "valid") != "valid" and not even):
        raise ImportFailure(
            f"{layer.place}: window {window}, stride {stride}, padding {config.get('padding')}: must be windows side "
            "by side, no padding"
        )
    reader.values = reader.chain.pooled(reader.values, window, layer.place)


def _pad(reader: Reader, layer: Layer) -> None:
    _channels_last(layer)
    pads = [n for pair in layer.config["padding"] for n in _pair(pair)]
    reader.padded = check_sizes(pads, layer.place, "padding")


def _flatten(reader: Reader, layer: Layer) -> None:
    target = layer.config.get("target_shape")
    if target is not None and list(target) not in ([-1], [int(np.prod(reader.chain.shape))]):
        raise ImportFailure(f"{layer.place}: to {target}: must flatten the map")
    reader.flat = True


def _rescale(reader: Reader, layer: Layer) -> None:
    scale, offset = float(layer.config["scale"]), float(layer.config.get("offset", 0.0))
    reader.then(lambda v: v * scale + offset)


def _pass(reader: Reader, layer: Layer) -> None:
    pass


HANDLERS: dict[str, Callable[[Reader, Layer], None]] = {
    "Activation": _pass,  # the activation itself is read behind every layer
    "BatchNormalization": _norm,
    "Conv2D": _conv,
    "Dense": _dense,
    "Dropout": _pass,
    "Flatten": _flatten,
    "InputLayer": _pass,
    "MaxPooling2D": _pool,
    "QuantConv2D": _conv,
    "QuantDense": _dense,
    "Rescaling": _rescale,
    "Reshape": _flatten,
    "ZeroPadding2D": _pad,
}
SUPPORTED = tuple(HANDLERS)
"""Layers that are read."""


def _channels_last(layer: Layer) -> None:
    if layer.config.get("data_format") not in (None, "channels_last"):
        raise ImportFailure(f"{layer.place}: {layer.config['data_format']}: must be channels_last")


def _pair(value: Any) -> list[int]:
    return [int(v) for v in value] if isinstance(value, list) else [int(value)] * 2


def _name(function: Any) -> str:
    """Name of a function in a configuration: a string, or an object with a class name."""
    if isinstance(function, dict):
        function = function.get("class_name") or function.get("config")
    return str(function).replace("_", "").lower()


def _known(table: dict[str, Step], function: Any, place: str, what: str) -> Step:
    if (found := table.get(_name(function))) is None:
        raise ImportFailure(f"{place}: {what} {function!r}: must be one of {', '.join(table)}")
    return found


def _sources(inbound: Any) -> Iterator[str]:
    """Names of the layers that a layer reads, wherever Keras has put them."""
    if isinstance(inbound, dict):
        for value in inbound.values():
            yield from _sources(value)
    elif isinstance(inbound, list):
        if len(inbound) >= 3 and isinstance(inbound[0], str) and isinstance(inbound[1], int):
            yield inbound[0]
        else:
            for value in inbound:
                yield from _sources(value)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def read_keras(path: str | Path, input_range: str | None = None) -> Chain:
    """Read a Keras model, saved whole as ``.h5``.

    Parameters
    ----------
    input_range : str, optional
        How the input enters the model, one of `layers.RANGES`. None: "unit".

    Raises
    ------
    ImportFailure
        No such file, or something in it that cannot be imported, by class and name of the layer.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            layers = _layers(file)
    except FileNotFoundError:
        raise
    except OSError:
        raise ImportFailure(f"{path}: is no HDF5 file") from None
    except ImportFailure as error:
        raise ImportFailure(f"{path}: {error}") from None
    try:
        return Reader(layers, _input_shape(layers), input_range or "unit").read()
    except ImportFailure as error:
        raise ImportFailure(f"{path}: {error}") from None


def _layers(file: Any) -> list[Layer]:
    if "model_config" not in file.attrs or "model_weights" not in file:
        raise ImportFailure("holds no model_config: save the whole model, not its weights alone")
    try:
        model = json.loads(_text(file.attrs["model_config"]))
        kind, described = model["class_name"], model["config"]
        described = (
            described if isinstance(described, list) else described["layers"]
        )  # lists: Keras before 2.3
        found = [
            (layer["class_name"], dict(layer["config"]), layer.get("inbound_nodes", []))
            for layer in described
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ImportFailure(
            f"model_config is not as Keras writes it ({type(error).__name__}: {error})"
        ) from None
    if kind not in ("Sequential", "Functional", "Model"):
        raise ImportFailure(f"model {kind}: must be Sequential or Functional")
    layers: list[Layer] = []
    for class_name, config, inbound in found:
        sources = list(_sources(inbound))
        layer = Layer(class_name, config, _arrays(file["model_weights"], config.get("name", "")))
        if kind != "Sequential" and sources != ([layers[-1].config.get("name")] if layers else []):
            raise ImportFailure(
                f"{layer.place}: reads {', '.join(sources) or 'nothing'}: one chain, without branches, is read"
            )
        layers.append(layer)
    return layers


def _arrays(group: Any, name: str) -> dict[str, Array]:
    if name not in group:
        return {}
    group = group[name]
    names = [_text(n) for n in group.attrs.get("weight_names", [])]
    return {n.split("/")[-1].split(":")[0]: np.asarray(group[n], np.float64) for n in names}


def _input_shape(layers: list[Layer]) -> tuple[int, ...]:
    config = layers[0].config if layers else {}
    shape = config.get("batch_input_shape") or config.get("batch_shape")
    if not shape or len(shape) not in (2, 4) or not all(isinstance(n, int) for n in shape[1:]):
        raise ImportFailure(
            f"input shape {shape}: must be fixed, (batch, pixels) or (batch, height, width, channels)"
        )
    return (shape[3], *shape[1:3]) if len(shape) == 4 else (shape[1],)
