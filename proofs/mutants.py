"""Deliberately broken designs: each breaks one property, whose check then has to find a counterexample."""

from __future__ import annotations

from .design import Patch

__all__ = ["MUTANTS", "WINDOW_MUTANTS"]

SAFETY, PROGRAM, ARBITER = (
    "hdl/control/safety.py",
    "hdl/programming/program_sequencer.py",
    "hdl/control/arbiter.py",
)
CONTROLLER, WISHBONE, CSR = "hdl/control/controller.py", "hdl/bus/wishbone.py", "hdl/bus/register_bank.py"
LAYER, READER, LOG = (
    "hdl/layers/layer_sequencer.py",
    "hdl/layers/read_sequencer.py",
    "hdl/programming/fail_log.py",
)
WALK, GROUPS = "hdl/programming/column_walk.py", "hdl/programming/group_choice.py"
DRIVER, RAILS = "hdl/programming/pin_driver.py", "hdl/programming/rails.py"
ROW_LOG, COLUMNS = "hdl/programming/row_log.py", "hdl/layers/column_registers.py"

MUTANTS: dict[str, tuple[str, tuple[Patch, ...]]] = {
    "pulse_guarded": (
        "the gate forgets hv_ready",
        (Patch(SAFETY, "& self.hv_en & self.hv_ready &", "& self.hv_en &"),),
    ),
    "precharge_evaluate_apart": (
        "precharge lasts through evaluate",
        (Patch(SAFETY, "self.precharge.eq(precharge &", "self.precharge.eq((precharge | evaluate) &"),),
    ),
    "sense_in_evaluate": (
        "sense already in precharge",
        (
            Patch(
                SAFETY,
                "self.sense.eq(read.sense & self.evaluate",
                "self.sense.eq((read.sense | read.precharge)",
            ),
        ),
    ),
    "rails_reads_apart": (
        "precharge while the rails are up",
        (
            Patch(
                SAFETY,
                "self.precharge.eq(precharge & ~self.hv_en)",
                "self.precharge.eq(precharge | self.hv_en)",
            ),
        ),
    ),
    "verify_pulse_apart": (
        "precharge in a verify",
        (Patch(SAFETY, "self.precharge.eq(precharge &", "self.precharge.eq((precharge | self.verify) &"),),
    ),
    "pulse_stable": (
        "the side follows the comparator",
        (Patch(SAFETY, "self.prog_side.eq(program.side)", "self.prog_side.eq(program.side ^ self.cmp[0])"),),
    ),
    "pulse_hold": ("no hold", (Patch(DRIVER, "m.next = PinState.HOLD", "m.next = PinState.SET_UP"),)),
    "pulse_setup": (
        "no set-up",
        (
            Patch(
                DRIVER,
                "m.next = PinState.SET_UP\n                with m.If(self.step.payload",
                "m.next = PinState.PULSE\n                with m.If(self.step.payload",
            ),
        ),
    ),
    "pulse_width": (
        "one cycle longer",
        (Patch(DRIVER, "drive_for(self.width_cyc,", "drive_for(self.width_cyc + 1,"),),
    ),
    "abort_ends": ("abort is not seen", (Patch(PROGRAM, "m.If(self.cmd.abort)", "m.If(0)"),)),
    "reset_ends": (
        "the program sequencer has no reset",
        (
            Patch(
                CONTROLLER,
                "m.submodules.program = program = self.program",
                "m.domains.held = ClockDomain(reset_less=True)\n"
                '        m.d.comb += ClockSignal("held").eq(ClockSignal())\n'
                '        m.submodules.program = DomainRenamer("held")(self.program)\n'
                "        program = self.program",
            ),
            Patch(
                CONTROLLER,
                "from amaranth.hdl import Module, Signal",
                "from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, Signal",
            ),
        ),
    ),
    "lost_unlock_ends": (
        "lost unlock is not seen",
        (
            Patch(
                RAILS,
                "[self.locked.eq(~self.unlocked), self.lost.eq(~self.hv_ready)]",
                "self.lost.eq(~self.hv_ready)",
            ),
            Patch(
                RAILS,
                "[self.locked.eq(~self.unlocked), self.pending.eq(~settled)]",
                "self.pending.eq(~settled)",
            ),
        ),
    ),
    "lost_rails_end": (
        "lost rails are not seen",
        (Patch(RAILS, "self.lost.eq(~self.hv_ready)", "self.lost.eq(0)"),),
    ),
    "error_ends": (
        "rails stay up after a timeout",
        (
            Patch(
                RAILS,
                "m.Elif(self.timeout):\n                        m.d.sync += self.hv_en.eq(0)",
                "m.Elif(self.timeout):\n                        m.d.sync += self.hv_en.eq(1)",
            ),
            Patch(SAFETY, "self.hv_en.eq(program.active & program.hv_en)", "self.hv_en.eq(program.hv_en)"),
        ),
    ),
    "read_stable": (
        "columns move with every stored word",
        (Patch(LAYER, "columns.move.eq(start_layer)", "columns.move.eq(start_layer | writer.write.en)"),),
    ),
    "ref_stable": (
        "cmp_ref falls with sense",
        (
            Patch(
                SAFETY, "self.cmp_ref.eq(read.cmp_ref)", "self.cmp_ref.eq(Mux(self.sense, 0, read.cmp_ref))"
            ),
        ),
    ),
    "verify_stable": (
        "the reference follows hv_ready",
        (
            Patch(
                SAFETY,
                "self.verify_ref.eq(program.verify_ref)",
                "self.verify_ref.eq(program.verify_ref ^ self.hv_ready)",
            ),
        ),
    ),
    "word_lines_idle": (
        "the last row stays selected",
        (Patch("hdl/layers/trials.py", "m.If(self.rest)", "m.If(0)"),),
    ),
    "one_tile_programs": (
        "all tiles program",
        (
            Patch(
                SAFETY,
                "self.wl_en[tile].eq(program.wl_en)",
                "self.wl_en.eq(program.wl_en.replicate(g.tiles))",
            ),
        ),
    ),
    "other_tiles_off": (
        "columns of all tiles",
        (
            Patch(
                SAFETY,
                "self.col_en[columns].eq(program.select)",
                "self.col_en.eq(program.select.replicate(g.tiles))",
            ),
        ),
    ),
    "ack_err_apart": (
        "ack also when refused",
        (Patch(WISHBONE, "self.ack.eq(~bus.error)", "self.ack.eq(1)"),),
    ),
    "bus_answers": (
        "no answer to a word of ones",
        (Patch(WISHBONE, "self.ack.eq(active)]", "self.ack.eq(active & ~bus.window_data.all())]"),),
    ),
    "bus_only_answers": (
        "an answer to a withdrawn access",
        (Patch(WISHBONE, "self.ack.eq(active)]", "self.ack.eq(1)]"),),
    ),
    "lanes_refused": (
        "one byte lane is enough",
        (Patch(WISHBONE, "m.If(self.we & ~self.sel.all())", "m.If(self.we & ~self.sel.any())"),),
    ),
    "map_refused": (
        "a window answers past its end",
        (Patch(CSR, "outside | self._window_refused(window)", "self._window_refused(window)"),),
    ),
    "rails_need_keys": (
        "any second key unlocks",
        (Patch(ARBITER, "self.strobe & (self.key == second)", "self.strobe"),),
    ),
    "lock_holds": (
        "the lock acts a cycle late",
        (
            Patch(
                ARBITER, "fsm.ongoing(UnlockState.UNLOCKED) & ~self.lock", "fsm.ongoing(UnlockState.UNLOCKED)"
            ),
        ),
    ),
    "lock_sticks": ("LOCK is written, not set", (Patch(CSR, "word.eq(word | w_data)", "word.eq(w_data)"),)),
    "image_hidden": (
        "the read lock does not close the window",
        (Patch(CONTROLLER, "deny_read.eq(bank.lock.value.read_lock)", "deny_read.eq(0)"),),
    ),
    "reads_refused": (
        "PROGRAM_ROW under the read lock",
        (
            Patch(
                ARBITER,
                "NEEDS_READABLE = TO_PROGRAM_SEQUENCER",
                "NEEDS_READABLE = (Command.VERIFY_ROW, Command.READ_ROW)",
            ),
        ),
    ),
    "network_frozen": (
        "descriptors can be written under the read lock",
        (Patch(CSR, "access.deny_write | (self.frozen if window.network else 0)", "access.deny_write"),),
    ),
    "settings_held": (
        "settings can be written while busy",
        (Patch(CSR, "write_refused = write_refused | self.busy", "pass"),),
    ),
    "busy_rejects": (
        "a second command is acknowledged",
        (Patch(ARBITER, "self.reject.eq(self.busy & ~is_abort)", "self.reject.eq(0)"),),
    ),
    "overflow_flagged": (
        "overflow is not set",
        (Patch(LOG, "m.d.sync += self.overflow.eq(1)", "m.d.sync += self.overflow.eq(0)"),),
    ),
    "overflow_interrupts": (
        "the first lost entry raises no interrupt",
        (
            Patch(
                CONTROLLER,
                "events.log_overflow.eq(log.lost)",
                "events.log_overflow.eq(log.lost & log.overflow)",
            ),
        ),
    ),
    "failures_counted": (
        "failures of odd columns are not counted",
        (
            Patch(
                PROGRAM,
                "(self.failures, log.push)",
                "(self.failures, log.push & ~log.failed.payload[0])",
            ),
        ),
    ),
    "entry_kept": (
        "every entry takes the first place",
        (Patch(LOG, "memory.w_addr.eq(self.count)", "memory.w_addr.eq(0)"),),
    ),
    "failure_is_error": (
        "one failure is none",
        (Patch(ROW_LOG, "m.If(failed_now.any())", "m.If(failed_now[1:].any())"),),
    ),
    "pulse_addressed": (
        "a row past the last is taken",
        (Patch(PROGRAM, "legal.eq((s.tile < g.tiles) & (s.row < g.rows))", "legal.eq(s.tile < g.tiles)"),),
    ),
    "pulse_budget": (
        "one column more",
        (
            Patch(
                GROUPS,
                "budget.eq(Mux(self.max_parallel == 0, 1, self.max_parallel))",
                "budget.eq(self.max_parallel + 1)",
            ),
        ),
    ),
    "pulse_needed": (
        "columns that passed are pulsed, too",
        (Patch(WALK, "failing.eq(pending & ~stage.answer & ~forgiven)", "failing.eq(pending & ~forgiven)"),),
    ),
    "failures_named": (
        "a failure in column 3 is not logged",
        (
            Patch(
                WALK,
                "groups.taken.any()),\n            self.differing",
                "(groups.taken & ~8).any()),\n            self.differing",
            ),
        ),
    ),
    "bridges_named": (
        "a mismatch is forgotten",
        (
            Patch(
                PROGRAM,
                "log.compared.eq(programming)",
                "log.compared.eq(refreshing)",
            ),
        ),
    ),
    "replaced_column_off": (
        "a replaced column stays on in a layer's last tile",
        (Patch(COLUMNS, "[masks[1] & ~replaced, masks[0] & ~replaced]", "[masks[1], masks[0] & ~replaced]"),),
    ),
    "spare_in_use": (
        "spares are on without an entry",
        (Patch(COLUMNS, "entry.valid & Mux(is_bias,", "Mux(is_bias,"),),
    ),
    "replaced_row_unread": (
        "the first row of a layer is not looked up",
        (
            Patch(
                READER,
                "pins.row.eq(spare.line)",
                "pins.row.eq(Mux(self.start, spare.row, spare.line))",
            ),
        ),
    ),
    "row_moves_with_precharge": (
        "the row goes back with sense",
        (
            Patch(
                SAFETY,
                "self.row.eq(Mux(program.active, program.row, read.row))",
                "self.row.eq(Mux(program.active, program.row, Mux(self.sense, 0, read.row)))",
            ),
        ),
    ),
    "repairs_checked": (
        "a line named twice is let through",
        (Patch("hdl/layers/repair_table.py", "((line >= most) | twice)", "(line >= most)"),),
    ),
    "repairs_held": (
        "windows can be written while busy",
        (
            Patch(
                CSR,
                "return refused if window.while_busy else refused | self.busy",
                "return refused if window.while_busy or window.name.startswith('REPAIR') else refused | self.busy",
            ),
        ),
    ),
    "wait_shown": (
        "two results at once do not show",
        (
            Patch(
                "hdl/layers/results.py", "self.result_valid.eq(kept != 0)", "self.result_valid.eq(kept == 1)"
            ),
        ),
    ),
    "abort_terminates": (
        "a waiting INFER does not hear ABORT",
        (
            Patch(
                LAYER,
                "with m.State(LayerState.START_LAYER), unless_aborted():",
                "with m.State(LayerState.START_LAYER):",
            ),
        ),
    ),
    "outcome_told": (
        "no interrupt for an aborted command",
        (
            Patch(
                CONTROLLER,
                "events.error.eq(arbiter.ended_error)",
                "events.error.eq(arbiter.ended_error & (arbiter.program.code != 11))",
            ),
        ),
    ),
    "program_ends": (
        "the log walk stays at its word",
        (
            Patch(
                GROUPS,
                "self.hold.eq(self.valid & self.singly & several(fresh))",
                "self.hold.eq(self.valid & self.singly)",
            ),
        ),
    ),
    "infer_ends": (
        "the wait for cmp_valid has no limit",
        (
            Patch(
                READER,
                "with m.Elif(phases.over):\n                    m.d.comb += answers.give_up",
                "with m.Elif(phases.over & self.pins.cmp.any()):\n                    m.d.comb += answers.give_up",
            ),
        ),
    ),
    "loader_ends": (
        "a single pushed input is not loaded",
        (Patch("hdl/layers/vectors.py", "self.enable & (pushed != 0)", "self.enable & (pushed == 2)"),),
    ),
}
"""By property: what is broken, and how."""

GATHER, MAP_WRITER = "hdl/layers/window_gather.py", "hdl/layers/map_writer.py"
BRIEF = Patch("hdl/spec/latency.py", "WALK_FACTOR_BITS = 16", "WALK_FACTOR_BITS = 2")
"""Breaks no property: the check of a walk multiplies small numbers only, so that runs to a window are short."""

WINDOW_MUTANTS: dict[str, tuple[str, tuple[Patch, ...]]] = {
    "window_bound": (
        "a window that ends in padding is never over",
        (
            BRIEF,
            Patch(GATHER, "with m.Elif(window_over):", 'with m.Elif(window_over & chunk["inside"]):'),
        ),
    ),
    "window_complete": (
        "a window is there a cycle before its last word",
        (
            BRIEF,
            Patch(
                GATHER,
                "with m.Elif(window_over):\n                    m.next = GatherState.DRAIN",
                "with m.Elif(window_over):\n                    m.next = GatherState.READY",
            ),
        ),
    ),
    "map_addresses": (
        "a read goes on past the right edge of the map",
        (BRIEF, Patch(GATHER, "row_inside & (before | inside)),", "row_inside & before),")),
    ),
    "pooled_once": (
        "the first window of a pool clears the other bits of the word",
        (BRIEF, Patch(MAP_WRITER, "Mux(first, self.word & ~mask, self.word)", "Mux(first, 0, self.word)")),
    ),
}
"""The same for the properties of controllers with activation maps alone."""
