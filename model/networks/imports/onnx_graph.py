"""ONNX and QONNX graphs, as FINN and Brevitas write them, into a `Chain` of binarized layers.

Needs the package ``onnx``, to read the file alone: nothing is executed by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layers import Chain, Input, check_sizes
from .values import ImportFailure, Values

__all__ = ["SUPPORTED", "read_onnx"]


@dataclass(frozen=True)
class Node:
    """One node of the graph, with its attributes as Python values."""

    op: str
    place: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


class Reader:
    """Walks a graph in its order and keeps what each tensor is: a constant, a shape, or `Values`."""

    def __init__(self, model: Any, input_range: str | None) -> None:
        from onnx import helper, numpy_helper

        graph = model.graph
        self.constants: dict[str, NDArray[Any]] = {
            i.name: numpy_helper.to_array(i) for i in graph.initializer
        }
        self.values: dict[str, Values] = {}
        self.flat: set[str] = set()  # maps that were flattened channel first
        self.last: set[str] = set()  # maps whose channels come last
        self.padded: dict[str, tuple[int, float]] = {}  # what Pad has put round a map: pixels, value
        inputs = [i for i in graph.input if i.name not in self.constants]
        if len(inputs) != 1:
            raise ImportFailure(f"the graph has {len(inputs)} inputs: must have one")
        shape = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim][1:]
        if not shape or 0 in shape:
            raise ImportFailure(f"input {inputs[0].name}: shape {shape} after the batch is not fixed")
        default = "byte" if _is_uint8(graph, inputs[0]) else "unit"
        self.chain = Chain(shape=tuple(shape), range=input_range or default)
        self.values[inputs[0].name] = self.chain.start()
        self.outputs = [o.name for o in graph.output]
        self.nodes = [
            Node(
                n.op_type,
                f"{n.op_type} {n.name or n.output[0]}",
                tuple(n.input),
                tuple(n.output),
                {a.name: _attribute(helper, numpy_helper, a) for a in n.attribute},
            )
            for n in graph.node
        ]

    def read(self) -> Chain:
        """Walk the graph; the chain, with its scores."""
        end: Values | None = None
        for node in self.nodes:
            known = all(not i or i in self.constants for i in node.inputs)
            if known and node.op != "Constant":
                self._fold(node)
                continue
            handler = HANDLERS.get(node.op)
            if handler is None:
                raise ImportFailure(f"{node.place}: not supported; what is: {', '.join(SUPPORTED)}")
            result = handler(self, node)
            if isinstance(result, Values):
                self.values[node.outputs[0]] = end = result
                for kept in (self.flat, self.last):
                    if any(i in kept for i in node.inputs) and node.op not in (*LAYERS, *LAYOUTS):
                        kept.add(node.outputs[0])
            elif isinstance(result, np.ndarray):
                self.constants[node.outputs[0]] = result
        if end is None:
            raise ImportFailure("the graph has no operation on its input")
        self.chain.finish(end, f"output {self.outputs[0]}")
        return self.chain

    def _fold(self, node: Node) -> None:
        """A node of constants alone: evaluated in float64 where it is a quantiser or arithmetic."""
        arguments = [self.constants[i] for i in node.inputs if i]
        folder = FOLDERS.get(node.op)
        if folder is None:
            raise ImportFailure(
                f"{node.place}: not supported on constants; what is: {', '.join(sorted(FOLDERS))}"
            )
        self.constants[node.outputs[0]] = np.asarray(folder(node, *arguments))

    # --- elementwise ---------------------------------------------------------------------------------

    def constant(self, node: Node, index: int) -> NDArray[np.float64]:
        """Constant input number ``index`` as one value per channel, float64 (1,) or (channels,)."""
        name = node.inputs[index]
        if name not in self.constants:
            raise ImportFailure(f"{node.place}: input {name} must be a constant")
        value = np.asarray(self.constants[name], np.float64)
        moving = next(self.values[i] for i in node.inputs if i in self.values)
        if value.size == 1:
            return value.reshape(1)
        if isinstance(moving.source, Input):
            raise ImportFailure(
                f"{node.place}: constant of shape {value.shape} on the input: must be one number"
            )
        # per channel: behind a map (C, 1, 1) or (1, C, 1, 1), or as ever where channels are last; behind a vector
        # (C,) or (1, C)
        on_map = len(self.chain.shape) == 3 and not any(i in self.last for i in node.inputs)
        legal = {(moving.channels, 1, 1), (1, moving.channels, 1, 1)} if on_map else {(moving.channels,)}
        if value.shape in legal or (not on_map and value.size == moving.channels):
            return value.reshape(-1)
        raise ImportFailure(
            f"{node.place}: constant of shape {value.shape}: must be one number, or one for each of "
            f"{moving.channels} channels"
        )

    def first(self, node: Node) -> None:
        """Refuse a map whose channels are last, where the operation takes them first."""
        if node.inputs[0] in self.last:
            raise ImportFailure(
                f"{node.place}: reads a map of channels last: must be (batch, channels, height, width)"
            )

    def moving(self, node: Node, index: int = 0) -> Values:
        """Input number ``index`` as `Values`."""
        name = node.inputs[index]
        if name not in self.values:
            raise ImportFailure(f"{node.place}: input {name} is not computed from the network's input")
        return self.values[name]


Handler = Callable[[Reader, Node], Any]


def _arithmetic(function: Callable[[Any, Any], Any]) -> Handler:
    def handle(reader: Reader, node: Node) -> Any:
        if node.inputs[0] in reader.values:
            values, number = reader.moving(node), reader.constant(node, 1)
            return values.then(lambda v: function(v, number))
        values, number = reader.moving(node, 1), reader.constant(node, 0)
        return values.then(lambda v: function(number, v))

    return handle


def _batch_norm(reader: Reader, node: Node) -> Any:
    scale, bias, mean, variance = (
        np.asarray(reader.constants[i], np.float64).ravel() for i in node.inputs[1:5]
    )
    reader.first(node)
    values = reader.moving(node)
    if scale.size != values.channels:
        raise ImportFailure(f"{node.place}: {scale.size} channels, but {values.channels} come in")
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    root = np.sqrt(variance + epsilon)
    return values.then(lambda v: (v - mean) / root * scale + bias)


def _multi_threshold(reader: Reader, node: Node) -> Any:
    thresholds = np.asarray(reader.constants[node.inputs[1]], np.float64)
    values = reader.moving(node)
    if thresholds.ndim != 2 or thresholds.shape[0] not in (1, values.channels):
        raise ImportFailure(
            f"{node.place}: thresholds of shape {thresholds.shape}: must be (1 or {values.channels}, n)"
        )
    scale, bias = float(node.attributes.get("out_scale", 1.0)), float(node.attributes.get("out_bias", 0.0))
    return values.then(lambda v: (v[..., None] >= thresholds).sum(axis=-1) * scale + bias)


def _quantise(value: Any, *parameters: Any) -> Any:
    """BipolarQuant of QONNX: +scale where the value is at least 0, else -scale."""
    scale = np.asarray(parameters[0], np.float64)
    return np.where(np.asarray(value, np.float64) >= 0, scale, -scale)


def _bipolar(reader: Reader, node: Node) -> Any:
    scale = reader.constant(node, 1)
    return reader.moving(node).then(lambda v: _quantise(v, scale))


def _pass(reader: Reader, node: Node) -> Any:
    return reader.moving(node)


def _reshape(reader: Reader, node: Node) -> Any:
    values = reader.moving(node)
    if len(reader.chain.shape) == 3 and node.op in ("Reshape", "Flatten"):
        if node.op == "Reshape":
            target = reader.constants.get(node.inputs[1])
            if target is not None and (
                len(target) != 2 or target[1] not in (-1, int(np.prod(reader.chain.shape)))
            ):
                raise ImportFailure(
                    f"{node.place}: to {target.tolist()}: must flatten everything behind the batch"
                )
        if node.inputs[0] not in reader.last:
            reader.flat.add(node.outputs[0])
    elif any(i in reader.flat for i in node.inputs):
        reader.flat.add(node.outputs[0])
    return values


def _transpose(reader: Reader, node: Node) -> Any:
    values, perm = reader.moving(node), tuple(node.attributes.get("perm", ()))
    last = node.inputs[0] in reader.last
    if len(reader.chain.shape) != 3 or perm not in ((0, 1, 2, 3), (0, 3, 1, 2) if last else (0, 2, 3, 1)):
        raise ImportFailure(
            f"{node.place}: perm {list(perm)}: must move the channels of a map last, or first again"
        )
    if last == (perm == (0, 1, 2, 3)):
        reader.last.add(node.outputs[0])
    return values


def _matmul(reader: Reader, node: Node) -> Any:
    attributes = node.attributes
    if node.op == "Gemm" and (attributes.get("transA") or attributes.get("alpha", 1.0) <= 0):
        raise ImportFailure(f"{node.place}: transA, or alpha of at most 0, is not supported")
    name = node.inputs[1]
    if name not in reader.constants:
        raise ImportFailure(f"{node.place}: weights {name} must be constant")
    weights = np.asarray(reader.constants[name], np.float64)
    if weights.ndim != 2:
        raise ImportFailure(f"{node.place}: weights of shape {weights.shape}: must be a matrix")
    weights = weights if node.op == "Gemm" and attributes.get("transB") else weights.T
    values = reader.moving(node)
    low, high = reader.chain.read_bits(values, node.place)
    # an input image of one channel is the same either way round
    result = reader.chain.dense(weights, low, high, node.place, node.inputs[0] in reader.flat)
    if node.op == "Gemm":
        alpha, beta = float(attributes.get("alpha", 1.0)), float(attributes.get("beta", 1.0))
        if alpha != 1:
            result = result.then(lambda v: alpha * v)
        if len(node.inputs) > 2 and node.inputs[2]:
            bias = beta * np.asarray(reader.constants[node.inputs[2]], np.float64).ravel()
            result = result.then(lambda v: v + bias)
    return result


def _conv(reader: Reader, node: Node) -> Any:
    attributes = node.attributes
    if attributes.get("group", 1) != 1 or set(attributes.get("dilations", [1])) != {1}:
        raise ImportFailure(f"{node.place}: groups and dilations are not supported")
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise ImportFailure(f"{node.place}: auto_pad is not supported: give pads")
    weights = reader.constants.get(node.inputs[1])
    if weights is None or weights.ndim != 4:
        raise ImportFailure(f"{node.place}: weights must be constant, of four dimensions")
    stride = check_sizes(attributes.get("strides", [1, 1]), node.place, "strides")
    padding = check_sizes(attributes.get("pads", [0, 0, 0, 0]), node.place, "pads")
    reader.first(node)
    values = reader.moving(node)
    low, high = reader.chain.read_bits(values, node.place)
    ahead, value = reader.padded.pop(node.inputs[0], (0, 0.0))
    if ahead and padding:
        raise ImportFailure(f"{node.place}: pads what Pad has padded")
    result = reader.chain.convolution(weights, stride, padding or ahead, value, low, high, node.place)
    if len(node.inputs) > 2 and node.inputs[2]:
        bias = np.asarray(reader.constants[node.inputs[2]], np.float64).ravel()
        result = result.then(lambda v: v + bias)
    return result


def _pad(reader: Reader, node: Node) -> Any:
    reader.first(node)
    pads = node.attributes.get("pads")
    pads = np.asarray(reader.constants[node.inputs[1]] if pads is None else pads).ravel().tolist()
    value = node.attributes.get("value", 0.0)
    if len(node.inputs) > 2 and node.inputs[2]:
        value = float(np.asarray(reader.constants[node.inputs[2]]).ravel()[0])
    if len(pads) != 8 or any(pads[i] for i in (0, 1, 4, 5)):
        raise ImportFailure(f"{node.place}: pads {pads}: must pad height and width alone")
    width = check_sizes([pads[i] for i in (2, 3, 6, 7)], node.place, "pads")
    reader.padded[node.outputs[0]] = (width, float(value))
    return reader.moving(node)


def _max_pool(reader: Reader, node: Node) -> Any:
    attributes = node.attributes
    reader.first(node)
    window = check_sizes(attributes["kernel_shape"], node.place, "kernel_shape")
    stride = check_sizes(attributes.get("strides", [1, 1]), node.place, "strides")
    if any(attributes.get("pads", [0])) or stride != window or attributes.get("ceil_mode", 0):
        raise ImportFailure(
            f"{node.place}: window {window}, stride {stride}, pads: must be windows side by side, no padding"
        )
    return reader.chain.pooled(reader.moving(node), window, node.place)


def _top(reader: Reader, node: Node) -> Any:
    attributes = node.attributes
    axis = attributes.get("axis", -1 if node.op == "TopK" else 0)
    if axis not in (-1, 1) or not attributes.get("largest", 1) or attributes.get("select_last_index", 0):
        raise ImportFailure(f"{node.place}: must take the largest of the classes, the lowest index on a tie")
    return reader.moving(node)


def _shape(reader: Reader, node: Node) -> Any:
    shape = reader.chain.shape
    if node.inputs[0] in reader.last:
        shape = (*shape[1:], shape[0])
    return np.array([-1, *shape], np.int64)


def _constant(reader: Reader, node: Node) -> Any:
    return np.asarray(next(iter(node.attributes.values())))


def _sign(reader: Reader, node: Node) -> Any:
    return reader.moving(node).then(np.sign)


LAYERS = {"MatMul", "Gemm", "Conv"}
LAYOUTS = {"Transpose", "Reshape", "Flatten"}
"""Operations that say themselves in what order their output is."""

HANDLERS: dict[str, Handler] = {
    "Add": _arithmetic(np.add),
    "ArgMax": _top,
    "BatchNormalization": _batch_norm,
    "BipolarQuant": _bipolar,
    "Constant": _constant,
    "Conv": _conv,
    "Div": _arithmetic(np.divide),
    "Dropout": _pass,
    "Flatten": _reshape,
    "Gemm": _matmul,
    "Identity": _pass,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "Mul": _arithmetic(np.multiply),
    "MultiThreshold": _multi_threshold,
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": _shape,
    "Sign": _sign,
    "Squeeze": _pass,
    "Sub": _arithmetic(np.subtract),
    "TopK": _top,
    "Transpose": _transpose,
    "Unsqueeze": _pass,
}
SUPPORTED = tuple(HANDLERS)
"""Operations that are read on the way of the data."""


def _gather(node: Node, data: Any, index: Any) -> Any:
    return np.take(data, index, axis=node.attributes.get("axis", 0))


def _unsqueeze(node: Node, data: Any, axes: Any = None) -> Any:
    axes = node.attributes.get("axes") if axes is None else np.asarray(axes).ravel().tolist()
    return np.expand_dims(data, tuple(axes))


def _squeeze(node: Node, data: Any, axes: Any = None) -> Any:
    axes = node.attributes.get("axes") if axes is None else np.asarray(axes).ravel().tolist()
    return np.squeeze(data, tuple(axes) if axes else None)


FOLDERS: dict[str, Callable[..., Any]] = {
    "Add": lambda node, a, b: np.add(a, b),
    "BipolarQuant": lambda node, a, scale: _quantise(a, scale),
    "Cast": lambda node, a: a,
    "Concat": lambda node, *parts: np.concatenate(parts, axis=node.attributes["axis"]),
    "Div": lambda node, a, b: np.divide(np.asarray(a, np.float64), b),
    "Gather": _gather,
    "Identity": lambda node, a: a,
    "Mul": lambda node, a, b: np.multiply(np.asarray(a, np.float64), b),
    "Reshape": lambda node, a, shape: np.reshape(a, np.asarray(shape).tolist()),
    "Sign": lambda node, a: np.sign(a),
    "Squeeze": _squeeze,
    "Sub": lambda node, a, b: np.subtract(a, b),
    "Transpose": lambda node, a: np.transpose(a, node.attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
}
"""Operations that are evaluated where all inputs are constants: shape arithmetic, and weights behind a quantiser."""


def _attribute(helper: Any, numpy_helper: Any, attribute: Any) -> Any:
    value = helper.get_attribute_value(attribute)
    return numpy_helper.to_array(value) if hasattr(value, "data_type") else value


def _is_uint8(graph: Any, tensor: Any) -> bool:
    """Whether the input is declared as bytes: by its type, or by QONNX's annotation."""
    annotated = {
        q.tensor_name: {k.key: k.value for k in q.quant_parameter_tensor_names}
        for q in graph.quantization_annotation
    }
    return (
        tensor.type.tensor_type.elem_type == 2
        or annotated.get(tensor.name, {}).get("finn_datatype") == "UINT8"
    )


def read_onnx(path: str | Path, input_range: str | None = None) -> Chain:
    """Read an ONNX or QONNX file.

    Parameters
    ----------
    input_range : str, optional
        How the input enters the graph, one of `layers.RANGES`. None: bytes where the file declares its input so, else
        "unit".

    Raises
    ------
    ImportFailure
        No ONNX file, or something in it that cannot be imported, by operation and place.
    """
    import onnx

    try:
        model = onnx.load(str(path))
    except FileNotFoundError:
        raise
    except Exception as error:  # protobuf raises many kinds
        raise ImportFailure(f"{path}: is no ONNX file ({type(error).__name__})") from None
    if not model.graph.node:
        raise ImportFailure(f"{path}: is no ONNX file, or an empty one")
    try:
        return Reader(model, input_range).read()
    except ImportFailure as error:
        raise ImportFailure(f"{path}: {error}") from None
