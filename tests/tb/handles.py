"""Stand-ins for a simulator's handles and triggers: pins that hold text, reactions that a test steps by hand."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import numpy as np

__all__ = ["Context", "FakeDut", "Handle", "Trigger", "step"]


class Handle:
    """One port: what `bridgebnn.tb.pins.Pin` asks of a handle, and a value."""

    def __init__(self, name: str, width: int, text: str | None = None):
        self._name, self._width = name, width
        self.text = text or "0" * width
        self._handle = self

    def __len__(self) -> int:
        return self._width

    def get_signal_val_binstr(self) -> str:
        return self.text

    def set_signal_val_binstr(self, action: int, text: str) -> None:
        assert len(text) == self._width, (self._name, text)
        self.text = text

    def set_signal_val_int(self, action: int, value: int) -> None:
        self.text = f"{value:0{self._width}b}"

    @property
    def value(self) -> str:
        return self.text


class FakeDut:
    """Ports by name; a test sets them as numbers, bits or text."""

    def __init__(self, **widths: int):
        self._ports = {name: Handle(name, width) for name, width in widths.items()}

    def __getattr__(self, name: str) -> Handle:
        try:
            return self.__dict__["_ports"][name]
        except KeyError:
            raise AttributeError(name) from None

    def put(self, **values: int | str | np.ndarray) -> None:
        for name, value in values.items():
            handle = self._ports[name]
            if isinstance(value, str):
                handle.text = value
            elif isinstance(value, np.ndarray):
                handle.text = "".join(str(int(bit)) for bit in value[::-1])
            else:
                handle.text = f"{value & (1 << len(handle)) - 1:0{len(handle)}b}"


class Trigger:
    """A stand-in for any trigger: yields itself to whoever steps the reaction."""

    def __init__(self, kind: str, of: Any = None):
        self.kind, self.of = kind, getattr(of, "_name", of)

    def __await__(self) -> Any:
        yield self

    def __repr__(self) -> str:
        return f"{self.kind}({self.of})"


def step(reaction: Coroutine[Any, Any, Any]) -> str:
    """Let a reaction go on to its next trigger; that trigger as text."""
    return repr(reaction.send(None))


class Context:
    """The least `MacroContext`."""

    def __init__(self, dut: FakeDut, geometry: Any):
        self.dut, self.geometry = dut, geometry
        self.period_ns, self.seed, self.two_state, self.in_reset = 20.0, 1, False, False
        self.spawned: list[Coroutine[Any, Any, None]] = []

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.spawned.append(coroutine)
