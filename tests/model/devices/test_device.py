"""Devices: calibration figures, each effect, keyed draws, errors."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import DAC_LSB_V, Geometry, ProgOp, ProgSide, VerifyRef
from bridgebnn.model.devices.device import DeviceArray, DeviceParams, Stuck
from bridgebnn.model.draws import Purpose, normal

WIDE = Geometry(tiles=1, rows=8, inputs=4000, bias=0)
ALL = np.ones(WIDE.columns, bool)
P, N = ProgSide.P, ProgSide.N


def quiet(**changes) -> DeviceParams:
    """The real set without stuck devices."""
    none = {f"stuck_{k}_probability": 0.0 for k in ("lrs", "hrs", "unformed")}
    return dataclasses.replace(DeviceParams.real(), **{**none, **changes})


def code(volt: float) -> int:
    return round(volt / DAC_LSB_V)


def formed_chip(params: DeviceParams | None = None, chip: int = 1) -> DeviceArray:
    """Row 0, side P: formed at WL 1.7 V, in LRS."""
    devices = DeviceArray(WIDE, params or quiet(), chip)
    devices.pulse(0, 0, ALL, ProgOp.FORM, P, code(1.7), code(4.0), 1e-6)
    assert devices.formed[0, 0, :, P].all()
    return devices


def reset_chip(volt: float = 2.6, **changes) -> DeviceArray:
    devices = formed_chip(quiet(**changes))
    devices.pulse(0, 0, ALL, ProgOp.RESET, P, code(2.5), code(volt), 1e-6)
    return devices


def test_pristine_devices_are_above_10_megohm():
    devices = DeviceArray(WIDE, DeviceParams.real(), 3)
    assert devices.resistance_ohm[devices.stuck == Stuck.NONE].min() > 10e6
    assert not devices.formed[devices.stuck == Stuck.NONE].any()


def test_forming_voltages_are_those_of_sky130():
    devices = DeviceArray(WIDE, quiet(), 1)
    shares, volts = [], np.arange(2.0, 3.4, 0.02)
    for volt in volts:
        fresh = DeviceArray(WIDE, quiet(), 1)
        fresh.pulse(0, 0, ALL, ProgOp.FORM, P, code(1.7), code(volt), 1e-6)
        shares.append(fresh.formed[0, 0, :, P].mean())
    assert np.all(np.diff(shares) >= -0.002)
    mean_V = volts[-1] - np.sum(shares) * 0.02  # integral of the distribution function
    assert mean_V == pytest.approx(2.5, abs=0.02)
    assert quiet().forming_mean_V == pytest.approx(2.5, abs=0.005)
    assert np.interp(0.001, shares, volts) == pytest.approx(2.2, abs=0.1)
    assert np.interp(0.999, shares, volts) == pytest.approx(3.1, abs=0.1)
    assert not devices.formed.any()


def test_longer_pulses_form_at_lower_voltage():
    shares = []
    for width_s in (1e-7, 1e-6, 1e-5):
        devices = DeviceArray(WIDE, quiet(), 1)
        devices.pulse(0, 0, ALL, ProgOp.FORM, P, code(1.7), code(2.5), width_s)
        shares.append(devices.formed[0, 0, :, P].mean())
    assert shares[0] < 0.5 * shares[1] < 0.5 * shares[2]


@pytest.mark.parametrize(("params", "lrs_ohm", "sigma"), [("real", 10e3, 0.1), ("group", 6988.0, 382 / 6988)])
def test_lrs_population_at_the_published_set(params, lrs_ohm, sigma):
    devices = formed_chip(dataclasses.replace(getattr(DeviceParams, params)(), stuck_hrs_probability=0.0))
    devices.pulse(0, 0, ALL, ProgOp.RESET, P, code(2.5), code(2.6), 1e-6)
    devices.pulse(0, 0, ALL, ProgOp.SET, P, code(1.7), code(2.4), 1e-6)
    ohm = devices.resistance_ohm[0, 0, :, P]
    lrs = ohm[ohm < devices.middle_ohm]
    assert lrs.size > 0.99 * ohm.size  # the published condition sets nearly all
    assert np.median(lrs) == pytest.approx(lrs_ohm, rel=0.01)
    assert np.std(np.log(lrs)) == pytest.approx(sigma, rel=0.08)


def test_hrs_population_at_the_published_reset():
    ohm = reset_chip().resistance_ohm[0, 0, :, P]
    low, median, high = np.percentile(ohm, [2.3, 50, 97.7])
    assert low == pytest.approx(0.5e6, rel=0.1)
    assert high == pytest.approx(3.3e6, rel=0.1)
    assert median == pytest.approx(1.28e6, rel=0.05)


def test_compliance_sets_the_lrs():
    medians = []
    for wl in (1.5, 1.7, 2.0):
        devices = reset_chip()
        devices.pulse(0, 0, ALL, ProgOp.SET, P, code(wl), code(3.0), 1e-6)
        medians.append(np.median(devices.resistance_ohm[0, 0, :, P]))
    overdrive = np.array([0.8, 1.0, 1.3])
    np.testing.assert_allclose(medians, 10e3 / overdrive**2, rtol=0.02)


@pytest.mark.parametrize(("op", "wl"), [(ProgOp.SET, 1.7), (ProgOp.RESET, 2.5)])
def test_success_rises_with_voltage_and_width(op, wl):
    def share(volt, width_s):
        devices = reset_chip() if op is ProgOp.SET else formed_chip()
        before = devices.resistance_ohm[0, 0, :, P] > devices.middle_ohm
        devices.pulse(0, 0, ALL, op, P, code(wl), code(volt), width_s)
        return np.mean(before != (devices.resistance_ohm[0, 0, :, P] > devices.middle_ohm))

    shares = [share(volt, 1e-6) for volt in (1.5, 1.8, 2.0, 2.6)]
    assert shares == sorted(shares)
    assert shares[0] < 0.2
    assert shares[-1] > 0.99
    assert share(1.8, 1e-5) > share(1.8, 1e-6) > share(1.8, 1e-7)


def test_word_line_off_does_nothing():
    devices = formed_chip()
    before = devices.resistance_ohm.copy()
    devices.pulse(0, 0, ALL, ProgOp.RESET, P, code(0.6), code(5.0), 1e-6)
    np.testing.assert_array_equal(devices.resistance_ohm, before)


def test_over_reset_is_deeper_and_harder_to_set():
    shallow, deep = reset_chip(2.6), reset_chip(3.6)
    assert np.median(deep.resistance_ohm[0, 0, :, P]) > 10 * np.median(shallow.resistance_ohm[0, 0, :, P])
    for devices in (shallow, deep):
        devices.pulse(0, 0, ALL, ProgOp.SET, P, code(1.7), code(2.1), 1e-6)
    passes = [d.verify(0, 0, ALL, P, VerifyRef.LRS_MAX).mean() for d in (shallow, deep)]
    assert passes[1] < passes[0] - 0.2


def test_too_strong_a_reset_shorts_devices_for_good():
    devices = reset_chip(4.6)
    shorted = devices.stuck[0, 0, :, P] == Stuck.LRS
    assert 0.5 < shorted.mean() < 0.95
    assert (devices.resistance_ohm[0, 0, shorted, P] == devices.params.lrs_nominal_ohm).all()
    assert not reset_chip(3.8).stuck[0, 0, :, P].any()


def test_wrong_order_pulses_act_physically():
    devices = DeviceArray(WIDE, quiet(), 1)
    before = devices.resistance_ohm.copy()
    devices.pulse(0, 0, ALL, ProgOp.RESET, P, code(2.5), code(3.0), 1e-6)
    np.testing.assert_array_equal(devices.resistance_ohm, before)  # nothing to reset
    devices.pulse(0, 0, ALL, ProgOp.SET, P, code(1.7), code(2.5), 1e-6)
    assert 0.3 < devices.formed[0, 0, :, P].mean() < 0.7  # a SET voltage forms the weak half
    reset = reset_chip()
    reset.pulse(0, 0, ALL, ProgOp.FORM, P, code(1.7), code(3.0), 1e-6)
    assert reset.verify(0, 0, ALL, P, VerifyRef.LRS_MAX).mean() > 0.99  # FORM on HRS is a SET


def test_set_only_lowers_and_reset_only_raises():
    devices = reset_chip()
    for op, wl, sign in ((ProgOp.RESET, 2.5, 1), (ProgOp.SET, 1.7, -1), (ProgOp.SET, 1.8, -1)):
        before = devices.resistance_ohm[0, 0, :, P].copy()
        devices.pulse(0, 0, ALL, op, P, code(wl), code(2.6), 1e-6)
        assert (sign * (devices.resistance_ohm[0, 0, :, P] - before) >= 0).all()


def test_outcomes_do_not_depend_on_grouping_or_order():
    geometry = Geometry(tiles=2, rows=4, inputs=120, bias=0)
    rng = np.random.default_rng(11)
    columns = rng.permutation(120)

    def run(groups, sides):
        devices = DeviceArray(geometry, DeviceParams.real(), 7)
        for op, wl, volt in ((ProgOp.FORM, 1.7, 2.6), (ProgOp.RESET, 2.5, 2.6), (ProgOp.SET, 1.7, 2.4)):
            for side in sides:
                for group in groups:
                    for _ in range(2 if op is ProgOp.FORM and group[0] % 2 else 1):
                        devices.pulse(1, 2, np.sort(group), op, side, code(wl), code(volt), 1e-6)
        return devices

    one_by_one = run([[c] for c in columns], (P, N))
    both = [np.array([c for c in range(120) if c % 2 == odd]) for odd in (1, 0)]
    together = run(both, (P, N))
    one, other = one_by_one.snapshot(), together.snapshot()
    assert one["energy_units"].min() > 0
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_cache_size_does_not_show():
    a, b = (DeviceArray(WIDE, quiet(), 5) for _ in range(2))
    for row in range(WIDE.rows):
        a.pulse(0, row, ALL, ProgOp.FORM, P, 85, 130, 1e-6)
    for row in reversed(range(WIDE.rows)):
        b._traits_kept.clear()
        b._rows_kept.clear()
        b.pulse(0, row, ALL, ProgOp.FORM, P, 85, 130, 1e-6)
    np.testing.assert_array_equal(a.resistance_ohm, b.resistance_ohm)


def test_chips_differ():
    a, b = formed_chip(chip=1), formed_chip(chip=2)
    assert not np.array_equal(a.resistance_ohm[0, 0, :, P], b.resistance_ohm[0, 0, :, P])


def test_wear_closes_the_window_then_sticks():
    devices = formed_chip(quiet(endurance_median=300.0, endurance_sigma=0.3))
    devices.stick(0, 0, ALL, P, Stuck.NONE)  # strong forming wore some out
    devices.wear[...] = 0
    devices.pulse(0, 0, ALL, ProgOp.RESET, P, code(2.5), code(2.6), 1e-6)
    fresh = np.median(devices.resistance_ohm[0, 0, :, P])
    for _ in range(70):
        devices.pulse(0, 0, ALL, ProgOp.SET, P, code(1.7), code(2.6), 1e-6)
        devices.pulse(0, 0, ALL, ProgOp.RESET, P, code(2.5), code(2.6), 1e-6)
    free = devices.stuck[0, 0, :, P] == Stuck.NONE
    assert free.mean() > 0.5
    assert np.median(devices.resistance_ohm[0, 0, free, P]) < 0.6 * fresh
    for _ in range(400):
        devices.pulse(0, 0, ALL, ProgOp.RESET, P, code(2.5), code(2.6), 1e-6)
    kinds = np.bincount(devices.stuck[0, 0, :, P], minlength=4)
    assert kinds[Stuck.NONE] < 0.1 * ALL.size
    assert min(kinds[Stuck.LRS], kinds[Stuck.HRS]) > 0.3 * ALL.size


def test_higher_voltage_wears_more():
    low, high = reset_chip(2.6), reset_chip(3.6)
    added = [float(d.wear[0, 0, :, P].mean()) for d in (low, high)]
    assert added[1] - added[0] == pytest.approx(np.exp(1.0 / 0.25) - 1.0, rel=1e-3)


def test_stuck_shares_follow_their_probabilities():
    params = dataclasses.replace(
        DeviceParams.real(),
        stuck_lrs_probability=0.05,
        stuck_hrs_probability=0.1,
        stuck_unformed_probability=0.15,
    )
    devices = DeviceArray(WIDE, params, 1)
    shares = np.bincount(devices.stuck.ravel(), minlength=4) / devices.stuck.size
    np.testing.assert_allclose(shares, [0.7, 0.05, 0.1, 0.15], atol=0.006)


@pytest.mark.parametrize(
    ("state", "lrs", "hrs", "formed"),
    [(Stuck.LRS, True, False, True), (Stuck.HRS, False, True, True), (Stuck.UNFORMED, False, True, False)],
)
def test_stuck_devices_ignore_every_pulse(state, lrs, hrs, formed):
    devices = DeviceArray(WIDE, quiet(), 1)
    devices.stick(0, 0, [5], P, state)
    before = devices.resistance_ohm[0, 0, 5, P]
    for op in (ProgOp.FORM, ProgOp.RESET, ProgOp.SET, ProgOp.RESET):
        devices.pulse(0, 0, ALL, op, P, code(2.5), code(3.4), 1e-6)
        assert devices.resistance_ohm[0, 0, 5, P] == before
    assert [bool(devices.verify(0, 0, [5], P, ref)[5]) for ref in VerifyRef] == [lrs, hrs, formed]


def test_retention_adds_up_and_is_faster_when_hot():
    def aged(*steps):
        devices = DeviceArray(WIDE, quiet(), 1)
        devices.set_state(0, 0, ALL, np.arange(WIDE.columns) % 2)
        for time_s, temperature_K in steps:
            devices.age(time_s, temperature_K)
        return devices.resistance_ohm[0, 0]

    fresh, year = aged(), aged((3e7, 300.0))
    np.testing.assert_allclose(aged((1e7, 300.0), (2e7, 300.0)), year, rtol=1e-5)
    hot = aged((3e7, 400.0))
    spread = [np.std(np.log(r / fresh)) for r in (year, hot)]
    assert 0 < spread[0] < spread[1]
    hrs = fresh > 100e3
    assert np.median(hot[hrs]) < np.median(year[hrs]) < np.median(fresh[hrs])
    assert np.median(hot[~hrs]) > np.median(year[~hrs]) > np.median(fresh[~hrs])


@pytest.mark.parametrize("columns", ["all", "some"])
def test_a_preloaded_row_is_the_first_try_that_verifies_of_the_whole_draw(columns):
    """Bit for bit what the whole draw of (2, tries, C, 2) gives, though no more of it is worked out than is used."""
    params = quiet(hrs_sigma_cycle=2.0, lrs_sigma_cycle=1.0, hrs_sigma_device=1.0)  # many tries fail
    devices, width = DeviceArray(WIDE, params, 9), WIDE.columns
    rng = np.random.default_rng(1)
    bits, mask = rng.integers(0, 2, width), np.ones(width, bool)
    if columns == "some":
        mask = rng.random(width) < 0.3
    before = devices.resistance_ohm[0, 1].copy()
    devices.set_state(0, 1, mask, bits)
    z, born = normal(9, Purpose.DEVICE_PRELOAD, 0, 1, size=(2, 8, width, 2)), devices.traits(0, 1)
    low = params.lrs_nominal_ohm * np.exp(params.lrs_sigma_device * born.lrs + params.lrs_sigma_cycle * z[0])
    high = params.hrs_nominal_ohm * np.exp(params.hrs_sigma_device * born.hrs + params.hrs_sigma_cycle * z[1])
    good_low = low <= params.lrs_max_ohm
    good_high = (high >= params.hrs_min_ohm) & (high < params.formed_max_ohm)
    assert not good_low[0].all()
    assert not good_high[:3].any(axis=0).all()
    assert not good_high.any(axis=0).all()  # what never verifies keeps its first try, cut to the limits
    low = np.minimum(np.take_along_axis(low, good_low.argmax(axis=0)[None], axis=0)[0], params.lrs_max_ohm)
    high = np.clip(
        np.take_along_axis(high, good_high.argmax(axis=0)[None], axis=0)[0],
        params.hrs_min_ohm,
        params.formed_max_ohm * (1 - 2**-20),
    )
    expected = np.where(np.stack([bits == 1, bits == 0], axis=1), low, high)
    found = devices.resistance_ohm[0, 1]
    assert found[mask].tobytes() == expected[mask].tobytes()
    assert found[~mask].tobytes() == before[~mask].tobytes()


def test_switching_starts_retention_anew():
    devices = reset_chip()
    devices.age(1e7, 300.0)
    devices.pulse(0, 0, ALL, ProgOp.SET, P, code(1.7), code(3.5), 1e-6)
    assert (devices.age_s[0, 0, :, P] == 0).all()


def test_read_disturb_lowers_hrs_only():
    devices = DeviceArray(WIDE, quiet(), 1)
    devices.set_state(0, 0, ALL, np.ones(WIDE.columns, int))
    before = devices.resistance_ohm[0, 0].copy()
    devices.read_disturb(0, 0, ALL, 10**6, 1.8)
    np.testing.assert_array_equal(devices.resistance_ohm[0, 0, :, P], before[:, P])
    fall = 1e6 * 1e-12 * np.exp(1.6 / 0.15)
    np.testing.assert_allclose(devices.resistance_ohm[0, 0, :, N], before[:, N] * np.exp(-fall), rtol=1e-9)


def test_program_disturb_reaches_the_partner_only():
    devices = DeviceArray(WIDE, quiet(program_disturb_log=0.01), 1)
    devices.set_state(0, 0, ALL, np.ones(WIDE.columns, int))
    devices.set_state(0, 1, ALL, np.ones(WIDE.columns, int))
    before = devices.resistance_ohm.copy()
    devices.pulse(0, 0, [3], ProgOp.SET, P, code(1.0), code(0.5), 1e-6)
    changed = np.argwhere(devices.resistance_ohm != before).tolist()
    assert changed == [[0, 0, 3, N]]
    assert devices.resistance_ohm[0, 0, 3, N] == pytest.approx(before[0, 0, 3, N] * np.exp(-0.01))


def test_verify_reads_told_ahead_are_those_asked_one_by_one():
    devices = DeviceArray(WIDE, DeviceParams.real(), 2)
    rng = np.random.default_rng(5)
    for op in (ProgOp.FORM, ProgOp.RESET, ProgOp.SET):
        for side in ProgSide:
            devices.pulse(0, 3, rng.random(WIDE.columns) < 0.5, op, side, code(1.9), code(2.7), 1e-6)
        ahead = devices.passes(0, 3)
        assert ahead is not None
        for side in ProgSide:
            for ref in VerifyRef:
                asked = rng.random(WIDE.columns) < 0.5
                found = devices.verify(0, 3, asked, side, ref)
                assert 0 < found.sum() < asked.sum() or op is ProgOp.FORM
                assert (found == (ahead[side, ref] & asked)).all()
    devices.resistance_ohm[0, 3, 7, 1] = np.nan
    assert devices.passes(0, 3) is None  # whoever asks for it is told which


def test_verify_limits_are_sharp_and_margin_tightens():
    devices = DeviceArray(WIDE, DeviceParams.ideal(), 1)
    p = devices.params
    devices.resistance_ohm[0, 0, :6, P] = [
        p.lrs_max_ohm, np.nextafter(p.lrs_max_ohm, 1e9), p.hrs_min_ohm,
        np.nextafter(p.hrs_min_ohm, 0), p.formed_max_ohm, np.nextafter(p.formed_max_ohm, 0),
    ]  # fmt: skip
    first = list(range(6))

    def answers(ref, margin=1.0):
        return devices.verify(0, 0, first, P, ref, margin)[:6].astype(int).tolist()

    assert answers(VerifyRef.LRS_MAX) == [1, 0, 0, 0, 0, 0]
    assert answers(VerifyRef.HRS_MIN) == [0, 0, 1, 0, 1, 1]
    assert answers(VerifyRef.FORMED) == [1, 1, 1, 1, 0, 1]
    assert answers(VerifyRef.LRS_MAX, 1.01) == [0] * 6
    assert answers(VerifyRef.HRS_MIN, 1.01) == [0, 0, 0, 0, 1, 1]
    assert not devices.verify(0, 0, first, P, VerifyRef.HRS_MIN)[6:].any()  # not asked


def test_ideal_pulses_work_at_any_level():
    devices = DeviceArray(WIDE, DeviceParams.ideal(), 1)
    p = devices.params
    for op, expected in (
        (ProgOp.SET, p.pristine_median_ohm),
        (ProgOp.FORM, p.lrs_nominal_ohm),
        (ProgOp.RESET, p.hrs_nominal_ohm),
        (ProgOp.SET, p.lrs_nominal_ohm),
    ):
        devices.pulse(0, 0, ALL, op, P, 0, 0, 1e-9)
        assert (devices.resistance_ohm[0, 0, :, P] == expected).all()


@pytest.mark.parametrize("params", [DeviceParams.ideal(), DeviceParams.real(), DeviceParams.group()])
def test_preload_verifies_and_leaves_stuck_devices(params):
    devices = DeviceArray(WIDE, params, 1)
    devices.stick(0, 0, [9], N, Stuck.UNFORMED)
    bits = np.arange(WIDE.columns) % 2
    mask = ALL.copy()
    mask[100:] = False
    version = devices.row_version[0, 0]
    devices.set_state(0, 0, mask, bits)
    assert devices.row_version[0, 0] > version
    free = mask & (devices.stuck[0, 0] == Stuck.NONE).all(axis=1)
    for side, is_lrs in ((P, bits == 1), (N, bits == 0)):
        assert devices.verify(0, 0, free & is_lrs, side, VerifyRef.LRS_MAX)[free & is_lrs].all()
        assert devices.verify(0, 0, free & ~is_lrs, side, VerifyRef.HRS_MIN)[free & ~is_lrs].all()
    assert not devices.formed[0, 0, 9, N]
    assert not devices.formed[0, 0, 100:][devices.stuck[0, 0, 100:] == Stuck.NONE].any()


def test_snapshot_and_restore():
    devices = reset_chip()
    state = devices.snapshot()
    devices.pulse(0, 0, ALL, ProgOp.SET, P, code(1.7), code(2.4), 1e-6)
    after = devices.resistance_ohm.copy()
    version = devices.row_version.copy()
    devices.restore(state)
    assert (devices.row_version > version).all()
    np.testing.assert_array_equal(devices.resistance_ohm, state["resistance_ohm"])
    devices.pulse(0, 0, ALL, ProgOp.SET, P, code(1.7), code(2.4), 1e-6)
    np.testing.assert_array_equal(devices.resistance_ohm, after)


def test_energy_of_a_pulse_is_of_the_expected_size():
    devices = formed_chip()
    before = devices.energy_J.copy()
    devices.pulse(0, 0, ALL, ProgOp.RESET, P, code(2.5), code(2.6), 1e-6)
    each_J = (devices.energy_J - before)[ProgOp.RESET] / ALL.size
    assert each_J == pytest.approx(2.6 * 130e-6 * 1e-6, rel=0.05)  # saturation current 130 uA


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: d.pulse(1, 0, ALL, 0, 0, 85, 120, 1e-6), "tile = 1: must be from 0 to 0"),
        (lambda d: d.pulse(0, 8, ALL, 0, 0, 85, 120, 1e-6), "row = 8: must be from 0 to 7"),
        (lambda d: d.pulse(0, 0, ALL, 0, 0, 256, 120, 1e-6), "wl_level = 256: must be from 0 to 255"),
        (lambda d: d.pulse(0, 0, ALL, 0, 0, 85, -1, 1e-6), "prog_level = -1: must be from 0 to 255"),
        (lambda d: d.pulse(0, 0, ALL, 0, 0, 85, 120, 0.0), "width_s = 0.0: must be positive"),
        (
            lambda d: d.pulse(0, 0, [4000], 0, 0, 85, 120, 1e-6),
            r"columns = 4000\.\.4000: must be from 0 to 3999",
        ),
        (
            lambda d: d.pulse(0, 0, ALL[1:], 0, 0, 85, 120, 1e-6),
            r"mask of shape \(3999,\), must be \(4000,\)",
        ),
        (lambda d: d.verify(0, 0, ALL, 0, 0, 0.5), "margin = 0.5: must be at least 1"),
        (lambda d: d.set_state(0, 0, ALL, [0, 1]), r"bits of shape \(2,\): must be \(4000,\)"),
        (lambda d: d.age(-1.0), "time_s = -1.0: must be at least 0"),
        (lambda d: d.age(1.0, 1000.0), "temperature_K = 1000.0: must be from 200 to 600"),
        (lambda d: d.read_disturb(0, 0, ALL, -1, 1.0), "reads = -1"),
        (lambda d: DeviceArray(WIDE, d.params, -1), "chip = -1: must be an integer from 0"),
        (lambda d: DeviceParams(set_V=9.0), r"DeviceParams.set_V = 9.0: must be from 0.0 to 5.0 V"),
        (lambda d: DeviceParams(lrs_max_ohm=5e5), "must increase in this order"),
        (lambda d: DeviceParams(stuck_lrs_probability=0.6, stuck_hrs_probability=0.6), "sum to 1.2"),
        (lambda d: DeviceParams(deterministic=1), "deterministic = 1: must be true or false"),
    ],
)
def test_errors_name_the_value_and_its_range(call, message):
    devices = DeviceArray(WIDE, DeviceParams.ideal(), 1)
    with pytest.raises(ValueError, match=message):
        call(devices)
