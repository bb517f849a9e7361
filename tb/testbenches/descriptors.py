"""Tables that INFER must refuse before any read, and their legal neighbours, which it must not.

Every value that one field can go wrong with is tried in every layer; what each table must end in is worked out by
`bridgebnn.tb.checks.descriptor_rules`. A legal table is one for which INFER then waits for its first vector.

The geometry needs two tiles and three layers at least.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from cocotb.triggers import RisingEdge

from bridgebnn.hdl.spec import Command, ErrorCode, Geometry, MapWalk
from bridgebnn.hdl.spec.latency import WALK_CHECK_CYC
from bridgebnn.hdl.spec.register_map import layout
from bridgebnn.tb.checks.descriptor_rules import FIELDS, Raw, bad_repair, edge_values, first_bad, pack
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.driver import CommandError
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import ControllerJob
from bridgebnn.tb.runs.reports import ControllerReport

__all__ = ["good_table", "tables"]

BAD_LAYER_COUNT, BAD_INFER_COUNT, BAD_REPAIR = 1, 2, 3
VALID = 1 << 31


class Misjudged(AssertionError):
    """INFER took a bad table, or refused a good one, or said something else than it must."""


def good_table(geometry: Geometry) -> list[Raw]:
    """Three layers, one of each read mode, with every field at a value of its own."""
    g, plain = geometry, geometry.rows - geometry.spare_rows
    layers: list[Raw] = [
        {"tile_first": g.tiles - 1, "tile_count": 1, "row_count": 2 * (g.tiles - 1) + 1, "cols": 1}
        | {"cols_last": g.inputs, "bias": 0, "bias_last": g.bias, "mode": 2, "combine": 0}
        | {"use_threshold": 0, "score": 0, "row_first": 1, "threshold_base": 0},
        {"tile_first": 0, "tile_count": g.tiles, "row_count": 5, "cols": 2, "cols_last": 1, "bias": g.bias}
        | {"bias_last": 0, "mode": 0, "combine": 1, "use_threshold": 1, "score": 0, "row_first": plain - 5}
        | {"threshold_base": g.thresholds - 5},
        {"tile_first": g.tiles - 2, "tile_count": 2, "row_count": 4, "cols": 3, "cols_last": 2, "bias": 0}
        | {"bias_last": 0, "mode": 1, "combine": 0, "use_threshold": 1, "score": 1, "row_first": plain - 4}
        | {"threshold_base": g.thresholds - 4},
    ]
    if first_bad(layers, g) is not None:
        raise ValueError(f"{g}: too small for the three layers of this test")
    return layers


def one_field_at_a_time(good: Sequence[Raw]) -> Iterator[list[Raw]]:
    """The good table with one field at each edge value, and with each of its bits the other way."""
    for index, raw in enumerate(good):
        for name, (_, _, width) in FIELDS.items():
            flipped = (raw[name] ^ 1 << bit for bit in range(width))
            for value in sorted({*edge_values(name), *flipped} - {raw[name]}):
                yield [*good[:index], raw | {name: value}, *good[index + 1 :]]


def random_tables(good: Sequence[Raw], geometry: Geometry, rng: random.Random) -> Iterator[list[Raw]]:
    """Two fields of the good table somewhere around their limits."""
    g = geometry
    limits = {"tile_first": g.tiles, "tile_count": g.tiles, "row_first": g.rows, "row_count": g.rows}
    limits |= {"cols": g.inputs, "cols_last": g.inputs, "bias": g.bias, "bias_last": g.bias}
    limits |= {"threshold_base": g.thresholds}
    for _ in range(60):
        table = [dict(raw) for raw in good]
        for _ in range(2):
            name = rng.choice(list(limits))
            rng.choice(table)[name] = rng.randint(max(0, limits[name] - 3), limits[name] + 2)
        yield table


class Judge:
    """Sends tables, and compares how INFER ends."""

    def __init__(self, env: Env):
        self.env, self.host, self.bus = env, env.host, env.bus
        self.refused = self.taken = self.reads = 0
        self._sent: dict[tuple[str, int], int] = {}

    async def watch(self) -> None:
        """Count the reads on the pins: there must be none."""
        while True:
            await RisingEdge(self.env.dut.precharge)
            self.reads += 1

    async def send(self, window: str, values: Sequence[int]) -> None:
        """Write those words of a window that differ from what was sent last."""
        for word, value in enumerate(values):
            if self._sent.get((window, word)) != value:
                await self.bus.write(window, value, word)
                self._sent[window, word] = value

    async def send_table(self, table: Sequence[Raw]) -> None:
        """Write descriptors and LAYER_COUNT."""
        await self.send("DESCRIPTOR", [word for raw in table for word in pack(raw)])
        await self.bus.set("LAYER_COUNT", layers=len(table))

    async def infer(self, expected: tuple[ErrorCode, int] | None, what: Any) -> None:
        """INFER must end in this error and detail; None: it must wait for a vector."""
        if expected is None:
            await self._waits(what)
            self.taken += 1
        else:
            try:
                await self.host.run(Command.INFER)
            except CommandError as error:
                if (error.code, error.detail) != expected:
                    raise Misjudged(f"{what}: ended in {error}, not in {expected}") from None
            else:
                raise Misjudged(f"{what}: ended in DONE, not in {expected}")
            self.refused += 1
        for name in ("PERF_ROWS", "PERF_READ", "PERF_BUSY"):
            if count := await self.bus.read(name):
                raise Misjudged(f"{what}: {name} is {count} without a vector")
        if self.reads:
            raise Misjudged(f"{what}: a row was read")

    async def _waits(self, what: Any) -> None:
        await self.host.start(Command.INFER)
        # section 6 and 10: a tile per cycle and two per layer, one for each spare; a few for the start
        g = self.env.geometry
        walk = WALK_CHECK_CYC if g.map_words else 0
        await self.host.cycles(g.layers * (g.tiles + 2 + walk) + g.repair_entries + 8)
        status, error = await self.host.status(), await self.bus.fields("ERROR")
        if not status["busy"]:
            raise Misjudged(f"{what}: legal, yet it ended in {error}")
        await self.host.start(Command.ABORT)
        await self.host.cycles(4)
        status, error = await self.host.status(), await self.bus.fields("ERROR")
        if not status["error"] or error != {"code": ErrorCode.ABORTED, "detail": 0}:
            raise Misjudged(f"{what}: aborted, and ended in {status}, {error}")


async def descriptors(judge: Judge, geometry: Geometry, rng: random.Random) -> None:
    """Every bad descriptor is named by its index."""
    good = good_table(geometry)
    await judge.send_table(good)
    await judge.infer(None, "the good table")
    for table in (*one_field_at_a_time(good), *random_tables(good, geometry, rng)):
        bad = first_bad(table, geometry)
        await judge.send_table(table)
        await judge.infer(None if bad is None else (ErrorCode.BAD_DESCRIPTOR, bad), table)
    await judge.send_table(good)


def good_walks(geometry: Geometry) -> tuple[list[Raw], list[dict[str, int]]]:
    """Two convolutions and a layer over the whole map that they leave, and their descriptors."""
    walks = [
        MapWalk.convolution(width=4, height=4, channels=4, kernel=2),
        MapWalk.convolution(width=3, height=3, channels=3, kernel=1),
        MapWalk.flat(18),
    ]
    plain = good_table(geometry)[0] | {"tile_count": 1, "tile_first": 0}
    table = [
        plain | {"row_count": rows, "cols_last": walk.window_bits, "bias_last": 0, "row_first": 0}
        for walk, rows in zip(walks, (3, 2, 4), strict=True)
    ]
    window = layout("WALK")
    fields = [dict(window.unpack(walk.words())) for walk in walks]
    if first_bad(table, geometry, fields) is not None:
        raise ValueError(f"{geometry}: too small for the walks of this test")
    return table, fields


async def walks(judge: Judge, geometry: Geometry, rng: random.Random) -> None:
    """One field of a walk at each edge value, and with each of its bits the other way; two near each other."""
    window = layout("WALK")
    table, good = good_walks(geometry)

    async def judged(fields: Sequence[dict[str, int]]) -> None:
        await judge.send("WALK", [word for raw in fields for word in window.pack(**raw)])
        bad = first_bad(table, geometry, fields)
        await judge.infer(None if bad is None else (ErrorCode.BAD_DESCRIPTOR, bad), fields)

    await judge.send_table(table)
    await judged(good)
    names = [name for name in window.fields if name != "reserved"]
    widths = {name: window.fields[name][1].width for name in names}
    for index, raw in enumerate(good):
        for name in names:
            flipped = (raw[name] ^ 1 << bit for bit in range(widths[name]))
            for value in sorted({0, 1, (1 << widths[name]) - 1, *flipped} - {raw[name]}):
                await judged([*good[:index], raw | {name: value}, *good[index + 1 :]])
    for _ in range(60):
        fields = [dict(raw) for raw in good]
        for _ in range(2):
            raw, name = rng.choice(fields), rng.choice(names)
            raw[name] = max(0, min((1 << widths[name]) - 1, raw[name] + rng.choice((-1, 1))))
        await judged(fields)
    await judge.send("WALK", [0] * len(window.layout) * len(good))


async def counts(judge: Judge, geometry: Geometry) -> None:
    """LAYER_COUNT outside of 1..layers, INFER_COUNT of 0."""
    good = good_table(geometry)
    await judge.send_table(good)
    values = {0, 1, 2, 3, geometry.layers, geometry.layers + 1, 0xFF, *(1 << bit for bit in range(8))}
    for layers in sorted(values):
        await judge.bus.set("LAYER_COUNT", layers=layers)
        expected: tuple[ErrorCode, int] | None = None
        if not 1 <= layers <= geometry.layers:
            expected = ErrorCode.BAD_SETTING, BAD_LAYER_COUNT
        elif layers > len(good):
            continue  # descriptors that this test did not write
        elif (bad := first_bad(good[:layers], geometry)) is not None:
            expected = ErrorCode.BAD_DESCRIPTOR, bad
        await judge.infer(expected, f"LAYER_COUNT {layers}")
    await judge.bus.set("LAYER_COUNT", layers=len(good))
    for vectors in (0, *(1 << bit for bit in range(32)), 0xFFFF_FFFF):
        await judge.bus.write("INFER_COUNT", vectors)
        expected = None if vectors else (ErrorCode.BAD_SETTING, BAD_INFER_COUNT)
        await judge.infer(expected, f"INFER_COUNT {vectors}")
    await judge.bus.write("INFER_COUNT", 1)


def repair_tables(geometry: Geometry) -> Iterator[tuple[list[int], list[int]]]:
    """Words of both repair windows: one entry at each edge value, and every pair of entries on one line."""
    g = geometry
    columns, rows = g.tiles * g.spare_columns, g.spare_rows
    plain = [g.inputs + g.bias] * columns + [g.rows - g.spare_rows] * rows

    def of(entries: dict[int, int]) -> tuple[list[int], list[int]]:
        words = [entries.get(index, 0) for index in range(columns + rows)]
        return words[:columns], words[columns:]

    for index, limit in enumerate(plain):
        lines = {0, limit - 1, limit, 0xFFFF, *(1 << bit for bit in range(16))}
        for line in sorted(lines):
            yield of({index: VALID | line})
        yield of({index: 0xFFFF})
        yield of({index: VALID | 0x7FFF_0000})  # reserved bits
        for other in range(index):
            for line in {1, min(limit, plain[other]) - 1}:
                yield of({index: VALID | line, other: VALID | line})
                yield of({index: VALID | line, other: line})
            yield of({index: VALID | limit, other: VALID | plain[other]})


async def repairs(judge: Judge, geometry: Geometry) -> None:
    """Every bad entry of the repair table is named; descriptors are judged first."""
    good = good_table(geometry)
    await judge.send_table(good)
    for columns, rows in repair_tables(geometry):
        await judge.send("REPAIR_COLUMN", columns)
        await judge.send("REPAIR_ROW", rows)
        bad = bad_repair(columns, rows, geometry)
        expected = None if bad is None else (ErrorCode.BAD_SETTING, BAD_REPAIR | bad << 8)
        await judge.infer(expected, f"repairs {[hex(word) for word in (*columns, *rows)]}")
    if geometry.repair_entries:
        await judge.send_table([*good[:2], good[2] | {"mode": 3}])
        await judge.infer((ErrorCode.BAD_DESCRIPTOR, 2), "a bad descriptor and a bad repair entry")


@testbench(ControllerJob)
async def tables(dut: Any, job: ControllerJob, progress: Progress) -> ControllerReport:
    """Descriptors, walks, counts, repair entries."""
    env = Env(dut, job.geometry, None, attach="none", sim=job.sim, limit_cyc=2_000)
    judge, rng = Judge(env), random.Random(job.seed)

    async def main() -> None:
        await env.start()
        env.spawn(judge.watch())
        await descriptors(judge, job.geometry, rng)
        if job.geometry.map_words:
            await walks(judge, job.geometry, rng)
        await counts(judge, job.geometry)
        await repairs(judge, job.geometry)

    await env.run(main())
    return ControllerReport(sim=job.sim, compared={"refused": judge.refused, "taken": judge.taken})
