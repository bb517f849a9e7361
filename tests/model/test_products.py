"""Products of whole numbers: which backend computes them does not matter, and one that is missing is named."""

import dataclasses
import importlib.util
import sys
import types

import numpy as np
import pytest

from bridgebnn.model import products
from bridgebnn.model.__main__ import main
from bridgebnn.model.products import use_backend, whole_product
from bridgebnn.model.studies.error_sweep import sweep
from bridgebnn.model.studies.montecarlo import evaluate
from tests.model.reference import random_network
from tests.model.studies.test_montecarlo import plan

REAL = importlib.util.find_spec("torch") is not None


class Tensor:
    """As much of a tensor as `whole_product` needs; it counts what was multiplied."""

    multiplied = 0

    def __init__(self, values):
        self.values = values

    def to(self, device):
        assert device == "cpu"
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.values

    def __matmul__(self, other):
        Tensor.multiplied += 1
        return Tensor(self.values @ other.values)


@pytest.fixture(params=["stand-in", "PyTorch"])
def torch(request, monkeypatch):
    """A backend ``torch``: a stand-in that tells what came to it, and PyTorch itself where it is installed."""
    Tensor.multiplied = 0
    if request.param == "stand-in":
        stand_in = types.SimpleNamespace(
            __spec__=object(),
            cuda=types.SimpleNamespace(is_available=lambda: False),
            device=str,
            set_float32_matmul_precision=lambda name: None,
            from_numpy=Tensor,
            Tensor=Tensor,  # scipy asks modules of this name whether an array is one of theirs
        )
        monkeypatch.setitem(sys.modules, "torch", stand_in)
    elif not REAL:
        pytest.skip("PyTorch is not installed; make frameworks has it")
    yield request.param
    use_backend("numpy")


def test_large_sums_of_whole_numbers_are_exact(torch):
    rng = np.random.default_rng(1)
    left = rng.integers(0, 2, (300, 4064)).astype(np.float32)
    right = rng.integers(-1, 2, (200, 4064)).astype(np.float32)
    use_backend("torch")
    found = whole_product(left, right.T)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, left.astype(np.int64) @ right.T.astype(np.int64))


def test_monte_carlo_and_sweep_give_the_same_bytes(torch):
    """And they do use the backend."""
    condition = ("published:clock=6,cell-errors=0.05",)
    by_numpy, by_torch = plan(condition), dataclasses.replace(plan(condition), backend="torch")
    assert by_torch.digest == by_numpy.digest
    network = random_network(np.random.default_rng(4), [60, 21, 12, 5], spread=4)
    images = np.random.default_rng(5).integers(0, 2, (30, 60), dtype=np.uint8)

    def points():
        return sweep(network, images, np.zeros(30, int), clocks_ns=[6], rates=[0.1], draws=3)

    expected = evaluate(by_numpy, 0, range(3)).content, points()
    assert Tensor.multiplied == 0
    found = evaluate(by_torch, 0, range(3)).content, points()
    assert found == expected
    if torch == "stand-in":
        assert Tensor.multiplied > 10


def test_a_backend_that_is_no_longer_asked_for_is_not_used(torch):
    use_backend("torch")
    use_backend("numpy")
    assert products._product is products._by_numpy


@pytest.mark.parametrize("command", ["montecarlo", "sweep"])
@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("tensorflow", "backend = 'tensorflow': must be one of numpy, torch"),
        ("torch", "backend torch needs PyTorch: pip install 'bridgebnn[torch]'"),
    ],
)
def test_a_backend_that_is_not_there_is_one_line(command, backend, said, monkeypatch, capsys):
    monkeypatch.setattr(products.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        main([command, "--backend", backend])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
