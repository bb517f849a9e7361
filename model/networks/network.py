"""Binarized networks: their meaning, their file format, and the checks between the two.

A network is a chain of fully connected layers on bipolar vectors (bit 1 = +1, bit 0 = -1). A layer's inputs
fall into contiguous *groups*; one analog neuron sees one group. With ``d_g`` the dot product of group ``g``:

==========  ==================================================================================
layer       output
==========  ==================================================================================
ADD sign    +1 where ``polarity * (d - threshold) >= 0``, else -1, with ``d`` the sum of all ``d_g``
ADD score   the integer ``polarity * (d - threshold)``
VOTE sign   ``s_g`` = +1 where ``polarity_g * (d_g - threshold_g) >= 0``, else -1; +1 where the sum of
            the ``s_g`` is >= 0 (a tie is +1), else -1
VOTE score  the integer sum of the ``s_g``
==========  ==================================================================================

A file is an ``.npz`` archive (zip of ``.npy``) that holds no pickled object. Keys, with ``i`` from 0:

===========================  ==============  =====================================================
key                          dtype           value
===========================  ==============  =====================================================
``format``                   str             ``bridgebnn-network``
``version``                  int             1
``name``                     str             name of the network
``meta``                     str             JSON object: seed, command, test accuracy, dataset
``layers``                   int             number of layers, at least 1
``layer{i}_weights``         int8            (n_out, n_in), each -1 or +1
``layer{i}_thresholds``      int32           VOTE: (n_groups, n_out); ADD: (1, n_out)
``layer{i}_polarity``        int8            shape of the thresholds, each -1 or +1
``layer{i}_group_sizes``     int32           (n_groups,), each at least 1, sum n_in
``layer{i}_combine``         int             0 = ADD, 1 = VOTE (``bridgebnn.hdl.spec.Combine``)
``layer{i}_output``          str             ``sign``, or ``score`` in the last layer only
===========================  ==============  =====================================================

A threshold lies within +-(n + 1), with n the inputs it is compared over: the group for VOTE, the layer for
ADD. The dot product cannot exceed n, so both ends make the neuron constant and nothing further is needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.npz import Entries, read_npz, write_npz

FORMAT = "bridgebnn-network"
VERSION = 1
ARRAYS = {"weights": "int8", "thresholds": "int32", "polarity": "int8", "group_sizes": "int32"}
"""Arrays of a layer and the type they are kept in."""

Output = Literal["sign", "score"]


class NetworkError(ValueError):
    """A network or its file breaks the format; the message names the place and what is legal."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One fully connected layer. Arrays are copied, converted and made read-only.

    Parameters
    ----------
    weights : int8, (n_out, n_in)
        -1 or +1.
    thresholds : int32, VOTE (n_groups, n_out), ADD (1, n_out)
        In dot-product units, within +-(n + 1) where n is the inputs it is compared over. Real numbers are taken,
        too: up to the next integer where the polarity is +1, down where it is -1, which changes no bit. Those of
        an ADD score must be whole, since a score holds its threshold.
    polarity : int8, shape of ``thresholds``
        -1 or +1.
    group_sizes : int32, (n_groups,)
        Inputs of each contiguous group, at least 1 each, sum ``n_in``. Unsplit layer: one group.
    combine : Combine
        How groups combine. With one group ADD and VOTE give the same signs.
    output : "sign" or "score"
        Bipolar outputs for a next layer, or integer scores.

    Raises
    ------
    NetworkError
        With the field, the offending value and what is legal.
    """

    weights: NDArray[np.int8]
    thresholds: NDArray[np.int32]
    polarity: NDArray[np.int8]
    group_sizes: NDArray[np.int32]
    combine: Combine
    output: Output

    def __post_init__(self) -> None:
        if self.combine not in tuple(Combine):
            raise NetworkError(f"combine = {self.combine!r}: must be 0 (ADD) or 1 (VOTE)")
        if self.output not in get_args(Output):
            raise NetworkError(f"output = {self.output!r}: must be 'sign' or 'score'")
        object.__setattr__(self, "combine", Combine(self.combine))
        for name in ("weights", "polarity", "group_sizes"):
            object.__setattr__(self, name, _integers(name, getattr(self, name), ARRAYS[name]))
        object.__setattr__(self, "thresholds", _array("thresholds", self.thresholds))
        self._check_shapes()
        _check_signs("weights", self.weights)
        _check_signs("polarity", self.polarity)
        limit = self.group_sizes[:, None] + 1 if self.combine is Combine.VOTE else np.array([[self.n_in + 1]])
        limit = np.broadcast_to(limit, self.thresholds.shape)
        _check_all(
            "thresholds",
            self.thresholds,
            (self.thresholds >= -limit) & (self.thresholds <= limit),  # NaN is neither
            lambda at: f"from {-limit[at]} to {limit[at]}, enough for {limit[at] - 1} inputs",
        )
        object.__setattr__(self, "thresholds", _integers("thresholds", self._whole_thresholds(), "int32"))

    def _whole_thresholds(self) -> NDArray[Any]:
        """Real thresholds rounded to where no bit changes: ``d >= t`` is ``d >= ceil(t)``, ``d <= t`` is floor's."""
        real = self.thresholds
        if real.dtype.kind != "f":
            return real
        if self.output == "score" and self.combine is Combine.ADD:
            _check_all(
                "thresholds", real, real == np.rint(real), lambda at: "whole: an integer score holds it"
            )
        return np.where(self.polarity > 0, np.ceil(real), np.floor(real)).astype(np.int64)

    def _check_shapes(self) -> None:
        if self.weights.ndim != 2 or 0 in self.weights.shape:
            raise NetworkError(
                f"weights have shape {self.weights.shape}: must be (n_out, n_in), with at least one of each"
            )
        if self.group_sizes.ndim != 1 or len(self.group_sizes) == 0:
            raise NetworkError(
                f"group_sizes have shape {self.group_sizes.shape}: must be (n_groups,), at least one"
            )
        _check_all("group_sizes", self.group_sizes, self.group_sizes >= 1, lambda at: "at least 1")
        total = int(self.group_sizes.sum(dtype=np.int64))
        if total != self.n_in:
            raise NetworkError(f"group_sizes sum to {total}: must sum to n_in = {self.n_in}")
        rows = self.n_groups if self.combine is Combine.VOTE else 1
        for name in ("thresholds", "polarity"):
            shape = getattr(self, name).shape
            if shape != (rows, self.n_out):
                raise NetworkError(
                    f"{name} have shape {shape}: must be {(rows, self.n_out)} in a layer of {self.n_out} "
                    f"neurons with {self.n_groups} groups that combine by {self.combine.name}"
                )

    @property
    def n_in(self) -> int:
        """Inputs of the layer."""
        return self.weights.shape[1]

    @property
    def n_out(self) -> int:
        """Neurons of the layer."""
        return self.weights.shape[0]

    @property
    def n_groups(self) -> int:
        """Groups of inputs, 1 when the layer is not split."""
        return len(self.group_sizes)

    @property
    def group_slices(self) -> tuple[slice, ...]:
        """Columns of each group: ``weights[:, s]`` and ``x[..., s]``."""
        ends = np.cumsum(self.group_sizes).tolist()
        return tuple(slice(start, end) for start, end in zip([0, *ends], ends, strict=False))


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A named chain of layers: "sign" layers, the last one "sign" or "score".

    Parameters
    ----------
    name : str
        Not empty.
    layers : tuple of Layer, at least one
        Each one's ``n_out`` is the next one's ``n_in``.
    meta : mapping
        Anything JSON holds: seed, command, test accuracy, dataset. Not interpreted.

    Raises
    ------
    NetworkError
        With the offending value and what is legal.
    """

    name: str
    layers: tuple[Layer, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not isinstance(self.name, str) or not self.name:
            raise NetworkError(f"name = {self.name!r}: must be a string that is not empty")
        if not self.layers:
            raise NetworkError("layers = 0: a network has at least one layer")
        for i, (layer, after) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if layer.output != "sign":
                raise NetworkError(
                    f"layer {i}: output = {layer.output!r}: must be 'sign' before the last layer"
                )
            if after.n_in != layer.n_out:
                raise NetworkError(
                    f"layer {i + 1}: n_in = {after.n_in}: must be {layer.n_out}, the n_out of layer {i}"
                )

    @property
    def n_in(self) -> int:
        """Inputs of the first layer."""
        return self.layers[0].n_in

    @property
    def n_out(self) -> int:
        """Neurons of the last layer."""
        return self.layers[-1].n_out

    def save(self, path: str | Path) -> None:
        """Write the network as compressed ``.npz``: the same network gives the same bytes, run after run.

        Parameters
        ----------
        path : path
            Written at exactly this path, no suffix added.
        """
        entries: dict[str, ArrayLike] = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "meta": json.dumps(dict(self.meta), sort_keys=True),
            "layers": len(self.layers),
        }
        for i, layer in enumerate(self.layers):
            entries |= {f"layer{i}_{suffix}": getattr(layer, suffix) for suffix in ARRAYS}
            entries |= {f"layer{i}_combine": int(layer.combine), f"layer{i}_output": layer.output}
        write_npz(path, entries)

    @classmethod
    def load(cls, path: str | Path) -> Network:
        """Read and check a network file.

        Raises
        ------
        NetworkError
            The file is missing, foreign, truncated, of a newer version, or breaks the format. The message
            names the file, the layer, the key, the value and what is legal.
        """
        entries = read_npz(path, format=FORMAT, version=VERSION, error=NetworkError)
        try:
            return cls._from_entries(entries)
        except NetworkError as error:
            raise NetworkError(f"{path}: {error}") from None

    @classmethod
    def _from_entries(cls, entries: Entries) -> Network:
        try:
            meta = json.loads(entries.text("meta"))
        except json.JSONDecodeError as error:
            raise NetworkError(f"meta is not JSON ({error})") from None
        if not isinstance(meta, dict):
            raise NetworkError(f"meta = {meta!r}: must be a JSON object")
        count = entries.whole("layers")
        if not 1 <= count <= len(entries.arrays):
            raise NetworkError(f"layers = {count}: must be at least 1, every layer with its keys")
        layers = []
        for i in range(count):
            arrays = {suffix: entries.array(f"layer{i}_{suffix}") for suffix in ARRAYS}
            combine = entries.whole(f"layer{i}_combine")
            output = entries.text(f"layer{i}_output")
            try:
                layers.append(Layer(**arrays, combine=combine, output=output))
            except NetworkError as error:
                raise NetworkError(f"layer {i}: {error}") from None
        known = {"format", "version", "name", "meta", "layers"}
        known |= {f"layer{i}_{suffix}" for i in range(count) for suffix in (*ARRAYS, "combine", "output")}
        if unknown := sorted(set(entries.arrays) - known):
            raise NetworkError(f"unknown key {unknown[0]!r} in a file of {count} layers")
        return cls(name=entries.text("name"), layers=tuple(layers), meta=meta)


def _integers(name: str, value: ArrayLike, dtype: str) -> NDArray[Any]:
    """Read-only copy of ``value`` as ``dtype``; values that it does not hold are refused, not wrapped."""
    array = _array(name, value)
    if array.dtype.kind not in "iu":
        raise NetworkError(f"{name} are {array.dtype}: must be integers, stored as {dtype}")
    info = np.iinfo(dtype)
    _check_all(name, array, (array >= info.min) & (array <= info.max), lambda at: f"within {dtype}")
    array = array.astype(dtype)
    array.flags.writeable = False
    return array


def _array(name: str, value: ArrayLike) -> NDArray[Any]:
    """``value`` as an array of numbers, as it is."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise NetworkError(f"{name}: parts of different lengths, must be one array") from None
    if array.dtype.kind == "O":  # numbers beyond 64 bits, None, ...
        odd = next((x for x in array.flat if not isinstance(x, int) or abs(x) >= 1 << 63), array.flat[0])
        raise NetworkError(f"{name} hold {odd!r:.60}: must be numbers within 64 bits")
    if array.dtype.kind not in "iuf":
        raise NetworkError(f"{name} are {array.dtype}: must be integers")
    return array


def _check_signs(name: str, array: NDArray[Any]) -> None:
    _check_all(name, array, np.abs(array) == 1, lambda at: "-1 or +1")


def _check_all(
    name: str, array: NDArray[Any], legal: NDArray[np.bool_], rule: Callable[[tuple[int, ...]], str]
) -> None:
    """Refuse ``array`` unless ``legal`` holds everywhere; the message shows the first offending element."""
    if legal.all():
        return
    at = tuple(int(i) for i in np.argwhere(~legal)[0])
    raise NetworkError(f"{name}[{', '.join(map(str, at))}] = {array[at]}: must be {rule(at)}")
