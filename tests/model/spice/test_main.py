"""bridgebnn spice without a simulator: help, bad usage, missing tools; never a traceback."""

import pytest

from bridgebnn.model.spice.__main__ import main
from bridgebnn.model.spice.compare import Comparison, Report
from bridgebnn.model.spice.steps import STEPS


def test_help_names_every_step(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in STEPS)


def test_unknown_step_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["nothing"])
    assert stop.value.code == 2
    assert "unknown step 'nothing'" in capsys.readouterr().err


def test_missing_simulator_is_one_line(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("NGSPICE", str(tmp_path / "none"))
    assert main([]) == 2
    error = capsys.readouterr().err
    assert error.startswith("bridgebnn spice: NGSPICE=")
    assert error.count("\n") == 1


@pytest.mark.parametrize(("measured", "status"), [(0.5, 0), (1.5, 1)])
def test_exit_status_follows_the_bounds(measured, status, monkeypatch, capsys):
    line = Comparison(key="z.fake", what="w", measured=measured, bound=1.0, unit="V", points=1)
    monkeypatch.setattr("bridgebnn.model.spice.__main__.find_tools", lambda: None)
    fake = [("bridge", Report(comparisons=[line], figures={"x_V": 1.0}))]
    monkeypatch.setattr("bridgebnn.model.spice.__main__.run_all", lambda context, names: iter(fake))
    assert main(["bridge"]) == status
    assert ("PASS" if status == 0 else "FAIL") in capsys.readouterr().out


def test_unwritable_targets_are_one_line_before_any_work(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("bridgebnn.model.spice.__main__.find_tools", lambda: pytest.fail("it has begun"))
    (tmp_path / "file").write_text("")
    for option, name in (("--json", "file/x.json"), ("--out", "file/x"), ("--json", ".")):
        with pytest.raises(SystemExit) as stop:
            main(["bridge", option, str(tmp_path / name)])
        assert stop.value.code == 2
        error = capsys.readouterr().err
        assert error.startswith(f"bridgebnn spice: error: argument {option}: ")
        assert error.count("\n") == 1
