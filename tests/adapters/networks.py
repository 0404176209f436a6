"""Torch networks of several kinds, with the space of their inputs."""

import itertools

import torch
from torch import nn

import riemannian_modules as rm

# So small are the networks that threads would only wait for each other.
torch.set_num_threads(1)


class Recurrent(nn.Module):
    """The outputs of an LSTM over a short sequence; torch cannot vectorise it."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(2, 2, batch_first=True)

    def forward(self, sequence):
        return self.lstm(sequence)[0]


class TwoByTwo(nn.Module):
    """Two arguments, two results, a weight used twice, a frozen one and a buffer."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
        self.second.weight = self.first.weight
        self.frozen = nn.Parameter(torch.tensor([0.5, -2.0]), requires_grad=False)
        self.register_buffer("shift", torch.tensor([0.25, 1.5]))

    def forward(self, a, b):
        hidden = torch.tanh(self.first(a)) * self.frozen
        return {"sum": self.second(hidden) + self.shift, "product": hidden[..., 0] * b}


class Branching(nn.Module):
    """A branch on a value, which torch cannot vectorise."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, u):
        y = self.linear(u)
        return y if float(y.detach().sum()) > 0 else 3 * y


def perceptron(*sizes):
    layers = []
    for m, n in itertools.pairwise(sizes):
        layers += [nn.Linear(m, n), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def convolutional():
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.GELU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(8, 2),
    )  # fmt: skip
    nn.init.normal_(net[1].running_mean, std=0.1)
    return net.eval()


def networks():
    """Freshly made networks by name, each with its inputs."""
    torch.manual_seed(0)
    return {
        "perceptron": (perceptron(3, 5, 2), rm.space(u=3)),
        "convolutional": (convolutional(), rm.space(image=(1, 6, 6))),
        "two_by_two": (TwoByTwo(), rm.space(a=2, b=())),
        "recurrent": (Recurrent(), rm.space(sequence=(3, 2))),
        "attention": (
            # Four features, for two that are normalised are always 1 and -1.
            nn.TransformerEncoderLayer(4, 2, 3, batch_first=True).eval(),
            rm.space(tokens=(2, 4)),
        ),
        "bilinear": (nn.Bilinear(2, 3, 2), rm.space(a=2, b=3)),
        "without_parameters": (nn.Softplus(), rm.space(u=3)),
    }
