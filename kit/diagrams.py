"""Timing diagrams of the operations, in WaveDrom's language, from a simulation of a small kit of the same timing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from vcd.reader import ScalarChange, TokenKind, VectorChange, tokenize

from bridgebnn.hdl.spec import Combine
from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network
from bridgebnn.processes import captured

__all__ = ["OPERATIONS", "available", "diagrams", "example", "svg"]

LIMIT_S = 600
QUIET_CYC = 7
"""Cycles in which nothing shown moves: longer stretches are cut out."""

HEXADECIMAL = {"bl", "col_en", "sl", "wb_dat_w", "wb_dat_r", "s_axi_wdata", "s_axi_rdata"}
HEXADECIMAL |= {"wb_adr", "s_axi_awaddr", "s_axi_araddr"}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What a diagram shows.

    Parameters
    ----------
    title : str
    block : str
        ``controller`` or ``macro``: the page that it is on.
    starts : callable
        Whether it begins in a cycle of which the values are given, with those of the cycle before.
    ends : callable
        Whether it is over in a cycle.
    pins : tuple of str
        What is shown, from the top.
    bus : Bus, optional
        It is of this bus alone.
    last : bool
        The last one of the simulation rather than the first.
    since : str
        It is shown from the rise of this pin on, which is before ``starts``.
    """

    title: str
    block: str
    starts: Callable[[Mapping[str, str], Mapping[str, str]], bool]
    ends: Callable[[Mapping[str, str]], bool]
    pins: tuple[str, ...]
    bus: Bus | None = None
    last: bool = False
    since: str = ""


def _rise(*pins: str, **levels: str) -> Callable[[Mapping[str, str], Mapping[str, str]], bool]:
    """All ``pins`` are high and were not all high before; ``levels`` are as given."""

    def starts(now: Mapping[str, str], before: Mapping[str, str]) -> bool:
        high, was = (all(v[p] == "1" for p in pins) for v in (now, before))
        return high and not was and all(now[p] == level for p, level in levels.items())

    return starts


def _low(*pins: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda now: all(now[p] == "0" for p in pins)


_WISHBONE = ("wb_cyc", "wb_stb", "wb_we", "wb_adr")
_READ = (
    "row",
    "wl_en",
    "bl",
    "col_en",
    "cmp_ref",
    "precharge",
    "evaluate",
    "sense",
    "cmp",
    "cmp_valid",
    "sl",
)
_PROGRAM = (
    "hv_en",
    "hv_ready",
    "row",
    "wl_en",
    "bl",
    "col_en",
    "prog_op",
    "prog_side",
    "wl_level",
    "prog_level",
)

OPERATIONS = {
    "write": Operation(
        title="A write",
        block="controller",
        starts=lambda now, before: now.get("wb_we") == "1" and before.get("wb_we") != "1",
        ends=lambda now: now["wb_stb"] == "0",
        pins=(*_WISHBONE, "wb_dat_w", "wb_sel", "wb_ack", "wb_err"),
        bus=Bus.WISHBONE,
    ),
    "read": Operation(
        title="A read",
        block="controller",
        starts=_rise("wb_stb", wb_we="0"),
        ends=lambda now: now["wb_stb"] == "0",
        pins=(*_WISHBONE, "wb_dat_r", "wb_ack", "wb_err"),
        bus=Bus.WISHBONE,
    ),
    "axi-write": Operation(
        title="A write",
        block="controller",
        starts=_rise("s_axi_awvalid"),
        ends=_low("s_axi_awvalid", "s_axi_bready"),
        pins=(
            *(
                "s_axi_awvalid",
                "s_axi_awready",
                "s_axi_awaddr",
                "s_axi_wvalid",
                "s_axi_wready",
                "s_axi_wdata",
            ),
            *("s_axi_wstrb", "s_axi_bvalid", "s_axi_bready", "s_axi_bresp"),
        ),
        bus=Bus.AXI4LITE,
    ),
    "axi-read": Operation(
        title="A read",
        block="controller",
        starts=_rise("s_axi_arvalid"),
        ends=_low("s_axi_arvalid", "s_axi_rready"),
        pins=(
            *(
                "s_axi_arvalid",
                "s_axi_arready",
                "s_axi_araddr",
                "s_axi_rvalid",
                "s_axi_rready",
                "s_axi_rdata",
            ),
            "s_axi_rresp",
        ),
        bus=Bus.AXI4LITE,
    ),
    "rails": Operation(
        title="Programming rails come up",
        block="macro",
        starts=_rise("hv_en"),
        ends=lambda now: now["hv_ready"] == "1",
        pins=("hv_en", "hv_ready", "verify", "pulse"),
    ),
    "verify": Operation(
        title="A verify read",
        block="macro",
        starts=_rise("verify"),
        ends=_low("verify"),
        pins=("row", "wl_en", "col_en", "prog_side", "prog_level", "verify_ref", "verify", "sl"),
    ),
    "pulse": Operation(
        title="A programming pulse",
        block="macro",
        starts=_rise("pulse"),
        ends=_low("pulse"),
        pins=(*_PROGRAM, "pulse"),
    ),
    "read-back": Operation(
        title="Read-back of a programmed row: precharge, evaluate",
        block="macro",
        starts=_rise("precharge"),
        ends=_low("precharge", "evaluate"),
        pins=_READ,
    ),
    "decision": Operation(
        title="A row is read for its sign: precharge, evaluate, sense",
        block="macro",
        starts=_rise("sense"),
        since="precharge",
        ends=_low("precharge", "evaluate"),
        pins=_READ,
    ),
    "scores": Operation(
        title="A row is read for its score, counted from sl",
        block="macro",
        starts=_rise("precharge"),
        ends=_low("precharge", "evaluate"),
        pins=_READ,
        last=True,
    ),
}


def available() -> bool:
    """Icarus Verilog and WaveDrom are installed."""
    try:
        import wavedrom  # noqa: F401
    except ImportError:
        return False
    return shutil.which("iverilog") is not None and shutil.which("vvp") is not None


def example() -> tuple[Network, np.ndarray]:
    """A network of two small layers, and one input vector."""
    rng = np.random.default_rng(4)
    shapes: tuple[tuple[int, int, Literal["sign", "score"]], ...] = ((7, 4, "sign"), (4, 2, "score"))
    layers = [
        Dense(
            weights=rng.choice([-1, 1], (n_out, n_in)),
            thresholds=np.zeros((1, n_out), int),
            polarity=np.ones((1, n_out), int),
            group_sizes=np.array([n_in]),
            combine=Combine.ADD,
            output=output,
        )
        for n_in, n_out, output in shapes
    ]
    return Network(name="example", operations=tuple(layers)), rng.integers(0, 2, (1, 7), np.uint8)


@dataclass
class _Trace:
    """Values at the end of each clock cycle, by pin: binary digits as in VCD, or ``x``; and widths."""

    cycles: list[dict[str, str]] = field(default_factory=list)
    widths: dict[str, int] = field(default_factory=dict)


def diagrams(files: Mapping[str, str | bytes], name: str, bus: Bus) -> dict[str, dict[str, Any]]:
    """WaveJSON of each operation, by its name in `OPERATIONS`.

    Parameters
    ----------
    files : mapping
        Of the small kit: its testbench programs over the bus.
    name : str
        Of its controller.
    bus : Bus

    Raises
    ------
    RuntimeError
        The simulation does not end with PASS, or an operation is not in it.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())
        for words in (
            ["iverilog", "-f", "files.f", "-o", "sim.vvp"],
            ["vvp", "sim.vvp", "+program", "+waves=a.vcd"],
        ):
            status, printed = captured(words, cwd=folder, limit_s=LIMIT_S)
            if status != 0:
                raise RuntimeError(f"{words[0]} ends with {status}: {printed[-200:]}")
        if "PASS" not in printed:
            raise RuntimeError(f"the simulation of the small kit fails: {printed[-200:]}")
        trace = _trace(folder / "a.vcd", f"{name}_tb")
    return {
        key: _wave(trace, operation)
        for key, operation in OPERATIONS.items()
        if operation.bus in (None, bus.registers)
    }


def _trace(path: Path, bench: str) -> _Trace:
    """Values of the nets of ``<bench>.system`` just before each rising edge of the clock."""
    scope: list[str] = []
    names: dict[str, str] = {}
    trace, now, before = _Trace(), dict[str, str](), dict[str, str]()
    with path.open("rb") as stream:
        for token in tokenize(stream):
            if token.kind is TokenKind.SCOPE:
                scope.append(token.scope.ident)
            elif token.kind is TokenKind.UPSCOPE:
                scope.pop()
            elif token.kind is TokenKind.VAR and scope == [bench, "system"]:
                names[token.var.id_code] = token.var.reference
                trace.widths[token.var.reference] = token.var.size
            elif token.kind is TokenKind.CHANGE_TIME:
                before = dict(now)  # changes of one time come in any order
            elif isinstance(change := token.data, (ScalarChange, VectorChange)) and change.id_code in names:
                pin, value = names[change.id_code], str(change.value)
                if isinstance(change.value, int):
                    value = bin(change.value)[2:]
                if pin == "clk" and value == "1" and now.get("clk") == "0":
                    trace.cycles.append(before)
                now[pin] = value
    return trace


def _wave(trace: _Trace, operation: Operation) -> dict[str, Any]:
    cycles = trace.cycles
    places = [i for i in range(1, len(cycles)) if operation.starts(cycles[i], cycles[i - 1])]
    if not places:
        raise RuntimeError(f"{operation.title}: not in the simulation")
    start = places[-1 if operation.last else 0]
    while operation.since and not _rise(operation.since)(cycles[start], cycles[start - 1]):
        start -= 1
    end = next((i for i in range(start, len(cycles)) if operation.ends(cycles[i])), len(cycles) - 1)
    shown = [
        {p: cycles[i].get(p, "x") for p in operation.pins}
        for i in range(start - 2, min(end + 3, len(cycles)))
    ]
    kept, gaps = _short(shown)
    signals: list[dict[str, Any]] = [{"name": "clk", "wave": _gapped("p" + "." * (len(kept) - 1), gaps)}]
    for pin in operation.pins:
        wave, labels = _line([c[pin] for c in kept], pin, trace.widths[pin] > 1)
        signals.append({"name": pin, "wave": _gapped(wave, gaps)} | ({"data": labels} if labels else {}))
    return {"signal": signals, "head": {"text": operation.title}, "config": {"hscale": 1}}


def _short(cycles: list[dict[str, str]]) -> tuple[list[dict[str, str]], list[int]]:
    """Without the middle of long stretches in which nothing moves, and the places where something was left out."""
    kept: list[dict[str, str]] = []
    gaps: list[int] = []
    i = 0
    while i < len(cycles):
        j = i
        while j + 1 < len(cycles) and cycles[j + 1] == cycles[i]:
            j += 1
        if j - i + 1 > QUIET_CYC:
            kept += [cycles[i]] * 4
            gaps.append(len(kept) - 2)
        else:
            kept += cycles[i : j + 1]
        i = j + 1
    return kept, gaps


def _gapped(wave: str, gaps: list[int]) -> str:
    return "".join("|" if i in gaps else c for i, c in enumerate(wave))


def _line(values: list[str], pin: str, wide: bool) -> tuple[str, list[str]]:
    """Wave and labels of a pin."""
    wave, labels, before = "", [], None
    for value in values:
        if value == before:
            wave += "."
        elif not set(value) - set("xz") or (not wide and value in "xz"):
            wave += "x"
        elif wide and set(value) & set("xz"):  # of a row in which some columns are not asked
            wave += "="
            labels.append(_digits(value))
        elif wide:
            wave += "="
            labels.append(f"{int(value, 2):X}" if pin in HEXADECIMAL else str(int(value, 2)))
        else:
            wave += value
        before = value
    return wave, labels


def _digits(value: str) -> str:
    """Hexadecimal digits of a VCD vector, x where a bit is unknown."""
    full = value.rjust(-(-len(value) // 4) * 4, "x" if value[0] in "xz" else "0")
    nibbles = [full[i : i + 4] for i in range(0, len(full), 4)]
    return "".join("x" if set(n) & set("xz") else f"{int(n, 2):X}" for n in nibbles)


def svg(wave: Mapping[str, Any]) -> str:
    """A diagram drawn by WaveDrom."""
    import wavedrom

    return str(wavedrom.render(json.dumps(wave)).tostring())
