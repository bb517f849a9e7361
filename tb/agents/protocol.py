"""Rules of the macro's pins: what a digital side may not do, and the error that says it did."""

from __future__ import annotations

import enum

__all__ = ["Fault", "ProtocolError"]


class Fault(enum.IntEnum):
    """Break of a rule; values are those of ``fault`` in ``shell/bridgebnn_shell.v``."""

    UNKNOWN_PIN = 1
    PRECHARGE_WITH_EVALUATE = 2
    SENSE_WITHOUT_EVALUATE = 3
    EVALUATE_WITHOUT_PRECHARGE = 4
    EVALUATE_WITHOUT_WORD_LINE = 5
    READ_WITH_RAILS = 6
    PULSE_WITHOUT_RAILS = 7
    NOT_ONE_WORD_LINE = 8
    PULSE_WITH_VERIFY = 9
    VERIFY_WITH_READ = 10
    ROW_MOVED_IN_EVALUATE = 11
    COLUMNS_MOVED_IN_EVALUATE = 12
    REF_MOVED_IN_SENSE = 13
    SETTINGS_MOVED_IN_PULSE = 14
    COLUMNS_MOVED_IN_PULSE = 15
    PINS_MOVED_IN_VERIFY = 16
    ROW_OUTSIDE = 17
    SENSE_OF_DIGITAL_ROW = 18
    NO_ANSWER = 19


_TEXT = {
    Fault.UNKNOWN_PIN: "a control pin is X",
    Fault.PRECHARGE_WITH_EVALUATE: "precharge and evaluate are high together",
    Fault.SENSE_WITHOUT_EVALUATE: "sense while evaluate is low",
    Fault.EVALUATE_WITHOUT_PRECHARGE: "evaluate without a precharge since the last evaluation",
    Fault.EVALUATE_WITHOUT_WORD_LINE: "evaluate without a word line",
    Fault.READ_WITH_RAILS: "a read phase while the programming rails are on",
    Fault.PULSE_WITHOUT_RAILS: "pulse while hv_en or hv_ready is low",
    Fault.NOT_ONE_WORD_LINE: "pulse or verify needs exactly one word line",
    Fault.PULSE_WITH_VERIFY: "pulse and verify are high together",
    Fault.VERIFY_WITH_READ: "verify during a read phase",
    Fault.ROW_MOVED_IN_EVALUATE: "row or wl_en changed while evaluating",
    Fault.COLUMNS_MOVED_IN_EVALUATE: "bl or col_en changed while evaluating",
    Fault.REF_MOVED_IN_SENSE: "cmp_ref changed while sensing",
    Fault.SETTINGS_MOVED_IN_PULSE: "row, wl_en, prog_*, levels or rails changed during a pulse",
    Fault.COLUMNS_MOVED_IN_PULSE: "bl or col_en changed during a pulse",
    Fault.PINS_MOVED_IN_VERIFY: "row, wl_en, prog_side, verify_ref or col_en changed during a verify read",
    Fault.ROW_OUTSIDE: "row is outside the array",
    Fault.SENSE_OF_DIGITAL_ROW: "the comparator is clocked on a row that is read through sl alone",
    Fault.NO_ANSWER: "a request for decisions was not answered in its time step (a fault of the testbench)",
}


class ProtocolError(Exception):
    """The controller broke a rule of the macro's pins.

    Parameters
    ----------
    fault : Fault
    where : str
        Values of the pins that say more.
    """

    def __init__(self, fault: Fault, where: str = ""):
        self.fault = fault
        super().__init__(f"{fault.name}: {_TEXT[fault]}" + (f" ({where})" if where else ""))
