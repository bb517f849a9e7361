"""Documents and headers made from the register map: Markdown, C header, HTML pages, IP-XACT."""

from __future__ import annotations

from pathlib import Path

from peakrdl_cheader.exporter import CHeaderExporter
from peakrdl_html import HTMLExporter
from peakrdl_ipxact import IPXACTExporter

from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.rdl import rdl_root
from bridgebnn.hdl.spec.register_map import WHOLE, Register, Window, register_map

__all__ = ["markdown", "write_register_files"]

INTRODUCTION = """\
# Registers

<!-- Generated from hdl/spec/registers.rdl by `bridgebnn hdl registers`. Do not edit. -->

32-bit words at byte addresses; a write selects every byte lane. Sizes and reset values below are those of
the default geometry ({tiles} tile, {rows} rows, {inputs} + {bias} columns) with one spare column, one
spare row and maps of one word, and of the default timing; W = ceil(columns / 32) = {row_words}. Without
spares GEOMETRY3, REPAIR_ROW and REPAIR_COLUMN do not exist, without maps GEOMETRY4 and WALK.

| access | read | write |
| --- | --- | --- |
| RO | yes | `wb_err` |
| RW | yes | yes |
| W1C | yes | 1 clears, 0 keeps |
| RW1S | yes | 1 sets, 0 keeps; only reset clears |
| WO | `wb_err` | yes |

An access outside the map, or a write with a byte lane unselected, ends in `wb_err` and changes nothing.
Reads ignore the byte lanes. *While busy*
says whether the host may write a register, or use a window at all, while a command runs; where it may not,
the access ends in `wb_err` and changes nothing. Registers can always be read. Bits outside of fields read 0.
Under LOCK.read_lock, writes of {network} end in `wb_err`, too.
"""

OVERVIEW = """
## Overview

| address | name | access | reset | while busy |
| --- | --- | --- | --- | --- |
"""


def markdown(geometry: Geometry | None = None, timing: Timing | None = None) -> str:
    """The map as one Markdown page."""
    geometry = geometry or WHOLE
    registers = register_map(geometry, timing or Timing())
    network = ", ".join(item.name for item in (*registers.registers, *registers.windows) if item.network)
    parts = [INTRODUCTION.format(**geometry.as_dict(), network=network), OVERVIEW]
    parts += [_overview_line(r) for r in registers.registers]
    parts += [_window_line(w) for w in registers.windows]
    parts += [_register_section(r) for r in registers.registers]
    parts += [_window_section(w) for w in registers.windows]
    return "".join(parts)


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _overview_line(register: Register) -> str:
    reset = f"{register.reset:#010x}" if register.access.readable else ""
    busy = _yes(register.while_busy) if register.access.writable else ""
    name = f"[{register.name}](#{register.name.lower()})"
    return f"| {register.offset:#07x} | {name} | {register.access} | {reset} | {busy} |\n"


def _window_line(window: Window) -> str:
    name = f"[{window.name}](#{window.name.lower()}), {window.words} words"
    return f"| {window.offset:#07x} | {name} | {window.access} | | {_yes(window.while_busy)} |\n"


def _fields(register: Register) -> str:
    lines = ["| bits | field | reset | meaning |\n| --- | --- | --- | --- |\n"]
    for field in register.fields:
        bits = str(field.lsb) if field.width == 1 else f"{field.msb}:{field.lsb}"
        reset = f"{field.reset:#x}" if register.access.readable else ""
        lines.append(f"| {bits} | `{field.name}` | {reset} | {field.desc} |\n")
    return "".join(lines)


def _register_section(register: Register) -> str:
    head = f"\n### {register.name}\n\n{register.offset:#07x}, {register.access}. {register.desc}\n\n"
    return head + _fields(register)


def _window_section(window: Window) -> str:
    last = window.address(window.words - 1)
    text = f"\n### {window.name}\n\n{window.offset:#07x} .. {last:#07x}, {window.access}. {window.desc}\n"
    for index, register in enumerate(window.layout):
        title = f"Word {index} of an entry, `{register.name}`" if len(window.layout) > 1 else "Each word"
        text += f"\n{title}:\n\n{_layout_fields(register)}"
    return text


def _layout_fields(register: Register) -> str:
    lines = ["| bits | field | meaning |\n| --- | --- | --- |\n"]
    for field in register.fields:
        bits = str(field.lsb) if field.width == 1 else f"{field.msb}:{field.lsb}"
        lines.append(f"| {bits} | `{field.name}` | {field.desc} |\n")
    return "".join(lines)


def write_register_files(
    out: Path, geometry: Geometry, timing: Timing, *, document: Path | None = None
) -> list[Path]:
    """Write the C header, the HTML pages and the IP-XACT file; and the Markdown page of the default geometry.

    Parameters
    ----------
    out : Path
        Directory; made when absent.
    geometry : Geometry
    timing : Timing
    document : Path, optional
        The Markdown page; None writes none.

    Returns
    -------
    list of Path
        What was written.
    """
    out.mkdir(parents=True, exist_ok=True)
    root = rdl_root(geometry, timing)
    files = [out / "bridgebnn.h", out / "html", out / "bridgebnn.xml"]
    CHeaderExporter().export(root, str(files[0]), reuse_typedefs=False)  # names without the parameters
    HTMLExporter().export(root, str(files[1]), title="bridgebnn registers")
    IPXACTExporter(vendor="bridgebnn", library="bridgebnn").export(root, str(files[2]))
    if document is not None:
        document.parent.mkdir(parents=True, exist_ok=True)
        document.write_text(markdown())
        files.append(document)
    return files
