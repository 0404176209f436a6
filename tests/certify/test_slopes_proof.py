"""What the rounded inequality proves, exact rational elimination proves too."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from riemannian_modules.arithmetic.rational_definite import is_negative_definite_rational
from riemannian_modules.claims.slopes_matrix import fractions
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.evidence.slope_multipliers import proves
from riemannian_modules.modules.module import Time
from riemannian_modules.search.layers.slopes_pencil import compression_of, pencil_of
from riemannian_modules.search.layers.slopes_search import feasible_start, follow_centres


def exact_matrix(form: SlopesForm, b: float, M: Any, N: Any, t: Any, H: Any) -> Any:
    """The tested matrix in fractions, written from the inequality itself."""
    A, B, C, D = (fractions(X) for X in (form.A, form.B, form.C, form.D))
    m, n = C.shape
    alpha, beta = (fractions(s[:, None])[:, 0] for s in form.slope_bounds)
    bound, T = Fraction(b), fractions(t[:, None])[:, 0]
    metric, inputs = fractions(M), fractions(N)
    if H is not None:
        C0 = C[form.touched]
        half = fractions(H)
        inputs = 2 * half - half.dot(C0.dot(C0.T)).dot(half)
        n = len(C0)
        C = fractions(np.zeros((m, n)))
        for place, row in enumerate(form.touched):
            C[row, place] = Fraction(1)
        A = fractions(np.zeros((len(A), n)))
    F = fractions(np.zeros((n + m, n + m)))
    out = np.hstack([A, B])
    if form.time is Time.CONTINUOUS:
        F[:n, :n] += 2 * bound * metric
        motion = metric.dot(out)
        F[:n] -= motion
        F[:, :n] -= motion.T
    else:
        F[:n, :n] += bound * bound * inputs
        F -= out.T.dot(metric).dot(out)
    for i in range(m):
        own = np.array([Fraction(int(j == n + i)) for j in range(n + m)], dtype=object)
        read = np.concatenate([C[i], D[i]])
        p, q = own - alpha[i] * read, beta[i] * read - own
        F -= T[i] * (np.outer(p, q) + np.outer(q, p))
    return F


def random_form(rng: np.random.Generator, time: Time) -> SlopesForm:
    n, m = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    q = n if time is not Time.STATIC else int(rng.integers(1, 4))
    if rng.random() < 0.5:
        n, q = (m + 2, q) if time is Time.STATIC else (n, q)
    A = rng.normal(size=(q, n)) if time is not Time.STATIC else np.zeros((q, n))
    A = A - 3 * np.eye(n) if time is Time.CONTINUOUS else A
    names = tuple(f"x[{i}]" for i in range(n))
    slopes = tuple(str(s) for s in rng.choice(["relu", "gelu", "silu", "abs", "sigmoid"], m))
    return SlopesForm(
        time, A, rng.normal(size=(q, m)), rng.normal(size=(m, n)),
        0.5 * np.tril(rng.normal(size=(m, m)), -1), slopes, names, np.full(n, -np.inf),
        np.full(n, np.inf),
    )  # fmt: skip


@pytest.mark.parametrize("time", list(Time))
def test_nothing_is_proved_that_exact_elimination_does_not_prove(time: Time) -> None:
    rng = np.random.default_rng(0)
    accepted = refused = 0
    for _ in range(12):
        form = random_form(rng, time)
        q, n = form.A.shape
        root = rng.normal(size=(q, q))
        M = root @ root.T + np.eye(q)
        M = 0.5 * (M + M.T)
        N = np.eye(n) if time is Time.STATIC else M
        H = compression_of(form)
        pencil = pencil_of(form, M, None, H)
        start = feasible_start(form, pencil)
        if start is None:
            continue
        r, t = follow_centres(pencil, start)[-1]
        best = r if time is Time.CONTINUOUS else np.sqrt(max(r, 0.0))
        # Around the smallest bound, where rounding decides, and with multipliers that are off.
        for part in (-1e-9, -1e-13, -1e-15, 0.0, 1e-15, 1e-13, 1e-11, 1e-9, 1e-6):
            for tried in (t, t * (1 + 1e-9 * rng.normal(size=len(t)))):
                b = float(best + part * abs(best))
                held = proves(form, b, (M, None), tried, H)
                accepted, refused = accepted + held, refused + (not held)
                if held:
                    F = exact_matrix(form, b, M, N, tried, H)
                    assert is_negative_definite_rational((-F).tolist())
    assert accepted > 15
    assert refused > 15


def test_negative_multipliers_and_bounds_prove_nothing() -> None:
    form = random_form(np.random.default_rng(1), Time.STATIC)
    q = len(form.A)
    pencil = pencil_of(form, np.eye(q), None, None)
    start = feasible_start(form, pencil)
    assert start is not None
    r, t = start
    b = float(np.sqrt(r))
    assert proves(form, b, (np.eye(q), None), t, None)
    assert not proves(form, -b, (np.eye(q), None), t, None)
    assert not proves(form, b, (np.eye(q), None), -t, None)
    assert not proves(form, np.inf, (np.eye(q), None), t, None)
    assert not proves(form, b, (np.eye(q), None), np.full_like(t, np.nan), None)


def test_a_compression_that_is_not_symmetric_proves_nothing() -> None:
    rng = np.random.default_rng(2)
    names = tuple(f"x[{i}]" for i in range(6))
    form = SlopesForm(
        Time.STATIC, np.zeros((2, 6)), rng.normal(size=(2, 4)), rng.normal(size=(4, 6)),
        np.zeros((4, 4)), ("relu",) * 4, names, np.full(6, -np.inf), np.full(6, np.inf),
    )  # fmt: skip
    H = compression_of(form)
    assert H is not None
    start = feasible_start(form, pencil_of(form, np.eye(2), None, H))
    assert start is not None
    r, t = start
    metrics = np.eye(2), None
    assert proves(form, float(np.sqrt(r)), metrics, t, H)
    # With H = S + K, K skew, 2 H - H G H holds the positive part K^T G K: any b would do.
    skew = np.zeros((4, 4))
    skew[[0, 2], [1, 3]], skew[[1, 3], [0, 2]] = 1e3, -1e3
    for b in (float(np.sqrt(r)), 1e-2 * float(np.sqrt(r))):
        assert not proves(form, b, metrics, t, H + skew)
