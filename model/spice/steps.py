"""All comparisons between the macro model and SPICE, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .bridges import compare_buffer, compare_source_line
from .comparators import compare_comparator
from .compare import Context, Report
from .energies import compare_energy
from .neurons import compare_large_neurons, compare_neuron
from .settling import compare_settling

__all__ = ["STEPS", "run_all"]

STEPS: dict[str, Callable[[Context], Report]] = {
    "bridge": compare_source_line,
    "buffer": compare_buffer,
    "neuron": compare_neuron,
    "large": compare_large_neurons,
    "settling": compare_settling,
    "comparator": compare_comparator,
    "energy": compare_energy,
}


def run_all(context: Context, names: list[str]) -> Iterator[tuple[str, Report]]:
    """Run the named steps one after the other and yield each report as it comes."""
    for name in names:
        yield name, STEPS[name](context)
