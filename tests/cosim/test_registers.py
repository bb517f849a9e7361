"""Acceptance of the register map: an independent Wishbone master walks it on both simulators."""

import dataclasses
from pathlib import Path

import pytest

from bridgebnn.hdl.bus.register_bank import RegisterBank
from bridgebnn.hdl.output.verilog import TOP, generate
from bridgebnn.hdl.spec import Geometry, Timing
from bridgebnn.hdl.spec.register_map import Access
from bridgebnn.tb.runs.jobs import RegistersJob
from bridgebnn.tb.runs.reports import RegistersReport
from bridgebnn.tb.runs.runner import walk_registers
from bridgebnn.tb.simulators import SIMULATORS, Simulation, SimulationError

WRITTEN = ("clk", "rst", "wb_cyc", "wb_stb", "wb_we", "wb_adr", "wb_dat_w", "wb_sel")
WRITTEN += ("cmp", "cmp_valid", "sl", "hv_ready")
READ = ("wb_dat_r", "wb_ack", "wb_err", "irq")
GEOMETRIES = {
    "default": Geometry(),
    "two_tiles": Geometry(
        tiles=2,
        rows=40,
        inputs=70,
        bias=6,
        thresholds=5,
        layers=3,
        scores=10,
        log_depth=5,
        spare_columns=3,
        spare_rows=5,
    ),
}


def walk(simulator: str, geometry: Geometry, source: Path) -> RegistersReport:
    """Run the register walk."""
    simulation = Simulation(sim=simulator, top=TOP, sources=[source], written=WRITTEN, read=READ)
    return walk_registers(RegistersJob(sim=simulator, geometry=geometry), simulation)


@pytest.mark.parametrize(
    ("name", "simulator"),
    [
        pytest.param(
            name,
            simulator,
            marks=[
                getattr(pytest.mark, simulator),
                *[pytest.mark.long] * ((name, simulator) == ("default", "verilator")),
            ],
        )
        for name in GEOMETRIES
        for simulator in SIMULATORS
    ],
)
def test_register_walk(simulator, name, tmp_path):
    result = walk(simulator, GEOMETRIES[name], generate(tmp_path, GEOMETRIES[name]))
    assert result["compared"] == result["sent"] == result["terminations"] > 1000


def _never_refused(self, register):
    return 0


def _windows_never_refused(self, window):
    return 0


def _all_plain(original):
    def store(self, m, register, write):
        changed = dataclasses.replace(register, access=Access.RW) if register.name == "LOCK" else register
        return original(self, m, changed, write)

    return store


BROKEN = {
    "registers never refused": ("_refused", _never_refused, "not refused"),
    "windows never refused": ("_window_refused", _windows_never_refused, "not refused"),
    "lock can be cleared": ("_store", _all_plain(RegisterBank._store), "LOCK after writing 0"),
}


@pytest.mark.icarus
@pytest.mark.parametrize("name", BROKEN)
def test_walk_finds_a_broken_bank(name, tmp_path, monkeypatch):
    method, replacement, message = BROKEN[name]
    monkeypatch.setattr(RegisterBank, method, replacement)
    with pytest.raises(SimulationError, match=message):
        walk("icarus", Geometry(), generate(tmp_path, Geometry()))


@pytest.mark.icarus
def test_walk_finds_a_wrong_reset_value(tmp_path):
    source = generate(tmp_path, Geometry(), Timing(rail_settle_cyc=21))
    with pytest.raises(SimulationError, match="reset value of TIMING_RAILS"):
        walk("icarus", Geometry(), source)


@pytest.mark.icarus
def test_walk_finds_ignored_byte_lanes(tmp_path):
    source = generate(tmp_path, Geometry())
    text = source.read_text()
    assert text.count("& sel;") >= 1
    source.write_text(text.replace("= & sel;", "= 1'b1;"))
    with pytest.raises(SimulationError, match=r"lanes 0x0 .* not refused"):
        walk("icarus", Geometry(), source)
