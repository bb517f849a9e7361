"""The networks under ``data/``: what their files state is true, and the array can hold them."""

from __future__ import annotations

import numpy as np
import pytest

from bridgebnn.hdl.spec import PRESETS, Combine, bias_columns
from bridgebnn.model.networks import golden
from bridgebnn.model.networks.dataset import load_mnist_test
from bridgebnn.model.networks.network import Network
from bridgebnn.paths import DATA
from bridgebnn.train.recipes import RECIPES

LEAST_ACCURACY = {"mnist-784-512-512-10": 0.98, "mnist-paper23": 0.95, "mnist-split-vote": 0.97}


@pytest.fixture(params=sorted(RECIPES))
def network(request: pytest.FixtureRequest) -> Network:
    return Network.load(DATA / RECIPES[request.param].file)


def test_shape_is_the_recipe_s(network: Network) -> None:
    recipe = RECIPES[network.name]
    assert (network.n_in, *(layer.n_out for layer in network.operations)) == recipe.sizes
    assert [layer.output for layer in network.operations] == ["sign", "sign", "score"]
    for layer in network.operations:
        assert max(layer.group_sizes) == (recipe.group or layer.n_in)


def test_accuracy_is_as_stated(network: Network) -> None:
    images, labels = load_mnist_test()
    measured = float((golden.forward(network, images).classes == labels).mean())
    assert measured == network.meta["test_accuracy"]
    assert measured >= LEAST_ACCURACY[network.name]


def test_bias_cells_hold_every_threshold(network: Network) -> None:
    """Threshold t of n inputs needs bias cells that sum to 1 - t, as many as make n plus them odd."""
    recipe = RECIPES[network.name]
    for layer in network.operations[:-1]:
        sizes = layer.group_sizes if layer.combine is Combine.VOTE else np.array([layer.n_in])
        cells = bias_columns(recipe.group or layer.n_in)
        enabled = np.array([cells - (n + cells + 1) % 2 for n in sizes])[:, None]
        bias = 1 - layer.thresholds
        assert np.all(np.abs(bias) <= enabled)
        assert np.all((bias - enabled) % 2 == 0)
        assert np.all(layer.polarity == 1)


def test_score_layer_has_no_offset(network: Network) -> None:
    assert np.all(network.operations[-1].thresholds == 0)
    assert np.all(network.operations[-1].polarity == 1)


def test_meta_says_how_to_make_it_again(network: Network) -> None:
    recipe = RECIPES[network.name]
    expected = f"train {recipe.name} --fetch --seed {network.meta['seed']} --epochs {recipe.epochs}"
    made_by = ("bridgebnn ", "python -m ")  # the latter before 0.2.0
    assert network.meta["command"].startswith(tuple(prefix + expected for prefix in made_by))
    assert {"epochs", "threads", "torch", "dataset"} <= set(network.meta)


def test_presets_name_these_files() -> None:
    assert {preset.network for preset in PRESETS.values()} == {recipe.file for recipe in RECIPES.values()}
