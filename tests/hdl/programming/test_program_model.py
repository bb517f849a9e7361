"""The program sequencer on modelled devices: pulses, verifies, cycles and states of the model alone."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import Command, Geometry, ProgOp, ProgSide, Timing, margin_factor
from bridgebnn.model.devices.device import DeviceArray, DeviceParams, Stuck
from bridgebnn.model.flows.programming import program_row, refresh_row
from tests.hdl.programming.program_bench import Bench

GEOMETRY = Geometry(tiles=2, rows=3, inputs=64, bias=6)
C, PLACE = GEOMETRY.columns, (1, 2)


def number(bits) -> int:
    return sum(1 << int(c) for c in np.flatnonzero(bits))


def flags(value: int) -> np.ndarray:
    return np.array([value >> c & 1 for c in range(C)], bool)


class DeviceRow:
    """One row of a `DeviceArray` behind the pins of a bench."""

    columns = C

    def __init__(self, bench: Bench, devices: DeviceArray):
        self.bench, self.devices = bench, devices

    def pulse(self, op: ProgOp, side: ProgSide, select: int) -> None:
        kind, seen_op, seen_side, wl, prog, columns, width_cyc = self.bench.events[-1]
        assert (kind, seen_op, seen_side, columns) == ("pulse", op, side, select)
        width_s = width_cyc * self.bench.timing.clock_s
        self.devices.pulse(*PLACE, flags(select), op, side, wl, prog, width_s)

    def answers(self, side, ref, margin: int = 0) -> int:
        return number(self.devices.verify(*PLACE, np.ones(C, bool), side, ref, margin_factor(margin)))

    def weights(self) -> int:
        ohm = self.devices.resistance_ohm[PLACE]
        return number(ohm[:, 0] <= ohm[:, 1])


@pytest.mark.parametrize("max_parallel", [7, 128])
@pytest.mark.parametrize("chip", [1, 2])
def test_same_as_the_model(chip, max_parallel):
    timing = dataclasses.replace(Timing(), max_parallel=max_parallel, rail_settle_cyc=2)
    driven, alone = (DeviceArray(GEOMETRY, DeviceParams.real(), chip) for _ in range(2))
    for devices in (driven, alone):
        devices.stick(*PLACE, [5, 69], ProgSide.P, Stuck.LRS)
        devices.stick(*PLACE, [6, 40], ProgSide.N, Stuck.UNFORMED)
    rng = np.random.default_rng(chip)
    images = rng.integers(0, 2, (2, C)).astype(bool)
    masks = np.stack([np.ones(C, bool), rng.integers(0, 2, C).astype(bool)])
    fresh, refreshed = [], []

    async def same(bench, command, image, mask):
        await bench.fill(number(image), number(mask))
        seen = await bench.command(command)
        run = refresh_row if command == Command.REFRESH_ROW else program_row
        want = run(alone, *PLACE, image, mask, timing)
        assert (seen.code, seen.detail, seen.cycles) == (want.code, want.detail, want.cycles)
        assert (seen.count("pulse"), seen.count("verify")) == (want.pulses.sum(), want.verifies.sum())
        logged = [event[1:] for event in seen.events if event[0] == "log"]
        assert logged == [(f.column, f.side, f.op) for f in want.failures]
        for name, state in driven.snapshot().items():
            np.testing.assert_array_equal(state, alone.snapshot()[name], err_msg=name)
        return want

    async def scenario(bench):
        bench.row, bench.ready_cyc, bench.address = DeviceRow(bench, driven), 0, PLACE
        await bench.configure()
        for image, mask in zip(images, masks, strict=True):
            fresh.append(await same(bench, Command.PROGRAM_ROW, image, mask))
            for devices in (driven, alone):
                devices.age(1e9, 400.0)
            refreshed.append(await same(bench, Command.REFRESH_ROW, image, mask))

    Bench(GEOMETRY, timing).run(scenario)
    assert all(report.failures for report in fresh[:1])
    assert all(report.pulses.sum() for report in (*fresh, *refreshed))
