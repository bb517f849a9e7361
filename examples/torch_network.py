"""A small binarized network in PyTorch: trained on a folder of images, then turned into a network file.

    python -m examples.torch_network FOLDER NETWORK [EPOCHS]

Needs PyTorch. Every value of an image becomes three bits (a thermometer code), which enter as -1 and +1. Inside the
module is nothing of this project: signs with a straight-through estimator, convolution, pooling, batch norm.
"""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from bridgebnn.model.networks import from_torch
from bridgebnn.model.networks.data import load_data
from bridgebnn.model.networks.encoding import Encoding, parse_rule

RULE = "thermometer:3"


class Sign(torch.autograd.Function):
    """+1 from 0 on, else -1; the gradient passes where |x| <= 1."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


class SignOf(nn.Module):
    def forward(self, x):
        return Sign.apply(x)


class BinaryConv2d(nn.Conv2d):
    def forward(self, x):
        return functional.conv2d(x, Sign.apply(self.weight), stride=self.stride)


class BinaryLinear(nn.Linear):
    def forward(self, x):
        return functional.linear(x, Sign.apply(self.weight))


def network(channels: int, classes: int) -> nn.Module:
    """14 x 14 pixels; 3 x 3 windows, pooling, two fully connected layers."""
    return nn.Sequential(
        *(BinaryConv2d(channels, 16, 3, bias=False), nn.BatchNorm2d(16), SignOf(), nn.MaxPool2d(2)),
        *(nn.Flatten(), BinaryLinear(16 * 6 * 6, 64, bias=False), nn.BatchNorm1d(64), SignOf()),
        BinaryLinear(64, classes, bias=False),
    )


def train(module: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int) -> None:
    """Adam on the latent weights; scores are scaled down for the cross entropy."""
    adam = torch.optim.Adam(module.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, epochs)
    for epoch in range(epochs):
        for part in torch.randperm(len(x)).split(100):
            adam.zero_grad()
            functional.cross_entropy(module(x[part]) / 8, y[part]).backward()
            adam.step()
            for weights in (p for p in module.parameters() if p.ndim > 1):
                weights.data.clamp_(-1, 1)
        schedule.step()
        print(f"epoch {epoch + 1} of {epochs}", end="\r", flush=True)
    print()


if __name__ == "__main__":
    torch.manual_seed(1)
    folder, target, *more = sys.argv[1:]
    data = load_data(Path(folder) / "train")
    encode = Encoding(shape=data.images.shape[1:], thresholds=parse_rule(RULE))
    height, width = data.images.shape[1:3]

    def tensor(images):
        maps = encode(images).reshape(len(images), height, width, -1).transpose(0, 3, 1, 2)
        return torch.tensor(2.0 * maps - 1).float()

    x, y = tensor(data.images), torch.tensor(data.labels)
    module = network(x.shape[1], int(y.max()) + 1)
    train(module, x, y, int(more[0]) if more else 8)
    made = from_torch(
        module, input_shape=x.shape[1:], input_range="bipolar", binarize=RULE, name="digits-torch"
    )
    made.save(target)
    test = load_data(Path(folder) / "test", made)
    right = (module.eval()(tensor(test.images)).argmax(dim=1) == torch.tensor(test.labels)).float().mean()
    print(f"PyTorch: {right:.2%} of {len(test)} test images; written: {target}")
