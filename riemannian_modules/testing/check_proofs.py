"""Checks of what proofs stand on: a module's enclosures and its exact expressions."""

from __future__ import annotations

import numpy as np

from riemannian_modules.arithmetic.interval import Interval, interval
from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.modules.capability import enclosure_of
from riemannian_modules.modules.enclosure import Enclosure
from riemannian_modules.modules.module import Point
from riemannian_modules.spaces import Array
from riemannian_modules.testing.subject import SLACK, Subject, check, check_close

BOXES = 4
SAMPLES = 16


def check_enclosure(subject: Subject) -> None:
    """Enclosures over random boxes contain the values and Jacobians at points of the boxes."""
    middle = subject.draw(BOXES)
    radii = subject.rng.uniform(0.0, 0.2, (BOXES, 1)) * [[0.0], *([[1.0]] * (BOXES - 1))]
    boxes = [
        _box(middle.x, radii * subject.spread, subject.centre.x, subject.spread),
        _box(middle.u, radii * subject.spread, subject.centre.u, subject.spread),
        interval(middle.theta, middle.theta),
    ]
    try:
        enclosure = enclosure_of(subject.module, *boxes)
    except UnsupportedError:
        return
    for k in range(BOXES):
        for _ in range(SAMPLES):
            at = Point(
                _sample(subject, boxes[0], k), _sample(subject, boxes[1], k), middle.theta[k]
            )
            _check_contains(subject, enclosure, k, at)
    _check_thin(subject, enclosure)


def _box(middle: Array, radii: Array, centre: Array, spread: float) -> Interval:
    # Inside the box that the user gave: outside, the map may not be defined.
    lower, upper = (
        np.maximum(middle - radii, centre - spread),
        np.minimum(middle + radii, centre + spread),
    )
    return interval(np.minimum(lower, middle), np.maximum(upper, middle))


def _sample(subject: Subject, boxes: Interval, k: int) -> Array:
    """A point of box k: half of the coordinates lie on its faces."""
    lower, upper = boxes.lower[k], boxes.upper[k]
    share = np.clip(subject.rng.uniform(-0.5, 1.5, lower.shape), 0.0, 1.0)
    return np.clip(lower + share * (upper - lower), lower, upper)


def _check_contains(subject: Subject, enclosure: Enclosure, k: int, at: Point) -> None:
    J = subject.module.jacobian(at.x, at.u, at.theta)
    dx, y = subject.module.forward(at.x, at.u, at.theta)
    noise = subject.noise(at)
    largest = float(np.abs(subject.derivative(at)).max(initial=0.0))
    slack = SLACK * subject.rounding * largest
    for what, part, value, error in (
        ("dx", enclosure.dx, dx, noise), ("y", enclosure.y, y, noise),
        ("A", enclosure.A, J.A, slack), ("B", enclosure.B, J.B, slack),
        ("C", enclosure.C, J.C, slack), ("D", enclosure.D, J.D, slack),
    ):  # fmt: skip
        name = f"{subject.name}.enclose: {what}"
        check(
            part.shape == (BOXES, *value.shape),
            f"{name}: expected shape {(BOXES, *value.shape)}, got {part.shape}.",
        )
        # Undecided entries (NaN) claim nothing; the values that are compared carry rounding.
        outside = (value < part.lower[k] - error) | (value > part.upper[k] + error)
        i = (
            tuple(map(int, np.unravel_index(int(np.argmax(outside)), value.shape)))
            if value.size
            else ()
        )
        check(
            not outside.any(),
            f"{name}{list(i)}: the value at x = {at.x}, u = {at.u} is outside the enclosure: "
            f"{value[i] if outside.any() else ''!r} not in "
            f"[{part.lower[(k, *i)] if outside.any() else ''}, "
            f"{part.upper[(k, *i)] if outside.any() else ''}].",
        )


def _check_thin(subject: Subject, enclosure: Enclosure) -> None:
    """Over a single point of the domain values are decided and finite."""
    for what, part in (("dx", enclosure.dx), ("y", enclosure.y)):
        thin = np.isfinite(part.lower[0]) & np.isfinite(part.upper[0])
        check(thin.all(), f"{subject.name}.enclose: {what} is undecided or unbounded at a point.")


def check_expressions(subject: Subject) -> None:
    """The exact expressions, evaluated in floats, are the forward map."""
    from riemannian_modules.arithmetic.compile import compile_floats

    try:
        e = subject.module.expressions
    except (UnsupportedError, TraceError):
        return
    compiled = compile_floats((*e.dx, *e.y), e.arguments)
    for _ in range(3):
        at = subject.draw()
        got = np.array(compiled(at.x, at.u, at.theta), dtype=np.float64)
        name = f"{subject.name}.expressions against forward"
        check_close(name, got, subject.evaluate(at), subject.noise(at))
