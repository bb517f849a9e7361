"""Operations of real weights that the host evaluates: *host layers*, fully connected or convolutional.

Published networks keep their first layer real-valued and their last one exact; neither is a matter of the macro. A host
layer stands first or last, takes no rows of a chip, and its real weights are whole multiples of ``2**-fraction``, so
that it is the same integers everywhere.

It reads values of ``planes`` bits, least significant first: ``u = sum_j 2**j * x_j`` over the bipolar bits ``x_j``, so
one bit is -1 or +1, and the 8 bits of a pixel ``v`` of 0..255 are ``2*v - 255``. With ``d = sum_i weights_i * u_i``:

========  =============================================
output    result
========  =============================================
sign      +1 where ``d >= threshold``, else -1
score     the integer ``d - threshold``; ``2**-fraction`` times it is the real score
========  =============================================

===============  ================  ==============================================================
entry of a file  dtype             value
===============  ================  ==============================================================
``weights``      int16, 32 or 64   (n_out, values), the real weights times ``2**fraction``
``thresholds``   int32 or 64       (n_out,), in the same steps
``fraction``     int               -64..1074
``planes``       int               1 or 8; left out: 1
``output``       str               ``sign``, or ``score`` in the last operation only
===============  ================  ==============================================================

A convolution (kind ``host_convolution``) has the entries of a map (``convolution.py``; ``channels`` in bits), ``pad``,
the value round the map, and those above as ``window_{entry}``; its output is ``sign``, OR where it is pooled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import MapWalk
from bridgebnn.model.npz import Entries

from .encoding import VALUE_BITS
from .golden import Forward, Golden
from .operations import NetworkError, Operation, Output, integers

__all__ = ["REACH", "HostConvolution", "HostDense", "HostPart", "host_layers", "is_host"]

ARRAYS = {"weights": ("int16", "int32", "int64"), "thresholds": ("int32", "int64")}
"""Arrays and the types that a file keeps them in, the narrowest that holds them."""

FRACTIONS = (-64, 1074)
"""Least and greatest; 2**-1074 is the least float64."""

REACH = 1 << 52
"""What a neuron adds up stays below it, positive or negative: exact in float64 in whatever order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HostDense:
    """One fully connected layer of real weights. Arrays are copied, converted and made read-only.

    Parameters
    ----------
    weights : int64, (n_out, values)
        In steps of ``2**-fraction``.
    thresholds : int64, (n_out,)
        In the same steps.
    fraction : int, -64..1074
    output : "sign" or "score"
        Bipolar outputs for a next layer, or integer scores.
    planes : int, 1 or 8
        Bits of a value that comes in.

    Raises
    ------
    NetworkError
        With the field, the offending value and what is legal.
    """

    kind: ClassVar[str] = "host"

    weights: NDArray[np.int64]
    thresholds: NDArray[np.int64]
    fraction: int
    output: Output
    planes: int = 1

    def __post_init__(self) -> None:
        if self.output not in get_args(Output):
            raise NetworkError(f"output = {self.output!r}: must be 'sign' or 'score'")
        low, high = FRACTIONS
        if not low <= self.fraction <= high:
            raise NetworkError(f"fraction = {self.fraction}: must be from {low} to {high}")
        if self.planes not in (1, VALUE_BITS):
            raise NetworkError(f"planes = {self.planes}: must be 1 or {VALUE_BITS}")
        for name, dtypes in ARRAYS.items():
            object.__setattr__(self, name, integers(name, getattr(self, name), dtypes[-1]))
        if self.weights.ndim != 2 or 0 in self.weights.shape:
            raise NetworkError(
                f"weights have shape {self.weights.shape}: must be (n_out, n_in), with at least one of each"
            )
        if self.thresholds.shape != (self.n_out,):
            raise NetworkError(
                f"thresholds have shape {self.thresholds.shape}: must be {(self.n_out,)}, one per neuron"
            )
        # in float64, where nothing wraps; far below a step of rounding at the limit
        largest = np.abs(self.weights.astype(np.float64)).sum(axis=1) * self.top
        largest += np.abs(self.thresholds.astype(np.float64))
        if largest.max() >= REACH:
            raise NetworkError(
                f"neuron {largest.argmax()}: its score reaches {largest.max():.0f}: must stay below {REACH}"
            )

    @property
    def top(self) -> int:
        """Greatest value that comes in; the least is minus that."""
        return (1 << self.planes) - 1

    @property
    def n_in(self) -> int:
        """Bits that the layer takes."""
        return self.weights.shape[1] * self.planes

    @property
    def n_out(self) -> int:
        """Neurons of the layer."""
        return self.weights.shape[0]

    def entries(self) -> dict[str, ArrayLike]:
        """What a file holds of it."""
        arrays = {name: _narrow(getattr(self, name), dtypes) for name, dtypes in ARRAYS.items()}
        planes = {"planes": self.planes} if self.planes != 1 else {}
        return {**arrays, "fraction": self.fraction, "output": self.output, **planes}

    @classmethod
    def from_entries(cls, entries: Entries, prefix: str) -> Self:
        """Read it from a file's entries; ``NetworkError`` with the key, the value and what is legal."""
        arrays = {name: entries.array(prefix + name) for name in ARRAYS}
        fraction, output = entries.whole(f"{prefix}fraction"), entries.text(f"{prefix}output")
        planes = entries.whole(f"{prefix}planes") if f"{prefix}planes" in entries.arrays else 1
        return cls(**arrays, fraction=fraction, output=output, planes=planes)  # type: ignore[arg-type]  # checked there


def _narrow(array: NDArray[np.int64], dtypes: Sequence[str]) -> NDArray[Any]:
    """The array in the narrowest of ``dtypes`` that holds it."""
    fits = (d for d in dtypes if np.iinfo(d).min <= array.min() and array.max() <= np.iinfo(d).max)
    return array.astype(next(fits))


@dataclass(frozen=True, kw_only=True, eq=False)
class HostConvolution:
    """One convolutional layer of real weights, with OR-pooling behind it.

    Parameters
    ----------
    window : HostDense
        A filter per neuron over ``kernel * kernel * channels`` bits, row by row, channel last. Its output is "sign".
    width, height : int, 1..1023
        Of the map that comes in.
    channels : int, 1..4095
        Bits of a pixel: ``planes`` of each of its values.
    kernel, stride, pool : int, 1..15
    padding : int, 0..15
    pad : int, -window.top..window.top
        The value ``u`` round the map.

    Raises
    ------
    NetworkError
        With the offending value and what is legal.
    """

    kind: ClassVar[str] = "host_convolution"

    window: HostDense
    width: int
    height: int
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    pool: int = 1
    pad: int = 0

    def __post_init__(self) -> None:
        if self.channels % self.window.planes:
            raise NetworkError(
                f"channels = {self.channels}: must be a multiple of {self.window.planes}, the bits of a value"
            )
        try:
            walk = self.walk
        except ValueError as error:
            raise NetworkError(str(error)) from None
        if self.window.weights.shape[1] != walk.window_bits:
            raise NetworkError(
                f"window has {self.window.weights.shape[1]} values: must be {walk.window_bits}, {self.kernel} x "
                f"{self.kernel} pixels of {walk.channels}"
            )
        if self.window.output != "sign":
            raise NetworkError(f"window gives {self.window.output!r}: must be 'sign'")
        if abs(self.pad) > self.window.top:
            raise NetworkError(f"pad = {self.pad}: must be from {-self.window.top} to {self.window.top}")

    @cached_property
    def walk(self) -> MapWalk:
        """How the windows go over the map of values."""
        shape = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("window", "pad")}
        return MapWalk.convolution(**{**shape, "channels": self.channels // self.window.planes})

    @property
    def n_in(self) -> int:
        """Bits of the map that comes in."""
        return self.width * self.height * self.channels

    @property
    def n_out(self) -> int:
        """Bits of the map that goes out."""
        return self.walk.out_width * self.walk.out_height * self.window.n_out

    @property
    def output(self) -> Output:
        """Always "sign"."""
        return "sign"

    def entries(self) -> dict[str, ArrayLike]:
        """What a file holds of it."""
        shape = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "window"}
        return {**shape, **{f"window_{name}": value for name, value in self.window.entries().items()}}

    @classmethod
    def from_entries(cls, entries: Entries, prefix: str) -> Self:
        """Read it from a file's entries; ``NetworkError`` with the key, the value and what is legal."""
        shape = {f.name: entries.whole(prefix + f.name) for f in fields(cls) if f.name != "window"}
        return cls(window=HostDense.from_entries(entries, f"{prefix}window_"), **shape)


def is_host(operation: Operation) -> bool:
    """Whether the host evaluates an operation."""
    return isinstance(operation, (HostDense, HostConvolution))


@dataclass(frozen=True, kw_only=True, eq=False)
class HostPart:
    """Host layers in a row, before or behind those of the chip; there may be none.

    Parameters
    ----------
    operations : sequence of Operation
        All host layers.
    """

    operations: Sequence[Operation]

    def __bool__(self) -> bool:
        return bool(self.operations)

    @cached_property
    def _golden(self) -> Golden:
        return Golden(self)

    def bits(self, bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bits that the last layer gives, which gives signs; ``bits`` themselves where there is no layer."""
        return self._golden(bits).hidden[-1] if self else bits

    def __call__(self, bits: NDArray[np.uint8]) -> Forward:
        """Results of the layers, of which there is at least one, for bits (batch, n_in)."""
        return self._golden(bits)


def host_layers(operations: Sequence[Operation]) -> list[str]:
    """The host layers among a network's operations, in a few words each, for reports."""
    return [f"operation {i}: {_words(o)}" for i, o in enumerate(operations) if is_host(o)]


def _words(operation: Operation) -> str:
    if isinstance(operation, HostConvolution):
        walk, window = operation.walk, operation.window
        taken = (
            f"{window.n_out} filters of {walk.kernel} x {walk.kernel} over {operation.height} x {operation.width} "
            f"pixels, {walk.channels} of {window.planes} bit{'s' * (window.planes > 1)} each"
        )
    else:
        assert isinstance(operation, HostDense)
        window = operation
        values = window.weights.shape[1]
        taken = f"{values} inputs{f' of {window.planes} bits' if window.planes > 1 else ''}, {window.n_out} "
        taken += "scores" if window.output == "score" else "signs"
    return f"{taken}, weights in steps of 2^{-window.fraction}"
