"""Results that hold torch modules and tensors: printed, pickled, and refused where files end."""

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import riemannian_modules as rm  # noqa: E402
from riemannian_modules.errors import UnsupportedError  # noqa: E402
from riemannian_modules.metrics import diagonal_metric  # noqa: E402
from riemannian_modules.results import save_result  # noqa: E402
from riemannian_torch import TorchModule  # noqa: E402


@pytest.fixture
def network():
    layers = torch.nn.Linear(3, 40), torch.nn.Tanh(), torch.nn.Linear(40, 2)
    return TorchModule(torch.nn.Sequential(*layers), rm.space(u=3))


def test_a_torch_module_prints_the_shapes_of_its_parameters(network):
    lines = repr(network).splitlines()
    assert lines[0] == "TorchModule, static"
    assert "0.weight = array 40 x 3" in lines[1]
    assert len(lines) == 2


def test_a_used_torch_module_is_pickled_with_its_weights(network):
    at = network.point(u=np.ones(3))
    before = network.output(at.x, at.u, at.theta)
    twin = pickle.loads(pickle.dumps(network))
    assert np.array_equal(twin.output(at.x, at.u, twin.theta), before)
    assert np.array_equal(twin.theta, network.theta)


def test_files_hold_neither_torch_modules_nor_tensors(network, tmp_path):
    metric = diagonal_metric(torch.ones(3, dtype=torch.float64))
    assert repr(metric).splitlines()[0] == "DiagonalMetric, 3 x 3"
    for result in (network, metric):
        with pytest.raises(UnsupportedError, match=r"[tT]orch"):
            save_result(result, tmp_path / "result.json")
    assert not (tmp_path / "result.json").exists()
