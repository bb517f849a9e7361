"""What is fixed about a tile when a chip is made: its buffers and its neuron, whatever its devices hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.draws import Purpose, normal
from bridgebnn.model.parameters.params import MacroParams

from .bridge import Decisions, Voltages, decide, source_line
from .neuron import Neuron

__all__ = ["TileCircuit", "column_sums"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TileCircuit:
    """Bridges' surroundings, buffers and neuron of one tile of one chip.

    Parameters
    ----------
    params : MacroParams
    neuron : Neuron
    threshold_V : float64, (C,)
        Switching voltage of each column's buffer.
    """

    params: MacroParams
    neuron: Neuron
    threshold_V: NDArray[np.float64]

    @classmethod
    def of(cls, params: MacroParams, columns: int, chip: int, tile: int) -> TileCircuit:
        """That of ``tile`` of ``chip`` with ``columns`` columns."""
        spread = normal(chip, Purpose.BUFFER_THRESHOLD, tile, size=columns)
        return cls(
            params=params,
            neuron=Neuron.of(params.neuron, columns, chip, tile),
            threshold_V=params.bridge.buffer_threshold_V + params.bridge.buffer_sigma_V * spread,
        )

    def cells(
        self,
        resistance_ohm: NDArray[np.float64],
        rows: NDArray[np.integer],
        enabled: NDArray[np.bool_] | None = None,
    ) -> tuple[Voltages, Decisions]:
        """Source-line voltages and buffer decisions of whole rows, arrays (n, C).

        Parameters
        ----------
        resistance_ohm : float64, (n, C, 2)
            Devices P and N of the cells.
        rows : int, (n,)
            Word lines, as far away as their number says.
        enabled : bool, (C,) or (n, C), optional
            Columns that load the rails, all by default.
        """
        voltages = source_line(resistance_ohm, rows, self.params.bridge, enabled)
        return voltages, decide(voltages, self.threshold_V)


def column_sums(
    on: NDArray[Any], enabled: NDArray[Any], with_one: NDArray[Any], with_zero: NDArray[Any]
) -> NDArray[Any]:
    """Sum over the enabled columns of ``with_one`` where the input is +1, of ``with_zero`` elsewhere.

    Parameters
    ----------
    on : float, (batch, C) or (C,)
        1 where a column is enabled and its input +1, else 0.
    enabled : float, (C,)
    with_one, with_zero : float, (n, C)

    Returns
    -------
    float, (batch, n) or (n,)
    """
    return on @ (with_one - with_zero).T + with_zero @ enabled
