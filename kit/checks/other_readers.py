"""The kit read a second time, by other readers: slang, Icarus with all warnings, lefdef and liberty-parser."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from bridgebnn.kit.macro import POWER_PINS

from .kit import Kit, Missing, Refused, call, edit, tool
from .macro_views import same_pins

__all__ = [
    "SLANG_WAIVED",
    "a_direction_of_the_lef",
    "a_width_of_liberty",
    "half_a_lef",
    "icarus",
    "lefdef",
    "liberty_parser",
    "slang",
]

SLANG_WAIVED = {
    "arith-op-mismatch": "Operands are as narrow as their values; Verilog extends them.",
    "bitwise-op-parentheses": "Sums of products, as one writes them.",
    "case-default": "Yosys writes the decisions of a process with their default before the case statement.",
    "case-type": "Codes of the testbench's script are compared with integer constants.",
    "sign-compare": "The same, and counters that are compared with integers.",
    "sign-conversion": "A signed bus goes through ports and constants without a sign.",
    "width-expand": "Byte codes become integers.",
    "width-trunc": "Parts of words are shifted to the lowest bits, and the rest is left behind.",
}
"""Warnings of slang that the kit's Verilog gives, with the reason."""

SLANG_OPTIONS = ("-Weverything", "--relax-string-conversions")
"""All warnings; file names of Verilog 2005 are vectors."""


def slang(kit: Kit) -> str:
    """slang elaborates both file lists and says nothing that is not waived."""
    try:
        from pyslang import driver as slang_driver
    except ImportError:
        raise Missing("pyslang not found: pip install 'bridgebnn[kit]'") from None
    waived: Counter[str] = Counter()
    with contextlib.chdir(kit.folder):  # file lists name files as seen from their folder
        for files, top in (("rtl.f", kit.top), ("files.f", f"{kit.name}_tb")):
            driver: Any = slang_driver.Driver()
            driver.addStandardArgs()
            words = ["slang", *SLANG_OPTIONS, "-f", files, "--top", top]
            if not (driver.parseCommandLine(" ".join(words)) and driver.processOptions()):
                raise Refused(f"slang refuses its options for {files}")
            if not driver.parseAllSources():
                raise Refused(f"slang cannot read the files of {files}")
            _judge(driver, waived)
    return f"2 file lists; waived {', '.join(f'{n} {name}' for name, n in sorted(waived.items()))}"


def _judge(driver: Any, waived: Counter[str]) -> None:
    """Count what is waived; refuse anything else."""
    engine, places = driver.diagEngine, driver.sourceManager
    for found in driver.createCompilation().getAllDiagnostics():
        option = engine.getOptionName(found.code)
        if option in SLANG_WAIVED:
            waived[option] += 1
            continue
        if engine.getSeverity(found.code, found.location).name == "Ignored":
            continue
        where = f"{places.getFileName(found.location)}:{places.getLineNumber(found.location)}"
        raise Refused(f"slang: {where}: {engine.formatMessage(found)[:120]}")


def icarus(kit: Kit) -> str:
    """Icarus elaborates the files for synthesis and those of the testbench with ``-Wall`` and says nothing."""
    compiler = [tool("iverilog", "iverilog"), "-g2005", "-Wall", "-t", "null"]
    for files, top in (("rtl.f", kit.top), ("files.f", f"{kit.name}_tb")):
        said = call([*compiler, "-s", top, "-f", files], kit.folder)
        if said.strip():
            raise Refused(said.splitlines()[0])
    return "2 file lists, 0 warnings"


def _read(kit: Kit, view: str, file: Path, package: str) -> dict[str, Any]:
    module = {"lef": "lefdef", "liberty": "liberty"}[view]
    if importlib.util.find_spec(module) is None:
        raise Missing(f"{package} not found: pip install 'bridgebnn[kit]'")
    words = [sys.executable, "-m", "bridgebnn.kit.checks.view_reader", view, str(file), f"{kit.name}_macro"]
    return json.loads(call(words, kit.work, name=package).splitlines()[-1])


def _pins(found: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {name: (way, width) for name, (way, width) in found["pins"].items()}


def _supplies(found: dict[str, str], what: str) -> None:
    wanted = {pin: "GROUND" if pin == "VSS" else "POWER" for pin in POWER_PINS}
    if found != wanted:
        raise Refused(f"supplies {found} in the {what}, must be {wanted}")


def lefdef(kit: Kit) -> str:
    """lefdef reads the LEF; bit by bit, names and directions are those of the black box, and so are the supplies."""
    found = _read(kit, "lef", kit.macro(".lef"), "lefdef")
    wanted: dict[str, tuple[str, int]] = {}
    for name, (way, width) in kit.pins().items():
        one = width == 1 and f"{name}[0]" not in found["pins"]
        wanted |= {bit: (way, 1) for bit in ([name] if one else [f"{name}[{i}]" for i in range(width)])}
    same_pins(wanted, _pins(found), "LEF")
    _supplies(found["supplies"], "LEF")
    return f"{len(wanted)} bits, {len(found['supplies'])} supplies"


def liberty_parser(kit: Kit) -> str:
    """liberty-parser reads every corner; names, directions, widths and supplies are those of the black box."""
    files = sorted((kit.folder / "macro").glob(f"{kit.name}_macro_*.lib"))
    for file in files:
        found = _read(kit, "liberty", file, "liberty-parser")
        same_pins(kit.pins(), _pins(found), "Liberty")
        _supplies(found["supplies"], "Liberty")
    return f"{len(files)} corners, {len(kit.pins())} pins, {len(POWER_PINS)} supplies"


def a_direction_of_the_lef(kit: Kit) -> None:
    """An input that is an output."""
    edit(kit.macro(".lef"), "DIRECTION INPUT", "DIRECTION OUTPUT")


def half_a_lef(kit: Kit) -> None:
    """A LEF file that ends in the middle of a pin."""
    file = kit.macro(".lef")
    text = file.read_text()
    file.write_text(text[: text.index("DIRECTION OUTPUT")])


def a_width_of_liberty(kit: Kit) -> None:
    """A bus of another width."""
    file = kit.macro("_ff_1p98V_n40C.lib")
    kinds = sorted(
        {line.split()[1] for line in file.read_text().splitlines() if line.strip().startswith("type (")}
    )
    edit(file, f"bus_type : {kinds[-1][1:-1]};", f"bus_type : {kinds[0][1:-1]};")
