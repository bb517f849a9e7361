"""Functional coverage of a run on Icarus: what one testbench hits is counted, what it does not is told."""

import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.tb.campaign.coverage import Verdict, collect, judged

pytestmark = pytest.mark.icarus

TINY = Geometry(
    tiles=1, rows=4, inputs=3, bias=1, thresholds=4, layers=1, scores=2, count_width=4, log_depth=4
)


def test_what_a_testbench_hits_is_counted():
    stages = []
    hits, seconds = collect(
        "tiny", TINY, ("interrupts",), "icarus", lambda record: stages.append(record["stage"])
    )
    assert set(seconds) == {"interrupts"}
    assert "tiny, test interrupts" in stages
    found = {(point.group, point.name): point for point in judged([TINY], hits, {})}
    verdicts = {point.verdict for point in found.values()}
    assert verdicts == {Verdict.HIT, Verdict.UNHIT}
    for hit in (
        ("arcs", "arbiter.CHECK_COMMAND > AWAIT_END"),
        ("states", "layer.READ"),
        ("commands", "INFER done"),
        ("interrupts", "log_overflow on the pin"),
        ("fields", "IRQ_ENABLE.done written 0x1"),
    ):
        assert found[hit].verdict == Verdict.HIT, hit
        assert found[hit].tests["interrupts"] > 0
    for unhit in (("errors", "COMPARATOR_TIMEOUT"), ("refusals", "ID written"), ("phases", "rails lost")):
        assert found[unhit].verdict == Verdict.UNHIT, unhit
