"""A quick part of ``make formal``: some proofs, a cover point, a broken design, and the tools themselves."""

import pytest

from bridgebnn.hdl.spec.pins import Bus
from bridgebnn.paths import PACKAGE
from bridgebnn.proofs.aiger import Aiger, read_witness, replay
from bridgebnn.proofs.design import GEOMETRY, Patch, generate
from bridgebnn.proofs.mutants import MUTANTS, WINDOW_MUTANTS
from bridgebnn.proofs.mutants_axi import AXI_MUTANTS, STREAM_MUTANTS
from bridgebnn.proofs.observer import Observer
from bridgebnn.proofs.prove import Model, prove, reach, refute
from bridgebnn.proofs.rules import COVERS, PROPERTIES, QUICK, SUBJECTS

pytestmark = pytest.mark.formal

LIMIT_S = 300
ALL_MUTANTS = MUTANTS | WINDOW_MUTANTS | AXI_MUTANTS | STREAM_MUTANTS
CHOSEN = [check for check in PROPERTIES + COVERS if check.name in QUICK]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formal")
    return Model(folder, GEOMETRY, CHOSEN, generate(folder, GEOMETRY))


@pytest.mark.parametrize("check", CHOSEN, ids=lambda check: check.name)
def test_quick_part_holds(model, check):
    result = (reach if check in COVERS else prove)(model, check, LIMIT_S)
    assert result.good, f"{result.status}, {result.method}\n{result.summary}"


def test_windows_hold(tmp_path):
    """With activation maps: INFER ends, windows are whole and in time, maps are written as they should be."""
    maps = SUBJECTS["maps"]
    chosen = [c for c in maps.properties if c.name in ("infer_ends", *maps.mutants)]
    model = Model(tmp_path, maps.geometry, chosen, generate(tmp_path, maps.geometry))
    for check in chosen:
        result = prove(model, check, LIMIT_S)
        assert result.good, f"{check.name}: {result.status}, {result.method}\n{result.summary}"


def test_axi_rules_hold(tmp_path):
    axi = SUBJECTS["axi"]
    model = Model(tmp_path, axi.geometry, list(axi.properties), generate(tmp_path, axi.geometry, bus=axi.bus))
    for check in axi.properties:
        result = prove(model, check, LIMIT_S)
        assert result.good, f"{check.name}: {result.status}, {result.method}\n{result.summary}"


def test_broken_design_is_refuted(tmp_path):
    (check,) = (check for check in PROPERTIES if check.name == "ack_err_apart")
    result = refute(tmp_path, GEOMETRY, check, *MUTANTS[check.name], LIMIT_S)
    assert result.good, f"{result.status}, {result.method}"
    assert (tmp_path / "mutants" / check.name / f"bare_{check.name}.vcd").stat().st_size > 0


def test_every_property_has_a_broken_design():
    rules = {check.name for check in PROPERTIES if check.rule != "-"}
    assert rules == set(MUTANTS)
    names = [check.name for check in PROPERTIES + COVERS]
    assert len(names) == len(set(names))
    assert set(QUICK) <= set(names)
    of_windows = {check.name for check in SUBJECTS["maps"].properties} - set(names)
    assert of_windows == set(WINDOW_MUTANTS)
    assert {check.name for check in SUBJECTS["axi"].properties} == set(AXI_MUTANTS)
    of_streams = {check.name for check in SUBJECTS["streams"].properties}
    assert of_streams - set(AXI_MUTANTS) == set(STREAM_MUTANTS)


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_every_check_finds_the_signals_it_names(subject, tmp_path):
    design = generate(tmp_path, subject.geometry, bus=subject.bus)
    checks = [*subject.properties, *subject.covers]
    observer = Observer(subject.geometry, design, checks)
    assert set(observer.outputs) == {check.name for check in checks}
    assert len(observer.taps) > (100 if subject.bus is Bus.WISHBONE else 7)
    assert "module observer" in observer.verilog()


@pytest.mark.parametrize("name", ALL_MUTANTS)
def test_patches_of_every_broken_design_fit(name):
    texts = {}
    for patch in ALL_MUTANTS[name][1]:
        text = texts.get(patch.file) or (PACKAGE / patch.file).read_text()
        assert text.count(patch.old) == 1, f"{patch.file}: {patch.old!r}"
        texts[patch.file] = text.replace(patch.old, patch.new)


def test_patch_that_does_not_fit_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="0 times 'no such text': must be 1"):
        generate(tmp_path, GEOMETRY, "broken", (Patch("hdl/control/safety.py", "no such text", ""),))


def counter() -> Aiger:
    """Two bits that count while the input is high; the output says 3."""
    inputs, enable, low, high = [2], 2, 4, 6
    ands = [
        (8, low, enable),  # carry
        (10, low ^ 1, enable ^ 1),
        (12, 11, 9),  # low ^ enable
        (14, high, 8),
        (16, high ^ 1, 9),
        (18, 17, 15),  # high ^ carry
        (20, high, low),
    ]
    ands = [(left, max(a, b), min(a, b)) for left, a, b in ands]
    return Aiger(inputs=inputs, latches=[(low, 12), (high, 18)], outputs=[20], ands=ands, names=["three"])


def test_replay_and_binary_format(tmp_path):
    file = tmp_path / "counter.aig"
    counter().write(file)
    with file.open("ab") as out:
        out.write(b"o0 three\n")
    vmap = tmp_path / "counter.vmap"
    vmap.write_text("input 0 0 enable\nwire 4 0 count\nwire 6 1 count\ninvwire 2 0 idle\n")
    circuit = Aiger.read(file)
    assert (circuit.ands, circuit.latches, circuit.outputs) == (
        counter().ands,
        counter().latches,
        counter().outputs,
    )
    trace = replay(circuit, vmap, ["1", "0", "1", "1", "1"])
    assert trace.signals["count"] == [0, 1, 1, 2, 3]
    assert trace.signals["idle"] == [0, 1, 0, 0, 0]
    assert trace.signals["three"] == [0, 0, 0, 0, 1]
    trace.write_vcd(tmp_path / "counter.vcd")
    assert "three" in (tmp_path / "counter.vcd").read_text()


def test_witness_skips_the_state_line(tmp_path):
    file = tmp_path / "w.cex"
    file.write_text("00\n1\n0\n.\n")
    assert read_witness(file) == ["1", "0"]
