"""Settings, entries and keys stand once, in the register file: one line there makes a new timing field."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridgebnn.hdl.signatures import ProgramSettings, PulseSettings, ReadSettings
from bridgebnn.hdl.spec import UNLOCK_KEYS, Command, Geometry, ProgOp, PulseConditions, Repairs, Timing
from bridgebnn.hdl.spec.register_map import WHOLE, Settings, layout, register_map
from bridgebnn.paths import PACKAGE

IN_TIMING = (Settings.READ, Settings.PROGRAM, Settings.PULSE)


def test_every_setting_is_a_field_of_the_timing_and_none_more():
    names = {(s.op, s.name) for s in register_map(WHOLE).settings(*IN_TIMING)}
    operations = {op.name.lower() for op in ProgOp}
    timing = {f.name for f in dataclasses.fields(Timing)} - {"clock_s"} - operations
    pulse = {f.name for f in dataclasses.fields(PulseConditions)}
    assert names == {(None, name) for name in timing} | {(op, name) for op in ProgOp for name in pulse}


def test_default_timing_is_legal():
    """The register file is not read on import, so the defaults are not checked when they are made."""
    timing = Timing()
    for setting in register_map(WHOLE).settings(*IN_TIMING):
        value = getattr(timing if setting.op is None else timing.conditions(setting.op), setting.name)
        assert setting.field.minimum <= value < 1 << setting.field.width, setting
    for op in ProgOp:
        dataclasses.replace(timing.conditions(op))  # checks


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Timing(precharge_cyc=0), "Timing.precharge_cyc = 0: must be an integer from 1 to 255"),
        (
            lambda: Timing(rail_limit_cyc=1 << 16),
            "Timing.rail_limit_cyc = 65536: must be an integer from 1 to",
        ),
        (lambda: Timing(verify_margin=-1), "Timing.verify_margin = -1: must be an integer from 0 to 255"),
        (lambda: Timing(sense_cyc=1.5), "Timing.sense_cyc = 1.5: must be an integer"),
        (
            lambda: dataclasses.replace(Timing().set, attempts=0),
            "PulseConditions.attempts = 0: must be an int",
        ),
        (lambda: dataclasses.replace(Timing().set, wl_step=256), "PulseConditions.wl_step = 256: must be"),
        (lambda: Timing(clock_s=0.0), "Timing.clock_s = 0.0: must be positive"),
    ],
)
def test_timing_is_held_to_the_registers(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_structures_have_the_members_of_the_timing():
    assert dict(ReadSettings.members) == {
        "precharge_cyc": 8,
        "evaluate_cyc": 8,
        "sense_cyc": 8,
        "resolve_limit_cyc": 16,
    }
    assert set(PulseSettings.members) == {f.name for f in dataclasses.fields(PulseConditions)}
    assert set(ProgramSettings.members) == {
        *("ops", "wl_setup_cyc", "verify_cyc", "rail_settle_cyc", "rail_limit_cyc", "max_parallel"),
        *("verify_margin", "tile", "row"),
    }


def test_entries_pack_and_unpack():
    log = layout("FAIL_LOG")
    entry = log.pack(column=8191, row=4095, side=1, op=2, valid=1, tile=255)
    assert entry == [0x8BFFFFFF, 0xFF]
    assert log.unpack(entry) == {"column": 8191, "row": 4095, "side": 1, "op": 2, "valid": 1, "tile": 255}
    with pytest.raises(ValueError, match="unknown field of FAIL_LOG 'colum': known are column, row"):
        log.pack(colum=1)
    with pytest.raises(ValueError, match="must be 2 words of 32 bits"):
        log.unpack([0])
    with pytest.raises(ValueError, match="must be 2 words of 32 bits"):
        log.unpack([1 << 32, 0])


def test_both_repair_windows_have_one_layout():
    column, row = layout("REPAIR_COLUMN").fields, layout("REPAIR_ROW").fields
    assert {n: (w, f.lsb, f.width) for n, (w, f) in column.items()} == {
        n: (w, f.lsb, f.width) for n, (w, f) in row.items()
    }
    geometry = Geometry(spare_columns=2, spare_rows=2)
    repairs = Repairs(columns=((0, 1, 7),), rows=((0, 9),))
    assert repairs.column_words(geometry) == [0, 1 << 31 | 7]
    assert repairs.row_words(geometry) == [1 << 31 | 9, 0]


def test_descriptions_name_the_codes():
    registers = register_map(WHOLE)
    texts = [r.desc + " ".join(f.desc for f in r.fields) for r in registers.registers]
    texts += [w.desc + " ".join(f.desc for _, f in w.fields.values()) for w in registers.windows]
    assert not [text for text in texts if "{" in text]
    opcode = registers.field("COMMAND", "opcode").desc
    assert all(f"{command.value} {command.name}" in opcode for command in Command)
    assert all(f"0x{key:08X}" in registers.register("UNLOCK").desc for key in UNLOCK_KEYS)


def test_the_specification_needs_neither_amaranth_nor_numpy():
    code = (
        "import pkgutil, importlib, sys\n"
        "import bridgebnn.hdl.spec as spec\n"
        "early = {'systemrdl'} & set(sys.modules)\n"
        "for module in pkgutil.iter_modules(spec.__path__):\n"
        "    importlib.import_module(f'{spec.__name__}.{module.name}')\n"
        "from bridgebnn.hdl.spec.register_map import register_map, WHOLE\n"
        "register_map(WHOLE)\n"
        "print(sorted(early | {'amaranth', 'numpy', 'cocotb'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("[]\n", "")


NEW_FIELD = '    field { desc = "Sense."; } sense_cyc[23:16];\n'
ADDED = '    field { desc = "Lines rest after a read."; } recover_cyc[31:24] = 5;\n'

USE = """
import asyncio, json, sys
from amaranth.sim import Simulator

from bridgebnn.hdl.control.controller import Controller
from bridgebnn.hdl.output.register_files import markdown, write_register_files
from bridgebnn.hdl.signatures import ReadSettings
from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.tb.host.driver import HostDriver

geometry, found = Geometry(), {}
found["member"] = ReadSettings["recover_cyc"].width

controller = Controller(geometry)
async def access(ctx):
    settings = controller.layer.settings
    found["after reset"] = ctx.get(settings.recover_cyc)
    for name, value in (("adr", 0x02C // 4), ("dat_w", 0x09030201), ("sel", 15), ("we", 1), ("cyc", 1), ("stb", 1)):
        ctx.set(getattr(controller, f"wb_{name}"), value)
    await ctx.tick().repeat(3)
    found["written"] = [ctx.get(settings[name]) for name in ("precharge_cyc", "recover_cyc")]
simulator = Simulator(controller)
simulator.add_clock(1e-6)
simulator.add_testbench(access)
simulator.run()

class Bus:
    map = register_map(geometry)
    def __init__(self): self.words = {}
    async def write(self, name, value): self.words[name] = value
driver = HostDriver.__new__(HostDriver)
driver.bus, driver.geometry = Bus(), geometry
asyncio.run(driver.load_timing(Timing(precharge_cyc=7)))
found["loaded"] = driver.bus.words["TIMING_READ"]
found["page"] = "Lines rest after a read." in markdown()
from pathlib import Path
write_register_files(Path(sys.argv[1]), geometry, Timing())
found["header"] = "RECOVER_CYC" in (Path(sys.argv[1]) / "bridgebnn.h").read_text()
print(json.dumps(found))
"""


def patched(folder: Path, old: str, new: str) -> Path:
    """A copy of the package with one replacement in the register file."""
    package = folder / "bridgebnn"
    package.mkdir(parents=True)
    for room in ("hdl", "model", "tb"):
        shutil.copytree(PACKAGE / room, package / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file in PACKAGE.glob("*.py"):
        shutil.copy(file, package)
    rdl = package / "hdl" / "spec" / "registers.rdl"
    text = rdl.read_text()
    assert text.count(old) == 1
    rdl.write_text(text.replace(old, new))
    return folder


def run_in(folder: Path, code: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_timing_field_is_one_line_of_the_register_file(tmp_path):
    folder = patched(tmp_path / "copy", NEW_FIELD, NEW_FIELD + ADDED)
    run = run_in(folder, USE, str(tmp_path / "registers"))
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "member": 8,
        "after reset": 5,
        "written": [1, 9],
        "loaded": 0x05010107,
        "page": True,
        "header": True,
    }


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (
            NEW_FIELD + ADDED.replace(" = 5", ""),
            r"TIMING_READ.recover_cyc: must have one reset value, in registers.rdl \(now None\) or in "
            r"Timing.recover_cyc \(now None\)",
        ),
        (
            NEW_FIELD.replace("[23:16]", "[23:16] = 3"),
            r"TIMING_READ.sense_cyc: must have one reset value, in registers.rdl \(now 3\) or in "
            r"Timing.sense_cyc \(now 1\)",
        ),
    ],
    ids=["none", "two"],
)
def test_a_setting_has_exactly_one_reset_value(tmp_path, new, message):
    folder = patched(tmp_path / "copy", NEW_FIELD, new)
    run = run_in(folder, "from bridgebnn.hdl.spec.register_map import *; register_map(WHOLE)")
    assert run.returncode == 1
    assert re.search(message, run.stderr)
