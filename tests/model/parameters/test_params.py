"""params: ranges, JSON round trip, and what ideal means."""

import dataclasses
import json
import math

import pytest

from bridgebnn.hdl.spec import Timing
from bridgebnn.model.parameters.device_params import DeviceParams
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams, Quantities


@pytest.mark.parametrize("name", ["ideal", "real"])
def test_json_round_trip(name):
    params = MacroParams.named(name)
    again = MacroParams.from_dict(json.loads(json.dumps(params.as_dict())))
    assert again == params
    assert again.name == name


def test_parts_may_be_missing():
    params = MacroParams.from_dict({"name": "mine", "neuron": {"cu_sigma": 0.02}})
    assert params.neuron == NeuronParams(cu_sigma=0.02)
    assert params.bridge == BridgeParams()


ORDERED = ("pristine_median_ohm", "lrs_max_ohm", "hrs_min_ohm", "formed_max_ohm", "stuck_hrs_probability")
ORDERED += ("stuck_lrs_probability", "stuck_unformed_probability")
"""Parameters that others bound, too."""


@pytest.mark.parametrize("kind", [BridgeParams, NeuronParams, DeviceParams])
def test_every_number_has_unit_mark_and_enforced_range(kind):
    for name, default, unit, about in kind.describe():
        field = next(f for f in dataclasses.fields(kind) if f.name == name)
        if "options" in field.metadata:
            assert about.startswith(("[pub]", "[data]", "[std]", "[ours]"))
            for option in field.metadata["options"]:
                kind(**{name: option})
            for wrong in ("", "other", 1.0, None):
                with pytest.raises(ValueError, match=rf"{kind.__name__}\.{name} = .*: must be .* or "):
                    kind(**{name: wrong})
            continue
        if "flag" in field.metadata:
            with pytest.raises(ValueError, match=rf"{name} = 1: must be true or false"):
                kind(**{name: 1})
            continue
        low, high = field.metadata["low"], field.metadata["high"]
        assert low <= default <= high
        assert unit
        assert about.startswith(("[pub]", "[data]", "[std]", "[ours]"))
        if name not in ORDERED:
            kind(**{name: low})
            kind(**{name: high})
        for wrong in (high * 1.01 + 1e-12, math.nan, math.inf, "1", None, True, low - 1.0):
            with pytest.raises(ValueError, match=rf"{kind.__name__}\.{name} = .*: must be from .* to "):
                kind(**{name: wrong})


def test_load_from_a_file(tmp_path):
    path = tmp_path / "weak.json"
    path.write_text('{"bridge": {"r_feed_ohm": 150, "select": "transistor"}}')
    params = MacroParams.load(path)
    assert params.name == "weak"
    assert params.bridge == BridgeParams(r_feed_ohm=150.0, select="transistor")
    path.write_text(json.dumps(MacroParams.ideal().as_dict()))
    assert MacroParams.load(path) == MacroParams.named(str(path)) == MacroParams.ideal()
    for text, message in (
        ("nonsense", "Expecting value"),
        ("[]", "a list, must be an object"),
        ('{"bridge": {"r_feed": 1}}', "BridgeParams has no field 'r_feed'"),
        ('{"bridge": 3}', "int"),
        ('{"neuron": {"cu_sigma": 9}}', "cu_sigma = 9: must be from 0.0 to 0.2"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf"weak.json: .*{message}"):
            MacroParams.load(path)


def test_timing_sets_the_times():
    """The reset values of the registers are the defaults; another clock or phase moves both."""
    assert MacroParams.real().at_timing(Timing()) == MacroParams.real()
    slow = MacroParams.real().at_timing(Timing(clock_s=10e-9, precharge_cyc=2, evaluate_cyc=3))
    assert slow.bridge.read_s == pytest.approx(50e-9)
    assert slow.neuron.evaluate_s == pytest.approx(30e-9)


def test_times_that_were_set_stay():
    given = MacroParams(bridge=BridgeParams(read_s=1e-9), neuron=NeuronParams(evaluate_s=2e-9))
    assert given.at_timing(Timing(clock_s=10e-9)) == given
    published = MacroParams.of_published()
    assert published.at_timing(Timing(clock_s=10e-9)) == published


def test_a_new_parameter_is_one_line():
    from bridgebnn.model.parameters.params import quantity

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class More(Quantities):
        droop_V: float = quantity(0.01, "V", 0.0, 1.0, "[ours] supply droop")

    assert More.from_dict(More(droop_V=0.5).as_dict()).droop_V == 0.5
    with pytest.raises(ValueError, match=r"More.droop_V = 2.0: must be from 0.0 to 1.0 V"):
        More(droop_V=2.0)


def test_ideal_has_no_spread():
    ideal = MacroParams.ideal()
    for part in (ideal.bridge, ideal.neuron):
        for name, value in part.as_dict().items():
            if "sigma" in name or "noise" in name:
                assert value == 0, name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MacroParams.named("perfect"),
            "macro = 'perfect': must be ideal, real, published, published-like or spice",
        ),
        (lambda: MacroParams.from_dict({"brige": {}}), "MacroParams has no field 'brige'"),
        (lambda: MacroParams.from_dict({"bridge": {"v_read": 1}}), "BridgeParams has no field 'v_read'"),
        (lambda: MacroParams.from_dict({"device": {"x": 1}}), "DeviceParams has no field 'x'"),
    ],
)
def test_messages(make, message):
    with pytest.raises(ValueError, match=message):
        make()
