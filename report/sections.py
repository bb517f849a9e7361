"""The sections of the page, each from what it needs of the results; one without anything to show is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bridgebnn.model.studies.error_physics import ErrorModelReport
from bridgebnn.model.studies.error_sweep import SweepReport
from bridgebnn.model.studies.montecarlo_report import MonteCarloReport
from bridgebnn.model.studies.reports import ImmunityReport

from . import measured, overview, studies
from .parts import Command, Section
from .results import Result, of_kind, runs
from .waves import row_reads
from .wrong import wrong

__all__ = ["sections"]

FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What parts raise on numbers that do not belong together; the fields and types of a record are checked before."""


def sections(results: Sequence[Result], command: str) -> list[Section]:
    """All that hold something, in the order of the page.

    Parameters
    ----------
    results : list of Result
    command : str
        That made the page.

    Raises
    ------
    ValueError
        A result that contradicts itself, like a curve with another number of points than its axis.
    """
    try:
        return _built(results, command)
    except FAULTS:
        for result in results:  # whose fault it is
            try:
                _built([result], command)
            except FAULTS as error:
                raise ValueError(f"{result.name}: contradicts itself: {error!r:.200}") from error
        raise


def _built(results: Sequence[Result], command: str) -> list[Section]:
    return [section for section in _all(results, command) if section.parts]


def _all(results: Sequence[Result], command: str) -> Iterable[Section]:
    inferences = runs(results)
    yield Section(
        name="runs", title="What was run", parts=[overview.overview(results), *overview.versions(results)]
    )
    yield Section(
        name="accuracy",
        title="Accuracy and mismatches",
        text="Golden is the network in whole numbers, without physics. Every hidden bit, score and class of a run on "
        "the RTL is compared with golden and with the model of the same chip evaluated alone; of a run on the "
        "model, images are compared. On a macro that is not ideal, differences from golden are its physics; "
        "differences from the model are errors.",
        parts=measured.accuracy(inferences),
    )
    yield Section(
        name="wrong",
        title="Images that went wrong",
        text="Labels down, answers across; on the diagonal is what is right. Below, the first images whose answer is "
        "not the label, or not that of golden, as the network was shown them, with the score of every class.",
        parts=[part for run in inferences for part in wrong(run)],
    )
    yield Section(name="programming", title="Programming", parts=measured.programming(results, inferences))
    yield Section(name="cycles", title="Cycles and energy", parts=measured.cycles(results, inferences))
    yield Section(
        name="reads",
        title="Row reads, phase by phase",
        text="Precharge, evaluate and sense, from the waveform of a run: what the controller drives, and how the "
        "modelled macro answers. VP and VN are the lines of the two capacitors, dV their difference, on whose sign the "
        "comparator decides; SL is a source line of the bridges.",
        parts=[part for run in inferences for part in row_reads(run)],
    )
    yield Section(
        name="immunity",
        title="Immunity",
        text="The same network on the bridge array, on arrays that lack one of its parts, and on a conventional array "
        "that sums currents, as one disturbance grows. Lines are means of the chips, bands one standard deviation, "
        "the dotted line is golden.",
        parts=[part for result in of_kind(results, ImmunityReport) for part in studies.immunity(result)],
    )
    yield Section(
        name="sweeps",
        title="Error model",
        text="The authors' published statistics of cell errors and comparator decisions: accuracy of a network, and "
        "the error of a single neuron.",
        parts=[
            *(part for result in of_kind(results, SweepReport) for part in studies.sweep(result)),
            *(studies.neuron(result) for result in of_kind(results, ErrorModelReport)),
        ],
    )
    yield Section(
        name="montecarlo",
        title="Monte Carlo",
        text="The same network on many chips; each is the seed of everything that is random about it.",
        parts=[part for result in of_kind(results, MonteCarloReport) for part in studies.montecarlo(result)],
    )
    yield Section(name="studies", title="Further studies", parts=list(studies.further(results)))
    lines = [Command(caption=result.name, line=result.record.get("command")) for result in results]
    yield Section(
        name="again",
        title="How to run each again",
        text="The same command with the same versions gives the same results; only times differ.",
        parts=[*lines, Command(caption="this page", line=command)],
    )
