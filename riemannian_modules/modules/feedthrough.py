"""Which inputs reach which outputs at once, found by evaluating a map that cannot be read.

The test is of structure, not of size: an output that does not depend on an input is the same to
the last bit whatever stands there, other numbers of any size or NaN, which all arithmetic passes
on. Values are compared and not derivatives, which are zero along the steps of a relay as well.
What changes once is a dependence; what could not be tried is taken to be one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from riemannian_modules.spaces import Array, Space

Output = Callable[[Array, Array, Array], Array]

# Sizes of the points, and whether they are positive, as amounts and speeds are.
_POINTS = ((1.0, False), (1.0, True), (30.0, False), (30.0, True), (1e-2, False), (1e-2, True))
_SIZES = (1e-3, 1.0, 1e3, 1e6)  # of what is put in the place of one input, of either sign
LEAST = 3  # points at which the map has to be defined before it counts as tried


def found_feedthrough(
    output: Output, spaces: tuple[Space, Space, Space], theta: Array
) -> frozenset[tuple[str, str]]:
    """The pairs (input port, output port) in which the output changes with the input.

    Args:
        output: The outputs (q,) at one state (n,), inputs (m,) and parameters (p,). Where it raises
            or is not finite, the point is left out.
        spaces: Of state, inputs and outputs.
        theta: Parameters (p,).

    Returns:
        The pairs. An input that could not be tried at three points reaches every output. Cost: at
        most 6 (1 + 9 ports) evaluations.
    """
    state, inputs, outputs = spaces
    rng = np.random.default_rng(0)
    tried = dict.fromkeys(inputs.names, 0)
    found: set[tuple[str, str]] = set()
    for size, is_positive in _POINTS:
        x, u = (size * rng.standard_normal(space.size) for space in (state, inputs))
        if is_positive:
            x, u = np.abs(x), np.abs(u)
        y = _value(output, x, u, theta)
        if y is None or not np.isfinite(y).all():
            continue
        for name, place in zip(inputs.names, inputs.slices, strict=True):
            others = [_value(output, x, v, theta) for v in _replaced(u, place, rng)]
            known = [other for other in others if other is not None]
            tried[name] += any(np.isfinite(other).all() for other in known)
            found |= {
                (name, out)
                for out, rows in zip(outputs.names, outputs.slices, strict=True)
                for other in known
                if not np.array_equal(other[rows], y[rows])
            }
    untried = {name for name, count in tried.items() if count < LEAST}
    return frozenset(found | {(i, o) for i in untried for o in outputs.names})


def _replaced(u: Array, place: slice, rng: np.random.Generator) -> list[Array]:
    """The inputs with other numbers, and with NaN, in the place of one port."""
    noise = np.abs(rng.standard_normal(place.stop - place.start))
    rows = [sign * size * noise for size in _SIZES for sign in (1.0, -1.0)]
    changed: list[Array] = []
    for row in (*rows, np.full_like(noise, np.nan)):
        v = u.copy()
        v[place] = row
        changed.append(v)
    return changed


def _value(output: Output, x: Array, u: Array, theta: Array) -> Array | None:
    try:
        with np.errstate(all="ignore"):
            return np.array(output(x, u, theta), dtype=np.float64)
    except Exception:  # noqa: BLE001 - a user's code outside its domain may raise anything
        return None
