"""What agents and monitors need of the testbench around them, and of the chip that they play.

``bridgebnn.tb.env.Env`` is a `MacroContext`, and ``bridgebnn.model.macro.array.Array`` a `MacroModel`; a testbench of
one's own, or a test without a simulator, brings whatever has these members.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

import numpy as np

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide, VerifyRef

__all__ = ["Dut", "MacroContext", "MacroModel"]


class Dut(Protocol):
    """A design under test: its ports and variables are attributes, each a handle of the simulator."""

    def __getattr__(self, name: str, /) -> Any: ...


class MacroContext(Protocol):
    """The testbench around one macro.

    Members
    -------
    dut : Dut
    geometry : Geometry
    period_ns : float
        Clock period.
    seed : int
        Of everything random in the testbench.
    two_state : bool
        X cannot be driven: what nobody may look at gets random bits.
    in_reset : bool
        The controller is in reset now; its pins may move.
    """

    @property
    def dut(self) -> Dut: ...

    @property
    def geometry(self) -> Geometry: ...

    @property
    def period_ns(self) -> float: ...

    @property
    def seed(self) -> int: ...

    @property
    def two_state(self) -> bool: ...

    @property
    def in_reset(self) -> bool: ...

    def spawn(self, coroutine: Coroutine[Any, Any, None], /) -> None:
        """Run beside the test; what it raises ends the test with that error."""
        ...


class MacroModel(Protocol):
    """What plays the macro behind the pins, strobe by strobe; the methods are those of ``Array``."""

    @property
    def geometry(self) -> Geometry: ...

    def pulse(
        self,
        tile: int,
        row: int,
        columns: np.ndarray,
        op: ProgOp,
        side: ProgSide,
        wl_level: int,
        prog_level: int,
        width_s: float,
    ) -> None: ...

    def verify(
        self, tile: int, row: int, columns: np.ndarray, side: ProgSide, ref: VerifyRef, margin: float = 1.0
    ) -> np.ndarray: ...

    def begin_read(self, tiles: list[int], row: int) -> None: ...

    def source_lines(self, tile: int, row: int, bl: np.ndarray, col_en: np.ndarray) -> np.ndarray: ...

    def min_ref(self, tile: int, row: int, bl: np.ndarray, col_en: np.ndarray) -> int: ...

    def compare(self, tile: int, row: int, bl: np.ndarray, col_en: np.ndarray, ref: int) -> bool: ...
