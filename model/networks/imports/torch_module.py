"""PyTorch modules into networks. PyTorch is no dependency: who has a module has PyTorch.

A copy of the module, in float64 and in evaluation mode, is traced (``torch.fx``). Layers are told by what they do
(``linear``, ``conv2d``, ``max_pool2d``, flattening, padding); all else must be elementwise, and is *asked itself* at
every integer that a neuron can reach: batch norm, signs with straight-through estimators, Brevitas' quantisers, one's
own modules. So what it means, sign(0) too, is never guessed. In the end the network is compared with the module.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.networks.encoding import parse_rule
from bridgebnn.model.networks.golden import forward
from bridgebnn.model.networks.network import Network

from .layers import BITS, RANGES, Chain, check_sizes
from .read import to_network
from .values import ImportFailure, Values

__all__ = ["from_torch"]

CHECKED = 64
"""Images on which the network is compared with the module."""

PASSED = {"Identity", "Dropout", "Dropout1d", "Dropout2d"}
LAST = {"Softmax", "LogSoftmax", "Softmax2d"}
"""They keep the order of the classes: left out, and named in the notes, at the end."""

SHAPES = {"view", "reshape", "flatten"}


def from_torch(
    module: Any,
    *,
    input_shape: Sequence[int] | None = None,
    input_range: str = "unit",
    binarize: str | None = None,
    name: str = "torch",
) -> Network:
    """A network that computes what a PyTorch module does.

    Parameters
    ----------
    module : torch.nn.Module
        A chain of ``Linear``, ``Conv2d``, ``MaxPool2d``, flattening, padding and elementwise steps (``BatchNorm1d``,
        ``BatchNorm2d``, signs, scales), in a ``Sequential`` or in a ``forward`` of its own. Weights are +a and -a in
        each neuron, as they are or behind a sign; Brevitas' layers give them by ``quant_weight()``.
    input_shape : sequence of int, optional
        Of an image as the module takes it: (pixels,) or (channels, height, width). By default the inputs of the first
        layer, where that is fully connected.
    input_range : str
        What enters the module, see ``bridgebnn model import --input-range``.
    binarize : str, optional
        Where bits enter: how an image becomes them.
    name : str
        Of the network.

    Returns
    -------
    Network
        Its scores are the module's: ``score_scale`` times the integer plus ``score_offset`` in ``meta["import"]``.

    Raises
    ------
    ImportFailure
        What cannot be imported, by its place in the module, or a module that disagrees with its import.
    """
    if (torch := sys.modules.get("torch")) is None or not isinstance(module, torch.nn.Module):
        raise ImportFailure(f"{type(module).__name__}: must be a torch.nn.Module")
    if input_range not in RANGES:
        raise ImportFailure(f"input range {input_range!r}: must be one of {', '.join(RANGES)}")
    module = copy.deepcopy(module).double().cpu().eval()
    shape = _input_shape(module) if input_shape is None else tuple(int(n) for n in input_shape)
    chain = Chain(shape=shape, range=input_range)
    with torch.no_grad():
        _Walk(torch, module, chain).run()
    thresholds = None if binarize is None else parse_rule(binarize)
    origin = {"file": None, "module": type(module).__name__, "torch": str(torch.__version__)}
    network = to_network(chain, name, origin, thresholds)
    _compare(torch, module, chain, network)
    return network


def _input_shape(module: Any) -> tuple[int, ...]:
    for part in module.modules():
        if (inputs := getattr(part, "in_features", None)) is not None:
            return (int(inputs),)
        if hasattr(part, "in_channels"):
            break
    raise ImportFailure("input_shape is missing: must be (channels, height, width) of an image")


class _Walk:
    """Goes along the traced graph: what each node is, a constant, the moving value, or its shape."""

    def __init__(self, torch: Any, module: Any, chain: Chain) -> None:
        self.torch, self.module, self.chain = torch, module, chain
        self.values = chain.start()
        self.flat = False
        self.padded = (0, 0.0)
        self.softmax = ""

    def run(self) -> None:
        """Read the whole module; the chain is complete afterwards."""
        known: dict[Any, Any] = {}
        moving: Any = None
        sizes: set[Any] = set()
        place = "the module"
        for node in _traced(self.torch, self.module).nodes:
            place = f"{node.name} ({_target(node)})"
            inputs = node.all_input_nodes
            if node.op == "placeholder":
                if moving is not None:
                    if node.args:  # has a default
                        known[node] = node.args[0]
                        continue
                    raise ImportFailure(f"{place}: a second input: must be one")
                moving = node
            elif node.op == "get_attr":
                known[node] = _attribute(self.module, node.target)
            elif node.op == "output":
                if node.args[0] is not moving:
                    raise ImportFailure("output: must be one tensor, the last one computed")
            elif all(i in known for i in inputs) and (inputs or node.op == "call_function"):
                known[node] = self._call(node, known)
            elif _asks_shape(node) or all(i in sizes for i in inputs):
                if _target(node) not in ("size", "getattr", "getitem"):
                    raise ImportFailure(
                        f"{place}: arithmetic on shapes: flatten(x, 1) or view(x.size(0), -1) is read"
                    )
                sizes.add(node)
            else:
                if [i for i in inputs if i not in known and i not in sizes] != [moving]:
                    raise ImportFailure(
                        f"{place}: takes an earlier tensor, too: one chain, without branches, is read"
                    )
                if self.softmax:
                    raise ImportFailure(f"{self.softmax}: must be the last step")
                self.values = self._step(node, known, place)
                moving = node
        self.chain.finish(self.values, place)

    def _call(self, node: Any, known: dict[Any, Any], value: Any = None) -> Any:
        """The node's result, with ``value`` for what moves."""

        def resolve(argument: Any) -> Any:
            return self.torch.fx.node.map_arg(argument, lambda n: known.get(n, value))

        arguments, named = resolve(node.args), resolve(node.kwargs)
        if node.op == "call_module":
            return self.module.get_submodule(node.target)(*arguments, **named)
        if node.op == "call_method":
            return getattr(arguments[0], node.target)(*arguments[1:], **named)
        return node.target(*arguments, **named)

    def _step(self, node: Any, known: dict[Any, Any], place: str) -> Values:
        functional = self.torch.nn.functional
        if node.op == "call_module":
            return self._module(self.module.get_submodule(node.target), place)
        name = _target(node)
        if name in SHAPES:
            return self._flatten(place)
        if node.target in (functional.linear, functional.conv2d, functional.max_pool2d, functional.pad):
            values = _bound(node, known)
            if node.target is functional.linear:
                return self._linear(values["weight"], values.get("bias"), place)
            if node.target is functional.conv2d:
                return self._conv(values, place)
            if node.target is functional.max_pool2d:
                return self._pool(values, place)
            return self._pad(values["pad"], values.get("mode", "constant"), values.get("value"), place)
        return self._elementwise(lambda x: self._call(node, known, x), place)

    def _module(self, module: Any, place: str) -> Values:
        name = type(module).__name__
        if name in PASSED:
            return self.values
        if name in LAST:
            self.softmax = place
            self.chain.notes.append(f"{place}: left out, it keeps the order of the classes")
            return self.values
        if name == "Flatten":
            if (module.start_dim, module.end_dim) != (1, -1):
                raise ImportFailure(f"{place}: must flatten all behind the batch")
            return self._flatten(place)
        if name == "MaxPool2d":
            return self._pool(vars(module), place)
        if name in ("ConstantPad2d", "ZeroPad2d"):
            return self._pad(module.padding, "constant", getattr(module, "value", 0), place)
        if not _is_layer(module):
            return self._elementwise(module, place)
        before, behind = (getattr(module, f"{which}_quant", None) for which in ("input", "output"))
        if before is not None and getattr(before, "is_quant_enabled", False):
            self.values = self._elementwise(before, place)
        weight = module.quant_weight() if hasattr(module, "quant_weight") else module.weight
        if hasattr(module, "in_features"):
            self.values = self._linear(weight, module.bias, place)
        else:
            if getattr(module, "padding_mode", "zeros") != "zeros":
                raise ImportFailure(f"{place}: padding mode {module.padding_mode}: must be zeros")
            self.values = self._conv({**vars(module), "weight": weight, "bias": module.bias}, place)
        if behind is not None and getattr(behind, "is_quant_enabled", False):
            self.values = self._elementwise(behind, place)
        return self.values

    # --- what a step does ----------------------------------------------------------------------------

    def _linear(self, weight: Any, bias: Any, place: str) -> Values:
        low, high = self.chain.read_bits(self.values, place)
        self._all_padded(place)
        result = self.chain.dense(_numbers(weight), low, high, place, self.flat)
        self.flat = False
        return self._biased(result, bias)

    def _conv(self, values: dict[str, Any], place: str) -> Values:
        if values.get("groups", 1) != 1 or set(_pair(values.get("dilation", 1))) != {1}:
            raise ImportFailure(f"{place}: groups and dilations are not supported")
        padding = values.get("padding", 0)
        padding = 0 if padding == "valid" else padding
        if isinstance(padding, str):
            raise ImportFailure(f"{place}: padding {padding!r}: must be a number")
        stride = check_sizes(_pair(values.get("stride", 1)), place, "stride")
        padding = check_sizes(_pair(padding), place, "padding")
        low, high = self.chain.read_bits(self.values, place)
        (ahead, value), self.padded = self.padded, (0, 0.0)
        if ahead and padding:
            raise ImportFailure(f"{place}: pads what is padded already")
        weight = _numbers(values["weight"])
        result = self.chain.convolution(weight, stride, padding or ahead, value, low, high, place)
        return self._biased(result, values.get("bias"))

    def _biased(self, values: Values, bias: Any) -> Values:
        if bias is None:
            return values
        number = _numbers(bias)
        return values.then(lambda v: v + number)

    def _pool(self, values: dict[str, Any], place: str) -> Values:
        window = check_sizes(_pair(values["kernel_size"]), place, "kernel_size")
        stride = values.get("stride")
        stride = window if stride in (None, []) else check_sizes(_pair(stride), place, "stride")
        if stride != window or set(_pair(values.get("padding", 0))) != {0} or values.get("ceil_mode", False):
            raise ImportFailure(
                f"{place}: window {window}, stride {stride}: must be windows side by side, no padding, no ceil_mode"
            )
        self._all_padded(place)
        return self.chain.pooled(self.values, window, place)

    def _pad(self, pads: Any, mode: str, value: Any, place: str) -> Values:
        if (
            mode != "constant"
            or len(self.chain.shape) != 3
            or len(_pair(pads)) not in (2, 4)
            or self.padded[0]
        ):
            raise ImportFailure(
                f"{place}: pads {pads}, {mode}: must pad height and width of a map by a constant, once"
            )
        self.padded = check_sizes(_pair(pads), place, "pads"), float(value or 0)
        return self.values

    def _all_padded(self, place: str) -> None:
        if self.padded[0]:
            raise ImportFailure(f"{place}: reads a padded map: padding must stand in front of a convolution")

    def _flatten(self, place: str) -> Values:
        self._all_padded(place)
        self.flat = self.flat or len(self.chain.shape) == 3
        return self.values

    def _elementwise(self, function: Callable[[Any], Any], place: str) -> Values:
        """A step that the function itself evaluates; refused where one value depends on another."""
        tail = (1, 1) if len(self.chain.shape) == 3 and not self.flat else ()
        self._all_padded(place)

        def ask(values: NDArray[np.float64]) -> NDArray[np.float64]:
            given = self.torch.tensor(values).reshape(*values.shape, *tail)
            try:
                with self.torch.no_grad():
                    result = _numbers(function(given))
            except Exception as error:  # whatever a module of somebody's raises
                said = (str(error).splitlines() or [""])[0]
                raise ImportFailure(f"{place}: fails on {values.shape[1]} channels ({said})") from None
            if result.shape != given.shape:
                raise ImportFailure(
                    f"{place}: makes {tuple(result.shape)} of {tuple(given.shape)}: must be elementwise, or one of "
                    "linear, conv2d, max_pool2d, flatten, pad"
                )
            return result.reshape(values.shape)

        moved = self.values.then(ask)
        before = self.values.table()
        rows, columns = (
            np.random.default_rng(1).integers(len(before), size=before.shape),
            np.arange(before.shape[1]),
        )
        mixed = ask(before[rows, columns])
        if not np.array_equal(mixed, ask(before)[rows, columns], equal_nan=True):
            raise ImportFailure(
                f"{place}: is not elementwise: a value depends on others of its channel or image"
            )
        return moved


def _is_layer(module: Any) -> bool:
    """Fully connected or convolutional, by what its class is derived from."""
    return any(kind.__name__ in ("Linear", "Conv2d") for kind in type(module).__mro__)


def _traced(torch: Any, module: Any) -> Any:
    """The graph of the module; its leaves are layers, and modules without layers in them."""

    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
            if _is_layer(m):
                return (
                    type(m).__name__ in ("Linear", "Conv2d") or hasattr(m, "quant_weight") or _parametrized(m)
                )
            matrices = any(p.ndim > 1 and max(p.shape) != p.numel() for p in m.parameters())
            return not matrices and not any(_is_layer(part) for part in m.modules())

    try:
        with _functions_traced(torch):
            return Tracer().trace(module)
    except ImportFailure:
        raise
    except Exception as error:  # tracing runs forward, which may raise anything
        said = (str(error).splitlines() or [""])[0]
        raise ImportFailure(
            f"{type(module).__name__}.forward cannot be traced ({said}): let it branch on no value, and let signs be "
            "modules or functions of their own"
        ) from None


def _parametrized(module: Any) -> bool:
    return bool(getattr(module, "parametrizations", None))


@contextmanager
def _functions_traced(torch: Any) -> Iterator[None]:
    """A ``torch.autograd.Function`` in a forward becomes a node of the graph; it would run on what is no tensor."""
    owner = torch.autograd.Function
    original = owner.__dict__["apply"]

    def apply(cls: Any, *arguments: Any, **named: Any) -> Any:
        proxy = next((a for a in arguments if isinstance(a, torch.fx.Proxy)), None)
        if proxy is None:
            return original.__get__(None, cls)(*arguments, **named)
        return proxy.tracer.create_proxy("call_function", cls.apply, arguments, named)

    owner.apply = classmethod(apply)
    try:
        yield
    finally:
        owner.apply = original


def _asks_shape(node: Any) -> bool:
    return node.target == "size" or (_target(node) == "getattr" and node.args[1:] == ("shape",))


def _attribute(module: Any, path: str) -> Any:
    for part in path.split("."):
        module = getattr(module, part)
    return module.double() if hasattr(module, "is_floating_point") and module.is_floating_point() else module


def _target(node: Any) -> str:
    target = node.target
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))


PARAMETERS = {
    "linear": ("input", "weight", "bias"),
    "conv2d": ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    "max_pool2d": ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "pad": ("input", "pad", "mode", "value"),
}


def _bound(node: Any, known: dict[Any, Any]) -> dict[str, Any]:
    """Arguments of a functional layer by their names; those that move stay nodes."""
    name = next(
        (n for n in PARAMETERS if n == _target(node)), "max_pool2d"
    )  # whose own name is that of a dispatcher
    given = dict(zip(PARAMETERS[name], node.args, strict=False)) | node.kwargs
    return {
        key: known.get(value, value) if getattr(value, "op", None) is not None else value
        for key, value in given.items()
    }


def _pair(value: Any) -> list[int]:
    return [int(v) for v in value] if isinstance(value, (tuple, list)) else [int(value)] * 2


def _numbers(tensor: Any) -> NDArray[np.float64]:
    """A tensor, or what holds one as Brevitas' do, in float64."""
    tensor = getattr(tensor, "value", tensor)
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)


def _compare(torch: Any, module: Any, chain: Chain, network: Network) -> None:
    """Refuse an import that disagrees with the module on random images."""
    rng = np.random.default_rng(1)
    bits = chain.range in BITS
    images = rng.integers(0, 2 if bits else 256, (CHECKED, *chain.input_shape))
    step = RANGES[chain.range][1]
    given = images.astype(np.float64) if step is None else step(images.astype(np.float64))
    with torch.no_grad():
        theirs = _numbers(module(torch.tensor(given)))
    last = images.transpose(0, 2, 3, 1) if images.ndim == 4 else images
    encoded = last.reshape(CHECKED, -1).astype(np.uint8) if bits else network.encoding(last.astype(np.uint8))
    found = forward(network, encoded)
    scores = found.scores * chain.scores["scale"] + chain.scores["offset"]
    if any("left out" in note for note in chain.notes):
        gap = np.diff(np.sort(theirs, axis=1)[:, -2:], axis=1)[:, 0]
        wrong = (theirs.argmax(axis=1) != found.classes) & (gap > 1e-9)
    else:
        most = 1e-9 * np.abs(theirs).max()
        wrong = ~np.isclose(scores, theirs, rtol=1e-9, atol=most).all(axis=1)
    if wrong.any():
        raise ImportFailure(
            f"{wrong.sum()} of {CHECKED} random images have other scores in the module than in its import: it does "
            "what tracing does not see, such as writing to .data"
        )
