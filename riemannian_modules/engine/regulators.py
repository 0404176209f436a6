"""State feedback and observers for a linear model: by quadratic cost, by noise, by wanted poles.

Both come back with the module that is wired to the plant. Source: Anderson and Moore (1990),
Optimal Control: Linear Quadratic Methods; for poles, Kautsky, Nichols and Van Dooren (1985),
International Journal of Control 41, 1129-1155; Ackermann (1972) for repeated ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.arrays import Complex
from riemannian_modules.door import brief, require
from riemannian_modules.engine.balance import balanced, state_scales
from riemannian_modules.engine.poles import Stability, poles_of
from riemannian_modules.engine.reachable import TOLERANCE, staircase
from riemannian_modules.engine.state_space_model import StateSpaceModel
from riemannian_modules.errors import ConvergenceError, DomainError, SignatureError
from riemannian_modules.modules.arguments import finite_array
from riemannian_modules.modules.module import Signature, Time
from riemannian_modules.modules.output_feedback import DiscreteOutputFeedback, OutputFeedback
from riemannian_modules.modules.state_feedback import StateFeedback
from riemannian_modules.shown import Facts, Shown, listed
from riemannian_modules.spaces import Array

MISSED = 1e-4  # relative: how far placed poles may lie from the wanted ones


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Feedback(Shown):
    """State feedback ``u = u0 - K (x - x0)`` of a linear model; `module` is wired to the plant.

    Attributes:
        K: The gain, (m, n).
        poles: The poles of ``A - B K``, (n,).
        cost: X (n, n), so that the least cost from a deviation d is ``d^T X d``; of placed poles,
            which have no cost, (0, 0).
        x0: The state at the operating point, (n,).
        u0: The inputs there, (m,).
        signature: Names, units and time of the model.
    """

    K: Array
    poles: Complex
    cost: Array
    x0: Array
    u0: Array
    signature: Signature

    def module(self) -> StateFeedback:
        """The feedback as a module: a port for each state's port, and one for each control's."""
        s = self.signature
        return StateFeedback(self.K, states=s.state, controls=s.inputs, x0=self.x0, u0=self.u0)

    @override
    def facts(self) -> Facts:
        m, n = self.K.shape
        return Facts(f"Feedback of {n} states to {m} inputs", (("poles", shown(self.poles)),))


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Estimator(Shown):
    """An observer ``dz = A z + B u + L (y - C z - D u)`` of a linear model, in deviations.

    Attributes:
        L: The gain, (n, q); of a discrete model for the prediction of the next state.
        poles: The poles of ``A - L C``, (n,).
        covariance: P (n, n), of the estimate's error (of the prediction's, in discrete time); of
            placed poles, which know no noise, (0, 0).
        A: The model's matrix, (n, n).
        B: Likewise, (n, m).
        C: Likewise, (q, n).
        D: Likewise, (q, m).
        x0: The state at the operating point, (n,).
        u0: The inputs there, (m,).
        y0: The outputs there, (q,).
        signature: Names, units and time of the model.
    """

    L: Array
    poles: Complex
    covariance: Array
    A: Array
    B: Array
    C: Array
    D: Array
    x0: Array
    u0: Array
    y0: Array
    signature: Signature

    def with_feedback(self, feedback: Feedback) -> OutputFeedback | DiscreteOutputFeedback:
        """The controller from the outputs' ports to the inputs' ports, as a module.

        Args:
            feedback: State feedback of the same model.

        Raises:
            SignatureError: If it is of another model.
        """
        s = self.signature
        require("with_feedback", feedback, Feedback, "feedback, from `lqr` or `place`")
        if feedback.signature != s:
            raise SignatureError(
                "with_feedback: expected feedback of the same model, got one of "
                f"{feedback.signature.state.describe()} for {s.state.describe()}."
            )
        at = np.concatenate([self.x0, self.u0, self.y0])
        given: dict[str, Any] = {"measurements": s.outputs, "controls": s.inputs, "at": at}
        matrices = (self.A, self.B, self.C - self.D @ feedback.K, feedback.K, self.L)
        if s.time is Time.CONTINUOUS:
            return OutputFeedback(*matrices, **given)
        step = s.sampling_time
        given["sampling_time"] = None if step is None else step.argument
        return DiscreteOutputFeedback(*matrices, **given)

    @override
    def facts(self) -> Facts:
        n, q = self.L.shape
        return Facts(f"Estimator of {n} states from {q} outputs", (("poles", shown(self.poles)),))


def shown(poles: Complex) -> str:
    """Poles in words, the first of many."""
    texts = [f"{p.real:.5g}{p.imag:+.5g}j" if p.imag else f"{p.real:.5g}" for p in poles]
    return listed(texts)


def quadratic_gain(
    model: StateSpaceModel, A: Array, B: Array, weights: tuple[Array, Array, Array], where: str
) -> tuple[Array, Array]:
    """K (m, n) and X (n, n) of the least ``int x^T Q x + u^T R u + 2 x^T N u`` (or the sum).

    Raises:
        ConvergenceError: If no gain stabilises the model within rounding.
    """
    from scipy.linalg import solve_continuous_are, solve_discrete_are

    Q, R, N = weights
    _require_size(A, B, where)
    _require_movable(model, A, B, where)
    solve: Any = solve_discrete_are if model.is_discrete else solve_continuous_are
    try:
        X = np.asarray(solve(A, B, Q, R, s=N), dtype=np.float64)
        left, right = (
            (R + B.T @ X @ B, B.T @ X @ A + N.T) if model.is_discrete else (R, B.T @ X + N.T)
        )
        K: Any = np.linalg.solve(left, right)
    except np.linalg.LinAlgError as fault:
        raise ConvergenceError(
            f"{where}: Riccati's equation has no solution that stabilises ({fault}). A mode on the "
            "border of stability may have no weight: give Q a weight for every state."
        ) from None
    if poles_of(A - B @ K, model.signature.time).stability is not Stability.STABLE:
        raise ConvergenceError(
            f"{where}: the closed loop is not stable within rounding: "
            f"{poles_of(A - B @ K, model.signature.time)}. Give Q a weight for every state."
        )
    return K, X


def _require_size(A: Array, B: Array, where: str) -> None:
    """Raise SignatureError for a model without a state, or with nothing to steer or measure it."""
    if not len(A) or not B.shape[1]:
        what = "outputs" if where in {"kalman", "place_observer"} else "inputs"
        raise SignatureError(
            f"{where}: expected a model with states and {what}, got {len(A)} states and "
            f"{B.shape[1]} {what}."
        )


def _require_movable(model: StateSpaceModel, A: Array, B: Array, where: str) -> None:
    """Raise DomainError if a pole that is not stable stays whatever the gain."""
    found = staircase(A, B, np.eye(len(A)))
    rest = (found.inverse @ A @ found.basis)[found.rank :, found.rank :]
    poles = poles_of(rest, model.signature.time)
    if len(rest) and poles.stability is not Stability.STABLE:
        raise DomainError(
            f"{where}: the model has poles that no gain moves, and they are {poles}. What is not "
            f"{'seen in the outputs' if where == 'kalman' else 'reached by the inputs'} has to be "
            "stable by itself."
        )


def weight(where: str, given: ArrayLike, size: int, least: float) -> Array:
    """A symmetric weight (size, size) from a number (times the identity), a diagonal or a matrix.

    ``least`` is what its eigenvalues have to exceed, relative to the largest.

    Raises:
        SignatureError: If it has another shape.
        DomainError: If it is not symmetric, or not as definite as is asked for.
    """
    array = finite_array(where, given)
    W = array * np.eye(size) if array.ndim == 0 else np.diag(array) if array.ndim == 1 else array
    if W.shape != (size, size):
        raise SignatureError(
            f"{where}: expected one number, {size} of them or a matrix {size} by {size}, got shape "
            f"{array.shape}."
        )
    if not np.allclose(W, W.T, rtol=1e-10, atol=0):
        i, j = np.unravel_index(int(np.abs(W - W.T).argmax()), W.shape)
        raise DomainError(
            f"{where}: expected a symmetric matrix, got {W[i, j]:.6g} at ({i}, {j}) and "
            f"{W[j, i]:.6g} at ({j}, {i}). Take the mean of the two."
        )
    values = np.linalg.eigvalsh(W) if size else np.ones(1)
    allowed = least * values[-1] if least > 0 else -1e-12 * abs(values[-1])
    if values[0] < allowed or (least > 0 and values[0] <= 0):
        kind = "positive definite" if least > 0 else "positive semidefinite"
        raise DomainError(
            f"{where}: expected a matrix that is {kind}, got the eigenvalue {values[0]:.4g}. Add a "
            "multiple of the identity."
        )
    return 0.5 * (W + W.T)


def placed_gain(A: Array, B: Array, wanted: ArrayLike, where: str) -> Array:
    """K (m, n) that gives ``A - B K`` the wanted poles.

    Raises:
        DomainError: If some poles cannot be moved.
        ConvergenceError: If rounding leaves the poles elsewhere.
    """
    _require_size(A, B, where)
    poles = _checked_poles(where, wanted, len(A))
    found = staircase(A, B, np.eye(len(A)))
    if found.rank < len(A):
        raise DomainError(
            f"{where}: {len(A) - found.rank} of {len(A)} poles cannot be moved; only a model whose "
            "states are all reached (or seen) takes any poles. Ask for `lqr`, or reduce it with "
            "`minimal`."
        )
    V = _apart(A, B)
    b = B @ V
    K = V @ (_ackermann(A, b, poles) if b.shape[1] == 1 else _placed(A, b, poles, where))
    reached = np.linalg.eigvals(A - B @ K)
    missed = np.abs(np.poly(reached) - np.poly(poles)).max() / np.abs(np.poly(poles)).max()
    if not missed <= MISSED:
        raise ConvergenceError(
            f"{where}: rounding leaves the poles {missed:.1g} from the wanted ones (relative, in "
            "their polynomial). Ask for poles nearer to the model's own, or for `lqr`."
        )
    return K


def _apart(A: Array, B: Array) -> Array:
    """Directions (m, r) of the inputs that act apart, for those that act alike count once."""
    scale = state_scales(A, B, np.eye(len(A)))
    _, sizes, turn = np.linalg.svd(B / scale[:, None])
    rank = int((sizes > TOLERANCE * sizes[0]).sum())
    return turn[:rank].T if rank < B.shape[1] else np.eye(B.shape[1])


def _placed(A: Array, B: Array, poles: Complex, where: str) -> Array:
    from scipy.signal import place_poles

    try:
        found: Any = place_poles(A, B, poles)
    except ValueError as fault:
        raise DomainError(
            f"{where}: {fault}. With {B.shape[1]} inputs that act apart no pole comes more often "
            "than that; move them a little apart."
        ) from None
    return np.asarray(found.gain_matrix, dtype=np.float64)


def _ackermann(A: Array, b: Array, poles: Complex) -> Array:
    """The one gain of a single input, ``K = c^T prod(A - p)``, taken in balanced states.

    c^T is the last row of the inverse of ``[b, A b, ...]``.
    """
    F, scale = balanced(A)
    g, n = b / scale[:, None], len(A)
    columns = [g]
    for _ in range(n - 1):
        columns.append(F @ columns[-1])
    row: Any = np.linalg.solve(np.hstack(columns).T, np.eye(n)[:, -1:]).T.astype(complex)
    for pole in poles:
        row = row @ F - pole * row
    return np.real(row) / scale


def _checked_poles(where: str, wanted: ArrayLike, n: int) -> Complex:
    try:
        poles = np.atleast_1d(np.asarray(wanted)).astype(complex)
    except (TypeError, ValueError, OverflowError):
        raise SignatureError(f"{where}: expected {n} poles, got {brief(wanted)}.") from None
    if poles.shape != (n,) or not np.isfinite(poles).all():
        raise SignatureError(f"{where}: expected {n} finite poles, got {brief(wanted)}.")
    conjugate = np.sort_complex(poles.conj())
    if not np.allclose(np.sort_complex(poles), conjugate, rtol=1e-12, atol=1e-300):
        raise DomainError(
            f"{where}: complex poles have to come with their conjugates, for gains are real."
        )
    return poles
