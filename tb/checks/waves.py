"""One VCD file with the digital pins and, as ``real`` variables, the analog nodes; times in nanoseconds.

Opens in GTKWave and Surfer. Analog nodes come from the model at the strobes that move them: the lines VP and
VN and their difference at precharge and evaluate, a source line at evaluate, the programming voltages at a
pulse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from cocotb.triggers import ReadWrite, ValueChange
from cocotb.utils import get_sim_time
from vcd import VCDWriter

from bridgebnn.hdl.spec import DAC_LSB_V, ProgOp
from bridgebnn.hdl.spec.pins import BUS_PORTS, CLOCK_PORTS, MACRO_PINS
from bridgebnn.tb.pins import Pin

__all__ = ["Trace"]

BUS = tuple(p.name for p in (*CLOCK_PORTS, *BUS_PORTS) if p.name != "wb_sel")  # which is always all ones
PER_TILE = ("bl", "col_en", "sl")
ANALOG = {
    "VP_V": "line VP of the neuron",
    "VN_V": "line VN of the neuron",
    "dV_V": "VP - VN, plus what cmp_ref adds",
    "SL_V": "the chosen source line",
    "VPROG_V": "programming voltage",
    "VWL_V": "word-line voltage while programming",
    "RAILS_V": "programming rails",
}


class Trace:
    """Writes the waveform of one tile and one source line.

    Parameters
    ----------
    env : bridgebnn.tb.env.Env
        With attachment ``strobe``: the analog nodes follow its agent's strobes.
    path : Path
        File to write.
    tile, column : int
        Which neuron and which source line to show.
    """

    def __init__(self, env: Any, path: Path, *, tile: int = 0, column: int = 0):
        geometry = env.geometry
        if not 0 <= tile < geometry.tiles or not 0 <= column < geometry.columns:
            raise ValueError(
                f"tile {tile}, column {column}: the chip has {geometry.tiles} x {geometry.columns}"
            )
        self.env, self.tile, self.column = env, tile, column
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w")
        self._vcd = VCDWriter(self._file, timescale="1 ns", comment="bridgebnn: pins and analog nodes")
        self._pins = {name: Pin(getattr(env.dut, name)) for name in (*BUS, *(pin.name for pin in MACRO_PINS))}
        register = self._vcd.register_var
        self._var: dict[str, Any] = {}
        self._last: dict[str, Any] = {}
        for name, pin in self._pins.items():
            scope = "bus" if name in BUS else f"tile{tile}" if name in PER_TILE else "macro"
            size = geometry.columns if name in PER_TILE else pin.width
            self._var[name] = register(scope, name, "wire", size=size, init="x")
        self._real = {
            n: register("analog", n.replace("SL_V", f"SL{column}_V"), "real", init=0.0) for n in ANALOG
        }
        self._open = False
        env.agent.on_event.append(self._event)

    def start(self) -> None:
        """Start to watch the pins; what happened before is not in the file."""
        self._open = True
        for name in self._pins:
            self._sample(name)
            self.env.spawn(self._watch(name))
        self._set("VP_V", self._common())
        self._set("VN_V", self._common())

    def close(self) -> None:
        """Finish the file."""
        if not self._file.closed:
            self._open = False
            self._vcd.close(round(get_sim_time("ns")))
            self._file.close()

    async def _watch(self, name: str) -> None:
        changed = ValueChange(self._pins[name].handle)
        while self._open:
            await changed
            await ReadWrite()  # the value of this time step, not a glitch on the way to it
            self._sample(name)

    def _sample(self, name: str) -> None:
        text = self._pins[name].text().lower()
        if name in PER_TILE:
            columns = self.env.geometry.columns
            end = len(text) - self.tile * columns
            text = text[end - columns : end]
        if self._open and self._last.get(name) != text:
            self._last[name] = text
            self._vcd.change(self._var[name], round(get_sim_time("ns")), text)

    def _set(self, name: str, value: float) -> None:
        if self._open:
            self._vcd.change(self._real[name], round(get_sim_time("ns")), float(value))

    def _common(self) -> float:
        return self.env.array.params.neuron.v_common_V

    def _event(self, kind: str, values: dict[str, Any]) -> None:
        if not self._open:
            return
        if kind == "precharge":
            self._set("VP_V", self._common())
            self._set("VN_V", self._common())
            self._set("dV_V", 0.0)
        elif kind in ("evaluate", "sense") and self.tile in values["tiles"]:
            agent = self.env.agent
            bl, enabled = agent.slice("bl", self.tile), agent.slice("col_en", self.tile)
            ref = values.get("ref", 0)
            nodes = self.env.array.analog(self.tile, values["row"], bl, enabled, ref)
            self._set("VP_V", nodes["VP_V"])
            self._set("VN_V", nodes["VN_V"])
            self._set("dV_V", nodes["dV_V"] + (nodes["ref_V"] if kind == "sense" else 0.0))
            line = np.asarray(nodes["V_SL_V"])[self.column]
            self._set("SL_V", 0.0 if np.isnan(line) else line)
        elif kind == "rails":
            top = max(
                self.env.timing.form.prog_limit,
                self.env.timing.set.prog_limit,
                self.env.timing.reset.prog_limit,
            )
            self._set("RAILS_V", top * DAC_LSB_V if values["on"] else 0.0)
        elif kind == "pulse":
            self._set(
                "VPROG_V", values["prog_level"] * DAC_LSB_V * (-1 if values["op"] is ProgOp.RESET else 1)
            )
            self._set("VWL_V", values["wl_level"] * DAC_LSB_V)
        elif kind == "pulse_end":
            self._set("VPROG_V", 0.0)
            self._set("VWL_V", 0.0)
