"""Device populations fitted to resistances: what was drawn is found again, and bad files are told."""

import numpy as np
import pytest

from bridgebnn.model.__main__ import main
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.measured_devices import fit, macro_of, read_measured
from tests import ROOT

EXAMPLE = ROOT / "examples" / "devices.csv"


def drawn(path, devices=300, cycles=20, device=0.12, cycle=0.05, extra=()):
    rng, rows = np.random.default_rng(3), ["state, resistance_ohm, device"]
    for state, median in (("lrs", 8e3), ("HRS", 1.1e6)):
        for d in range(devices):
            born = np.log(median) + device * rng.standard_normal()
            rows += [f"{state},{np.exp(born + cycle * rng.standard_normal()):.9g},{d}" for _ in range(cycles)]
    path.write_text("\n".join([*rows, *extra]) + "\n")
    return path


def test_what_was_drawn_is_found(tmp_path):
    fits, devices = fit(read_measured(drawn(tmp_path / "a.csv"))[0])
    assert devices.lrs_nominal_ohm == pytest.approx(fits["lrs"].median_ohm) == pytest.approx(8e3, rel=0.02)
    assert devices.hrs_nominal_ohm == pytest.approx(1.1e6, rel=0.02)
    for found in fits.values():
        assert found.split_measured
        assert found.sigma_device == pytest.approx(0.12, rel=0.1)
        assert found.sigma_cycle == pytest.approx(0.05, rel=0.05)
        assert found.distance < 0.05
    assert (devices.lrs_sigma_device, devices.hrs_sigma_cycle) == (
        fits["lrs"].sigma_device,
        fits["hrs"].sigma_cycle,
    )


def test_without_devices_the_split_is_assumed(tmp_path):
    file = tmp_path / "a.csv"
    lines = [f"{s},{r * (1 + k / 50)}" for s, r in (("lrs", 9e3), ("hrs", 9e5)) for k in range(20)]
    file.write_text("state,resistance_ohm\n" + "\n".join(lines))
    fits, devices = fit(read_measured(file)[0])
    assert not fits["lrs"].split_measured
    assert np.hypot(devices.lrs_sigma_device, devices.lrs_sigma_cycle) == pytest.approx(fits["lrs"].sigma)


def test_a_chip_of_them(tmp_path):
    """The written set and the one that is fitted at once are the same."""
    out = tmp_path / "devices.json"
    assert main(["devices", str(EXAMPLE), "--out", str(out), "--png", str(tmp_path / "fit.png")]) == 0
    assert MacroParams.load(out) == macro_of(EXAMPLE)
    assert (tmp_path / "fit.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        (["lrs,-3,1"], "line 12002: resistance_ohm = '-3': must be a positive number"),
        (["lrs,nan,1"], "must be a positive number"),
        (["on,3,1"], "state = 'on': must be lrs or hrs"),
        (["lrs,3"], "as many values as the first line has names"),
    ],
)
def test_a_bad_row_is_told(tmp_path, capsys, extra, text):
    file = drawn(tmp_path / "a.csv", extra=extra)
    assert main(["devices", str(file)]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("state,resistance\n", "has no field 'resistance'; did you mean 'resistance_ohm'?"),
        ("state,device\nlrs,1\n", "has no column 'resistance_ohm'"),
        ("state,resistance_ohm\nlrs,1000\n", "1 resistances in state lrs; must be at least 8"),
        (
            "state,resistance_ohm,conditions\nlrs,1,a\nlrs,1,b\n",
            "several values of conditions; choose one of a, b",
        ),
    ],
)
def test_a_bad_file_is_told(tmp_path, capsys, content, text):
    file = tmp_path / "a.csv"
    file.write_text(content)
    assert main(["devices", str(file)]) == 2
    assert text in capsys.readouterr().err
