"""Two processes with half of the batch each take the steps of one process with all of it."""

import multiprocessing
import socket

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from riemannian_torch import GaussNewton, JointMetric, LayerMetric
from tests.adapters.networks import perceptron

STEPS = 4


def data():
    torch.manual_seed(1)
    return torch.randn(12, 3).double(), torch.randint(0, 4, (12,))


def network():
    torch.manual_seed(2)
    return perceptron(3, 8, 4).double()


METRICS = {"joint": JointMetric(), "layers": LayerMetric()}


def train(model, x, y, way):
    criterion = nn.CrossEntropyLoss()
    optimizer = GaussNewton(model, criterion, metric=METRICS.get(way))
    for _ in range(STEPS):
        if way != "backward":
            optimizer.step(lambda: criterion(model(x), y))
        else:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def work(rank, port, way, results):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    x, y = data()
    model = DistributedDataParallel(network())
    found = train(model, x.chunk(2)[rank], y.chunk(2)[rank], way)
    results.put((rank, found.numpy()))
    distributed.destroy_process_group()


@pytest.mark.parametrize("way", ["closure", "backward", *METRICS])
def test_two_processes_are_one(way):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=work, args=(rank, port, way, results)) for rank in range(2)]
    for worker in workers:
        worker.start()
    found = dict(results.get(timeout=300) for _ in workers)
    for worker in workers:
        worker.join()
    whole = train(network(), *data(), way).numpy()
    assert (found[0] == found[1]).all()
    torch.testing.assert_close(found[0], whole, rtol=1e-9, atol=1e-9)
