"""Rules of the macro pins: what must hold in every cycle, whatever the host and the macro do."""

from amaranth.hdl import Cat, Mux, Value

from .activity import doing
from .observer import Check, View
from .structure import holds

__all__ = ["CHECKS", "COVERS"]


def several(bits: Value) -> Value:
    """More than one bit is set."""
    return (bits & (bits - 1)).any()


def selection(v: View) -> list[Value]:
    """What a pulse needs to be steady."""
    p = v.pin
    return [p.row, p.wl_en, p.bl, p.col_en, p.prog_op, p.prog_side, p.wl_level, p.prog_level]


def stopped(v: View) -> Value:
    """What the array sees in the cycle after something ended a command: nothing."""
    p = v.pin
    return ~(p.pulse | p.hv_en | p.verify | p.precharge | p.evaluate | p.sense | p.wl_en.any())


def pulse_guarded(v: View):
    p = v.pin
    one_hot = p.wl_en.any() & ~several(p.wl_en)
    return p.pulse & ~(p.hv_en & p.hv_ready & one_hot & v.unlocked)


def pulse_stable(v: View):
    return v.pin.pulse & v.past(v.pin.pulse) & v.changed(*selection(v))


def pulse_hold(v: View):
    # A pulse that was cut short takes the rails, the word line and the columns with it.
    p = v.pin
    fell = v.past(p.pulse) & ~p.pulse
    return fell & Mux(p.hv_en, v.changed(*selection(v)), ~stopped(v) | p.col_en.any() | p.bl.any())


def setting(v: View, register: str, field: str) -> Value:
    """A field as the bank stores it; 0 acts as 1."""
    (there,) = (f for f in v.registers[register].fields if f.name == field)
    stored = v.tap(f"bank.{register.lower()}__value")[there.lsb : there.msb + 1]
    return Mux(stored == 0, 1, stored)


def width_cyc(v: View) -> Value:
    """The programmed width of the operation on the pins."""
    form, set_, reset = (setting(v, f"{op}_PULSE", "width_cyc") for op in ("FORM", "SET", "RESET"))
    return Mux(v.pin.prog_op == 0, form, Mux(v.pin.prog_op == 1, set_, reset))


def pulse_length(v: View) -> Value:
    """For how many cycles before this one `pulse` has been high."""
    return v.register("pulse_length", 17, lambda n: Mux(v.pin.pulse, n + ~n.all(), 0))


def pulse_width(v: View):
    return v.pin.pulse & (pulse_length(v) >= width_cyc(v))


def pulse_width_lemmas(v: View):
    # The timer of the state PULSE runs one cycle ahead of the pin.
    p, high = v.pin, pulse_length(v)
    timer, width = v.tap("program.driver.timer"), width_cyc(v)
    pulsing, holding = doing(v, "PULSE"), doing(v, "HOLD")
    return [
        pulsing & (timer >= width),
        pulsing & (high + 1 > timer) & (timer != 0),
        pulsing & (timer == 0) & (p.pulse | high.any()),
        ~pulsing & ~holding & p.pulse,
    ]


def selection_held(v: View) -> tuple[Value, Value]:
    """For how many cycles the selection has been as it is: up to the cycle before, and up to this one."""
    moved = v.wire("selection_moved", v.changed(*selection(v)) | ~v.pin.wl_en.any())
    held = v.register("selection_held", 9, lambda n: Mux(moved, 0, n + ~n.all()))
    return held, Mux(moved, 0, held + 1)


def pulse_setup(v: View):
    _, now = selection_held(v)
    return v.pin.pulse & ~v.past(v.pin.pulse) & (now < setting(v, "TIMING_PROGRAM", "wl_setup_cyc"))


def pulse_setup_lemmas(v: View):
    p, (held, _) = v.pin, selection_held(v)
    moved = v.wire("selection_changed", v.changed(*selection(v)))
    timer, setup = v.tap("program.driver.timer"), setting(v, "TIMING_PROGRAM", "wl_setup_cyc")
    waiting, pulsing = doing(v, "SET_UP"), doing(v, "PULSE")
    return [
        waiting & (timer >= setup),
        waiting & (timer >= 1) & ~p.wl_en.any(),
        waiting & (timer >= 1) & (p.prog_level != v.tap("program.attempts.levels.prog_level")),
        waiting & (timer >= 2) & (moved | (held + 2 < timer)),
        pulsing & (timer == 0) & ((held + 2 < setup) | p.pulse),
        pulsing & (timer == 0) & (setup >= 2) & moved,
        pulsing & (timer == 0) & v.tap("program.pins__pulse"),
        pulsing & (timer >= 1) & ~v.tap("program.pins__pulse"),
        pulsing & (timer >= 2) & ~v.past(p.pulse),
    ]


def ends_after(event):
    """Property: in the cycle after ``event`` the array sees nothing."""
    return lambda v: v.past(v.wire("ending_" + event.__name__, event(v))) & ~stopped(v)


def abort(v: View):
    return v.aborts()


def reset(v: View):
    return v.rst


def lost_unlock(v: View):
    # Only a command that programs needs it.
    p = v.pin
    return p.hv_en & (v.writes("UNLOCK") | (v.writes("LOCK") & p.wb_dat_w[0])) & v.unlocked


def lost_unlock_ends(v: View):
    # The write acts in the next cycle, in which the pulse is gone; all else is gone one cycle later.
    happened = v.past(lost_unlock(v))
    return (happened & v.pin.pulse) | (v.past(happened) & ~stopped(v))


def lost_rails_end(v: View):
    p = v.pin
    lost = v.past(p.pulse | p.verify) & p.hv_en & ~p.hv_ready & v.past(p.hv_en)
    return (lost & p.pulse) | (v.past(lost) & ~stopped(v))


def error_ends(v: View):
    # STATUS.error or STATUS.done is up, or no command has run: nothing is.
    return ~v.tap("arbiter.busy") & ~stopped(v)


def reading(v: View):
    p = v.pin
    return p.precharge | p.evaluate


def read_stable(v: View):
    p = v.pin
    return p.evaluate & v.past(p.evaluate) & v.changed(p.row, p.wl_en, p.bl, p.col_en)


def ref_stable(v: View):
    # From the rising edge of precharge to the end of sense.
    p = v.pin
    same = (p.precharge & v.past(p.precharge)) | (p.evaluate & v.past(p.precharge | p.evaluate))
    return same & v.changed(p.cmp_ref, p.row, p.wl_en)


def verify_stable(v: View):
    p = v.pin
    values = (p.row, p.wl_en, p.bl, p.col_en, p.prog_side, p.verify_ref, p.prog_level)
    return p.verify & (~p.wl_en.any() | (v.past(p.verify) & v.changed(*values)))


def other_tiles(v: View):
    """No column of a tile without a word line takes part in programming."""
    p, g = v.pin, v.geometry
    tiles = [slice(t * g.columns, (t + 1) * g.columns) for t in range(g.tiles)]
    stray = Cat(~p.wl_en[t] & (p.col_en[c] | p.bl[c]).any() for t, c in enumerate(tiles)).any()
    return (p.pulse | p.verify) & stray


CHECKS = [
    Check(
        "pulse_guarded",
        "3.1",
        "`pulse` only with `hv_en`, `hv_ready`, exactly one `wl_en` and the controller unlocked",
        pulse_guarded,
        holds,
    ),
    Check(
        "precharge_evaluate_apart",
        "3.2",
        "`precharge` and `evaluate` are never high together",
        lambda v: v.pin.precharge & v.pin.evaluate,
        holds,
    ),
    Check(
        "sense_in_evaluate",
        "3.2",
        "`sense` only while `evaluate`",
        lambda v: v.pin.sense & ~v.pin.evaluate,
        holds,
    ),
    Check(
        "rails_reads_apart",
        "3.3",
        "`hv_en` never together with `precharge`, `evaluate` or `sense`",
        lambda v: v.pin.hv_en & (v.pin.precharge | v.pin.evaluate | v.pin.sense),
        holds,
    ),
    Check(
        "verify_pulse_apart",
        "3.3",
        "`verify` never together with `pulse` or a read phase",
        lambda v: v.pin.verify & (v.pin.pulse | v.pin.precharge | v.pin.evaluate | v.pin.sense),
        holds,
    ),
    Check(
        "pulse_stable",
        "3.4",
        "row, word line, columns, operation, side and levels do not move while `pulse` is high",
        pulse_stable,
        holds,
    ),
    Check(
        "pulse_hold",
        "3.4",
        "nor in the cycle of its fall; of a pulse that was cut, rails, word line and columns may fall with it",
        pulse_hold,
        holds,
    ),
    Check(
        "pulse_setup",
        "3.4",
        "nor for `wl_setup_cyc` cycles before its rise, in which the word line is on",
        pulse_setup,
        holds,
        pulse_setup_lemmas,
    ),
    Check(
        "pulse_width",
        "3.5",
        "a pulse lasts at most `width_cyc` cycles of its operation, for every value of the registers",
        pulse_width,
        holds,
        pulse_width_lemmas,
    ),
    Check(
        "abort_ends",
        "3.6",
        "in the cycle after the write of ABORT every enable pin is low",
        ends_after(abort),
        holds,
    ),
    Check(
        "reset_ends", "3.6", "in the cycle after a reset every enable pin is low", ends_after(reset), holds
    ),
    Check(
        "lost_unlock_ends",
        "3.6",
        "LOCK, or a write to UNLOCK, ends a pulse in the next cycle and the rails one later",
        lost_unlock_ends,
        holds,
    ),
    Check(
        "lost_rails_end",
        "3.6",
        "`hv_ready` low in a pulse or verify ends it in the same cycle and the rails in the next",
        lost_rails_end,
        holds,
    ),
    Check(
        "error_ends",
        "3.6",
        "no command under way (DONE, error or never started): every enable pin is low",
        error_ends,
        holds,
    ),
    Check(
        "read_stable",
        "3.7",
        "row, word lines, `bl` and `col_en` do not move while `evaluate` is high",
        read_stable,
        holds,
    ),
    Check(
        "ref_stable",
        "3.7",
        "`cmp_ref`, row and word lines do not move from the rise of `precharge` to the end of `sense`",
        ref_stable,
        holds,
    ),
    Check(
        "verify_stable",
        "3.7",
        "row, word line, columns, side, reference and margin do not move while `verify` is high",
        verify_stable,
        holds,
    ),
    Check(
        "word_lines_idle",
        "3.12",
        "`wl_en` is 0 outside of reads, verifies and programming",
        lambda v: v.pin.wl_en.any() & ~(reading(v) | v.pin.hv_en | v.pin.verify),
        holds,
    ),
    Check(
        "one_tile_programs",
        "3.12",
        "at most one tile's `wl_en` while the rails are up or a verify runs",
        lambda v: several(v.pin.wl_en) & (v.pin.hv_en | v.pin.verify),
        holds,
    ),
    Check(
        "other_tiles_off",
        "3.12",
        "no column of another tile is enabled in a pulse or verify",
        other_tiles,
        holds,
    ),
]

COVERS = [
    Check("cover_pulse", "3.1", "a pulse begins", lambda v: v.pin.pulse),
    Check(
        "cover_pulse_ends",
        "3.4",
        "a pulse of 3 cycles ends with the rails up",
        lambda v: (
            v.past(v.pin.pulse, 3) & v.past(v.pin.pulse, 2) & v.past(v.pin.pulse) & ~v.pin.pulse & v.pin.hv_en
        ),
    ),
    Check("cover_pulse_cut", "3.6", "a pulse is cut", lambda v: v.past(v.pin.pulse) & ~v.pin.hv_en),
    Check("cover_sense", "3.2", "a comparison is made", lambda v: v.pin.sense),
    Check(
        "cover_two_rows",
        "3.7",
        "a second row is evaluated",
        lambda v: v.pin.evaluate & (v.pin.row == 1) & v.past(v.pin.precharge),
    ),
    Check("cover_rails_verify", "3.3", "a verify with the rails up", lambda v: v.pin.verify & v.pin.hv_en),
    Check("cover_second_tile", "3.12", "the second tile programs", lambda v: v.pin.pulse & v.pin.wl_en[1]),
]
