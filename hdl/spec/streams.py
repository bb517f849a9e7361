"""Frames of the two AXI4-Streams: what a frame holds, and the errors that only streams have.

*Input frame*: the words of window INPUT of one input vector, from word 0 on, and no other: W words of each tile of
the first layer, or the words of the map that this layer reads. ``tlast`` is high with the last.

*Result frame*: the scores of the last layer, signed, one a word, then the class. Where the last layer has no ``score``:
its bits, 32 a word as in window RESULT_BITS, then the class, 0. ``tlast`` is high with the class; ``tuser`` is 0.

*Error frame*: one word, with ``tlast`` and ``tuser``, in the layout of register ERROR: the code in bits 7:0, the detail
in bits 31:8. The code is an ``ErrorCode``, of the command INFER, or one of `StreamError`.
"""

from __future__ import annotations

import enum

__all__ = ["StreamError"]


class StreamError(enum.IntEnum):
    """Codes of an error frame that no command ends in; above every ``ErrorCode``."""

    BAD_FRAME = (
        0x80  # the frame has another number of words than the first layer takes; detail: words, saturating
    )
    NO_RESULT = 0x81  # the host took the result, or another command ran, before the result was read
