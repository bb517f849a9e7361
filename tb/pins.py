"""Pins of the device under test, read and written without building a `LogicArray` each time.

A `Pin` reaches the simulator through the handle's string and integer calls. For the wide pins (a column
vector has hundreds of bits) this is several times faster than ``handle.value``; for single bits about twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Pin", "bits_of", "pin_of", "string_of"]

_DEPOSIT = 0  # cocotb.handle._GPISetAction.DEPOSIT


def bits_of(text: str) -> np.ndarray:
    """Bits of a binary string as the simulator gives it, least significant first.

    Returns
    -------
    ndarray of uint8, shape (len(text),)

    Raises
    ------
    ValueError
        If a bit is X or Z.
    """
    bits = np.frombuffer(text.encode(), np.uint8)[::-1] - 48
    if bits.size and bits.max() > 1:
        raise ValueError("X or Z bit")
    return bits


def string_of(bits: np.ndarray) -> str:
    """Binary string of ``bits``, least significant first in, most significant first out."""
    return (np.asarray(bits, np.uint8)[::-1] + 48).tobytes().decode()


class Pin:
    """One port or variable.

    Parameters
    ----------
    handle : cocotb handle
        Logic or packed logic array.
    """

    __slots__ = ("_get", "_set", "_set_int", "handle", "name", "width")

    def __init__(self, handle: Any):
        self.handle = handle
        raw = handle._handle
        self.name = handle._name
        self.width = len(handle)
        self._get = raw.get_signal_val_binstr
        self._set = raw.set_signal_val_binstr
        self._set_int = raw.set_signal_val_int

    def text(self) -> str:
        """Value as a binary string, most significant bit first; may hold x and z."""
        return self._get()

    def bits(self) -> np.ndarray:
        """Value as uint8 bits, least significant first; ``ValueError`` if any is X."""
        return bits_of(self._get())

    def signed(self) -> int:
        """Two's complement value; ``ValueError`` if any bit is X or Z."""
        value = int(self._get(), 2)
        return value - (1 << self.width) if value >> (self.width - 1) else value

    def set(self, value: int) -> None:
        """Write an unsigned value."""
        if self.width <= 31:
            self._set_int(_DEPOSIT, value)
        else:
            self._set(_DEPOSIT, f"{value:0{self.width}b}")

    def set_text(self, text: str) -> None:
        """Write a binary string, which may hold x and z (Verilator takes them as 0)."""
        self._set(_DEPOSIT, text)

    def set_bits(self, bits: np.ndarray) -> None:
        """Write bits, least significant first."""
        self._set(_DEPOSIT, string_of(bits))

    # last in the class: below it, its name hides the type
    def int(self) -> int:
        """Unsigned value; ``ValueError`` if any bit is X or Z."""
        return int(self._get(), 2)


def pin_of(scope: Any, name: str) -> Pin:
    """Pin ``name`` of a module instance, at any depth.

    Raises
    ------
    ValueError
        The simulator shows none of that name there.
    """
    try:
        handle = getattr(scope, name)
    except AttributeError:
        where = getattr(scope, "_path", scope)
        raise ValueError(
            f"{where} has no pin {name!r}: must be the instance of a controller (for its inputs, of a macro), with the "
            "documented port names; Verilator shows public signals only (--public-flat-rw, as cocotb's flows build)"
        ) from None
    return Pin(handle)
