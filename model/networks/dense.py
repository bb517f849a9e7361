"""A fully connected operation of binary weights.

Its inputs fall into contiguous *groups*; one analog neuron sees one group. With ``d_g`` the dot product of group
``g``:

==========  ==================================================================================
            result
==========  ==================================================================================
ADD sign    +1 where ``polarity * (d - threshold) >= 0``, else -1, with ``d`` the sum of all ``d_g``
ADD score   the integer ``polarity * (d - threshold)``
VOTE sign   ``s_g`` = +1 where ``polarity_g * (d_g - threshold_g) >= 0``, else -1; +1 where the sum of
            the ``s_g`` is >= 0 (a tie is +1), else -1
VOTE score  the integer sum of the ``s_g``
==========  ==================================================================================

A threshold lies within +-(n + 1), with n the inputs it is compared over: the group for VOTE, the layer for
ADD. The dot product cannot exceed n, so both ends make the neuron constant and nothing further is needed.

===============  =======  ====================================================
entry of a file  dtype    value
===============  =======  ====================================================
``weights``      int8     (n_out, n_in), each -1 or +1
``thresholds``   int32    VOTE: (n_groups, n_out); ADD: (1, n_out)
``polarity``     int8     shape of the thresholds, each -1 or +1
``group_sizes``  int32    (n_groups,), each at least 1, sum n_in
``combine``      int      0 = ADD, 1 = VOTE (``bridgebnn.hdl.spec.Combine``)
``output``       str      ``sign``, or ``score`` in the last operation only
===============  =======  ====================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.npz import Entries

from .operations import NetworkError, Output, check_all, check_signs, integers, numbers

__all__ = ["Dense"]

ARRAYS = {"weights": "int8", "thresholds": "int32", "polarity": "int8", "group_sizes": "int32"}
"""Arrays and the type they are kept in."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense:
    """One fully connected layer of binary weights. Arrays are copied, converted and made read-only.

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

    kind: ClassVar[str] = "dense"

    weights: NDArray[np.int8]
    thresholds: NDArray[Any]
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
            object.__setattr__(self, name, integers(name, getattr(self, name), ARRAYS[name]))
        object.__setattr__(self, "thresholds", numbers("thresholds", self.thresholds))
        self._check_shapes()
        check_signs("weights", self.weights)
        check_signs("polarity", self.polarity)
        limit = self.group_sizes[:, None] + 1 if self.combine is Combine.VOTE else np.array([[self.n_in + 1]])
        limit = np.broadcast_to(limit, self.thresholds.shape)
        check_all(
            "thresholds",
            self.thresholds,
            (self.thresholds >= -limit) & (self.thresholds <= limit),  # NaN is neither
            lambda at: f"from {-limit[at]} to {limit[at]}, enough for {limit[at] - 1} inputs",
        )
        object.__setattr__(self, "thresholds", integers("thresholds", self._whole_thresholds(), "int32"))

    def _whole_thresholds(self) -> NDArray[Any]:
        """Real thresholds rounded to where no bit changes: ``d >= t`` is ``d >= ceil(t)``, ``d <= t`` is floor's."""
        real = self.thresholds
        if real.dtype.kind != "f":
            return real
        if self.output == "score" and self.combine is Combine.ADD:
            check_all(
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
        check_all("group_sizes", self.group_sizes, self.group_sizes >= 1, lambda at: "at least 1")
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

    def entries(self) -> dict[str, ArrayLike]:
        """What a file holds of it."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        return {**arrays, "combine": int(self.combine), "output": self.output}

    @classmethod
    def from_entries(cls, entries: Entries, prefix: str) -> Self:
        """Read it from a file's entries; ``NetworkError`` with the key, the value and what is legal."""
        arrays = {name: entries.array(prefix + name) for name in ARRAYS}
        combine, output = entries.whole(f"{prefix}combine"), entries.text(f"{prefix}output")
        return cls(**arrays, combine=combine, output=output)  # type: ignore[arg-type]  # checked there
