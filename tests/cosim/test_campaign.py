"""The fault campaign: a short form is never silent, repeats itself, and fails for broken controllers."""

import itertools
import json
from collections.abc import Callable

import pytest
from amaranth.hdl import Signal

from bridgebnn.hdl.control.controller import Controller
from bridgebnn.hdl.output.verilog import component_verilog
from bridgebnn.hdl.spec import Command, ErrorCode, VerifyRef
from bridgebnn.tb.campaign import report
from bridgebnn.tb.campaign.faults import (
    AIMS,
    CLASSES,
    GEOMETRY,
    STRIKES,
    TIMING,
    draw,
    parse,
    shares,
)
from bridgebnn.tb.campaign.run import labels, run_campaign, run_faults
from bridgebnn.tb.campaign.watch import RULES, rules_of, targets


class Broken(Controller):
    """The controller with one wire between its blocks cut or bent."""

    def __init__(self, bend: Callable[..., None]):
        super().__init__(GEOMETRY, TIMING)
        self.bend = bend

    def elaborate(self, platform):
        m = super().elaborate(platform)
        self.bend(m, m.submodules.arbiter, m.submodules.program, m.submodules.gate, m.submodules.log)
        return m


def failures_unreported(m, arbiter, program, gate, log):
    with m.If((arbiter.command == Command.PROGRAM_ROW) & (program.cmd.code == ErrorCode.NOT_CONVERGED)):
        m.d.comb += arbiter.program.code.eq(ErrorCode.NONE)


def hrs_verify_skipped(m, arbiter, program, gate, log):
    with m.If(program.pins.verify & (program.pins.verify_ref == VerifyRef.HRS_MIN)):
        m.d.comb += program.pins.sl.eq(~0)


def rails_left_on(m, arbiter, program, gate, log):
    hold = Signal()
    with m.If(program.cmd.done & (program.cmd.code != ErrorCode.NONE)):
        m.d.sync += hold.eq(1)
    with m.If(hold):
        m.d.comb += [gate.program.hv_en.eq(1), gate.program.active.eq(1)]


def abort_unheard_in_pulse(m, arbiter, program, gate, log):
    m.d.comb += program.cmd.abort.eq(arbiter.program.abort & ~program.pins.pulse)


def column_not_logged(m, arbiter, program, gate, log):
    m.d.comb += log.push.eq(program.log_push & (program.log_entry[:13] != 3))


def pulse_too_long(m, arbiter, program, gate, log):
    late = Signal()
    m.d.sync += late.eq(program.pins.pulse)
    m.d.comb += gate.program.pulse.eq(program.pins.pulse | late)


def lock_ignored(m, arbiter, program, gate, log):
    m.d.comb += [arbiter.unlocked.eq(1), program.unlocked.eq(1), gate.unlocked.eq(1)]


BROKEN = {
    failures_unreported: ("not in their state", "devices", ("program",), 4),
    hrs_verify_skipped: ("devices failed and are not in the log", "devices", ("program",), 4),
    rails_left_on: ("pins active while no command runs", "devices", ("program",), 3),
    abort_unheard_in_pulse: ("in the cycle after an abort", "interrupts", ("abort", "HOLD"), 2),
    column_not_logged: ("not in the log", "devices", ("program",), 16),
    pulse_too_long: ("pulse longer than programmed", "devices", ("program",), 2),
    lock_ignored: ("pulse while locked", "interrupts", ("program", "relock"), 6),
}
"""What is broken, what the campaign says of it; the faults put in: class; work, kind, state aimed at; how many."""


def some_faults(name: str, wanted: tuple[str, ...], count: int) -> list[str]:
    """Labels of the first faults of a class with this work, kind and state."""
    every = (draw(name, 2, i) for i in itertools.count())
    fitting = (f for f in every if {f.work, f.kind, *f.options.get("aim", ())} >= set(wanted))
    return [f.label for f in itertools.islice(fitting, count)]


def silent(records: list[dict]) -> list[tuple[str, list[str]]]:
    """Silent faults, with the reasons."""
    return [(r["label"], r["silent"]) for r in records if r["verdict"] == "silent"]


@pytest.mark.verilator
@pytest.mark.icarus
def test_short_campaign_is_never_silent():
    result = run_campaign(100, 11, jobs=2, icarus=0.05)
    assert silent(result["records"]) == []
    counts = report.tally(result["records"])
    assert counts["all"]["injected"] == len(result["records"]) == 100
    for name, row in counts.items():
        assert row["injected"] == row["benign"] + row["detected"] + row["silent"], name
        assert row["detected"] == row["repaired"] + row["reported"] > 0, name
    facts = json.loads(json.dumps(report.summary(result)))
    assert facts["silent"] == []
    assert facts["simulators"] == {"icarus": 5, "verilator": 95}
    text = report.markdown(result)
    assert "| **all** | **100** |" in text
    assert all(rule in text for rule in RULES)
    report.table(result)


@pytest.mark.verilator
def test_every_state_is_aimed_at():
    """Reset, abort and power loss in each state of each sequencer, once."""
    aimed = [f"interrupts:3:{2 * i + 1}" for i in range(len(AIMS) * len(STRIKES))]
    records = run_faults(aimed, "verilator")
    assert silent(records) == []
    assert report.missed(records) == []


@pytest.mark.icarus
def test_a_fault_replays():
    chosen = [f"{name}:5:0" for name in CLASSES]
    first, second = run_faults(chosen, "icarus"), run_faults(chosen[::-1], "icarus")[::-1]
    for a, b in zip(first, second, strict=True):
        assert {k: v for k, v in a.items() if k != "wall_s"} == {k: v for k, v in b.items() if k != "wall_s"}


@pytest.mark.icarus
@pytest.mark.parametrize("bend", BROKEN, ids=lambda bend: bend.__name__)
def test_broken_controller_is_silent(bend, tmp_path):
    path = tmp_path / "bridgebnn.v"
    path.write_text(component_verilog(Broken(bend), name="bridgebnn").text)
    reason, *which = BROKEN[bend]
    found = silent(run_faults(some_faults(*which), "icarus", verilog=path))
    assert any(reason in why for _, reasons in found for why in reasons), found


def test_draws_repeat_and_differ():
    for name in CLASSES:
        some = [draw(name, 1, i) for i in range(40)]
        assert some == [parse(f"{name}:1:{i}") for i in range(40)]
        assert len({(f.work, f.kind, str(f.options)) for f in some}) > 10
        assert some != [draw(name, 2, i) for i in range(40)]


def test_labels_are_all_different_and_interleaved():
    every = labels(1000, 3)
    assert len(set(every)) == 1000
    assert {label.split(":")[0] for label in every[:30]} == set(CLASSES)
    assert sum(shares(10_000).values()) == 10_000


@pytest.mark.parametrize("label", ["devices", "devices:1", "devices:1:x", "dust:1:2", "devices:-1:2"])
def test_wrong_labels_are_refused(label):
    with pytest.raises(ValueError, match="must be CLASS:SEED:INDEX"):
        parse(label)


def test_too_few_faults_are_refused():
    with pytest.raises(ValueError, match="must be at least 7"):
        shares(6)


def test_every_configuration_register_can_be_flipped():
    names = {t.name for t in targets(GEOMETRY)}
    assert {"FORM_PULSE", "TIMING_RAILS", "PROG_ADDRESS", "LOCK", "ROW_IMAGE", "DESCRIPTOR"} <= names
    assert {"REPAIR_COLUMN", "REPAIR_ROW", "WALK"} <= names
    assert {t.name for t in targets(GEOMETRY) if not t.configured} == {
        *("INPUT", "map 0", "map 1", "SCORES", "RESULT_BITS")
    }
    flipped = {draw("flips", 1, index).kind for index in range(300)}
    assert "WALK" in flipped
    assert not flipped & {"INPUT", "map 0", "map 1", "SCORES", "RESULT_BITS"}
    assert rules_of(0) == []
    assert rules_of((1 << 16) - 1) == list(RULES)


def test_reports_name_controller_or_host():
    record = {"label": "lines:1:0", "verdict": "reported", "reports": ["scrub LOCK"], "states": {}}
    counts = report.reporters([record, record | {"reports": [ErrorCode.RAILS_LOST.name]}])
    assert counts["lines"] == {"host": 1, "controller": 1}
