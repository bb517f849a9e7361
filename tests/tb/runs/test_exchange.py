"""What crosses to the simulator's process: all of the job, the mapping once, and nothing that is mapped again."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Descriptor, ReadMode
from bridgebnn.model.flows.work import load_work, save_work
from bridgebnn.model.mapping import mapping as mapping_module
from bridgebnn.model.mapping.mapping import MappingError
from bridgebnn.model.mapping.mapping_file import load_mapping, save_mapping
from bridgebnn.model.npz import read_npz, write_npz
from bridgebnn.names import UnknownName
from bridgebnn.tb.runs import exchange, jobs
from bridgebnn.tb.runs.exchange import receive, send
from bridgebnn.tb.runs.jobs import CampaignJob, InferJob, ProgramJob, ScenariosJob

from .stand_in import GEOMETRY, job, network


def same(ours, theirs):
    for name in ("geometry", "descriptors", "report", "repairs"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("thresholds", "images", "masks"):
        one, other = getattr(ours, name), getattr(theirs, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other), name


@pytest.mark.parametrize("combine", Combine)
def test_a_job_arrives_as_it_was_sent(combine, tmp_path, monkeypatch):
    sent = job(
        network=network(11), images=np.eye(11, dtype=int), combine=combine, labels=range(11), chip=2**64 - 1
    )
    sent = sent.replace(macro="real", faults={"resolve_cyc": 3}, final_mode=ReadMode.SEARCH)
    same_job = send(sent, tmp_path)
    maps, loads = [], []
    monkeypatch.setattr(mapping_module, "map_network", lambda *a, **k: maps.append(1))
    monkeypatch.setattr(jobs, "map_network", lambda *a, **k: maps.append(1))
    load = exchange.Network.load
    monkeypatch.setattr(exchange.Network, "load", lambda path: loads.append(path.name) or load(path))
    got = receive(InferJob, same_job)
    for name in sent:
        if name not in ("network", "images"):
            assert got[name] == sent[name], name
    assert np.array_equal(got.images, sent.images)
    same(got.mapping, sent.mapping)
    assert maps == []
    assert loads == ["network.npz"] + ["effective.npz"] * (combine is Combine.VOTE)
    assert (got.mapping.network is got.network) == (combine is Combine.ADD)


def test_other_kinds(tmp_path):
    for kind, sent in (
        (ProgramJob, ProgramJob(random="3x9", chip=5)),
        (CampaignJob, CampaignJob(faults=["stuck:1:0"], seed=3)),
        (ScenariosJob, ScenariosJob(**job(program="preload"), scenarios=["nothing"])),
    ):
        got = receive(kind, send(sent, tmp_path))
        assert all(got[name] == sent[name] for name in sent if name not in kind.OPAQUE)
    work = ProgramJob(random="3x9", chip=5).work
    save_work(work, tmp_path / "w.npz")
    read = load_work(tmp_path / "w.npz")
    assert (read.geometry, read.timing, read.name) == (work.geometry, work.timing, work.name)
    assert np.array_equal(read.images, work.images)
    assert np.array_equal(read.masks, work.masks)


def test_unknown_fields_end_the_far_side_too(tmp_path):
    values = send(job(), tmp_path)
    with pytest.raises(UnknownName, match="InferJob has no field 'sees'; did you mean 'seed'"):
        receive(InferJob, values | {"sees": 1})
    with pytest.raises(ValueError, match="InferJob without 'folder': must come from"):
        receive(InferJob, {})


def test_paths_do_not_depend_on_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = send(job(waves="w.vcd", attach="strobe", verilog="c.v"), tmp_path)
    assert (values["waves"], values["verilog"]) == (str(tmp_path / "w.vcd"), str(tmp_path / "c.v"))


def test_a_mapping_file_that_does_not_fit_is_refused(tmp_path):
    path, made = tmp_path / "m.npz", job().mapping
    save_mapping(made, path)
    first = path.read_bytes()
    save_mapping(made, path)
    assert path.read_bytes() == first
    same(load_mapping(path, made.network), made)
    with pytest.raises(MappingError, match=r"m\.npz: layer 0: 6 inputs and 3 outputs, must be 11 and 3"):
        load_mapping(path, network(11))
    entries = read_npz(path, format="bridgebnn-mapping", version=2, error=ValueError).arrays
    bad = np.array([Descriptor(row_count=3, cols=6, cols_last=6, tile_first=9).words()] * 2, np.uint32)
    for key, value, message in (
        ("masks", np.zeros((1, 1, 1), np.uint8), "masks are uint8 of shape"),
        ("thresholds", np.zeros(3), "thresholds are float64"),
        ("about", "{}", "needs geometry, repairs, report"),
        ("about", "{", "Expecting property name"),
        ("descriptors", bad, "tiles end inside the 2"),
    ):
        write_npz(path, entries | {key: value})
        with pytest.raises(MappingError, match=message):
            load_mapping(path, made.network)
    assert GEOMETRY.tiles == 2
