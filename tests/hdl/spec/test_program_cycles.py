"""The cycle formulas by hand; tests of the program sequencer hold them against every simulated command."""

import dataclasses

from bridgebnn.hdl.spec import Geometry, ProgOp, Timing
from bridgebnn.hdl.spec.program_cycles import (
    PhaseWork,
    phase_cycles,
    program_row_cycles,
    read_row_cycles,
    verify_row_cycles,
)

GEOMETRY = Geometry(inputs=40, bias=4)  # two words
TIMING = dataclasses.replace(Timing(), wl_setup_cyc=3, verify_cyc=5, rail_settle_cyc=20)  # pulses of 50


def test_phase():
    empty = PhaseWork(op=ProgOp.SET, targets=0)
    assert phase_cycles(GEOMETRY, TIMING, empty) == 3
    passes = PhaseWork(op=ProgOp.SET)
    assert phase_cycles(GEOMETRY, TIMING, passes) == 5 + 3
    pulsed = dataclasses.replace(passes, attempts=2, pulses=3)  # of two groups and of one
    assert phase_cycles(GEOMETRY, TIMING, pulsed) == 3 * 8 + 3 * (3 + 50 + 1)
    failed = dataclasses.replace(pulsed, failing=(0, 4))
    assert phase_cycles(GEOMETRY, TIMING, failed) == 3 * 8 + 3 * 54 + 1 + 1 + 4


def test_pulse_that_is_shorter_than_the_walk_beside_it():
    wide = Geometry(inputs=1600, bias=0)  # 50 words: load, and a walk of 51 cycles
    for width_cyc, cycles in ((49, 53), (48, 52), (47, 52), (1, 52)):
        shorter = dataclasses.replace(TIMING, set=dataclasses.replace(TIMING.set, width_cyc=width_cyc))
        work = PhaseWork(op=ProgOp.SET, attempts=1, pulses=1)
        assert phase_cycles(wide, shorter, work) == 2 * (5 + 51) + cycles


def test_commands():
    phases = [PhaseWork(op=op) for op in (0, 0, 2, 2, 1, 1, 2, 2, 1, 1)]
    start = 1 + (1 + 7 + 20)  # address, rails
    read = 3 + 3 + 3 + 3  # select, precharge, evaluate, capture
    assert program_row_cycles(GEOMETRY, TIMING, phases, ready_cyc=7) == start + 10 * 8 + 1 + read + 1
    assert verify_row_cycles(GEOMETRY, TIMING, phases[6:]) == 1 + 3 + 4 * 8 + 1
    assert read_row_cycles(GEOMETRY, TIMING) == 1 + read + 1
    nothing = [dataclasses.replace(work, targets=0) for work in phases]
    assert program_row_cycles(GEOMETRY, TIMING, nothing, ready_cyc=0, masked=False) == 22 + 10 * 3 + 1 + 3 + 1
    quick = dataclasses.replace(TIMING, rail_settle_cyc=1)  # the walk outlasts the rails
    assert program_row_cycles(GEOMETRY, quick, nothing, ready_cyc=0, masked=False) == 1 + 3 + 35
