"""neuron: charge conservation, exactness of the grid, the comparator's definition."""

import math

import numpy as np
import pytest

from bridgebnn.model.macro.neuron import Neuron
from bridgebnn.model.parameters.params import GRID, NeuronParams


def lines_by_charge(neuron, q, enabled):
    """VP and VN from the charge on each line, written without the model's shortcuts."""
    p = neuron.params
    out = []
    for caps, level in ((neuron.a, q), (neuron.b, ~q)):
        cap_F, par_F = caps * p.cu_F, p.cpar_F + len(caps) * p.cpar_column_F
        before = (cap_F * (p.v_common_V - 0.0)).sum() + par_F * p.v_common_V
        plates_V = np.where(enabled & level, p.vdd_V, 0.0)
        out.append((before + (cap_F * plates_V).sum()) / (cap_F.sum() + par_F))
    return out


@pytest.mark.parametrize("columns", [3, 25, 862])
def test_lines_conserve_charge_and_x_follows(columns):
    rng = np.random.default_rng(columns)
    params = NeuronParams(cu_sigma=0.05, settle_tau_s=0.0, leak_tau_s=1e9, v_common_V=0.3)
    neuron = Neuron.of(params, columns, 5, 0)
    for _ in range(10):
        q, enabled = rng.integers(0, 2, (2, columns)).astype(bool)
        vp, vn = neuron.lines_V(q, enabled)
        assert [vp, vn] == pytest.approx(lines_by_charge(neuron, q, enabled), rel=1e-6)
        x = (neuron.w[enabled] @ q[enabled] - neuron.v[enabled].sum()) / 2
        assert x * neuron.lsb_V == pytest.approx(vp - vn, abs=neuron.lsb_V * columns * GRID)


def test_equal_capacitors_give_the_equation_of_the_design():
    """dV = Vdd * (2*pop - C)/C * C*Cu/(C*Cu + Cpar) with every column enabled."""
    params = NeuronParams.ideal()
    for columns in (1, 25, 862):
        neuron = Neuron.of(params, columns, 0, 0)
        for pop in (0, columns // 2, columns):
            q = np.arange(columns) < pop
            vp, vn = neuron.lines_V(q, np.ones(columns, bool))
            load = columns * (params.cu_F + params.cpar_column_F) + params.cpar_F
            dv = params.vdd_V * (2 * pop - columns) / columns * columns * params.cu_F / load
            assert vp - vn == pytest.approx(dv, abs=1e-12)
            assert vp + vn == pytest.approx(
                2 * params.v_common_V + params.vdd_V * columns * params.cu_F / load
            )


def test_common_mode_does_not_depend_on_the_data():
    neuron = Neuron.of(NeuronParams.ideal(), 40, 0, 0)
    rng = np.random.default_rng(0)
    sums = {
        round(sum(neuron.lines_V(rng.integers(0, 2, 40).astype(bool), np.ones(40, bool))), 12)
        for _ in range(9)
    }
    assert len(sums) == 1


def test_sums_are_exact_in_any_order():
    neuron = Neuron.of(NeuronParams(cu_sigma=0.05), 5088, 3, 0)
    for weights in (neuron.w, neuron.v, neuron.a, neuron.b):
        assert np.array_equal(weights / GRID, np.round(weights / GRID))
    rng = np.random.default_rng(1)
    exact = math.fsum(neuron.w)
    for _ in range(20):
        shuffled = rng.permutation(neuron.w)
        assert sum(shuffled.tolist()) == exact
        assert float(shuffled @ np.ones(5088)) == exact


def test_min_ref_is_the_smallest_that_gives_one():
    neuron = Neuron.of(NeuronParams(ref_gain_sigma=0.05, offset_sigma_V=0.02), 25, 9, 1)
    rng = np.random.default_rng(2)
    x, z = rng.uniform(-12, 12, 500), rng.standard_normal(500)
    least = neuron.min_ref(x, neuron.noise * z)
    assert least.dtype == np.int32
    seen = x + neuron.offset + neuron.noise * z
    assert (seen + neuron.ref_gain * least >= -1e-9).all()
    assert (seen + neuron.ref_gain * (least - 1) < 1e-9).all()


def test_ideal_tie_is_one():
    neuron = Neuron.of(NeuronParams.ideal(), 4, 0, 0)
    assert neuron.min_ref(np.array([0.0, 0.5, -0.5, 1.0]), None).tolist() == [0, 0, 1, -1]
    assert neuron.noise == neuron.offset == 0
    assert neuron.ref_gain == 1


def test_noise_is_comparator_and_thermal_in_power():
    params = NeuronParams(temperature_K=300.0, noise_V=1e-3, settle_tau_s=0.0, leak_tau_s=1e9)
    neuron = Neuron.of(params, 25, 0, 0)
    thermal_V = math.sqrt(2 * 1.380649e-23 * 300 / (25 * (5e-15 + 0.2635e-15) + 25e-15))
    assert neuron.noise * neuron.lsb_V == pytest.approx(math.hypot(1e-3, thermal_V), rel=1e-12)


def test_settling_and_leakage_make_the_count_smaller():
    full = Neuron.of(NeuronParams(settle_tau_s=0.0, leak_tau_s=1e9), 25, 0, 0).lsb_V
    slow = Neuron.of(NeuronParams(settle_tau_s=20e-9, evaluate_s=20e-9, leak_tau_s=1e9), 25, 0, 0).lsb_V
    leaky = Neuron.of(NeuronParams(settle_tau_s=0.0, evaluate_s=20e-9, leak_tau_s=20e-9), 25, 0, 0).lsb_V
    assert slow / full == pytest.approx(1 - math.exp(-1))
    assert leaky / full == pytest.approx(math.exp(-1))


def test_resolve_time_grows_towards_the_tie():
    params = NeuronParams(cu_sigma=0.0, offset_sigma_V=0.0, injection_sigma_V=0.0, ref_gain_sigma=0.0)
    neuron = Neuron.of(params, 25, 0, 0)
    times = neuron.resolve_s(np.array([10.0, 1.0, 1e-3, 0.0]), None, np.zeros(4, int))
    assert (np.diff(times) > 0).all()
    assert times[3] == math.inf
    tenfold = neuron.resolve_s(np.array([0.1, 0.01]), None, np.zeros(2, int))
    assert tenfold[1] - tenfold[0] == pytest.approx(params.regeneration_tau_s * math.log(10))
    assert Neuron.of(NeuronParams.ideal(), 25, 0, 0).resolve_s(np.zeros(1), None, np.zeros(1, int)) == 0


def test_mismatch_has_its_spread_and_depends_on_chip_and_tile():
    neuron = Neuron.of(NeuronParams(cu_sigma=0.03), 4000, 1, 2)
    assert np.std(neuron.a) == pytest.approx(0.03, rel=0.05)
    assert abs(np.corrcoef(neuron.a, neuron.b)[0, 1]) < 0.05
    for other in (Neuron.of(NeuronParams(cu_sigma=0.03), 4000, c, t) for c, t in ((2, 2), (1, 1))):
        assert not np.array_equal(other.a, neuron.a)
        assert other.offset != neuron.offset
