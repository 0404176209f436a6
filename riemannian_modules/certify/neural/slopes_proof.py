"""The matrix inequality of slope-restricted functions, proved in floating point.

For two trajectories (or inputs), ``dw_i`` lies between ``alpha_i dv_i`` and ``beta_i dv_i``, so
``(dw_i - alpha_i dv_i)(beta_i dv_i - dw_i) >= 0``. With multipliers ``t_i >= 0``,

    flow:      2 dx^T M (A dx + B dw) + 2 sum t_i (...)_i <= 2 b |dx|_M^2
    step, map: |A dx + B dw|_M^2      + 2 sum t_i (...)_i <= b^2 |dx|_N^2

for all (dx, dw) gives the bound b: the sum is not negative where dw belongs to dx. The difference
of the two sides is a quadratic form; it is proved positive *definite*. Then at ``dx = 0`` it also
says that ``dw = S D dw`` with slopes S in their bounds has only the solution 0, so every ``I - S
D`` is regular, uniformly on a compact box; ``w -> w - phi(D w + r)`` is then a homeomorphism (its
generalised Jacobians are of that form), and layers that are given implicitly have exactly one
solution. Nothing else has to be proved about loops.

*Wide inputs.* If x enters through ``s = C0 x`` alone, ``|x|^2 >= s^T (2 H - H G H) s`` for every
symmetric H, ``G = C0 C0^T``: it is ``|x - C0^T H s|^2 >= 0``. The form then speaks of (s, dw).

*Rounding.* Matrices that are no doubles are enclosed; products are midpoint-radius products, sums
and scalings outward interval operations, and definiteness is proved for every matrix enclosed.

Source: Fazlyab et al. (2019), arXiv:1906.04893, theorem 2; Pauli, Koch, Berberich, Kohler and
    Allgower (2022), arXiv:2005.02929, for the proof that one multiplier a neuron is what is sound;
    Clarke (1976), Pacific J. Math. 64, 97-102, for the inverse.
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.arithmetic.interval import Interval, as_interval, concatenate
from riemannian_modules.arithmetic.interval_matrix import matmul
from riemannian_modules.certify.neural.slopes_matrix import enclosed
from riemannian_modules.certify.neural.slopes_system import SlopesForm
from riemannian_modules.modules.module import Time
from riemannian_modules.space import Array


def proves(
    form: SlopesForm,
    b: float,
    metrics: tuple[Array, Array | None],
    multipliers: Array,
    compression: Array | None,
) -> bool:
    """Whether multipliers (m,) prove the bound b; O((n + m)^3), rounding covered.

    Args:
        form: The system.
        b: Log-norm of a flow; Lipschitz constant of a step or map.
        metrics: M, symmetric positive definite as proved elsewhere, and for static maps that of the
            inputs, None for the identity.
        multipliers: t >= 0.
        compression: H for a static map with wide inputs, or None.
    """
    if not (np.isfinite(multipliers).all() and (multipliers >= 0).all() and np.isfinite(b)):
        return False
    if form.time is not Time.CONTINUOUS and b < 0:
        return False
    if compression is None:
        form_matrix = _whole(form, b, metrics, multipliers)
    # |x - C0^T H s|^2 >= 0 speaks of H^T G H: another H than a symmetric one could prove anything.
    elif can_compress(form) and metrics[1] is None and np.array_equal(compression, compression.T):
        form_matrix = _compressed(form, b, metrics[0], multipliers, compression)
    else:
        return False
    return bool(is_positive_definite(form_matrix))


def can_compress(form: SlopesForm) -> bool:
    """Whether x enters through C alone, in a static map."""
    return form.time is Time.STATIC and not (form.A != 0).any() and len(form.touched) > 0


def _whole(
    form: SlopesForm, b: float, metrics: tuple[Array, Array | None], multipliers: Array
) -> Interval:
    n, m = form.A.shape[1], len(form.slopes)
    out = _beside(enclosed(form.A), enclosed(form.B))
    reads = _beside(enclosed(form.C), enclosed(form.D))
    M, N = metrics
    factor = Interval.point(b)
    if form.time is Time.CONTINUOUS:
        # x^T F x is all that counts, so one of the two mirrored blocks stands twice.
        limit = _padded(2.0 * factor * M, m)
        motion = 2.0 * matmul(M, out)
        motion = concatenate([motion, Interval.point(np.zeros((m, n + m)))])
    else:
        metric = (np.eye(n) if form.time is Time.STATIC else M) if N is None else N
        limit = _padded(factor * factor * metric, m)
        motion = matmul(out.mT, matmul(M, out))
    return limit - motion - _sector(form, reads, multipliers)


def _compressed(form: SlopesForm, b: float, M: Array, multipliers: Array, H: Array) -> Interval:
    m, k = len(form.slopes), len(form.touched)
    C0 = enclosed(form.C[form.touched])
    G = matmul(C0, C0.mT)
    reads = np.zeros((m, k))
    reads[form.touched, np.arange(k)] = 1.0
    factor = Interval.point(b)
    least = 2.0 * Interval.point(H) - matmul(H, matmul(G, H))
    limit = _padded(factor * factor * least, m)
    B = enclosed(form.B)
    out = _beside(Interval.point(np.zeros((B.shape[0], k))), B)
    motion = matmul(out.mT, matmul(M, out))
    return (
        limit - motion - _sector(form, _beside(as_interval(reads), enclosed(form.D)), multipliers)
    )


def _sector(form: SlopesForm, reads: Interval, multipliers: Array) -> Interval:
    """A matrix S with ``z^T S z = 2 sum t_i (dw_i - alpha_i dv_i)(beta_i dv_i - dw_i)``."""
    alpha, beta = form.slope_bounds
    m, size = reads.shape
    own = np.zeros((m, size))
    own[np.arange(m), size - m + np.arange(m)] = 1.0
    above = own - alpha[:, None] * reads
    below = beta[:, None] * reads - own
    return 2.0 * matmul(above.mT, multipliers[:, None] * below)


def _beside(left: Interval, right: Interval) -> Interval:
    return concatenate([left, right], -1)


def _padded(block: Interval, m: int) -> Interval:
    k = len(block)
    right, low = Interval.point(np.zeros((k, m))), Interval.point(np.zeros((m, k + m)))
    return concatenate([_beside(block, right), low])
