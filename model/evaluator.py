"""Row reads, and who answers them: the seam between what is asked of a chip and what its circuits are.

A :class:`RowRead` says which word lines of one tile are read beside which enabled columns, and how. An
:class:`Evaluator` answers it for a batch of inputs: the bridge array (``macro.array.Array``), its ablations and the
conventional array (``studies``) are alternatives of each other wherever a network is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry, ReadMode

__all__ = ["Evaluator", "RowRead"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RowRead:
    """Reads of some word lines of one tile, one after the other.

    Parameters
    ----------
    tile : int
    rows : int64, (n,)
        Word lines in the order in which they are read.
    col_en : bool, (C,)
        Enabled columns.
    mode : ReadMode
    refs : int64, (n,)
        Reference of each row in popcount counts; used by SIGN alone.
    """

    tile: int
    rows: NDArray[np.int64]
    col_en: NDArray[np.bool_]
    mode: ReadMode
    refs: NDArray[np.int64]

    @cached_property
    def enabled(self) -> int:
        """Enabled columns C_en."""
        return int(np.count_nonzero(self.col_en))

    @property
    def first(self) -> tuple[int, int]:
        """(tile, word line) that is read first."""
        return self.tile, int(self.rows[0])

    @property
    def comparisons(self) -> int:
        """Evaluations of each row for one vector: ``ceil(log2(C_en + 1))`` of SEARCH, else 1."""
        return self.enabled.bit_length() if self.mode is ReadMode.SEARCH else 1

    @cached_property
    def runs(self) -> list[tuple[slice, slice]]:
        """Word lines that follow each other: (word lines, their places among ``rows``), run by run."""
        ends = [*(np.flatnonzero(np.diff(self.rows) != 1) + 1).tolist(), len(self.rows)]
        starts = [0, *ends[:-1]]
        firsts = self.rows[starts].tolist()
        return [
            (slice(first, first + end - start), slice(start, end))
            for first, start, end in zip(firsts, starts, ends, strict=True)
        ]


class Evaluator(Protocol):
    """What answers row reads for a batch of inputs.

    Members
    -------
    geometry : Geometry
        Of the chip that it stands for.
    """

    @property
    def geometry(self) -> Geometry: ...

    def read(self, what: RowRead, inputs: NDArray[np.bool_]) -> NDArray[Any]:
        """Read every row of ``what`` once for each input, in the order of the batch.

        Parameters
        ----------
        what : RowRead
        inputs : bool, (batch, C)
            Levels of the columns.

        Returns
        -------
        SIGN: bool, (batch, n)
            The comparators' decisions.
        COUNT, SEARCH: integer, or float64 of a circuit without a digital output; (batch, n)
            Popcounts over the enabled columns.
        """
        ...
