"""Trimming on the RTL: self-tests over the bus find what the model finds, and the pins gain what it gains."""

import pytest

from bridgebnn.hdl.spec import ReadMode
from bridgebnn.model.studies.trimming import macro_of

from . import small
from .test_infer import SAME, same_as_model

MACRO = macro_of("fixed", 0.4)
"""An offset of 3.5 counts of 25 columns."""


@pytest.mark.icarus
@pytest.mark.verilator
@pytest.mark.parametrize("final", [ReadMode.COUNT, ReadMode.SEARCH])
def test_pins_are_the_model_before_and_after(final):
    given = {
        "count": 8,
        "macro": MACRO,
        "chip": 3,
        "final_mode": final,
        "network": small.network(sizes=(23, 9, 5)),
    }
    before = small.run("icarus", "prefetch", **given)
    runs = [
        small.run(sim, attach, trim=8, **given)
        for sim, attach in (("icarus", "strobe"), ("icarus", "prefetch"), ("verilator", "prefetch"))
    ]
    for result in runs:
        same_as_model(result)
        assert result["trim_equal"] is True
        assert max(map(abs, result["trimmed"].values())) > 2
        assert result["golden_mismatches"] < before["golden_mismatches"] / 2
    assert all(result[key] == runs[0][key] for result in runs for key in (*SAME, "trimmed"))


@pytest.mark.icarus
def test_self_tests_follow_the_draws_of_the_chip_and_need_a_comparator():
    """Noise per decision is that of the self-test's own read numbers; those of the inference go on behind them."""
    given = {
        "count": 4,
        "macro": macro_of("drawn", 0.4),
        "chip": 3,
        "network": small.network(sizes=(23, 9, 5)),
    }
    assert small.run("icarus", "strobe", trim=8, **given)["ok"]
    with pytest.raises(ValueError, match="trim = 8 with attachment none"):
        small.job("icarus", "none", trim=8)
