"""The register map as data: what registers.rdl says, for several geometries."""

import subprocess
import sys

import pytest

from bridgebnn.hdl.output.register_files import markdown, write_register_files
from bridgebnn.hdl.spec import PRESETS, Geometry, PulseConditions, Timing
from bridgebnn.hdl.spec.register_map import Access, Field, register_map
from tests import ROOT

# Offsets and access of docs/architecture.md, section 7, written down a second time.
CONTRACT = {
    "ID": (0x000, "RO"), "GEOMETRY0": (0x004, "RO"), "GEOMETRY1": (0x008, "RO"), "GEOMETRY2": (0x00C, "RO"),
    "COMMAND": (0x010, "WO"), "STATUS": (0x014, "RO"), "ERROR": (0x018, "RO"),
    "IRQ_PENDING": (0x01C, "W1C"), "IRQ_ENABLE": (0x020, "RW"), "UNLOCK": (0x024, "WO"),
    "LOCK": (0x028, "RW1S"), "TIMING_READ": (0x02C, "RW"), "TIMING_RESOLVE": (0x030, "RW"),
    "TIMING_PROGRAM": (0x034, "RW"), "TIMING_RAILS": (0x038, "RW"), "MAX_PARALLEL": (0x03C, "RW"),
    "FORM_PULSE": (0x040, "RW"), "FORM_PROG": (0x044, "RW"), "FORM_WL": (0x048, "RW"),
    "SET_PULSE": (0x050, "RW"), "SET_PROG": (0x054, "RW"), "SET_WL": (0x058, "RW"),
    "RESET_PULSE": (0x060, "RW"), "RESET_PROG": (0x064, "RW"), "RESET_WL": (0x068, "RW"),
    "VERIFY_MARGIN": (0x06C, "RW"),
    "PROG_ADDRESS": (0x070, "RW"), "PROG_PULSES": (0x074, "RO"), "PROG_VERIFIES": (0x078, "RO"),
    "PROG_FAILURES": (0x07C, "RO"), "LOG_STATUS": (0x080, "RO"), "LAYER_COUNT": (0x084, "RW"),
    "INFER_COUNT": (0x088, "RW"), "INPUT_PUSH": (0x08C, "WO"), "RESULT_POP": (0x090, "WO"),
    "RESULT_CLASS": (0x094, "RO"), "RESULT_INDEX": (0x098, "RO"), "PERF_ROWS": (0x09C, "RO"),
    "PERF_READ": (0x0A0, "RO"), "PERF_BUSY": (0x0A4, "RO"),
}  # fmt: skip
WINDOWS = {
    "ROW_IMAGE": (0x1000, "RW"), "ROW_MASK": (0x2000, "RW"), "DESCRIPTOR": (0x3000, "RW"),
    "SCORES": (0x4000, "RO"), "RESULT_BITS": (0x5000, "RO"), "FAIL_LOG": (0x6000, "RO"),
    "INPUT": (0x8000, "WO"), "THRESHOLD": (0x10000, "RW"),
}  # fmt: skip
OPEN_WHILE_BUSY = {
    "COMMAND", "IRQ_PENDING", "IRQ_ENABLE", "UNLOCK", "LOCK", "INPUT_PUSH", "RESULT_POP",
    "SCORES", "RESULT_BITS", "FAIL_LOG", "INPUT",
}  # fmt: skip


def test_map_is_that_of_the_contract():
    regs = register_map(Geometry())
    assert {r.name: (r.offset, str(r.access)) for r in regs.registers} == CONTRACT
    assert {w.name: (w.offset, str(w.access)) for w in regs.windows} == WINDOWS
    assert {e.name for e in (*regs.registers, *regs.windows) if e.while_busy} == OPEN_WHILE_BUSY
    network = {e.name for e in (*regs.registers, *regs.windows) if e.network}
    assert network == {"LAYER_COUNT", "DESCRIPTOR", "THRESHOLD"}


@pytest.mark.parametrize("geometry", [Geometry(), *(p.geometry for p in PRESETS.values())])
def test_sizes_follow_the_geometry(geometry):
    regs, g = register_map(geometry), geometry
    spares = {"REPAIR_ROW": g.spare_rows, "REPAIR_COLUMN": g.tiles * g.spare_columns}
    spares["WALK"] = 4 * g.layers if g.map_words else 0
    assert {w.name: w.words for w in regs.windows} == {name: n for name, n in spares.items() if n} | {
        "ROW_IMAGE": g.row_words,
        "ROW_MASK": g.row_words,
        "DESCRIPTOR": 4 * g.layers,
        "SCORES": g.scores,
        "RESULT_BITS": -(-g.rows // 32),
        "FAIL_LOG": 2 * g.log_depth,
        "INPUT": max(g.tiles * g.row_words, g.map_words),
        "THRESHOLD": g.thresholds,
    }
    word = {f"GEOMETRY{i}": regs.register(f"GEOMETRY{i}").reset for i in range(3)}
    assert word["GEOMETRY0"] == g.tiles | g.rows << 8 | g.layers << 24
    assert word["GEOMETRY1"] == g.inputs | g.bias << 16
    assert word["GEOMETRY2"] == g.scores | g.log_depth << 16


def test_reset_values_follow_the_timing():
    timing = Timing(
        precharge_cyc=3,
        evaluate_cyc=4,
        sense_cyc=5,
        resolve_limit_cyc=6,
        wl_setup_cyc=7,
        verify_cyc=8,
        rail_settle_cyc=9,
        rail_limit_cyc=10,
        max_parallel=11,
        verify_margin=20,
        set=PulseConditions(
            width_cyc=12,
            attempts=13,
            prog_start=14,
            prog_step=15,
            prog_limit=16,
            wl_start=17,
            wl_step=18,
            wl_limit=19,
        ),
    )
    regs = register_map(Geometry(), timing)
    expected = {
        "TIMING_READ": 0x050403,
        "TIMING_RESOLVE": 6,
        "TIMING_PROGRAM": 0x0807,
        "TIMING_RAILS": 0x000A0009,
        "MAX_PARALLEL": 11,
        "VERIFY_MARGIN": 20,
        "SET_PULSE": 0x0D000C,
        "SET_PROG": 0x100F0E,
        "SET_WL": 0x131211,
    }
    assert {name: regs.register(name).reset for name in expected} == expected


def test_lookup():
    regs = register_map(Geometry())
    assert regs.address("STATUS") == 0x14
    assert regs.address("THRESHOLD", 3) == 0x1000C
    field = regs.field("STATUS", "command")
    assert (field.lsb, field.msb, field.width, field.mask) == (12, 15, 4, 0xF000)
    status = regs.register("STATUS")
    word = status.pack(busy=1, command=4)
    assert word == 0x4001
    assert {n: v for n, v in status.unpack(word).items() if v} == {"busy": 1, "command": 4}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.register("NOPE"), "unknown register 'NOPE': known are ID, GEOMETRY0"),
        (lambda r: r.window("NOPE"), "unknown window 'NOPE': known are ROW_IMAGE"),
        (lambda r: r.field("STATUS", "nope"), "unknown field of STATUS 'nope': known are busy"),
        (lambda r: r.address("ROW_MASK", 1), "word 1 of window ROW_MASK: must be from 0 to 0"),
        (lambda r: r.address("STATUS", 1), "word 1 of register STATUS: must be 0"),
        (lambda r: r.register("STATUS").pack(busy=2), "field busy = 2: must be from 0 to 1"),
    ],
)
def test_bad_lookups(call, message):
    with pytest.raises(ValueError, match=message):
        call(register_map(Geometry()))


def test_fields_do_not_overlap():
    for register in register_map(Geometry()).registers:
        assert sum(f.mask for f in register.fields) == register.mask < 1 << 32


def test_insert_and_extract():
    field = Field(name="x", lsb=4, width=3, access=Access.RW, reset=0, desc="")
    assert [field.extract(field.insert(v)) for v in range(8)] == list(range(8))


def test_compile_is_cached():
    assert register_map(Geometry(), Timing()) is register_map(Geometry(), Timing())


def test_map_needs_no_amaranth():
    code = "import sys, bridgebnn.hdl.spec.register_map; sys.exit('amaranth' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_document_is_up_to_date():
    assert (ROOT / "docs" / "registers.md").read_text() == markdown(), "run: make docs"


def test_register_files(tmp_path):
    geometry = PRESETS["mnist"].geometry
    files = write_register_files(tmp_path, geometry, Timing(), document=tmp_path / "registers.md")
    header = (tmp_path / "bridgebnn.h").read_text()
    assert all(path.exists() for path in files)
    assert "uint32_t THRESHOLD[1040];" in header
    assert all(f"uint32_t {name};" in header for name in CONTRACT)
    ipxact = (tmp_path / "bridgebnn.xml").read_text()
    assert all(f"name>{name}<" in ipxact for name in (*CONTRACT, *WINDOWS))
