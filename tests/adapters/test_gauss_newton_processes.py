"""Two processes with half of the batch each take the steps of one process with all of it."""

import multiprocessing
import socket

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from riemannian_torch import GaussNewton
from tests.adapters.networks import perceptron

STEPS = 4


def data():
    torch.manual_seed(1)
    return torch.randn(12, 3).double(), torch.randint(0, 4, (12,))


def network():
    torch.manual_seed(2)
    return perceptron(3, 8, 4).double()


def train(model, x, y, with_closure):
    criterion = nn.CrossEntropyLoss()
    optimizer = GaussNewton(model, criterion)
    for _ in range(STEPS):
        if with_closure:
            optimizer.step(lambda: criterion(model(x), y))
        else:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def work(rank, port, with_closure, results):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    x, y = data()
    model = DistributedDataParallel(network())
    found = train(model, x.chunk(2)[rank], y.chunk(2)[rank], with_closure)
    results.put((rank, found.numpy()))
    distributed.destroy_process_group()


@pytest.mark.parametrize("with_closure", [True, False], ids=["closure", "backward"])
def test_two_processes_are_one(with_closure):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=work, args=(rank, port, with_closure, results)) for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    found = dict(results.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    whole = train(network(), *data(), with_closure).numpy()
    assert (found[0] == found[1]).all()
    torch.testing.assert_close(found[0], whole, rtol=1e-9, atol=1e-9)
