"""Study of programming conditions: strengths against the published rates, the choice, the commands."""

import dataclasses
import json

import numpy as np
import pytest

from bridgebnn.hdl.spec import Timing
from bridgebnn.model.__main__ import main
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.conditions import (
    PUBLISHED_CELLS,
    PUBLISHED_RATES,
    STRENGTHS,
    Bench,
    Strength,
    choose,
    choose_forming,
    forming_sweep,
    sweep_strengths,
)
from bridgebnn.model.studies.reports import MapReport, ProgramConditionsReport
from tests.model.reference import random_network

TIMING = Timing()


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(55_200, MacroParams.real(), TIMING, 1)


def test_published_rates_are_multiples_of_one_in_13800():
    for rates in PUBLISHED_RATES.values():
        counts = np.array(rates) * PUBLISHED_CELLS
        # printed with three digits
        np.testing.assert_allclose(counts, np.round(counts), rtol=1e-2)


def test_four_strengths_lie_in_the_published_groups():
    large = Bench(276_000, MacroParams.real(), TIMING, 1)
    found = {s.name: large.evaluate(s).errors.bridge for s in STRENGTHS}
    for name, rates in PUBLISHED_RATES.items():
        assert min(rates) <= found[name] <= max(rates), name
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_the_chosen_conditions_are_the_reset_values(bench):
    grid = sweep_strengths(TIMING, widths_cyc=(50,))
    chosen = choose([bench.evaluate(s) for s in grid])
    assert (chosen.strength.set, chosen.strength.reset) == (TIMING.set, TIMING.reset)
    forming = choose_forming(forming_sweep(55_200, MacroParams.real(), TIMING, 1))
    assert (forming.prog_start, forming.prog_step) == (TIMING.form.prog_start, TIMING.form.prog_step)
    assert forming.final_yield > 0.9999


def test_stronger_is_better_and_costs_more(bench):
    points = [
        bench.evaluate(Strength.shifted(TIMING, codes=c, width_cyc=50, attempts=1)) for c in (-20, -10, 0)
    ]
    for kind in ("one_device", "pair", "bridge"):
        values = [getattr(p.errors, kind) for p in points]
        assert values == sorted(values, reverse=True)
    for cost in ("energy_per_bit_J", "wear_per_bit", "hrs_median_ohm"):
        values = [getattr(p, cost) for p in points]
        assert values == sorted(values)
    again = [bench.evaluate(Strength.shifted(TIMING, codes=-20, width_cyc=50, attempts=a)) for a in (1, 2, 8)]
    assert again[0].soft_failures > 5 * again[1].soft_failures > 25 * again[2].soft_failures


def test_evaluations_do_not_depend_on_their_order(bench):
    first = bench.evaluate(STRENGTHS[0])
    bench.evaluate(STRENGTHS[2])
    assert bench.evaluate(STRENGTHS[0]) == first


def test_nothing_eligible_is_said(bench):
    weak = bench.evaluate(STRENGTHS[0])
    assert not weak.converges
    assert choose([weak]) is None
    assert choose_forming([]) is None


def test_group_population_meets_the_same_limits():
    """The authors' groups' LRS population programs with the same reset values."""
    params = MacroParams.real()
    params = dataclasses.replace(params, device=type(params.device).group())
    point = Bench(55_200, params, TIMING, 1).evaluate(
        Strength(name="reset values", set=TIMING.set, reset=TIMING.reset)
    )
    assert point.converges
    assert point.errors.bridge < 5e-4


def test_cells_out_of_range():
    with pytest.raises(ValueError, match="cells = 0: must be from 1 to"):
        Bench(0, MacroParams.real(), TIMING, 1)


def test_command_program_conditions(tmp_path, capsys):
    """With few cells nothing can be shown to converge, and the exit status says so."""
    files = {"--json": tmp_path / "c.json", "--png": tmp_path / "c.png"}
    options = [str(x) for pair in files.items() for x in pair]
    assert main(["program-conditions", "--cells", "2300", "--strength-cells", "2300", *options]) == 1
    report = json.loads(files["--json"].read_text())
    assert ProgramConditionsReport.load(files["--json"]).as_dict() == report
    assert len(report["strengths"]) == 4
    assert report["differential"]["0.01"] == pytest.approx(5.0e-4, rel=0.01)
    assert files["--png"].read_bytes().startswith(b"\x89PNG")
    out = capsys.readouterr().out
    assert "nothing is eligible" in out
    assert "weakest" in out


def test_command_program_map(tmp_path, capsys):
    assert main(["program-map", "--random", "8x100", "--chip", "3", "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "program-map.json").read_text())
    assert MapReport.load(tmp_path / "program-map.json").as_dict() == report
    done = report["programming"]
    assert (done["rows"], done["bits"]) == (8, 800)
    assert done["lower_bound"]["pulses"] == sum(done["pulses"].values())
    assert done["lower_bound"]["cycles"] < done["cycles"]
    assert set(report["resistances_ohm"]) == {"pristine", "formed", "LRS", "HRS"}
    assert report["resistances_ohm"]["LRS"]["50"] == pytest.approx(9.6e3, rel=0.03)
    assert 0 <= report["cell_errors"]["bridge"] < 0.01
    unformed = sum(failure[4] == "FORM" for failure in done["failures"])
    assert report["forming_yield"] == 1 - unformed / 1600
    for name in ("map.png", "resistances.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert "cycles, least" in capsys.readouterr().out


def test_command_program_map_of_a_network(tmp_path, capsys):
    random_network(np.random.default_rng(0), [12, 8, 3]).save(tmp_path / "n.npz")
    assert main(["program-map", "--network", str(tmp_path / "n.npz"), "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "program-map.json").read_text())
    assert report["programming"]["rows"] == 11


def test_command_program_map_bad_size(tmp_path, capsys):
    assert main(["program-map", "--random", "8", "--out", str(tmp_path)]) == 2
    assert "must be ROWSxCOLUMNS" in capsys.readouterr().err
