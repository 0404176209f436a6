"""The matrices of a certificate held against its system: an edited one is no evidence.

`verify` proves a bound from the system alone, and none of its proofs rests on what is found here:
at a few points, in 50 digits, whether a file's matrices in atoms are what the system
gives. The checker, whose proof they are, derives them exactly.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any, final

import numpy as np

from riemannian_modules.claims.problem import Problem

DIGITS = 50
AGREEING = 20  # digits in which two matrices agree: edits change the 17th or an earlier one
LOST = 35  # digits of the largest entry, below which an entry may be nothing but rounding
MOST_POINTS, ENOUGH = 48, 3  # points of a small file, and of a large one
EFFORT = 200_000  # operations, at all points together

Entries = dict[tuple[int, int], Any]
Values = dict[str, Fraction]


@final
class Dual:
    """A number of 50 digits and its derivatives by coordinates, those that are not zero."""

    __slots__ = ("slopes", "value")

    def __init__(self, value: Any, slopes: Mapping[str, Any]) -> None:
        self.value, self.slopes = value, slopes


class UndefinedError(ValueError):
    """A term is not defined at a point, or has no derivative there."""


@final
class Point:
    """The terms of a certificate at one point."""

    def __init__(self, values: Mapping[str, Any], bindings: Mapping[str, Any]) -> None:
        """Start with the values of coordinates, and the written bindings."""
        from mpmath import mp

        self._mp, self._bindings, self._values = mp, bindings, values
        self._known = {s: Dual(_plain(mp, v), {s: mp.mpf(1)}) for s, v in values.items()}
        self._alone: dict[str, Any] = {}  # of bindings whose slopes nobody has asked for

    def moved(self, values: Mapping[str, Any]) -> Point:
        """The same terms where some coordinates have other values."""
        return Point({**self._values, **values}, self._bindings)

    def __call__(self, term: Any) -> Dual:
        """The value of a written term.

        Raises:
            UndefinedError: Where it has none.
        """
        if isinstance(term, str):
            if term not in self._known:
                bound = self._bindings.get(term)
                number = self._number(term) if bound is None else self(bound)
                self._known[term] = number
            return self._known[term]
        operator, *rest = term
        if operator == "piecewise":
            return self(self._chosen(rest))
        parts = [self(part) for part in rest]
        try:
            return self._combined(operator, parts)
        except (ValueError, ZeroDivisionError, OverflowError, TypeError):
            raise UndefinedError from None

    def value(self, term: Any) -> Any:
        """The value of a written term by the same operations; without slopes, a fraction of them.

        Raises:
            UndefinedError: Where it has none, or an operation in it has no derivative.
        """
        if isinstance(term, str):
            if term in self._known:
                return self._known[term].value
            if term not in self._alone:
                bound = self._bindings.get(term)
                self._alone[term] = self._number(term).value if bound is None else self.value(bound)
            return self._alone[term]
        operator, *rest = term
        if operator == "piecewise":
            return self.value(self._chosen(rest))
        parts = [self.value(part) for part in rest]
        try:
            if operator == "+":
                return sum(parts)
            if operator == "*":
                return prod(parts)
            return self._applied(operator, parts)[0]
        except (ValueError, ZeroDivisionError, OverflowError, TypeError):
            raise UndefinedError from None

    def _chosen(self, pairs: Sequence[Any]) -> Any:
        """The side of a choice that holds here."""
        (x, (relation, left, right)), (y, _) = pairs
        gap = _off_zero(self.value(left) - self.value(right))
        return x if (gap < 0) == relation.startswith("less") else y

    def _number(self, text: str) -> Dual:
        return Dual(_plain(self._mp, Fraction(text)), {})

    def _combined(self, operator: str, parts: Sequence[Dual]) -> Dual:
        if operator == "+":
            return _linear(sum(p.value for p in parts), ((1, p) for p in parts))
        if operator == "*":
            found = parts[0]
            for p in parts[1:]:
                pairs = ((p.value, found), (found.value, p))
                found = _linear(found.value * p.value, pairs)
            return found
        value, *slopes = self._applied(operator, [p.value for p in parts])
        return _linear(value, zip(slopes, parts, strict=True))

    def _applied(self, operator: str, x: Sequence[Any]) -> tuple[Any, ...]:
        """A function's value and slopes, which are real, and the value finite."""
        if operator == "pi":
            return (+self._mp.pi,)
        found = self._function(operator, x)
        is_complex = any(isinstance(v, self._mp.mpc) for v in found)
        if is_complex or not self._mp.isfinite(found[0]):
            raise UndefinedError
        return found

    def _function(self, operator: str, x: Sequence[Any]) -> tuple[Any, ...]:
        """A function's value and its slope by each operand."""
        mp = self._mp
        if operator in ("^", "power"):
            base, e = x
            if operator == "^" and e == int(e):
                return base ** int(e), e * base ** (int(e) - 1) if e else 0, 0
            if base < 0:
                raise UndefinedError
            value = base**e
            return value, e * base ** (e - 1), value * mp.log(base)
        if operator in ("maximum", "minimum"):
            first = (x[0] > x[1]) == (operator == "maximum")
            return x[0] if first else x[1], int(first), int(not first)
        (v,) = x
        return _FUNCTIONS[operator](mp, v)


def _plain(mp: Any, value: Any) -> Any:
    if isinstance(value, Fraction):
        return mp.mpf(value.numerator) / value.denominator
    return mp.mpf(value)


def _linear(value: Any, parts: Any) -> Dual:
    slopes: dict[str, Any] = {}
    for factor, part in parts:
        for s, d in part.slopes.items():
            slopes[s] = slopes.get(s, 0) + factor * d
    return Dual(value, slopes)


_FUNCTIONS: Mapping[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "exp": lambda mp, v: (mp.exp(v), mp.exp(v)),
    "log": lambda mp, v: (mp.log(v), 1 / v),
    "sin": lambda mp, v: (mp.sin(v), mp.cos(v)),
    "cos": lambda mp, v: (mp.cos(v), -mp.sin(v)),
    "tan": lambda mp, v: (mp.tan(v), 1 + mp.tan(v) ** 2),
    "sinh": lambda mp, v: (mp.sinh(v), mp.cosh(v)),
    "cosh": lambda mp, v: (mp.cosh(v), mp.sinh(v)),
    "tanh": lambda mp, v: (mp.tanh(v), mp.sech(v) ** 2),
    "arcsin": lambda mp, v: (mp.asin(v), 1 / mp.sqrt(1 - v**2)),
    "arctan": lambda mp, v: (mp.atan(v), 1 / (1 + v**2)),
    "arcsinh": lambda mp, v: (mp.asinh(v), 1 / mp.sqrt(1 + v**2)),
    "erf": lambda mp, v: (mp.erf(v), 2 / mp.sqrt(mp.pi) * mp.exp(-(v**2))),
    "softplus": lambda mp, v: (mp.log1p(mp.exp(v)), 1 / (1 + mp.exp(-v))),
    "absolute": lambda mp, v: (abs(v), mp.sign(v)),
    "step": lambda mp, v: (mp.mpf(_off_zero(v) > 0), 0),
    "sign": lambda mp, v: (mp.sign(_off_zero(v)), 0),
}


def _off_zero(v: Any) -> Any:
    """The operand of a jump: where it is zero at a point that is random, it is zero everywhere.

    The checker knows of such a jump no more than its two sides.
    """
    if v == 0:
        raise UndefinedError
    return v


def some_points(problem: Problem, count: int) -> Iterator[Values]:
    """Points of the region's box and around it, the same ones each time, on no kink.

    Two matrices that are one are so wherever they are defined, in the region or not; where a slope
    jumps, each may have that of another side. So sides without width are left, too.
    """
    rng = random.Random(0)
    sides = list(zip(problem.lower.tolist(), problem.upper.tolist(), strict=True))
    for k in range(count):
        around = k % 2 * 1.0
        x = [Fraction(_between(rng, lo, hi, around)) for lo, hi in sides]
        yield dict(zip(problem.coordinates, x, strict=True))


def _between(rng: random.Random, lo: float, hi: float, around: float) -> float:
    low = lo if np.isfinite(lo) else (hi if np.isfinite(hi) else 0.0) - 2.0
    high = hi if np.isfinite(hi) else (lo if np.isfinite(lo) else 0.0) + 2.0
    if low == high:
        return low + rng.uniform(-1e-3, 1e-3) * (1.0 + abs(low))
    share = rng.uniform(-around, 1.0 + around)
    found = (1.0 - share) * low + share * high
    return found if np.isfinite(found) else low


def edited_part(
    data: Mapping[str, Any], bindings: Mapping[str, Any], problem: Problem
) -> str | None:
    """The part of the evidence that is not the system's, or None.

    Args:
        data: A certificate of a system of expressions whose terms were read.
        bindings: The written bindings of all its parts.
        problem: What it claims.
    """
    from mpmath import mp

    evidence, region = data["evidence"], data["region"]
    count = min(max(EFFORT // (1 + 10 * len(bindings)), ENOUGH), MOST_POINTS)
    tried = compared = 0
    with mp.workdps(DIGITS):
        for x in some_points(problem, count):
            at = Point(x | _bounded(region, x), bindings)
            try:
                own = _own(data, at, problem)
                tried += 1
                parts = {key: _entries(evidence[key], at) for key in own}
                slopes = _edited_slopes(evidence.get("atoms", []), at)
            except UndefinedError:
                continue
            compared += 1
            if slopes is not None:
                return f"the slopes of {slopes}"
            for key, entries in own.items():
                if not agree(entries, parts[key]):
                    return f"the {key}"
    # Atoms are parts of the system: nearly everywhere they are defined where it is.
    return None if compared > tried // 2 else "what is undefined wherever it was tried"


def _bounded(region: Mapping[str, Any], x: Values) -> Values:
    """What the region's constraints bound, by the names that the evidence knows it by."""
    found = {
        f"linear[{k}]": sum((Fraction(a) * x[s] for s, a in row), Fraction(0))
        for k, (row, _, _) in enumerate(region.get("linear", []))
    }
    for k, ball in enumerate(region.get("balls", [])):
        away = [x[s] - Fraction(c) for s, c in zip(ball["names"], ball["center"], strict=True)]
        M = ball.get("metric") or np.eye(len(away)).tolist()
        terms = (
            a * Fraction(m) * b
            for a, row in zip(away, M, strict=True)
            for m, b in zip(row, away, strict=True)
        )
        found[f"ball[{k}]"] = sum(terms, Fraction(0))
    return found


def _entries(data: Sequence[Any], at: Point) -> Entries:
    return {(i, j): at.value(t) for i, j, t in data}


def _own(data: Mapping[str, Any], at: Point, problem: Problem) -> dict[str, Entries]:
    """The matrices that the evidence of a system holds, by key, as the system gives them."""
    claim, system, evidence = data["claim"], data["system"], data["evidence"]
    names = [s.name for s in problem.variables]
    values = [at(t) for t in system["y" if claim["kind"] == "map" else "dx"]]
    place = {s: j for j, s in enumerate(names)}
    J = {(i, place[s]): d for i, f in enumerate(values) for s, d in f.slopes.items() if s in place}
    norm, n = claim["norm"], len(names)
    key = next((k for k in ("metric_terms", "factor_terms") if k in norm), None)
    left_out = problem.horizontal
    if key is None and left_out is None:
        return {"jacobian": J}
    D = _dense(J, (len(values), n))
    if left_out is not None:
        L, R = (np.array(A, dtype=object) for A in (left_out.L, left_out.R))
        return {"jacobian": _sparse(L @ D @ R)}
    assert key is not None
    f = dict(zip(names, (v.value for v in values), strict=True))
    rates = norm.get("rates") or {"names": [], "terms": []}
    drift = f | {s: at.value(t) for s, t in zip(rates["names"], rates["terms"], strict=True)}
    A = [at(t) for t in norm[key]]
    given, moving = _square([a.value for a in A], n), _square([_along(a, drift) for a in A], n)
    is_factor, change = key == "factor_terms", evidence.get("congruence")
    M = given.T @ given if is_factor else given
    Mdot = moving.T @ given + given.T @ moving if is_factor else moving
    K = _square([at.value(t) for t in change], n) if change else np.eye(n, dtype=object)
    if claim["kind"] == "flow":
        S = M @ D + (M @ D).T + Mdot
        return {"matrix": _sparse(K.T @ S @ K), "weight": _sparse(2 * (K.T @ M @ K))}
    there = at.moved(f)
    after = _square([there.value(t) for t in norm[key]], n)
    later = _square([there.value(t) for t in change], n) if change else K
    return {
        "matrix": _sparse(later.T @ after @ D @ K),
        "weight": _sparse(K.T @ M @ K),
        "after": _sparse(later.T @ after @ later),
    }


def _along(a: Dual, drift: Mapping[str, Any]) -> Any:
    return sum((d * drift[s] for s, d in a.slopes.items() if s in drift), 0)


def _square(flat: Sequence[Any], n: int) -> Any:
    return np.array(flat, dtype=object).reshape(n, n)


def _dense(entries: Entries, shape: tuple[int, int]) -> Any:
    A = np.zeros(shape, dtype=object)
    for k, v in entries.items():
        A[k] = v
    return A


def _sparse(A: Any) -> Entries:
    return {(i, j): v for (i, j), v in np.ndenumerate(A)}


def _edited_slopes(atoms: Sequence[Any], at: Point) -> str | None:
    """The name of an atom whose written slopes are not its derivatives."""
    for atom in atoms:
        if "slopes" in atom:
            own = {(0, s): d for s, d in at(atom["name"]).slopes.items()}
            written = {(0, s): at.value(t) for s, t in atom["slopes"]}
            if not agree(own, written):
                return str(atom["name"])
    return None


def agree(own: Mapping[Any, Any], written: Mapping[Any, Any]) -> bool:
    """Whether two matrices are one, up to the rounding of 50 digits."""
    size = 1 + max((abs(v) for v in (*own.values(), *written.values())), default=0)
    pairs = ((own.get(k, 0), written.get(k, 0)) for k in {*own, *written})
    return all(abs(a - b) <= (abs(a) + abs(b)) / 10**AGREEING + size / 10**LOST for a, b in pairs)
