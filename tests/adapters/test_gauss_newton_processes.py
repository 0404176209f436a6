"""Two processes with half of the batch each take the steps of one process with all of it."""

import copy
import multiprocessing
import socket
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from riemannian_modules.errors import DomainError, UnsupportedError
from riemannian_torch import GaussNewton, JointMetric, LayerMetric, diagnose, laplace
from tests.adapters.networks import perceptron
from tests.adapters.trained_networks import Odd, Tied

STEPS = 4
ENTROPY = nn.CrossEntropyLoss()


def plain():
    return perceptron(3, 7, 4)  # shards of 4 and 3, and of 2 and 2


def points(batch=12, classes=4):
    return torch.randn(batch, 3).double(), torch.randint(0, classes, (batch,))


def words():
    return torch.randint(0, 9, (12, 5)), torch.randint(0, 9, (12,))


def table():
    return nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 9))


def pixels():
    return torch.randn(12, 2, 5, 5).double(), torch.randint(0, 4, (12,))


def convolution():
    return nn.Sequential(
        nn.Conv2d(2, 6, 2), nn.Tanh(), nn.Conv2d(6, 4, 2, groups=2), nn.GroupNorm(2, 4),
        nn.Flatten(), nn.Linear(36, 4),
    )  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A run of training; its model and data are drawn from seeds."""

    network: Any = plain
    samples: Any = points
    metric: Any = None
    max_overhead: float | None = None
    is_backward: bool = False
    is_resumed: bool = False


WAYS = {
    "closure": Way(),
    "backward": Way(is_backward=True),
    "joint": Way(metric=JointMetric()),
    "layers": Way(metric=LayerMetric()),
    "joint backward": Way(metric=JointMetric(), is_backward=True),
    # Of 80 samples all that are looked at again are on the first process.
    "sweep": Way(samples=partial(points, 80), max_overhead=1.0),
    "many outputs": Way(partial(perceptron, 3, 7, 20), partial(points, 80, 20)),
    "narrow": Way(partial(perceptron, 3, 1, 4)),  # an empty shard
    "tied": Way(Tied, words),
    "table": Way(table, words),
    "convolution": Way(convolution, pixels),
    "resumed": Way(is_resumed=True),
    "odd closure": Way(Odd),
    "odd backward": Way(Odd, is_backward=True),
}


def drawn(way):
    torch.manual_seed(1)
    x, y = way.samples()
    torch.manual_seed(2)
    return way.network().double(), x, y


def trained(model, x, y, way):
    make = partial(GaussNewton, model, ENTROPY, metric=way.metric, max_overhead=way.max_overhead)
    optimizer = make()
    for step in range(STEPS):
        with torch.no_grad():
            model(x)  # an evaluation, which changes nothing
        if way.is_resumed and step == STEPS // 2:
            state = copy.deepcopy(optimizer.state_dict())
            optimizer = make()
            optimizer.load_state_dict(state)
        if way.is_backward:
            optimizer.zero_grad()
            ENTROPY(model(x), y).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.02)
            optimizer.step()
        else:
            optimizer.step(lambda: ENTROPY(model(x), y))
    return optimizer


def whole(p):
    return p.full_tensor() if hasattr(p, "full_tensor") else p


def values(optimizer):
    (group,) = optimizer.param_groups
    return torch.cat([whole(p).detach().flatten() for p in group["params"]]).numpy()


def sharded(model):
    from torch.distributed.fsdp import fully_shard

    if isinstance(model, nn.Sequential):
        for layer in (model[0], model[-1]):
            fully_shard(layer)
    return fully_shard(model)


WRAPS = {"copies": DistributedDataParallel, "shards": sharded}
ALL = tuple(product(WRAPS, WAYS))
# A table in shards too: each process keeps a part of its entries, from one that is not the first.
FEW = (*product(WRAPS, ("closure", "backward")), ("shards", "table"))


def take_part(rank, port, runs, results):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    for run in runs:
        wrap, way = WRAPS[run[0]], WAYS[run[1]]
        model, x, y = drawn(way)
        try:
            optimizer = trained(wrap(model), x.chunk(2)[rank], y.chunk(2)[rank], way)
            results.put((run, values(optimizer)))
        except UnsupportedError as error:
            results.put((run, str(error)))
    distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("runs", [FEW, pytest.param(ALL, marks=pytest.mark.slow)], ids=len)
def test_two_processes_are_one(runs):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=take_part, args=(rank, port, runs, results), daemon=True)
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    found = {run: [] for run in runs}
    for _ in range(2 * len(runs)):
        run, result = results.get(timeout=300)
        found[run].append(result)
    for worker in workers:
        worker.join()
    for (wrap, name), (one, other) in found.items():
        if wrap == "shards" and name.startswith("odd"):
            assert "torch.nn.functional.linear" in one
            continue
        assert not isinstance(one, str), f"{wrap}, {name}: {one}"
        assert np.array_equal(one, other), (wrap, name)
        expected = values(trained(*drawn(WAYS[name]), WAYS[name]))
        np.testing.assert_allclose(one, expected, rtol=1e-9, atol=1e-9, err_msg=f"{wrap}, {name}")


# ----------------------------------------------------------------- of one process, quick to start


@pytest.fixture
def alone(tmp_path):
    meeting = f"file://{tmp_path}/meeting"
    distributed.init_process_group("gloo", init_method=meeting, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_a_sharded_model_has_the_diagnosis_of_the_model(alone):
    found = []
    for wrap in (lambda model: model, sharded):
        model, x, y = drawn(WAYS["closure"])
        optimizer = trained(wrap(model), x, y, WAYS["closure"])
        found.append(diagnose(optimizer).scalars())
    assert "rho" in found[1]  # the loss after the step is not had again
    expected = {name: found[0][name] for name in found[1]}
    assert found[1] == pytest.approx(expected, rel=1e-9)


def test_parameters_that_are_not_finite_are_named_in_a_sharded_model(alone):
    model, x, y = drawn(WAYS["closure"])
    optimizer = GaussNewton(sharded(model), ENTROPY)
    with torch.no_grad():
        model[2].bias.to_local()[0] = torch.nan
    with pytest.raises(DomainError, match=r"2\.bias"):
        optimizer.step(lambda: ENTROPY(model(x), y))


def test_ways_of_sharding_that_are_not_known_are_refused_by_name(alone):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
    from torch.distributed.tensor import Shard, distribute_module

    part = plain()
    fully_shard(part[0])
    mesh = init_device_mesh("cpu", (1,))
    other_axis = fully_shard(plain(), shard_placement_fn=lambda p: Shard(p.ndim - 1))
    for model, match in [
        (part, "2.weight.*fully_shard"),
        (other_axis, "first axis"),
        (distribute_module(plain(), mesh), "Tensor parallelism"),
        (FullyShardedDataParallel(plain(), device_id="cpu"), "fully_shard"),
    ]:
        with pytest.raises(UnsupportedError, match=match):
            GaussNewton(model, ENTROPY)


def test_a_sharded_model_has_no_posterior(alone):
    model, x, y = drawn(WAYS["closure"])
    with pytest.raises(UnsupportedError, match=r"laplace.*fully_shard"):
        laplace(sharded(model), ENTROPY, [(x, y)])
