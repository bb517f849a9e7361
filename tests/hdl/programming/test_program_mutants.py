"""Deliberately broken program sequencers: the bench has to see each of them."""

import ast
import dataclasses
import inspect
import random
import sys
import types
import warnings

import pytest
from amaranth.hdl import UnusedElaboratable

from bridgebnn.hdl.programming import (
    attempts,
    bridge_read,
    column_walk,
    group_choice,
    group_scan,
    phase_targets,
    phases,
    pin_driver,
    program_sequencer,
    rails,
    row_log,
    row_memory,
    step_levels,
)
from bridgebnn.hdl.spec import Command, Geometry, ProgOp, ProgSide
from bridgebnn.tb.checks.row_reference import HRS, LRS, NEVER, Device, Row
from tests.hdl.programming.program_bench import Bench
from tests.hdl.programming.test_program_sequencer import SHORTEST

GEOMETRY = Geometry(tiles=1, rows=2, inputs=34, bias=0)

MUTANTS = {
    "verify is skipped": (
        pin_driver,
        "m.next = PinState.VERIFY",
        "m.next = PinState.ANSWER_VERIFY",
    ),
    "pulse one cycle longer": (
        pin_driver,
        "drive_for(self.width_cyc,",
        "drive_for(self.width_cyc + 1,",
    ),
    "pulse one cycle shorter": (
        pin_driver,
        "drive_for(self.width_cyc,",
        "drive_for(self.width_cyc - 1,",
    ),
    "no hold": (pin_driver, "m.next = PinState.HOLD", "m.next = PinState.SET_UP"),
    "hold does not wait for the group": (
        attempts,
        "with m.If(staged | walked):",
        "with m.If(1):",
    ),
    "last group is forgotten": (
        attempts,
        "last_group.eq(~self.group_follows)",
        "last_group.eq(1)",
    ),
    "levels do not step": (
        attempts,
        "levels.step.eq(self.load & ~self.first_verify)",
        "levels.step.eq(0)",
    ),
    "columns move at the end of the pulse": (
        pin_driver,
        'drive["wl_en"].eq(1)\n                take_step()',
        'drive["wl_en"].eq(1)\n                m.d.comb += self.load.eq(1)\n                take_step()',
    ),
    "verify falls late": (
        pin_driver,
        'drive[name].eq(~self.answers.ready) for name in ("wl_en", "verify")',
        'drive[name].eq(~self.answers.ready if name == "wl_en" else 1) for name in ("wl_en", "verify")',
    ),
    "all columns are verified again": (
        column_walk,
        "Mux(self.first_verify, targets.targets, pending_words.r_data)",
        "targets.targets",
    ),
    "words before the group are not blank": (row_memory, "self.blank > w", "0"),
    "group begins anew": (group_choice, "self.index == cursor)", "0)"),
    "phase ahead is that of now": (
        column_walk,
        "(targets_ahead, self.ahead)",
        "(targets_ahead, self.now)",
    ),
    "empty phase is verified": (
        attempts,
        "with m.If(self.any_ahead):",
        "with m.If(1):",
    ),
    "rails are not awaited by the walk": (
        rails,
        "m.next = RailState.WATCH",
        "m.next = RailState.RAISE",
    ),
    "log of the command before": (
        column_walk,
        "(scan.valid & self.forget_logged)",
        "(scan.valid & 0)",
    ),
    "refresh forms": (
        phases,
        "self.pulses & self.forms, ProgOp.FORM",
        "self.pulses, ProgOp.FORM",
    ),
    "refresh at the nominal reference": (
        program_sequencer,
        "Mux(refreshing, s.verify_margin, 0)",
        "0",
    ),
    "every verify at the margin": (
        program_sequencer,
        "Mux(refreshing, s.verify_margin, 0)",
        "s.verify_margin",
    ),
    "pulses at the margin code": (
        pin_driver,
        "m.d.sync += self.prog_level.eq(self.level)",
        "pass",
    ),
    "log mixes the sides": (
        column_walk,
        "logged_words.r_data.word_select(self.now.side, WORD_WIDTH)",
        "logged_words.r_data.word_select(0, WORD_WIDTH)",
    ),
    "word line falls with the pulse": (
        pin_driver,
        'm.d.comb += drive["wl_en"].eq(1)\n                take_step',
        "take_step",
    ),
    "no set-up": (
        pin_driver,
        "m.next = PinState.SET_UP",
        "m.next = PinState.PULSE",
    ),
    "rails stay up": (
        program_sequencer,
        "rails.lower.eq(1), bridges",
        "rails.lower.eq(0), bridges",
    ),
    "rails are not awaited": (
        rails,
        "settled.eq(ready & (ready_for + 1 >= self.settle_cyc))",
        "settled.eq(raising & self.hv_en)",
    ),
    "lost rails are not seen": (
        rails,
        "self.lost.eq(~self.hv_ready)",
        "self.lost.eq(0)",
    ),
    "lost unlock is not seen": (rails, "self.locked.eq(~self.unlocked)", "self.locked.eq(0)"),
    "abort is not seen": (program_sequencer, "m.If(self.cmd.abort)", "m.If(0)"),
    "P and N swapped": (
        phase_targets,
        "to_lrs = self.image ^",
        "to_lrs = ~self.image ^",
    ),
    "no last attempt": (
        step_levels,
        "used >= s.attempts",
        "used + 1 >= s.attempts",
    ),
    "levels wrap": (step_levels, "Signal(9,", "Signal(8,"),
    "group too large": (
        group_scan,
        "(count <= budget)",
        "(count <= budget + 1)",
    ),
    "passed devices stay": (
        column_walk,
        "pending & ~stage.answer &",
        "pending &",
    ),
    "logged twice": (column_walk, "& ~forgiven", ""),
    "read-back is not compared": (
        row_log,
        "self.differing.valid & self.compared",
        "0",
    ),
}


def broken(module, old: str, new: str):
    """`ProgramSequencer` with ``old`` replaced in the source of ``module``, which itself is kept."""
    source = inspect.getsource(module)
    assert old in source, f"{module.__name__} has no {old!r}"
    copy = types.ModuleType(module.__name__)
    copy.__package__ = "bridgebnn.hdl.programming"
    code = compile(ast.parse(source.replace(old, new)), f"<{module.__name__}, broken>", "exec")
    chain = [
        *(group_scan, group_choice, phases, phase_targets, row_memory, column_walk, step_levels, pin_driver),
        *(attempts, bridge_read, rails, row_log, program_sequencer),
    ]
    saved = {m.__name__: sys.modules[m.__name__] for m in chain}
    try:
        sys.modules[module.__name__] = copy
        exec(code, copy.__dict__)
        if module is program_sequencer:
            return copy.ProgramSequencer
        for user in chain[chain.index(module) + 1 :]:  # load those that use it anew
            again = types.ModuleType(user.__name__)
            again.__package__ = "bridgebnn.hdl.programming"
            sys.modules[user.__name__] = again
            exec(compile(inspect.getsource(user), user.__file__, "exec"), again.__dict__)
        return again.ProgramSequencer
    finally:
        sys.modules.update(saved)


async def all_rules(bench):
    """Short, and yet every rule of the bench and every kind of outcome is asked."""
    rng = random.Random(5)
    image, mask = rng.getrandbits(34), (1 << 34) - 1
    bench.row = Row.random(34, rng, most=2, never=0.03)
    await bench.compare(Command.PROGRAM_ROW, image, mask)
    bench.row.broken_bridges = {33}
    bench.row.devices = Row.random(34, rng, most=1).devices
    await bench.compare(Command.PROGRAM_ROW, image, mask)
    # All of one kind: empty phases. Then one device that was logged falls in the last phase.
    bench.row = Row(34)
    bench.row.devices[33][ProgSide.N].need[ProgOp.RESET] = NEVER
    await bench.compare(Command.PROGRAM_ROW, mask, mask)
    bench.row.devices[33][ProgSide.N] = Device(HRS)
    bench.row.devices[32][ProgSide.P].state = HRS
    bench.row.disturbs = {bench.row.pulses: [(33, ProgSide.N, LRS)]}
    assert (await bench.compare(Command.PROGRAM_ROW, mask, mask)).detail == 1
    bench.row = Row.random(34, rng, weak=0.3)
    await bench.compare(Command.REFRESH_ROW, image, mask)
    for fault in ("abort", "rails", "lock"):
        bench.row = Row.random(34, rng)
        assert (await bench.command(Command.PROGRAM_ROW, faults={40: fault}, cap=2000)).cycles == 41


TIMING = dataclasses.replace(
    SHORTEST,
    max_parallel=9,
    set=dataclasses.replace(SHORTEST.set, width_cyc=1),  # shorter than the walk beside it
    form=dataclasses.replace(SHORTEST.form, prog_start=230, prog_step=60, prog_limit=255),
)


def test_the_sound_one_passes():
    Bench(GEOMETRY, TIMING).run(all_rules)


@pytest.mark.parametrize("name", MUTANTS)
def test_broken_one_is_seen(name):
    dut = broken(*MUTANTS[name])(GEOMETRY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        bench = Bench(GEOMETRY, TIMING, dut=dut)
        with pytest.raises(AssertionError):
            bench.run(all_rules)
