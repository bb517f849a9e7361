"""A fully connected operation of real weights that the host evaluates: a *host layer*.

Published networks keep their first layer real-valued and their last one exact; neither is a matter of the macro. A host
layer stands first or last, takes no rows of a chip, and its real weights are whole multiples of ``2**-fraction``, so
that it is the same integers everywhere. With ``d = sum_i weights_i * x_i`` over the bipolar inputs ``x_i``:

========  =============================================
output    result
========  =============================================
sign      +1 where ``d >= threshold``, else -1
score     the integer ``d - threshold``; ``2**-fraction`` times it is the real score
========  =============================================

===============  =======  ====================================================
entry of a file  dtype    value
===============  =======  ====================================================
``weights``      int16    (n_out, n_in), the real weights times ``2**fraction``
``thresholds``   int32    (n_out,), in the same steps
``fraction``     int      0..30
``output``       str      ``sign``, or ``score`` in the last operation only
===============  =======  ====================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.model.npz import Entries

from .golden import Forward, Golden
from .operations import NetworkError, Operation, Output, integers

__all__ = ["HostDense", "HostPart", "host_layers"]

ARRAYS = {"weights": "int16", "thresholds": "int32"}
"""Arrays and the type they are kept in."""

MAX_FRACTION = 30
SCORE_LIMIT = 1 << 31
"""A score stays below it, positive or negative."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HostDense:
    """One fully connected layer of real weights. Arrays are copied, converted and made read-only.

    Parameters
    ----------
    weights : int16, (n_out, n_in)
        In steps of ``2**-fraction``.
    thresholds : int32, (n_out,)
        In the same steps.
    fraction : int, 0..30
    output : "sign" or "score"
        Bipolar outputs for a next layer, or integer scores.

    Raises
    ------
    NetworkError
        With the field, the offending value and what is legal.
    """

    kind: ClassVar[str] = "host"

    weights: NDArray[np.int16]
    thresholds: NDArray[np.int32]
    fraction: int
    output: Output

    def __post_init__(self) -> None:
        if self.output not in get_args(Output):
            raise NetworkError(f"output = {self.output!r}: must be 'sign' or 'score'")
        if not 0 <= self.fraction <= MAX_FRACTION:
            raise NetworkError(f"fraction = {self.fraction}: must be from 0 to {MAX_FRACTION}")
        for name, dtype in ARRAYS.items():
            object.__setattr__(self, name, integers(name, getattr(self, name), dtype))
        if self.weights.ndim != 2 or 0 in self.weights.shape:
            raise NetworkError(
                f"weights have shape {self.weights.shape}: must be (n_out, n_in), with at least one of each"
            )
        if self.thresholds.shape != (self.n_out,):
            raise NetworkError(
                f"thresholds have shape {self.thresholds.shape}: must be {(self.n_out,)}, one per neuron"
            )
        largest = np.abs(self.weights.astype(np.int64)).sum(axis=1) + np.abs(self.thresholds.astype(np.int64))
        if largest.max() >= SCORE_LIMIT:
            raise NetworkError(
                f"neuron {largest.argmax()}: its score reaches {largest.max()}: must stay below {SCORE_LIMIT}"
            )

    @property
    def n_in(self) -> int:
        """Inputs of the layer."""
        return self.weights.shape[1]

    @property
    def n_out(self) -> int:
        """Neurons of the layer."""
        return self.weights.shape[0]

    def entries(self) -> dict[str, ArrayLike]:
        """What a file holds of it."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        return {**arrays, "fraction": self.fraction, "output": self.output}

    @classmethod
    def from_entries(cls, entries: Entries, prefix: str) -> Self:
        """Read it from a file's entries; ``NetworkError`` with the key, the value and what is legal."""
        arrays = {name: entries.array(prefix + name) for name in ARRAYS}
        fraction, output = entries.whole(f"{prefix}fraction"), entries.text(f"{prefix}output")
        return cls(**arrays, fraction=fraction, output=output)  # type: ignore[arg-type]  # checked there


@dataclass(frozen=True, kw_only=True, eq=False)
class HostPart:
    """Host layers in a row, before or behind those of the chip; there may be none.

    Parameters
    ----------
    operations : sequence of Operation
        All of kind ``host``.
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
    return [
        f"operation {i}: {o.n_in} inputs, {o.n_out} {'scores' if o.output == 'score' else 'signs'}, weights in steps "
        f"of 2^-{o.fraction}"
        for i, o in enumerate(operations)
        if isinstance(o, HostDense)
    ]
