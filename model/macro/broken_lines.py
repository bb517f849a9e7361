"""A chip with broken lines: the modelled array, with rows and columns open, stuck or shorted [ours]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide, VerifyRef
from bridgebnn.model.parameters.params import MacroParams

from .array import Array
from .published import array_of

__all__ = ["LINE_KINDS", "SPARED_KINDS", "FaultyArray", "LineFault", "faulty_array"]

Bits = NDArray[np.bool_]
SPARED_KINDS = ("word_open", "bit_open", "source_stuck", "source_short", "bit_short")
"""Lines that a spare can stand in for: they do nothing to the others. `LineFault.parse` takes these."""
LINE_KINDS = (*SPARED_KINDS, "word_short", "word_on")


@dataclass(frozen=True, kw_only=True)
class LineFault:
    """One broken line of a tile.

    Parameters
    ----------
    kind : str
        ``word_open``: the row's transistors never conduct; its source lines float to ``value``.
        ``word_short``: the word lines of ``row`` and ``other`` joined: either turns both rows on.
        ``word_on``: the word line of ``other`` never falls: every row is read and pulsed together with it.
        ``bit_open``: the bit line of ``side`` is broken: no pulse reaches that side, it reads as open, and
        the other side alone decides. ``source_stuck``: SL at ``value``; pulses that need the other level do
        nothing. ``source_short``: SL of two columns joined; both carry the OR (``value`` 1) or AND (0) of the
        columns that are driven. ``bit_short``: the bit lines of ``side`` joined: a pulse on one reaches both,
        and in a read the lower level wins.
    tile : int
    row : int
        Of ``word_open`` and ``word_short``.
    other : int
    columns : tuple of int
        One column, or the two that are shorted.
    side : int
    value : int
    """

    kind: str
    tile: int
    row: int = 0
    other: int = 0
    columns: tuple[int, ...] = (0,)
    side: int = 0
    value: int = 0

    def __post_init__(self) -> None:
        if self.kind not in LINE_KINDS:
            raise ValueError(f"LineFault.kind = {self.kind!r}: must be one of {', '.join(LINE_KINDS)}")

    @classmethod
    def parse(cls, text: str) -> LineFault:
        """``KIND:TILE:LINE``: a row of ``word_open``, a column, or two columns ``A+B`` of a short.

        ``:P`` or ``:N`` may follow ``bit_open`` and ``bit_short`` (side), ``:0`` or ``:1`` the others (level).

        Raises
        ------
        ValueError
            With the text and the form.
        """
        try:
            kind, tile, line, *rest = text.split(":")
            lines = tuple(int(part) for part in line.split("+"))
            last = rest.pop() if rest else None
            fault: LineFault | None = cls(
                kind=kind,
                tile=int(tile),
                row=lines[0] if kind == "word_open" else 0,
                columns=(0,) if kind == "word_open" else lines,
                side=ProgSide[last] if last and kind.startswith("bit") else 0,
                value=int(last) if last and not kind.startswith("bit") else 0,
            )
        except (ValueError, KeyError):
            fault = None
        if (
            fault is None
            or fault.kind not in SPARED_KINDS
            or rest
            or len(lines) != 1 + fault.kind.endswith("short")
            or fault.value not in (0, 1)
            or min(fault.tile, *lines) < 0
        ):
            raise ValueError(
                f"{text!r}: must be KIND:TILE:LINE, KIND one of {', '.join(SPARED_KINDS)}, LINE a row of "
                "word_open, a column, or two columns A+B of a short; then :P or :N (bit_*), :0 or :1 (others)"
            )
        return fault

    def check(self, geometry: Geometry) -> None:
        """``ValueError`` when the line is not one of ``geometry``."""
        which, count = ("row", geometry.rows) if self.kind == "word_open" else ("column", geometry.columns)
        for line in (self.row,) if self.kind == "word_open" else self.columns:
            if self.tile >= geometry.tiles or line >= count:
                raise ValueError(
                    f"{self.kind} of tile {self.tile}, {which} {line}: the chip has {geometry.tiles} tiles of "
                    f"{count} {which}s"
                )


class FaultyArray(Array):
    """The modelled chip with ``lines`` broken; without any it is exactly its base class.

    The comparator's decision follows from the source lines that the break changed: each count of popcount
    moves the least reference by one. Capacitor mismatch of just those columns is left out.

    Attributes
    ----------
    lines : list of LineFault
    """

    def __init__(self, *arguments: Any, lines: list[LineFault] | None = None) -> None:
        super().__init__(*arguments)
        self.lines = list(lines or ())

    def copy(self) -> FaultyArray:
        """A second chip in the same state."""
        twin = FaultyArray(self.geometry, self.params, self.chip, lines=self.lines)
        twin.devices.restore(self.devices.snapshot())
        twin.reads[...] = self.reads
        return twin

    def _beside(self, tile: int, row: int) -> tuple[int | None, bool]:
        """The row that is on together with this one, and the level of source lines that neither decides."""
        for f in self.lines:
            if f.tile == tile and f.kind in ("word_short", "word_on"):
                if row != f.other and (f.kind == "word_on" or row == f.row):
                    return f.other, bool(f.value)
                if f.kind == "word_short" and row == f.other:
                    return f.row, bool(f.value)
        return None, False

    def _joined(self, tile: int, row: int, ones: Bits, zeros: Bits) -> tuple[Bits, Bits]:
        """Bits of a row for inputs 1 and 0 when another row conducts beside it.

        The devices of a side are parallel. Where the other row's conduct next to nothing the row decides as
        ever; where the two sides conduct alike, the buffer's level is that of the fault.
        """
        other, level = self._beside(tile, row)
        if other is None:
            return ones, zeros
        own, more = (1 / self.devices.resistance_ohm[tile, r] for r in (row, other))
        alone = (more < 0.05 * own.max(axis=-1, keepdims=True)).all(axis=-1)
        p, n = (own + more).T
        clear = np.maximum(p, n) > 3 * np.minimum(p, n)
        return (
            np.where(alone, ones, np.where(clear, p > n, level)),
            np.where(alone, zeros, np.where(clear, n > p, level)),
        )

    def held(self, tile: int, row: int, side: ProgSide, ref: VerifyRef) -> Bits:
        """What the devices that a row's word line turns on pass by themselves, whatever the columns do."""
        every = np.ones(self.geometry.columns, bool)
        passed = self.devices.verify(tile, row, every, side, ref)
        other, _ = self._beside(tile, row)
        if other is not None:
            beside = self.devices.verify(tile, other, every, side, ref)
            for f in self.lines:  # what stands behind a broken bit line conducts nothing into this row
                if f.kind == "bit_open" and f.tile == tile and f.side == side:
                    beside[list(f.columns)] = ref == VerifyRef.HRS_MIN
            passed = passed & beside if ref == VerifyRef.HRS_MIN else passed | beside
        return passed

    def _broken(self, tile: int, row: int) -> list[LineFault]:
        return [f for f in self.lines if f.tile == tile and (f.kind != "word_open" or f.row == row)]

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
        columns = np.array(columns, bool)
        other, _ = self._beside(tile, row)
        for f in self._broken(tile, row):
            here = list(f.columns)
            if f.kind == "word_open":
                columns[:] = False
            elif f.kind == "bit_open" and f.side == side:
                columns[here] = False
            elif f.kind == "source_stuck" and f.value != (op is ProgOp.RESET):
                columns[here] = False
            elif f.kind == "bit_short" and f.side == side and columns[here].any():
                columns[here] = True
        if columns.any():
            super().pulse(tile, row, columns, op, side, wl_level, prog_level, width_s)
            if other is not None:
                super().pulse(tile, other, columns, op, side, wl_level, prog_level, width_s)

    def verify(
        self, tile: int, row: int, columns: Bits, side: ProgSide, ref: VerifyRef, margin: float = 1.0
    ) -> Bits:
        passed = super().verify(tile, row, columns, side, ref, margin)
        asked = np.asarray(columns, bool)
        other, _ = self._beside(tile, row)
        if other is not None:
            beside = super().verify(tile, other, columns, side, ref, margin)
            passed = passed & beside if ref == VerifyRef.HRS_MIN else passed | beside
        for f in self._broken(tile, row):
            here = list(f.columns)
            if f.kind == "word_open":
                passed = asked & (ref == VerifyRef.HRS_MIN)
            elif f.kind == "bit_open" and f.side == side:
                passed[here] = asked[here] & (ref == VerifyRef.HRS_MIN)
            elif f.kind == "source_stuck":
                passed[here] = asked[here] & bool(f.value)
            elif f.kind == "source_short" and asked[here].all():
                passed[here] = passed[here].any() if f.value else passed[here].all()
        return passed

    def passes(self, tile: int, row: int) -> Bits | None:
        sound = self._beside(tile, row)[0] is None and not self._broken(tile, row)
        return super().passes(tile, row) if sound else None

    def source_lines(self, tile: int, row: int, bl: Bits, col_en: Bits) -> Bits:
        broken = self._broken(tile, row)
        if not broken:
            return super().source_lines(tile, row, bl, col_en)
        bl = np.array(bl, bool)
        for f in broken:
            if f.kind == "bit_short":
                here = [c for c in f.columns if col_en[c]]
                bl[here] = bl[here].all()
        bits = np.array(super().source_lines(tile, row, bl, col_en), bool)
        if self._beside(tile, row)[0] is not None:
            bits = np.where(bl, *self._joined(tile, row, bits, bits))
        for f in broken:
            here = list(f.columns)
            if f.kind == "word_open":
                bits[:] = bool(f.value)
            elif f.kind == "bit_open":
                bits[here] = bl[here] if f.side == ProgSide.N else ~bl[here]
            elif f.kind == "source_stuck":
                bits[here] = bool(f.value)
            elif f.kind == "source_short" and np.asarray(col_en)[here].all():
                bits[here] = bits[here].any() if f.value else bits[here].all()
        return bits & np.asarray(col_en, bool)

    def min_ref(self, tile: int, row: int, bl: Bits, col_en: Bits) -> int:
        least = super().min_ref(tile, row, bl, col_en)
        if self._broken(tile, row):
            sound = int(super().source_lines(tile, row, bl, col_en).sum())
            least -= int(self.source_lines(tile, row, bl, col_en).sum()) - sound
        return least

    def compare(self, tile: int, row: int, bl: Bits, col_en: Bits, ref: int) -> bool:
        return ref >= self.min_ref(tile, row, bl, col_en)

    def bridges(self, tile: int, row: int, col_en: Bits) -> tuple[Bits, Bits]:
        """Noiseless reads of a row's enabled columns, with all inputs at 1 and all at 0, each (C,) bool."""
        ones, zeros = self._joined(tile, row, *(plane[row].copy() for plane in self.planes(tile)))
        for f in self._broken(tile, row):
            here = list(f.columns)
            if f.kind == "word_open":
                ones[:], zeros[:] = bool(f.value), bool(f.value)
            elif f.kind == "bit_open":
                ones[here], zeros[here] = f.side == ProgSide.N, f.side != ProgSide.N
            elif f.kind == "source_stuck":
                ones[here], zeros[here] = bool(f.value), bool(f.value)
            elif f.kind == "source_short" and np.asarray(col_en)[here].all():
                joined = np.any if f.value else np.all
                ones[here], zeros[here] = joined(ones[here]), joined(zeros[here])
        return ones, zeros


def faulty_array(geometry: Geometry, params: MacroParams, chip: int, lines: Sequence[LineFault]) -> Array:
    """The chip of a parameter set, with ``lines`` broken; ``ValueError`` where its kind knows no broken lines."""
    if not lines:
        return array_of(geometry, params, chip)
    if params.published is not None:
        raise ValueError(
            f"broken lines on macro {params.name!r}: the published statistics know sound lines alone"
        )
    return FaultyArray(geometry, params, chip, lines=list(lines))
