"""What transistors and the model answered to the same reads, as a record."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.table import Table

from bridgebnn.records import Record

__all__ = ["TransistorRead", "TransistorReport", "transistor_table"]

_LISTED = 10
"""Reads that a table has room for."""


class TransistorRead(Record, frozen=True, kw_only=True):
    """A read that transistors and model answered differently.

    Parameters
    ----------
    tile, row : int
    read : int
        Number of the read of this row since power-up, from 1.
    ref : int, optional
        Reference of the comparison, in counts; None where the source lines were read.
    decision, model_decision : int, optional
        Of the comparator.
    resolved : bool
        The comparator of transistors had decided at the end of the sense phase; otherwise its decision is 0.
    columns : list of int
        Enabled columns whose source line has another bit.
    dv_V, model_dv_V : float
        dV at the end of the evaluation.
    """

    tile: int
    row: int
    read: int
    ref: int | None = None
    decision: int | None = None
    model_decision: int | None = None
    resolved: bool = True
    columns: list[int] = []
    dv_V: float
    model_dv_V: float

    @property
    def difference_V(self) -> float:
        """By how much dV of the transistors lies above that of the model."""
        return self.dv_V - self.model_dv_V


class TransistorReport(Record, frozen=True, kw_only=True):
    """Reads answered by transistors, each beside the model's answer to the same read of the same chip.

    Parameters
    ----------
    reads : int
        Reads that were answered: comparisons, and source lines.
    decisions, decisions_differ : int
        Comparisons, and those with another outcome.
    unresolved : int
        Comparisons that had no outcome at the end of the sense phase.
    bits, bits_differ : int
        Source lines of enabled columns in all reads, and those with another bit.
    dv_differ : int
        Reads whose dV differs by more than ``dv_bound_V``.
    dv_bound_V : float
        1 % of one popcount count.
    dv_worst_V, dv_rms_V : float
        Largest and rms difference of dV over all reads.
    lsb_V : float
        One popcount count.
    differing : list of TransistorRead
        Every read in which a decision, a bit, or dV by more than the bound differs, or none was made in time.
    runs, kept : int
        ngspice runs, and reads whose answer was there already.
    spice_s : float
        Time that the runs took.
    """

    reads: int = 0
    decisions: int = 0
    decisions_differ: int = 0
    unresolved: int = 0
    bits: int = 0
    bits_differ: int = 0
    dv_differ: int = 0
    dv_bound_V: float = 0.0
    dv_worst_V: float = 0.0
    dv_rms_V: float = 0.0
    lsb_V: float = 0.0
    differing: list[TransistorRead] = []
    runs: int = 0
    kept: int = 0
    spice_s: float = 0.0


def transistor_table(report: TransistorReport) -> Table:
    """For a terminal: what was compared, and the first reads that differ."""
    lsb_V = report.lsb_V
    table = Table(title="transistors beside the model", box=SIMPLE, show_header=False, padding=(0, 1, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    for title, text in (
        ("reads answered by transistors", f"{report.reads:,}"),
        ("decisions that differ", f"{report.decisions_differ:,} of {report.decisions:,}"),
        ("comparators without a decision", f"{report.unresolved:,} of {report.decisions:,}"),
        ("source lines that differ", f"{report.bits_differ:,} of {report.bits:,}"),
        (
            f"dV that differs by more than {report.dv_bound_V * 1e3:.3g} mV",
            f"{report.dv_differ:,} of {report.reads:,}",
        ),
        (
            "largest, rms difference of dV",
            f"{report.dv_worst_V * 1e3:.3g}, {report.dv_rms_V * 1e3:.3g} mV; one count is {lsb_V * 1e3:.4g} mV",
        ),
        ("ngspice runs, answers kept", f"{report.runs:,} in {report.spice_s:.1f} s, {report.kept:,}"),
    ):
        table.add_row(title, text)
    for read in report.differing[:_LISTED]:
        table.add_row(f"tile {read.tile}, row {read.row}, read {read.read}", _told(read))
    if (more := len(report.differing) - _LISTED) > 0:
        table.add_row("further reads that differ", f"{more:,}")
    return table


def _told(read: TransistorRead) -> str:
    """What differs in a read."""
    parts = [f"dV {read.dv_V * 1e3:.4g} mV, model {read.model_dv_V * 1e3:.4g} mV"]
    if read.decision != read.model_decision:
        parts.append(f"decision {read.decision} at reference {read.ref}, model {read.model_decision}")
    if not read.resolved:
        parts.append("not decided in time")
    if read.columns:
        parts.append(f"source lines {', '.join(map(str, read.columns))}")
    return "; ".join(parts)
