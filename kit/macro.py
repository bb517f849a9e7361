"""The macro as others see it: pins, widths, directions and times. One description, from which every view comes."""

from __future__ import annotations

from dataclasses import dataclass

from bridgebnn.hdl.spec import Geometry, ProgOp, Timing, VerifyRef
from bridgebnn.hdl.spec.pins import MACRO_PINS, Flow, Port
from bridgebnn.model.parameters.device_params import DeviceParams

__all__ = ["DELAYS", "POWER_PINS", "STROBES", "Delay", "Macro", "MacroPin", "Strobe"]

POWER_PINS = {
    "VDD": "core supply",
    "VPP": "programming supply",
    "VSS": "ground",
}
"""Supplies of the macro [ours]; in the Verilog views under USE_POWER_PINS."""


@dataclass(frozen=True, kw_only=True)
class Delay:
    """A time of the macro, as a share of the clock period [ours]: a placeholder until a layout exists.

    Parameters
    ----------
    parameter : str
        Name in the Verilog model.
    periods : float
        In clock periods.
    meaning : str
    """

    parameter: str
    periods: float
    meaning: str


DELAYS = (
    Delay(parameter="SETTLE_NS", periods=0.25, meaning="pins may move so long after the rise of a strobe"),
    Delay(parameter="SL_NS", periods=0.5, meaning="evaluate to SL"),
    Delay(parameter="COMPARE_NS", periods=0.5, meaning="sense to cmp and cmp_valid"),
    Delay(parameter="VERIFY_NS", periods=0.5, meaning="verify to SL"),
    Delay(parameter="RAILS_NS", periods=10.0, meaning="hv_en to hv_ready"),
)
"""The behavioural model's; Liberty and SDC hold the same numbers."""


@dataclass(frozen=True, kw_only=True)
class Strobe:
    """A pin whose rising edge makes the macro look at others, and that is followed by answers.

    Parameters
    ----------
    pin : str
    looks_at : dict of str to int
        Pins that hold still from ``SETTLE_NS`` after its rise until its fall, and the clock cycles by which the
        controller sets them ahead of it at least (timing registers at their least values).
    answers : dict of str to str
        Output to the parameter of `DELAYS` after which it is valid.
    """

    pin: str
    looks_at: dict[str, int]
    answers: dict[str, str]


_PLACE = ("row", "wl_en")
_PULSE = (*_PLACE, "bl", "col_en", "prog_op", "prog_side", "wl_level", "prog_level")
_VERIFY = (*_PLACE, "col_en", "prog_side", "prog_level", "verify_ref")

STROBES = (
    Strobe(pin="precharge", looks_at=dict.fromkeys(_PLACE, 0), answers={}),
    Strobe(
        pin="evaluate",
        looks_at=dict.fromkeys(_PLACE, 1) | {"bl": 0, "col_en": 0},
        answers={"sl": "SL_NS"},
    ),
    Strobe(pin="sense", looks_at={"cmp_ref": 1}, answers={"cmp": "COMPARE_NS", "cmp_valid": "COMPARE_NS"}),
    Strobe(pin="pulse", looks_at=dict.fromkeys(_PULSE, 1), answers={}),
    Strobe(pin="verify", looks_at=dict.fromkeys(_VERIFY, 0), answers={"sl": "VERIFY_NS"}),
    Strobe(pin="hv_en", looks_at={}, answers={"hv_ready": "RAILS_NS"}),
)
"""The strobes of the macro. Every other pin belongs to at least one of them; a test counts."""


@dataclass(frozen=True, kw_only=True)
class MacroPin:
    """One pin, seen from the macro.

    Parameters
    ----------
    name : str
    output : bool
        Driven by the macro.
    width : int
        Bits.
    bus : bool
        Written as a vector, also where it has one bit: its width follows from the geometry.
    signed : bool
    meaning : str
    """

    name: str
    output: bool
    width: int
    bus: bool
    signed: bool
    meaning: str

    @property
    def bits(self) -> list[str]:
        """Names bit by bit, ``bl[3]``, or the one name."""
        return [f"{self.name}[{i}]" for i in range(self.width)] if self.bus else [self.name]


@dataclass(frozen=True, kw_only=True)
class Macro:
    """The macro of a geometry: all tiles, as the controller's pins see them.

    Parameters
    ----------
    name : str
        Of the controller; the macro is ``<name>_macro``.
    geometry : Geometry
    timing : Timing
    """

    name: str
    geometry: Geometry
    timing: Timing

    @property
    def cell(self) -> str:
        """Name of the macro in every view."""
        return f"{self.name}_macro"

    @property
    def pins(self) -> tuple[MacroPin, ...]:
        """In the order of the controller's pins."""
        return tuple(_seen_from_macro(pin, self.geometry) for pin in MACRO_PINS)

    @property
    def period_ns(self) -> float:
        """Clock period that the timing registers are for."""
        return round(self.timing.clock_s * 1e9, 3)

    def delay_ns(self, parameter: str) -> float:
        """A delay of `DELAYS` in nanoseconds, to the picosecond."""
        (delay,) = (d for d in DELAYS if d.parameter == parameter)
        return round(delay.periods * self.period_ns, 3)

    @property
    def parameters(self) -> dict[str, int]:
        """Verilog parameters: tiles, rows, columns, bits of ``row`` and of ``cmp_ref``."""
        g = self.geometry
        return {"T": g.tiles, "R": g.rows, "C": g.columns, "AW": g.row_width, "FW": g.ref_width}

    @property
    def margins(self) -> dict[str, int]:
        """Largest margin code, 0..255, at which the nominal ideal device still passes LRS_MAX and HRS_MIN."""
        device = DeviceParams.ideal()
        room = {
            "lrs_margin": device.lrs_max_ohm / device.lrs_nominal_ohm,
            "hrs_margin": device.hrs_nominal_ohm / device.hrs_min_ohm,
        }
        return {name: max(0, min(255, int((factor - 1) * 256))) for name, factor in room.items()}

    @property
    def codes(self) -> dict[str, dict[str, int]]:
        """Code points of ``prog_op`` and ``verify_ref``."""
        return {"op": {m.name: m.value for m in ProgOp}, "ref": {m.name: m.value for m in VerifyRef}}


_SIZES = {"row_width": "AW", "columns": "C", "ref_width": "FW"}


def _seen_from_macro(pin: Port, geometry: Geometry) -> MacroPin:
    return MacroPin(
        name=pin.name,
        output=pin.flow is Flow.IN,
        width=pin.width(geometry),
        bus=pin.per_tile or isinstance(pin.size, str) or pin.size > 1,
        signed=pin.signed,
        meaning=pin.meaning,
    )


def verilog_range(pin: Port) -> str:
    """``[T*C-1:0]`` with the parameters of the macro, or nothing."""
    size = _SIZES[pin.size] if isinstance(pin.size, str) else str(pin.size)
    width = size if not pin.per_tile else "T" if size == "1" else f"T*{size}"
    if width == "1":
        return ""
    return f"[{int(width) - 1}:0] " if width.isdigit() else f"[{width}-1:0] "
