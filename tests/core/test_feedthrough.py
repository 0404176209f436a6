"""A block that cannot be read closes a loop wherever its outputs are functions of its state."""

import math

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import simulate
from riemannian_modules.errors import SignatureError, WiringError
from riemannian_modules.modules.differential import Jacobian
from riemannian_modules.testing import check_module

NONE = np.zeros(0)


class PythonBlock(rm.RiemannianModule):
    """A block in plain Python, one point at a time, with a Jacobian by differences."""

    time = rm.Time.CONTINUOUS

    def forward(self, x, u, theta):
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])
        parts = [np.broadcast_to(v, (*batch, v.shape[-1])) for v in (x, u, theta)]
        dx, y = np.zeros((*batch, self.state.size)), np.zeros((*batch, self.outputs.size))
        for place in np.ndindex(batch):
            dx[place], y[place] = self.point_map(*(part[place].tolist() for part in parts))
        return dx, y

    def jacobian(self, x, u, theta):
        n, m, h = x.size, u.size, 1e-6
        z, columns = np.concatenate([x, u, theta]), []
        for e in h * np.eye(z.size):
            up, down = (np.split(z + s * e, [n, n + m]) for s in (1, -1))
            ends = [np.concatenate(self.forward(*v)) for v in (up, down)]
            columns.append((ends[0] - ends[1]) / (2 * h))
        J = np.array(columns).T.reshape(-1, z.size)
        return Jacobian(J[:n, :n], J[:n, n:n + m], J[n:, :n], J[n:, n:n + m],
                        J[:n, n + m:], J[n:, n + m:])  # fmt: skip


class Vehicle(PythonBlock):
    """Astrom and Murray, section 4.1: a car in a gear, with branches on its speed."""

    state, inputs, outputs = rm.space("v"), rm.space("throttle slope"), rm.space("v")

    def point_map(self, x, u, theta):
        v, (throttle, slope) = x[0], u
        omega = 12 * v
        torque = 190 * (1 - 0.4 * (omega / 420 - 1) ** 2)
        torque = torque if torque > 0 else 0.0
        rolling = 1600 * 9.8 * 0.01 * math.copysign(1.0, v)
        force = 12 * min(max(throttle, 0.0), 1.0) * torque - rolling
        force -= 1600 * 9.8 * math.sin(slope) + 0.5 * 1.3 * 0.32 * 2.4 * v * abs(v)
        return [force / 1600], [v]


class Control(PythonBlock):
    """A PI controller that stops integrating where the throttle is at its end."""

    state, inputs, outputs = rm.space("z"), rm.space("error"), rm.space("throttle")

    def point_map(self, x, u, theta):
        wanted = 0.5 * u[0] + 0.1 * x[0]
        held = wanted > 1 or wanted < 0
        return [0.0 if held else u[0]], [min(max(wanted, 0.0), 1.0)]


def cruise(vehicle, control):
    return (
        rm.Wiring(vehicle=vehicle, error=rm.Sum("+-"), control=control)
        .input("reference", "error.u1")
        .input("slope", "vehicle.slope")
        .connect("vehicle.v", "error.u2")
        .connect("error.y", "control.error")
        .connect("control.throttle", "vehicle.throttle")
        .output("v", "vehicle.v")
        .build()
    )


def test_a_loop_through_blocks_that_cannot_be_traced_is_no_algebraic_loop():
    graph = cruise(Vehicle(), Control())
    assert Vehicle().feedthrough == frozenset()
    assert Control().feedthrough == {("error", "throttle")}
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, u = rng.uniform(0, 30, 2), np.array([20.0, 0.05])
        (v, z), (reference, slope) = x, u
        dz, (throttle,) = Control().point_map([z], [reference - v], [])
        dv, _ = Vehicle().point_map([v], [throttle, slope], [])
        dx, y = graph.forward(x, u, NONE)
        assert dx.tolist() == [*dv, *dz]
        assert y.tolist() == [v]


def test_the_closed_loop_is_simulated_to_its_rest():
    times = np.linspace(0.0, 200.0, 11)
    path = simulate(cruise(Vehicle(), Control()), times, [18.0, 4.0], [20.0, 0.0])
    assert path["v"][-1] == pytest.approx(20.0, abs=1e-5)


class Declared(Vehicle):
    feedthrough = frozenset()

    def output(self, x, u, theta):
        raise AssertionError("what is declared is not tried")


def test_declared_feedthrough_is_not_tried():
    # Building evaluates nothing; only a sweep asks for outputs.
    cruise(Declared(), rm.chain(control=rm.Gain(0.1, input="error", output="throttle")))


class Block(PythonBlock):
    """``x' = u, y = the function``, with two of each port."""

    state, inputs, outputs = rm.space("a b"), rm.space("u v"), rm.space("y z")

    def __init__(self, y, z=lambda x, u: 0.0):
        self._y, self._z = y, z

    def point_map(self, x, u, theta):
        return u, [self._y(x, u), self._z(x, u)]


@pytest.mark.parametrize(
    ("y", "found"),
    [
        (lambda x, u: x[0] * x[1], set()),
        (lambda x, u: x[0] + u[1], {("v", "y")}),
        # Dependences whose derivative is zero, or that few points show.
        (lambda x, u: math.copysign(1.0, u[0]), {("u", "y")}),
        (lambda x, u: math.copysign(0.0, u[0]), set()),
        (lambda x, u: 0.0 if abs(u[0]) < 1e5 else u[0], {("u", "y")}),
        (lambda x, u: x[0] + max(0.0, u[1] - 1e8), set()),
        (lambda x, u: x[0] + float(np.maximum(u[1] - 1e8, 0.0)), {("v", "y")}),
        (lambda x, u: 1e-300 * u[0], {("u", "y")}),
        (lambda x, u: 0.0 * u[0] + x[0], {("u", "y")}),
        # Defined on one side only: amounts, square roots.
        (lambda x, u: math.sqrt(x[0]) + math.sqrt(x[1]), set()),
        (lambda x, u: math.log(u[0]), {("u", "y")}),
        # Defined nowhere that is tried: taken to depend on all.
        (lambda x, u: math.sqrt(-1.0 - x[0] ** 2), {(i, o) for i in "uv" for o in "yz"}),
    ],
)  # fmt: skip
def test_feedthrough_is_found_by_the_bits_of_the_outputs(y, found):
    assert Block(y).feedthrough == frozenset(found)


def test_what_the_trial_missed_is_refused_when_it_matters():
    """A dependence beyond 1e8 that Python's `max` hides: never a wrong value in silence."""
    hidden = Block(lambda x, u: x[0] + max(0.0, u[1] - 1e8), lambda x, u: u[0])
    graph = (
        rm.Wiring(block=hidden, gain=rm.Gain(2.0))
        .input("u", "block.u")
        .connect("block.y", "gain.u")
        .connect("gain.y", "block.v")
        .output("y", "block.y")
        .build()
    )
    assert graph.output(np.array([1e7, 0.0]), np.zeros(1), graph.theta) == [1e7]
    with pytest.raises(SignatureError, match=r"block: its outputs \['y'\] change with inputs"):
        graph.output(np.array([1e8, 0.0]), np.zeros(1), graph.theta)


def test_what_was_declared_wrongly_is_refused_when_it_matters():
    class Promising(Control):
        feedthrough = frozenset()

    graph = cruise(Vehicle(), Promising())
    with pytest.raises(SignatureError, match=r"control: its outputs \['throttle'\] change with"):
        graph.forward(np.array([10.0, 2.0]), np.array([20.0, 0.0]), graph.theta)


def test_an_algebraic_loop_names_every_port_of_its_path_and_how_to_declare():
    with pytest.raises(WiringError) as caught:
        (
            rm.Wiring(block=Block(lambda x, u: x[0] + u[1]), sum=rm.Sum("+-"), gain=rm.Gain(2.0))
            .input("u", "block.u")
            .input("r", "sum.u1")
            .connect("block.y", "gain.u")
            .connect("gain.y", "sum.u2")
            .connect("sum.y", "block.v")
            .build()
        )
    (fault,) = caught.value.faults
    path = fault.removeprefix("Algebraic loop: ").split(". Put")[0].split(" -> ")
    around = ["block.v", "block.y", "gain.u", "gain.y", "sum.u2", "sum.y"]
    start = around.index(path[0])
    assert path == [*around[start:], *around[:start], path[0]]
    assert "found by trial in 'block' (Block)" in fault
    assert "feedthrough = frozenset(" in fault


def test_a_loop_of_maps_that_can_be_read_says_nothing_of_trials():
    with pytest.raises(WiringError) as caught:
        rm.Wiring(a=rm.Gain(2.0), b=rm.Gain(0.5)).connect("a.y", "b.u").connect(
            "b.y", "a.u"
        ).build()
    assert "trial" not in caught.value.faults[0]


@pytest.mark.parametrize("declared", [{("throtle", "v")}, {("throttle", "y")}, {"throttle"}, 3])
def test_a_declaration_of_ports_that_do_not_exist_is_a_fault(declared):
    class Misspelt(Vehicle):
        feedthrough = declared

    with pytest.raises(WiringError, match=r"'plant': feedthrough: expected a set of pairs"):
        rm.Wiring(plant=Misspelt()).input("t", "plant.throttle").input("s", "plant.slope").build()


@pytest.mark.parametrize("time", [rm.Time.CONTINUOUS, rm.Time.DISCRETE])
def test_blocks_whose_feedthrough_is_found_keep_the_contract(time):
    class Smooth(rm.RiemannianModule):
        state, inputs, outputs = rm.space("x"), rm.space("u v"), rm.space("y z")
        parameters = {"w": 2.0}

        def forward(self, x, u, theta):
            batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])
            y = np.stack(np.broadcast_arrays(theta[..., 0] * x[..., 0], np.sin(u[..., 1])), -1)
            return np.broadcast_to(u[..., :1] - x, (*batch, 1)), np.broadcast_to(y, (*batch, 2))

        def jacobian(self, x, u, theta):
            batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])
            C, D, F = np.zeros((*batch, 2, 1)), np.zeros((*batch, 2, 2)), np.zeros((*batch, 2, 1))
            C[..., 0, 0], D[..., 1, 1], F[..., 0, 0] = theta[..., 0], np.cos(u[..., 1]), x[..., 0]
            A, B = np.full((*batch, 1, 1), -1.0), np.zeros((*batch, 1, 2))
            B[..., 0, 0] = 1.0
            return Jacobian(A, B, C, D, np.zeros((*batch, 1, 1)), F)

    Smooth.time = time
    assert Smooth().feedthrough == {("v", "z")}
    check_module(Smooth())
