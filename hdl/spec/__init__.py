"""Geometry, timing and code points shared by the RTL, the model and the testbenches.

Plain Python: imports neither Amaranth nor numpy, so that ``model`` can use it alone.
"""

from .codes import (
    REFERENCES,
    UNLOCK_KEYS,
    WORD_WIDTH,
    Combine,
    Command,
    ErrorCode,
    ProgOp,
    ProgSide,
    ReadMode,
    VerifyRef,
    words,
)
from .descriptors import Descriptor, check_descriptors
from .geometry import Geometry, bias_columns
from .presets import PRESETS, Preset, preset
from .repairs import Repairs
from .timing import DAC_LSB_V, MARGIN_UNIT, PulseConditions, Timing, margin_factor
from .walks import MapWalk

__all__ = [
    "DAC_LSB_V",
    "MARGIN_UNIT",
    "PRESETS",
    "REFERENCES",
    "UNLOCK_KEYS",
    "WORD_WIDTH",
    "Combine",
    "Command",
    "Descriptor",
    "ErrorCode",
    "Geometry",
    "MapWalk",
    "Preset",
    "ProgOp",
    "ProgSide",
    "PulseConditions",
    "ReadMode",
    "Repairs",
    "Timing",
    "VerifyRef",
    "bias_columns",
    "check_descriptors",
    "margin_factor",
    "preset",
    "words",
]
