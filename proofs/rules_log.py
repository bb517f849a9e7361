"""Rules of the failure log: nothing that failed is lost silently."""

from amaranth.hdl import Mux, Signal

from .activity import doing
from .observer import Check, View
from .structure import COMMAND, holds

__all__ = ["CHECKS", "COVERS"]


def pushed(v: View) -> Signal:
    """Failures since CLEAR_LOG, as far as the log can tell them apart."""
    push, clear = v.tap("program.log_push"), v.tap("log.clear")
    most = v.geometry.log_depth + 1
    return v.register("log_pushed", 8, lambda n: Mux(clear, 0, Mux(push & (n != most), n + 1, n)))


def overflow_flagged(v: View):
    depth, number = v.geometry.log_depth, pushed(v)
    count = Mux(number > depth, depth, number)
    return (v.tap("log.overflow") != (number > depth)) | (v.tap("log.count") != count) | (number > depth + 1)


def overflow_interrupts(v: View):
    lost = v.tap("program.log_push") & (pushed(v) >= v.geometry.log_depth) & ~v.tap("log.clear")
    return v.past(lost) & ~v.past(v.rst) & ~v.tap("bank.irq_pending__value")[5]


def failures_counted(v: View):
    push, clear = v.tap("program.log_push"), v.tap("log.clear")
    total = v.register("failures_expected", 32, lambda n: Mux(clear, 0, n + (push & ~n.all())))
    return v.tap("program.failures") != total


def entry_kept(v: View):
    """What a read of FAIL_LOG returns, for an arbitrary entry."""
    index = v.arbitrary("entry", 2)
    push, number = v.tap("program.log_push"), pushed(v)
    here = push & (number == index) & ~v.tap("log.clear")
    entry = v.register("entry_pushed", 64, lambda e: Mux(here, v.tap("program.log_entry"), e))
    base = v.windows["FAIL_LOG"].offset // 4
    asked = v.past(v.request & ~v.pin.wb_we & (v.pin.wb_adr >> 1 == (base >> 1) + index), 2)
    expected = v.past(Mux(number > index, Mux(v.pin.wb_adr[0], entry[32:], entry[:32]), 0), 2)
    answered = (v.bus_phase == 2) & v.pin.wb_ack
    return (index < v.geometry.log_depth) & answered & asked & (v.pin.wb_dat_r != expected)


def logged_now(v: View) -> Signal:
    """Entries that the running command has logged."""
    start, push = v.tap("program.cmd__start"), v.tap("program.log_push")
    return v.register("logged_now", 24, lambda n: Mux(start, 0, n + (push & ~n.all())))


def failure_is_error(v: View):
    # 2**24 entries in one command would take a row of 4 million columns.
    number = logged_now(v)
    ended = v.tap("arbiter.ended_done") & ~doing(v, "IDLE")
    return ended & number.any() & ~number.all()


def failure_is_error_lemmas(v: View):
    number = logged_now(v)
    return [~doing(v, "IDLE") & ~number.all() & (v.tap("program.log.failed_now") != number)]


CHECKS = [
    Check(
        "overflow_flagged",
        "3.10",
        "LOG_STATUS: overflow is set exactly when more failures came than the log holds; count is exact",
        overflow_flagged,
    ),
    Check(
        "overflow_interrupts",
        "3.10",
        "an entry that is lost raises IRQ_PENDING.log_overflow",
        overflow_interrupts,
        holds,
        lambda v: [overflow_flagged(v)],
    ),
    Check(
        "failures_counted",
        "3.10",
        "PROG_FAILURES counts every log entry since CLEAR_LOG",
        failures_counted,
        holds,
    ),
    Check(
        "entry_kept",
        "3.10",
        "FAIL_LOG returns every entry that fits as it was pushed, and 0 past the last",
        entry_kept,
        holds,
    ),
    Check(
        "failure_is_error",
        "3.10",
        "a command that logged a failure never ends in DONE",
        failure_is_error,
        holds,
        failure_is_error_lemmas,
    ),
]

COVERS = [
    Check("cover_log_entry", "3.10", "a failure is logged", lambda v: v.tap("log.count") == 1),
    Check("cover_log_overflow", "3.10", "the log overflows", lambda v: v.tap("log.overflow")),
    Check(
        "cover_entry_read",
        "3.10",
        "a log entry is read",
        lambda v: v.ended("FAIL_LOG") & v.pin.wb_ack & v.pin.wb_dat_r[31],
    ),
    Check(
        "cover_done",
        "3.10",
        "PROGRAM_ROW ends in DONE",
        lambda v: v.tap("arbiter.ended_done") & (v.tap("arbiter.program__command") == COMMAND["PROGRAM_ROW"]),
    ),
    Check(
        "cover_not_converged",
        "3.10",
        "VERIFY_ROW ends in NOT_CONVERGED",
        lambda v: (
            v.tap("arbiter.ended_error")
            & (v.tap("arbiter.program__command") == COMMAND["VERIFY_ROW"])
            & (v.tap("program.cmd__code") == 10)
        ),
    ),
]
