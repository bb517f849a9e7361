"""What row reads cost, counted by visits: against a count by hand, and against the energy of each read by itself."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode, Timing
from bridgebnn.hdl.spec.latency import row_cycles
from bridgebnn.model.flows import inference
from bridgebnn.model.flows.ledger import ReadLedger, inference_events
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.energy import (
    EnergyParams,
    ReadPoint,
    current_s,
    price,
    report_of,
    row_read_energy,
)
from bridgebnn.model.macro.events import EnergyParts, EnergyReport, Events
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network
from bridgebnn.model.parameters.params import MacroParams
from tests.model.reference import random_network

TIMING = Timing()


def one_layer(weights, output="sign"):
    """A network of one dense layer without thresholds."""
    n_out, n_in = weights.shape
    layer = Dense(
        weights=weights,
        thresholds=np.zeros((1, n_out), int),
        polarity=np.ones((1, n_out), int),
        group_sizes=np.array([n_in]),
        combine=Combine.ADD,
        output=output,
    )
    return Network(name="one", operations=(layer,))


def counted(mapping, params, images, chip=1, timing=TIMING, **options):
    """Array and ledger after an inference."""
    array = Array(mapping.geometry, params, chip)
    inference.load(mapping, array)
    ledger = ReadLedger(array, mapping.programs, timing)
    inference.run(mapping, array, images, ledger=ledger, **options)
    return array, ledger


@pytest.mark.parametrize(("mode", "turns", "cycles"), [(ReadMode.SEARCH, 2, 3), (ReadMode.COUNT, 1, 3)])
def test_one_small_layer_by_hand(mode, turns, cycles):
    """Two rows of three inputs, two images, on an ideal chip of 3 columns.

    Weights 110 and 101 (1 is +1). Image 111: XNOR 110, 101. Image 011: XNOR 010, 001.
    """
    geometry = Geometry(tiles=1, rows=2, inputs=3, bias=0, count_width=4)
    network = one_layer(np.array([[1, 1, -1], [1, -1, 1]]), "score")
    mapping = map_network(network, geometry, final_mode=mode)
    params = MacroParams.ideal()
    device = params.device
    array, ledger = counted(mapping, params, np.array([[1, 1, 1], [0, 1, 1]]))
    events = inference_events(ledger, mapping, 2)
    # Every bridge is LRS + HRS over 1.8 V; SL is at HRS/(LRS + HRS) of it where the bit is 1, else at LRS/(..).
    path_ohm = device.lrs_nominal_ohm + device.hrs_nominal_ohm
    pA = round(1.8 / path_ohm * 1e12)
    high, low = (round(1.8 * r / path_ohm * 1e6) for r in (device.hrs_nominal_ohm, device.lrs_nominal_ohm))
    # Bits row by row: 110 101 010 001, from 000 at 0 V.
    rises = 2 + 1 + 1 + 1
    falls = 0 + 1 + 2 + 1
    assert events == Events(
        row_reads={mode.name: 4},
        evaluations={mode.name: 4 * turns},
        comparisons=4 * turns if mode is ReadMode.SEARCH else 0,
        columns=3 * 4 * turns,
        line_changes=3 + 1,
        bridge_pA_cycles=12 * pA * turns * cycles,
        sl_uV=6 * high + 6 * low,
        sl_rise_uV=(2 * high + low) + 3 * (high - low),
        buffer_rises=rises,
        buffer_falls=falls,
        ones=6 * turns,
        ones_squared=(4 + 4 + 1 + 1) * turns,
        zeros_squared=(1 + 1 + 4 + 4) * turns,
        operations=2 * 3 * 4,
        read_cycles=4 * turns * cycles,
        cycles=4 * turns * cycles + 2 * 3,
        bus_reads=2 * (2 + 1 + 2),
        bus_writes=2 * (1 + 2),
    )
    # .. and priced: every joule by hand.
    p, vdd, cu = EnergyParams(), 1.8, params.neuron.cu_F
    line = vdd * cu / (3 * cu + params.neuron.cpar_F + 3 * params.neuron.cpar_column_F)
    gates_C = 12 * p.c_select_F * 3.3 - p.c_channel_F * 6 * (high + low) * 1e-6
    plates = vdd * cu * (36 / 3 * vdd - 20 * line) * turns + vdd**2 * 12 * turns * p.c_plate_F
    found = price(events, params, geometry, TIMING)
    expected = EnergyParts(
        bridges_J=1.8 * 12 * pA * 1e-12 * turns * cycles * 20e-9,
        bit_lines_J=4 * 2 * p.c_bl_row_F * 1.8**2,
        source_lines_J=2 * p.c_sl_row_F * 1.8 * events.sl_rise_uV * 1e-6,
        word_line_J=3.3 * (2 * gates_C + 4 * 3 * p.c_wl_column_F * 3.3),
        buffers_J=vdd**2 * (5 * p.c_rise_F + 4 * p.c_fall_F),
        plates_J=plates + vdd**2 * 9 * p.c_change_F,
        comparator_J=events.comparisons * p.c_comparator_F * vdd**2,
        clocks_J=4 * turns * (3 * p.c_gate_F + p.c_precharge_F) * vdd**2,
        controller_J=events.cycles * (p.c_controller_F + 3 * p.c_controller_column_F) * vdd**2,
        bus_J=16 * p.c_bus_F * vdd**2,
    )
    for part in expected:
        assert found[part] == pytest.approx(expected[part]), part
    report = report_of(events, params, geometry, TIMING, inferences=2)
    assert report.per_inference_J == pytest.approx(sum(expected[part] for part in expected) / 2)
    assert report.tops_per_w == pytest.approx(24 / (2 * report.per_inference_J) * 1e-12)
    assert (array.reads == ledger.evaluated).all()


@pytest.mark.parametrize("final", [ReadMode.COUNT, ReadMode.SEARCH], ids=lambda m: m.name.lower())
def test_visits_cost_what_their_reads_cost_one_by_one(final):
    geometry = Geometry(tiles=2, rows=24, inputs=23, bias=2, thresholds=64, count_width=8)
    rng = np.random.default_rng(3)
    network = random_network(rng, [40, 9, 7, 5], spread=3)
    mapping = map_network(network, geometry, final_mode=final)
    params = MacroParams.real()
    images = rng.integers(0, 2, (5, 40))
    array, ledger = counted(mapping, params, images, batch=2)
    parts = price(ledger.events, params, geometry, TIMING)
    total = dict.fromkeys(parts, 0.0)
    columns = geometry.columns
    rest = {t: (np.zeros(columns), np.zeros(columns), np.zeros(columns, bool)) for t in range(geometry.tiles)}
    for image in images:
        given = {None: image[None]}
        for program in mapping.programs:
            bits = given[program.source]
            answers = inference._read(array, program, bits)
            given[program.operation] = (program.combined(answers) >= 0).astype(np.uint8)
            for read in program.reads:
                x = read.column_data(bits)[0]
                at = array.operating_points(read.tile, read.rows, read.col_en)
                for row in range(len(read.rows)):
                    v = np.where(x, at.v1_V[row], at.v0_V[row]) * read.col_en
                    q = np.where(x, at.s1[row], at.s0[row]) & read.col_en
                    state = np.where(read.col_en, np.where(x, 1, -1), 0)
                    v_before, state_before, q_before = rest[read.tile]
                    energy = row_read_energy(
                        current_A=np.where(x, at.i1_A[row], at.i0_A[row]),
                        v_sl_V=v,
                        v_sl_before_V=v_before,
                        x=state,
                        x_before=state_before,
                        q=q,
                        q_before=q_before,
                        point=dataclasses.replace(
                            ReadPoint.of(params, geometry, TIMING),
                            current_s=current_s(read.mode, TIMING, geometry),
                        ),
                        params=EnergyParams(),
                        neuron=params.neuron,
                        comparisons=0 if read.mode is ReadMode.COUNT else read.comparisons,
                        enabled=read.col_en,
                    )
                    for field in dataclasses.fields(energy):
                        total[field.name] += float(getattr(energy, field.name))
                    fell = q_before & ~q & ~read.col_en  # columns that were switched off
                    total["buffers_J"] += EnergyParams().c_fall_F * params.neuron.vdd_V**2 * fell.sum()
                    total["plates_J"] += EnergyParams().c_change_F * params.neuron.vdd_V**2 * fell.sum()
                    rest[read.tile] = v, state, q
    for name in parts:
        if name not in ("controller_J", "bus_J"):
            assert parts[name] == pytest.approx(total[name], rel=1e-6), name


def test_batches_do_not_matter_and_every_evaluation_is_counted():
    geometry = Geometry(tiles=2, rows=24, inputs=23, bias=2, thresholds=64, count_width=8)
    rng = np.random.default_rng(4)
    mapping = map_network(random_network(rng, [40, 9, 5], spread=3), geometry, final_mode=ReadMode.SEARCH)
    images = rng.integers(0, 2, (7, 40))
    array, whole = counted(mapping, MacroParams.real(), images)
    _, parts = counted(mapping, MacroParams.real(), images, batch=3)
    assert whole.events == parts.events
    assert (whole.evaluated == array.reads).all()
    assert sum(whole.events.evaluations.values()) == array.reads.sum()


def test_time_of_the_current_is_that_of_the_timing():
    geometry = Geometry(tiles=1, rows=4, inputs=23, bias=2, count_width=8)
    slow = Timing(clock_s=10e-9, precharge_cyc=2, evaluate_cyc=3, sense_cyc=4)
    for mode, cycles in ((ReadMode.SIGN, 9), (ReadMode.SEARCH, 9), (ReadMode.COUNT, 2 + 3 + 4)):
        assert current_s(mode, slow, geometry) == pytest.approx(cycles * 10e-9)
    assert row_cycles(ReadMode.SIGN, [25], slow, geometry) == 9


def test_a_report_needs_something_done():
    with pytest.raises(ValueError, match="operations = 0: must be at least 1"):
        EnergyReport.of(Events(), EnergyParts(**dict.fromkeys(EnergyParts.__struct_fields__, 0.0)), 3)
