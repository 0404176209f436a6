"""Products and factors in blocks are those of the whole matrix."""

import numpy as np
import pytest

from riemannian_modules.arithmetic.blocked import (
    BLOCK,
    blocked_product,
    cholesky,
    inverse_of_lower,
)

ORDERS = (1, BLOCK, BLOCK + 1, 3 * BLOCK, 4 * BLOCK + 3)


@pytest.mark.parametrize("n", ORDERS)
def test_the_factor_is_lower_and_its_square_the_matrix(n):
    rng = np.random.default_rng(n)
    root = rng.normal(size=(n, n))
    A = root @ root.T + n * np.eye(n)
    L = cholesky(A)
    assert np.array_equal(L, np.tril(L))
    # Higham (2002), theorem 10.3: a residual of n + 1 roundings of |L| |L^T|, which is below A_ii.
    assert np.abs(L @ L.T - A).max() <= 4 * n * 2.0**-53 * np.diagonal(A).max()
    W = inverse_of_lower(L)
    assert np.array_equal(W, np.tril(W))
    assert np.abs(W @ L - np.eye(n)).max() <= 4 * n * 2.0**-53 * np.linalg.cond(L)


@pytest.mark.parametrize("n", ORDERS)
def test_a_matrix_that_is_not_definite_has_no_factor(n):
    A = np.eye(n)
    for wrong in (-1.0, np.nan):
        for place in {0, n // 2, n - 1}:
            B = A.copy()
            B[place, place] = wrong
            assert cholesky(B) is None


def test_a_matrix_of_order_zero_is_its_own_factor():
    assert cholesky(np.zeros((0, 0))).shape == (0, 0)


@pytest.mark.parametrize("shape", [(3, 4, 5), (200, 90, 100), (1, 3000, 200)])
def test_products_are_those_of_the_whole(shape):
    n, k, m = shape
    rng = np.random.default_rng(0)
    P, Q = rng.normal(size=(n, k)), rng.normal(size=(k, m))
    error = 2 * k * 2.0**-53 * np.abs(P) @ np.abs(Q)
    assert (np.abs(blocked_product(P, Q) - P @ Q) <= error).all()
