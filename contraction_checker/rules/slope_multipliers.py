"""The rule ``slopes``: one matrix inequality, with a multiplier for each activation.

For ``alpha_i dv_i <= dw_i <= beta_i dv_i``, whichever way round,
``(dw_i - alpha_i dv_i)(beta_i dv_i - dw_i) >= 0``. So with multipliers ``t_i >= 0`` the form

    |out|_M^2 + 2 sum of t_i (dw_i - alpha_i dv_i)(beta_i dv_i - dw_i) <= b^2 |dx|_N^2    for all
    (dx, dw)

gives the gain b; for a flow the rate, with ``2 dx^T M out <= 2 b |dx|_M^2`` in its place (Fazlyab,
Robey, Hassani, Morari and Pappas, NeurIPS 2019, arXiv:1906.04893; Megretski and Rantzer, IEEE
Trans. Automat. Control 42, 1997). Proved with a strict sign it also says, at dx = 0, that loops
among neurons have exactly one solution.
"""

from fractions import Fraction

from contraction_checker.claim import Case, constant_metric
from contraction_checker.corners import passes
from contraction_checker.forms import form_of
from contraction_checker.json_parts import Json, fields, reals
from contraction_checker.matrices import Matrix, diagonal, identity
from contraction_checker.matrix_parts import matrix
from contraction_checker.refusals import MalformedError, NotProvedError
from contraction_checker.rules.slope_system import SlopeSystem, read_slope_system

HALF = Fraction(1, 2)


def prove_by_multipliers(case: Case) -> None:
    """Prove the bound from the multipliers.

    Raises:
        MalformedError: If the file breaks the format.
        NotProvedError: If the inequality fails.
    """
    claim, b = case.claim, case.claim.bound
    system = read_slope_system(case)
    evidence = fields(case.evidence, "rule multipliers", "compression")
    M = constant_metric(claim.norm, system.q)
    t = reals(evidence["multipliers"])
    if len(t) != system.m or min(t, default=0) < 0:
        raise MalformedError("slopes: a multiplier >= 0 for each")
    N = claim.input_metric(system.n, M)
    if evidence.get("compression") is None:
        n, seen, limit = system.n, system.C, (2 * b if claim.is_flow else b**2) * N
    else:
        n, seen, limit = _compressed(case, system, evidence["compression"])
    m = system.m
    out = system.A + system.B.shifted(0, n)  # of (dx, dw)
    v = seen + system.D.shifted(0, n)
    w = identity(m).shifted(0, n)
    alpha = diagonal(low for low, _ in system.bounds)
    beta = diagonal(high for _, high in system.bounds)
    sector = (w - alpha @ v).T @ (diagonal(t) @ (beta @ v - w))
    motion = M @ out if claim.is_flow else HALF * (out.T @ (M @ out))
    half = sector + motion
    if not passes(form_of(limit - half - half.T, n + m), {}, strict=True):
        raise NotProvedError("the matrix inequality of the multipliers fails")
    case.proof.report.append(f"the matrix inequality of {m} multipliers")


def _compressed(case: Case, system: SlopeSystem, data: Json) -> tuple[int, Matrix, Matrix]:
    """The inequality in ``s = C0 x``, what C sees of x, in place of x: its size, C, and the limit.

    With ``G = C0 C0^T`` and any symmetric H, ``|x - C0^T H s|^2 >= 0`` says that
    ``|x|^2 >= s^T (2 H - H G H) s``.
    """
    claim = case.claim
    if system.A or claim.kind != "map" or claim.has("input_norm"):
        raise NotProvedError("compression: x must enter through C alone")
    seen = {i: k for k, i in enumerate(sorted({i for i, _ in system.C}))}
    C0 = Matrix({(seen[i], j): x for (i, j), x in system.C.items()})
    H = matrix(data, len(seen), len(seen))
    if H.T != H:
        raise MalformedError("compression: H is symmetric")
    b2 = claim.bound**2
    limit = 2 * b2 * H - b2 * (H @ (C0 @ C0.T) @ H)
    C = Matrix({(i, k): Fraction(1) for i, k in seen.items()})
    return len(seen), C, limit
