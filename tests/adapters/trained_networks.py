"""Networks to train, with inputs, targets, a criterion and the axis of the samples."""

import torch
from torch import nn

from tests.adapters.networks import perceptron


def labels(batch, classes=4):
    return torch.randint(0, classes, (batch,))


def dense(batch):
    return perceptron(3, 5, 4), torch.randn(batch, 3), labels(batch), nn.CrossEntropyLoss(), 0


def dense_over_places(batch):
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    return net, torch.randn(batch, 4, 3), torch.randn(batch, 4, 2), nn.MSELoss(), 0


def images(batch):
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, stride=2), nn.GroupNorm(2, 4), nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 2, groups=2, dilation=2, bias=False), nn.Flatten(), nn.LazyLinear(4),
    )  # fmt: skip
    x = torch.randn(batch, 2, 8, 8)
    net(x)
    return net, x, labels(batch), nn.CrossEntropyLoss(), 0


def signals(batch):
    net = nn.Sequential(nn.Conv1d(2, 3, 3, padding="same", dilation=2), nn.Tanh(), nn.Flatten())
    return net, torch.randn(batch, 2, 5), torch.randn(batch, 15), nn.HuberLoss(), 0


def volumes(batch):
    net = nn.Sequential(nn.Conv3d(1, 2, 2, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(16, 4))
    return net, torch.randn(batch, 1, 4, 4, 4), labels(batch), nn.CrossEntropyLoss(), 0


def normed_in_evaluation(batch):
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten())
    net = nn.Sequential(net, nn.LayerNorm(48), nn.Linear(48, 4))
    net[0](torch.randn(8, 1, 6, 6))
    return net.eval(), torch.randn(batch, 1, 6, 6), labels(batch), nn.CrossEntropyLoss(), 0


class Tied(nn.Module):
    """An embedding whose table is the last layer's weight too."""

    def __init__(self):
        super().__init__()
        self.table, self.middle = nn.Embedding(9, 4, padding_idx=2), nn.Linear(4, 4)
        self.last = nn.Linear(4, 9, bias=False)
        self.last.weight = self.table.weight

    def forward(self, index):
        return self.last(torch.tanh(self.middle(self.table(index)))).mean(1)


def tied(batch):
    return Tied(), torch.randint(0, 9, (batch, 5)), labels(batch, 9), nn.CrossEntropyLoss(), 0


def looked_up(batch):
    net = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.RMSNorm(20), nn.Linear(20, 4))
    return net, torch.randint(0, 9, (batch, 5)), labels(batch), nn.CrossEntropyLoss(), 0


class Repeated(nn.Module):
    """One layer, called three times."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        for _ in range(3):
            x = x + torch.tanh(self.layer(x))
        return x


def repeated(batch):
    return Repeated(), torch.randn(batch, 4), labels(batch), nn.CrossEntropyLoss(), 0


class Last(nn.Module):
    """What a recurrent layer gives at the end of a sequence."""

    def __init__(self, layer, size):
        super().__init__()
        self.layer, self.last = layer, nn.Linear(size, 4)

    def forward(self, x):
        y = self.layer(x)[0]
        return self.last(y[:, -1] if self.layer.batch_first else y[-1])


def lstm(batch):
    net = Last(nn.LSTM(3, 5, batch_first=True, proj_size=2), 2)
    return net, torch.randn(batch, 4, 3), labels(batch), nn.CrossEntropyLoss(), 0


def gru(batch):
    net = Last(nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True), 8)
    return net, torch.randn(batch, 4, 3), labels(batch), nn.CrossEntropyLoss(), 0


def time_first(batch):
    return Last(nn.RNN(3, 5), 5), torch.randn(4, batch, 3), labels(batch), nn.CrossEntropyLoss(), 1


class Cells(nn.Module):
    """A recurrent cell, called by hand."""

    def __init__(self):
        super().__init__()
        self.cell, self.last = nn.LSTMCell(3, 5), nn.Linear(5, 4)

    def forward(self, x):
        state = x.new_zeros(len(x), 5), x.new_zeros(len(x), 5)
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return self.last(state[0])


def cells(batch):
    return Cells(), torch.randn(batch, 4, 3), labels(batch), nn.CrossEntropyLoss(), 0


class Attending(nn.Module):
    """A layer of attention over a sequence."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 4)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)

    def forward(self, x):
        return self.last(self.layer(self.first(x)).mean(1))


def attending(batch):
    return Attending(), torch.randn(batch, 5, 3), labels(batch), nn.CrossEntropyLoss(), 0


class Own(nn.Module):
    """Parameters of the module's own, used by plain operations."""

    def __init__(self):
        super().__init__()
        self.place, self.scale = nn.Parameter(torch.randn(1, 5, 3)), nn.Parameter(torch.ones(3))
        self.weight, self.shift = nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return (((x + self.place) * self.scale) @ self.weight).mean(1) + self.shift


def own(batch):
    return Own(), torch.randn(batch, 5, 3), labels(batch), nn.CrossEntropyLoss(), 0


class Odd(nn.Module):
    """A parameter that is used in a way that nothing is known of."""

    def __init__(self):
        super().__init__()
        self.layer, self.rate = nn.Linear(3, 4), nn.Parameter(torch.zeros(4))

    def forward(self, x):
        return self.layer(x) * self.rate.exp()


def odd(batch):
    return Odd(), torch.randn(batch, 3), labels(batch), nn.CrossEntropyLoss(), 0


TRAINED = [
    dense, dense_over_places, images, signals, volumes, normed_in_evaluation, tied, looked_up,
    repeated, lstm, gru, time_first, cells, attending, own, odd,
]  # fmt: skip
