"""What the program sequencer is doing, told from the states of its blocks; for proofs, monitors and reports."""

from enum import StrEnum

from .attempts import Attempts, AttemptState
from .bridge_read import BridgeRead, BridgeState
from .pin_driver import PinDriver, PinState
from .program_sequencer import ProgramSequencer, State
from .rails import Rails, RailState

__all__ = ["BLOCKS", "PLACES", "Activity", "activity"]

BLOCKS = {
    "": ProgramSequencer,
    "rails": lambda geometry: Rails(),
    "attempts": lambda geometry: Attempts(),
    "driver": lambda geometry: PinDriver(geometry.columns),
    "bridges": lambda geometry: BridgeRead(),
}
"""Blocks with a state machine, by their instance in the program sequencer ("" is the sequencer itself)."""


class Activity(StrEnum):
    """What the program sequencer is doing: exactly one of these in every cycle."""

    IDLE = "idle"
    CHECK_ADDRESS = "check address"
    RAISE_RAILS = "raise rails"
    FIND_TARGETS = "find targets"
    VERIFY = "verify"
    DROP_PASSED = "drop passed"
    SET_UP = "set up"
    PULSE = "pulse"
    HOLD = "hold"
    LOG_FAILED = "log failed"
    LOWER_RAILS = "lower rails"
    SELECT_READ = "select read"
    PRECHARGE = "precharge"
    EVALUATE = "evaluate"
    CAPTURE = "capture"
    FINISH = "finish"


PLACES: dict[Activity, tuple[str, StrEnum]] = {
    Activity.IDLE: ("", State.IDLE),
    Activity.CHECK_ADDRESS: ("", State.CHECK_ADDRESS),
    Activity.RAISE_RAILS: ("rails", RailState.RAISE),
    Activity.FIND_TARGETS: ("attempts", AttemptState.FIND_TARGETS),
    Activity.VERIFY: ("driver", PinState.VERIFY),
    Activity.DROP_PASSED: ("driver", PinState.ANSWER_VERIFY),
    Activity.SET_UP: ("driver", PinState.SET_UP),
    Activity.PULSE: ("driver", PinState.PULSE),
    Activity.HOLD: ("driver", PinState.HOLD),
    Activity.LOG_FAILED: ("attempts", AttemptState.LOG_FAILED),
    Activity.LOWER_RAILS: ("", State.LOWER_RAILS),
    Activity.SELECT_READ: ("bridges", BridgeState.SELECT_READ),
    Activity.PRECHARGE: ("driver", PinState.PRECHARGE),
    Activity.EVALUATE: ("driver", PinState.EVALUATE),
    Activity.CAPTURE: ("driver", PinState.ANSWER_READ),
    Activity.FINISH: ("", State.FINISH),
}
"""The block and the state of it that show an activity; of several the first counts.

While the rails are raised the columns of the first phase are found: that is RAISE_RAILS.
"""


def activity(states: dict[str, str]) -> Activity:
    """The activity, from the name of the state that each block of `BLOCKS` is in.

    Raises
    ------
    ValueError
        With the states: they do not go together.
    """
    for name, (block, state) in PLACES.items():
        if states[block] == state.name:
            return name
    raise ValueError(f"states of the program sequencer = {states!r}: none of them shows what it does")
