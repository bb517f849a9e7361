"""The program sequencer against the algorithm in plain Python, event by event and cycle by cycle."""

import dataclasses
import random

import pytest

from hdl.config import Command, ErrorCode, Geometry, ProgOp, ProgSide, PulseConditions, Timing
from hdl.program_sequencer import ProgramSequencer
from tests.hdl.program_bench import Bench
from tests.hdl.program_row import HRS, LRS, NEVER, PRISTINE, Row

SMALL = Geometry(tiles=2, rows=5, inputs=5, bias=0)
TWO_WORDS = Geometry(tiles=3, rows=40, inputs=40, bias=4)
FULL_WORDS = Geometry(tiles=1, rows=1, inputs=64, bias=0)
WIDE = Geometry(tiles=1, rows=8, inputs=100, bias=10)


def conditions(width_cyc=2, attempts=4, start=100, step=7, limit=115) -> PulseConditions:
    return PulseConditions(
        width_cyc=width_cyc,
        attempts=attempts,
        prog_start=start,
        prog_step=step,
        prog_limit=limit,
        wl_start=start - 50,
        wl_step=step + 1,
        wl_limit=max(0, limit - 90),
    )


TIMING = Timing(
    wl_setup_cyc=2,
    verify_cyc=3,
    rail_settle_cyc=4,
    rail_limit_cyc=30,
    max_parallel=5,
    form=conditions(width_cyc=3),
    set=conditions(width_cyc=2, start=120, step=50, limit=255),
    reset=conditions(width_cyc=1, start=200, step=30, limit=150),
)


def with_parallel(columns: int, timing: Timing = TIMING) -> Timing:
    return dataclasses.replace(timing, max_parallel=columns)


def pattern(rng: random.Random, columns: int) -> int:
    return rng.getrandbits(columns)


@pytest.mark.parametrize("geometry", [SMALL, TWO_WORDS, FULL_WORDS, WIDE], ids=lambda g: f"C{g.columns}")
def test_random_rows_match_reference(geometry):
    rng = random.Random(geometry.columns)
    timings = [with_parallel(n) for n in (1, 5, 32, 33, geometry.columns, geometry.columns + 1, 65535)]

    async def scenario(bench):
        for n, timing in enumerate(timings):
            bench.timing, bench.address = (
                timing,
                (rng.randrange(geometry.tiles), rng.randrange(geometry.rows)),
            )
            bench.ready_cyc = rng.randrange(4)
            await bench.configure()
            bench.row = Row.random(geometry.columns, rng, never=0.05 if n % 2 else 0.0)
            await bench.compare(
                Command.PROGRAM_ROW, pattern(rng, geometry.columns), pattern(rng, geometry.columns)
            )

    Bench(geometry, timings[0]).run(scenario)
