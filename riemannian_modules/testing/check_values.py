"""Checks of what a module says of itself and of the values that it gives."""

from __future__ import annotations

import numpy as np

from riemannian_modules.modules.module import Point, Time
from riemannian_modules.testing.subject import ROUNDING, Subject, check, check_close


def check_signature(subject: Subject) -> None:
    """Spaces, time and parameters are consistent; `signature` itself refuses names given twice."""
    s, name = subject.module.signature, subject.name
    static = s.time is Time.STATIC
    check(
        static == (s.state.size == 0) or not s.state.ports,
        f"{name}: a {s.time.value} module has the state {s.state.describe()}; a static module has "
        "none.",
    )
    theta = subject.module.theta
    check(
        theta.shape == (s.parameters.size,) and theta.dtype == np.float64,
        f"{name}.theta: expected {s.parameters.size} float64 numbers, got {theta.dtype} "
        f"{theta.shape}.",
    )
    strange = [
        pair
        for pair in subject.module.feedthrough
        if pair[0] not in s.inputs or pair[1] not in s.outputs
    ]
    check(not strange, f"{name}.feedthrough names ports that do not exist: {strange}.")


def check_batches(subject: Subject) -> None:
    """Shapes follow the batch, and a batch is its points one by one."""
    for batch in ((), (3,), (2, 3)):
        at = subject.draw(*batch)
        _check_shapes(subject, at, batch)
        if batch:
            _check_one_by_one(subject, at, batch)
    one, many = subject.draw(), subject.draw(3)
    for what, at, size in (
        ("states", Point(many.x, one.u, one.theta), one.x.size),
        ("inputs", Point(one.x, many.u, one.theta), one.u.size),
        ("parameters", Point(one.x, one.u, many.theta), one.theta.size),
    ):
        if size:  # a batch of nothing is not told from a point
            _check_shapes(subject, at, (3,), f" with a batch of {what} alone")


def _check_shapes(subject: Subject, at: Point, batch: tuple[int, ...], note: str = "") -> None:
    s, name = subject.module.signature, subject.name
    n, m, q, p = s.state.size, s.inputs.size, s.outputs.size, s.parameters.size
    dx, y = subject.module.forward(at.x, at.u, at.theta)
    J = subject.module.jacobian(at.x, at.u, at.theta)
    output = subject.module.output(at.x, at.u, at.theta)
    expected = (
        ("forward: dx", dx, (n,)), ("forward: y", y, (q,)), ("output", output, (q,)),
        ("jacobian: A", J.A, (n, n)), ("jacobian: B", J.B, (n, m)), ("jacobian: C", J.C, (q, n)),
        ("jacobian: D", J.D, (q, m)), ("jacobian: E", J.E, (n, p)), ("jacobian: F", J.F, (q, p)),
    )  # fmt: skip
    for what, got, shape in expected:
        check(
            got.shape == (*batch, *shape) and got.dtype == np.float64,
            f"{name}.{what}{note}: for the batch {batch} expected float64 of shape "
            f"{(*batch, *shape)}, "
            f"got {got.dtype} of shape {got.shape}.",
        )
    check_close(f"{name}.output{note} against forward's y", output, y, subject.noise(at))


def _check_one_by_one(subject: Subject, at: Point, batch: tuple[int, ...]) -> None:
    values, derivative = subject.evaluate(at), subject.derivative(at)
    for place in np.ndindex(batch):
        one = Point(at.x[place], at.u[place], at.theta[place])
        noise = subject.noise(one)
        where = f"of the batch {batch} at {place} against the point alone"
        check_close(f"{subject.name}.forward {where}", values[place], subject.evaluate(one), noise)
        alone = subject.derivative(one)
        # A derivative's rounding is relative to its own largest entry.
        largest = float(np.abs(alone).max(initial=0.0))
        slack = 256 * subject.rounding * largest
        check_close(f"{subject.name}.jacobian {where}", derivative[place], alone, slack)


def check_feedthrough(subject: Subject) -> None:
    """Outputs are the same bits whatever stands in inputs that they do not depend on at once."""
    s, at = subject.module.signature, subject.draw(4)
    D = subject.module.jacobian(at.x, at.u, at.theta).D
    y = subject.module.output(at.x, at.u, at.theta)
    for out, rows in zip(s.outputs.ports, s.outputs.slices, strict=True):
        free = np.zeros(s.inputs.size, dtype=bool)
        for port, place in zip(s.inputs.ports, s.inputs.slices, strict=True):
            free[place] = (port.name, out.name) not in subject.module.feedthrough
        # A graph gives zeros for inputs that are not computed yet, inside the domain or not.
        for other in (subject.draw(4).u, np.zeros(s.inputs.size)):
            with np.errstate(all="ignore"):
                changed = subject.module.output(at.x, np.where(free, other, at.u), at.theta)
            check(
                np.array_equal(changed[..., rows], y[..., rows]),
                f"{subject.name}.feedthrough: the output {out.name!r} changes with an input among "
                f"{np.array(s.inputs.coordinates)[free].tolist()}, which are not declared to reach "
                "it.",
            )
        check(
            not np.any(D[..., rows, :][..., free]),
            f"{subject.name}.feedthrough: the Jacobian D of {out.name!r} has entries for an input "
            "that "
            "is not declared to reach it.",
        )


def check_twin(subject: Subject) -> None:
    """`with_parameters` changes the parameters and nothing else."""
    module, name, at = subject.module, subject.name, subject.draw()
    before = module.theta.copy()
    # A module that computes in float32 stores its parameters so, and says what it stores.
    kept = 0.0 if subject.rounding <= ROUNDING else subject.rounding * np.abs(at.theta)
    for given in (at.theta, module.signature.parameters.unpack(at.theta)):
        twin = module.with_parameters(given)
        check(type(twin) is type(module), f"{name}.with_parameters gave a {type(twin).__name__}.")
        check(
            twin.signature == module.signature and twin.feedthrough == module.feedthrough,
            f"{name}.with_parameters changed the signature or the feedthrough: {twin.signature}.",
        )
        check_close(f"{name}.with_parameters: theta", twin.theta, at.theta, kept)
        got = np.concatenate(twin.forward(at.x, at.u, twin.theta), -1)
        check_close(f"{name}.with_parameters: forward", got, subject.evaluate(at), 0.0)
    check_close(f"{name}.with_parameters changed the original's theta", module.theta, before, 0.0)
