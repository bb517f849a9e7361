"""Row reads phase by phase, from the waveform that a run wrote."""

from __future__ import annotations

from pathlib import Path

from bridgebnn.tb.runs.reports import RunReport
from bridgebnn.tb.runs.waves import lay_out, stretch

from .parts import Picture
from .pictures import svg
from .results import Result

__all__ = ["READS", "row_reads"]

READS = 2
"""So many are drawn, the first."""

SIZE = (5.4, 6.0)


def row_reads(run: Result) -> list[Picture]:
    """The first row reads of a run with a waveform file that is still there, or lies beside the run's own file.

    Raises
    ------
    ValueError
        The file is no waveform of this project.
    """
    if not isinstance(run.record, RunReport) or run.record.waves is None:
        return []
    written = Path(run.record.waves)
    file = next((path for path in (written, run.folder / written.name) if path.is_file()), None)
    if file is None:
        return []
    wave, start, stop = stretch(file, 0, READS)
    about = f"The first {READS} row reads: pins of the macro above, analog nodes below"
    drawn = svg(f"waves-{run.key}", about, lambda figure: lay_out(figure, wave, start, stop), SIZE)
    return [Picture(caption=f"{about} ({run.name}, {written.name})", svg=drawn)]
