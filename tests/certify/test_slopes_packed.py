"""Traces of packed symmetric matrices are those of the basis matrices written out."""

from __future__ import annotations

import numpy as np
import pytest

from riemannian_modules.search.layers.slopes_packed import Packing


@pytest.mark.parametrize("n", [1, 2, 5])
def test_traces_agree_with_the_basis_written_out(n: int) -> None:
    rng = np.random.default_rng(n)
    packing = Packing(n)
    basis = [packing.matrix(row) for row in np.eye(packing.count)]
    G, K = rng.normal(size=(2, n, n))
    a, b = rng.normal(size=(2, n, 3))
    assert packing.traces(G) == pytest.approx([np.trace(E @ G) for E in basis])
    pairs = np.array([[np.trace(E @ G @ F @ K) for F in basis] for E in basis])
    assert packing.pair_traces(G, K) == pytest.approx(pairs)
    columns = np.array([[a[:, k] @ E @ b[:, k] for k in range(3)] for E in basis])
    assert packing.column_traces(a, b) == pytest.approx(columns)
    M = G + G.T
    assert packing.matrix(packing.packed(M)) == pytest.approx(M)
