"""Controller and macro synthesised: the netlist simulated and timed."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from pathlib import Path

from bridgebnn.synthesis import CELL_MODELS, OSU018, area_mm2, synthesis_passes

from .kit import Kit, Missing, Refused, call, edit, tool, verdict, yosys

__all__ = ["TIMING_SPOILS", "gates", "netlist", "timing", "two_wires"]


def netlist(kit: Kit) -> tuple[Path, float]:
    """Controller and black box synthesised to OSU 0.18, flat; the file, and the area of the cells in mm2.

    Kits of the same Verilog share it.
    """
    if not OSU018.is_file():
        raise Missing(f"{OSU018} not found: install Debian's qflow-tech-osu018")
    read = hashlib.sha256(b"".join((kit.folder / source).read_bytes() for source in kit.sources))
    here = f"netlist-{read.hexdigest()[:16]}"
    file, log = kit.work / f"{here}.v", kit.work / f"{here}.area"
    if not file.is_file():
        passes = synthesis_passes(kit.sources, kit.top, file, kit.work / "drivers.constr")
        log.write_text(str(area_mm2(yosys(kit, *passes))))
    return file, float(log.read_text())


def gates(kit: Kit) -> str:
    """The testbench passes on the netlist, from power-up with every register unknown.

    As in the kit's own simulation, it programs the rows over the bus where they are few, else preloads them; the line
    of the table says which.
    """
    file, _ = netlist(kit)
    binary, cells = str(kit.work / "gates.vvp"), str(CELL_MODELS)
    models = [*kit.models, f"sim/{kit.name}_tb.v"]
    compiler = [tool("iverilog", "iverilog"), "-g2005", "-s", f"{kit.name}_tb", "-o", binary]
    call([*compiler, str(file), cells, *models], kit.folder)
    printed = call([tool("vvp", "iverilog"), binary], kit.folder)
    programmed = re.search(r"^programmed \d+ rows over the bus", printed, re.MULTILINE)
    return f"{verdict(printed)}; {programmed[0] if programmed else 'rows preloaded'}"


def timing(kit: Kit) -> str:
    """OpenSTA on the netlist, through the macro's Liberty: every pin of the macro is timed, and no slack is negative.

    The clock is ideal. What the SDC sets aside as uncertainty counts against the slack: jitter against that of set-up,
    the skew of the clock tree to come against that of hold.
    """
    sta = tool("sta", "Debian's opensta")
    file, square_mm = netlist(kit)
    place = (
        kit.work / f"sta-{kit.folder.name.replace(' ', '-')}"
    )  # OpenSTA's commands take no path with a space
    if not place.is_symlink():
        place.symlink_to(kit.folder)
    libraries = [f"{name}_tt.lib" for name in kit.srams]
    libraries = [name for name in libraries if (kit.folder / "macro" / name).is_file()]
    libraries = [kit.macro("_tt_1p80V_25C.lib").name, *libraries]
    script = kit.work / "sta.tcl"
    script.write_text(
        f"""read_liberty {OSU018}
{chr(10).join(f"read_liberty {place.name}/macro/{name}" for name in libraries)}
read_verilog {file.name}
link_design {kit.top}
source {place.name}/constraints/{kit.name}.sdc
foreach p [get_pins macro/*] {{
  if {{[get_property $p max_rise_slack] == "inf" && [get_property $p max_fall_slack] == "inf"}} {{
    puts "UNTIMED [get_property $p full_name]"
  }}
}}
puts "SLACK [worst_slack -max]"
puts "SLACK [worst_slack -min]"
"""
    )
    printed = call([sta, "-no_splash", "-exit", script.name], kit.work)
    for line in printed.splitlines():
        if line.startswith(("UNTIMED", "Error")):
            raise Refused(line)
    slacks = [float(x) for x in re.findall(r"^SLACK (\S+)$", printed, re.MULTILINE)]  # of all path groups
    if len(slacks) != 2 or not all(map(math.isfinite, slacks)):
        raise Refused("OpenSTA reports no slack")
    for slack, kind in zip(slacks, ("setup", "hold"), strict=True):
        if slack < 0:
            raise Refused(f"slack {slack:.3f} ns ({kind})")
    return f"{square_mm:.2f} mm2 of cells, slack {slacks[0]:.2f} ns (setup), {slacks[1]:.2f} ns (hold)"


def two_wires(kit: Kit) -> None:
    """Two wires between controller and macro change places."""
    file = kit.folder / "rtl" / f"{kit.name}_system.v"
    controller, macro = file.read_text().split(f"{kit.name}_macro macro (")
    file.write_text(f"{controller.replace('.cmp(cmp)', '.cmp(cmp_valid)')}{kit.name}_macro macro ({macro}")


def an_arc(kit: Kit) -> None:
    """The arc of `cmp_valid` is gone."""
    file = kit.macro("_tt_1p80V_25C.lib")
    text = file.read_text()
    start = text.index("bus (cmp_valid)")
    arc = text.index("timing () {", start)
    end = text.index("      }\n    }", arc)
    file.write_text(text[:arc] + text[end + len("      }\n") :])


def a_short_period(kit: Kit) -> None:
    """A period of a tenth."""
    edit(kit.folder / "constraints" / f"{kit.name}.sdc", "-period $period", "-period [expr 0.1 * $period]")


def an_early_bus(kit: Kit) -> None:
    """An input of the bus that changes half a period before the clock's edge."""
    delay = "set_input_delay [expr "
    edit(kit.folder / "constraints" / f"{kit.name}.sdc", delay, f"{delay}-")


TIMING_SPOILS: tuple[Callable[[Kit], None], ...] = (an_arc, a_short_period, an_early_bus)
