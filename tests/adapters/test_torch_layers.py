"""The structured maps that torch's layers become keep the contract of all modules."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import riemannian_modules as rm
from riemannian_modules.arithmetic.interval import interval
from riemannian_modules.testing import check_module

pytest.importorskip("torch")

from riemannian_torch.layers.borrowed import Borrowed
from riemannian_torch.layers.entrywise import EntrywiseAffine, EntrywiseProduct
from riemannian_torch.layers.fixed_affine import FixedAffine
from riemannian_torch.layers.shared_affine import Patches, SharedAffine

RNG = np.random.default_rng(0)


def patches():
    """Two groups of two channels, five places with a window of three and zeros beside."""
    places = np.pad(np.arange(20).reshape(4, 5), ((0, 0), (1, 1)), constant_values=20)
    windows = np.lib.stride_tricks.sliding_window_view(places, 3, axis=1)  # (4, 5, 3)
    read = windows.reshape(2, 2, 5, 3).transpose(0, 2, 1, 3).reshape(2, 5, 6)
    return Patches(read, np.arange(20).reshape(2, 2, 5).transpose(0, 2, 1), 20)


def borrowed():
    owner = rm.Affine(RNG.standard_normal((3, 2)), RNG.standard_normal(3))
    places = np.arange(6).reshape(3, 2).T.ravel()  # the transposed matrix
    return Borrowed(rm.MatrixGain(np.zeros((2, 3))), owner, places)


LAYERS = {
    "shared": SharedAffine(
        RNG.standard_normal((2, 2, 6)), RNG.standard_normal((2, 2)), patches()
    ),
    "shared without bias": SharedAffine(RNG.standard_normal((2, 2, 6)), None, patches()),
    "fixed": FixedAffine(
        csr_array(RNG.standard_normal((3, 4)) * (RNG.random((3, 4)) > 0.5)), RNG.standard_normal(3)
    ),
    "scale and shift": EntrywiseAffine(
        np.array([0, 0, 1]), RNG.standard_normal(2), RNG.standard_normal(2)
    ),
    "scale": EntrywiseAffine(np.array([1, 0, 1]), RNG.standard_normal(2), None),
    "shift": EntrywiseAffine(np.array([1, 0, 1]), None, RNG.standard_normal(2)),
    "product": EntrywiseProduct(3),
    "borrowed": borrowed(),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_keeps_the_contract(name):
    check_module(LAYERS[name])


@pytest.mark.parametrize("name", [n for n in LAYERS if n != "product"])
def test_the_matrix_of_an_affine_layer_is_its_jacobian_everywhere(name):
    layer = LAYERS[name]
    u = RNG.standard_normal(layer.inputs.size)
    D = layer.jacobian(np.zeros(0), u, layer.theta).D
    assert np.array_equal(layer.input_matrix(layer.theta), D)
    nothing, theta = interval(np.zeros(0), np.zeros(0)), interval(layer.theta, layer.theta)
    e = layer.enclose(nothing, interval(u - 1.0, u + 1.0), theta)
    assert np.array_equal(e.D.lower, D)
    assert np.array_equal(e.D.upper, D)


def test_a_borrower_follows_its_owner():
    layer = LAYERS["borrowed"]
    twin = layer.with_parameters({"W": np.ones((3, 2))})
    assert np.array_equal(twin.input_matrix(twin.theta), np.ones((2, 3)))
    graph = layer.owner >> layer
    assert graph.theta.size == layer.owner.theta.size
    W = graph.parameters["affine.W"]
    D = graph.jacobian(np.zeros(0), np.zeros(2), graph.theta).D
    assert np.abs(D - W.T @ W).max() < 1e-14
