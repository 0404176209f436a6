"""The rule ``network``: bounds of blocks and gains between them, combined by a comparison matrix.

Let C hold the logarithmic norms of the blocks on its diagonal (of steps their gains) and the gains
from one block into another off it. With ``C r <= b r`` for some r > 0 the whole has the bound b in
the norm ``max |z_k|_{M_k} / r_k``, and with ``l^T C <= b l^T`` in ``sum l_k |z_k|_{M_k}`` (Stroem,
BIT 15, 1975; Russo, di Bernardo and Sontag, IEEE Trans. Automat. Control 58, 2013).
"""

from fractions import Fraction

from contraction_checker.block_norm import BlockNorm, read_block_norm
from contraction_checker.claim import Case
from contraction_checker.invariant_ball import prove_trajectories
from contraction_checker.json_parts import Json, fields, listed, real
from contraction_checker.matrices import Matrix, Place
from contraction_checker.matrix_parts import place_within
from contraction_checker.refusals import MalformedError, NotProvedError
from contraction_checker.rules.constant_metric import prove_gain, prove_rate
from contraction_checker.system import read_system


def prove_network(case: Case) -> None:
    """Prove each bound and gain that the file states, and the comparison matrix they make.

    Raises:
        MalformedError: If the file breaks the format.
        NotProvedError: If a bound, a gain or the comparison is not proved.
    """
    system = read_system(case)
    n = system.rows
    norm = read_block_norm(case.claim.norm, n)
    part = fields(case.evidence, "rule checks jacobian", "let atoms")
    checks = listed(part["checks"])
    if case.claim.kind == "map":
        raise MalformedError("blocks are those of a state")
    jacobian = case.proof.written(part["jacobian"], system.jacobian, n, n)
    blocks = _in_blocks(jacobian, norm)
    comparison: dict[Place, Fraction] = {}
    for check in checks:
        _prove_check(case, norm, blocks, check, comparison)
    _require_bound(case.claim.bound, norm, comparison, blocks)
    prove_trajectories(case, system.written)


def _in_blocks(jacobian: Matrix, norm: BlockNorm) -> dict[Place, Matrix]:
    """The Jacobian of each block by each other, where it has an entry."""
    place = {s: (k, i) for k, group in enumerate(norm.groups) for i, s in enumerate(group)}
    blocks: dict[Place, Matrix] = {}
    for (row, column), t in jacobian.items():
        (to, i), (of, j) = place[row], place[column]
        blocks.setdefault((to, of), Matrix())[i, j] = t
    return blocks


def _prove_check(
    case: Case,
    norm: BlockNorm,
    blocks: dict[Place, Matrix],
    data: Json,
    comparison: dict[Place, Fraction],
) -> None:
    """Prove one bound of a block, or one gain into it from another: an entry of the comparison."""
    part = fields(data, "to from bound cuts")
    i, j, bound, cuts = part["to"], part["from"], real(part["bound"]), listed(part["cuts"])
    count = len(norm.groups)
    place = place_within(i, j, count, count)
    if place is None or place in comparison or (i != j and bound < 0):
        raise MalformedError("checks: each pair once, gains >= 0")
    i, j = place
    what, block = f"block {i} from {j}", blocks.get(place, Matrix())
    M, N = norm.metrics[i], norm.metrics[j]
    p, q = len(norm.groups[i]), len(norm.groups[j])
    if case.claim.is_flow and i == j:
        prove_rate(case.proof, what, bound, M, block, p, cuts)
    else:
        prove_gain(case.proof, what, bound, ((N, q), (M, p)), block, cuts)
    comparison[place] = bound


def _require_bound(
    b: Fraction, norm: BlockNorm, comparison: dict[Place, Fraction], blocks: dict[Place, Matrix]
) -> None:
    """Require ``C r <= b r``, or ``l^T C <= b l^T``, all linked pairs having an entry."""
    count = len(norm.weights)
    missing = {*blocks, *((k, k) for k in range(count))} - comparison.keys()
    if missing:
        raise NotProvedError(f"the blocks {[*missing][:3]} have no check")
    total = [Fraction(0)] * count
    for (i, j), c in comparison.items():
        if norm.is_largest:
            total[i] += c * norm.weights[j]
        else:
            total[j] += c * norm.weights[i]
    if any(x > b * w for x, w in zip(total, norm.weights, strict=True)):
        raise NotProvedError("the comparison matrix exceeds the bound")
