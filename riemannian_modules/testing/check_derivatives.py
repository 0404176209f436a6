"""Checks of a module's Jacobian and of its differential, against differences and dense products."""

from __future__ import annotations

import numpy as np

from riemannian_modules.modules.evaluation import (
    output_then_differential,
    output_with_differential,
    push_forward,
)
from riemannian_modules.modules.module import Point
from riemannian_modules.spaces import Array
from riemannian_modules.testing.subject import Subject, check, check_close, flat

MOST_COLUMNS = 48  # a module with more coordinates is checked in as many of them, drawn at random
COLUMNS = 2  # of tangents and cotangents


def check_jacobian(subject: Subject) -> None:
    """Each column against central differences with two steps, which tell their own error.

    The difference quotient with step h errs by ``h^2 |f'''| / 6`` and by noise / h; that with h / 2
    by a quarter of the first, hence by a third of the distance of the two. Twice that is allowed.
    """
    at = subject.draw()
    z, J, noise = flat(at), subject.derivative(at), subject.noise(at)
    names = _coordinates(subject)
    columns = subject.rng.permutation(z.size)[:MOST_COLUMNS]
    for i in np.sort(columns):
        h = subject.rounding ** (1 / 3) * max(abs(z[i]), 0.01)
        coarse, fine = (_quotient(subject, z, i, step) for step in (h, h / 2))
        tolerance = 2 * np.abs(coarse - fine) / 3 + 8 * noise / h
        check_close(
            f"{subject.name}.jacobian in {names[i]} against central differences",
            J[:, i],
            fine,
            tolerance,
        )


def _quotient(subject: Subject, z: Array, i: int, h: float) -> Array:
    s = subject.module.signature
    above, below = z.copy(), z.copy()
    above[i] += h
    below[i] -= h
    ends = [s.state.size, s.state.size + s.inputs.size]
    high, low = (subject.evaluate(Point(*np.split(end, ends))) for end in (above, below))
    return (high - low) / (above[i] - below[i])


def _coordinates(subject: Subject) -> list[str]:
    return [c for space in subject.module.signature.distinct for c in space.coordinates]


def check_differential(subject: Subject) -> None:
    """Pushes and pulls are products with the Jacobian and its transpose, hence adjoint."""
    for batch in ((), (3,)):
        _check_products(subject, subject.draw(*batch), batch)


def _check_products(subject: Subject, at: Point, batch: tuple[int, ...]) -> None:
    s, name = subject.module.signature, f"{subject.name}.differential"
    n, m, q, p = s.state.size, s.inputs.size, s.outputs.size, s.parameters.size
    J = subject.module.jacobian(at.x, at.u, at.theta)
    d = subject.module.differential(at.x, at.u, at.theta)
    t_x, t_u = subject.normal(*batch, n, COLUMNS), subject.normal(*batch, m, COLUMNS)
    p_dx, p_y = subject.normal(*batch, n, COLUMNS), subject.normal(*batch, q, COLUMNS)
    t_theta = subject.normal(p, COLUMNS)
    tolerance = _product_error(subject, at, (t_x, t_u, p_dx, p_y, t_theta))

    def same(what: str, got: Array, expected: Array) -> None:
        # A result that no batch enters may come without batch axes.
        check_close(f"{name}.{what}", np.broadcast_to(got, expected.shape), expected, tolerance)

    t_dx, t_y = J.A @ t_x + J.B @ t_u, J.C @ t_x + J.D @ t_u
    same("push_state", d.push_state(t_x, t_u), t_dx)
    same("push_outputs", d.push_outputs(t_x, t_u), t_y)
    pushed = d.push(t_x, t_u)
    same("push: dx", pushed[0], t_dx)
    same("push: y", pushed[1], t_y)
    _, together = push_forward(subject.module, at.x, at.u, at.theta, t_x, t_u)
    same("push_forward: dx", together[0], t_dx)
    same("push_forward: y", together[1], t_y)
    _, shared = output_with_differential(subject.module, at.x, at.u, at.theta)
    same("output_with_differential: push_outputs", shared.push_outputs(t_x, t_u), t_y)
    _, rest = output_then_differential(subject.module, at.x, at.u, at.theta)
    later, F_t = rest(), J.F @ t_theta
    same("output_then_differential: push_outputs", later.push_outputs(t_x, t_u), t_y)
    same(
        "output_then_differential: push_parameters", later.push_parameters(t_theta, (n, q))[1], F_t
    )
    by_y, by_dx = d.pull_outputs(p_y), d.pull_state(p_dx)
    same("pull_outputs: state", by_y[0], J.C.mT @ p_y)
    same("pull_outputs: inputs", by_y[1], J.D.mT @ p_y)
    same("pull_state: state", by_dx[0], J.A.mT @ p_dx)
    same("pull_state: inputs", by_dx[1], J.B.mT @ p_dx)
    same("pull_parameters", d.pull_parameters(p_dx, p_y), J.E.mT @ p_dx + J.F.mT @ p_y)
    pushed_theta = d.push_parameters(t_theta, (n, q))
    same("push_parameters: dx", pushed_theta[0], J.E @ t_theta)
    same("push_parameters: y", pushed_theta[1], J.F @ t_theta)
    pulled = np.broadcast_to(J.E.mT @ p_dx + J.F.mT @ p_y, (*batch, p, COLUMNS))
    check_close(
        f"{name}.pull_parameters_sum",
        d.pull_parameters_sum(p_dx, p_y),
        pulled.sum(axis=tuple(range(len(batch)))),
        tolerance * max(1, int(np.prod(batch))),
    )
    forth = np.sum(pushed[1] * p_y) + np.sum(pushed[0] * p_dx)
    back = np.sum(t_x * (by_y[0] + by_dx[0])) + np.sum(t_u * (by_y[1] + by_dx[1]))
    terms = COLUMNS * int(np.prod(batch)) * (n + m + q + p + 1) * 10
    check(
        abs(forth - back) <= terms * tolerance,
        f"{name}: pulls are not adjoint to pushes: <J v, w> = {forth!r}, <v, J^T w> = {back!r}.",
    )


def _product_error(subject: Subject, at: Point, vectors: tuple[Array, ...]) -> float:
    """Higham (2002), section 3.5: the rounding of a product, relative to the product of sizes."""
    J = np.abs(subject.derivative(at)).max(initial=0.0)
    v = max(np.abs(part).max(initial=0.0) for part in vectors)
    return 256 * subject.rounding * float(J * v) * (1 + sum(part.shape[-2] for part in vectors))


def check_parameter_factor(subject: Subject) -> None:
    """The factor's products and Gram matrix are those of the dense one."""
    s, batch = subject.module.signature, (3,)
    at = subject.draw(*batch)
    J = subject.module.jacobian(at.x, at.u, at.theta)
    p_dx, p_y = (subject.normal(*batch, k, COLUMNS) for k in (s.state.size, s.outputs.size))
    factor = subject.module.differential(at.x, at.u, at.theta).parameter_factor(p_dx, p_y)
    dense = np.moveaxis(J.E.mT @ p_dx + J.F.mT @ p_y, -2, 0)
    dense = dense.reshape(s.parameters.size, batch[0] * COLUMNS)
    check(
        (factor.dim, factor.columns) == dense.shape,
        f"{subject.name}.parameter_factor: expected shape {dense.shape}, one column for each point "
        "and "
        f"cotangent, got {(factor.dim, factor.columns)}.",
    )
    error = _product_error(subject, at, (p_dx, p_y))
    name = f"{subject.name}.parameter_factor"
    check_close(name, factor.as_matrix(), dense, error)
    z, v = subject.normal(dense.shape[1]), subject.normal(dense.shape[0])
    size = (
        2 * max(dense.shape) * max(np.abs(dense).max(initial=0.0), np.abs(z).max(initial=0.0), 1.0)
    )
    check_close(f"{name}: U z", factor.matvec(z), dense @ z, error * size)
    check_close(f"{name}: U^T v", factor.rmatvec(v), dense.T @ v, error * size)
    check_close(f"{name}: U^T U", factor.gram(), dense.T @ dense, error * size)
