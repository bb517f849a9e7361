"""A binary convolution over a map, with OR-pooling behind it.

A map is a vector of bits, row by row, channel last: bit ``(y*width + x)*channels + c``. A filter sees windows of
``kernel * kernel`` pixels, each as a vector in the same order; padding is bit 0 (-1). What a filter computes on a
window is what a neuron of the dense operation ``window`` computes on its inputs. Pooling takes the OR over windows of
``pool * pool`` positions side by side; positions that fill no pooling window are not computed.

=======================  =======  ====================================================
entry of a file          dtype    value
=======================  =======  ====================================================
``width``, ``height``    int      pixels of the map that comes in
``channels``             int      bits of a pixel
``kernel``, ``stride``   int      window and step, in pixels
``padding``              int      pixels of bit 0 round the map
``pool``                 int      pooling window and step, 1: none
``window_{entry}``                the entries of the dense operation, see ``dense.py``
=======================  =======  ====================================================
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import ClassVar, Self

from numpy.typing import ArrayLike

from bridgebnn.hdl.spec import MapWalk
from bridgebnn.model.npz import Entries

from .dense import Dense
from .operations import NetworkError, Output

__all__ = ["Convolution"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution:
    """One convolutional layer of binary weights.

    Parameters
    ----------
    window : Dense
        A filter per neuron: ``n_in`` is ``kernel * kernel * channels``, weights row by row, channel last. Its output is
        "sign".
    width, height : int, 1..1023
    channels : int, 1..4095
    kernel, stride, pool : int, 1..15
    padding : int, 0..15

    Raises
    ------
    NetworkError
        With the offending value and what is legal.
    """

    kind: ClassVar[str] = "convolution"

    window: Dense
    width: int
    height: int
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    pool: int = 1

    def __post_init__(self) -> None:
        try:
            walk = self.walk
        except ValueError as error:
            raise NetworkError(str(error)) from None
        if self.window.n_in != walk.window_bits:
            raise NetworkError(
                f"window has {self.window.n_in} inputs: must be {walk.window_bits}, {self.kernel} x {self.kernel} "
                f"pixels of {self.channels} channels"
            )
        if self.window.output != "sign":
            raise NetworkError(f"window gives {self.window.output!r}: must be 'sign'")

    @cached_property
    def walk(self) -> MapWalk:
        """How the windows go over the map."""
        return MapWalk.convolution(**self._shape())

    def _shape(self) -> dict[str, int]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "window"}

    @property
    def n_in(self) -> int:
        """Bits of the map that comes in."""
        return self.walk.map_bits

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
        return {**self._shape(), **{f"window_{name}": value for name, value in self.window.entries().items()}}

    @classmethod
    def from_entries(cls, entries: Entries, prefix: str) -> Self:
        """Read it from a file's entries; ``NetworkError`` with the key, the value and what is legal."""
        shape = {f.name: entries.whole(prefix + f.name) for f in fields(cls) if f.name != "window"}
        return cls(window=Dense.from_entries(entries, f"{prefix}window_"), **shape)
