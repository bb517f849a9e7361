"""mapping: what the controller would compute from the mapped bits is what the network means."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import PRESETS, WORD_WIDTH, Combine, Geometry, ReadMode, check_descriptors
from bridgebnn.model.mapping.mapping import MappingError, map_network, map_preset
from bridgebnn.model.mapping.placement import place, sign_thresholds, split
from bridgebnn.model.networks import golden
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network
from tests.model.reference import random_network


def interpret(mapping, images):
    """Run the mapped bits as docs/architecture.md says, in plain integers, from the packed input words on.

    Shares nothing with model/flows/inference.py; it sees only what would be written to the chip.
    """
    g = mapping.geometry
    words = mapping.pack_inputs(images)
    d = mapping.descriptors[0]
    bits = np.zeros((len(images), d.inputs), int)
    for i in range(d.inputs):
        k = min(i // d.cols, d.tile_count - 1)
        c = i - k * d.cols
        bits[:, i] = words[:, k * g.row_words + c // WORD_WIDTH] >> (c % WORD_WIDTH) & 1
    hidden = []
    for index, d in enumerate(mapping.descriptors):
        rows = slice(d.row_first, d.row_first + d.row_count)
        entry = mapping.thresholds[d.threshold_base : d.threshold_base + d.row_count].astype(int)
        total, start = 0, 0
        for k in range(d.tile_count):
            last = k == d.tile_count - 1
            size, bias = (d.cols_last, d.bias_last) if last else (d.cols, d.bias)
            enabled = [*range(size), *range(g.inputs, g.inputs + bias)]
            assert mapping.masks[d.tile_first + k, rows][:, enabled].all()
            cells = mapping.images[d.tile_first + k, rows][:, enabled].astype(int)
            levels = np.concatenate([bits[:, start : start + size], np.ones((len(bits), bias), int)], axis=1)
            pop = (levels[:, None, :] == cells[None]).sum(2)
            start += size
            if d.mode is ReadMode.SIGN:
                ref = entry if d.use_threshold else 0
                assert np.all(np.abs(ref) <= g.columns)
                total = total + (2 * pop - (size + bias) + 2 * ref >= 0)
            else:
                total = total + pop
        if d.mode is ReadMode.SIGN:
            score = 2 * total - d.tile_count
        else:
            score = 2 * total + (entry if d.use_threshold else 0)
        bits = (score >= 0).astype(int)
        if index < len(mapping.descriptors) - 1:
            hidden.append(bits)
    return hidden, score, d.score


def random_case(seed, **kwargs):
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.integers(1, 70, rng.integers(2, 5))]
    geometry = Geometry(
        tiles=int(rng.integers(1, 9)),
        rows=int(rng.integers(70, 300)),
        inputs=int(rng.integers(8, 70)),
        bias=int(rng.choice([0, 1, 2, 3, 8, 30])),
        thresholds=300,
        scores=128,
    )
    spread = [None, 6, 0][seed % 3]
    return rng, random_network(rng, sizes, spread=spread, **kwargs), geometry


def check(mapping, images):
    hidden, score, is_score = interpret(mapping, images)
    expected = golden.forward(mapping.network, images)
    for ours, theirs in zip(hidden, expected.hidden, strict=True):
        assert np.array_equal(ours, theirs)
    assert is_score
    assert np.array_equal(score, expected.scores)


@pytest.mark.parametrize("combine", list(Combine))
@pytest.mark.parametrize("final_mode", [ReadMode.SEARCH, ReadMode.COUNT])
def test_mapped_bits_mean_the_network(combine, final_mode):
    fitted = 0
    for seed in range(60):
        rng, network, geometry = random_case(seed)
        try:
            mapping = map_network(network, geometry, combine=combine, final_mode=final_mode)
        except MappingError:
            continue
        fitted += 1
        check(mapping, rng.integers(0, 2, (25, network.n_in)))
        check_descriptors(mapping.descriptors, geometry)
        assert combine is Combine.VOTE or mapping.network is network
        for layer, d in zip(mapping.network.operations, mapping.descriptors, strict=True):
            odd = all(d.enabled(k) % 2 for k in range(d.tile_count))
            assert odd or geometry.bias == 0
            assert d.mode is ReadMode.SIGN or not d.bias > 1
            assert layer.output == "sign" or d.mode is final_mode
        assert not mapping.images[~mapping.masks].any()
        assert mapping.cells == sum(r.cells for r in mapping.report)
        order = list(mapping.program_order())
        assert len(order) == len(set(order)) == mapping.rows_used
        assert len(order) == sum(r.rows * r.tiles for r in mapping.report)
        assert len(mapping.thresholds) == sum(r.entries for r in mapping.report)
    assert fitted >= 25


def test_networks_that_vote_by_themselves():
    fitted = 0
    for seed in range(60):
        rng, network, geometry = random_case(seed, groups=4, combine=Combine.VOTE)
        try:
            mapping = map_network(network, geometry)
        except MappingError:
            continue
        fitted += 1
        assert mapping.network is network
        check(mapping, rng.integers(0, 2, (25, network.n_in)))
    assert fitted >= 10


@pytest.mark.parametrize("polarity", [1, -1])
@pytest.mark.parametrize("bias", [0, 1, 2, 5, 6])
@pytest.mark.parametrize("n", [1, 6, 7])
def test_every_threshold_and_every_input(n, bias, polarity):
    """All thresholds from end to end against all input vectors: ties of the dot product included."""
    thresholds = np.arange(-n - 1, n + 2)
    rng = np.random.default_rng(n)
    layer = Dense(
        weights=rng.choice([-1, 1], (len(thresholds), n)),
        thresholds=thresholds[None],
        polarity=np.full((1, len(thresholds)), polarity),
        group_sizes=np.array([n]),
        combine=Combine.ADD,
        output="sign",
    )
    last = Dense(
        weights=np.ones((2, len(thresholds)), int),
        thresholds=np.zeros((1, 2), int),
        polarity=np.ones((1, 2), int),
        group_sizes=np.array([len(thresholds)]),
        combine=Combine.ADD,
        output="score",
    )
    geometry = Geometry(tiles=1, rows=40, inputs=20, bias=bias, thresholds=64)
    mapping = map_network(Network(name="all", operations=(layer, last)), geometry)
    images = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    check(mapping, images)
    d = mapping.descriptors[0]
    assert d.enabled(0) % 2 == 1 or bias == 0
    assert mapping.report[0].ties == (bias == 0 and n % 2 == 0)
    if bias >= n + 2:
        assert not d.use_threshold  # the cells carry every threshold


def test_fewest_bias_columns_and_least_reference():
    found = sign_thresholds(0, [10], np.array([[0, 3, -4]]), 20)
    assert (found.bias, found.refs.tolist()) == ([5], [0, 0, 0])  # t' = 4 needs b = -3, t' = -4 needs 5
    assert (2 * found.ones - 5).tolist() == [[1, -3, 5]]
    found = sign_thresholds(0, [10], np.array([[0, 3, -4]]), 2)
    assert found.bias == [1]
    assert (2 * found.ones - 1 + 2 * found.refs).tolist() == [[1, -3, 5]]
    assert found.refs.tolist() == [0, -1, 2]
    found = sign_thresholds(0, [11], np.array([[1]]), 20)
    assert found.bias == [0]


def test_a_constant_neuron_asks_for_no_more_than_it_needs():
    """In a vote, one constant tile must not force a reference on the others."""
    found = sign_thresholds(0, [9, 9], np.array([[10, 10], [10, -10]]), 10)
    assert found.bias == [10, 10]
    found = sign_thresholds(0, [9, 9], np.array([[10], [1]]), 6)
    total = 2 * found.ones - 6 + 2 * found.refs
    assert total[0, 0] <= -10
    assert total[1, 0] == 0


def test_split_is_near_equal():
    assert split(784, 234) == [196] * 4
    assert split(512, 234) == [171, 171, 170]
    assert split(23, 23) == [23]
    for n in range(1, 200):
        for columns in range(1, 40):
            sizes = split(n, columns)
            assert sum(sizes) == n
            assert len(set(sizes[:-1])) <= 1
            assert 1 <= sizes[-1] <= sizes[0] <= columns
            assert len(sizes) == -(-n // columns)


def test_one_tile_a_layer_while_they_last_then_stacked():
    g = Geometry(tiles=3, rows=512, inputs=10)
    assert place([(1, 512), (1, 512), (1, 10)], g) == [(0, 0), (1, 0), (2, 0)]
    assert place([(3, 100), (1, 10), (2, 300), (1, 5)], g) == [(0, 0), (0, 100), (1, 100), (0, 110)]
    assert place([(1, 500), (3, 12)], g) == [(0, 0), (0, 500)]
    with pytest.raises(MappingError, match=r"need 513 rows on 3 tiles .*3 x 513.*, 1 more than the 512"):
        place([(3, 513)], g)


def test_places_never_overlap():
    rng = np.random.default_rng(0)
    for _ in range(200):
        g = Geometry(tiles=int(rng.integers(1, 6)), rows=100, inputs=10)
        shapes = [(int(rng.integers(1, g.tiles + 1)), int(rng.integers(1, 40))) for _ in range(5)]
        try:
            places = place(shapes, g)
        except MappingError:
            continue
        used = np.zeros((g.tiles, g.rows), int)
        for (tiles, rows), (tile, row) in zip(shapes, places, strict=True):
            assert tile + tiles <= g.tiles
            assert row + rows <= g.rows
            used[tile : tile + tiles, row : row + rows] += 1
        assert used.max() == 1


def test_packed_words():
    network = random_network(np.random.default_rng(0), [70, 3])
    mapping = map_network(network, Geometry(tiles=2, rows=4, inputs=40, bias=1))
    image = np.zeros((1, 70), np.uint8)
    image[0, [0, 34, 35, 69]] = 1  # slices of 35: first tile bits 0 and 34, second 0 and 34
    words = mapping.pack_inputs(image)
    assert words.dtype == np.uint32
    assert words.tolist() == [[1, 4, 1, 4]]


def test_voted_network_shares_the_threshold_out():
    network = random_network(np.random.default_rng(1), [100, 20, 5], spread=30)
    mapping = map_network(network, Geometry(tiles=4, rows=40, inputs=25, bias=30), combine=Combine.VOTE)
    before, after = network.operations[0], mapping.network.operations[0]
    assert after.combine is Combine.VOTE
    assert after.group_sizes.tolist() == [25] * 4
    assert np.array_equal(after.thresholds.sum(0), before.thresholds[0])
    assert np.ptp(after.thresholds, axis=0).max() <= 1
    assert mapping.network.operations[1] is network.operations[1]


@pytest.mark.parametrize(
    "name",
    [name for name in PRESETS if name not in ("fashion-conv", "mnist-conv", "cifar-conv", "mnist1025")],
)
def test_presets(name):
    """Networks of the presets' shapes fit; the memories are not far too large."""
    preset = PRESETS[name]
    rng = np.random.default_rng(2)
    if name == "paper23":
        kwargs = {"combine": Combine.VOTE, "groups": 35}
        first = random_network(rng, [784, 256], output="sign", spread=1, **kwargs).operations[0]
        second = random_network(rng, [256, 256], output="sign", spread=1, combine=Combine.VOTE, groups=12)
        second = second.operations[0]
        last = random_network(rng, [256, 10]).operations[0]
        network = Network(name="p", operations=(first, second, last))
    else:
        sizes = {"digits": [192, 64, 64, 10]}.get(name, [784, 512, 512, 10])
        network = random_network(rng, sizes, spread=40 if sizes[0] == 784 else 10)
    mapping = map_preset(preset, network)
    check(mapping, rng.integers(0, 2, (3, network.n_in)))
    if name == "mnist":
        assert [d.tile_first for d in mapping.descriptors] == [0, 1, 2]
        assert all(d.row_first == 0 for d in mapping.descriptors)
    if name == "split":
        assert [d.row_first for d in mapping.descriptors[:2]] == [0, 512]


def network(*sizes, **kwargs):
    return random_network(np.random.default_rng(0), list(sizes), **kwargs)


@pytest.mark.parametrize(
    ("net", "geometry", "options", "message"),
    [
        (
            network(50, 5),
            {"inputs": 10, "tiles": 3},
            {},
            r"layer 0: 50 inputs need 5 tiles of 10 inputs, 2 more .*; tiles = 5 would fit, or inputs = 17",
        ),
        (network(5, 40), {"rows": 32}, {}, r"layer 0: 40 neurons, 8 more than a tile has rows; rows = 40"),
        (network(5, 20), {"scores": 16}, {}, r"layer 0: 20 scores, 4 more .*; scores = 20 would fit"),
        (network(5, 5, 5, 5), {"layers": 2}, {}, r"3 layers, 1 more .*; layers = 3 would fit"),
        (
            network(5, 20, 20, 5),
            {"tiles": 1, "rows": 32},
            {},
            r"3 layers need 45 rows on 1 tiles .*, 13 more than the 32 there are; rows = 45 .*, or tiles = 2",
        ),
        (
            network(20, 10, 10),
            {"thresholds": 5, "bias": 1},
            {},
            r"20 threshold entries .*layer 0: 10, layer 1: 10\), 15 more .*; thresholds = 20",
        ),
        (
            network(46, 5, combine=Combine.VOTE, groups=2),
            {"inputs": 20, "tiles": 2},
            {},
            r"layer 0: a group of 23 inputs, 3 more than a tile has; inputs = 23 would fit",
        ),
        (
            network(60, 5, combine=Combine.VOTE, groups=4, equal_groups=False),
            {"inputs": 60, "tiles": 4},
            {},
            r"layer 0: group sizes \[.*\]; all groups but the last must have the same size",
        ),
        (network(5, 5), {}, {"final_mode": ReadMode.SIGN}, r"final_mode = SIGN: a score needs popcounts"),
    ],
)
def test_messages(net, geometry, options, message):
    options_of_geometry = {"tiles": 2, "rows": 64, "inputs": 24, "bias": 2, **geometry}
    with pytest.raises(MappingError, match=message):
        map_network(net, Geometry(**options_of_geometry), **options)


def test_tiles_that_need_different_references():
    with pytest.raises(
        MappingError,
        match=r"layer 3: the tiles of neuron 1 have thresholds -5 to 7 .* 2 .* by 4; 6 would fit",
    ):
        sign_thresholds(3, [9, 9], np.array([[1, 7], [1, -5]]), 2)
    found = sign_thresholds(3, [9, 9], np.array([[1, 7], [1, -5]]), 6)
    sums = 2 * found.ones - np.array(found.bias)[:, None] + 2 * found.refs
    assert sums.tolist() == [[0, -6], [0, 6]]


def test_bad_images():
    mapping = map_network(network(5, 5), Geometry())
    with pytest.raises(ValueError, match=r"shape \(1, 6\): must be \(batch, 5\)"):
        mapping.pack_inputs(np.zeros((1, 6), int))
    with pytest.raises(ValueError, match=r"images\[0, 0\] = 3: must be binary"):
        mapping.pack_inputs(np.full((1, 5), 3))


@pytest.mark.parametrize("broken", ["bias", "entry", "polarity"])
def test_a_broken_mapping_is_noticed(broken):
    rng = np.random.default_rng(5)
    net = random_network(rng, [21, 30, 6])
    mapping = map_network(net, Geometry(tiles=1, rows=64, inputs=32, bias=4))
    images = rng.integers(0, 2, (60, 21))
    check(mapping, images)
    if broken == "bias":
        mapping.images[0, :30, 32:] = 1
    elif broken == "entry":
        mapping.thresholds[: len(mapping.thresholds)] += 1
    else:
        mapping.images[0, :30, :21] = net.operations[0].weights > 0
    with pytest.raises(AssertionError):
        check(mapping, images)
