"""What costs energy on a chip, counted; and what it cost, as records.

Counts are whole numbers, currents and voltages among them in whole units, so that sums depend on no order and the
model, the RTL under either attachment and a count by hand must agree exactly.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridgebnn.records import Record

__all__ = ["EnergyParts", "EnergyReport", "Events"]


class Events(Record, frozen=True, kw_only=True):
    """Events of inferences.

    Parameters
    ----------
    row_reads : dict of int
        Word lines that rose, of every tile, by mode (SIGN, SEARCH, COUNT).
    evaluations : dict of int
        Evaluations of rows, of every tile, by mode: each with a precharge before it.
    comparisons : int
        Clocks of comparators: the evaluations of SIGN and SEARCH.
    columns : int
        Enabled columns in all evaluations.
    line_changes : int
        Columns that were enabled, or whose input changed, since the tile was read last.
    bridge_pA_cycles : int
        Current of each bridge in pA times the clock cycles it flows.
    sl_rise_uV, sl_uV : int
        Rises of source lines from row to row; their voltages under a word line; in uV.
    buffer_rises, buffer_falls : int
    ones, ones_squared, zeros_squared : int
        Popcounts of all evaluations, their squares, and those of the rest of the enabled columns.
    operations : int
        Two for every input of every row read, a product and a sum; bias columns count none.
    read_cycles, cycles : int
        Clock cycles of the controller with a read phase; with a vector under way.
    bus_reads, bus_writes : int
        Words on the bus that an inference needs: inputs in, results out.
    """

    row_reads: dict[str, int] = {}
    evaluations: dict[str, int] = {}
    comparisons: int = 0
    columns: int = 0
    line_changes: int = 0
    bridge_pA_cycles: int = 0
    sl_rise_uV: int = 0
    sl_uV: int = 0
    buffer_rises: int = 0
    buffer_falls: int = 0
    ones: int = 0
    ones_squared: int = 0
    zeros_squared: int = 0
    operations: int = 0
    read_cycles: int = 0
    cycles: int = 0
    bus_reads: int = 0
    bus_writes: int = 0

    def plus(self, counts: Mapping[str, int | dict[str, int]] | Events) -> Events:
        """These and further ``counts`` by field."""
        found: dict[str, int | dict[str, int]] = {}
        for name in counts.keys():
            ours, more = self[name], counts[name]
            if isinstance(more, dict):
                found[name] = {m: ours.get(m, 0) + more.get(m, 0) for m in sorted(ours.keys() | more.keys())}
            else:
                found[name] = ours + more
        return self.replace(**found)

    def minus(self, other: Events) -> Events:
        """These without those of ``other``, which they contain."""
        negative: dict[str, int | dict[str, int]] = {}
        for name in other:
            value = other[name]
            negative[name] = {m: -n for m, n in value.items()} if isinstance(value, dict) else -value
        return self.plus(negative)


class EnergyParts(Record, frozen=True, kw_only=True):
    """Energy in joule, by part; the parts are those of ``bridgebnn.model.macro.energy``.

    Parameters
    ----------
    bridges_J, bit_lines_J, source_lines_J, word_line_J, buffers_J, plates_J, comparator_J, clocks_J : float
        Of the macro.
    controller_J, bus_J : float
        Stated estimates.
    """

    bridges_J: float
    bit_lines_J: float
    source_lines_J: float
    word_line_J: float
    buffers_J: float
    plates_J: float
    comparator_J: float
    clocks_J: float
    controller_J: float
    bus_J: float

    @property
    def macro_J(self) -> float:
        """Sum of the macro's parts."""
        return self.total_J - self.controller_J - self.bus_J

    @property
    def total_J(self) -> float:
        """Sum of all parts."""
        return sum(float(self[name]) for name in self)


class EnergyReport(Record, frozen=True, kw_only=True):
    """What inferences cost; see docs/energy.md for what is simulated and what assumed.

    Parameters
    ----------
    events : Events
        All of them.
    parts : EnergyParts
        Energy of one inference, by part.
    inferences : int
    per_inference_J : float
        Sum of the parts.
    per_operation_J, macro_per_operation_J : float
        Of everything, and of the macro alone.
    tops_per_w, macro_tops_per_w : float
        Tera-operations a second and watt: 1e-12 over the energy of an operation.
    """

    events: Events
    parts: EnergyParts
    inferences: int
    per_inference_J: float
    per_operation_J: float
    macro_per_operation_J: float
    tops_per_w: float
    macro_tops_per_w: float

    @classmethod
    def of(cls, events: Events, parts: EnergyParts, inferences: int) -> EnergyReport:
        """From the energy of all ``inferences``."""
        if inferences < 1 or events.operations < 1:
            raise ValueError(
                f"inferences = {inferences}, operations = {events.operations}: must be at least 1"
            )
        per_operation_J = parts.total_J / events.operations
        macro_J = parts.macro_J / events.operations
        return cls(
            events=events,
            parts=EnergyParts(**{name: parts[name] / inferences for name in parts}),
            inferences=inferences,
            per_inference_J=parts.total_J / inferences,
            per_operation_J=per_operation_J,
            macro_per_operation_J=macro_J,
            tops_per_w=1e-12 / per_operation_J,
            macro_tops_per_w=1e-12 / macro_J,
        )
