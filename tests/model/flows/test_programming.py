"""Reference of the program sequencer: algorithm, counts, cycles, failures, order independence."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import (
    ErrorCode,
    Geometry,
    ProgOp,
    ProgSide,
    PulseConditions,
    Timing,
    VerifyRef,
    margin_factor,
)
from bridgebnn.hdl.spec.program_cycles import PhaseWork, program_row_cycles
from bridgebnn.model.devices.device import DeviceArray, DeviceParams, Stuck
from bridgebnn.model.flows.programming import (
    levels,
    program,
    program_row,
    refresh_row,
    targets,
)
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.program_log import Failure
from bridgebnn.model.parameters.params import MacroParams

GEOMETRY = Geometry(tiles=2, rows=4, inputs=300, bias=10)
C = GEOMETRY.columns
TIMING = Timing()
P, N = ProgSide.P, ProgSide.N
ALL = np.ones(C, bool)
IMAGE = np.random.default_rng(5).integers(0, 2, C).astype(bool)


def sound(**changes) -> DeviceParams:
    """The real set without stuck devices."""
    none = {f"stuck_{k}_probability": 0.0 for k in ("lrs", "hrs", "unformed")}
    return dataclasses.replace(DeviceParams.real(), **{**none, **changes})


def verified(devices: DeviceArray, image, mask=ALL) -> np.ndarray:
    """Columns (C,) of (tile 0, row 0) whose both devices verify."""
    lrs = [devices.verify(0, 0, mask, side, VerifyRef.LRS_MAX) for side in (P, N)]
    hrs = [devices.verify(0, 0, mask, side, VerifyRef.HRS_MIN) for side in (P, N)]
    return np.where(image, lrs[0] & hrs[1], hrs[0] & lrs[1])


def test_ideal_takes_exactly_one_pulse_for_every_change():
    devices = DeviceArray(GEOMETRY, DeviceParams.ideal(), 1)
    report = program_row(devices, 0, 0, IMAGE, ALL, TIMING)
    assert report.ok
    lrs = np.stack([IMAGE, ~IMAGE], axis=1)
    np.testing.assert_array_equal(report.attempts, np.where(lrs, 1, 2))  # formed; formed and reset
    groups = [-(-int(n) // TIMING.max_parallel) for n in (C, C, (~IMAGE).sum(), IMAGE.sum())]
    assert report.pulses.tolist() == [groups[0] + groups[1], 0, groups[2] + groups[3]]
    assert report.verifies.tolist() == [4, 2 + 2, 4 + 2]
    again = program_row(devices, 0, 0, IMAGE, ALL, TIMING)
    assert again.pulses.sum() == 0
    assert again.verifies.tolist() == [2, 4, 4]
    inverse = program_row(devices, 0, 0, ~IMAGE, ALL, TIMING)
    assert (inverse.attempts == 1).all()
    assert (devices.pulse_count[0, 0] == np.where(lrs, 2, 3)).all()


def test_masked_columns_are_left_alone():
    devices = DeviceArray(GEOMETRY, sound(), 1)
    before = devices.resistance_ohm.copy()
    mask = np.arange(C) % 3 == 0
    assert program_row(devices, 0, 0, IMAGE, mask, TIMING).ok
    np.testing.assert_array_equal(devices.resistance_ohm[0, 0, ~mask], before[0, 0, ~mask])
    np.testing.assert_array_equal(devices.resistance_ohm[0, 1:], before[0, 1:])
    assert verified(devices, IMAGE, mask)[mask].all()


def test_empty_mask_and_empty_phases_cost_no_verify():
    devices = DeviceArray(GEOMETRY, sound(), 1)
    array = Array(GEOMETRY, MacroParams.ideal(), 1)
    empty = program_row(array, 0, 0, IMAGE, ~ALL, TIMING)
    assert empty.ok
    assert (empty.pulses.sum(), empty.verifies.sum(), array.reads.sum()) == (0, 0, 0)
    ones = program_row(devices, 0, 0, ALL, ALL, TIMING)  # no RESET P, no SET N
    assert ones.verifies[ProgOp.SET] >= 2
    forms = ones.verifies[ProgOp.FORM]
    assert forms + ones.verifies[ProgOp.SET] + ones.verifies[ProgOp.RESET] == ones.verifies.sum()


def test_grouping_changes_the_pulse_count_only():
    reports, chips = [], []
    for max_parallel in (1, 7, 128, 65535):
        devices = DeviceArray(GEOMETRY, DeviceParams.real(), 3)
        timing = dataclasses.replace(TIMING, max_parallel=max_parallel)
        reports.append(program_row(devices, 1, 2, IMAGE, ALL, timing))
        chips.append(devices.snapshot())
    for report, state in zip(reports, chips, strict=True):
        for name in state:
            np.testing.assert_array_equal(state[name], chips[0][name], err_msg=name)
        np.testing.assert_array_equal(report.attempts, reports[0].attempts)
        assert report.failures == reports[0].failures
    assert reports[0].pulses.sum() == reports[0].attempts.sum()
    pulses = [r.pulses.sum() for r in reports]
    assert pulses == sorted(pulses, reverse=True)


def test_pulses_in_real_groups_give_the_same_chip():
    """Driven as the RTL does it: the lowest ``max_parallel`` pending columns, one group a pulse."""
    timing = dataclasses.replace(TIMING, max_parallel=37)
    reference, driven = (DeviceArray(GEOMETRY, DeviceParams.real(), 9) for _ in range(2))
    report = program_row(reference, 0, 1, IMAGE, ALL, timing)
    pulses = 0
    for op, ref in (
        (ProgOp.FORM, VerifyRef.FORMED),
        (ProgOp.RESET, VerifyRef.HRS_MIN),
        (ProgOp.SET, VerifyRef.LRS_MAX),
    ):
        conditions = {0: timing.form, 1: timing.set, 2: timing.reset}[op]
        for side in (P, N):
            pending = targets(IMAGE, ALL, op, side)
            for attempt in range(conditions.attempts):
                pending = pending & ~driven.verify(0, 1, pending, side, ref)
                for group in np.split(np.flatnonzero(pending), range(37, int(pending.sum()), 37)):
                    if group.size:
                        mask = np.isin(np.arange(C), group)
                        width_s = conditions.width_cyc * timing.clock_s
                        driven.pulse(0, 1, mask, op, side, *levels(conditions, attempt), width_s)
                        pulses += 1
    np.testing.assert_array_equal(driven.resistance_ohm, reference.resistance_ohm)
    assert pulses == report.pulses.sum() == report.lower_bound.pulses


def test_levels_step_up_to_their_limits():
    conditions = PulseConditions(
        width_cyc=1,
        attempts=9,
        prog_start=100,
        prog_step=20,
        prog_limit=150,
        wl_start=90,
        wl_step=1,
        wl_limit=80,
    )
    assert [levels(conditions, a) for a in range(4)] == [(80, 100), (80, 120), (80, 140), (80, 150)]


@pytest.mark.parametrize(
    ("state", "side", "expected"),
    [
        (Stuck.LRS, P, {0: [ProgOp.RESET], 1: []}),
        (Stuck.HRS, P, {0: [], 1: [ProgOp.SET]}),
        (Stuck.UNFORMED, P, {0: [ProgOp.FORM], 1: [ProgOp.FORM, ProgOp.SET]}),
        (Stuck.LRS, N, {0: [], 1: [ProgOp.RESET]}),
        (Stuck.HRS, N, {0: [ProgOp.SET], 1: []}),
        (Stuck.UNFORMED, N, {0: [ProgOp.FORM, ProgOp.SET], 1: [ProgOp.FORM]}),
    ],
)
@pytest.mark.parametrize("params", ["ideal", "real"])
def test_stuck_devices_are_logged_with_their_operation(state, side, expected, params):
    devices = DeviceArray(GEOMETRY, DeviceParams.ideal() if params == "ideal" else sound(), 1)
    column = 77
    devices.stick(0, 0, [column], side, state)
    report = program_row(devices, 0, 0, IMAGE, ALL, TIMING)
    ops = expected[int(IMAGE[column])]
    assert report.failures == [Failure(0, 0, column, side, op) for op in ops]
    assert report.ok == (not ops)
    for op in ops:
        assert report.attempts[column, side] >= {0: TIMING.form, 1: TIMING.set, 2: TIMING.reset}[op].attempts
    assert verified(devices, IMAGE)[np.arange(C) != column].all()


def test_disturb_after_the_phase_is_found_by_the_final_verify():
    class Disturbed(DeviceArray):
        def verify(self, tile, row, columns, side, ref, margin=1.0):
            if ref is VerifyRef.LRS_MAX:  # in the SET phases a device of weight +1 loses its HRS
                self.resistance_ohm[0, 0, 4, N] = 20e3
            return super().verify(tile, row, columns, side, ref, margin)

    devices = Disturbed(GEOMETRY, DeviceParams.ideal(), 1)
    report = program_row(devices, 0, 0, ALL, ALL, TIMING)
    assert report.failures == [Failure(0, 0, 4, N, ProgOp.RESET)]


def test_cycles_are_those_of_the_sequencer():
    devices = DeviceArray(GEOMETRY, sound(), 4)
    devices.stick(0, 0, [3, 4, 290], P, Stuck.UNFORMED)
    image = ALL.copy()
    timing = dataclasses.replace(TIMING, max_parallel=50)
    report = program_row(devices, 0, 0, image, ALL, timing)
    # only the counts of an operation are known here: its work is put in one of its phases
    failing = tuple(np.add.reduceat(np.isin(np.arange(C), (3, 4, 290)), np.arange(0, C, 32)).tolist())
    f, s, r = (int(v) for v in report.verifies)
    phases = [
        PhaseWork(op=ProgOp.FORM, attempts=f - 2, pulses=int(report.pulses[ProgOp.FORM]), failing=failing),
        PhaseWork(op=ProgOp.FORM),
        PhaseWork(op=ProgOp.RESET, targets=0),
        PhaseWork(op=ProgOp.RESET, attempts=r - 2, pulses=int(report.pulses[ProgOp.RESET])),
        PhaseWork(op=ProgOp.SET, attempts=s - 2, pulses=int(report.pulses[ProgOp.SET]), failing=failing),
        PhaseWork(op=ProgOp.SET, targets=0),
        PhaseWork(op=ProgOp.RESET, targets=0),
        PhaseWork(op=ProgOp.RESET),
        PhaseWork(op=ProgOp.SET),
        PhaseWork(op=ProgOp.SET, targets=0),
    ]
    assert report.cycles == program_row_cycles(GEOMETRY, timing, phases, ready_cyc=0)
    assert report.lower_bound.cycles < report.cycles


def test_real_devices_converge_in_few_pulses():
    geometry = Geometry(tiles=1, rows=64, inputs=800, bias=0)
    devices = DeviceArray(geometry, DeviceParams.real(), 21)
    rng = np.random.default_rng(1)
    for images in rng.integers(0, 2, (2, 1, 64, 800)):
        report = program(devices, images, np.ones_like(images), TIMING)
        soft = {f[:4] for f in report.failures if devices.stuck[f[:4]] == Stuck.NONE}
        assert len(soft) < 1e-4 * devices.stuck.size
        assert not report.mismatches
        assert report.attempts.sum() < 1.6 * devices.stuck.size
        assert report.bits == images.size
        assert report.rows == 64


def test_program_covers_masked_rows_and_sums_up():
    array = Array(GEOMETRY, MacroParams.real(), 2)
    rng = np.random.default_rng(3)
    images = rng.integers(0, 2, (2, 4, C))
    masks = np.zeros_like(images)
    masks[0, 1, :200] = masks[1, 3] = 1
    seen = []
    report = program(array, images, masks, TIMING, lambda done, count: seen.append((done, count)))
    assert seen == [(1, 2), (2, 2)]
    assert (report.rows, report.bits) == (2, 200 + C)
    expected = np.zeros((2, 4), int)
    expected[0, 1] = expected[1, 3] = 1  # one evaluate of the read-back
    np.testing.assert_array_equal(array.reads, expected)
    assert (report.attempts.astype(int) == array.devices.pulse_count).all()
    assert report.energy_J.sum() == pytest.approx(array.devices.energy_J.sum())
    assert report.time_s == report.cycles * TIMING.clock_s
    summary = report.as_dict()
    assert summary["pulses"]["FORM"] == report.pulses[ProgOp.FORM]
    assert summary["lower_bound"]["pulses"] == report.pulses.sum()


def test_mismatch_is_reported_when_the_bridge_contradicts():
    class Contrary(Array):
        def source_lines(self, tile, row, bl, col_en):
            return super().source_lines(tile, row, bl, col_en) ^ (np.arange(C) == 6)

    report = program_row(Contrary(GEOMETRY, MacroParams.ideal(), 1), 0, 0, IMAGE, ALL, TIMING)
    assert not report.failures
    assert report.mismatch.tolist() == [6]
    assert (report.ok, report.code, report.detail) == (False, ErrorCode.READBACK_MISMATCH, 6)


def test_a_failed_device_goes_before_a_mismatch():
    array = Array(GEOMETRY, MacroParams.ideal(), 1)
    array.devices.stick(0, 0, [6], P, Stuck.LRS)
    array.devices.stick(0, 0, [8], N, Stuck.LRS)
    report = program_row(array, 0, 0, ~ALL, ALL, TIMING)  # column 6: both devices in LRS
    assert report.failures == [Failure(0, 0, 6, P, ProgOp.RESET)]
    assert (report.code, report.detail, report.mismatch.size) == (ErrorCode.NOT_CONVERGED, 1, 0)
    assert array.reads[0, 0] == 1


def test_refresh_gives_a_drifted_row_its_margin_back():
    devices = DeviceArray(GEOMETRY, sound(), 6)
    program_row(devices, 0, 0, IMAGE, ALL, TIMING)
    assert refresh_row(devices, 0, 0, IMAGE, ALL, TIMING).ok  # a few verified by a hair
    before = devices.snapshot()
    healthy = refresh_row(devices, 0, 0, IMAGE, ALL, TIMING)
    assert (healthy.pulses.sum(), healthy.verifies.tolist()) == (0, [0, 4, 4])
    for name, value in devices.snapshot().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)

    devices.age(1e8, 380.0)
    assert not verified(devices, IMAGE).all()
    formed = devices.pulse_count.copy()
    refresh = refresh_row(devices, 0, 0, IMAGE, ALL, TIMING)
    assert refresh.ok
    assert refresh.pulses[ProgOp.FORM] == refresh.verifies[ProgOp.FORM] == 0
    assert 0 < np.count_nonzero(refresh.attempts) < 0.1 * refresh.attempts.size
    np.testing.assert_array_equal(devices.pulse_count[0, 0] - formed[0, 0], refresh.attempts)
    ohm, factor = devices.resistance_ohm[0, 0], margin_factor(TIMING.verify_margin)
    assert np.min(np.where(IMAGE, ohm[:, N], ohm[:, P])) >= factor * devices.params.hrs_min_ohm
    assert np.max(np.where(IMAGE, ohm[:, P], ohm[:, N])) <= devices.params.lrs_max_ohm / factor


def test_refresh_of_an_array_and_its_cycles():
    devices = DeviceArray(GEOMETRY, sound(), 7)
    images = np.broadcast_to(IMAGE, (2, 4, C))
    masks = np.zeros_like(images)
    masks[1, :2] = True
    program(devices, images, masks, TIMING)
    report = program(devices, images, masks, TIMING, refresh=True)
    assert report.rows == 2
    devices.age(1e9, 400.0)
    assert program(devices, images, masks, TIMING, refresh=True).pulses.sum() > 0
    report = program(devices, images, masks, TIMING, refresh=True)
    assert report.pulses.sum() == 0
    phases = [PhaseWork(op=op) for op in (ProgOp.RESET, ProgOp.SET) * 2 for _ in (P, N)]
    assert report.cycles == 2 * program_row_cycles(GEOMETRY, TIMING, phases, ready_cyc=0)


def test_nominal_margin_is_a_program_without_forming():
    timing = dataclasses.replace(TIMING, verify_margin=0)
    devices = DeviceArray(GEOMETRY, DeviceParams.ideal(), 8)
    pristine = refresh_row(devices, 0, 0, IMAGE, ALL, timing)
    assert pristine.pulses[ProgOp.FORM] == 0
    assert {f.op for f in pristine.failures} == {ProgOp.SET}  # an ideal SET does not form
    assert len(pristine.failures) == C
    assert program_row(devices, 0, 0, IMAGE, ALL, timing).ok
    assert refresh_row(devices, 0, 0, IMAGE, ALL, timing).pulses.sum() == 0


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (IMAGE[1:], ALL, r"image of shape \(309,\): must be \(310,\) of 0 and 1"),
        (IMAGE, np.full(C, 2), r"mask of shape \(310,\): must be \(310,\) of 0 and 1"),
    ],
)
def test_errors_name_shape_and_range(image, mask, message):
    with pytest.raises(ValueError, match=message):
        program_row(DeviceArray(GEOMETRY, DeviceParams.ideal(), 1), 0, 0, image, mask, TIMING)


def test_lower_bound_follows_from_the_draws_alone():
    """Forming from the draws, without verify reads: the first attempt whose voltage exceeds the threshold."""
    devices = DeviceArray(GEOMETRY, sound(program_disturb_log=0.0), 8)
    p, form = devices.params, TIMING.form
    pulses = 0
    for side in (P, N):
        traits = devices.traits(0, 0).forming[:, side]
        need = np.full(C, form.attempts)
        for attempt in reversed(range(form.attempts)):
            z = devices.cycle(0, 0, side, np.full(C, attempt), np.arange(C))[0]
            threshold_V = (
                p.forming_floor_V
                + p.forming_excess_V * np.exp(p.forming_sigma * traits)
                + p.forming_jitter_V * z
            )
            volt = levels(form, attempt)[1] * 0.02
            need[volt > threshold_V] = attempt + 1
        pulses += sum(-(-int((need > a).sum()) // TIMING.max_parallel) for a in range(form.attempts))
    report = program_row(devices, 0, 0, IMAGE, ALL, TIMING)
    assert report.pulses[ProgOp.FORM] == pulses
