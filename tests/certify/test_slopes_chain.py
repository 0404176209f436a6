"""Multipliers found layer by layer are proved, and hardly worse than those found together."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.evidence.slope_multipliers import proves
from riemannian_modules.modules import GELU, Affine, ReLU, Tanh
from riemannian_modules.search.layers.slopes_chain import chain_multipliers
from riemannian_modules.search.layers.slopes_form import slopes_problem
from riemannian_modules.search.layers.slopes_pencil import compression_of, pencil_of
from riemannian_modules.search.layers.slopes_search import feasible_start, follow_centres


def net(seed: int, sizes: tuple[int, ...], kind: Any) -> SlopesForm:
    rng = np.random.default_rng(seed)
    layers: list[rm.RiemannianModule] = []
    for into, out in pairwise(sizes[:-1]):
        layers += [Affine(rng.normal(size=(out, into)) * np.sqrt(2 / into)), kind(out)]
    form = slopes_problem(rm.chain(*layers, Affine(rng.normal(size=(sizes[-1], sizes[-2])))))
    assert form is not None
    return form


@pytest.mark.parametrize("kind", [ReLU, Tanh, GELU])
@pytest.mark.parametrize("sizes", [(3, 12, 2), (20, 12, 12, 2), (4, 10, 10, 10, 3)])
def test_layer_by_layer_is_proved_and_near_the_optimum(sizes: Any, kind: Any) -> None:
    form = net(0, sizes, kind)
    metrics = np.eye(sizes[-1]), None
    H = compression_of(form)
    found = chain_multipliers(form, metrics[0])
    assert found is not None
    b = float(np.sqrt(found[0])) * (1 + 1e-7)
    assert proves(form, b, metrics, found[1], H)
    pencil = pencil_of(form, metrics[0], None, H)
    start = feasible_start(form, pencil)
    assert start is not None
    best = float(np.sqrt(follow_centres(pencil, start)[-1][0]))
    depth = len(sizes) - 2
    assert best * (1 - 1e-7) <= b <= best * 1.15**depth


def test_what_is_no_chain_has_no_layers() -> None:
    form = net(0, (3, 4, 4, 2), ReLU)
    D = form.D.copy()
    D[0, 5] = 1.0
    looped = SlopesForm(
        form.time, form.A, form.B, form.C, D, form.slopes, form.names, form.lower, form.upper
    )
    assert chain_multipliers(looped, np.eye(2)) is None
    skipping = SlopesForm(
        form.time, np.ones((2, 3)), form.B, form.C, form.D, form.slopes, form.names, form.lower,
        form.upper,
    )  # fmt: skip
    assert chain_multipliers(skipping, np.eye(2)) is None
