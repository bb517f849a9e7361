"""Images and results as AXI4-Streams, driven by cocotbext-axi, which nobody here wrote; every result is golden's."""

import inspect

import pytest

from bridgebnn.hdl.bus import frames
from bridgebnn.hdl.control import axi_controller
from bridgebnn.hdl.machines import stream_machines
from bridgebnn.hdl.output.verilog import verilog_text
from bridgebnn.hdl.spec.pins import MACRO_PINS, Bus, Flow, host_ports
from bridgebnn.tb.simulators import Simulation, SimulationError, run
from tests.cosim.axi_streams import GEOMETRIES

PINS = [*host_ports(Bus.AXI4STREAM), *MACRO_PINS]


def simulate(tmp_path, sim, which="small", **job):
    source = tmp_path / "bridgebnn.v"
    source.write_text(verilog_text(GEOMETRIES[which], bus=Bus.AXI4STREAM))
    written = [p.name for p in PINS if p.flow is Flow.IN]
    read = [p.name for p in PINS if p.flow is Flow.OUT]
    simulation = Simulation(sim=sim, top="bridgebnn", sources=[source], written=[*written, *read], read=[])
    return run(simulation, "tests.cosim.axi_streams", {"which": which, "folder": ".", "seed": 5} | job)


@pytest.mark.icarus
def test_images_errors_hosts_and_resets(tmp_path):
    report = simulate(tmp_path, "icarus", share=0.0)
    assert not report["wrong"]
    assert report["frames"] == report["answered"] >= 60
    assert report["errors"] > 20
    assert report["accesses"] > 40


@pytest.mark.verilator
def test_on_verilator(tmp_path):
    report = simulate(tmp_path, "verilator", share=0.4)
    assert not report["wrong"]
    assert report["frames"] == report["answered"] >= 60


@pytest.mark.icarus
def test_bits_as_results(tmp_path):
    report = simulate(tmp_path, "icarus", "bits", share=0.3, images=4, parts=["lengths"])
    assert not report["wrong"]
    assert report["frames"] == report["answered"] >= 12
    assert report["errors"] >= 4


@pytest.mark.icarus
def test_maps_as_inputs_and_every_state_and_arc_is_hit(tmp_path):
    """Everything that goes wrong, with much stalling; then on a controller with maps, whose runner has all states."""
    whole = simulate(tmp_path, "icarus", share=0.7, watched=True)
    assert not whole["wrong"]
    assert whole["frames"] == whole["answered"] >= 60
    assert whole["errors"] > 20
    assert whole["accesses"] > 40
    maps = simulate(tmp_path, "icarus", "maps", share=0.3, images=4, parts=["lengths", "plain"], watched=True)
    assert not maps["wrong"]
    assert maps["frames"] == maps["answered"] >= 12
    assert maps["errors"] >= 5
    hit = {*whole["hits"], *maps["hits"]}
    found = stream_machines(GEOMETRIES["maps"])
    points = [f"{m.name}.{state}" for m in found for state in m.states]
    points += [f"{m.name}.{a} > {b}" for m in found for a, b in m.arcs]
    assert [point for point in points if point not in hit] == []
    bypass = "frames.READ_TILES > READ_ROWS"  # of controllers without maps
    assert hit - {*points} == {bypass}


BROKEN = {
    "the length of a frame is not judged": (
        "self.count != self.expected",
        "self.count == 0",
        ["lengths"],
        "wrong",
    ),
    "an over-long frame has no end": (
        "m.If(self.s_axis_tlast)",
        "m.If(self.s_axis_tlast & room)",
        ["lengths"],
        "SimTimeoutError",
    ),
    "results of the host are left": ("m.next = FrameState.DROP_RESULT", "pass", ["host"], "BusError"),
    "inputs of the host are left": (
        "[self.found_idle.eq(1), self.input_drop.eq(1)]",
        "self.found_idle.eq(1)",
        ["host"],
        "BusError",
    ),
    "full banks are not freed": ("m.next = FrameState.FREE_BANK", "pass", ["host"], "SimTimeoutError"),
    "an error's end is not seen": (
        'm.Elif(~self._status("busy"))',
        "m.Elif(0)",
        ["errors"],
        "SimTimeoutError",
    ),
    "the output does not wait": (
        "FrameState.SEND), m.If(self.m_axis_tready)",
        "FrameState.SEND), m.If(1)",
        [],
        "wrong",
    ),
    "the bus is not kept": ("if state in fsm.encoding]", "if state == 0] + [FrameState.PUSH]", [], "wrong"),
}
"""What is broken: the place in the runner of frames, what stands there instead, the parts that see it, and how."""

SHORT = ("the length of a frame is not judged", "inputs of the host are left", "the bus is not kept")
"""What ``make test`` has of it; all with ``make test-long``."""


@pytest.mark.icarus
@pytest.mark.parametrize(
    "name", [n if n in SHORT else pytest.param(n, marks=pytest.mark.long) for n in BROKEN]
)
def test_a_broken_runner_of_frames_is_seen(tmp_path, monkeypatch, name):
    old, new, parts, how = BROKEN[name]
    text = inspect.getsource(frames)
    assert text.count(old) == 1
    broken = {"__name__": "broken"}
    exec(text.replace(old, new), broken)
    monkeypatch.setattr(axi_controller, "FrameRunner", broken["FrameRunner"])
    try:
        report = simulate(tmp_path, "icarus", share=0.3, images=4, parts=parts, patience_cyc=3000)
    except SimulationError as error:
        seen = error.kind
    else:
        seen = "wrong" if report["wrong"] else "nothing"
    assert seen == how
