"""Parameter sets of a macro: every number with its unit, legal range and provenance.

A new parameter is one line (``model/parameters/quantities.py``). Supply, read voltage, capacitor
and spreads of the fabricated chip are not published: the defaults are [ours], chosen for a 130 nm process
with 1.8 V cores and 3.3 V select transistors.

``MacroParams.ideal()`` has no spread and no noise: with it the macro equals ``golden`` bit for bit.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bridgebnn.hdl.spec import Timing

from .device_params import DeviceParams
from .published import PUBLISHED_LIKE, PublishedParams, check_clock
from .quantities import Quantities, choice, known, quantity

__all__ = [
    "BOLTZMANN_J_PER_K",
    "GRID",
    "NOT_IN_TRANSISTORS",
    "BridgeParams",
    "MacroParams",
    "NeuronParams",
    "Quantities",
    "choice",
    "quantity",
]

BOLTZMANN_J_PER_K = 1.380649e-23
"""Boltzmann constant in J/K [std]."""

GRID = 2.0**-20
"""Capacitances are multiples of this many unit capacitors, so that sums of them are exact in float64."""


@dataclass(frozen=True, kw_only=True)
class BridgeParams(Quantities):
    """The divider of one cell, the wires to it, and the column's buffer.

    Equations: ``model/macro/bridge.py``, of the rails ``model/macro/rails.py``.
    """

    v_read_V: float = quantity(1.8, "V", 0.05, 5.0, "[ours] voltage on BL or BLb while reading")
    droop_V: float = quantity(
        0.0, "V", 0.0, 5.0, "[ours] fall of the read supply, while the buffers' supply stays"
    )
    select: str = choice(
        "transistor",
        ("resistor", "transistor"),
        "[ours] select transistors as model/macro/select_transistor.py at v_wl_V, or as r_on_ohm (misses SPICE)",
    )
    v_wl_V: float = quantity(3.3, "V", 0.0, 6.0, "[ours] word line while reading; for select = transistor")
    r_on_ohm: float = quantity(
        3000.0, "ohm", 0.0, 1e6, "[ours] select transistor, on, while reading; for select = resistor"
    )
    r_driver_ohm: float = quantity(200.0, "ohm", 0.0, 1e6, "[ours] driver of a bit line, either level")
    r_bl_ohm: float = quantity(0.5, "ohm", 0.0, 1e4, "[ours] BL wire per row crossed")
    r_blb_ohm: float = quantity(0.5, "ohm", 0.0, 1e4, "[ours] BLb wire per row crossed")
    r_supply_ohm: float = quantity(
        0.005, "ohm", 0.0, 1e3, "[ours] wire of the read supply along the drivers, per column"
    )
    r_ground_ohm: float = quantity(0.005, "ohm", 0.0, 1e3, "[ours] the same of the drivers' ground")
    r_feed_ohm: float = quantity(
        1.0, "ohm", 0.0, 1e6, "[ours] source resistance of the read supply, shared by all columns of a tile"
    )
    leak_S: float = quantity(
        5e-10, "S", 0.0, 1e-3, "[ours] all unselected cells of a column, from SL to either line"
    )
    c_sl_F: float = quantity(30e-15, "F", 0.0, 1e-9, "[ours] source line, which the bridge has to move")
    read_s: float = quantity(
        40e-9, "s", 1e-12, 1.0, "[ours] time for that: precharge and evaluate, a 50 MHz cycle each"
    )
    temperature_K: float = quantity(300.0, "K", 200.0, 450.0, "[ours] of devices and select transistors")
    hrs_activation_eV: float = quantity(
        0.05, "eV", 0.0, 1.0, "[ours] activation of the conduction in HRS; LRS counts as metallic"
    )
    buffer_threshold_V: float = quantity(
        0.893, "V", 0.0, 5.0, "[ours] SKY130 by SPICE, docs/spice.md: SL voltage at which the buffer switches"
    )
    buffer_sigma_V: float = quantity(
        0.033, "V", 0.0, 1.0, "[ours] SKY130 by SPICE, docs/spice.md: its spread, column to column"
    )
    buffer_noise_V: float = quantity(
        0.001, "V", 0.0, 1.0, "[ours] rms noise at the buffer, a new value a read"
    )
    read_noise: float = quantity(0.02, "ln R", 0.0, 2.0, "[ours] rms read noise of a device, read to read")

    @classmethod
    def ideal(cls) -> Self:
        """No transistors, wires, leakage, delay, spread, noise; the buffer decides at half the read voltage."""
        return cls(
            select="resistor",
            r_supply_ohm=0.0,
            r_ground_ohm=0.0,
            r_feed_ohm=0.0,
            leak_S=0.0,
            c_sl_F=0.0,
            buffer_threshold_V=0.9,
            r_on_ohm=0.0,
            r_driver_ohm=0.0,
            r_bl_ohm=0.0,
            r_blb_ohm=0.0,
            buffer_sigma_V=0.0,
            buffer_noise_V=0.0,
            read_noise=0.0,
        )


@dataclass(frozen=True, kw_only=True)
class NeuronParams(Quantities):
    """Capacitive neuron, reference and comparator of one tile. Equations: ``model/macro/neuron.py``."""

    vdd_V: float = quantity(1.8, "V", 0.3, 5.0, "[ours] swing of the plates, and supply of the reference DAC")
    plate_droop: float = quantity(
        0.0, "1", 0.0, 0.9, "[ours] fall of the plates' swing as a share of vdd_V; the reference stays"
    )
    v_common_V: float = quantity(
        0.0, "V", 0.0, 5.0, "[ours] lines after precharge; they end near Vdd/2 above"
    )
    cu_F: float = quantity(5e-15, "F", 1e-17, 1e-11, "[ours] unit capacitor")
    cu_sigma: float = quantity(0.01, "1", 0.0, 0.2, "[ours] relative mismatch of a unit capacitor")
    cpar_F: float = quantity(
        25e-15, "F", 0.0, 1e-9, "[ours] SKY130 by SPICE, docs/spice.md: parasitic of each line"
    )
    cpar_column_F: float = quantity(
        0.2635e-15, "F", 0.0, 1e-12, "[ours] SKY130 by SPICE, docs/spice.md: what each column adds to it"
    )
    temperature_K: float = quantity(
        300.0, "K", 0.0, 500.0, "[ours] of the kT/C noise of the precharge switch, and of the leakage"
    )
    settle_tau_s: float = quantity(
        41e-12, "s", 0.0, 1.0, "[ours] SKY130 by SPICE, docs/spice.md: time constant of the charge sharing"
    )
    evaluate_s: float = quantity(
        20e-9, "s", 1e-12, 1.0, "[ours] time from release to sense, one 50 MHz cycle"
    )
    leak_tau_s: float = quantity(1e-3, "s", 1e-12, 1e9, "[ours] time constant of the leakage of dV at 300 K")
    leak_doubling_K: float = quantity(
        10.0, "K", 1.0, 100.0, "[std] rise of temperature that doubles the leakage"
    )
    injection_sigma_V: float = quantity(
        0.04e-3,
        "V",
        0.0,
        1.0,
        "[ours] SKY130 by SPICE, docs/spice.md: mismatch of what the precharge switches inject, chip to chip",
    )
    offset_sigma_V: float = quantity(
        5.5e-3, "V", 0.0, 1.0, "[ours] SKY130 by SPICE, docs/spice.md: comparator offset, tile to tile"
    )
    noise_V: float = quantity(
        0.3e-3,
        "V",
        0.0,
        1.0,
        "[ours] SKY130 by SPICE, docs/spice.md: rms input noise of the comparator, a new value a read",
    )
    ref_gain_sigma: float = quantity(
        0.002, "1", 0.0, 0.2, "[ours] gain error of the reference DAC, tile to tile"
    )
    regeneration_tau_s: float = quantity(
        38e-12,
        "s",
        0.0,
        1e-6,
        "[ours] SKY130 by SPICE, docs/spice.md: regeneration of the comparator's latch",
    )
    sense_delay_s: float = quantity(
        80e-12, "s", 0.0, 1e-6, "[ours] SKY130 by SPICE, docs/spice.md: comparator's delay at full input"
    )
    decide_s: float = quantity(
        0.0, "s", 0.0, 1.0, "[ours] time that the comparator has to decide; 0: it is waited for"
    )
    hysteresis_V: float = quantity(
        0.0,
        "V",
        0.0,
        1.0,
        "[ours] shift of its threshold away from the decision before, which counts as random (SPICE: none)",
    )
    kickback_C: float = quantity(
        0.0,
        "C",
        -1e-9,
        1e-9,
        "[ours] charge that its clock pushes onto each line of the neuron (SPICE: -8 fC)",
    )

    def parasitic_F(self, columns: int) -> float:
        """Parasitic of each line of a tile with ``columns`` columns, in farad."""
        return self.cpar_F + columns * self.cpar_column_F

    @classmethod
    def ideal(cls) -> Self:
        """No mismatch, noise, offset, or delay. Parasitics stay: they scale dV, never its sign."""
        return cls(
            cu_sigma=0.0,
            temperature_K=0.0,
            settle_tau_s=0.0,
            leak_tau_s=1e9,
            injection_sigma_V=0.0,
            offset_sigma_V=0.0,
            noise_V=0.0,
            ref_gain_sigma=0.0,
            regeneration_tau_s=0.0,
            sense_delay_s=0.0,
            decide_s=0.0,
            hysteresis_V=0.0,
            kickback_C=0.0,
        )


@dataclass(frozen=True, kw_only=True)
class MacroParams:
    """Everything about a macro but its shape and its seed.

    Parameters
    ----------
    name : str
        Name of the set, for reports.
    device : DeviceParams
        The population of ReRAM devices.
    bridge : BridgeParams
    neuron : NeuronParams
    published : PublishedParams, optional
        The authors' statistics in place of this project's physics: devices, bridges and neurons are then those of
        ``ideal``, and given ones a ``ValueError``.
    transistors : bool
        Reads are answered by transistors in SPICE (``model/spice/chip.py``). What their netlist leaves out is then
        0 (`NOT_IN_TRANSISTORS`), and another value than that or the default a ``ValueError``.
    """

    name: str = "real"
    device: DeviceParams = field(default_factory=DeviceParams.real)
    bridge: BridgeParams = field(default_factory=BridgeParams)
    neuron: NeuronParams = field(default_factory=NeuronParams)
    published: PublishedParams | None = None
    transistors: bool = False

    def __post_init__(self) -> None:
        if self.transistors:
            self._leave_out()
        if self.published is None:
            return
        for part, kind in _PARTS.items():
            given, ideal = getattr(self, part), kind.ideal()
            if given not in (ideal, kind.real() if kind is DeviceParams else kind()):
                raise ValueError(
                    f"MacroParams.{part} beside published: must be left out, the published statistics take its place"
                )
            object.__setattr__(self, part, ideal)

    def _leave_out(self) -> None:
        """Set what transistors in SPICE have no part for to 0."""
        if self.published is not None:
            raise ValueError("MacroParams.transistors beside published: must be one of both")
        for part, names in NOT_IN_TRANSISTORS.items():
            values = getattr(self, part)
            for name in names:
                given, default = getattr(values, name), getattr(type(values)(), name)
                if given not in (0.0, default):
                    raise ValueError(
                        f"MacroParams.{part}.{name} = {given!r} beside transistors: must be 0, their netlist has none"
                    )
            object.__setattr__(self, part, dataclasses.replace(values, **dict.fromkeys(names, 0.0)))

    @classmethod
    def ideal(cls) -> Self:
        """No spread, no noise: the macro equals ``golden`` bit for bit."""
        return cls(
            name="ideal",
            device=DeviceParams.ideal(),
            bridge=BridgeParams.ideal(),
            neuron=NeuronParams.ideal(),
        )

    @classmethod
    def real(cls) -> Self:
        """The default spreads and noises."""
        return cls()

    @classmethod
    def of_published(cls, **statistics: Any) -> Self:
        """The authors' statistics; ``statistics`` are fields of `PublishedParams`."""
        return cls(name="published", published=PublishedParams(**statistics))

    @classmethod
    def published_like(cls, clock_ns: int = 8) -> Self:
        """``real`` with a comparator that errs per decision nearly as the published tables say (docs/error-model.md).

        Parameters
        ----------
        clock_ns : 6, 8 or 20
            Time that the comparator has, in ns. Any other ``decide_s`` is a file of parameters away.

        Raises
        ------
        ValueError
            Another clock.
        """
        check_clock(clock_ns)
        given: dict[str, Any] = PUBLISHED_LIKE | {"decide_s": clock_ns * 1e-9}
        neuron = NeuronParams(offset_sigma_V=0.0, injection_sigma_V=0.0, **given)
        return cls(name="published-like", neuron=neuron)

    @classmethod
    def of_transistors(cls) -> Self:
        """The chip of ``real``, its reads answered by transistors in SPICE; without noise, rails and leakage."""
        return cls(name="spice", transistors=True)

    @property
    def is_ideal(self) -> bool:
        """Whether these are the values of ``ideal``, whatever the name."""
        return dataclasses.replace(self, name="ideal") == MacroParams.ideal()

    def at_timing(self, timing: Timing) -> Self:
        """The same macro read with a controller's timing: time to settle, and time from release to sense.

        ``read_s = (precharge_cyc + evaluate_cyc) * clock_s`` and ``evaluate_s = evaluate_cyc * clock_s``: the
        word line and the inputs are there from the first cycle of precharge (docs/architecture.md section 3).
        The reset values of the registers give the defaults of this file. Times that a file of parameters sets otherwise
        than to the defaults stay, and published statistics have their own clock.
        """
        if self.published is not None:
            return self
        bridge, neuron = self.bridge, self.neuron
        if bridge.read_s == BridgeParams().read_s:
            read_s = (timing.precharge_cyc + timing.evaluate_cyc) * timing.clock_s
            bridge = dataclasses.replace(bridge, read_s=read_s)
        if neuron.evaluate_s == NeuronParams().evaluate_s:
            neuron = dataclasses.replace(neuron, evaluate_s=timing.evaluate_cyc * timing.clock_s)
        return dataclasses.replace(self, bridge=bridge, neuron=neuron)

    @classmethod
    def named(cls, name: str) -> Self:
        """``ideal``, ``real``, ``published`` (8 ns, no cell errors), ``published-like`` (8 ns), ``spice``, or the path
        of a ``.json`` file (see ``load``)."""
        if name.endswith(".json"):
            return cls.load(name)
        made = {
            "ideal": cls.ideal,
            "real": cls.real,
            "published": cls.of_published,
            "published-like": cls.published_like,
            "spice": cls.of_transistors,
        }
        if name not in made:
            known_names = ", ".join(list(made)[:-1])
            raise ValueError(f"macro = {name!r}: must be {known_names} or spice, or a .json file")
        return made[name]()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Parameter set from a JSON file: ``as_dict``, of which parts and fields may be missing.

        Raises
        ------
        ValueError
            Not JSON, unknown names or values outside their range; the message starts with the path.
        """
        try:
            values = json.loads(Path(path).read_text())
            if not isinstance(values, dict):
                raise ValueError(f"a {type(values).__name__}, must be an object of parameters by name")
            return cls.from_dict({"name": Path(path).stem} | values)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from None

    def as_dict(self) -> dict[str, Any]:
        """Nested fields by name, ready for JSON."""
        values = dataclasses.asdict(self)
        if self.published is None:
            del values["published"]
        if not self.transistors:
            del values["transistors"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of ``as_dict``; missing parts take their default, unknown names are a ``ValueError``."""
        values = dict(known(cls, values))
        kinds: dict[str, Any] = {**_PARTS, "published": PublishedParams}
        for part, kind in kinds.items():
            if values.get(part) is not None:
                values[part] = kind(**known(kind, values[part]))
        return cls(**values)


NOT_IN_TRANSISTORS: dict[str, tuple[str, ...]] = {
    "bridge": (
        *("droop_V", "r_supply_ohm", "r_ground_ohm", "r_feed_ohm", "leak_S"),
        *("buffer_noise_V", "read_noise"),
    ),
    "neuron": ("plate_droop", "temperature_K", "noise_V", "decide_s", "hysteresis_V", "kickback_C"),
}
"""By part, the parameters that the netlist of ``model/spice/reads.py`` has no part for: transients hold no noise, the
rails are ideal, only the selected row's cells are there, and time and kickback of the comparator are its own.
``neuron.temperature_K`` is that of the kT/C noise."""

_PARTS: dict[str, Any] = {"bridge": BridgeParams, "neuron": NeuronParams, "device": DeviceParams}
