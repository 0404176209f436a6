"""The bound in weighted l1 and linf norms, as sums of magnitudes.

In ``max |z_i| / w_i`` a matrix has the norm ``max_i sum_j |J_ij| w_j / w_i``, in ``sum w_i |z_i|``
that of its transpose; the logarithmic norm of a flow has ``J_ii`` in place of ``|J_ii|`` (Desoer
and Vidyasagar, *Feedback Systems*, 1975, section II.8).
"""

from collections.abc import Sequence

from contraction_checker.claim import Case
from contraction_checker.json_parts import Json, fields, reals
from contraction_checker.matrices import Matrix
from contraction_checker.refusals import MalformedError


def prove_weighted_sums(
    case: Case, jacobian: Matrix, n: int, cuts: Json, rows: Sequence[int] | None = None
) -> None:
    """Prove ``sum_j |J_ij| w_j <= b w_i`` of these rows, a flow's diagonal with its sign.

    Args:
        case: The claim, and where it is proved.
        jacobian: The Jacobian n by n, transposed in an l1 norm.
        n: Its size.
        cuts: The leaves.
        rows: The rows that are proved; all of them where it is left out.

    Raises:
        MalformedError: If there are not n positive weights.
        NotProvedError: If a row's sum may exceed the bound.
    """
    claim = case.claim
    b, is_flow = claim.bound, claim.is_flow
    w = reals(fields(claim.norm, "type weights")["weights"])
    if len(w) != n or min(w) <= 0:
        raise MalformedError(f"expected {n} positive weights")
    chosen = range(n) if rows is None else rows
    inequality = Matrix()
    for i in chosen:
        inequality[i, i] = b * w[i]
        if is_flow:
            inequality[i, i] -= w[i] * jacobian.get((i, i), 0)
    for (i, j), t in jacobian.items():
        if i in chosen and not (is_flow and i == j):
            inequality[i, -1 - j] = w[j] * t  # a magnitude
    of_rows = "" if rows is None else f" of row {rows[0]}"
    case.proof.proves(f"weighted sums{of_rows} are at most the bound", inequality, n, cuts)
