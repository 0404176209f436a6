"""The corners of boxes of atoms that need the largest bound in an l2 norm, found uphill: untrusted.

The quadratic form of a fixed vector is affine in each atom, so that its largest value over all
corners is a table lookup: from the matrix at one corner to its last eigenvector, and from there to
the corner where that vector's form is largest. A corner that is missed costs time, for what is
proved does not rest on it.

Source: the alternating maximisation of Rohn (1994) for eigenvalues of interval matrices.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.arithmetic.rounding import nearest_float
from riemannian_modules.arithmetic.spectra import symmetric_eigenpairs, symmetric_eigenvalues
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atoms import AtomForm

ASCENTS = 3


def whitened(form: AtomForm, weight: Array) -> Array:
    """Each term's coefficients in coordinates where the weight is the identity, (terms, n, n)."""
    L = np.linalg.cholesky(weight)
    dense = np.zeros((len(form.products), *form.shape))
    for k, entries in enumerate(form.coefficients):
        for place, value in entries.items():
            dense[k][place] = nearest_float(value)
    half = np.linalg.solve(L, dense)
    whole = np.linalg.solve(L, np.swapaxes(half, -1, -2))
    return 0.5 * (whole + np.swapaxes(whole, -1, -2))


def worst_places(form: AtomForm, matrices: Array, low: Array, high: Array) -> Array:
    """A corner of each box of atoms (batch, atoms) that needs much, one step from the centre."""
    places = form.corners(low, high)
    t = _products(form, places)
    middle: Array = np.asarray(np.tensordot(t.mean(1), matrices, 1), dtype=np.float64)
    chosen, _ = _step(matrices, t, middle)
    return places[np.arange(len(low)), chosen]


def corners_need(form: AtomForm, matrices: Array, low: Array, high: Array) -> Array:
    """The largest eigenvalue that was found over the corners of each box, (batch,)."""
    t, rows = _products(form, form.corners(low, high)), np.arange(len(low))
    now, worst = np.tensordot(t.mean(1), matrices, 1), np.full(len(low), -np.inf)
    for _ in range(ASCENTS):
        chosen, value = _step(matrices, t, now)
        worst = np.maximum(worst, value)
        now = np.tensordot(t[rows, chosen], matrices, 1)
    return np.maximum(worst, symmetric_eigenvalues(now)[:, -1])


def _step(matrices: Array, t: Array, now: Array) -> tuple[NDArray[np.intp], Array]:
    values, vectors = symmetric_eigenpairs(now)
    v = vectors[:, :, -1]
    images = np.tensordot(matrices, v, (2, 1)).swapaxes(1, 2)
    forms = np.einsum("kbi,bi->bk", images, v)
    return np.einsum("bck,bk->bc", t, forms).argmax(1), values[:, -1]


def _products(form: AtomForm, places: Array) -> Array:
    """The terms' products of atoms at corners (batch, corners, atoms), in floats."""
    flat = places.reshape(math.prod(places.shape[:-1]), places.shape[-1])
    t = np.empty((len(flat), len(form.products)))
    for k, term in enumerate(form.terms(flat, flat)):
        t[:, k] = term.lower
    return t.reshape(*places.shape[:-1], len(form.products))
