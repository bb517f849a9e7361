"""How grey or colour values become the bits that a network takes: its *input encoding*, kept in its file.

Images are whole numbers 0..255, in the order row, column, channel. With ``L`` thresholds ``t_0 < t_1 < ...`` every
value becomes ``L`` bits side by side, bit ``l`` is 1 where ``value >= t_l``: one threshold binarizes, several make
the *thermometer code* of each channel. So channel ``c`` of a pixel becomes channels ``c*L .. c*L + L-1`` of the map
that the first operation reads. Without thresholds the values are the network's bits already.

====================  =======  =======================================================================
entry of a file       dtype    value
====================  =======  =======================================================================
``input_shape``       int32    (pixels,), (height, width) or (height, width, channels) of an image
``input_thresholds``  int32    (L,), rising, each 0..256 (never 0: always 0, 256); none: values are bits
``input_planes``      int      8, without thresholds: values as they are; left out: 0
====================  =======  =======================================================================

All are left out together by older files: one threshold of 128 then.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.model.npz import Entries

from .operations import NetworkError, Operation, check_all, integers

__all__ = ["DEFAULT", "RULES", "VALUE_BITS", "Encoding", "parse_rule"]

VALUE_BITS = 8
"""Bits of a value that enters as it is."""

DEFAULT = (128,)
"""Thresholds where a file has none: the rule of the networks that come with the package."""

RULES = "bits, threshold, threshold:T, thermometer:LEVELS or thermometer:T,T,..."
"""What `parse_rule` takes."""


def parse_rule(text: str) -> tuple[int, ...]:
    """Thresholds of a rule in words.

    ``bits``: none; ``threshold``: 128; ``threshold:100``: that one; ``thermometer:3``: so many, evenly spaced over
    0..256, here 64, 128, 192; ``thermometer:20,100,200``: these.

    Raises
    ------
    ValueError
        Not of this form, or thresholds that do not rise within 0..256.
    """
    if text == "bits":
        return ()
    if text == "threshold":
        return DEFAULT
    found = re.fullmatch(r"(threshold|thermometer):(\d{1,3}(?:,\d{1,3})*)", text)
    numbers = tuple(int(part) for part in found[2].split(",")) if found else ()
    if found is None or (found[1] == "threshold" and len(numbers) != 1):
        raise ValueError(f"binarize = {text!r}: must be {RULES}")
    if found[1] == "thermometer" and len(numbers) == 1:
        levels = numbers[0]
        if not 1 <= levels <= 255:
            raise ValueError(f"binarize = {text!r}: must have from 1 to 255 levels")
        numbers = tuple(256 * (level + 1) // (levels + 1) for level in range(levels))
    _check_thresholds(numbers)
    return numbers


def _check_thresholds(thresholds: Sequence[int]) -> None:
    rises = all(a < b for a, b in pairwise(thresholds))
    if not rises or not all(0 <= t <= 256 for t in thresholds):
        raise NetworkError(
            f"input thresholds {', '.join(map(str, thresholds))}: must rise, each from 0 to 256"
        )


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """From the values of an image to the bits of a network.

    Parameters
    ----------
    shape : tuple of int
        Of an image: (pixels,), (height, width) or (height, width, channels), each at least 1.
    thresholds : tuple of int
        Rising, each 0..256; none where the values are bits, or enter as they are.
    planes : int
        8 where values enter as they are, 0 otherwise.

    Raises
    ------
    NetworkError
        With the offending value and what is legal.
    """

    shape: tuple[int, ...]
    thresholds: tuple[int, ...] = DEFAULT
    planes: int = 0

    def __post_init__(self) -> None:
        for name in ("shape", "thresholds"):
            object.__setattr__(self, name, tuple(int(value) for value in getattr(self, name)))
        if not 1 <= len(self.shape) <= 3 or min(self.shape) < 1:
            raise NetworkError(
                f"input shape {self.shape}: must be (pixels,), (height, width) or (height, width, channels)"
            )
        _check_thresholds(self.thresholds)
        if self.planes not in (0, VALUE_BITS) or (self.planes and self.thresholds):
            raise NetworkError(
                f"input planes {self.planes} with {len(self.thresholds)} thresholds: must be 0, or "
                f"{VALUE_BITS} without any"
            )

    @classmethod
    def of(cls, operation: Operation, thresholds: Sequence[int] = DEFAULT) -> Self:
        """The encoding that fits a network's first operation, a map or a vector.

        Raises
        ------
        NetworkError
            Its channels, or inputs, are no multiple of the levels.
        """
        levels = max(1, len(thresholds))
        size = [getattr(operation, name, 0) for name in ("height", "width", "channels")]
        shape = size if all(size) else [operation.n_in]
        if shape[-1] % levels:
            what = "channels" if all(size) else "inputs"
            raise NetworkError(
                f"{shape[-1]} {what} come of no thermometer code of {levels} levels: no multiple"
            )
        return cls(shape=(*shape[:-1], shape[-1] // levels), thresholds=tuple(thresholds))

    @property
    def levels(self) -> int:
        """Bits of a value."""
        return self.planes or max(1, len(self.thresholds))

    @property
    def takes_bits(self) -> bool:
        """Whether the values are bits already."""
        return not self.thresholds and not self.planes

    @property
    def n_bits(self) -> int:
        """Bits of an image."""
        return math.prod(self.shape) * self.levels

    @property
    def rule(self) -> str:
        """The thresholds in words, as `parse_rule` takes them; ``values`` where values enter as they are."""
        if self.planes:
            return "values"
        if not self.thresholds:
            return "bits"
        if len(self.thresholds) == 1:
            return f"threshold:{self.thresholds[0]}"
        return f"thermometer:{','.join(map(str, self.thresholds))}"

    def check(self, operation: Operation) -> None:
        """Refuse the encoding where the first operation takes other bits, or a map of another shape."""
        if self.n_bits != operation.n_in:
            raise NetworkError(
                f"input shape {self.shape} with {self.rule}: {self.n_bits} bits, but operation 0 takes {operation.n_in}"
            )
        taken = tuple(getattr(operation, name, 0) for name in ("height", "width", "channels"))
        if len(self.shape) > 1 and all(taken):
            height, width, channels = (*self.shape, 1)[:3]
            given = height, width, channels * self.levels
            if given != taken:
                raise NetworkError(
                    f"input shape {self.shape} with {self.rule}: a map of {given}, but operation 0 takes "
                    f"one of {taken} (height, width, channels)"
                )

    def __call__(self, images: ArrayLike) -> NDArray[np.uint8]:
        """Bits of images.

        Parameters
        ----------
        images : integers 0..255 (0 and 1 where they are bits), (count, *shape)
            A channel of one may be left out or added, and a flat (count, pixels) is taken in row-major order.

        Returns
        -------
        uint8 in {0, 1}, (count, n_bits)

        Raises
        ------
        NetworkError
            Another shape, or values out of range.
        """
        array = np.asarray(images)
        flat = math.prod(self.shape)
        core = self.shape[:-1] if len(self.shape) > 1 and self.shape[-1] == 1 else self.shape
        legal: set[tuple[int, ...]] = {core, (*core, 1), (flat,)} if len(core) > 1 else {(flat,)}
        if len(core) == 2:
            legal.add((1, *core))  # channel first, of one channel
        if len(self.shape) == 1 and array.ndim > 1 and math.prod(array.shape[1:]) == flat:
            legal.add(array.shape[1:])
        if array.shape[1:] not in legal or array.ndim < 2:
            wanted = " x ".join(map(str, self.shape))
            raise NetworkError(
                f"images of shape {array.shape}: must be (count, ...) with {wanted} values an image, row by row, "
                "channel last"
            )
        if array.dtype.kind not in "biu":
            raise NetworkError(f"images are {array.dtype}: must be whole numbers")
        values = array.reshape(len(array), flat)
        if array.dtype != np.uint8 or self.takes_bits:
            top = 1 if self.takes_bits else 255
            values = values.astype(np.int64) if array.dtype.kind == "b" else values
            check_all("images", values, (values >= 0) & (values <= top), lambda at: f"from 0 to {top}")
        if self.planes:
            return np.unpackbits(values.astype(np.uint8), axis=1, bitorder="little")
        if not self.thresholds:
            return values.astype(np.uint8)
        bits = np.empty((*values.shape, len(self.thresholds)), np.uint8)
        for level, threshold in enumerate(self.thresholds):
            bits[..., level] = values >= threshold
        return bits.reshape(len(values), -1)

    def entries(self) -> dict[str, ArrayLike]:
        """What a file holds of it."""
        return {
            "input_shape": np.array(self.shape, np.int32),
            "input_thresholds": np.array(self.thresholds, np.int32),
            **({"input_planes": self.planes} if self.planes else {}),
        }

    @classmethod
    def from_entries(cls, entries: Entries) -> Self | None:
        """Read it from a file's entries; None where it has none. ``NetworkError`` with the key and what is legal."""
        if "input_shape" not in entries.arrays and "input_thresholds" not in entries.arrays:
            return None
        found: dict[str, NDArray[Any]] = {}
        for name in ("input_shape", "input_thresholds"):
            found[name] = integers(name, entries.array(name), "int32")
            if found[name].ndim != 1:
                raise NetworkError(f"{name} of shape {found[name].shape}: must have one dimension")
        planes = entries.whole("input_planes") if "input_planes" in entries.arrays else 0
        return cls(
            shape=tuple(found["input_shape"]), thresholds=tuple(found["input_thresholds"]), planes=planes
        )
