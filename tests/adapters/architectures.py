"""Architectures as users write them: residual, recurrent, attention, mixers, implicit layers."""

import torch
from torch import nn
from torch.nn import functional

torch.set_num_threads(1)


class Residual(nn.Module):
    """Convolution, stored statistics, a residual sum, pooling, a scale of one's own."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2)
        self.head, self.scale = nn.Linear(8, 3), nn.Parameter(torch.randn(3))
        self.register_buffer("shift", torch.ones(3))

    def forward(self, image):
        h = torch.relu(self.norm(self.conv(image))) + image
        return self.head(functional.avg_pool2d(h, 2).flatten(1)) * self.scale + self.shift


class UNet(nn.Module):
    """Pooling by the largest, groups, a transposed convolution, a concatenation."""

    def __init__(self):
        super().__init__()
        self.down, self.pool = nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2)
        self.middle = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, image):
        a = functional.relu(self.down(image))
        b = functional.relu(self.middle(self.pool(a)))
        return self.out(torch.cat([self.up(b), a], 1))


class Circular(nn.Module):
    """Circular padding, dilation, group norm, an activation in place."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3, padding=2, dilation=2, padding_mode="circular")
        self.norm, self.act, self.head = nn.GroupNorm(2, 4), nn.SiLU(inplace=True), nn.Linear(4, 2)

    def forward(self, signal):
        return self.head(self.act(self.norm(self.conv(signal))).mean(-1))


class Cell(nn.Module):
    """One step of a recurrent cell."""

    def __init__(self, kind):
        super().__init__()
        self.cell = kind(3, 4)

    def forward(self, u, h):
        return self.cell(u, h)


class LongShort(nn.Module):
    """An LSTM cell with both of its states as results."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, u, h, c):
        return self.cell(u, (h, c))


class LastOf(nn.Module):
    """A recurrent layer over a sequence, of which the last step is read."""

    def __init__(self, layer, width=4):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, 2)

    def forward(self, sequence):
        return self.head(self.layer(sequence)[0][:, -1])


class Attention(nn.Module):
    """Heads by one matrix, as timm writes them."""

    def __init__(self, width=8, heads=2):
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heads, self.scale = heads, (width // heads) ** -0.5

    def forward(self, x):
        b, n, c = x.shape
        qkv = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        weights = ((q @ k.transpose(-2, -1)) * self.scale).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(b, n, c))


class VisionTransformer(nn.Module):
    """Patches, a class token, positions, layer scale, attention, a perceptron."""

    def __init__(self, width=8):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, stride=4)
        self.token, self.place = (nn.Parameter(torch.randn(1, n, width)) for n in (1, 5))
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.scale = Attention(width), nn.Parameter(0.1 * torch.randn(width))
        self.mlp = nn.Sequential(
            nn.Linear(width, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, width)
        )
        self.head = nn.Linear(width, 4)

    def forward(self, image):
        x = self.patch(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        x = x + self.scale * self.attention(self.first(x))
        return self.head((x + self.mlp(self.second(x)))[:, 0])


class Mixer(nn.Module):
    """Perceptrons over tokens and over channels in turn."""

    def __init__(self, tokens=4, width=6):
        super().__init__()
        self.embed = nn.Conv2d(1, width, 4, stride=4)
        self.over_tokens = nn.Sequential(nn.Linear(tokens, 8), nn.GELU(), nn.Linear(8, tokens))
        self.over_channels = nn.Sequential(nn.Linear(width, 8), nn.GELU(), nn.Linear(8, width))
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.head = nn.Linear(width, 3)

    def forward(self, image):
        x = self.embed(image).flatten(2).transpose(1, 2)
        x = x + self.over_tokens(self.first(x).transpose(1, 2)).transpose(1, 2)
        return self.head((x + self.over_channels(self.second(x))).mean(1))


class Equilibrium(nn.Module):
    """A fixed point by a number of steps that is fixed: one weight, used many times."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 4), nn.Linear(3, 4)

    def forward(self, u):
        z = torch.zeros(u.shape[0], 4, dtype=u.dtype)
        for _ in range(12):
            z = torch.tanh(0.3 * self.inner(z) + self.outer(u))
        return z


class Implicit(nn.Module):
    """A fixed point until it no longer moves, which depends on the values."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, b):
        z = torch.zeros_like(b)
        while True:
            after = torch.tanh(0.3 * self.inner(z) + b)
            if (after - z).abs().max() < 1e-14:
                return after
            z = after


class WithImplicit(nn.Module):
    """An implicit layer between dense ones."""

    def __init__(self):
        super().__init__()
        self.first, self.fixed, self.last = nn.Linear(3, 4), Implicit(), nn.Linear(4, 2)

    def forward(self, u):
        return self.last(self.fixed(self.first(u))).relu()


class Gated(nn.Module):
    """A gated perceptron (SwiGLU), and results by name."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(3, 6), nn.Linear(3, 6), nn.Linear(6, 2, bias=False)

    def forward(self, u):
        y = self.out(functional.silu(self.a(u)) * self.b(u))
        y += 1.0
        return {"value": y, "total": y.sum(-1)}


class Siren(nn.Module):
    """Sines, squares and quotients by constants, as physics-informed networks have them."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 6), nn.Linear(6, 1)

    def forward(self, x, t):
        z = torch.sin(3.0 * self.a(torch.cat([x, t], dim=-1)))
        return self.b(z) * (1 - x**2) / 4.0 - torch.exp(-t)


class Adapted(nn.Module):
    """A frozen base with trained biases and a low-rank part (BitFit and LoRA)."""

    def __init__(self):
        super().__init__()
        self.base, self.down, self.up = (
            nn.Linear(4, 4),
            nn.Linear(4, 2, bias=False),
            nn.Linear(2, 4),
        )
        self.base.weight.requires_grad_(False)

    def forward(self, u):
        return torch.tanh(self.base(u)) + 0.5 * self.up(self.down(u))


class Language(nn.Module):
    """Embeddings of tokens and of places, attention, a head."""

    def __init__(self, words=7, width=8):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(5, width)
        self.norm, self.attention = nn.LayerNorm(width), Attention(width)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, tokens):
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.head(x + self.attention(self.norm(x)))


class TiedAutoencoder(nn.Module):
    """Down by a matrix, up by its transpose."""

    def __init__(self):
        super().__init__()
        self.W, self.b = nn.Parameter(torch.randn(3, 6)), nn.Parameter(torch.randn(3))
        self.c = nn.Parameter(torch.randn(6))

    def forward(self, u):
        return torch.tanh(functional.linear(u, self.W, self.b)) @ self.W + self.c


class CrossAttention(nn.Module):
    """One matrix whose rows serve queries, and keys and values of another sequence."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, query, memory):
        return self.attention(query, memory, memory)


class PointCloud(nn.Module):
    """The largest over points (PointNet)."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 6), nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, points):
        x = functional.relu(self.b(functional.relu(self.a(points))))
        return self.c(x.max(dim=1)[0] + x.amax((1,)))


class Selecting(nn.Module):
    """A matrix for each head by einsum, an entry written in place, a choice by sign."""

    def __init__(self):
        super().__init__()
        self.W, self.b = nn.Parameter(torch.randn(2, 3, 4)), nn.Parameter(torch.randn(4))

    def forward(self, u):
        y = torch.einsum("bhi,hij->bhj", u.view(-1, 2, 3), self.W) + self.b
        z = y.permute(0, 2, 1).reshape(-1, 8).clone()
        z[:, 0] = 0.0
        return torch.where(z > 0, z, 0.1 * z)


class Excited(nn.Module):
    """Channels that are weighted by their own means (squeeze and excitation), in place."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.down, self.up = nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)
        self.act, self.head = nn.ReLU(inplace=True), nn.Linear(4, 3)

    def forward(self, image):
        y = self.act(self.norm(self.conv(image)))
        w = torch.sigmoid(self.up(self.act(self.down(y.mean((2, 3), keepdim=True)))))
        return self.head((y * w).mean([-1, -2]))


class Aggregated(nn.Module):
    """Grouped convolutions with a stride, and a sum in place with a projection (ResNeXt)."""

    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Conv2d(4, 4, 1, bias=False), nn.Conv2d(4, 8, 1, bias=False)
        self.b = nn.Conv2d(4, 4, 3, padding=1, groups=2, stride=2, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in (4, 4, 8))
        self.project = nn.Sequential(nn.Conv2d(4, 8, 1, stride=2, bias=False), nn.BatchNorm2d(8))
        self.act = nn.ReLU(inplace=True)

    def forward(self, image):
        y = self.act(self.norms[0](self.a(image)))
        y = self.norms[2](self.c(self.act(self.norms[1](self.b(y)))))
        y += self.project(image)
        return self.act(y)


class Highway(nn.Module):
    """Gates between what a layer gives and its input; the layer stands twice."""

    def __init__(self):
        super().__init__()
        self.change, self.gate = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, u):
        for _ in range(2):
            t = torch.sigmoid(self.gate(u))
            u = t * torch.relu(self.change(u)) + (1 - t) * u
        return u


class Normalised(nn.Module):
    """Weights by direction and length, orthogonal ones, and ones of spectral norm 1."""

    def __init__(self):
        super().__init__()
        self.a = nn.utils.parametrizations.weight_norm(nn.Linear(3, 5))
        self.b = nn.utils.parametrizations.orthogonal(nn.Linear(5, 5))
        self.c = nn.utils.parametrizations.spectral_norm(nn.Linear(5, 2))

    def forward(self, u):
        return self.c(torch.relu(self.b(torch.tanh(self.a(u)))))


class Shared(nn.Module):
    """One matrix in two layers, once as its transpose, and in a product; a vector used twice."""

    def __init__(self):
        super().__init__()
        self.layer, self.W = nn.Linear(3, 3), nn.Parameter(torch.randn(3, 3))
        self.scale = nn.Parameter(torch.randn(3))

    def forward(self, u):
        a, b = u.split(3, -1)
        first = functional.linear(torch.relu(self.layer(a)), self.W) * self.scale
        return first + functional.linear(self.layer(b) * self.scale, self.W.t()) + a @ self.W


class Tied(Language):
    """The same with one matrix at both ends."""

    def __init__(self):
        super().__init__()
        self.head.weight = self.words.weight


def perceptron():
    return nn.Sequential(
        nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.LeakyReLU(0.1), nn.Linear(8, 2)
    )


def small_convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


# What makes each, the shapes of its arguments, and by which way it is read.
ARCHITECTURES = {
    "perceptron": (perceptron, [(3,)], "torch.export"),
    "small convolutional": (small_convolutional, [(1, 8, 8)], "torch.export"),
    "residual": (Residual, [(2, 4, 4)], "torch.export"),
    "u-net": (UNet, [(1, 8, 8)], "torch.export"),
    "circular": (Circular, [(3, 6)], "torch.export"),
    "lstm cell": (LongShort, [(3,), (4,), (4,)], "torch.export"),
    "gru cell": (lambda: Cell(nn.GRUCell), [(3,), (4,)], "torch.export"),
    "rnn cell": (lambda: Cell(nn.RNNCell), [(3,), (4,)], "torch.export"),
    "lstm layers": (
        lambda: LastOf(nn.LSTM(3, 4, num_layers=2, batch_first=True)), [(5, 3)], "torch.export",
    ),
    "gru in both directions": (
        lambda: LastOf(nn.GRU(3, 4, batch_first=True, bidirectional=True), 8), [(4, 3)],
        "torch.export",
    ),
    "encoder layer": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), [(5, 8)], "torch.export",
    ),
    "vision transformer": (VisionTransformer, [(3, 8, 8)], "torch.export"),
    "mixer": (Mixer, [(1, 8, 8)], "torch.export"),
    "equilibrium": (Equilibrium, [(3,)], "torch.export"),
    "implicit between layers": (WithImplicit, [(3,)], "torch.fx"),
    "implicit alone": (Implicit, [(4,)], "one module"),
    "gated": (Gated, [(3,)], "torch.export"),
    "siren": (Siren, [(1,), (1,)], "torch.export"),
    "tied autoencoder": (TiedAutoencoder, [(6,)], "torch.export"),
    "cross-attention": (CrossAttention, [(3, 6), (4, 6)], "torch.export"),
    "point cloud": (PointCloud, [(5, 3)], "torch.export"),
    "selecting": (Selecting, [(6,)], "one module"),
    "squeeze and excitation": (Excited, [(2, 4, 4)], "torch.export"),
    "aggregated": (Aggregated, [(4, 4, 4)], "torch.export"),
    "highway": (Highway, [(4,)], "torch.export"),
    "normalised weights": (Normalised, [(3,)], "torch.export"),
    "shared": (Shared, [(6,)], "torch.export"),
    "adapted": (Adapted, [(4,)], "torch.export"),
}  # fmt: skip


def made(name, dtype=torch.float64):
    """A freshly made architecture in evaluation mode, and example inputs."""
    make, shapes, _ = ARCHITECTURES[name]
    torch.manual_seed(0)
    model = make().to(dtype).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return model, tuple(torch.randn(1, *shape, dtype=dtype) for shape in shapes)
