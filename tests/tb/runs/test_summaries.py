"""What several runs give together: the files that `bench` and `demo` write, and what they refuse."""

import argparse
import json

import jsonschema
import pytest

from bridgebnn.names import UnknownName
from bridgebnn.schemas import schema_of
from bridgebnn.tb.commands import bench
from bridgebnn.tb.runs.reports import RunReport
from bridgebnn.tb.runs.summaries import BenchReport, CampaignReport, DemoReport
from tests.tb.runs.stand_in import RESULT


@pytest.mark.parametrize(("seconds", "status"), [(1.2, 0), (1.3, 1)])
def test_a_bench_is_judged_by_what_the_physics_costs(seconds, status, monkeypatch, tmp_path, capsys):
    def infer(job, show):
        slow = job.attach == "prefetch" and job.sim == "verilator"
        return RunReport.from_dict(RESULT | {"cpu_s": seconds if slow else 1.0})

    monkeypatch.setattr(bench, "infer", infer)
    monkeypatch.setattr(bench, "_models", lambda chosen, images: {"golden_over_float32": 2.5})
    monkeypatch.setattr(bench, "_chips", lambda chosen, images: {"chip_real_over_products": 187.0})
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    file = tmp_path / "bench.json"
    few = ["--preset", "paper23", "--verilator-images", "1", "--icarus-images", "1", "--repeat", "1"]
    assert bench.run(parser.parse_args([*few, "--json", str(file)])) == status
    found = json.loads(file.read_text())
    jsonschema.validate(found, schema_of(BenchReport))
    assert BenchReport.load(file).as_dict() == found
    assert found["prefetch_cost"] == pytest.approx(seconds - 1)
    assert len(found["simulators"]) == 2 * len(bench.RUNS)
    assert "golden over float32" in capsys.readouterr().out


def test_a_demo_holds_its_runs():
    runs = [RunReport.from_dict(RESULT)]
    found = DemoReport(wall_s=1.5, runs=runs).as_dict()
    jsonschema.validate(found, schema_of(DemoReport))
    assert found["runs"] == [runs[0].as_dict()]
    assert DemoReport.from_dict(found).runs == runs


def test_other_names_and_versions_are_refused():
    with pytest.raises(UnknownName, match="CampaignReport needs"):
        CampaignReport(seed=1)
    with pytest.raises(ValueError, match=r"DemoReport.schema_version = 2: must be 1"):
        DemoReport(schema_version=2, wall_s=1.0, runs=[])
