"""An independent reading of certificates: does some point of the region contradict the claim?

Floats and forward-mode derivatives at sampled points; nothing is shared with the checker or the
library. A contradiction by more than rounding is a proof that the claim is false.
"""

import math
import re
from fractions import Fraction

import numpy as np

SLACK = 1e-9
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(/[1-9][0-9]*)?")


class Dual:
    """A value and its gradient."""

    def __init__(self, value, gradient):
        self.value, self.gradient = value, gradient


def _chain(x, value, slope):
    return Dual(value, slope * x.gradient)


def _logistic(v):
    return 1 / (1 + math.exp(-v)) if v > -500 else 0.0


UNARY = {
    "tanh": lambda v: (math.tanh(v), 1 - math.tanh(v) ** 2),
    "sin": lambda v: (math.sin(v), math.cos(v)),
    "cos": lambda v: (math.cos(v), -math.sin(v)),
    "tan": lambda v: (math.tan(v), 1 + math.tan(v) ** 2),
    "exp": lambda v: (math.exp(v), math.exp(v)),
    "log": lambda v: (math.log(v), 1 / v),
    "sinh": lambda v: (math.sinh(v), math.cosh(v)),
    "cosh": lambda v: (math.cosh(v), math.sinh(v)),
    "arctan": lambda v: (math.atan(v), 1 / (1 + v * v)),
    "arcsin": lambda v: (math.asin(v), 1 / math.sqrt(1 - v * v)),
    "arccos": lambda v: (math.acos(v), -1 / math.sqrt(1 - v * v)),
    "arcsinh": lambda v: (math.asinh(v), 1 / math.sqrt(1 + v * v)),
    "erf": lambda v: (math.erf(v), 2 / math.sqrt(math.pi) * math.exp(-v * v)),
    "expm1": lambda v: (math.expm1(v), math.exp(v)),
    "log1p": lambda v: (math.log1p(v), 1 / (1 + v)),
    "softplus": lambda v: (math.log1p(math.exp(-abs(v))) + max(v, 0), _logistic(v)),
    "absolute": lambda v: (abs(v), math.copysign(1, v)),
}


class Reader:
    """Terms evaluated at one point."""

    def __init__(self, names, point, let=()):
        self.size = len(names)
        self.table = {
            name: Dual(v, np.eye(self.size)[i])
            for i, (name, v) in enumerate(zip(names, point, strict=True))
        }
        for name, term in let:
            self.table[name] = self(term)

    def __call__(self, term):
        if isinstance(term, str):
            if term in self.table:
                return self.table[term]
            assert NUMBER.fullmatch(term)
            return Dual(float(Fraction(term)), np.zeros(self.size))
        op, *rest = term
        if op == "piecewise":
            for value, condition in rest:
                if self.holds(condition):
                    return self(value)
        args = [self(part) for part in rest]
        if op == "+":
            return Dual(sum(a.value for a in args), sum(a.gradient for a in args))
        if op == "*":
            product = args[0]
            for a in args[1:]:
                product = Dual(
                    product.value * a.value, product.value * a.gradient + a.value * product.gradient
                )
            return product
        if op in ("^", "power"):
            base, exponent = args
            value = base.value**exponent.value
            assert not isinstance(value, complex)
            slope = exponent.value * base.value ** (exponent.value - 1) if exponent.value else 0.0
            other = value * math.log(base.value) if exponent.gradient.any() else 0.0
            return Dual(value, slope * base.gradient + other * exponent.gradient)
        if op in ("maximum", "minimum"):
            return (max if op == "maximum" else min)(args, key=lambda a: a.value)
        if op in ("pi", "e"):
            return Dual(getattr(math, op), np.zeros(self.size))
        (x,) = args
        return _chain(x, *UNARY[op](x.value))

    def holds(self, condition):
        op, *rest = condition
        if op == "true":
            return True
        a, b = (self(part).value for part in rest)
        return {
            "less": a < b,
            "less_equal": a <= b,
            "greater": a > b,
            "greater_equal": a >= b,
        }[op]


def side(value):
    return float(value)


def points(data, rng, count):
    """Points of the region, ends of sides among them."""
    region = data["region"]
    names = [row[0] for row in region["sides"]]
    lows = np.array([side(row[1]) for row in region["sides"]])
    highs = np.array([side(row[2]) for row in region["sides"]])
    found = []
    for k in range(count):
        spread = rng.choice([0.1, 1.0, 10.0])
        low = np.where(
            np.isfinite(lows), lows, np.where(np.isfinite(highs), highs - spread, -spread)
        )
        high = np.where(
            np.isfinite(highs), highs, np.where(np.isfinite(lows), lows + spread, spread)
        )
        share = rng.random(len(lows)) if k % 2 else rng.integers(0, 3, len(lows)) / 2
        point = np.clip(low + share * (high - low), lows, highs)
        if is_inside(region, names, point):
            found.append(point)
    return names, found


def is_inside(region, names, point):
    at = dict(zip(names, point, strict=True))
    for row, lo, hi in region.get("linear") or ():
        if not side(lo) <= sum(c * at[n] for n, c in row) <= side(hi):
            return False
    for ball in region.get("balls") or ():
        z = np.array([at[n] for n in ball["names"]]) - np.array(ball["center"])
        M = np.array(ball.get("metric") or np.eye(len(z)))
        if z @ M @ z > ball["radius"] ** 2:
            return False
    return True


def metric_at(norm, read, n):
    """M, its rate of change by every symbol, or None where the norm is no l2 norm."""
    if "metric" in norm and isinstance(norm["metric"], dict):
        M = np.zeros((n, n))
        for i, j, v in norm["metric"]["entries"]:
            M[i, j] = v
        return M, np.zeros((n, n, read.size))
    if "metric" in norm:
        return np.array(norm["metric"], dtype=float), np.zeros((n, n, read.size))
    key = "metric_terms" if "metric_terms" in norm else "factor_terms"
    for name, term in norm["let"]:
        read.table[name] = read(term)
    flat = [read(t) for t in norm[key]]
    A = np.array([t.value for t in flat]).reshape(n, n)
    dA = np.array([t.gradient for t in flat]).reshape(n, n, -1)
    if key == "metric_terms":
        return A, dA
    return A.T @ A, np.einsum("kia,kj->ija", dA, A) + np.einsum("ki,kja->ija", A, dA)


def contradicts(data, rng, count=12):
    """Whether a sampled point contradicts the claim by more than rounding."""
    if data["system"]["type"] == "slopes":
        return slopes_contradict(data, rng, count)
    names, found = points(data, rng, count)
    return any(tells(data, names, point, rng) for point in found)


def tells(data, names, point, rng):
    """Whether a point contradicts the claim; one at which floats overflow tells nothing."""
    try:
        return contradicts_at(data, names, point, rng)
    except OverflowError:
        return False


def contradicts_at(data, names, point, rng):
    claim, system = data["claim"], data["system"]
    kind, b, norm = claim["kind"], float(claim["bound"]), claim["norm"]
    state, inputs = system["symbols"]["state"], system["symbols"]["inputs"]
    try:
        read = Reader(names, point, system["let"])
        f = [read(t) for t in (system["y"] if kind == "map" else system["dx"])]
    except (ValueError, ZeroDivisionError, OverflowError, AssertionError):
        return not is_extreme(point)  # undefined inside of the region
    place = [names.index(s) for s in (inputs if kind == "map" else state)]
    J = np.array([t.gradient[place] for t in f])
    drift = np.zeros(len(names))
    if kind == "flow":
        drift[place] = [t.value for t in f]
    size = 1 + np.abs(J).max()
    if "horizontal" in claim:
        L, R = (np.array(claim["horizontal"][k], dtype=float) for k in "LR")
        rest = np.eye(len(J)) - R @ L
        gap = rest @ J if claim["horizontal"]["kind"] == "conservation" else J @ rest
        if np.abs(gap).max() > SLACK * size or np.abs(L @ R - np.eye(len(L))).max() > SLACK:
            return True
        J = L @ J @ R
    n = len(J)
    if norm["type"] == "l2":
        M, dM = metric_at(norm, read, n)
        if norm.get("rates"):
            for name, term in zip(norm["rates"]["names"], norm["rates"]["terms"], strict=True):
                drift[names.index(name)] = read(term).value
        return l2_contradicts(data, kind, b, J, M, dM @ drift, f, rng) or (
            "trajectories" in claim and ball_contradicts(data, names, M, point, b)
        )
    if norm["type"] == "blocks":
        values = np.linalg.eigvals(J)
        worst = values.real.max() if kind == "flow" else np.abs(values).max()
        return worst > b + 1e-6 * size or (
            "trajectories" in claim and ball_contradicts(data, names, block_metrics(norm), point, b)
        )
    w = np.array(norm["weights"], dtype=float)
    T = (J if norm["type"] == "linf" else J.T) * w / w[:, None]
    T = np.where(np.eye(n, dtype=bool) & (kind == "flow"), T, np.abs(T))
    return T.sum(1).max() > b + SLACK * (1 + np.abs(T).max() * n) or (
        "trajectories" in claim and ball_contradicts(data, names, w, point, b)
    )


def l2_contradicts(data, kind, b, J, M, Mdot, f, rng):
    eigenvalues = np.linalg.eigvalsh(M)
    if np.abs(M - M.T).max() > 0 or eigenvalues[0] <= -SLACK * np.abs(eigenvalues).max():
        return True
    norm, (n, m) = data["claim"]["norm"], J.shape
    if max(np.abs(M).max(), np.abs(J).max(), abs(b)) > 1e100:
        return False  # where floats are about to overflow they tell nothing
    scale = SLACK * (1 + np.abs(M).max()) * (1 + np.abs(J).max() + abs(b)) ** 2
    if kind == "flow":
        S = 2 * b * M - Mdot - M @ J - J.T @ M
        return np.linalg.eigvalsh(S)[0] < -scale - SLACK * np.abs(Mdot).max()
    after, N = M, M if kind == "step" else np.eye(m)
    if "metric_terms" in norm:
        state = data["system"]["symbols"]["state"]
        after, _ = metric_at(norm, Reader(state, [t.value for t in f]), n)
    if "input_norm" in data["claim"]:
        N = np.array(data["claim"]["input_norm"]["metric"], dtype=float)
        if np.linalg.eigvalsh(N)[0] < -SLACK * np.abs(N).max():
            return True
    return np.linalg.eigvalsh(b * b * N - J.T @ after @ J)[0] < -scale * (1 + np.abs(N).max())


def ball_contradicts(data, names, shape, point, b):
    """Whether the ball leaves the region's sides, or the drift at its centre is too large.

    `shape` is the metric (n, n) of l2, the weights (n,) of l1 and linf, or pairs of groups and
    metrics.
    """
    claim, system = data["claim"], data["system"]
    c, r = np.array(claim["trajectories"]["center"], dtype=float), claim["trajectories"]["radius"]
    n = len(c)
    reach, size = {
        "l2": lambda M: (np.sqrt(np.diag(np.linalg.inv(M))), lambda v: math.sqrt(abs(v @ M @ v))),
        "l1": lambda w: (1 / w, lambda v: w @ np.abs(v)),
        "linf": lambda w: (w, lambda v: (np.abs(v) / w).max()),
        "blocks": block_reach,
    }[claim["norm"]["type"]](shape)
    lows = np.array([side(row[1]) for row in data["region"]["sides"]])[:n]
    highs = np.array([side(row[2]) for row in data["region"]["sides"]])[:n]
    if (c - r * reach < lows - 1e-6).any() or (c + r * reach > highs + 1e-6).any():
        return True
    read = Reader(names, [*c, *point[n:]], system["let"])
    drift = np.array([read(t).value for t in system["dx"]])
    drift, room = (drift, -b * r) if claim["kind"] == "flow" else (drift - c, (1 - b) * r)
    return size(drift) > room + SLACK * (1 + r)


def block_metrics(norm):
    exponents = norm.get("exponents") or [0] * len(norm["groups"])
    weights = [float(w) * 2.0**e for w, e in zip(norm["weights"], exponents, strict=True)]
    metrics = [np.array(M, dtype=float) for M in norm["metrics"]]
    return [(g, M / w**2) for g, M, w in zip(norm["groups"], metrics, weights, strict=True)]


def block_reach(parts):
    """How far a ball of radius 1 reaches along each coordinate, and the norm."""
    reach = np.zeros(sum(len(g) for g, _ in parts))
    for g, M in parts:
        reach[g] = np.sqrt(np.diag(np.linalg.inv(M)))
    return reach, lambda v: max(math.sqrt(abs(v[g] @ M @ v[g])) for g, M in parts)


def is_extreme(point):
    return bool((np.abs(point) > 300).any())


ACTIVATIONS = {
    "relu": lambda v: np.maximum(v, 0),
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "abs": np.abs,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "arctan": np.arctan,
}


WIDE = {"sigmoid": (0, 0.25), "sin": (-1, 1), "cos": (-1, 1), "abs": (-1, 1)}


def slopes_contradict(data, rng, count):
    """Feed-forward systems at slopes in their bounds: |A + B (I - S D)^-1 S C| <= b."""
    system, claim = data["system"], data["claim"]
    A, B, C, D = (
        np.array([[float(Fraction(v)) for v in row] for row in system[k]]) for k in "ABCD"
    )
    bounds = []
    for entry in system["activations"]:
        if isinstance(entry, str) or isinstance(entry[0], str):
            name, times = (entry, 1) if isinstance(entry, str) else entry
            bounds += [WIDE.get(name, (0, 1))] * times
        else:
            bounds.append(tuple(map(float, entry)))
    low, high = np.array(bounds, dtype=float).T
    b, norm = float(claim["bound"]), claim["norm"]
    M = np.array(norm.get("metric", 0), dtype=float)
    for k in range(count):
        share = rng.integers(0, 2, len(low)) if k else 1
        S = np.diag(low + share * (high - low))
        G = A + B @ np.linalg.solve(np.eye(len(low)) - S @ D, S @ C)
        n = G.shape[1]
        if norm["type"] != "l2":
            J = np.abs(G)
            if claim["kind"] == "flow":
                np.fill_diagonal(J, np.diag(G))
            w = np.array(norm["weights"], dtype=float)
            sums = (J @ w if norm["type"] == "linf" else w @ J) / w
            if sums.max() > b + SLACK * (1 + np.abs(G).max()):
                return True
            continue
        N = np.array(claim.get("input_norm", {"metric": np.eye(n)})["metric"], dtype=float)
        N = N if claim["kind"] == "map" else M
        gap = 2 * b * M - M @ G - G.T @ M if claim["kind"] == "flow" else b * b * N - G.T @ M @ G
        if np.linalg.eigvalsh(gap)[0] < -SLACK * (1 + np.abs(gap).max()):
            return True
    return False
