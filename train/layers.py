"""Trainable binarized layers that the macro can hold: thresholds limited to what the bias cells reach.

Needs PyTorch. A threshold is kept as a real number while training and becomes an integer of the legal
parity at export; both decide alike on every integer dot product, so export loses nothing.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.host import HostDense

from .limits import groups_of, threshold_range, usable_bias
from .recipes import Estimator, Filters

MOMENTUM = 0.1
"""Share of the newest batch in the running mean and deviation."""

FRACTION = 12
"""Real weights of host layers are whole multiples of 2**-FRACTION."""


class _Sign(torch.autograd.Function):
    """sign with sign(0) = +1, and the gradient of an estimator."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, z: Tensor, estimator: Estimator) -> Tensor:
        slope = 2 * (1 - z.abs()).clamp_min(0) if estimator == "triangle" else z.abs() <= 1
        ctx.save_for_backward(slope)
        return (z >= 0).to(z.dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return grad * slope, None


def sign(z: Tensor, estimator: Estimator = "box") -> Tensor:
    """Sign in {-1, +1}, shape as ``z``, with a stand-in for its gradient (straight-through estimator).

    "box" passes the gradient where |z| <= 1; "triangle" passes 2 * (1 - |z|) of it there, more where the sign
    is nearer to a change.
    """
    return _Sign.apply(z, estimator)


class _Normed(nn.Module):
    """Batch norm without scale, then sign: a threshold per group and neuron.

    The threshold is ``mean - beta * deviation`` of the dot products, clamped to ``low``..``high``. The scale is left
    out because a neuron with a negative one is the neuron with negated weights. ``frozen`` holds the statistics.

    Parameters
    ----------
    ranges : list of (float, float)
        Least and greatest threshold of each group.
    n_out : int
    estimator : "box" or "triangle"
        Gradient of the outputs' sign, see ``sign``.
    """

    low: Tensor
    high: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, ranges: list[tuple[float, float]], n_out: int, estimator: Estimator) -> None:
        super().__init__()
        self.estimator = estimator
        self.frozen = False
        self.beta = nn.Parameter(torch.zeros(len(ranges), n_out))
        self.register_buffer("low", torch.tensor([[float(low)] for low, _ in ranges]))
        self.register_buffer("high", torch.tensor([[float(high)] for _, high in ranges]))
        self.register_buffer("mean", torch.zeros(len(ranges), n_out))
        self.register_buffer("deviation", torch.ones(len(ranges), n_out))

    def threshold(self, mean: Tensor, deviation: Tensor) -> Tensor:
        """Real threshold within the limit, shape (n_groups, n_out)."""
        return torch.clamp(mean - self.beta * deviation, self.low, self.high)

    def signs(self, dots: Tensor) -> Tensor:
        """Signs of (n_groups, count, n_out) dot products."""
        if self.training and not self.frozen:
            mean = dots.mean(dim=1)
            # A group of constant inputs has no spread; one step of the dot product is the least that counts.
            deviation = dots.var(dim=1, unbiased=False).clamp_min(1.0).sqrt()
            with torch.no_grad():
                self.mean.lerp_(mean, MOMENTUM)
                self.deviation.lerp_(deviation, MOMENTUM)
        else:
            mean, deviation = self.mean, self.deviation
        return sign((dots - self.threshold(mean, deviation)[:, None]) / deviation[:, None], self.estimator)

    def real_thresholds(self) -> np.ndarray:
        """Real thresholds after training, float64 (n_groups, n_out)."""
        return self.threshold(self.mean, self.deviation).detach().numpy().astype(np.float64)


class SignLayer(_Normed):
    """Binarized layer with a threshold per group and neuron, and a sign.

    Parameters
    ----------
    n_in, n_out : int
        Inputs and neurons.
    bias_cells : int
        Bias columns beside each group; those that would make ties are left disabled.
    group : int or None
        Inputs that one analog neuron sees; None: all of them.
    generator : torch.Generator
        Source of the initial weights.
    estimator : "box" or "triangle"
        Gradient of the outputs' sign, see ``sign``.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        bias_cells: int,
        group: int | None,
        generator: torch.Generator,
        estimator: Estimator = "box",
    ) -> None:
        sizes = groups_of(n_in, group)
        super().__init__([_range(size, bias_cells) for size in sizes], n_out, estimator)
        self.sizes = sizes
        self.width = max(sizes)
        self.weight = nn.Parameter(_initial_weights(n_out, n_in, generator))

    def dots(self, x: Tensor) -> Tensor:
        """Dot product of each group: (batch, n_in) bipolar to (n_groups, batch, n_out)."""
        weight = sign(self.weight)
        if len(self.sizes) == 1:
            return functional.linear(x, weight)[None]
        pad = len(self.sizes) * self.width - x.shape[1]
        x, weight = functional.pad(x, (0, pad)), functional.pad(weight, (0, pad))
        x = x.view(len(x), -1, self.width).transpose(0, 1)
        weight = weight.view(len(weight), -1, self.width).permute(1, 2, 0)
        return torch.bmm(x, weight)

    def forward(self, x: Tensor) -> Tensor:
        votes = self.signs(self.dots(x))
        if len(self.sizes) == 1:
            return votes[0]
        # sqrt(n_groups) is the spread of the sum of independent votes.
        return sign(votes.sum(dim=0) / len(self.sizes) ** 0.5, self.estimator)

    def export(self) -> Dense:
        """The layer with integer thresholds of the legal parity, all polarities +1."""
        return _dense(_binary(self.weight), self.real_thresholds(), self.sizes)


class _Unlimited(nn.Module):
    """Batch norm without scale, then sign; thresholds within what the inputs reach. ``frozen`` holds the statistics.

    In training the sign is that of PyTorch's batch norm. In evaluation it is the comparison with the threshold
    ``mean - beta * deviation`` in float64, as exported.

    Parameters
    ----------
    n_out : int
    reach : float
        Thresholds stay within plus and minus this.
    least : float
        Added to the variance.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, n_out: int, reach: float, least: float) -> None:
        super().__init__()
        self.frozen, self.reach, self.least = False, reach, least
        self.beta = nn.Parameter(torch.zeros(n_out))
        self.register_buffer("mean", torch.zeros(n_out))
        self.register_buffer("variance", torch.ones(n_out))

    def signs(self, dots: Tensor) -> Tensor:
        """Signs of dot products (count, n_out, ...), in evaluation those of the export."""
        if self.training:
            moving = not self.frozen
            normed = functional.batch_norm(
                dots, self.mean, self.variance, None, self.beta, moving, MOMENTUM, self.least
            )
            return _HardSign.apply(normed)
        thresholds = torch.tensor(self.thresholds()).view(-1, *[1] * (dots.ndim - 2))
        return torch.where(dots.double() >= thresholds, 1.0, -1.0).to(dots.dtype)

    def thresholds(self) -> np.ndarray:
        """Real thresholds after training, float64 (n_out,)."""
        mean, variance, beta = (
            values.detach().numpy().astype(np.float64) for values in (self.mean, self.variance, self.beta)
        )
        return np.clip(mean - beta * np.sqrt(variance + self.least), -self.reach, self.reach)


class _HardSign(torch.autograd.Function):
    """sign with sign(0) = +1; the gradient passes where |z| < 1. Less work than ``sign``, for large maps."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return (z >= 0).to(z.dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(grad, z, -1.0, 1.0)


class WideLayer(_Unlimited):
    """Binarized layer of all inputs, with a threshold per neuron that no bias cells limit, and a sign.

    In training its dot products are bfloat16, in evaluation float32, which is exact.

    Parameters
    ----------
    n_in, n_out : int
        Inputs and neurons.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__(n_out, float(n_in), 1.0)
        self.weight = nn.Parameter(_initial_weights(n_out, n_in, generator))

    def forward(self, x: Tensor) -> Tensor:
        dtype = torch.bfloat16 if self.training else torch.float32
        return self.signs(functional.linear(x.to(dtype), sign(self.weight).to(dtype)))

    def export(self) -> Dense:
        """The layer with integer thresholds of the legal parity, all polarities +1."""
        weights = _binary(self.weight)
        return _dense(weights, self.thresholds()[None], [weights.shape[1]])


class FilterLayer(_Unlimited):
    """Binary convolution, OR-pooling, threshold and sign.

    The greatest dot product of a pooling window is compared with the threshold: the OR of the window's signs. In
    training the maps are bfloat16, in evaluation float32, which is exact.

    Parameters
    ----------
    filters : Filters
    side : int
        Rows and columns of the map that comes in.
    channels : int
        Bits of a pixel.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(self, filters: Filters, side: int, channels: int, generator: torch.Generator) -> None:
        n_in = filters.kernel**2 * channels
        super().__init__(filters.count, float(n_in), 1.0)
        self.filters, self.side, self.channels = filters, side, channels
        # Row by row, channel last, as the network file has them.
        self.weight = nn.Parameter(_initial_weights(filters.count, n_in, generator))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, side * side * channels) bipolar, channel last, to the same of the map that goes out."""
        f, k = self.filters, self.filters.kernel
        dtype = torch.bfloat16 if self.training else torch.float32
        maps = x.to(dtype).view(len(x), self.side, self.side, self.channels)
        p = f.padding
        maps = functional.pad(maps, (0, 0, p, p, p, p), value=-1.0).permute(0, 3, 1, 2)
        weight = sign(self.weight).view(f.count, k, k, self.channels).permute(0, 3, 1, 2).to(dtype)
        dots = functional.conv2d(maps, weight, stride=f.stride)
        if f.pool > 1:
            dots = functional.max_pool2d(dots, f.pool)
        return self.signs(dots).permute(0, 2, 3, 1).reshape(len(x), -1)

    def export(self) -> Convolution:
        """The layer with integer thresholds of the legal parity, all polarities +1."""
        f = self.filters
        weights = _binary(self.weight)
        return Convolution(
            window=_dense(weights, self.thresholds()[None], [weights.shape[1]]),
            width=self.side,
            height=self.side,
            channels=self.channels,
            kernel=f.kernel,
            stride=f.stride,
            padding=f.padding,
            pool=f.pool,
        )


class ScoreLayer(nn.Module):
    """Last layer: integer dot products as scores, no threshold; the softmax sees them scaled by one number.

    Parameters
    ----------
    n_in, n_out : int
        Inputs and classes.
    group : int or None
        Inputs that one analog row sees; the partial dot products are added, so training does not change.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(self, n_in: int, n_out: int, group: int | None, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = groups_of(n_in, group)
        self.weight = nn.Parameter(_initial_weights(n_out, n_in, generator))
        self.log_scale = nn.Parameter(torch.tensor(-0.5 * float(np.log(n_in))))

    def scores(self, x: Tensor) -> Tensor:
        """Integer scores as floats, shape (batch, n_out)."""
        return functional.linear(x, sign(self.weight))

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x) * self.log_scale.exp()

    def export(self) -> Dense:
        """The layer with thresholds 0 and polarities +1."""
        weights = _binary(self.weight)
        return Dense(
            weights=weights,
            thresholds=np.zeros((1, len(weights)), dtype=np.int32),
            polarity=np.ones((1, len(weights)), dtype=np.int8),
            group_sizes=np.array(self.sizes, dtype=np.int32),
            combine=Combine.ADD,
            output="score",
        )


class HostSignLayer(_Unlimited):
    """First layer of real weights on the grid of ``FRACTION`` bits, with thresholds and signs; for the host.

    Parameters
    ----------
    n_in, n_out : int
        Inputs and neurons.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__(n_out, float(n_in), 2.0**-FRACTION)
        self.weight = nn.Parameter(_initial_weights(n_out, n_in, generator))

    def forward(self, x: Tensor) -> Tensor:
        return self.signs(functional.linear(x, on_grid(self.weight)))

    def export(self) -> HostDense:
        """The layer in integers, in steps of the grid."""
        return HostDense(
            weights=_steps(self.weight),
            thresholds=np.ceil(self.thresholds() * 2.0**FRACTION).astype(np.int32),
            fraction=FRACTION,
            output="sign",
        )


class HostScoreLayer(nn.Module):
    """Last layer of real weights on the grid of ``FRACTION`` bits; its scores are exact; for the host.

    Parameters
    ----------
    n_in, n_out : int
        Inputs and classes.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(_initial_weights(n_out, n_in, generator))

    def scores(self, x: Tensor) -> Tensor:
        """Integer scores in steps of the grid, as floats (batch, n_out)."""
        return self(x) * 2.0**FRACTION

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, on_grid(self.weight))

    def export(self) -> HostDense:
        """The layer in integers, without thresholds."""
        weights = _steps(self.weight)
        return HostDense(
            weights=weights,
            thresholds=np.zeros(len(weights), dtype=np.int32),
            fraction=FRACTION,
            output="score",
        )


class _Grid(torch.autograd.Function):
    """Rounding to the grid; the gradient passes as it is."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, weight: Tensor) -> Tensor:
        return torch.round(weight * 2.0**FRACTION) * 2.0**-FRACTION

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        return grad


def on_grid(weight: Tensor) -> Tensor:
    """Weights within +-1, rounded to the grid; sums of up to 4096 of them are exact in float32."""
    return _Grid.apply(weight)


def _steps(weight: nn.Parameter) -> np.ndarray:
    """Weights in steps of the grid, int16."""
    return np.rint(weight.detach().numpy().astype(np.float64) * 2.0**FRACTION).astype(np.int16)


def _range(size: int, bias_cells: int) -> tuple[float, float]:
    """Least and greatest real threshold of a group of ``size`` inputs."""
    low, high = threshold_range(size, usable_bias(size, bias_cells))
    # Dot products move in steps of 2: a threshold down to low - 2 (exclusive) decides as low does.
    return low - 1.0, float(high)


def _dense(weights: np.ndarray, real: np.ndarray, sizes: list[int]) -> Dense:
    """A sign layer of trained weights and real thresholds."""
    parity = np.array(sizes)[:, None] % 2
    thresholds = (parity + 2 * np.ceil((real - parity) / 2)).astype(np.int32)
    return Dense(
        weights=weights,
        thresholds=thresholds,
        polarity=np.ones_like(thresholds, dtype=np.int8),
        group_sizes=np.array(sizes, dtype=np.int32),
        combine=Combine.VOTE if len(sizes) > 1 else Combine.ADD,
        output="sign",
    )


def _initial_weights(n_out: int, n_in: int, generator: torch.Generator) -> Tensor:
    """Latent weights, uniform within +-1/sqrt(n_in)."""
    return (torch.rand(n_out, n_in, generator=generator) * 2 - 1) * n_in**-0.5


def _binary(latent: nn.Parameter) -> np.ndarray:
    """Weights in {-1, +1} int8 of latent weights, same shape."""
    return np.where(latent.detach().numpy() >= 0, 1, -1).astype(np.int8)
