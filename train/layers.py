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
from bridgebnn.model.networks.dense import Dense

from .limits import groups_of, threshold_range, usable_bias
from .recipes import Estimator

MOMENTUM = 0.1
"""Share of the newest batch in the running mean and deviation."""


class _Sign(torch.autograd.Function):
    """sign with sign(0) = +1, and the gradient of an estimator."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, z: Tensor, estimator: Estimator) -> Tensor:
        slope = 2 * (1 - z.abs()).clamp_min(0) if estimator == "triangle" else z.abs() <= 1
        ctx.save_for_backward(slope)
        return torch.where(z >= 0, 1.0, -1.0)

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


class SignLayer(nn.Module):
    """Binarized layer with a threshold per group and neuron, and a sign.

    Batch norm without scale sets the threshold at ``mean - beta * deviation`` of the group's dot products,
    clamped to what the bias cells hold. Its scale is left out because a neuron with a negative one is
    the neuron with negated weights.

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
        super().__init__()
        self.estimator = estimator
        sizes = groups_of(n_in, group)
        ranges = [threshold_range(size, usable_bias(size, bias_cells)) for size in sizes]
        self.sizes = sizes
        self.width = max(sizes)
        self.weight = nn.Parameter(_initial_weights(n_out, n_in, generator))
        self.beta = nn.Parameter(torch.zeros(len(sizes), n_out))
        # Dot products move in steps of 2: a threshold down to low - 2 (exclusive) decides as low does.
        self.register_buffer("low", torch.tensor([[low - 1.0] for low, _ in ranges]))
        self.register_buffer("high", torch.tensor([[float(high)] for _, high in ranges]))
        self.register_buffer("mean", torch.zeros(len(sizes), n_out))
        self.register_buffer("deviation", torch.ones(len(sizes), n_out))

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

    def threshold(self, mean: Tensor, deviation: Tensor) -> Tensor:
        """Real threshold within the limit, shape (n_groups, n_out)."""
        return torch.clamp(mean - self.beta * deviation, self.low, self.high)

    def forward(self, x: Tensor) -> Tensor:
        dots = self.dots(x)
        if self.training:
            mean = dots.mean(dim=1)
            # A group of constant inputs has no spread; one step of the dot product is the least that counts.
            deviation = dots.var(dim=1, unbiased=False).clamp_min(1.0).sqrt()
            with torch.no_grad():
                self.mean.lerp_(mean, MOMENTUM)
                self.deviation.lerp_(deviation, MOMENTUM)
        else:
            mean, deviation = self.mean, self.deviation
        votes = sign((dots - self.threshold(mean, deviation)[:, None]) / deviation[:, None], self.estimator)
        if len(self.sizes) == 1:
            return votes[0]
        # sqrt(n_groups) is the spread of the sum of independent votes.
        return sign(votes.sum(dim=0) / len(self.sizes) ** 0.5, self.estimator)

    def export(self) -> Dense:
        """The layer with integer thresholds of the legal parity, all polarities +1."""
        real = self.threshold(self.mean, self.deviation).detach().numpy()
        parity = np.array(self.sizes)[:, None] % 2
        thresholds = (parity + 2 * np.ceil((real - parity) / 2)).astype(np.int32)
        return Dense(
            weights=_binary(self.weight),
            thresholds=thresholds,
            polarity=np.ones_like(thresholds, dtype=np.int8),
            group_sizes=np.array(self.sizes, dtype=np.int32),
            combine=Combine.VOTE if len(self.sizes) > 1 else Combine.ADD,
            output="sign",
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


def _initial_weights(n_out: int, n_in: int, generator: torch.Generator) -> Tensor:
    """Latent weights, uniform within +-1/sqrt(n_in)."""
    return (torch.rand(n_out, n_in, generator=generator) * 2 - 1) * n_in**-0.5


def _binary(latent: nn.Parameter) -> np.ndarray:
    """Weights in {-1, +1} int8 of latent weights, same shape."""
    return np.where(latent.detach().numpy() >= 0, 1, -1).astype(np.int8)
