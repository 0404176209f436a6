"""Spaces: names, places in flat vectors, and what is refused at the door."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.errors import DomainError, SignatureError
from tests.strategies import rngs

ROOM = rm.space("a b", q="rad", x=3, W=(2, 3), r=(2, "m"))


def test_a_space_is_written_as_names_units_sizes_and_shapes():
    assert ROOM.names == ("a", "b", "q", "x", "W", "r")
    assert ROOM["q"] == rm.Port("q", (), "rad")
    assert ROOM["r"] == rm.Port("r", (2,), "m")
    assert ROOM.size == 1 + 1 + 1 + 3 + 6 + 2
    assert ROOM.describe() == "a, b, q [rad], x (3,), W (2, 3), r (2,) [m]"


def test_coordinates_are_named_in_the_order_of_the_flat_vector():
    flat = np.arange(ROOM.size, dtype=float)
    signals = ROOM.signals(flat)
    assert ROOM.coordinates[ROOM.slice_of("W")][4] == "W[1,1]"
    assert signals.W[1, 1] == flat[ROOM.coordinates.index("W[1,1]")]
    assert signals["q"] == flat[ROOM.coordinates.index("q")]
    assert signals.vector is flat


@given(rngs, st.sampled_from([(), (3,), (2, 3)]))
def test_packing_undoes_unpacking(rng, batch):
    flat = rng.standard_normal((*batch, ROOM.size))
    assert np.array_equal(ROOM.pack(ROOM.unpack(flat), "here"), flat)
    assert np.array_equal(ROOM.pack(flat, "here"), flat)


def test_a_mapping_with_one_batch_is_broadcast():
    pair = rm.space("a b")
    assert np.array_equal(pair.pack({"a": [1.0, 2.0], "b": 5.0}, "here"), [[1, 5], [2, 5]])


def test_nothing_is_zeros_and_a_number_is_a_vector_of_one():
    assert np.array_equal(ROOM.pack(None, "here"), np.zeros(ROOM.size))
    assert np.array_equal(rm.space("a").pack(3.0, "here"), [3.0])


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"a": 1.0, "c": 2.0}, SignatureError, r"unknown names \['c'\]; known are: .*b"),
        ([1.0, 2.0, 3.0], SignatureError, r"here: expected 2 numbers .*\(a, b\).*shape \(3,\)"),
        (1.0, SignatureError, r"shape \(\)"),
        ([1.0, np.nan], DomainError, r"here: .*NaN or infinity in \['b'\]"),
        ({"a": np.inf, "b": 0.0}, DomainError, r"\['a'\]"),
    ],
)
def test_faulty_values_are_named(values, error, message):
    with pytest.raises(error, match=message):
        rm.space("a b").pack(values, "here")


def test_a_wrong_shape_is_named_with_its_port():
    with pytest.raises(SignatureError, match=r"'x' expects shape \(3,\)"):
        rm.space(x=3).pack({"x": [1.0, 2.0]}, "here")


@pytest.mark.parametrize("port", [-1, True, 1.5, (2, -1), ("m", 2), None])
def test_what_describes_no_port_is_refused(port):
    with pytest.raises(SignatureError, match="expected a unit"):
        rm.space(a=port)


def test_a_name_stands_once():
    with pytest.raises(SignatureError, match=r"\['a'\]"):
        rm.space("a b a")


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(SignatureError, match=r"'c'; known are: a, b"):
        rm.space("a b").slice_of("c")
    with pytest.raises(SignatureError, match=r"'c'.*known are: a, b"):
        rm.space("a b").signals(np.zeros(2)).c  # noqa: B018


class Twice(rm.Flow):
    state, inputs, parameters = rm.space("a b c"), rm.space("b"), {"a": 2.0}

    def equations(self, x, u, p):
        return {"a": -p.a * x.a, "b": u.b - x.b, "c": -x.c}


def test_names_that_states_inputs_and_parameters_share_are_qualified_where_they_meet():
    s = Twice().signature
    assert [space.names for space in (s.state, s.inputs, s.parameters)] == [
        ("a", "b", "c"), ("b",), ("a",)
    ]  # fmt: skip
    assert [space.names for space in s.distinct] == [
        ("state.a", "state.b", "c"), ("input.b",), ("parameter.a",)
    ]  # fmt: skip
    dx, _ = Twice().forward(np.array([1.0, 2.0, 3.0]), np.array([5.0]), np.array([2.0]))
    assert dx.tolist() == [-2.0, 3.0, -3.0]


def test_a_qualified_name_that_is_anothers_own_is_refused():
    class Clash(Twice):
        inputs = rm.space(b="", **{"state.b": ""})

    with pytest.raises(SignatureError, match=r"\['state.b'\] are names of others"):
        Clash().signature.distinct  # noqa: B018


def test_parameters_that_are_no_numbers_are_refused():
    from tests.modules.instances import Pendulum

    with pytest.raises(DomainError, match=r"Pendulum: parameters.*'k'"):
        Pendulum(k=np.nan).theta  # noqa: B018
    with pytest.raises(SignatureError, match=r"unknown parameters \['mass'\]; known are: k, g, d"):
        Pendulum(mass=1.0)
    with pytest.raises(DomainError):
        Pendulum().with_parameters([1.0, np.inf, 2.0])
