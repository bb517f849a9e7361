"""Reads on the pins, cycle by cycle, beside the course that docs/architecture.md gives.

Random tables of raw descriptors run over random weights, with every spare in use or none. A macro that answers only
when it must (and wrongly before) stands on the bare pins; `bridgebnn.tb.checks.read_trace` says what each cycle shows.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cocotb.triggers import FallingEdge, RisingEdge
from cocotb.utils import get_sim_time

from bridgebnn.hdl.spec import Command, ErrorCode, Geometry
from bridgebnn.tb.agents.exact_macro import ExactMacro
from bridgebnn.tb.checks.descriptor_rules import COUNT, SEARCH, SIGN, Raw, pack
from bridgebnn.tb.checks.read_trace import GAP_CYC, Chip, Cycle, Phases, Vector, run_vector
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.driver import CommandError
from bridgebnn.tb.pins import Pin
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import ControllerJob
from bridgebnn.tb.runs.reports import ControllerReport

__all__ = ["Differs", "reads", "strobes_are_low"]

EARLY_CYC = 200
"""INFER begins to read a vector that waits for it within so many cycles."""
STROBES = ("precharge", "evaluate", "sense", "wl_en", "bl", "col_en")


class Differs(AssertionError):
    """The pins, or a result, are not what the specification says."""


def strobes_are_low(dut: Any, end: str) -> None:
    """Or `Differs`, after ``end`` of a command."""
    for name in STROBES:
        if Pin(getattr(dut, name)).int():
            raise Differs(f"{name} is not 0 after {end}")


@dataclass
class Bench:
    """The host's side, and the comparison."""

    env: Env
    macro: ExactMacro
    rng: random.Random
    cycles: int = 0
    vectors: int = 0
    timeouts: int = 0
    aborts: int = 0

    async def load(self, chip: Chip, table: Sequence[Raw]) -> None:
        """Thresholds, spares and descriptors."""
        bus = self.env.bus
        self.macro.load(chip)
        await bus.write_burst("THRESHOLD", [value & 0xFFFF for value in chip.thresholds])
        columns, rows = chip.repair_words()
        if columns:
            await bus.write_burst("REPAIR_COLUMN", columns)
        if rows:
            await bus.write_burst("REPAIR_ROW", rows)
        await self.table(table)

    async def table(self, table: Sequence[Raw]) -> None:
        """Descriptors alone."""
        await self.env.bus.write_burst("DESCRIPTOR", [word for raw in table for word in pack(raw)])
        await self.env.bus.set("LAYER_COUNT", layers=len(table))

    async def timing(self, precharge: int, evaluate: int, sense: int, limit: int = 0) -> Phases:
        """Write the registers; how long the phases then are."""
        bus = self.env.bus
        await bus.set("TIMING_READ", precharge_cyc=precharge, evaluate_cyc=evaluate, sense_cyc=sense)
        await bus.set("TIMING_RESOLVE", resolve_limit_cyc=limit)
        self.macro.phases = Phases.of_register(precharge, evaluate, sense)
        return self.macro.phases

    async def push(self, d: Raw, bits: Sequence[int]) -> None:
        """Write a vector for the first layer ``d``, each tile's slice from bit 0, and hand it over."""
        words = self.env.geometry.row_words
        for k in range(d["tile_count"]):
            end = (k + 1) * d["cols"] if k < d["tile_count"] - 1 else len(bits)
            value = sum(bit << i for i, bit in enumerate(bits[k * d["cols"] : end]))
            for word in range(words):
                await self.env.bus.write("INPUT", value >> 32 * word & 0xFFFF_FFFF, k * words + word)
        await self.env.bus.write("INPUT_PUSH")

    async def run(
        self,
        chip: Chip,
        table: Sequence[Raw],
        late: Sequence[int] = (0,),
        vectors: int = 2,
        pushed: Sequence[int] | None = None,
    ) -> None:
        """Vectors that wait before INFER starts; their whole course on the pins, their results, the counters.

        ``pushed``: the one vector that is there already.
        """
        bus, macro, d = self.env.bus, self.macro, table[0]
        inputs = d["cols"] * (d["tile_count"] - 1) + d["cols_last"]
        sent = [[self.rng.getrandbits(1) for _ in range(inputs)] for _ in range(vectors)]
        if pushed is not None:
            sent, vectors = [list(pushed)], 1
        macro.late, turn = late, 0
        found: list[Cycle | None] = []
        wanted: list[Vector] = []
        for bits in sent:
            if pushed is None:
                await self.push(d, bits)
            course = run_vector(chip, table, bits, macro.phases, [*late[turn:], *late[:turn]])
            turn = (turn + course.comparisons) % len(late)
            # Section 5: the next vector is loaded beside the last layer; what outlasts that is not hidden.
            load = self.env.geometry.row_words * d["tile_count"]
            gap = GAP_CYC + max(0, load - len(wanted[-1].layers[-1])) if wanted else 0
            found += [None] * gap + course.trace()
            wanted.append(course)
        macro.begin()
        await bus.write("INFER_COUNT", vectors)
        await self.env.host.run(Command.INFER)
        self._compare(found)
        await self._results(table[-1], wanted)
        active = sum(cycle is not None for cycle in found)
        rows = vectors * sum(raw["row_count"] for raw in table)
        busy = active + GAP_CYC * len(table) * vectors
        for name, value in (("PERF_ROWS", rows), ("PERF_READ", active), ("PERF_BUSY", busy)):
            if (count := await bus.read(name)) != value:
                raise Differs(f"{name} is {count}, not {value}, for {table}")
        self.cycles += active
        self.vectors += vectors

    def _compare(self, wanted: Sequence[Cycle | None]) -> None:
        seen = self.macro.trace[: len(wanted)]
        after = self.macro.trace[len(wanted) :]
        for number, (got, want) in enumerate(zip(seen, wanted, strict=False)):
            if got != want:
                raise Differs(f"cycle {number} of the reads shows {got}, not {want}")
        if len(seen) != len(wanted) or any(after):
            raise Differs(f"{len(self.macro.trace)} cycles of reads, not {len(wanted)}")

    async def _results(self, last: Raw, wanted: Sequence[Any]) -> None:
        bus, n = self.env.bus, last["row_count"]
        for index, course in enumerate(wanted):
            bits = [await bus.read("RESULT_BITS", word) for word in range(-(-n // 32))]
            want = sum(bit << i for i, bit in enumerate(course.bits))
            got = sum(word << 32 * i for i, word in enumerate(bits))
            label = course.scores.index(max(course.scores)) if last["score"] else 0
            checks: list[tuple[str, Any, Any]] = [
                ("bits", got, want),
                ("index", await bus.read("RESULT_INDEX"), index),
            ]
            checks += [("class", await bus.read("RESULT_CLASS"), label)]
            if last["score"]:
                scores = await bus.read_burst("SCORES", n)
                checks += [("scores", scores, [score & 0xFFFF_FFFF for score in course.scores])]
            for name, value, expected in checks:
                if value != expected:
                    raise Differs(f"{name} of vector {index}: {value}, not {expected}")
            await bus.write("RESULT_POP")

    async def times_out(self, d: Raw, line: int, tile: int) -> None:
        """One vector of a layer ends in COMPARATOR_TIMEOUT with this word line and tile; pins low at once."""
        await self.push(d, [1] * (d["cols"] * (d["tile_count"] - 1) + d["cols_last"]))
        await self.env.bus.write("INFER_COUNT", 1)
        try:
            await self.env.host.run(Command.INFER)
        except CommandError as error:
            if (error.code, error.detail) != (ErrorCode.COMPARATOR_TIMEOUT, tile << 16 | line):
                raise Differs(f"{error}: not word line {line}, tile {tile}, for {d}") from None
        else:
            raise Differs(f"DONE, though tile {tile} never answers on word line {line}")
        strobes_are_low(self.env.dut, "the timeout")
        self.timeouts += 1


def random_table(g: Geometry, rng: random.Random, modes: Sequence[int], wide: bool) -> list[Raw]:
    """Layers of these modes anywhere on the chip; with ``wide``, the first one over slices of several words."""
    table: list[Raw] = []
    after = 0
    for index in reversed(range(len(modes))):
        mode, first, last = modes[index], index == 0, index == len(modes) - 1
        count = rng.randint(1, g.tiles)
        most = g.inputs if first and wide else 5
        least = g.inputs - 1 if first and wide else 1
        d = {"tile_count": count, "cols": rng.randint(least, most), "cols_last": rng.randint(least, most)}
        d |= {
            "tile_first": rng.randint(0, g.tiles - count),
            "row_count": rng.randint(1, 6) if last else after,
        }
        d |= {"row_first": rng.randint(0, g.rows - g.spare_rows - d["row_count"])}
        d |= {"bias": rng.randint(0, g.bias), "bias_last": rng.randint(0, g.bias), "mode": mode}
        d |= {
            "combine": int(mode == SIGN and (count > 1 or rng.random() < 0.5)),
            "use_threshold": rng.randint(0, 1),
        }
        d |= {
            "threshold_base": rng.randint(0, g.thresholds - d["row_count"]),
            "score": int(last and rng.random() < 0.8),
        }
        table.insert(0, d)
        after = d["cols"] * (count - 1) + d["cols_last"]
    return table


async def networks(b: Bench, chips: Sequence[Chip]) -> None:
    """Three layers, every mode in every place, on a sound and on a repaired chip; all phases short."""
    for number, first in enumerate((SIGN, SEARCH, COUNT, SIGN, SEARCH, COUNT)):
        modes = [(first + step * (1 + number // 3)) % 3 for step in range(3)]
        for chip in chips:
            precharge, evaluate, sense = (b.rng.randint(1, 2) for _ in range(3))
            await b.timing(precharge, evaluate, sense, limit=4)
            table = random_table(b.env.geometry, b.rng, modes, wide=number % 2 == 0)
            await b.load(chip, table)
            await b.run(chip, table, late=[b.rng.choice((0, 0, 0, 1, 4)) for _ in range(7)])


async def lengths(b: Bench, chip: Chip) -> None:
    """Exact phases for every power of two of each register field; 0 acts as 1."""
    g, bits = b.env.geometry, [0, *(1 << bit for bit in range(8)), 0xFF]
    base = {"tile_first": 0, "tile_count": 1, "row_first": 3, "row_count": 1, "cols": 4, "cols_last": 4}
    base |= {"bias": 0, "bias_last": 1, "threshold_base": 0, "combine": 0, "use_threshold": 1, "score": 1}
    await b.load(chip, [base | {"mode": SIGN}])
    for place in range(3):
        for value in bits:
            fields = [0, 0, 0]
            fields[place] = value
            await b.timing(*fields)
            await b.run(chip, [base | {"mode": SIGN}], vectors=1)
    for value in (0, 2, 9):
        await b.timing(value, value, 0)
        for mode in (COUNT, SEARCH):
            table = [base | {"mode": mode, "row_first": g.rows - g.spare_rows - 2, "row_count": 2}]
            await b.table(table)
            await b.run(chip, table)


async def late_answers(b: Bench, chip: Chip) -> None:
    """An answer in the last cycle allowed is taken, one later is a timeout; a limit of 0 acts as 1."""
    g = b.env.geometry
    d = {"tile_first": 0, "tile_count": g.tiles, "row_first": 0, "row_count": 2, "cols": 3, "cols_last": 2}
    d |= {
        "bias": 1,
        "bias_last": 0,
        "threshold_base": 0,
        "combine": 1,
        "use_threshold": 0,
        "score": 1,
        "mode": SIGN,
    }
    await b.load(chip, [d])
    for limit in (0, 1, 2, 3, 8):
        most = max(1, limit)
        await b.timing(1, 2, 2, limit)
        for late in {1, most}:
            await b.run(chip, [d], late=(late, 0), vectors=1)
        b.macro.late, b.macro.deaf, b.macro.deaf_rows = (0,), 1, frozenset([chip.word_line(1)])
        await b.times_out(d, chip.word_line(1), 0)
        b.macro.deaf_rows = frozenset()


async def patience(b: Bench) -> None:
    """Every bit of the limit: ``sense`` lasts S cycles and the limit, then the command ends."""
    g, dut = b.env.geometry, b.env.dut
    d = {
        "tile_first": 0,
        "tile_count": 1,
        "row_first": 0,
        "row_count": 1,
        "cols": 1,
        "cols_last": 1,
        "bias": 0,
    }
    d |= {"bias_last": 0, "threshold_base": 0, "combine": 0, "use_threshold": 0, "score": 0, "mode": SIGN}
    await b.table([d])
    valid = Pin(dut.cmp_valid)
    for limit in (1 << bit for bit in range(16)):
        phases = await b.timing(1, 1, 3, limit)
        valid.set((1 << g.tiles) - 2)
        await b.push(d, [1])
        await b.env.bus.write("INFER_COUNT", 1)
        await b.env.host.enable_interrupts(error=1)
        await b.env.host.start(Command.INFER)
        await RisingEdge(dut.sense)
        begin = get_sim_time("ns")
        await FallingEdge(dut.sense)
        cycles = round((get_sim_time("ns") - begin) / b.env.period_ns)
        if cycles != phases.sense + limit:
            raise Differs(f"sense lasted {cycles} cycles with a limit of {limit}")
        await b.env.host.interrupt()
        b.timeouts += 1


async def who_does_not_answer(b: Bench, chip: Chip) -> None:
    """The detail of COMPARATOR_TIMEOUT: word line and first unresolved tile of those that are read."""
    g = b.env.geometry
    plain = g.rows - g.spare_rows
    every = (1 << g.tiles) - 1
    lines = {0, plain - 1, *(1 << bit for bit in range(plain.bit_length() - 1)), *chip.rows}
    base = {
        "bias": 0,
        "bias_last": 0,
        "threshold_base": 0,
        "use_threshold": 0,
        "score": 0,
        "cols": 2,
        "cols_last": 1,
    }
    await b.load(chip, [])
    await b.timing(1, 1, 1, 2)
    b.macro.late = (0,)
    for row in sorted(lines):
        first = b.rng.randrange(g.tiles - 1)
        count = b.rng.randint(2, g.tiles - first)
        used = [first + k for k in range(count)]
        for mode in (SIGN, SEARCH):
            d = base | {"tile_first": first, "tile_count": count, "mode": mode, "combine": int(mode == SIGN)}
            d |= {
                "row_first": (start := max(0, row - b.rng.randrange(3))),
                "row_count": min(4, plain - start),
            }
            await b.table([d])
            for tile in used:
                # This one and any after it, and any that are not read.
                later = sum(1 << t for t in range(g.tiles) if t > tile and b.rng.getrandbits(1))
                b.macro.deaf = 1 << tile | later | every & ~sum(1 << t for t in used)
                b.macro.deaf_rows = frozenset([chip.word_line(row)])
                await b.times_out(d, chip.word_line(row), tile)
    b.macro.deaf_rows = frozenset()


async def narrow(b: Bench, chip: Chip) -> None:
    """SEARCH over 1, 2, 3, ... columns of a tile: the first trial is the highest power of two in C_en."""
    g = b.env.geometry
    await b.timing(1, 1, 1, limit=4)
    base = {"tile_first": 0, "tile_count": 2, "row_first": 1, "row_count": 3, "bias": 0, "bias_last": 0}
    base |= {"threshold_base": 0, "combine": 0, "use_threshold": 1, "score": 1, "mode": SEARCH}
    await b.load(chip, [])
    for columns in sorted({1, 2, 3, *(1 << bit for bit in range(g.inputs.bit_length())), g.inputs}):
        table = [base | {"cols": columns, "cols_last": max(1, columns - 1)}]
        await b.table(table)
        await b.run(chip, table)


async def extremes(b: Bench, chips: Sequence[Chip]) -> None:
    """Counts of inputs that all match, and of none: every slice of every tile full, then empty."""
    g = b.env.geometry
    base = {"tile_first": 0, "tile_count": g.tiles, "row_count": 1, "cols": g.inputs, "cols_last": g.inputs}
    base |= {"bias": 0, "bias_last": 0, "threshold_base": 0, "combine": 0, "use_threshold": 0, "score": 1}
    await b.timing(1, 1, 1)
    for chip in chips:
        await b.load(chip, [])
        for row in {0, *chip.rows}:
            table = [base | {"mode": COUNT, "row_first": row}]
            wanted = [
                chip.weights[tile][row] >> bit & 1 for tile in range(g.tiles) for bit in range(g.inputs)
            ]
            await b.table(table)
            for bits in (wanted, [1 - bit for bit in wanted]):
                await b.push(table[0], bits)
                await b.run(chip, table, pushed=bits)


async def spare_columns(b: Bench, chip: Chip) -> None:
    """Spares stand in for columns by every bit of the column's number, in every tile; each spare has every turn."""
    g = b.env.geometry
    plain = g.inputs + g.bias
    lines = sorted({0, plain - 1, *(1 << bit for bit in range((plain - 1).bit_length()))})
    d = {"tile_first": 0, "tile_count": g.tiles, "row_first": 0, "row_count": 1, "mode": COUNT}
    d |= {"cols": g.inputs, "cols_last": g.inputs, "bias": g.bias, "bias_last": g.bias, "combine": 0}
    d |= {"threshold_base": 0, "use_threshold": 0, "score": 1}
    await b.timing(1, 1, 1)
    for turn in range(len(lines)):
        columns = {
            (tile, lines[(turn + tile + spare) % len(lines)]): spare
            for tile in range(g.tiles)
            for spare in range(g.spare_columns)
        }
        repaired = dataclasses.replace(chip, columns=columns)
        await b.load(repaired, [d])
        for _ in range(2):
            await b.run(repaired, [d])


async def aborts(b: Bench, chip: Chip) -> None:
    """ABORT in every cycle of a vector: the pins fall, and the next vector runs as if it were the first."""
    g, bus, host = b.env.geometry, b.env.bus, b.env.host
    base = {"tile_first": 0, "tile_count": 1, "row_first": 0, "row_count": 3, "cols": 2, "cols_last": 3}
    base |= {"bias": 0, "bias_last": 1, "threshold_base": 0, "combine": 0, "use_threshold": 1, "score": 0}
    last = {
        "tile_first": g.tiles - 2,
        "tile_count": 2,
        "row_first": 2,
        "row_count": 5,
        "cols": 2,
        "cols_last": 1,
    }
    table = [base | {"mode": SEARCH}, base | last | {"mode": COUNT, "score": 1}]
    phases = await b.timing(1, 2, 1, limit=4)
    await b.load(chip, table)
    precharge = Pin(b.env.dut.precharge)
    bits = [1, 0, 1]
    for wait in range(len(run_vector(chip, table, bits, phases, (0,)).trace()) + 4):
        b.macro.late = (0,)
        b.macro.begin()
        await b.push(table[0], bits)
        await bus.write("INFER_COUNT", 1)
        await host.start(Command.INFER)
        if not precharge.int():
            await RisingEdge(b.env.dut.precharge)
        await host.cycles(wait)
        await host.start(Command.ABORT)
        while (status := await host.status())["busy"]:
            pass
        strobes_are_low(b.env.dut, f"an abort in cycle {wait} of a vector")
        if status["result_valid"]:  # the vector was through
            await bus.write("RESULT_POP")
        await b.run(chip, table, vectors=1)
        b.aborts += 1


async def early_aborts(b: Bench, chip: Chip) -> None:
    """ABORT in every cycle before the first read: no read comes, and the vector stays until an INFER takes it."""
    env, host = b.env, b.env.host
    g = env.geometry
    most = min(g.scores, g.rows - g.spare_rows, g.thresholds)
    base = {"row_first": 0, "bias": 0, "bias_last": 1, "threshold_base": 0, "combine": 0, "use_threshold": 1}
    table = [
        base
        | {
            "tile_first": 0,
            "tile_count": 2,
            "row_count": 3,
            "cols": 2,
            "cols_last": 3,
            "mode": SEARCH,
            "score": 0,
        },
        base
        | {
            "tile_first": 1,
            "tile_count": 1,
            "row_count": most,
            "cols": 1,
            "cols_last": 3,
            "mode": COUNT,
            "score": 1,
        },
    ]
    await b.timing(1, 2, 1, limit=4)
    await b.load(chip, table)
    bits = [1, 0, 1, 1, 0]
    await b.push(table[0], bits)
    await env.bus.write("INFER_COUNT", 1)
    for wait in range(EARLY_CYC):
        b.macro.late = (0,)
        b.macro.begin()
        await host.start(Command.INFER)
        await host.cycles(wait)
        await host.start(Command.ABORT)
        while (await host.status())["busy"]:
            pass
        error = await env.bus.fields("ERROR")
        if error != {"code": ErrorCode.ABORTED, "detail": 0}:
            raise Differs(f"an abort {wait} cycles after INFER ended in {error}")
        b.aborts += 1
        if any(b.macro.trace):  # the vector was under way, and is dropped
            break
    else:
        raise Differs(f"no read within {EARLY_CYC} cycles of INFER")
    await b.push(table[0], bits)
    for again in range(2):  # an INFER that is aborted at once, and one that runs
        if again:
            await b.run(chip, table, pushed=bits)
        else:
            await host.start(Command.INFER)
            await host.start(Command.ABORT)
            while (await host.status())["busy"]:
                pass


@testbench(ControllerJob)
async def reads(dut: Any, job: ControllerJob, progress: Progress) -> ControllerReport:
    """Aborts, networks, lengths, counts of all and none, spares of every line, late answers, timeouts."""
    rng = random.Random(job.seed)
    env = Env(dut, job.geometry, None, attach="none", sim=job.sim, seed=job.seed, limit_cyc=100_000)
    macro = ExactMacro(env, rng)
    bench = Bench(env, macro, rng)
    chips = [Chip.random(job.geometry, rng, repaired=repaired) for repaired in (False, True)]

    async def main() -> None:
        await env.start()
        await patience(bench)
        env.spawn(macro.run())
        parts = [narrow(bench, chips[0]), early_aborts(bench, chips[0]), aborts(bench, chips[0])]
        parts += [networks(bench, chips), lengths(bench, chips[0])]
        parts += [extremes(bench, chips), spare_columns(bench, chips[0])]
        for chip in chips:
            parts += [late_answers(bench, chip), who_does_not_answer(bench, chip)]
            parts.append(networks(bench, [chip]))  # the chip works on
        for done, part in enumerate(parts):
            progress("parts", done, len(parts))
            await part

    await env.run(main())
    seen = {
        "cycles": bench.cycles,
        "vectors": bench.vectors,
        "timeouts": bench.timeouts,
        "aborts": bench.aborts,
    }
    return ControllerReport(sim=job.sim, compared=seen)
