"""What a row command reports: entries of the failure log, and how it ended."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from bridgebnn.hdl.signatures import entry_layout
from bridgebnn.hdl.spec import ErrorCode

from .phases import Phase

__all__ = ["RowLog"]

ENTRY = entry_layout("FAIL_LOG")


class RowLog(Component):
    """Makes a log entry of every device that failed, and says how the command ended.

    Latency: an entry is combinational in ``failed``; ``code`` and ``detail`` change 1 cycle after an entry or a
    difference. Throughput: one device a cycle.

    Parameters
    ----------
    tile_shape, row_shape : ShapeLike
        Of the pins ``tile`` and ``row``.

    Members
    -------
    start : In(1)
        A command begins: it has failed nowhere so far.
    tile, row : In
        The row that is worked on.
    phase : In(Phase)
        The phase under way.
    failed : In(stream.Signature(13))
        Columns whose device, that of ``phase``, is to be logged.
    differing : In(stream.Signature(13))
        Columns whose bridge differs from the image, lowest first.
    compared : In(1)
        ``differing`` counts.
    push, entry : Out
        One entry of FAIL_LOG, word 0 low; valid in the cycle of ``push``.
    code, detail : Out
        How a command that nothing has stopped ends now: NOT_CONVERGED and the number of its entries,
        READBACK_MISMATCH and the lowest column, or NONE and 0.
    """

    def __init__(self, tile_shape, row_shape):
        columns = stream.Signature(13, always_ready=True)
        super().__init__(
            {
                "start": In(1),
                "tile": In(tile_shape),
                "row": In(row_shape),
                "phase": In(Phase),
                "failed": In(columns),
                "differing": In(columns),
                "compared": In(1),
                "push": Out(1),
                "entry": Out(ENTRY.size),
                "code": Out(8),
                "detail": Out(24),
            }
        )

    def elaborate(self, platform):
        m = Module()
        entry = data.View(ENTRY, self.entry)
        failed_now = Signal(24)
        mismatch = Signal()
        mismatch_column = Signal(13)
        m.d.comb += [
            self.push.eq(self.failed.valid),
            entry.column.eq(self.failed.payload),
            entry.row.eq(self.row),
            entry.side.eq(self.phase.side),
            entry.op.eq(self.phase.op),
            entry.valid.eq(1),
            entry.tile.eq(self.tile),
        ]
        with m.If(self.start):
            m.d.sync += [failed_now.eq(0), mismatch.eq(0)]
        with m.Else():
            with m.If(self.push):
                m.d.sync += failed_now.eq(failed_now + 1)
            with m.If(self.differing.valid & self.compared & ~mismatch):
                m.d.sync += [mismatch.eq(1), mismatch_column.eq(self.differing.payload)]
        with m.If(failed_now.any()):
            m.d.comb += [self.code.eq(ErrorCode.NOT_CONVERGED), self.detail.eq(failed_now)]
        with m.Elif(mismatch):
            m.d.comb += [self.code.eq(ErrorCode.READBACK_MISMATCH), self.detail.eq(mismatch_column)]
        return m
