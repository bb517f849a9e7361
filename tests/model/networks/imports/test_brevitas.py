"""Brevitas models against PyTorch on 1,000 inputs: the module itself, and its QONNX export.

Brevitas pins its own versions of much: it has an environment of its own (``make frameworks``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridgebnn.model.networks import from_torch, golden
from bridgebnn.model.networks.imports import import_network
from bridgebnn.model.networks.network import Network

torch = pytest.importorskip("torch", reason="PyTorch is an optional extra")
pytest.importorskip("brevitas", reason="Brevitas has an environment of its own")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

COUNT = 1000
GAINS = [1.0, -1.0, 1e-7, -1e-7, 0.0, 3.7, -0.2, 1e4]


class Symmetric(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return 2.0 * x - 1.0


def made(*, maps: bool, ties: bool) -> Any:
    """Latent weights, batch norms of every gain; with ``ties`` some decisions lie exactly on an integer."""
    from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
    from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst

    nn = torch.nn
    torch.manual_seed(3)

    def sign() -> Any:
        return QuantIdentity(act_quant=SignedBinaryActPerTensorConst, return_quant_tensor=False)

    weights = {"weight_quant": SignedBinaryWeightPerTensorConst, "bias": False}
    first: list[Any] = [QuantLinear(45, 32, **weights), nn.BatchNorm1d(32), sign()]
    if maps:
        first = [QuantConv2d(2, 16, 3, **weights), nn.BatchNorm2d(16), sign(), nn.MaxPool2d(2), nn.Flatten()]
        first += [QuantLinear(64, 32, **weights), nn.BatchNorm1d(32), sign()]
    module = nn.Sequential(Symmetric(), sign(), *first, QuantLinear(32, 10, **weights)).eval()
    rng = np.random.default_rng(4)
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            n = part.num_features
            part.weight.data = torch.tensor(np.resize(GAINS, n)).float()
            part.bias.data = torch.tensor(rng.normal(0, 1, n) * (rng.random(n) < 0.5)).float()
            mean = rng.integers(-4, 5, n) if ties else rng.normal(0, 3, n)
            part.running_mean = 0.1 * torch.tensor(mean).float()
            part.running_var = torch.tensor(rng.uniform(0.1, 2, n)).float()
    return module


def compare(module: Any, network: Network, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(5).integers(0, 256, (COUNT, *shape)).astype(np.uint8)
    with torch.no_grad():
        theirs = module.double()(torch.tensor(images / 255)).numpy()
    last = images.transpose(0, 2, 3, 1) if len(shape) == 3 else images
    ours = golden.forward(network, network.encoding(last))
    said = network.meta["import"]
    integers = (theirs - said["score_offset"]) / said["score_scale"]
    assert np.abs(integers - np.rint(integers)).max() < 1e-4
    assert (np.rint(integers) == ours.scores).all()
    assert len(np.unique(ours.classes)) > 1


@pytest.mark.parametrize("maps", [False, True])
def test_module(maps: bool) -> None:
    shape = (2, 6, 6) if maps else (45,)
    module = made(maps=maps, ties=True)
    compare(module, from_torch(module, input_shape=shape), shape)


@pytest.mark.parametrize("maps", [False, True])
def test_export(maps: bool, tmp_path: Path) -> None:
    """The file has the equation of batch norm, PyTorch multiplies it out: at exact ties rounding decides there."""
    from brevitas.export import export_qonnx

    shape = (2, 6, 6) if maps else (45,)
    module = made(maps=maps, ties=False)
    export_qonnx(module, torch.rand(1, *shape), export_path=str(tmp_path / "m.onnx"))
    compare(module, import_network(tmp_path / "m.onnx"), shape)
