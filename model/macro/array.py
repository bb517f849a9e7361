"""One chip: all tiles of bridges and neurons, as the controller's pins and as whole batches see them.

Everything here follows from (geometry, params, chip) and from the pulses given: random draws are keyed by
what is drawn (``model/draws.py``) and sums are exact (``model/macro/neuron.py``), so a row read alone, a vector
over all rows and a batch of images give the same bits.

*Read number*: ``reads[tile, row]`` is the number of ``evaluate`` strobes the row has had since power-up, the
present one included; the first read is number 1. Methods about one read use the present number, methods that
look ahead the next ones.
"""

from __future__ import annotations

import copy
import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache, cachedmethod
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide, VerifyRef
from bridgebnn.model.devices.device import DeviceArray
from bridgebnn.model.draws import by_read, by_read_batch
from bridgebnn.model.evaluator import RowRead
from bridgebnn.model.npz import read_npz, write_npz
from bridgebnn.model.parameters.params import MacroParams

from .bridge import Decisions, OperatingPoints
from .neuron import Neuron
from .reads import read_batch
from .tile import Tile

_FORMAT = "bridgebnn-array"
_NOISE_VECTORS = 256
_RESOLVE_LIMIT_CYC = 1 << 20

Bits = NDArray[np.bool_]


class Array:
    """One chip of T tiles, R rows and C columns.

    Parameters
    ----------
    geometry : Geometry
    params : MacroParams
    chip : int, 0..2**64-1
        Seed of everything random about it.

    Attributes
    ----------
    devices : DeviceArray
        Resistances and history of every device. Changes made there directly are seen here.
    reads : int64, (T, R)
        Read number of every row.

    Raises
    ------
    ValueError
        A macro whose reads transistors answer: ``model/spice/chip.py`` has that one.
    """

    TRANSISTORS = False
    """Whether this kind of chip is the one of such a macro."""

    def __init__(self, geometry: Geometry, params: MacroParams, chip: int = 0) -> None:
        if params.transistors and not self.TRANSISTORS:
            raise ValueError(
                f"macro {params.name!r}: `infer` alone, on the RTL or the model, knows transistors"
            )
        self.geometry, self.params, self.chip = geometry, params, chip
        self.devices = DeviceArray(geometry, params.device, chip)
        self.reads = np.zeros((geometry.tiles, geometry.rows), np.int64)
        self._tiles = [Tile(geometry, params, self.devices, chip, t) for t in range(geometry.tiles)]
        self._noise_kept: LRUCache[Any, NDArray[np.float64]] = LRUCache(_NOISE_VECTORS)
        self._last_counts: dict[int, tuple[tuple[bytes, bytes], Bits, NDArray[np.float64]]] = {}

    def sibling(self, params: MacroParams, chip: int) -> Array:
        """Another chip whose devices are these, at its first read: bridges, neurons and noise are of its own.

        Of ideal devices, of which nothing is drawn, it is the chip of that seed that was programmed for itself.
        """
        twin = copy.copy(self)
        twin.params, twin.chip = params, chip
        twin.reads = np.zeros_like(self.reads)
        twin._tiles = [Tile(self.geometry, params, self.devices, chip, t) for t in range(self.geometry.tiles)]
        twin._noise_kept, twin._last_counts = LRUCache(_NOISE_VECTORS), {}
        return twin

    # -- programming -----------------------------------------------------------------------------------------

    def pulse(
        self,
        tile: int,
        row: int,
        columns: Bits,
        op: ProgOp,
        side: ProgSide,
        wl_level: int,
        prog_level: int,
        width_s: float,
    ) -> None:
        """One programming pulse; see ``DeviceArray.pulse``."""
        self.devices.pulse(tile, row, columns, op, side, wl_level, prog_level, width_s)

    def verify(
        self, tile: int, row: int, columns: Bits, side: ProgSide, ref: VerifyRef, margin: float = 1.0
    ) -> Bits:
        """Verify read of one side of a row: (C,) bool, True where asked and passed."""
        return self.devices.verify(tile, row, columns, side, ref, margin)

    def passes(self, tile: int, row: int) -> Bits | None:
        """Verify reads of a whole row ahead, at the nominal references: (2, 3, C) bool by side and `VerifyRef`.

        None where they cannot be told ahead: each is then asked for by itself.
        """
        return self.devices.passes(tile, row)

    def preload(self, tile: int, row: int, bits: ArrayLike, mask: ArrayLike) -> None:
        """Put the pairs of the masked columns into the state of ``bits`` without pulses.

        Parameters
        ----------
        bits : (C,) of 0 and 1
            Bit 1 = weight +1 = P in LRS, N in HRS.
        mask : bool, (C,)
        """
        self.devices.set_state(tile, row, np.asarray(mask, bool), np.asarray(bits))

    # -- one read, pin by pin --------------------------------------------------------------------------------

    def begin_read(self, tiles: ArrayLike, row: int) -> None:
        """Count one evaluate strobe.

        Parameters
        ----------
        tiles : int, sequence of int, or bool mask (T,)
            Tiles whose word line is on.
        row : int
        """
        self.reads[np.asarray(tiles), row] += 1

    def source_lines(self, tile: int, row: int, bl: Bits, col_en: Bits) -> Bits:
        """Bits on ``sl`` in the present read of a row, (C,) bool; disabled columns, undefined, give False."""
        return self._tiles[tile].bits(row, bl, col_en, int(self.reads[tile, row]))

    def min_ref(self, tile: int, row: int, bl: Bits, col_en: Bits) -> int:
        """Smallest ``ref`` at which the comparator gives 1 in the present read of a row."""
        x, drawn = self._present(tile, row, bl, col_en)
        return int(self._tiles[tile].neuron.min_ref(x, drawn)[0])

    def compare(self, tile: int, row: int, bl: Bits, col_en: Bits, ref: int) -> bool:
        """Decision ``cmp`` of the present read of a row at reference ``ref``."""
        return ref >= self.min_ref(tile, row, bl, col_en)

    def resolve_cyc(self, tile: int, row: int, bl: Bits, col_en: Bits, ref: int, clock_s: float) -> int:
        """Whole clock periods from the rise of ``sense`` until ``cmp_valid``; 0 at once, at most 2**20."""
        x, drawn = self._present(tile, row, bl, col_en)
        cycles = self._tiles[tile].neuron.resolve_s(x, drawn, np.array([ref]))[0] / clock_s
        return int(np.ceil(min(cycles, _RESOLVE_LIMIT_CYC)))

    def analog(self, tile: int, row: int, bl: Bits, col_en: Bits, ref: int = 0) -> dict[str, Any]:
        """Voltages of the present read, for waveforms, in volt.

        Returns
        -------
        dict
            ``VP_V``, ``VN_V``: lines after evaluation, bits of this read; ``dV_V`` = VP - VN; ``ref_V``: what
            the reference adds to dV; ``V_SL_V`` (C,): source lines without noise, NaN where disabled.
        """
        part = self._tiles[tile]
        voltages, _ = part.cells(np.array([row]), col_en)
        q = part.bits(row, bl, col_en, int(self.reads[tile, row]))
        vp, vn = part.neuron.lines_V(q, col_en)
        sl = np.where(bl, voltages.v1_V[0], voltages.v0_V[0])
        return {
            "VP_V": vp,
            "VN_V": vn,
            "dV_V": vp - vn,
            "ref_V": ref * part.neuron.lsb_V * part.neuron.ref_gain,
            "V_SL_V": np.where(col_en, sl, np.nan),
        }

    def neuron(self, tile: int) -> Neuron:
        """The neuron of a tile: mismatch, offset, noise and scale."""
        return self._tiles[tile].neuron

    def lsb_V(self, tile: int) -> float:
        """Volt of dV per popcount count."""
        return self._tiles[tile].neuron.lsb_V

    def decisions(self, tile: int, rows: NDArray[np.intp], col_en: Bits | None = None) -> Decisions:
        """Buffer decisions, their probabilities and margins of whole rows, arrays (n, C).

        ``col_en`` (C,) are the columns that load the rails, all by default.
        """
        return self._tiles[tile].cells(rows, col_en)[1]

    def operating_points(self, tile: int, rows: NDArray[np.intp], col_en: Bits) -> OperatingPoints:
        """Source lines, likelier bits and currents of whole rows beside the columns ``col_en`` (C,)."""
        return self._tiles[tile].operating_points(rows, col_en)

    # -- all rows of a tile ----------------------------------------------------------------------------------

    def min_refs(
        self, tile: int, bl: Bits, col_en: Bits, reads: ArrayLike | None = None, rows: slice | None = None
    ) -> NDArray[np.int32]:
        """Smallest references that give 1, one a row, each row at its next read.

        Parameters
        ----------
        bl, col_en : bool, (C,)
        reads : int, (n,), optional
            Read numbers to use instead of ``reads[tile] + 1``.
        rows : slice, optional
            Rows asked for, all by default.

        Returns
        -------
        int32, (n,)
        """
        rows = slice(0, self.geometry.rows) if rows is None else rows
        numbers = self.reads[tile, rows] + 1 if reads is None else np.asarray(reads)
        return self._tiles[tile].neuron.min_ref(*self._ahead(tile, bl, col_en, rows, numbers))

    def min_refs_ahead(
        self, tile: int, bl: Bits, col_en: Bits, count: int, rows: slice | None = None
    ) -> NDArray[np.int32]:
        """``min_refs`` of the next ``count`` reads of every row, int32 (n, count)."""
        rows = slice(0, self.geometry.rows) if rows is None else rows
        first = self.reads[tile, rows] + 1
        return np.stack([self.min_refs(tile, bl, col_en, first + k, rows) for k in range(count)], axis=1)

    def live_rows(self, tile: int, col_en: Bits | None = None) -> Bits:
        """Rows in which a bit of an enabled column can differ from ``planes``.

        Read noise does that; and without ``col_en``, as the enabled columns load the rails of the drivers,
        any cell whose bit could depend on which columns are enabled.

        Parameters
        ----------
        col_en : bool, (C,) or (R, C), optional
            Columns in use, of all rows or of each (a mapping's ``masks[tile]``). Unknown by default: all are
            looked at. Cells that were never formed are often live, so after programming by pulses nearly
            every row then is.

        Returns
        -------
        bool, (R,)
        """
        if col_en is None:
            return np.any(self._tiles[tile].unsure(), axis=1)
        asked = np.broadcast_to(col_en, (self.geometry.rows, self.geometry.columns))
        return np.any(self._tiles[tile].unsure(asked) & asked, axis=1)

    def planes(self, tile: int, col_en: Bits | None = None) -> tuple[Bits, Bits]:
        """Likelier bits of every cell with input +1 and with -1, each (R, C) bool; copies.

        ``col_en`` (C,) are the columns that load the rails, all by default.
        """
        plane = self._tiles[tile].plane(col_en)
        return plane.s1.copy(), plane.s0.copy()

    # -- batches ---------------------------------------------------------------------------------------------

    def read(self, what: RowRead, inputs: Bits) -> NDArray[Any]:
        """Read rows once per input, as any ``Evaluator`` does; the read numbers go on."""
        return read_batch(self, what, inputs)

    def counts(self, tile: int, rows: slice, inputs: Bits, col_en: Bits) -> NDArray[np.float64]:
        """dV in popcount counts without any noise, float64 (batch, n); see ``Tile.counts``."""
        return self._tiles[tile].counts(inputs, col_en, rows)

    def min_refs_batch(
        self,
        tile: int,
        rows: slice,
        inputs: Bits,
        col_en: Bits,
        first: NDArray[np.int64],
        stride: int = 1,
        counts: NDArray[np.float64] | None = None,
    ) -> NDArray[np.int32]:
        """Smallest references that give 1, for a batch of inputs.

        Parameters
        ----------
        inputs : bool, (batch, C)
        first : int64, (n,)
            Read number of each row for the first input; input ``i`` has number ``first + i*stride``.
        stride : int
            Reads of a row for each input.
        counts : float64, (batch, n), optional
            ``counts()`` of the same arguments, where the caller has them already.

        Returns
        -------
        int32, (batch, n)
        """
        x = self.counts(tile, rows, inputs, col_en) if counts is None else counts
        x = self._with_live(tile, rows, inputs, col_en, first, stride, x)
        return self._tiles[tile].neuron.min_ref(x, self._noise_batch(tile, rows, len(inputs), first, stride))

    def decide(
        self,
        tile: int,
        rows: slice,
        inputs: Bits,
        col_en: Bits,
        refs: NDArray[np.integer],
        first: NDArray[np.int64],
        stride: int = 1,
    ) -> Bits:
        """Comparator decisions for a batch, (batch, n) bool, at one reference a row, ``refs`` (n,)."""
        return refs >= self.min_refs_batch(tile, rows, inputs, col_en, first, stride)

    def popcounts(
        self,
        tile: int,
        rows: slice,
        inputs: Bits,
        col_en: Bits,
        first: NDArray[np.int64],
        stride: int = 1,
    ) -> NDArray[np.int64]:
        """Ones on the enabled source lines, int64 (batch, n), as the digital popcount sees them."""
        total = self._tiles[tile].popcounts(inputs, col_en, rows)
        return self._with_live(tile, rows, inputs, col_en, first, stride, total)

    # -- state -----------------------------------------------------------------------------------------------

    def snapshot(self, path: str | Path) -> None:
        """Write the whole state as ``.npz``; equal states give equal bytes."""
        state = self.devices.snapshot()
        identity = json.dumps(self._identity(), sort_keys=True)
        entries: dict[str, Any] = {"format": _FORMAT, "version": 1, "identity": identity, "reads": self.reads}
        write_npz(path, entries | {f"device_{name}": state[name] for name in sorted(state)})

    def restore(self, path: str | Path) -> None:
        """Take back a ``snapshot`` of the same chip.

        Raises
        ------
        ValueError
            Not such a file, or of another geometry, parameter set or chip.
        """
        entries = read_npz(path, format=_FORMAT, version=1, error=ValueError)
        identity = json.loads(entries.text("identity"))
        for name, ours in self._identity().items():
            if identity.get(name) != ours:
                raise ValueError(f"{path}: its {name} is {identity.get(name)}, this chip's {ours}")
        self.devices.restore({name: entries.array(f"device_{name}") for name in self.devices.snapshot()})
        self.reads[...] = entries.array("reads")

    def state_hash(self) -> str:
        """SHA-256 of read numbers and devices' state; two chips that went through the same agree."""
        digest = hashlib.sha256(self.reads.tobytes())
        state = self.devices.snapshot()
        for name in sorted(set(state) - {"row_version"}):  # a counter of calls, not of the chip
            digest.update(name.encode() + np.ascontiguousarray(state[name]).tobytes())
        return digest.hexdigest()

    def same_state(self, other: Array) -> bool:
        """Whether read numbers and devices' state are equal: what equal `state_hash` say, sooner."""
        return np.array_equal(self.reads, other.reads) and not self.devices.differences(other.devices)

    def _identity(self) -> dict[str, Any]:
        # through JSON, so that it compares with what a file holds
        return json.loads(
            json.dumps(
                {
                    "geometry": self.geometry.as_dict(),
                    "chip": int(self.chip),
                    "params": self.params.as_dict(),
                }
            )
        )

    # -- noise -----------------------------------------------------------------------------------------------

    @cachedmethod(lambda self: self._noise_kept)
    def _noise(self, tile: int, number: int) -> NDArray[np.float64]:
        """What the comparator of ``tile`` draws at read ``number``, one a row, in counts."""
        return self._tiles[tile].neuron.drawn(self.chip, tile, number, size=self.geometry.rows)

    def _static(self, tile: int, bl: Bits, col_en: Bits) -> NDArray[np.float64]:
        """``counts`` of all rows for one vector, kept until vector or cells change."""
        cells = (col_en.tobytes(), self.devices.row_version[tile].tobytes())
        kept = self._last_counts.get(tile)
        if kept is None or kept[0] != cells:
            x = self._tiles[tile].counts(bl, col_en, slice(0, self.geometry.rows))
        elif np.array_equal(kept[1], bl):
            return kept[2]
        else:
            x = self._tiles[tile].counts_after(bl, col_en, kept[1], kept[2])
        self._last_counts[tile] = cells, bl.copy(), x
        return x

    def _present(
        self, tile: int, row: int, bl: Bits, col_en: Bits
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        number = self.reads[tile, row : row + 1]
        return self._ahead(tile, bl, col_en, slice(row, row + 1), number)

    def _ahead(
        self, tile: int, bl: Bits, col_en: Bits, rows: slice, numbers: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """dV with the bits of the given reads, and what the comparator draws (None where nothing), each (n,)."""
        part = self._tiles[tile]
        x = part.add_live(self._static(tile, bl, col_en)[rows], rows, bl, col_en, numbers)
        if part.neuron.quiet:
            return x, None
        return x, by_read(partial(self._noise, tile), numbers, rows)

    def _with_live(
        self,
        tile: int,
        rows: slice,
        inputs: Bits,
        col_en: Bits,
        first: NDArray[np.int64],
        stride: int,
        values: NDArray[Any],
    ) -> NDArray[Any]:
        """``values`` (counts of dV, or popcounts where integer) with the read noise of live rows."""
        part = self._tiles[tile]
        start, stop, _ = rows.indices(self.geometry.rows)
        live = part.live(col_en)
        rows_here = live.keys() & range(start, stop)
        if not rows_here:
            return values
        values, what = values.copy(), int(values.dtype.kind == "i")
        for row in rows_here:
            number = int(first[row - start])
            numbers = range(number, number + stride * len(inputs), stride)
            values[:, row - start] += part.live_change(row, live[row], inputs, col_en, numbers)[what]
        return values

    def _noise_batch(
        self, tile: int, rows: slice, batch: int, first: NDArray[np.int64], stride: int
    ) -> NDArray[np.float64] | None:
        """What the comparator draws, in counts, (batch, n); None where nothing."""
        neuron = self._tiles[tile].neuron
        if neuron.quiet:
            return None
        return by_read_batch(
            partial(neuron.many_drawn, self.chip, tile),
            rows.indices(self.geometry.rows)[:2],
            batch,
            first,
            stride,
        )
