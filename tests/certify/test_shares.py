"""Quotients by sums of exponentials in shares: equal, and without what cancels."""

import numpy as np
import pytest
import sympy as sp

from riemannian_modules.terms.atoms import atom_form
from riemannian_modules.terms.multiplying_out import polynomial
from riemannian_modules.terms.shares import in_shares

x, y, z = sp.symbols("x y z", real=True)
TOTAL = sp.exp(x) + 2 * sp.exp(y - z) + 3


@pytest.mark.parametrize(
    ("e", "is_changed"),
    [
        (sp.exp(x) / TOTAL, True),
        (z + sp.exp(x) / TOTAL - sp.exp(2 * x) / TOTAL**2, True),
        (x * sp.exp(x + y - z) / TOTAL**3 - 2 / TOTAL, True),
        (sp.exp(2 * x) / TOTAL, False),  # no polynomial of shares
        (sp.exp(x) / (sp.exp(x) - sp.exp(y)), False),  # no shares: one is negative
        (1 / (1 + sp.exp(-x)), False),  # one exponential is enclosed well as it is
        (x / (1 + x + y), False),
    ],
)
def test_shares_are_another_way_to_write_the_same(e, is_changed):
    found = in_shares(e, polynomial)
    assert (found != e) == is_changed
    rng = np.random.default_rng(0)
    for point in rng.normal(size=(20, 3)):
        table = dict(zip((x, y, z), point.tolist(), strict=True))
        values = [float(v.subs(table)) for v in (e, found)]
        assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_the_jacobian_of_softmax_is_a_laplacian_of_products_of_two_shares():
    s = (x, y, z)
    p = [sp.exp(v) / sum(map(sp.exp, s)) for v in s]
    form = atom_form([[sp.diff(a, b) for b in s] for a in p])
    assert len(form.atoms) == 3
    for members, entries in zip(form.products, form.coefficients, strict=True):
        assert len(members) == 1
        assert sorted(entries.values()) == [-1, -1, 1, 1]
        assert sum(v for (i, _), v in entries.items() if i == 0) == 0
