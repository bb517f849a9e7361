"""The kit, read by the tools that it is for; and each tool is seen to refuse a broken one.

A check runs on a kit's folder and gives one line of what it found, or raises `Refused`. Each names a way to break a
copy of the kit, which it must refuse. Tools that are absent are said to be; that is no success.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.records import Record

from . import controller, gate_level, librelane, macro_views, pages, registers
from .kit import Kit, Missing, Refused

__all__ = ["CHECKS", "Check", "CheckReport", "Kit", "KitReport", "Missing", "Refused", "check_kit"]


@dataclass(frozen=True)
class Check:
    """One check.

    Parameters
    ----------
    name, tool : str
    run : callable
        Gives what was found, or raises `Refused` or `Missing`.
    spoil : callable
        Breaks a copy of a kit so that ``run`` must refuse it.
    bus : Bus, optional
        The check is for kits of this bus alone.
    """

    name: str
    tool: str
    run: Callable[[Kit], str]
    spoil: Callable[[Kit], None]
    bus: Bus | None = None

    @property
    def meaning(self) -> str:
        """First line of what it says of itself."""
        return (self.run.__doc__ or "").splitlines()[0]


CHECKS = (
    Check("simulation", "Icarus Verilog", controller.simulate, controller.one_weight),
    Check("lint", "Verilator", controller.lint, controller.a_narrow_wire),
    Check("elaboration", "Yosys", controller.elaborate, controller.a_latch),
    Check("wrapper", "Icarus Verilog", controller.wrapper, controller.a_lost_port, Bus.WISHBONE),
    Check("fusesoc", "FuseSoC, Icarus Verilog", controller.fusesoc, controller.one_weight),
    Check("liberty", "Yosys", macro_views.liberty, macro_views.a_pin_of_liberty),
    Check("lef", "KLayout", macro_views.lef, macro_views.a_pin_of_the_lef),
    Check("gds", "KLayout", macro_views.gds, macro_views.a_pin_of_the_gds),
    Check("ip-xact", "lxml, schema of IEEE 1685-2014", registers.ip_xact, registers.an_element_of_ipxact),
    Check("systemrdl", "systemrdl-compiler", registers.systemrdl, registers.an_offset),
    Check("html", "Chromium", pages.register_pages, pages.a_script_error),
    Check("librelane", "LibreLane", librelane.librelane, librelane.a_lost_file),
    Check("datasheet", "Chromium", pages.datasheets, pages.a_lost_pin),
    Check("gate level", "Yosys, Icarus Verilog", gate_level.gates, gate_level.two_wires),
    Check("timing", "Yosys, OpenSTA", gate_level.timing, gate_level.an_arc),
)


class CheckReport(Record, frozen=True, kw_only=True):
    """What one check found: ``passed``, ``refused`` or ``missing``; and whether it refused the broken kit."""

    name: str
    tool: str
    result: str
    found: str
    refuses_broken: bool | None
    broken: str


class KitReport(Record, frozen=True, kw_only=True):
    """All checks of a kit."""

    kit: str
    checks: tuple[CheckReport, ...]

    @property
    def passed(self) -> bool:
        """Every check has passed, and has refused its broken kit where that was tried."""
        return all(c.result == "passed" and c.refuses_broken is not False for c in self.checks)


def check_kit(
    folder: Path,
    *,
    only: tuple[str, ...] = (),
    broken: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> KitReport:
    """Run the checks on a kit, and each once more on a broken copy of it.

    Parameters
    ----------
    folder : Path
        Of the kit; nothing is written there.
    only : tuple of str
        Names of checks; all by default.
    broken : bool
        Also see each check refuse a broken kit.

    Raises
    ------
    ValueError
        No kit there, no such check, or one that is not for the kit's bus.
    """
    unknown = set(only) - {c.name for c in CHECKS}
    if unknown:
        raise ValueError(f"no check {sorted(unknown)[0]!r}: known are {', '.join(c.name for c in CHECKS)}")
    reports = []
    with tempfile.TemporaryDirectory(prefix="bridgebnn-kit-") as scratch:
        kit = Kit.open(folder.resolve(), Path(scratch))
        for check in CHECKS:
            if check.name in only and check.bus not in (None, kit.bus):
                raise ValueError(
                    f"check {check.name!r} is for kits of bus {check.bus}, this one is of {kit.bus}"
                )
        for check in CHECKS:
            if (only and check.name not in only) or check.bus not in (None, kit.bus):
                continue
            progress(check.name)
            result, found = _outcome(check, kit)
            refuses, text = None, ""
            if broken and result != "missing":
                progress(f"{check.name}, broken")
                copy = Path(scratch) / f"broken-{check.name.replace(' ', '-')}"
                shutil.copytree(kit.folder, copy)
                spoiled = Kit.open(copy, Path(scratch))
                check.spoil(spoiled)
                outcome, text = _outcome(check, spoiled)
                refuses = outcome == "refused"
            reports.append(
                CheckReport(
                    name=check.name,
                    tool=check.tool,
                    result=result,
                    found=found,
                    refuses_broken=refuses,
                    broken=text,
                )
            )
    return KitReport(kit=kit.name, checks=tuple(reports))


def _outcome(check: Check, kit: Kit) -> tuple[str, str]:
    try:
        return "passed", check.run(kit)
    except Refused as error:
        return "refused", str(error)
    except Missing as error:
        return "missing", str(error)
