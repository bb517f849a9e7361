"""Functional coverage of one run: monitors of bus, pins and state machines that count points as they are hit.

They drive nothing and judge nothing; without a `Collector` there is none of them, and a run costs what it costs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadWrite, RisingEdge, ValueChange
from cocotb.utils import get_sim_time

from bridgebnn.hdl.machines import Machine, machines
from bridgebnn.hdl.spec import (
    Combine,
    Command,
    ErrorCode,
    Geometry,
    ProgOp,
    ProgSide,
    ReadMode,
    Timing,
    VerifyRef,
)
from bridgebnn.hdl.spec.register_map import Access, Register, Window, register_map
from bridgebnn.tb.context import Dut
from bridgebnn.tb.pins import Pin

from .coverage_points import LEVEL_PINS, closable, extremes, named, seen_fields

__all__ = ["RESET_PIN", "Collector", "follow", "state_pin"]

NO_OPCODE = "no opcode"


RESET_PIN = "cover_reset"
"""Name of a top-level register, where a build has it: the reset as the last clock edge saw it."""


def state_pin(number: int) -> str:
    """Name of a top-level wire that shows the state of machine ``number``, where a build has such wires."""
    return f"cover_state_{number}"


async def follow(machine: Machine, handle: Any, rst: Pin, hit: Callable[[str, str], None]) -> None:
    """Count the states and arcs that a state machine takes, for ever; what a reset does is no arc.

    Parameters
    ----------
    machine : Machine
    handle
        Of the signal that holds the state.
    rst : Pin
        The reset.
    hit : callable
        Is given ``states`` or ``arcs``, and the name of the point.
    """
    pin, was = Pin(handle), machine.start
    names = {f"{code:0{pin.width}b}": name for code, name in enumerate(machine.states)}
    change = ValueChange(handle)
    hit("states", f"{machine.name}.{was}")
    while True:
        await change
        await ReadWrite()
        now = names.get(pin.text(), "")
        if not now:
            continue
        hit("states", f"{machine.name}.{now}")
        if now != was and rst.text() == "0":
            hit("arcs", f"{machine.name}.{was} > {now}")
        was = now


class Collector:
    """Watches a bare controller from power-up on.

    Parameters
    ----------
    dut : Dut
        With the ports of the controller. States are seen on wires of `state_pin`, or where the simulator shows
        the registers inside (Icarus); else not at all.
    geometry : Geometry
    timing : Timing, optional
        Of reset values.

    Attributes
    ----------
    hits : Counter
        How often each ``(group, point)`` was hit.
    """

    def __init__(self, dut: Dut, geometry: Geometry, timing: Timing | None = None):
        self.dut, self.geometry = dut, geometry
        self.map = register_map(geometry, timing or Timing())
        self.hits: Counter[tuple[str, str]] = Counter()
        self._places: dict[int, tuple[Register | Window, int]] = {
            r.offset: (r, 0) for r in self.map.registers
        }
        self._places |= {w.address(i): (w, i) for w in self.map.windows for i in range(w.words)}
        self._words: dict[str, dict[int, int]] = {}
        self._command = -1
        self._period = 0.0
        self._pulsed: tuple[ProgOp, float] | None = None
        self._table: list[dict[str, int]] | None = None
        self._pins = {
            name: Pin(getattr(dut, name))
            for name in (
                "rst",
                "irq",
                "wb_adr",
                "wb_we",
                "wb_sel",
                "wb_dat_w",
                "wb_dat_r",
                "row",
                "wl_en",
                "col_en",
                "bl",
            )
        }
        levels = (
            "cmp_ref",
            "prog_op",
            "prog_side",
            "wl_level",
            "prog_level",
            "verify_ref",
            "hv_en",
            "hv_ready",
        )
        self._pins |= {name: Pin(getattr(dut, name)) for name in levels}

    def start(self) -> None:
        """Begin to watch, beside the test."""
        dut = self.dut
        cocotb.start_soon(self._clock())
        cocotb.start_soon(self._at(FallingEdge(dut.rst), self._forget))
        cocotb.start_soon(self._at(RisingEdge(dut.wb_ack), self._acknowledged))
        cocotb.start_soon(self._at(RisingEdge(dut.wb_err), self._refused))
        phases = {"precharge": self._precharge, "evaluate": self._evaluate, "sense": self._sense}
        phases |= {"pulse": self._pulse, "verify": self._verify, "hv_en": self._rails}
        for name, seen in phases.items():
            cocotb.start_soon(self._at(RisingEdge(getattr(dut, name)), seen))
        cocotb.start_soon(self._at(ValueChange(dut.hv_ready), self._ready))
        cocotb.start_soon(self._at(FallingEdge(dut.pulse), self._pulse_over))
        for number, machine in enumerate(machines(self.geometry)):
            handle = self._state(number, machine)
            if handle is not None:
                rst = Pin(getattr(dut, RESET_PIN, dut.rst))
                cocotb.start_soon(follow(machine, handle, rst, self.hit))

    def save(self, path: Path) -> None:
        """Write the hits: group, point, how often."""
        found: dict[str, dict[str, int]] = {}
        for (group, point), count in sorted(self.hits.items()):
            found.setdefault(group, {})[point] = count
        path.write_text(json.dumps(found))

    def hit(self, group: str, point: str) -> None:
        """Count a point."""
        self.hits[group, point] += 1

    async def _at(self, trigger: Any, seen: Any) -> None:
        while True:
            await trigger
            await ReadWrite()  # every pin of this clock edge has its value
            seen()

    async def _clock(self) -> None:
        edge = RisingEdge(self.dut.clk)
        await edge
        begin = get_sim_time("step")
        await edge
        self._period = get_sim_time("step") - begin

    # -- state machines -------------------------------------------------------------------------------------

    def _state(self, number: int, machine: Machine) -> Any:
        for path in (state_pin(number), machine.path):
            handle: Any = self.dut
            try:
                for part in path.split("."):
                    handle = getattr(handle, part)
            except AttributeError:
                continue
            return handle
        return None

    # -- bus ------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """After a reset; memories stay, the repair table does not."""
        kept = {w.name for w in self.map.windows if not w.name.startswith("REPAIR")}
        self._words = {name: words for name, words in self._words.items() if name in kept}
        self._command, self._table = -1, None

    def _value(self, register: str, field: str) -> int:
        found = self.map.register(register)
        return found.field(field).extract(self._words.get(register, {}).get(0, found.reset))

    def _access(self) -> tuple[int, bool, str]:
        return self._pins["wb_adr"].int() << 2, self._pins["wb_we"].text() == "1", self._pins["wb_sel"].text()

    def _refused(self) -> None:
        address, write, lanes = self._access()
        found = self._places.get(address)
        if found is None:
            self.hit("refusals", f"a {'write' if write else 'read'} outside of the map")
        elif write and lanes != "1111":
            self.hit("refusals", "a write without all lanes")
        elif write and not found[0].access.writable:
            self.hit("refusals", f"{found[0].name} written")
        elif not write and not found[0].access.readable:
            self.hit("refusals", f"{found[0].name} read")
        else:
            if closable(found[0]):
                self.hit("refusals", f"{found[0].name} closed")
            if write and found[0].name == "COMMAND":
                self.hit("errors", ErrorCode.BUSY.name)

    def _acknowledged(self) -> None:
        address, write, _ = self._access()
        found = self._places.get(address)
        if found is None:
            return
        item, word = found
        data = self._pins["wb_dat_w" if write else "wb_dat_r"].text()
        for field in seen_fields(item, word):
            bits = data[31 - field.msb : 32 - field.lsb]
            if set(bits) - {"0", "1"}:
                continue
            value = int(bits, 2)
            if write and (what := extremes(field).get(value)):
                self.hit("fields", f"{named(item, field)} {what}")
            elif not write:
                what = "read" if field.constant else "read as not 0" if value else "read as 0"
                self.hit("fields", f"{named(item, field)} {what}")
        if isinstance(item, Window):
            for where, number in (("first", 0), ("last", item.words - 1)):
                if word == number:
                    self.hit("fields", f"{item.name}, {where} word")
        if set(data) <= {"0", "1"}:
            (self._written if write else self._read)(item, word, int(data, 2))

    def _written(self, item: Register | Window, word: int, data: int) -> None:
        if item.name == "COMMAND":
            self._command = data & 0xF
            if self._command == Command.INFER:
                self._table = self._layers()
        elif item.name == "IRQ_PENDING":
            assert isinstance(item, Register)
            for field in item.fields:
                if field.extract(data):
                    self.hit("interrupts", f"{field.name} cleared")
        elif item.access is Access.RW:
            self._words.setdefault(item.name, {})[word] = data

    def _read(self, item: Register | Window, word: int, data: int) -> None:
        if not isinstance(item, Register):
            return
        if item.name == "STATUS":
            self._status(item.unpack(data))
        elif item.name == "ERROR" and (code := item.field("code").extract(data)) in set(ErrorCode):
            self.hit("errors", ErrorCode(code).name)
        elif item.name == "IRQ_PENDING":
            for field in item.fields:
                if field.extract(data):
                    self.hit("interrupts", f"{field.name} pending")
                    if not self._value("IRQ_ENABLE", field.name):
                        self.hit("interrupts", f"{field.name} masked")
                    elif self._pins["irq"].text() == "1":
                        self.hit("interrupts", f"{field.name} on the pin")

    def _status(self, status: dict[str, int]) -> None:
        if not (status["done"] or status["error"]):
            return
        if (opcode := status["command"]) not in set(Command):
            self.hit("commands", NO_OPCODE)
            return
        command = Command(opcode)
        if command is not Command.ABORT:
            self.hit("commands", f"{command.name} {'done' if status['done'] else 'error'}")
        if command is Command.INFER and status["done"] and self._table is not None:
            self._ran(self._table)
            self._table = None

    # -- layers ---------------------------------------------------------------------------------------------

    def _layers(self) -> list[dict[str, int]]:
        """Descriptors and walks as they stand, of the layers that INFER shall run."""
        found = []
        for layer in range(min(self._value("LAYER_COUNT", "layers"), self.geometry.layers)):
            fields: dict[str, int] = {}
            for name in ("DESCRIPTOR", "WALK")[: 1 + bool(self.geometry.map_words)]:
                words = self._words.get(name, {})
                fields |= self.map.window(name).unpack([words.get(4 * layer + i, 0) for i in range(4)])
            found.append(fields)
        return found

    def _ran(self, table: list[dict[str, int]]) -> None:
        """An INFER over these layers has ended well."""
        g = self.geometry
        shapes = {
            "one layer": len(table) == 1,
            "every layer of the table": len(table) == g.layers,
            "one vector": (vectors := self._value("INFER_COUNT", "vectors")) == 1,
            "several vectors": vectors > 1,
        }
        for name, spares, plain in (("column", g.spare_columns, "COLUMN"), ("row", g.spare_rows, "ROW")):
            if spares:
                used = any(word >> 31 for word in self._words.get(f"REPAIR_{plain}", {}).values())
                shapes |= {f"spare {name} used": used, f"spare {name} not used": not used}
        for layer in table:
            self._layer(layer)
            shapes |= {name: True for name, hit in self._shape(layer).items() if hit}
        for name, hit in shapes.items():
            if hit:
                self.hit("shapes", name)

    def _layer(self, layer: dict[str, int]) -> None:
        mode = ReadMode(layer["mode"]).name
        self.hit("modes", f"{mode} {Combine(layer['combine']).name}")
        for name in ("use_threshold", "score"):
            self.hit("modes", f"{mode} {name} {layer[name]}")
        self.hit("modes", f"{mode} in {'one tile' if layer['tile_count'] == 1 else 'several tiles'}")

    def _shape(self, layer: dict[str, int]) -> dict[str, bool]:
        g, tiles = self.geometry, layer["tile_count"]
        shapes = {
            "tile_first 0": layer["tile_first"] == 0,
            "tile_first above 0": layer["tile_first"] > 0,
            "last tile used": layer["tile_first"] + tiles == g.tiles,
            "every tile": tiles == g.tiles > 1,
            "row_first 0": layer["row_first"] == 0,
            "last row used": layer["row_first"] + layer["row_count"] >= g.plain_rows,
            "one row": layer["row_count"] == 1,
            "cols_last 1": layer["cols_last"] == 1,
            "cols_last of every input": layer["cols_last"] == g.inputs,
            "bias_last 0": layer["bias_last"] == 0,
            "bias_last of every bias column": layer["bias_last"] == g.bias > 0,
            "cols of every input": tiles > 1 and layer["cols"] == g.inputs,
            "bias 0": tiles > 1 and layer["bias"] == 0,
        }
        if layer["use_threshold"]:
            base = layer["threshold_base"]
            shapes["threshold_base 0"] = base == 0
            shapes["last threshold used"] = base + layer["row_count"] >= g.thresholds
        if g.map_words:
            reads, writes = layer["reads_map"], layer["writes_map"]
            shapes[f"reads_map {reads} writes_map {writes}"] = True
            for name in ("kernel", "stride", "channels") if reads else ():
                shapes[f"{name} 1" if layer[name] == 1 else f"{name} above 1"] = True
            if reads:
                shapes["padding above 0" if layer["padding"] else "padding 0"] = True
            if writes:
                shapes["pool 1" if layer["pool"] == 1 else "pool above 1"] = True
        return shapes

    # -- pins of the macro ----------------------------------------------------------------------------------

    def _precharge(self) -> None:
        self.hit("phases", "precharge")

    def _evaluate(self) -> None:
        if self._command == Command.INFER:
            several = self._pins["wl_en"].text().count("1") > 1
            self.hit("phases", "read of several tiles" if several else "read of one tile")
            self._place("read")
        else:
            self.hit("phases", "bridge read")

    def _sense(self) -> None:
        self.hit("phases", "sense")
        value = self._pins["cmp_ref"].signed()
        self.hit("levels", f"cmp_ref {'negative' if value < 0 else 'positive' if value else '0'}")

    def _verify(self) -> None:
        ref, side = VerifyRef(self._pins["verify_ref"].int()), ProgSide(self._pins["prog_side"].int())
        margin = self._pins["prog_level"].int()
        self.hit("phases", f"verify {ref.name} {side.name}" + (" with a margin" if margin else ""))
        self._place("verify")

    def _pulse(self) -> None:
        op, side = ProgOp(self._pins["prog_op"].int()), ProgSide(self._pins["prog_side"].int())
        self.hit("phases", f"pulse {op.name} {side.name}")
        for pin, name in LEVEL_PINS.items():
            code = self._pins[pin].int()
            start, limit = (self._value(f"{op.name}_{name}", part) for part in ("start", "limit"))
            at = [where for where, value in (("start", start), ("limit", limit)) if value == code]
            for where in at:
                self.hit("levels", f"{pin} of {op.name} at its {where}")
            if not at:
                self.hit("levels", f"{pin} of {op.name} in between")
            if code in (0, 255):
                self.hit("levels", f"{pin} at {code}")
        self._place("pulse")
        columns = self._pins["col_en"].text().count("1")
        if columns == 1:
            self.hit("levels", "pulse of one column")
        if columns == max(1, self._value("MAX_PARALLEL", "columns")):
            self.hit("levels", "pulse of MAX_PARALLEL columns")
        if columns == self.geometry.columns:
            self.hit("levels", "pulse of every column")
        self._pulsed = op, get_sim_time("step")

    def _pulse_over(self) -> None:
        """How long it was."""
        if self._pulsed is None or not self._period:
            return
        op, begin = self._pulsed
        cycles = round((get_sim_time("step") - begin) / self._period)
        if cycles == 1:
            self.hit("levels", f"{op.name} pulse of one cycle")
        if cycles == max(1, self._value(f"{op.name}_PULSE", "width_cyc")):
            self.hit("levels", f"{op.name} pulse as long as programmed")

    def _place(self, what: str) -> None:
        """The row, tiles and columns of a strobe."""
        g, row = self.geometry, self._pins["row"].int()
        tiles, columns = self._pins["wl_en"].text()[::-1], self._pins["col_en"].text()[::-1]
        for where, at in (("first", 0), ("last", g.rows - 1)):
            if row == at:
                self.hit("levels", f"{what} in the {where} row")
        for where, at in (("first", 0), ("last", g.tiles - 1)):
            if tiles[at] == "1":
                self.hit("levels", f"{what} in the {where} tile")
        for where, at in (("first", 0), ("last", g.columns - 1)):
            if any(columns[t * g.columns + at] == "1" for t in range(g.tiles) if tiles[t] == "1"):
                self.hit("levels", f"{what} of the {where} column")

    def _rails(self) -> None:
        self.hit("phases", "rails asked for")

    def _ready(self) -> None:
        if self._pins["hv_en"].text() == "1":
            self.hit("phases", "rails up" if self._pins["hv_ready"].text() == "1" else "rails lost")
