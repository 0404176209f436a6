"""The bound in constant metrics, as a matrix inequality.

For a flow, ``d|z|_M/dt <= b |z|_M`` along ``z' = J z`` exactly if ``2 b M - M J - J^T M >= 0``
(Lohmiller and Slotine, Automatica 34, 1998; the logarithmic norm of Dahlquist 1958 and Lozinskii
1958). For a step or a map, ``|J z|_M <= b |z|_N`` exactly if ``J^T M J <= b^2 N``, by Schur's
complement ``[[b N, J^T M], [M J, b M]] >= 0`` (Boyd, El Ghaoui, Feron and Balakrishnan 1994,
section 2.1), which is affine in J. Along the segment between two points of the convex region the
bound adds up.
"""

from fractions import Fraction

from contraction_checker.json_parts import Json
from contraction_checker.matrices import Matrix
from contraction_checker.proof import Proof


def prove_rate(
    proof: Proof, what: str, b: Fraction, metric: Matrix, jacobian: Matrix, n: int, cuts: Json
) -> None:
    """Prove ``2 b M - M J - J^T M >= 0`` on every leaf, M and J being n by n."""
    MJ = metric @ jacobian
    proof.proves(what, 2 * b * metric - MJ - MJ.T, n, cuts)


def prove_gain(
    proof: Proof,
    what: str,
    b: Fraction,
    metrics: tuple[tuple[Matrix, int], tuple[Matrix, int]],
    jacobian: Matrix,
    cuts: Json,
) -> None:
    """Prove ``|J z|_M <= b |z|_N`` on every leaf.

    Args:
        proof: Where it is proved.
        what: The statement's name in the report.
        b: The bound.
        metrics: N with its size, and M with its size.
        jacobian: J.
        cuts: The leaves.
    """
    (N, m), (M, n) = metrics
    MJ = M @ jacobian
    inequality = b * N + (b * M).shifted(m, m) + MJ.T.shifted(0, m)
    proof.proves(what, inequality, m + n, cuts)
