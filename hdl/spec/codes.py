"""Code points of pins, registers and descriptors, and the width of a bus word."""

from __future__ import annotations

import enum

WORD_WIDTH = 32


class ReadMode(enum.IntEnum):
    """How a row's result is obtained (descriptor field ``mode``)."""

    SIGN = 0  # one comparison: the neuron's output
    SEARCH = 1  # successive approximation over ``cmp_ref``: the popcount, by the analog neuron
    COUNT = 2  # exact digital popcount of ``sl``


class Combine(enum.IntEnum):
    """How the tiles of one layer combine (descriptor field ``combine``)."""

    ADD = 0  # partial popcounts are added, then compared with a digital threshold
    VOTE = 1  # majority of the tiles' signs, ties to +1


class ProgOp(enum.IntEnum):
    """Kind of programming pulse (pin ``prog_op``)."""

    FORM = 0
    SET = 1
    RESET = 2


class ProgSide(enum.IntEnum):
    """Which device of the pair gets the pulse or the verify read (pin ``prog_side``)."""

    P = 0  # between BL and SL; LRS for weight +1
    N = 1  # between SL and BLb; LRS for weight -1


class VerifyRef(enum.IntEnum):
    """Reference resistor of a verify read (pin ``verify_ref``); ``sl`` = 1 means the device passes."""

    LRS_MAX = 0  # passes when the resistance is at most the LRS limit
    HRS_MIN = 1  # passes when the resistance is at least the HRS limit
    FORMED = 2  # passes when the device is formed (resistance below the pristine limit)


REFERENCES = {
    ProgOp.FORM: VerifyRef.FORMED,
    ProgOp.SET: VerifyRef.LRS_MAX,
    ProgOp.RESET: VerifyRef.HRS_MIN,
}
"""Reference of the verify reads that say whether an operation has reached its aim."""


class Command(enum.IntEnum):
    """Opcodes of register COMMAND."""

    NOP = 0
    PROGRAM_ROW = 1  # form and program the addressed row to ROW_IMAGE where ROW_MASK is 1
    VERIFY_ROW = 2  # verify both devices of the addressed row against ROW_IMAGE; failures are logged
    READ_ROW = 3  # read the addressed row's weights through sl into ROW_IMAGE
    INFER = 4  # run the descriptor table over INFER_COUNT input vectors
    CLEAR_LOG = 5  # empty the failure log and its counters
    REFRESH_ROW = 6  # bring a row that drifted back to ROW_IMAGE with a margin; never forms
    ABORT = 15  # accepted while busy: ends the running command in ERROR with code ABORTED


class ErrorCode(enum.IntEnum):
    """Code of register ERROR after a command ended in error."""

    NONE = 0
    BAD_COMMAND = 1  # unknown opcode
    BUSY = 2  # command written while another runs (the running one is not disturbed)
    LOCKED = 3  # programming without unlock, or after the lock bit
    READ_LOCKED = 4  # a command on a row while the read-back lock holds
    BAD_ADDRESS = 5  # tile or row outside the geometry
    BAD_DESCRIPTOR = 6  # descriptor outside the geometry; ERROR.detail holds its index
    RAILS_TIMEOUT = 7  # hv_ready did not come within the limit
    RAILS_LOST = 8  # hv_ready fell while it was needed
    COMPARATOR_TIMEOUT = 9  # cmp_valid did not come within the limit
    NOT_CONVERGED = 10  # at least one device did not verify; see PROG_FAILURES and the log
    ABORTED = 11  # ended by ABORT
    READBACK_MISMATCH = 12  # every device verified, yet the bridge read-back differs from ROW_IMAGE
    BAD_SETTING = 13  # a register holds an illegal combination; ERROR.detail holds which


UNLOCK_KEYS = (0x554E4C4B, 0x50524F47)
"""What unlocks programming: "UNLK", then "PROG" in consecutive writes to register UNLOCK."""


def words(bits: int) -> int:
    """Number of 32-bit bus words that hold ``bits`` bits."""
    return -(-bits // WORD_WIDTH)


def check_range(owner: str, name: str, value: object, low: int, high: int) -> None:
    """``ValueError`` with the value and the legal range, unless it is an integer inside it."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{owner}.{name} = {value!r}: must be an integer from {low} to {high}")
