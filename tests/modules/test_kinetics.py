"""Kinetic modules against the closed forms of their papers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.errors import DomainError, SignatureError, WiringError
from tests.strategies import rngs

EPS = 2.0**-52
NONE = np.zeros(0)


def rate(module, amount):
    return module.output(NONE, np.array([amount]), module.theta)[0]


def slope(module, amount):
    return module.jacobian(NONE, np.array([amount]), module.theta).D[0, 0]


@given(rngs)
def test_a_michaelis_menten_enzyme_saturates_as_vmax_s_over_km_plus_s(rng):
    vmax, km, s = rng.uniform(0.1, 10.0, 3)
    law = rm.MichaelisMenten(vmax, km)
    assert abs(rate(law, s) - vmax * s / (km + s)) <= 8 * EPS * vmax
    assert np.isclose(slope(law, s), vmax * km / (km + s) ** 2, rtol=16 * EPS, atol=0)
    assert rate(law, km) == vmax / 2
    assert rate(law, 0.0) == 0.0


@given(rngs)
def test_hill_laws_are_the_textbook_fractions_and_add_to_the_maximum(rng):
    maximum, half, a = rng.uniform(0.1, 5.0, 3)
    n = rng.uniform(0.5, 6.0)
    up, down = rm.HillActivation(maximum, half, n), rm.HillRepression(maximum, half, n)
    fraction = a**n / (half**n + a**n)
    # The powers carry a relative error of n |log a| roundings, at most 10 here.
    assert abs(rate(up, a) - maximum * fraction) <= 100 * EPS * maximum
    assert abs(rate(up, a) + rate(down, a) - maximum) <= 8 * EPS * maximum
    # z / (1 + z)^2 rather than fraction (1 - fraction), which cancels near saturation.
    z = (a / half) ** n
    expected = maximum * n / a * z / (1 + z) ** 2
    assert np.isclose(slope(up, a), expected, rtol=1e-13, atol=0)
    assert np.isclose(slope(down, a), -expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize(("exponent", "expected"), [(2.3, 0.0), (2.0, 0.0), (1.0, 4.0)])
def test_the_slope_of_a_hill_law_at_zero_is_its_limit(exponent, expected):
    law = rm.HillActivation(2.0, 0.5, exponent, basal=0.1)
    J = law.jacobian(NONE, np.zeros(1), law.theta)
    assert J.D[0, 0] == expected
    assert np.isfinite(J.F).all()
    assert rate(law, 0.0) == pytest.approx(0.1, abs=EPS)


@given(rngs)
def test_an_enclosure_of_a_hill_law_is_sharp(rng):
    from riemannian_modules.arithmetic.interval import interval

    law = rm.HillActivation(2.0, 1.0, 2.0)
    low, high = np.sort(rng.uniform(0.0, 4.0, 2))
    none = interval(NONE, NONE)
    e = law.enclose(none, interval([low], [high]), interval(law.theta, law.theta))
    # The law rises: the exact range is that between the values at the ends.
    assert abs(e.y.lower[0] - rate(law, low)) <= 64 * EPS
    assert abs(e.y.upper[0] - rate(law, high)) <= 64 * EPS


def test_an_enzyme_pathway_is_composed_of_pools_and_rate_laws():
    pathway = (
        rm.Wiring(
            substrate=rm.Pool(0.0, "feed", "use", unit="mM", time_unit="min"),
            enzyme=rm.MichaelisMenten(2.0, 0.5, unit="mM", time_unit="min"),
            product=rm.Pool(0.4, "made", unit="mM", time_unit="min"),
        )
        .input("feed", "substrate.feed")
        .connect("substrate.amount", "enzyme.substrate")
        .connect("enzyme.rate", "substrate.use")
        .connect("enzyme.rate", "product.made")
        .output("product", "product.amount")
        .build()
    )
    # At rest 2 s / (0.5 + s) = feed, hence s = 0.5 feed / (2 - feed), and product = feed / 0.4.
    feed = 1.2
    rest = np.array([0.5 * feed / (2.0 - feed), feed / 0.4])
    dx, y = pathway.forward(rest, np.array([feed]), pathway.theta)
    assert np.abs(dx).max() <= 16 * EPS
    assert y[0] == rest[1]


def test_a_pool_knows_its_units():
    with pytest.raises(WiringError, match=r"expects unit \[nM/min\].*gives \[nM/s\]"):
        rm.Wiring(
            law=rm.MichaelisMenten(1.0, 1.0, unit="nM", time_unit="s"),
            pool=rm.Pool(1.0, unit="nM", time_unit="min"),
        ).input("s", "law.substrate").connect("law.rate", "pool.production").build()


def test_a_regulated_gene_is_a_chain_and_rests_where_production_balances_loss():
    gene = rm.HillRepression(3.0, 2.0, 2.0, 0.1) >> rm.GeneExpression(5.0, 0.5, 0.1)
    transcription = 0.1 + 3.0 / (1.0 + (1.5 / 2.0) ** 2)
    mrna = transcription / 0.5
    rest = np.array([mrna, 5.0 * mrna / 0.1])
    dx, y = gene.forward(rest, np.array([1.5]), gene.theta)
    assert np.abs(dx).max() <= 16 * EPS * 5.0 * mrna
    assert y == rest[1]


def goldbeter_koshland(v1, v2, J1, J2):
    """The stationary phosphorylated fraction, Goldbeter and Koshland (1981), equation 9."""
    b = v2 - v1 + J1 * v2 + J2 * v1
    return 2.0 * v1 * J2 / (b + np.sqrt(b**2 - 4.0 * (v2 - v1) * v1 * J2))


@given(rngs)
def test_a_phosphorylation_cycle_rests_at_the_goldbeter_koshland_function(rng):
    total, k, V, K1, K2, kinase = rng.uniform(0.2, 3.0, 6)
    cycle = rm.PhosphorylationCycle(total, k, V, K1, K2)
    fraction = goldbeter_koshland(k * kinase, V, K1 / total, K2 / total)
    x, u = np.array([fraction]), np.array([kinase])
    dx, y = cycle.forward(x, u, cycle.theta)
    A = cycle.jacobian(x, u, cycle.theta).A[0, 0]
    assert 0.0 < fraction < 1.0
    # The root loses digits where b is small against its terms; the state's error is dx / A.
    assert abs(dx[0] / A) <= 1e-12
    assert A < 0.0
    assert y[0] == total * fraction


def test_a_cycle_never_leaves_the_unit_interval():
    cycle = rm.PhosphorylationCycle(10.0, 2.0, 3.0, 1.0, 0.5)
    u = np.array([2.0])
    assert cycle.forward(np.array([0.0]), u, cycle.theta)[0][0] > 0
    assert cycle.forward(np.array([1.0]), u, cycle.theta)[0][0] < 0


@given(rngs, st.integers(1, 4), st.integers(1, 5), st.integers(0, 2))
def test_mass_action_is_the_sum_over_reactions(rng, species, reactions, external):
    consumed = rng.integers(0, 3, (reactions, species + external))
    produced = rng.integers(0, 3, (reactions, species + external))
    k = rng.uniform(0.1, 2.0, reactions)
    c, e = rng.uniform(0.1, 2.0, species), rng.uniform(0.1, 2.0, external)
    network = rm.MassAction(
        " ".join(f"S{i}" for i in range(species)),
        consumed,
        produced,
        {f"k{r}": k[r] for r in range(reactions)},
        external=" ".join(f"E{i}" for i in range(external)),
    )
    expected, size = np.zeros(species), np.zeros(species)
    for r in range(reactions):
        rate = k[r] * np.prod(np.concatenate([c, e]) ** consumed[r])
        for i in range(species):
            expected[i] += (produced[r, i] - consumed[r, i]) * rate
            size[i] += 2 * rate
    got = network.forward(c, e, network.theta)[0]
    assert (np.abs(got - expected) <= 32 * EPS * size).all()


@given(rngs)
def test_what_a_reaction_network_conserves_does_not_change(rng):
    network = rm.MassAction.of({"bind": ("E + S -> C", 0.7), "free": ("C -> E + S", 0.2),
                                "make": ("C -> E + P", 1.1)})  # fmt: skip
    assert network.signature.state.names == ("E", "S", "C", "P")
    x = rng.uniform(0.0, 3.0, 4)
    dx = network.forward(x, NONE, network.theta)[0]
    for conserved in ([1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0]):
        assert abs(np.dot(conserved, dx)) <= 16 * EPS * np.abs(dx).sum()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rm.MichaelisMenten(1.0, 0.0), DomainError, "half has to be positive"),
        (lambda: rm.HillActivation(1.0, 1.0, np.nan), DomainError, "exponent"),
        (lambda: rm.HillRepression(1.0, 1.0, 2.0, -0.1), DomainError, "basal"),
        (lambda: rm.Pool(-1.0), DomainError, "degradation"),
        (lambda: rm.Pool(1.0, "a a"), SignatureError, "'a'"),
        (lambda: rm.MassAction.of({"r": ("A + 2B3* -> B", 1.0)}), SignatureError, r"'2B3\*'"),
        (lambda: rm.MassAction("A", [[0.5]], [[1]], {"k": 1.0}), SignatureError, "consumed"),
        (lambda: rm.MassAction("A", [[1, 1]], [[1]], {"k": 1.0}), SignatureError, r"\(1, 1\)"),
    ],
)
def test_faulty_constants_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
