"""Controller and macro synthesised: the netlist simulated and timed."""

from __future__ import annotations

import re
from pathlib import Path

from .kit import Kit, Missing, Refused, call, tool, verdict, yosys

__all__ = ["an_arc", "gates", "netlist", "timing", "two_wires"]

OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
"""Standard cells of Debian's qflow-tech-osu018."""

CONSTRAINT = "set_driving_cell INVX4\nset_load 0.05 [all_outputs]\n"


def netlist(kit: Kit) -> tuple[Path, float]:
    """Controller and black box synthesised to OSU 0.18, flat; the file, and the area of the cells in mm2."""
    if not OSU018.is_file():
        raise Missing(f"{OSU018} not found: install Debian's qflow-tech-osu018")
    here = kit.folder.name.replace(" ", "_")
    file, log = kit.work / f"{here}.netlist.v", kit.work / f"{here}.area"
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
    place = kit.work / f"{file.stem}.kit"  # OpenSTA's commands take no path with a space
    if not place.is_symlink():
        place.symlink_to(kit.folder)
    script = kit.work / "sta.tcl"
    script.write_text(
        f"""read_liberty {OSU018}
read_liberty {place.name}/macro/{kit.macro("_tt_1p80V_25C.lib").name}
read_verilog {file.name}
link_design {kit.top}
source {place.name}/constraints/{kit.name}.sdc
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
    printed = call([sta, "-no_splash", "-exit", script.name], kit.work)
    for line in printed.splitlines():
        if line.startswith(("UNTIMED", "Error")):
            raise Refused(line)
    slacks = [float(x) for x in re.findall(r"^SLACK (\S+)$", printed, re.MULTILINE)]
    if len(slacks) != 2:
        raise Refused("OpenSTA reports no slack")
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
