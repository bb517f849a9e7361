"""The networks under ``data/``: what their files state is true, and the array can hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridgebnn.hdl.spec import PRESETS, Combine, bias_columns
from bridgebnn.model.mapping.mapping import map_preset
from bridgebnn.model.networks import golden
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.data import load_data
from bridgebnn.model.networks.host import HostDense
from bridgebnn.model.networks.idx import DatasetError
from bridgebnn.model.networks.network import Network
from bridgebnn.model.networks.test_sets import load_test_set
from bridgebnn.paths import DATA
from bridgebnn.train.data import SOURCES
from bridgebnn.train.recipes import RECIPES, VOTE_WIDTHS

LEAST_ACCURACY = {
    "mnist-784-512-512-10": 0.98,
    "mnist-paper23": 0.95,
    "mnist-split-vote": 0.97,
    "mnist-vote64": 0.96,
    "mnist-vote128": 0.96,
    "mnist-vote256": 0.95,
    "mnist1025": 0.983,
    "fashion-conv": 0.87,
    "mnist-conv": 0.97,
    "digits": 0.94,
    "cifar-conv": 0.72,
}
LARGE = ("fashion-conv", "mnist-conv", "mnist1025")
NAMES = sorted(name for name, recipe in RECIPES.items() if (DATA / recipe.file).exists())
FASHION = SOURCES["fashion-mnist"].installed


@pytest.fixture(params=NAMES)
def network(request: pytest.FixtureRequest) -> Network:
    return Network.load(DATA / RECIPES[request.param].file)


def test_shape_is_the_recipe_s(network: Network) -> None:
    recipe = RECIPES[network.name]
    filters = network.operations[: len(recipe.filters)]
    dense = network.operations[len(recipe.filters) :]
    for operation, asked in zip(filters, recipe.filters, strict=True):
        assert isinstance(operation, Convolution)
        assert (operation.window.n_out, operation.kernel, operation.stride) == (
            asked.count,
            asked.kernel,
            asked.stride,
        )
        assert (operation.padding, operation.pool) == (asked.padding, asked.pool)
    assert (dense[0].n_in, *(layer.n_out for layer in dense)) == recipe.sizes
    assert {layer.output for layer in network.operations[:-1]} == {"sign"}
    assert network.operations[-1].output == "score"
    hosted = [isinstance(layer, HostDense) for layer in network.operations]
    assert hosted == [recipe.host, *[False] * (len(hosted) - 2), recipe.host]
    for layer in network.layers:
        assert max(layer.group_sizes) == (recipe.group or layer.n_in)


def test_accuracy_is_as_stated(network: Network) -> None:
    if network.name == "cifar-conv":
        assert network.meta["test_accuracy"] >= LEAST_ACCURACY[network.name]
        with pytest.raises(
            DatasetError, match="cifar-conv takes images of 32 x 32 x 3 values: no test images"
        ):
            load_data(None, network)
        return  # its images do not come with the package
    data = load_data(None, network)
    assert data.labels is not None
    stated = network.meta["test_accuracy"]
    assert stated >= LEAST_ACCURACY[network.name]
    # Large ones take a tenth of the test set, all that comes with the package of Fashion-MNIST: four deviations.
    large = network.name in LARGE
    data = data.first(1000) if large else data
    measured = float((golden.forward(network, data.bits(network)).classes == data.labels).mean())
    assert measured == (
        pytest.approx(stated, abs=4 * (stated * (1 - stated) / 1000) ** 0.5) if large else stated
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ("mnist1025", "mnist-conv") if name in NAMES])
def test_accuracy_on_all_of_mnist(name: str) -> None:
    network = Network.load(DATA / RECIPES[name].file)
    data = load_data(None, network)
    classes = golden.forward(network, data.bits(network)).classes
    assert float((classes == data.labels).mean()) == network.meta["test_accuracy"]


@pytest.mark.slow
@pytest.mark.skipif(FASHION is None or not FASHION.exists(), reason="Debian's dataset-fashion-mnist")
def test_accuracy_on_all_of_fashion_mnist() -> None:
    network = Network.load(DATA / RECIPES["fashion-conv"].file)
    assert FASHION is not None
    data = load_data(FASHION / "t10k-images-idx3-ubyte.gz", network)
    classes = golden.forward(network, data.bits(network)).classes
    assert float((classes == data.labels).mean()) == network.meta["test_accuracy"]


def test_bias_cells_hold_every_threshold(network: Network) -> None:
    """Threshold t of n inputs needs bias cells that sum to 1 - t, as many as make n plus them odd."""
    recipe = RECIPES[network.name]
    for layer in network.layers:
        if layer.output == "score":
            continue
        assert np.all(layer.polarity == 1)
        sizes = layer.group_sizes if layer.combine is Combine.VOTE else np.array([layer.n_in])
        assert np.all((layer.thresholds - sizes[:, None]) % 2 == 0)
        if not recipe.limited:
            continue
        cells = bias_columns(recipe.group or layer.n_in)
        enabled = np.array([cells - (n + cells + 1) % 2 for n in sizes])[:, None]
        bias = 1 - layer.thresholds
        assert np.all(np.abs(bias) <= enabled)
        assert np.all((bias - enabled) % 2 == 0)


def test_score_layer_has_no_offset(network: Network) -> None:
    last = network.operations[-1]
    assert isinstance(last, HostDense) or np.all(last.polarity == 1)
    assert np.all(last.thresholds == 0)


def test_meta_says_how_to_make_it_again(network: Network) -> None:
    recipe = RECIPES[network.name]
    source = {"digits": "", "cifar-10-jpeg": " --data FILE"}.get(recipe.dataset, " --fetch")
    expected = f"train {recipe.name}{source} --seed {network.meta['seed']} --epochs {recipe.epochs}"
    made_by = ("bridgebnn ", "python -m ")  # the latter before 0.2.0
    assert network.meta["command"].startswith(tuple(prefix + expected for prefix in made_by))
    assert {"epochs", "threads", "torch", "dataset"} <= set(network.meta)


def test_presets_name_these_files() -> None:
    studied = {f"mnist-vote{width}.npz" for width in VOTE_WIDTHS}  # of the fan-in study alone
    assert {p.network for p in PRESETS.values()} == {RECIPES[name].file for name in NAMES} - studied


@pytest.mark.parametrize("name", ["digits", "fashion-conv", "mnist-conv", "cifar-conv", "mnist1025"])
def test_presets_are_no_larger_than_their_networks_ask(name: str) -> None:
    preset = PRESETS[name]
    network = Network.load(DATA / preset.network)
    mapping, geometry = map_preset(preset, network), preset.geometry
    assert [descriptor.row_count for descriptor in mapping.descriptors] == [x.n_out for x in network.layers]
    assert 0 <= geometry.tiles * geometry.rows - mapping.rows_used < 10
    assert max(layer.n_in for layer in network.layers) == geometry.inputs
    maps = [o for o in network.operations if isinstance(o, Convolution)]
    assert geometry.map_words == -(-max((max(o.n_in, o.n_out) for o in maps), default=0) // 32)


def test_coarse_test_sets_tell_what_their_networks_ask(tmp_path: Path) -> None:
    network = Network.load(DATA / "digits.npz")
    images, labels, thresholds = load_test_set(DATA / "digits-test.npz")
    assert network.encoding.thresholds == thresholds
    assert set(np.unique(images).tolist()) == {0, *thresholds}
    named = load_data(DATA / "digits-test.npz", network)
    assert np.array_equal(named.bits(network), load_data(None, network).bits(network))
    assert len(labels) == len(named) == 359
