"""Where a layer's inputs come from, for every combination of what the two sources are told."""

import itertools

import pytest

from bridgebnn.hdl.layers.layer_source import BankSource, MapSource
from tests.hdl.clocked import clocked

COMMON = ("first", "free", "loaded", "start_layer")
OF_MAPS = ("reads_map", "between", "available", "input_taken", "window_ready")


def of_bank(told) -> dict:
    """What a layer that reads no map is given."""
    return {
        "sourced": told["loaded"] if told["first"] else 1,
        "load": told["free"],
        "take": told["start_layer"] and told["first"],
    }


def of_map(told) -> dict:
    """What a layer that reads a map is given; the bank is taken by its last window alone."""
    if not told["reads_map"]:
        return of_bank(told) | {"take": of_bank(told)["take"] or told["input_taken"]}
    return {"sourced": told["window_ready"], "load": 0, "take": told["input_taken"]}


@pytest.mark.parametrize(
    ("block", "names", "wanted"), [(BankSource, COMMON, of_bank), (MapSource, COMMON + OF_MAPS, of_map)]
)
def test_every_combination(block, names, wanted):
    dut = block()

    async def scenario(ctx):
        for values in itertools.product((0, 1), repeat=len(names)):
            told = dict(zip(names, values, strict=True))
            for name, value in told.items():
                ctx.set(getattr(dut, name), value)
            assert {name: ctx.get(getattr(dut, name)) for name in wanted(told)} == wanted(told), told
            if block is MapSource:
                complete = told["free"] & told["available"] if told["first"] else told["between"]
                assert ctx.get(dut.map_ready) == complete, told

    clocked(dut, scenario)
