"""Monte Carlo runs: the same bytes whoever does them, in whatever order, however often they were killed."""

import dataclasses
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode, Timing
from bridgebnn.model.__main__ import main
from bridgebnn.model.flows import inference
from bridgebnn.model.flows.ledger import ReadLedger, inference_events
from bridgebnn.model.macro.energy import report_of
from bridgebnn.model.macro.published import array_of
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.npz import npz_bytes
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.studies.montecarlo import Condition, Plan, evaluate
from bridgebnn.model.studies.montecarlo_report import MonteCarloReport, energy_of_chips
from bridgebnn.model.studies.montecarlo_runs import Run, executor
from tests.model.reference import random_network

GEOMETRY = Geometry(tiles=2, rows=40, inputs=41, bias=4)
CONDITIONS = ("published:clock=6,cell-errors=0.05", "array:macro=real", "bridge:spread=3", "conventional")


def plan(conditions=CONDITIONS, images=30):
    rng = np.random.default_rng(4)
    return Plan(
        network=random_network(rng, [60, 21, 12, 5], spread=4),
        geometry=GEOMETRY,
        combine=Combine.ADD,
        final_mode=ReadMode.COUNT,
        images=np.packbits(rng.integers(0, 2, (images, 60), dtype=np.uint8), axis=1),
        labels=rng.integers(0, 5, images),
        conditions=tuple(map(Condition.parse, conditions)),
    )


def run(folder, given=None, chips=7, part=2):
    return Run(folder, given or plan(), first=11, chips=chips, part=part, about={"network": "n"})


def complete(folder, jobs=1, scheduler=None, **given):
    with executor(jobs, scheduler) as pool:
        return run(folder, **given).complete(pool, jobs)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serial")
    return folder, complete(folder)


def test_results_are_those_of_each_chip_alone(serial):
    folder, outcome = serial
    assert sorted(contents(folder)) == ["manifest.json", *(f"part-0000{k}.npz" for k in range(4))]
    assert outcome.chips.tolist() == list(range(11, 18))
    given = plan()
    mapping = map_network(given.network, GEOMETRY)
    images = np.unpackbits(given.images, axis=1, count=60)
    for c, macro in enumerate(
        (MacroParams.of_published(clock_ns=6, cell_error_rate=0.05), MacroParams.real())
    ):
        for k in (0, 6):
            array = array_of(GEOMETRY, macro, 11 + k)
            inference.load(mapping, array)
            alone = inference.run(mapping, array, images).classes
            assert np.array_equal(outcome.classes[c, k], alone)
            assert outcome.right[c, k] == (alone == given.labels).sum()
    assert len({row.tobytes() for row in outcome.classes[0]}) == 7  # chips differ
    last = evaluate(given, 3, range(17, 18))
    assert last.content == (folder / "part-00003.npz").read_bytes()


def test_chips_are_those_of_the_first_version():
    """Faster is fine, other is not: classes as they were before draws came in blocks, chips 11 to 14, 200 images."""
    with np.load(io.BytesIO(evaluate(plan(images=200), 0, range(11, 15)).content)) as part:
        found = [hashlib.sha256(of_chips.tobytes()).hexdigest()[:16] for of_chips in part["classes"]]
    assert found == ["4e09fa90d207e605", "d49fc293ad981b98", "bdac58ab38912f7e", "276e0527d33ff555"]


def test_a_run_goes_on_where_it_ended(serial, tmp_path):
    """Parts in any order, some there already: nothing is done twice, and the bytes are the same."""
    folder, outcome = serial
    todo = run(tmp_path)
    for number in (2, 0):
        todo.path(number).write_bytes((folder / todo.path(number).name).read_bytes())
    (tmp_path / "part-00001.npz.part").write_bytes(b"half of it")  # where a kill leaves it
    before = {n: todo.path(n).stat().st_mtime_ns for n in (0, 2)}
    assert todo.missing() == [1, 3]
    with executor(1) as pool:
        again = todo.complete(pool, 1)
    assert again.kept == 4
    assert contents(tmp_path) == contents(folder)
    assert {n: todo.path(n).stat().st_mtime_ns for n in (0, 2)} == before
    assert np.array_equal(again.classes, outcome.classes)


def test_energy_is_that_of_each_chip_alone(serial, tmp_path):
    """Events in whole numbers, chip by chip as the ledger counts them alone; classes are those of a run without."""
    given = dataclasses.replace(plan(), energy=True)
    outcome = complete(tmp_path, given=given)
    assert np.array_equal(outcome.classes, serial[1].classes)
    assert given.digest != plan().digest != dataclasses.replace(given, timing=Timing(evaluate_cyc=2)).digest
    mapping, images = map_network(given.network, GEOMETRY), np.unpackbits(given.images, axis=1, count=60)
    macro = MacroParams.real()
    alone = []
    for chip in range(11, 18):
        array = array_of(GEOMETRY, macro, chip)
        inference.load(mapping, array)
        ledger = ReadLedger(array, mapping.programs, Timing())
        inference.run(mapping, array, images, ledger=ledger)
        alone.append(inference_events(ledger, mapping, len(images)))
    assert outcome.events[1] == alone
    assert outcome.events[2] == outcome.events[3] == [None] * 7
    found = energy_of_chips(alone, macro, GEOMETRY, Timing(), images=30, chips=outcome.chips)
    each = [report_of(events, macro, GEOMETRY, Timing(), inferences=30) for events in alone]
    joules = [one.per_inference_J for one in each]
    assert found.mean_J == pytest.approx(np.mean(joules))
    assert found.parts.total_J == pytest.approx(found.mean_J)
    assert (found.low_J, found.high_J) == (pytest.approx(min(joules)), pytest.approx(max(joules)))
    assert found.std_J == pytest.approx(np.std(joules, ddof=1))
    assert found.dearest_chip == 11 + int(np.argmax(joules))
    assert len(set(joules)) == 7
    assert found.per_operation_J == pytest.approx(np.mean([one.per_operation_J for one in each]))
    with pytest.raises(ValueError, match="another run, which differs in digest"):
        run(tmp_path)


def test_energy_on_the_command_line(tmp_path, capsys):
    """Priced as the model's own inference; a chip whose events were stored wrongly is found."""
    options = [
        "montecarlo",
        "--preset",
        "digits",
        "--images",
        "20",
        "--chips",
        "2",
        "--part",
        "1",
        "--jobs",
        "1",
    ]
    options += ["--energy", "--out", str(tmp_path / "run")]
    options += ["--condition", "published:clock=6", "--condition", "array:macro=real"]
    assert main([*options, "--json", str(tmp_path / "r.json")]) == 0
    published, ours = MonteCarloReport.load(tmp_path / "r.json").conditions
    assert published.energy.macro_tops_per_w > ours.energy.macro_tops_per_w * 0.5 > 0
    assert main([*options, "--replay", "2"]) == 0
    assert "nJ an inference" in capsys.readouterr().out
    path = next(p for p in sorted((tmp_path / "run").glob("part-*.npz")))
    with np.load(path) as entries:
        values = {name: entries[name] for name in entries.files}
    values["events"] = str(values["events"]).replace('"comparisons": ', '"comparisons": 1', 1)
    path.write_bytes(npz_bytes(values))
    assert main([*options, "--replay", "1"]) == 1
    assert "which differs from the run" in capsys.readouterr().out


def test_transistors_are_no_condition():
    with pytest.raises(ValueError, match="macro 'spice': must be another"):
        Condition.parse("array:macro=spice")


@pytest.mark.slow
def test_processes_give_the_same_bytes(serial, tmp_path):
    complete(tmp_path, jobs=2)
    assert contents(tmp_path) == contents(serial[0])


def test_what_is_no_part_of_the_run_is_refused(serial, tmp_path):
    folder, _ = serial
    for name, content in contents(folder).items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"another run, which differs in chips; give another folder"):
        run(tmp_path, chips=8)
    with pytest.raises(ValueError, match="differs in digest"):
        run(tmp_path, given=plan(images=29))
    (tmp_path / "part-00001.npz").write_bytes((folder / "part-00000.npz").read_bytes())
    with pytest.raises(ValueError, match=r"part-00001.npz: a part of another run"), executor(1) as pool:
        run(tmp_path).complete(pool, 1)
    (tmp_path / "part-00001.npz").write_bytes((folder / "part-00001.npz").read_bytes()[:-50])
    with pytest.raises(ValueError, match=r"part-00001.npz"), executor(1) as pool:
        run(tmp_path).complete(pool, 1)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ValueError, match=r"has parts of a run but no manifest.json"):
        run(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("publishd", "no circuit 'publishd'; did you mean 'published'"),
        ("published:clok=6", "no option 'clok'|no field 'clok'"),
        ("published:clock=7", "clock_ns = 7"),
        ("published:cell-errors=x", "cell-errors = 'x': must be a number"),
        ("array:macro=reel", "macro = 'reel': must be ideal, real, published, published-like or spice"),
        ("bridge:spread=1,wire=2", "spread and wire: only one of them"),
        ("bridge:spread=-1", "must be from 0 to 100"),
    ],
)
def test_conditions_are_checked(text, message):
    with pytest.raises(ValueError, match=message) as error:
        Condition.parse(text)
    assert text in str(error.value)


COMMAND = ["montecarlo", "--images", "40", "--condition", "published:clock=6,cell-errors=0.1", "--chip", "5"]


def command(folder, *more):
    return [*COMMAND, "--out", str(folder), "--part", "2", "--jobs", "1", *more]


@pytest.mark.slow
def test_a_killed_command_goes_on_and_is_replayed(tmp_path, capsys):
    """SIGKILL in mid-run; the same command completes it, byte for byte as one that was left alone."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    given = ("--chips", "30")
    process = subprocess.Popen(
        [sys.executable, "-m", "bridgebnn", "model", *command(killed, *given)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while len(list(killed.glob("part-*.npz"))) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = len(list(killed.glob("part-*.npz")))
    assert 3 <= there < 15
    report = tmp_path / "report.json"
    assert main(command(killed, *given, "--json", str(report))) == 0
    found = MonteCarloReport.load(report)
    assert (found.chips, found.kept_chips, found.images) == (30, 2 * there, 40)
    assert main(command(whole, *given)) == 0
    assert contents(whole) == contents(killed)
    capsys.readouterr()
    assert main(command(whole, *given, "--replay", "17")) == 0
    out = capsys.readouterr().out
    assert "chip 17, published:clock=6,cell-errors=0.1" in out
    assert "0 of 40 images differ from the run" in out
    assert "bridgebnn tb infer --macro published --clock 6 --cell-errors 0.1 --chip 17 --images 40" in out
    # a chip that was stored wrongly is found
    path = whole / "part-00006.npz"
    path.write_bytes(evaluate_other(path))
    assert main(command(whole, *given, "--replay", "17")) == 1
    assert main(command(whole, *given, "--replay", "45")) == 2
    assert "must be from 5 to 34" in capsys.readouterr().err


def evaluate_other(path):
    """The part with every class of its first chip moved by one."""
    with np.load(path) as entries:
        values = {name: entries[name] for name in entries.files}
    values["classes"] = (values["classes"] + 1) % 10
    return npz_bytes(values)


def test_the_manifest_says_what_the_run_is(serial):
    about = json.loads((serial[0] / "manifest.json").read_text())
    assert about["conditions"] == list(CONDITIONS)
    assert (about["first_chip"], about["chips"], about["chips_per_part"]) == (11, 7, 2)


def test_without_dask_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"--scheduler needs Dask: pip install 'bridgebnn\[dask\]'"):
        with executor(2, "local"):
            pass


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_dask_gives_the_same_bytes_also_when_a_worker_is_killed(serial, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        killed = []

        def kill_one():
            """When the first part is there."""
            while not list(tmp_path.glob("part-*.npz")):
                time.sleep(0.01)
            victim = next(iter(cluster.workers.values()))
            killed.append(victim.pid)
            os.kill(victim.pid, signal.SIGKILL)

        thread = threading.Thread(target=kill_one)
        thread.start()
        with executor(2, cluster.scheduler_address) as pool:
            run(tmp_path, part=1).complete(pool, 2)
        thread.join()
    assert killed
    alone = tmp_path.parent / "alone"
    complete(alone, part=1)
    assert contents(tmp_path) == contents(alone)
