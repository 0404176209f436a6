"""The curve of rate against condition number follows its closed form, every point a proof."""

import numpy as np
import pytest

from riemannian_modules.certify import Proved, verify
from riemannian_modules.certify.conditioning import rate_against_condition
from riemannian_modules.errors import MetricError
from tests.cases import systems as s


def test_a_jordan_block_follows_its_closed_form():
    k, conditions = 3.0, [4.0, 10.0, 100.0, 1e4]
    curve = rate_against_condition(s.LinearFlow([[-1.0, k], [0.0, -1.0]]), conditions=conditions)
    assert curve.is_proved == (True,) * 4
    truth = 1 - k / (2 * np.sqrt(curve.conditions))
    assert (curve.bounds <= truth * (1 + 1e-9)).all()
    assert (curve.bounds >= 0.9999 * truth).all()
    for metric, condition, bound, certificate in zip(
        curve.metrics, curve.conditions, curve.bounds, curve.certificates, strict=True
    ):
        assert np.linalg.cond(metric) <= condition * (1 + 1e-9)
        again = verify(certificate)
        assert isinstance(again, Proved)
        assert again.rate == bound


def test_what_is_not_proved_is_marked():
    curve = rate_against_condition(
        s.LinearFlow([[-1.0, 3.0], [0.0, -1.0]]), conditions=[1.0, 100.0]
    )
    assert curve.is_proved == (False, True)
    assert np.isnan(curve.bounds[0])
    assert curve.certificates[0] is None


def test_condition_numbers_below_one_are_refused():
    with pytest.raises(MetricError, match="at least 1"):
        rate_against_condition(s.LinearFlow([[-1.0]]), conditions=[0.5])
