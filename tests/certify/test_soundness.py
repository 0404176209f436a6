"""Nothing false is proved: traps that once were, and random systems against exact references."""

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.certify import (
    Budget,
    Estimated,
    Proved,
    Refuted,
    certify,
    coordinates,
    l1,
    l2,
    linf,
    verify,
)
from riemannian_modules.certify.certify import contraction_rate
from riemannian_modules.claims.norms import L1, L2, LInf
from riemannian_modules.errors import (
    CertificateError,
    MetricError,
    RegionError,
    RiemannianError,
    UnsupportedError,
)
from riemannian_modules.region import Box, ball, box
from riemannian_modules.search.boxes import witness
from riemannian_modules.terms.atoms import atom_form
from riemannian_modules.terms.ranges import atom_range, range_lemma
from tests.nightly import examples
from tests.strategies import rngs

QUICK = Budget(boxes=100, seconds=5.0)


def refined(atom, symbols, low, high):
    """The range that a lemma proves, or the plain enclosure where there is none."""
    lemma = range_lemma(atom, symbols, low, high)
    if lemma is None:
        ends = atom_range(atom, symbols, low[None], high[None])
        return float(ends[0][0]), float(ends[1][0])
    return lemma.lower, lemma.upper


class Scalar(rm.Flow):
    """``x' = f(x, u, p)``."""

    state, inputs = rm.space(x=""), rm.space(u="")
    parameters = {"k": 1.0}

    def __init__(self, f):
        self.f = f

    def equations(self, x, u, p):
        return {"x": self.f(x.x, u.u, p.k)}


def proved_bound(f, region, **options):
    answer = certify(Scalar(f), region, norm=l2(np.eye(1)), budget=QUICK, **options)
    return answer.bound.rate if isinstance(answer, Proved) else np.inf


# -- traps


def test_a_slope_that_jumps_is_not_bounded_by_its_own_derivative():
    # The slope of max(x, 0) (2 - x) is 0 left of zero and 2 right of it.
    def parabola(x, u, k):
        return np.maximum(x, 0) * (2 - x) - 1.5 * x

    def bend(x, u, k):
        return -np.maximum(x, 0) * np.tanh(x - 1) - 0.1 * x

    assert proved_bound(parabola, box(x=(-2, 1))) >= 0.5 - 1e-12
    assert proved_bound(bend, box(x=(-2, 1))) >= float(np.tanh(1)) - 0.1 - 1e-12


@given(st.floats(-2.0, -0.5), st.floats(0.5, 2.0), st.floats(-1.0, 3.0))
def test_the_range_of_a_jumping_atom_holds_its_values(low, high, shift):
    from riemannian_modules.arithmetic import functions as fn

    x = sp.Symbol("x", real=True)
    c = sp.Rational(*shift.as_integer_ratio())
    for atom in (
        fn.step(x) * (c - x),
        fn.sign(x) * (x + c),
        sp.Piecewise((x, x > 0), (x + c, True)),
    ):
        value = sp.lambdify(x, atom, [{"step": lambda t: float(t > 0), "sign": np.sign}, "numpy"])
        whole = atom_range(atom, (x,), np.array([[low]]), np.array([[high]]))
        for lower, upper in (
            (whole[0][0], whole[1][0]),
            refined(atom, (x,), np.array([low]), np.array([high])),
        ):
            for t in np.linspace(low, high, 23):
                assert lower - 1e-12 <= value(t) <= upper + 1e-12


def test_monomials_that_are_one_product_of_atoms_add_up():
    u = sp.Symbol("u", real=True)
    entry = (sp.exp(u) + 1) ** 2 - 3 * sp.exp(2 * u) + (1 + sp.sqrt(u)) ** 2 - u
    form = atom_form([[entry]])
    for point in (Fraction(1, 3), Fraction(5, 2)):
        values = [
            float(a.subs(u, sp.Rational(point.numerator, point.denominator))) for a in form.atoms
        ]
        T = form.at(np.array(values)).midpoint[0, 0]
        assert (
            pytest.approx(float(entry.subs(u, sp.Rational(point.numerator, point.denominator))))
            == T
        )


@given(rngs)
def test_no_atom_comes_twice_in_a_product(rng):
    x, y, z = sp.symbols("x y z", real=True)
    pool = [
        x,
        y,
        sp.sqrt(x),
        sp.exp(x + y),
        sp.exp(x - y),
        sp.exp(2 * x),
        1 / y,
        sp.tanh(z),
        x**2,
        z,
    ]
    factors = [sp.Add(*rng.choice(np.array(pool, dtype=object), 2)) for _ in range(4)]
    form = atom_form([[sp.Mul(*factors, evaluate=False)]])
    for members in form.products:
        assert len(set(members)) == len(members)


def test_a_map_that_is_undefined_somewhere_is_not_proved_there():
    # The Jacobian in x does not see the power or the root of the input.
    assert proved_bound(lambda x, u, k: -x + u**k, box(u=(0, 1), k=(-1, 1))) == np.inf
    assert proved_bound(lambda x, u, k: -x + np.sqrt(u), box(u=(-1, 1))) == np.inf
    assert proved_bound(lambda x, u, k: -x * (u / u), box(u=(-1, 1))) == np.inf
    assert proved_bound(lambda x, u, k: -x + np.sqrt(u) ** 2, box(u=(-1, 1))) == np.inf
    assert proved_bound(lambda x, u, k: -x + np.exp(np.log(u)), box(u=(-1, 1))) == np.inf
    assert proved_bound(lambda x, u, k: -x + np.tanh(1 / u), box(u=(-1, 1))) == np.inf


@pytest.mark.parametrize(
    "f",
    [
        lambda x, u, k: -x + np.where(x > 0, 1.0, 0.0),
        lambda x, u, k: -x + np.sign(x),
        lambda x, u, k: np.tanh(np.where(x > 0, x, 1 - x)) - x,
        lambda x, u, k: np.where(x * x > 1, -x, -2 * x),
        lambda x, u, k: np.where(x > 0, np.where(x > 1, -x, -2 * x), -x),
    ],
)
def test_a_map_that_jumps_is_refused_by_name(f):
    with pytest.raises(UnsupportedError, match=r"jumps|continuous"):
        certify(Scalar(f), box(x=(-2, 2)))


def test_at_a_kink_both_slopes_count():
    for f in (
        lambda x, u, k: np.where(x > 0, -x, x / 2),
        lambda x, u, k: np.minimum(-x, x / 2),
        lambda x, u, k: -0.25 * x - 0.75 * np.abs(x),
    ):
        assert proved_bound(f, box(x=(-1, 1))) >= 0.5
        # On the one side the other slope is no violation.
        one_side = certify(Scalar(f), box(x=(0, 1)), norm=l2(np.eye(1)), budget=QUICK)
        assert not isinstance(one_side, Refuted)


def test_the_gain_between_two_norms_is_that_of_both_or_refused():
    class Identity(rm.StaticMap):
        inputs, outputs = rm.space(u=""), rm.space(y="")

        def map(self, u, p):
            return {"y": u.u}

    with pytest.raises(MetricError):
        certify(Identity(), norm=linf([1.0]), input_norm=l2([[1e-4]]))
    answer = certify(Identity(), norm=l2([[1.0]]), input_norm=l2([[1e-4]]))
    assert answer.factor >= 100.0


def test_regions_that_are_empty_are_refused():
    for side in ((1.0, -1.0), (np.nan, 1.0), (np.inf, np.inf)):
        with pytest.raises(RegionError):
            certify(Scalar(lambda x, u, k: x), Box({"x": side}))


# -- random systems


def random_field(rng, n):
    """A random field of polynomial, tanh and Hill terms, for NumPy and SymPy alike."""
    W, V = (rng.integers(-8, 9, (n, n)) / 4 for _ in range(2))
    c = rng.integers(-4, 5, (n, 3)) / 4
    kind = int(rng.integers(3))

    def field(x, tanh):
        total = []
        for i in range(n):
            a = sum(W[i, j] * x[j] for j in range(n))
            b = sum(V[i, j] * x[j] for j in range(n))
            bend = (tanh(b), b * b * a / 4, 1 / (1 + b * b))[kind]
            total.append(-2 * x[i] + c[i, 0] * a + c[i, 1] * bend + c[i, 2] * a * b)
        return total

    return field


class Field(rm.Flow):
    """A random vector field."""

    def __init__(self, field, n):
        self.field, self.state = field, rm.space(x=n)

    def equations(self, x, u, p):
        return {"x": np.stack(self.field(x.x, np.tanh))}


def exact_jacobian(field, n):
    """Point -> Jacobian in 40 digits, from SymPy's derivatives of the field itself."""
    symbols = sp.symbols(f"z:{n}", real=True)
    values = field(symbols, sp.tanh)
    exact = sp.Matrix([sp.nsimplify(v, rational=True) for v in values]).jacobian(symbols)

    def at(point):
        numbers = [sp.Rational(*float(v).as_integer_ratio()) for v in point]
        return exact.subs(dict(zip(symbols, numbers, strict=True))).evalf(40)

    return at


def log_norm(J, norm, n):
    J = mpmath.matrix(J.tolist())
    if norm == "linf":
        return max(J[i, i] + sum(abs(J[i, j]) for j in range(n) if j != i) for i in range(n))
    if norm == "l1":
        return log_norm(sp.Matrix(J.T.tolist()), "linf", n)
    return max(mpmath.eigsy((J + J.T) / 2, eigvals_only=True))


@examples(10, 100)
@given(rngs, st.integers(1, 3), st.sampled_from(["l2", "l1", "linf"]))
def test_no_point_exceeds_a_proved_log_norm(rng, n, kind):
    field = random_field(rng, n)
    middle, half = rng.uniform(-1, 1, n), 10.0 ** rng.uniform(-2, 0, n)
    region = box({f"x[{i}]": (middle[i] - half[i], middle[i] + half[i]) for i in range(n)})
    norm = {"l2": l2(np.eye(n)), "l1": l1(np.ones(n)), "linf": linf(np.ones(n))}[kind]
    answer = certify(Field(field, n), region, norm=norm, budget=Budget(boxes=60, seconds=4.0))
    jacobian_at = exact_jacobian(field, n)
    with mpmath.workdps(30):
        if isinstance(answer, Refuted):
            point = np.array([answer.witness[f"x[{i}]"] for i in range(n)])
            J = jacobian_at(point)
            assert log_norm(J, kind, n) >= answer.violation - mpmath.mpf(10) ** -25
            return
        if not isinstance(answer, Proved):
            return
        low, high = np.array([region.sides[f"x[{i}]"] for i in range(n)]).T
        for _ in range(12):
            ends = np.where(rng.random(n) < 0.5, low, high)
            point = np.where(rng.random(n) < 0.4, ends, rng.uniform(low, high))
            J = jacobian_at(point)
            assert log_norm(J, kind, n) <= answer.bound.rate


@settings(max_examples=25)
@given(rngs, st.integers(1, 4))
def test_a_linear_rate_is_proved_only_where_sturm_chains_agree(rng, n):
    A = rng.integers(-6, 7, (n, n)) / 2 - 3 * np.eye(n)

    class Linear(rm.Flow):
        state = rm.space(x=n)

        def equations(self, x, u, p):
            return {"x": A @ x.x}

    # Exactly, by the rational characteristic polynomial of the symmetric part (flint).
    rate = Fraction(int(rng.integers(1, 8)), 4)
    S = sp.Matrix(A.tolist()).applyfunc(sp.nsimplify)
    T = (S + S.T) / 2 + sp.Rational(rate.numerator, rate.denominator) * sp.eye(n)
    matrix = flint.fmpq_mat(n, n, [flint.fmpq(int(v.p), int(v.q)) for v in T])
    coefficients = [matrix.charpoly()[i] for i in range(n + 1)]
    is_true = all(c >= 0 for c in coefficients)  # real roots, none positive (Descartes)
    answer = certify(Linear(), norm=l2(np.eye(n)), rate=float(rate), budget=QUICK)
    assert isinstance(answer, Proved) == is_true
    assert isinstance(answer, Refuted) != is_true


@given(rngs)
def test_ranges_hold_the_values_at_points_also_when_time_is_spent(rng):
    x, y = symbols = sp.symbols("x y", real=True)
    form = atom_form([[x**2 * sp.tanh(x) * sp.exp(-x) + y, sp.sin(x) * x / (1 + (x - y) ** 2)]])
    low = rng.uniform(-2, 1.5, 2)
    high = low + rng.uniform(0.01, 1, 2)
    points = rng.uniform(low, high, (20, 2))
    at_low, at_high = form.ranges(symbols, points, points)
    for deadline in (0.0, np.inf):
        known = form.lemmas(symbols, low, high, deadline)
        assert bool(known) == (deadline > 0)
        lower, upper = form.with_known(known).ranges(symbols, low[None], high[None])
        assert (lower <= at_high).all()
        assert (at_low <= upper).all()


def test_a_spent_budget_samples_once_and_refines_nothing(monkeypatch):
    sampled = []
    counted = witness.needed
    monkeypatch.setattr(witness, "needed", lambda *args: sampled.append(1) or counted(*args))
    module = Scalar(lambda x, u, k: -2 * x + np.tanh(np.tanh(k * x)))
    answer = certify(
        module, box(x=(-1, 1)), norm=l2(np.eye(1)), budget=Budget(boxes=50, seconds=0.0)
    )
    assert len(sampled) == 1
    # At x = 0 the slope is -2 + 1; what is proved without refinement is no better than that.
    assert isinstance(answer, Estimated) or answer.bound.rate <= 1.0


@given(rngs)
def test_ranges_hold_the_values_that_ball_arithmetic_gives(rng):
    x, y = sp.symbols("x y", real=True)
    a, b = (sp.Rational(int(rng.integers(1, 9)), 4) for _ in range(2))
    atom = [
        x**2 * sp.tanh(a * x - b) * sp.exp(-x * y),
        y * x / (1 + (x - a * y) ** 2),
        sp.sin(a * x) * x - b * x**3 * sp.cos(y),
        sp.exp(-a * x) * (1 - x) ** 3,
    ][int(rng.integers(4))]
    low = rng.uniform(-2, 1.5, 2)
    high = low + 10.0 ** rng.uniform(-6, 0.3, 2)
    lower, upper = atom_range(atom, (x, y), low[None], high[None])
    tight = refined(atom, (x, y), low, high)
    names = {
        "tanh": flint.arb.tanh,
        "exp": flint.arb.exp,
        "sin": flint.arb.sin,
        "cos": flint.arb.cos,
    }
    value = sp.lambdify((x, y), atom, [names])
    for _ in range(10):
        point = [
            flint.arb(float(v)) for v in np.where(rng.random(2) < 0.3, low, rng.uniform(low, high))
        ]
        ball = value(*point)
        for l, u in ((lower[0], upper[0]), tight):
            assert not ball < flint.arb(float(l))
            assert not ball > flint.arb(float(u))


# -- certificates


def gradient_certificate():
    class Gradient(rm.Flow):
        state = rm.space(x="", y="")

        def equations(self, x, u, p):
            a, b = np.tanh(x.x + x.y), np.tanh(x.x - x.y)
            return {"x": -a - b - 0.3 * x.x, "y": -a + b - 0.3 * x.y}

    return certify(Gradient(), box(x=(-1, 1), y=(-1, 1)), norm=l2(np.eye(2))).certificate


def places(data, path=()):
    """Every place of nested data, the root left out."""
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


REPLACEMENTS = [
    None, True, 0, 1, -1, 2, 10**400, 2**53 + 1, -0.0, 0.5, -0.5, -0.45, -3.0, 1e308, "inf", "-inf",
    "nan", "x", "y", "0", "1/2", [], {}, [0, 0.0], [1, 0.5], ["x", -2.0, 2.0], ["+", "x", "y"],
    ["log", "x"], "flow", "step", "map",
]  # fmt: skip


def edited(data, rng):
    """A deep copy with one to three random edits."""
    import copy

    data = copy.deepcopy(dict(data))
    for _ in range(int(rng.integers(1, 4))):
        path = list(places(data))
        path = path[int(rng.integers(len(path)))]
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        change, old = rng.integers(4), holder[path[-1]]
        if change == 0 and isinstance(old, float):
            holder[path[-1]] = old + float(rng.normal()) * 10.0 ** float(rng.uniform(-6, 1))
        elif change == 1 and isinstance(holder, list):
            del holder[path[-1]]
        elif change == 2 and isinstance(holder, list):
            holder.insert(path[-1], old)
        else:
            holder[path[-1]] = copy.deepcopy(REPLACEMENTS[int(rng.integers(len(REPLACEMENTS)))])
    return data


def claim_holds_at_samples(data, rng):
    """Sample the log-norm of what the file says in plain floats, from its own parts alone."""
    from riemannian_modules.arithmetic.expression_data import expressions_from_data

    own = {k: v for k, v in data["system"].items() if k != "type"}
    system, claim = expressions_from_data(own), data["claim"]
    symbols = system.state + system.inputs + system.parameters
    value = {"inf": 3.0, "-inf": -3.0}
    low, high = ([value.get(r[k], r[k]) for r in data["region"]["sides"]] for k in (1, 2))
    J = sp.lambdify(symbols, sp.Matrix(system.dx).jacobian(system.state), ["numpy", "scipy"])
    for _ in range(20):
        point = [
            rng.choice([a, b, rng.uniform(min(a, b), max(a, b))])
            for a, b in zip(low, high, strict=True)
        ]
        A = np.array(J(*point), dtype=float)
        norm, b = claim["norm"], float(claim["bound"])
        if b > 1e100:
            continue  # true of every matrix here, and beyond what floats can test
        tolerance = 1e-9 * (1 + np.abs(A).max())
        if norm["type"] == "l2":
            M = np.array(norm["metric"], dtype=float)
            if claim["kind"] == "flow":
                worst = np.linalg.eigvalsh(M @ A + A.T @ M - 2 * b * M)[-1]
            else:
                worst = np.linalg.eigvalsh(A.T @ M @ A - b * b * M)[-1]
            assert worst <= tolerance * (1 + abs(b)) ** 2 * np.abs(M).max()
        else:
            w = np.array(norm["weights"], dtype=float)
            A = A if norm["type"] == "linf" else A.T
            rows = np.abs(A) * w / w[:, None]
            if claim["kind"] == "flow":
                np.fill_diagonal(rows, np.diagonal(A))
            assert rows.sum(1).max() <= b + tolerance


def test_no_edited_certificate_proves_a_false_claim():
    original = gradient_certificate()
    rng = np.random.default_rng(7)
    proved = 0
    for _ in range(1500):
        data = edited(original.data, rng)
        try:
            answer = verify(data)
        except RiemannianError:  # any other error fails this test
            continue
        if isinstance(answer, Proved):
            proved += 1
            claim_holds_at_samples(answer.certificate.data, rng)
            truth = 0.3 + 2 / np.cosh(2.0) ** 2
            if all(data[k] == original.data[k] for k in ("system", "region")):
                metric = answer.certificate.data["claim"]["norm"]
                if metric == original.data["claim"]["norm"] and data["claim"]["kind"] == "flow":
                    assert answer.rate <= truth + 1e-15
    assert proved  # edits of words change nothing


@pytest.mark.parametrize("length", [0, 1, 100, 400])
def test_a_truncated_file_is_refused(length, tmp_path):
    path = gradient_certificate().save(tmp_path / "whole.json")
    cut = tmp_path / "cut.json"
    cut.write_text(path.read_text()[: length - 1])
    if length == 0:
        cut.write_text("")
    with pytest.raises(CertificateError):
        verify(cut)


def test_words_that_claim_more_are_replaced_and_guards_that_are_missing_come_back():
    import copy

    answer = certify(Scalar(lambda x, u, k: -x + np.sqrt(u)), box(u=(0, 1)), norm=l2(np.eye(1)))
    data = copy.deepcopy(dict(answer.certificate.data))
    data["claim"]["statement"] = "Everything contracts at rate 7."
    assert "7" not in verify(data).certificate.statement.split("exp")[0]
    data["system"]["guards"] = []
    data["region"]["sides"] = [
        [n, -1.0 if n == "u" else lo, hi] for n, lo, hi in data["region"]["sides"]
    ]
    assert isinstance(verify(data), Estimated)


@pytest.mark.parametrize(
    "norm",
    [
        L2(np.array([[1.0, 5.0], [0.0, 1.0]])),
        L2(np.diag([1.0, -1.0])),
        L2(np.array([[np.nan, 0.0], [0.0, 1.0]])),
        LInf(np.array([1.0, -1.0])),
        L1(np.array([0.0, 1.0])),
    ],
)
def test_what_is_no_norm_proves_nothing_however_it_was_made(norm):
    class Cascade(rm.Flow):
        state = rm.space("x y")

        def equations(self, x, u, p):
            return {"x": -x.x + 10.0 * x.y, "y": -x.y}

    for ask in (certify, contraction_rate):
        with pytest.raises(MetricError):
            ask(Cascade(), norm=norm)
    if isinstance(norm, L2):
        with pytest.raises(MetricError):
            certify(rm.MatrixGain(np.eye(2)), input_norm=norm)


def test_a_metric_that_is_undefined_at_the_successor_proves_nothing():
    class Shift(rm.StepMap):
        state = rm.space("x")

        def equations(self, x, u, p):
            return {"x": x.x / 2 - 1}

    metric = l2(lambda x, u, p: [[1 + np.sqrt(x.x)]])  # at the successor the root is of x / 2 - 1
    answer = certify(Shift(), box(x=(0.5, 1)), norm=metric, budget=QUICK)
    assert not isinstance(answer, Proved)


def test_a_metric_that_is_not_definite_somewhere_proves_nothing():
    class Decay(rm.Flow):
        state = rm.space("x")

        def equations(self, x, u, p):
            return {"x": -x.x}

    with pytest.raises(MetricError, match=r"eigenvalue -0\.2"):
        certify(Decay(), box(x=(-1, 1)), norm=l2(lambda x, u, p: [[x.x**2 - 0.25]]))
    for metric in (
        l2(lambda x, u, p: [[x.x**2]]),  # zero at one point
        coordinates(lambda x, u, p: [[x.x]]),
    ):
        answer = certify(Decay(), box(x=(-1, 1)), norm=metric, budget=QUICK)
        assert not isinstance(answer, Proved)


@examples(8, 100)
@given(rngs)
def test_no_point_of_a_cut_region_exceeds_what_is_proved_there(rng):
    class Bent(rm.Flow):
        state = rm.space("x y")

        def equations(self, x, u, p):
            a, b, c = weights
            return {
                "x": -a * x.x + np.sin(x.x - x.y) + 0.3 * x.x * x.y,
                "y": -b * x.y + c * np.cos(x.x - x.y) - 0.2 * x.x**2,
            }

    weights = rng.uniform(0.5, 3, 3)
    radius, half = rng.uniform(0.3, 2), rng.uniform(0.1, 1.5)
    region = ball({"x": 0.0, "y": 0.25}, radius).linear({"x": 1, "y": -1}, -half, half)
    bound = contraction_rate(Bent(), region, norm=l2(np.eye(2)), budget=QUICK).rate
    for _ in range(200):
        x, y = rng.uniform(-radius, radius, 2) + np.array([0.0, 0.25])
        if np.hypot(x, y - 0.25) > radius or abs(x - y) > half:
            continue
        s, t = np.cos(x - y), -weights[2] * np.sin(x - y)
        J = np.array([[s + 0.3 * y - weights[0], 0.3 * x - s], [t - 0.4 * x, -t - weights[1]]])
        assert np.linalg.eigvalsh(0.5 * (J + J.T))[-1] <= bound + 1e-12
