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

*Rounding.* Matrices that are no doubles are enclosed; all operations are those of matrices in
midpoint-radius form, and definiteness is proved for every matrix enclosed.

Source: Fazlyab et al. (2019), arXiv:1906.04893, theorem 2; Pauli, Koch, Berberich, Kohler and
    Allgower (2022), arXiv:2005.02929, for the proof that one multiplier a neuron is what is sound;
    Clarke (1976), Pacific J. Math. 64, 97-102, for the inverse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
from typing_extensions import override

from riemannian_modules.arithmetic.interval_matrix import (
    MatrixBall,
    as_ball,
    ball_difference,
    ball_matmul,
    ball_scaled,
)
from riemannian_modules.arithmetic.residual_definite import leaves_definite_residual
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.norms import L2, Norm
from riemannian_modules.claims.plain_data import array_from_data, refuse_unknown
from riemannian_modules.claims.slopes_matrix import enclosed
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.evidence import Evidence, TableRow
from riemannian_modules.modules.signature import Time
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class SlopeMultipliers(Evidence):
    """One multiplier for each neuron, with which the matrix inequality holds.

    Attributes:
        multipliers: t (m,).
        compression: H, or None.
    """

    word: ClassVar[str] = "slopes"
    system: ClassVar[type[ClaimedSystem]] = SlopesForm
    norms: ClassVar[tuple[type[Norm], ...]] = (L2,)

    multipliers: Array
    compression: Array | None

    @classmethod
    @override
    def read(cls, data: Mapping[str, Any], claim: Claim) -> Self:
        form = layered(claim)
        known = {"rule", "multipliers", "compression"}
        part = refuse_unknown(data, known, "evidence")
        t = array_from_data(part.get("multipliers"), (len(form.slopes),), "evidence.multipliers")
        k, H = len(form.touched), part.get("compression")
        where = "evidence.compression"
        return cls(t, None if H is None else array_from_data(H, (k, k), where))

    @override
    def proves(self, claim: Claim) -> str | None:
        assert isinstance(claim.norm, L2)  # `norms` says so
        metrics = claim.norm.metric, None if claim.input_norm is None else claim.input_norm.metric
        if proves(layered(claim), claim.b, metrics, self.multipliers, self.compression):
            return None
        return "the matrix inequality of the multipliers is not proved"

    @override
    def to_data(self, claim: Claim) -> dict[str, Any]:
        data: dict[str, Any] = {"multipliers": self.multipliers.tolist()}
        H = self.compression
        return data if H is None else data | {"compression": H.tolist()}

    @property
    @override
    def in_words(self) -> str:
        count = len(self.multipliers)
        neurons = "the 1 neuron" if count == 1 else f"each of {count} neurons"
        return (
            f"Layers by their slopes: {neurons} may have any slope that its function has, and one "
            "matrix inequality with a multiplier for each holds for all of them at once, rounding "
            "included."
        )

    @override
    def rows(self, claim: Claim) -> Iterator[TableRow]:
        for i, t in enumerate(self.multipliers.tolist()):
            yield TableRow("multiplier", f"neuron {i}", "", t)


def layered(claim: Claim) -> SlopesForm:
    """The system of a claim about layers; raises CertificateError for others."""
    if isinstance(claim.system, SlopesForm):
        return claim.system
    raise CertificateError("system: expected a system of type 'slopes'.")


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
    # |x - C0^T H s|^2 >= 0 speaks of H^T G H: another H than a symmetric one could prove anything.
    if compression is not None and not (
        can_compress(form) and metrics[1] is None and np.array_equal(compression, compression.T)
    ):
        return False
    return leaves_definite_residual(_form_matrix(form, b, metrics, multipliers, compression))


def can_compress(form: SlopesForm) -> bool:
    """Whether x enters through C alone, in a static map."""
    return form.time is Time.STATIC and not (form.A != 0).any() and len(form.touched) > 0


def _form_matrix(
    form: SlopesForm,
    b: float,
    metrics: tuple[Array, Array | None],
    multipliers: Array,
    H: Array | None,
) -> MatrixBall:
    """A matrix F, not symmetric, whose form is the difference of the two sides."""
    M, N = metrics
    through, B, entering, D = (
        as_ball(enclosed(matrix)) for matrix in (form.A, form.B, form.C, form.D)
    )
    m, n = form.C.shape
    inputs = as_ball((np.eye(n) if form.time is Time.STATIC else M) if N is None else N)
    if H is not None:
        inputs, through, entering = _compressed(form, entering, H)
        n = len(H)
    out, reads = _joined(through, B, axis=1), _joined(entering, D, axis=1)
    if form.time is Time.CONTINUOUS:
        # z^T F z is all that counts, so one of the two mirrored blocks stands twice.
        limit = ball_scaled(2.0 * b, as_ball(M))
        left, right = as_ball(np.eye(n, n + m)), ball_scaled(2.0, ball_matmul(as_ball(M), out))
    else:
        limit = ball_scaled(b, ball_scaled(b, inputs))
        left, right = out, ball_matmul(as_ball(M), out)
    # z^T above^T T below z = sum t_i (dw_i - alpha_i dv_i)(beta_i dv_i - dw_i).
    alpha, beta = (side[:, None] for side in form.slope_bounds)
    own = as_ball(np.eye(m, n + m, n))
    above = ball_difference(own, ball_scaled(alpha, reads))
    below = ball_difference(ball_scaled(beta, reads), own)
    weighted = ball_scaled(2.0 * multipliers[:, None], below)
    taken = ball_matmul(_joined(left, above).mT, _joined(right, weighted))
    whole = as_ball(np.zeros((n + m, n + m)))
    whole.centre[:n, :n], whole.radius[:n, :n] = limit.centre, limit.radius
    return ball_difference(whole, taken)


def _compressed(
    form: SlopesForm, C: MatrixBall, H: Array
) -> tuple[MatrixBall, MatrixBall, MatrixBall]:
    """``2 H - H G H``, and what stands for A and C where s stands for x."""
    m, k = len(form.slopes), len(H)
    C0 = MatrixBall(C.centre[form.touched], C.radius[form.touched])
    exact = as_ball(H)
    loss = ball_matmul(exact, ball_matmul(ball_matmul(C0, C0.mT), exact))
    reads = np.zeros((m, k))
    reads[form.touched, np.arange(k)] = 1.0
    least = ball_difference(ball_scaled(2.0, exact), loss)
    return least, as_ball(np.zeros((form.A.shape[0], k))), as_ball(reads)


def _joined(first: MatrixBall, second: MatrixBall, axis: int = 0) -> MatrixBall:
    return MatrixBall(
        np.concatenate([first.centre, second.centre], axis),
        np.concatenate([first.radius, second.radius], axis),
    )
