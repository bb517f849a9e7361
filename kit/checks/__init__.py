"""The kit, read by the tools that it is for; and each tool is seen to refuse a broken one.

A check runs on a kit's folder and gives one line of what it found, or raises `Refused`. Each names ways to break a
copy of the kit, which it must refuse. Tools that are absent are said to be; that is no success.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.records import Record

from . import (
    controller,
    gate_level,
    layout,
    librelane,
    macro_views,
    memories,
    other_readers,
    pages,
    registers,
)
from .kit import Kit, Missing, Refused
from .tools import version

__all__ = ["CHECKS", "Check", "CheckReport", "Kit", "KitReport", "Missing", "Refused", "check_kit"]


@dataclass(frozen=True)
class Check:
    """One check.

    Parameters
    ----------
    name : str
    tool : str
        Names of `bridgebnn.kit.checks.tools`, separated by commas.
    run : callable
        Gives what was found, or raises `Refused` or `Missing`.
    spoils : tuple of callables
        Each breaks a copy of a kit so that ``run`` must refuse it.
    bus : Bus, optional
        The check is for kits of this bus alone.
    srams : bool
        The check is for kits with memories on SRAM macros alone.
    """

    name: str
    tool: str
    run: Callable[[Kit], str]
    spoils: tuple[Callable[[Kit], None], ...]
    bus: Bus | None = None
    srams: bool = False

    def refusal(self, kit: Kit) -> str:
        """Why the check is not for a kit; "" where it is."""
        if self.bus not in (None, kit.bus):
            return f"check {self.name!r} is for kits of bus {self.bus}, this one is of {kit.bus}"
        if self.srams and not kit.srams:
            return f"check {self.name!r} is for kits with memories on SRAM macros, this one has none"
        return ""

    @property
    def meaning(self) -> str:
        """First line of what it says of itself."""
        return (self.run.__doc__ or "").splitlines()[0]


CHECKS = (
    Check("simulation", "Icarus Verilog", controller.simulate, (controller.one_weight,)),
    Check("lint", "Verilator", controller.lint, (controller.a_narrow_wire,)),
    Check("elaboration", "Yosys", controller.elaborate, (controller.a_latch,)),
    Check("all warnings", "Icarus Verilog", other_readers.icarus, (controller.a_narrow_wire,)),
    Check("slang", "slang", other_readers.slang, (controller.a_narrow_wire, controller.a_lost_module)),
    Check("wrapper", "Icarus Verilog", controller.wrapper, (controller.a_lost_port,), Bus.WISHBONE),
    Check("memories", "Icarus Verilog", memories.memories, (memories.a_late_answer,), srams=True),
    Check("fusesoc", "FuseSoC, Icarus Verilog", controller.fusesoc, (controller.one_weight,)),
    Check("liberty", "Yosys", macro_views.liberty, (macro_views.a_pin_of_liberty,)),
    Check(
        "liberty again", "liberty-parser", other_readers.liberty_parser, (other_readers.a_width_of_liberty,)
    ),
    Check(
        "lef again",
        "lefdef",
        other_readers.lefdef,
        (other_readers.a_direction_of_the_lef, other_readers.half_a_lef),
    ),
    Check("lef", "KLayout", macro_views.lef, (macro_views.a_pin_of_the_lef,)),
    Check("gds", "KLayout", macro_views.gds, (macro_views.a_pin_of_the_gds,)),
    Check("ip-xact", "lxml, schema of IEEE 1685-2014", registers.ip_xact, (registers.an_element_of_ipxact,)),
    Check("systemrdl", "systemrdl-compiler", registers.systemrdl, (registers.an_offset,)),
    Check("html", "Chromium", pages.register_pages, (pages.a_script_error,)),
    Check("librelane", "LibreLane", librelane.librelane, (librelane.a_lost_file,)),
    Check("datasheet", "Chromium", pages.datasheets, (pages.a_lost_pin,)),
    Check("gate level", "Yosys, Icarus Verilog", gate_level.gates, (gate_level.two_wires,)),
    Check("timing", "Yosys, OpenSTA", gate_level.timing, gate_level.TIMING_SPOILS),
    Check("layout", "Yosys, qflow, graywolf, qrouter, magic, netgen", layout.layout, layout.LAYOUT_SPOILS),
)


class CheckReport(Record, frozen=True, kw_only=True):
    """What one check found.

    Parameters
    ----------
    name, tool : str
    versions : tuple of str
        Of the tools, in their order; "" where a tool is not installed.
    result : str
        ``passed``, ``refused`` or ``missing``.
    found : str
    refuses_broken : bool, optional
        It refused every broken kit; None where that was not tried.
    broken : str
        What it said of each.
    cpu_s : float
        Processor time, broken kits included.
    """

    name: str
    tool: str
    versions: tuple[str, ...]
    result: str
    found: str
    refuses_broken: bool | None
    broken: str
    cpu_s: float


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
        No kit there, no such check, or one that is not for this kit.
    """
    unknown = set(only) - {c.name for c in CHECKS}
    if unknown:
        raise ValueError(f"no check {sorted(unknown)[0]!r}: known are {', '.join(c.name for c in CHECKS)}")
    reports = []
    with tempfile.TemporaryDirectory(prefix="bridgebnn-kit-") as scratch:
        kit = Kit.open(folder.resolve(), Path(scratch))
        for check in CHECKS:
            if check.name in only and (refusal := check.refusal(kit)):
                raise ValueError(refusal)
        for check in CHECKS:
            if (only and check.name not in only) or check.refusal(kit):
                continue
            reports.append(_judged(check, kit, broken, progress))
    return KitReport(kit=kit.name, checks=tuple(reports))


def _judged(check: Check, kit: Kit, broken: bool, progress: Callable[[str], None]) -> CheckReport:
    start = _cpu_s()
    progress(check.name)
    result, found = _outcome(check, kit)
    outcomes = []
    for number, spoil in enumerate(check.spoils if broken and result != "missing" else ()):
        progress(f"{check.name}, broken")
        copy = kit.work / f"broken-{check.name.replace(' ', '-')}-{number}"
        shutil.copytree(kit.folder, copy)
        spoiled = Kit.open(copy, kit.work)
        spoil(spoiled)
        outcomes.append(_outcome(check, spoiled))
    return CheckReport(
        name=check.name,
        tool=check.tool,
        versions=tuple(version(tool) for tool in check.tool.split(", ")),
        result=result,
        found=found,
        refuses_broken=all(how == "refused" for how, _ in outcomes) if outcomes else None,
        broken="; ".join(text for _, text in outcomes),
        cpu_s=round(_cpu_s() - start, 1),
    )


def _cpu_s() -> float:
    """Processor time of this process and of all that it has waited for, s."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _outcome(check: Check, kit: Kit) -> tuple[str, str]:
    try:
        return "passed", check.run(kit)
    except Refused as error:
        return "refused", str(error).replace(f"{kit.work}/", "")  # the same in every run
    except FileNotFoundError as error:
        return "refused", f"no file {Path(error.filename).name}"
    except Missing as error:
        return "missing", str(error)
