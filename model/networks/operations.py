"""What a network is made of: operations, each from one vector of values to the next.

An operation takes a vector for every image of a batch and gives one. Bits are 1 = +1 and 0 = -1; a map of
several dimensions travels flattened, row by row, channel last. What an operation *means* stands in its own module
(``dense.py``); what it computes bit for bit in ``golden.py``; how it becomes row reads of a chip in
``model/mapping``. A new kind of operation is a class with the members of :class:`Operation`, a place in
``network.KINDS``, an evaluation in ``golden`` and a plan in ``mapping.lowering``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.model.npz import Entries

__all__ = ["NetworkError", "Operation", "Output", "check_all", "check_signs", "integers", "numbers"]

Output = Literal["sign", "score"]
"""What an operation gives: bits for the next one, or integer scores."""


class NetworkError(ValueError):
    """A network or its file breaks the format; the message names the place and what is legal."""


class Operation(Protocol):
    """One step of a network.

    Members
    -------
    kind : str
        Its name in files, in messages and in ``golden``.
    n_in, n_out : int
        Values that it takes and gives for each image.
    output : "sign" or "score"
    """

    kind: ClassVar[str]

    @property
    def n_in(self) -> int: ...

    @property
    def n_out(self) -> int: ...

    @property
    def output(self) -> Output: ...

    def entries(self) -> Mapping[str, ArrayLike]:
        """What a file holds of it, by the names in the operation's own table."""
        ...

    @classmethod
    def from_entries(cls, entries: Entries, prefix: str) -> Self:
        """Read it from the keys ``prefix + name``; ``NetworkError`` with the key and what is legal."""
        ...


def integers(name: str, value: ArrayLike, dtype: str) -> NDArray[Any]:
    """Read-only copy of ``value`` as ``dtype``; values that it does not hold are refused, not wrapped."""
    array = numbers(name, value)
    if array.dtype.kind not in "iu":
        raise NetworkError(f"{name} are {array.dtype}: must be integers, stored as {dtype}")
    info = np.iinfo(dtype)
    check_all(name, array, (array >= info.min) & (array <= info.max), lambda at: f"within {dtype}")
    array = array.astype(dtype)
    array.flags.writeable = False
    return array


def numbers(name: str, value: ArrayLike) -> NDArray[Any]:
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


def check_signs(name: str, array: NDArray[Any]) -> None:
    """Refuse ``array`` unless it holds -1 and +1 alone."""
    check_all(name, array, np.abs(array) == 1, lambda at: "-1 or +1")


def check_all(
    name: str, array: NDArray[Any], legal: NDArray[np.bool_], rule: Callable[[tuple[int, ...]], str]
) -> None:
    """Refuse ``array`` unless ``legal`` holds everywhere; the message shows the first offending element."""
    if legal.all():
        return
    at = tuple(int(i) for i in np.argwhere(~legal)[0])
    raise NetworkError(f"{name}[{', '.join(map(str, at))}] = {array[at]}: must be {rule(at)}")
