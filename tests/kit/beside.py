"""Testbench: the kit's Verilog macro beside the ideal Python macro, on random pulses, verify reads and row reads."""

from __future__ import annotations

import random

import numpy as np
from cocotb.triggers import Timer

from bridgebnn.hdl.spec import Geometry, ProgOp, ProgSide, VerifyRef, margin_factor
from bridgebnn.hdl.spec.pins import MACRO_OUTPUTS
from bridgebnn.model import Array, MacroParams
from bridgebnn.records import Record
from bridgebnn.tb.runs.job import testbench
from bridgebnn.tb.runs.jobs import Job

PERIOD_NS = 20


class BesideJob(Job, frozen=True, kw_only=True):
    """A geometry, and how many operations of each kind; ``twist``: a pulse that Python alone gets."""

    geometry: dict[str, int]
    operations: int
    twist: bool = False


class BesideReport(Record, frozen=True, kw_only=True):
    """What was compared, and how often it differed."""

    pulses: int
    verified: int
    bits: int
    decisions: int
    different: int
    unknown: int


def rest(dut) -> None:
    """Every input of the macro at 0."""
    for name in MACRO_OUTPUTS:
        getattr(dut, name).value = 0


def _bits(mask: np.ndarray) -> int:
    return int("".join("01"[int(b)] for b in mask[::-1]), 2)


@testbench(BesideJob)
async def side_by_side(dut, job, progress):
    g = Geometry(**job.geometry)
    array, rng = Array(g, MacroParams.ideal()), random.Random(job.seed)
    draws = np.random.default_rng(job.seed)
    count = dict.fromkeys(("pulses", "verified", "bits", "decisions", "different", "unknown"), 0)
    rest(dut)

    async def step(**pins: int) -> None:
        for name, value in pins.items():
            getattr(dut, name).value = value
        await Timer(PERIOD_NS, "ns")

    def column(tile: int, mask: np.ndarray) -> int:
        return _bits(mask) << tile * g.columns

    def compare(texts: str, tile: int, expected: np.ndarray, asked: np.ndarray) -> None:
        part = texts[::-1][tile * g.columns : (tile + 1) * g.columns]
        for c in range(g.columns):
            if asked[c]:
                count["different"] += part[c] != "01"[int(expected[c])]
            else:
                count["unknown"] += part[c] in "xX"

    await step()
    for number in range(job.operations):
        tile, row = rng.randrange(g.tiles), rng.randrange(g.rows)
        some = draws.random(g.columns) < 0.5
        side = ProgSide(rng.randrange(2))
        kind = rng.choice(("pulse", "pulse", "verify", "read"))
        if kind == "pulse":
            op = rng.choice(list(ProgOp))
            await step(hv_en=1)
            while str(dut.hv_ready.value) != "1":
                await step()
            place = {"row": row, "wl_en": 1 << tile, "bl": column(tile, some), "col_en": column(tile, some)}
            await step(
                **place, prog_op=int(op), prog_side=int(side), wl_level=100, prog_level=rng.randrange(256)
            )
            await step(pulse=1)
            await step(pulse=0)
            array.pulse(tile, row, some, op, side, 100, 100, 20e-9)
            count["pulses"] += 1
            await step(hv_en=0, wl_en=0)
        elif kind == "verify":
            ref, code = rng.choice(list(VerifyRef)), rng.randrange(256)
            await step(
                row=row, wl_en=1 << tile, col_en=column(tile, some), prog_side=int(side), prog_level=code
            )
            await step(verify=1, verify_ref=int(ref))
            compare(
                str(dut.sl.value), tile, array.verify(tile, row, some, side, ref, margin_factor(code)), some
            )
            count["verified"] += int(some.sum())
            await step(verify=0, wl_en=0)
        else:
            on = draws.random(g.tiles) < 0.6
            on[tile] = True
            tiles = np.flatnonzero(on).tolist()
            bl, en = draws.random((2, g.tiles, g.columns)) < 0.5
            ref = rng.randrange(-(1 << g.ref_width - 1), 1 << g.ref_width - 1)
            await step(row=row, wl_en=_bits(on), precharge=1, cmp_ref=ref)
            await step(precharge=0, evaluate=1, bl=_bits(bl.ravel()), col_en=_bits(en.ravel()))
            array.begin_read(tiles, row)
            if job.twist and number > job.operations // 2:
                array.pulse(tile, row, np.ones(g.columns, bool), ProgOp.FORM, ProgSide.P, 100, 100, 20e-9)
            await step(sense=1)
            texts, cmp, valid = str(dut.sl.value), str(dut.cmp.value)[::-1], str(dut.cmp_valid.value)[::-1]
            for t in range(g.tiles):
                if not on[t]:
                    count["unknown"] += cmp[t] in "xX"
                    continue
                compare(texts, t, array.source_lines(t, row, bl[t], en[t]), en[t])
                count["bits"] += int(en[t].sum())
                count["decisions"] += 1
                count["different"] += valid[t] != "1"
                count["different"] += cmp[t] != "01"[int(array.compare(t, row, bl[t], en[t], ref))]
            await step(sense=0, evaluate=0, wl_en=0)
            if set(str(dut.sl.value)) - set("xX"):
                count["different"] += 1
    return BesideReport(**count)


class RuleJob(Job, frozen=True, kw_only=True):
    """Cases of pins in steps of a period; the macro is built with STOP = 0."""

    cases: tuple[tuple[dict[str, int], ...], ...]


class RuleReport(Record, frozen=True, kw_only=True):
    """Whether it objected, case by case."""

    broken: tuple[bool, ...]


@testbench(RuleJob)
async def objections(dut, job, progress):
    broken = []
    for case in job.cases:
        rest(dut)
        await Timer(2 * PERIOD_NS, "ns")
        dut.failed.value = 0
        for pins in case:
            for name, value in pins.items():
                getattr(dut, name).value = value
            await Timer(PERIOD_NS, "ns")
        broken.append(str(dut.failed.value) == "1")
    return RuleReport(broken=tuple(broken))
