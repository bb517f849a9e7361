"""Runs in several processes: how images are split, and how each field of the parts' reports is merged."""

import threading

import numpy as np
import pytest

from bridgebnn.hdl.spec import ReadMode
from bridgebnn.model.mapping.row_programs import row_reads
from bridgebnn.tb.runs import parts as parts_module
from bridgebnn.tb.runs import runner
from bridgebnn.tb.runs.parts import Together, merge, split
from bridgebnn.tb.runs.reports import RunReport
from bridgebnn.tb.runs.runner import infer
from bridgebnn.tb.simulators import SimulationError

from .stand_in import RESULT, job, stand_in

RULES = (
    *(parts_module.SAME, parts_module.SUMS, parts_module.JOINED, parts_module.FIRST, parts_module.EVERY),
    *(parts_module.SHARES, parts_module.LONGEST, parts_module.DERIVED, parts_module.WHOLE),
)


def vectors(count):
    return np.random.default_rng(3).integers(0, 2, (count, 6))


def reports(*changes):
    """Reports of parts of two images each."""
    return [RunReport.from_dict(RESULT | change) for change in changes]


def test_every_field_of_a_report_has_one_rule():
    names = [name for rule in RULES for name in rule]
    assert sorted(names) == sorted(RunReport.__struct_fields__)


@pytest.mark.parametrize(
    ("images", "jobs", "sizes"), [(7, 3, [2, 2, 3]), (7, 1, [7]), (2, 5, [1, 1]), (8, 4, [2] * 4)]
)
def test_split(images, jobs, sizes):
    whole = job(images=vectors(images), labels=range(images), before=5)
    found = split(whole, jobs)
    assert [len(part.images) for part in found] == sizes
    assert np.array_equal(np.concatenate([part.images for part in found]), whole.images)
    assert sum((part.labels for part in found), ()) == whole.labels
    assert [part.before for part in found] == [5 + sum(sizes[:k]) for k in range(len(sizes))]
    assert all(part.mapping is whole.mapping for part in found)


@pytest.mark.parametrize("jobs", [0, -1, 65, 1.5, True, "2"])
def test_a_number_of_jobs_that_is_not_legal(jobs):
    with pytest.raises(ValueError, match=r"jobs = .*: must be an integer from 1 to 64"):
        infer(job(), jobs=jobs)


def test_waveforms_are_of_one_process():
    waves = job(attach="strobe", waves="w.vcd")
    assert len(split(waves, 1)) == 1
    with pytest.raises(ValueError, match="waves with jobs = 2: must be 1"):
        split(waves, 2)


def test_row_reads_count_windows_and_comparisons():
    plain = row_reads(job().mapping.programs, job().geometry)
    assert plain.sum() == 3 + 2
    assert plain.max() == 1
    search = job(final_mode=ReadMode.SEARCH)
    scores = search.mapping.programs[-1]
    reads = row_reads(search.mapping.programs, search.geometry)
    assert scores.comparisons > 1
    assert (reads[scores.reads[0].tile, scores.rows] == scores.comparisons).all()


def test_merge():
    agent = {"pulses": 5, "verifies": 4}
    common = {"accuracy": 0.5, "golden_accuracy": 1.0, "state_equal": True, "busy_cycles": 21}
    one, other = reports(
        common | {"agent": agent | {"row_reads": 7, "inferring": 6}, "wall_s": 2.0, "log": "a"},
        common
        | {
            "agent": agent | {"row_reads": 6, "inferring": 5},
            "wall_s": 1.0,
            "log": "b",
            "row_reads": 3,
            "accuracy": 1.0,
        }
        | {"golden_mismatches": 2, "golden_first": "vector 3, class", "golden_images": None},
    )
    whole = merge(split(job(images=vectors(4)), 2), [one, other])
    assert (whole.images, whole.compared, whole.row_reads, whole.cycles) == (4, 12, 7, 60)
    assert (whole.accuracy, whole.golden_accuracy) == (0.75, 1.0)
    assert whole.classes == one.classes * 2
    assert whole.scores == RESULT["scores"] * 2
    assert (whole.golden_mismatches, whole.golden_first, whole.golden_images) == (2, "vector 3, class", None)
    assert (whole.wall_s, whole.cpu_s, whole.cycles_per_s) == (2.0, 0.8, 30.0)
    assert (whole.busy_cycles, whole.cycles_per_image) == (42, 10.5)
    # the second one's read before its inference is the first one's again
    assert (whole.agent.row_reads, whole.agent.inferring) == (7 + 5, 6 + 5)
    assert [(p.before, p.images, p.log) for p in whole.parts] == [(0, 2, "a"), (2, 2, "b")]
    assert whole.ok is False
    assert whole.state_equal is True
    assert RunReport.from_dict(whole.as_dict()) == whole


def test_a_chip_that_differs_counts_once():
    bad = {"state_equal": False, "model_mismatches": 3, "model_first": "vector 1, scores"}
    found = merge(split(job(images=vectors(4)), 2), reports(bad, bad | {"model_mismatches": 1}))
    assert (found.model_mismatches, found.state_equal, found.ok) == (
        3,
        False,
        False,
    )  # 2 values, and the state


def test_parts_that_are_not_of_one_run():
    pulses = {"programming": RESULT["programming"] | {"pulses": 6}}
    with pytest.raises(
        SimulationError, match=r"PartsDiffer: programming of the images from 2 on is .*pulses=6"
    ):
        merge(split(job(images=vectors(4)), 2), reports({}, pulses))
    slower = {"programming": RESULT["programming"] | {"wall_s": 9.0}}
    assert merge(split(job(images=vectors(4)), 2), reports({}, slower)).programming.wall_s == 9.0


def test_infer_builds_once_and_runs_each_part(monkeypatch):
    simulator, built = stand_in(monkeypatch), []
    monkeypatch.setattr(runner, "build", lambda simulation: (built.append(simulation), (None, 2.5))[1])
    report = infer(job(images=vectors(6), labels=[0] * 6), jobs=3)
    assert len(built) == 1
    assert sorted(received.before for received in simulator.received) == [0, 2, 4]
    assert (report.images, report.build_s, len(report.parts)) == (6, 2.5, 3)
    assert report.labels == [0] * 6
    assert [wrong.image for wrong in report.wrong] == [1, 3, 5]
    assert report.versions
    assert infer(job(), jobs=1).parts == []


def test_a_part_that_fails_ends_the_others_and_names_its_images(monkeypatch):
    stand_in(monkeypatch)
    monkeypatch.setattr(runner, "build", lambda simulation: (None, 0.0))
    ended = threading.Event()

    def part(given, **options):
        if given.before == 2:
            raise SimulationError("Crash", "no memory", None)
        assert ended.wait(20)
        raise SimulationError("Crash", "killed", None)

    def kill(*_):
        ended.set()
        return iter(())

    monkeypatch.setattr(runner, "_part", part)
    monkeypatch.setattr("bridgebnn.processes._live", type("Live", (), {"__iter__": kill})())
    with pytest.raises(SimulationError, match="Crash: images 2 to 3: no memory"):
        infer(job(images=vectors(4)), jobs=2)
    assert ended.is_set()


def test_progress_of_all_parts():
    seen = []
    together = Together(seen.append, split(job(images=vectors(5)), 2))
    one, other = together.of(0), together.of(1)
    one({"stage": "program", "done": 3, "total": 10})
    other({"stage": "program", "done": 10, "total": 10})
    one({"stage": "infer", "done": 1, "total": 2})
    other({"stage": "infer", "done": 3, "total": 3})
    assert [(r["stage"], r["done"], r["total"]) for r in seen] == [
        ("program", 3, 20), ("program", 13, 20), ("infer", 1, 5), ("infer", 4, 5),
    ]  # fmt: skip
