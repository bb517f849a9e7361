"""PyTorch modules against PyTorch itself in float64, on 1,000 inputs, score by score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bridgebnn.model.networks import from_torch, golden
from bridgebnn.model.networks.encoding import Encoding
from bridgebnn.model.networks.imports import ImportFailure
from bridgebnn.model.networks.network import Network

torch = pytest.importorskip("torch", reason="PyTorch is an optional extra")
nn = torch.nn
functional = torch.nn.functional

COUNT = 1000
GAINS = [1.0, -1.0, 1e-9, -1e-9, 0.0, 3.7, -0.2, 1e5]


class SignFunction(torch.autograd.Function):
    """+1 from 0 on, else -1; gradients pass where |x| <= 1."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


class SignSTE(nn.Module):
    def forward(self, x: Any) -> Any:
        return SignFunction.apply(x)


class BinaryLinear(nn.Linear):
    """Latent weights behind a sign, with a scale of each neuron."""

    def forward(self, x: Any) -> Any:
        scale = self.weight.abs().mean(dim=1, keepdim=True)
        return functional.linear(x, SignFunction.apply(self.weight) * scale, self.bias)


class BinaryConv2d(nn.Conv2d):
    def forward(self, x: Any) -> Any:
        return self._conv_forward(x, SignFunction.apply(self.weight), self.bias)


class BinarizeLinear(nn.Linear):
    """The input is binarized by the layer itself, as in many published networks."""

    def forward(self, x: Any) -> Any:
        return functional.linear(SignFunction.apply(x), SignFunction.apply(self.weight))


def drawn(module: Any, seed: int = 1) -> Any:
    """Random weights; batch norms with negative, tiny and zero gains, and decisions exactly on an integer."""
    rng = np.random.default_rng(seed)
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d)):
            plain = type(part) in (nn.Linear, nn.Conv2d)
            weights = rng.normal(0, 1, tuple(part.weight.shape))
            part.weight.data = torch.tensor(np.sign(weights) if plain else weights, dtype=torch.float32)
            if part.bias is not None:
                part.bias.data = torch.tensor(rng.integers(-2, 3, len(part.bias)), dtype=torch.float32)
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            n = part.num_features
            part.weight.data = torch.tensor(np.resize(GAINS, n), dtype=torch.float32)
            part.bias.data = torch.tensor(rng.normal(0, 1, n) * (rng.random(n) < 0.5), dtype=torch.float32)
            part.running_mean = torch.tensor(
                np.where(rng.random(n) < 0.5, rng.integers(-3, 4, n), rng.normal(0, 3, n))
            )
            part.running_mean = part.running_mean.to(torch.float32)
            part.running_var = torch.tensor(rng.uniform(0.1, 9, n), dtype=torch.float32)
    return module.eval()


def compare(module: Any, shape: tuple[int, ...], network: Network, scale: float = 255.0) -> Network:
    """Every integer score, of the module in float64."""
    images = np.random.default_rng(2).integers(0, 256, (COUNT, *shape)).astype(np.uint8)
    images[0], images[1] = 0, 255
    with torch.no_grad():
        theirs = module.double()(torch.tensor(images / scale)).numpy()
    last = images.transpose(0, 2, 3, 1) if len(shape) == 3 else images
    ours = golden.forward(network, network.encoding(last))
    said = network.meta["import"]
    integers = (theirs - said["score_offset"]) / said["score_scale"]
    assert np.abs(integers - np.rint(integers)).max() < 1e-6
    assert (np.rint(integers) == ours.scores).all()
    assert len(np.unique(ours.classes)) > 1
    return network


def binarized(*parts: Any) -> Any:
    return nn.Sequential(Symmetric(), SignSTE(), *parts)


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return 2 * x - 1


def test_sequential_with_convolutions_pooling_and_every_gain() -> None:
    module = binarized(
        BinaryConv2d(2, 16, 3, stride=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(16),
        SignSTE(),
        BinaryConv2d(16, 24, 2),
        nn.BatchNorm2d(24, eps=1e-3),
        SignSTE(),
        nn.MaxPool2d((2, 2), stride=2),
        nn.Sequential(
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(96, 32), nn.BatchNorm1d(32), nn.Hardtanh(), SignSTE()
        ),
        nn.Linear(32, 10, bias=False),
    )
    network = compare(drawn(module), (2, 12, 12), from_torch(module, input_shape=(2, 12, 12)))
    assert [o.kind for o in network.operations] == ["convolution", "convolution", "dense", "dense"]
    assert network.encoding == Encoding(shape=(12, 12, 2), thresholds=(128,))
    assert sum(int((layer.polarity < 0).sum()) for layer in network.layers) > 10


class Own(nn.Module):
    """A forward of its own: functions, shape arithmetic, padding, signs as functions, latent weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = BinaryConv2d(1, 8, 3), nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, bias=False)
        self.layer, self.norm2 = BinaryLinear(8 * 4 * 4, 24), nn.BatchNorm1d(24)
        self.last = BinarizeLinear(24, 10)
        self.scale = nn.Parameter(torch.tensor([0.25]))

    def forward(self, x: Any) -> Any:
        x = SignFunction.apply(x * 2 - 1)
        x = functional.pad(x, (1, 1, 1, 1), value=-1.0)
        x = SignFunction.apply(self.norm1(self.conv1(x)))
        x = functional.max_pool2d(x, 2)
        x = SignFunction.apply(self.conv2(functional.pad(x, (1, 1, 1, 1), "constant", -1.0)) + 0.5)
        x = x.view(x.size(0), -1)
        x = functional.hardtanh(self.norm2(self.layer(x)))
        return self.last(x) * self.scale


def test_a_forward_of_its_own() -> None:
    module = drawn(Own())
    network = compare(module, (1, 8, 8), from_torch(module, input_shape=(1, 8, 8), name="own"))
    assert network.name == "own"
    assert [getattr(o, "padding", None) for o in network.operations] == [1, 1, None, None]
    assert network.meta["import"]["score_scale"] == 0.25


def test_dense_modules_say_their_input_themselves() -> None:
    module = drawn(
        binarized(BinaryLinear(21, 40), nn.BatchNorm1d(40), SignSTE(), nn.Linear(40, 10, bias=False))
    )
    compare(module, (21,), from_torch(module))
    once = drawn(nn.Linear(21, 5, bias=False))
    network = from_torch(once, input_range="bipolar")
    assert network.encoding == Encoding(shape=(21,), thresholds=(128,))
    images = np.random.default_rng(3).integers(0, 256, (COUNT, 21))
    bits = network.encoding(images)
    theirs = once.double()(torch.tensor(2.0 * bits - 1)).detach().numpy()
    assert (golden.forward(network, bits).scores == theirs).all()


def test_bits_of_a_thermometer_code_enter() -> None:
    module = drawn(
        nn.Sequential(
            nn.Conv2d(6, 8, 2, bias=False), nn.BatchNorm2d(8), SignSTE(), nn.Flatten(), nn.Linear(72, 4)
        )
    )
    module[-1].bias = None
    network = from_torch(module, input_shape=(6, 4, 4), input_range="bipolar", binarize="thermometer:2")
    assert network.encoding == Encoding(shape=(4, 4, 3), thresholds=(85, 170))
    images = np.random.default_rng(3).integers(0, 256, (COUNT, 4, 4, 3))
    maps = np.stack([images >= 85, images >= 170], axis=-1).reshape(COUNT, 4, 4, 6).transpose(0, 3, 1, 2)
    theirs = module.double()(torch.tensor(2.0 * maps - 1)).detach().numpy()
    assert (golden.forward(network, network.encoding(images)).scores == theirs).all()


def test_parametrized_weights_and_a_softmax() -> None:
    layer = nn.Linear(15, 8, bias=False)
    module = drawn(binarized(layer, SignSTE(), nn.Linear(8, 4, bias=False), nn.LogSoftmax(dim=1)))
    layer.weight.data = torch.randn(8, 15, generator=torch.Generator().manual_seed(1))
    nn.utils.parametrize.register_parametrization(layer, "weight", SignSTE())
    network = from_torch(module)
    assert any("keeps the order of the classes" in note for note in network.meta["import"]["notes"])
    images = np.random.default_rng(3).integers(0, 256, (COUNT, 15))
    theirs = module[:-1].double()(torch.tensor(images / 255)).detach().numpy()
    assert (golden.forward(network, network.encoding(images)).scores == theirs).all()


class QuantLinear(nn.Linear):
    """What Brevitas' layer of this name shows to others."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes, bias=False)
        self.input_quant, self.output_quant = SignSTE(), nn.Identity()
        self.input_quant.is_quant_enabled = True

    def quant_weight(self) -> Any:
        return type("QuantTensor", (), {"value": 0.1 * torch.sign(self.weight)})()

    def forward(self, x: Any) -> Any:
        if not isinstance(x, torch.Tensor):
            raise TypeError("branches on its input")
        return functional.linear(self.input_quant(x), self.quant_weight().value)


def test_layers_that_give_their_weights_as_brevitas_does() -> None:
    module = drawn(nn.Sequential(Symmetric(), QuantLinear(35, 48), nn.BatchNorm1d(48), QuantLinear(48, 4)))
    network = compare(module, (35,), from_torch(module))
    assert network.meta["import"]["score_scale"] == pytest.approx(0.1)


def test_the_module_stays_as_it_was() -> None:
    module = drawn(binarized(BinaryLinear(9, 5), SignSTE(), nn.Linear(5, 3, bias=False))).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    from_torch(module)
    assert module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(value.dtype == torch.float32 for value in module.parameters())
    assert torch.autograd.Function.apply.__func__.__module__.startswith("torch")


class Hidden(nn.Linear):
    """Changes its input behind the back of tracing."""

    def forward(self, x: Any) -> Any:
        x.data = torch.sign(x.data + 0.5)
        return functional.linear(x, torch.sign(self.weight))


class Counts(nn.Module):
    """Another function at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(6, 3, bias=False), 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return self.layer(SignFunction.apply(x - 0.5 if self.calls == 1 else 0.5 - x))


class Normalized(nn.Module):
    def forward(self, x: Any) -> Any:
        return x / x.sum() - 1e-3


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6, bias=False)

    def forward(self, x: Any) -> Any:
        x = SignFunction.apply(x - 0.5)
        return self.layer(x) + x


def real(layer: Any, seed: int = 4) -> Any:
    """A layer with real weights."""
    rng = np.random.default_rng(seed)
    layer.weight.data = torch.tensor(rng.normal(0, 0.1, tuple(layer.weight.shape)), dtype=torch.float32)
    if layer.bias is not None:
        layer.bias.data = torch.tensor(rng.normal(0, 0.3, len(layer.bias)), dtype=torch.float32)
    return layer


def compare_real(module: Any, shape: tuple[int, ...], network: Network) -> Network:
    """Every score, of the module in float64."""
    images = np.random.default_rng(2).integers(0, 256, (COUNT, *shape)).astype(np.uint8)
    images[0], images[1] = 0, 255
    with torch.no_grad():
        theirs = module.double()(torch.tensor(images / 255)).numpy()
    ours = golden.forward(
        network, network.encoding(images.transpose(0, 2, 3, 1) if len(shape) == 3 else images)
    )
    said = network.meta["import"]
    found = ours.scores * said["score_scale"] + said["score_offset"]
    np.testing.assert_allclose(found, theirs, rtol=1e-9, atol=1e-9)
    assert (ours.classes == theirs.argmax(axis=1)).all()
    assert len(np.unique(ours.classes)) > 1
    return network


def test_real_layers_at_both_ends_become_host_layers() -> None:
    module = drawn(
        nn.Sequential(
            nn.Linear(36, 40),
            nn.BatchNorm1d(40),
            SignSTE(),
            BinaryLinear(40, 30),
            nn.BatchNorm1d(30),
            SignSTE(),
            nn.Linear(30, 5),
            nn.BatchNorm1d(5),
        )
    )
    real(module[0]), real(module[6])
    module[7].weight.data = torch.tensor([1.0, -0.7, 1.2, 0.9, -1.1])
    module[7].bias.data, module[7].running_mean = torch.zeros(5), torch.zeros(5)
    network = compare_real(module, (36,), from_torch(module))
    assert [o.kind for o in network.operations] == ["host", "dense", "host"]
    assert network.encoding == Encoding(shape=(36,), thresholds=(), planes=8)


def test_a_real_convolution_with_zero_padding_becomes_a_host_layer() -> None:
    module = drawn(
        nn.Sequential(
            Symmetric(),
            nn.Conv2d(3, 8, 3, padding=1),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(8),
            SignSTE(),
            BinaryConv2d(8, 12, 3),
            nn.BatchNorm2d(12),
            SignSTE(),
            nn.Flatten(),
            nn.Linear(48, 5),
        )
    )
    real(module[1]), real(module[-1])
    network = compare_real(module, (3, 8, 8), from_torch(module, input_shape=(3, 8, 8)))
    assert [o.kind for o in network.operations] == ["host_convolution", "convolution", "host"]
    assert network.operations[0].pad == 0


def test_real_weights_over_bits_become_a_host_layer_of_bits() -> None:
    module = drawn(binarized(nn.Linear(20, 16), SignSTE(), nn.Linear(16, 5, bias=False)))
    real(module[2])
    network = compare_real(module, (20,), from_torch(module))
    assert [o.kind for o in network.operations] == ["host", "dense"]
    assert network.encoding.rule == "threshold:128"


def test_real_weights_in_the_middle_are_refused() -> None:
    module = drawn(
        binarized(
            nn.Linear(9, 8, bias=False), SignSTE(), nn.Linear(8, 6), SignSTE(), nn.Linear(6, 3, bias=False)
        )
    )
    real(module[4])
    with pytest.raises(ImportFailure, match="has real weights and stands between binarized layers, before"):
        from_torch(module)


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (lambda: 5, {}, "int: must be a torch.nn.Module"),
        (lambda: nn.ReLU(), {}, "input_shape is missing"),
        (lambda: binarized(nn.Linear(6, 3)), {"input_range": "grey"}, "input range 'grey': must be one of"),
        (lambda: nn.Linear(6, 3), {}, r"a chip has nothing to do: .* reads values that are no bits"),
        (lambda: Residual(), {}, r"add \(add\): takes an earlier tensor, too: one chain, without branches"),
        (
            lambda: nn.Sequential(Normalized(), nn.Linear(6, 3)),
            {},
            "is not elementwise: a value depends on others",
        ),
        (
            lambda: binarized(nn.Linear(6, 4, bias=False), nn.LayerNorm(4), SignSTE(), nn.Linear(4, 2)),
            {},
            "not elementwise",
        ),
        (lambda: binarized(nn.Linear(6, 4, bias=False), nn.ReLU(), nn.Linear(4, 2)), {}, "holds 4 values"),
        (
            lambda: binarized(nn.Linear(6, 4, bias=False), nn.Softmax(1), SignSTE(), nn.Linear(4, 2)),
            {},
            r"_3 .*: must be the last step",
        ),
        (
            lambda: binarized(nn.Conv2d(1, 4, 3, padding=1)),
            {"input_shape": (1, 6, 6)},
            "pads with 0, between bits of -1",
        ),
        (
            lambda: binarized(nn.Conv2d(1, 4, 3, padding="same")),
            {"input_shape": (1, 6, 6)},
            "padding 'same': must be",
        ),
        (lambda: binarized(nn.Conv2d(2, 4, 3, groups=2)), {"input_shape": (2, 6, 6)}, "groups and dilations"),
        (
            lambda: binarized(nn.Conv2d(1, 4, 3), nn.MaxPool2d(3, 2)),
            {"input_shape": (1, 6, 6)},
            "window 3, stride 2: must be windows side by side",
        ),
        (
            lambda: binarized(nn.Conv2d(1, 4, 3), nn.AvgPool2d(2)),
            {"input_shape": (1, 6, 6)},
            "fails on 4 channels|must be elementwise",
        ),
        (
            lambda: binarized(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(5)),
            {"input_shape": (1, 6, 6)},
            "fails on 4 channels",
        ),
        (
            lambda: binarized(nn.Linear(6, 4, bias=False), SignSTE(), nn.Conv2d(1, 2, 1)),
            {},
            r"1 channels, but a map of shape \(4,\) comes in",
        ),
        (lambda: nn.Sequential(SignSTE(), Hidden(6, 3)), {}, "takes an earlier tensor"),
        (lambda: Counts(), {}, "of 64 random images have other scores in the module than in its import"),
    ],
)
def test_refused_by_name_and_place(module: Any, options: dict[str, Any], message: str) -> None:
    made = module()
    made = drawn(made) if isinstance(made, nn.Module) else made
    with pytest.raises(ImportFailure, match=message) as caught:
        from_torch(made, **options)
    assert "\n" not in str(caught.value)


def test_real_weights_alone_are_refused() -> None:
    module = binarized(nn.Linear(6, 3, bias=False))
    with pytest.raises(ImportFailure, match=r"a chip has nothing to do: _2 .* has real weights"):
        from_torch(module)
