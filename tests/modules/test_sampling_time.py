"""The sampling time is part of a discrete module: what does not step together is refused by name,
or resampled when asked."""

import json

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import certify, certify_network, certify_slopes, linf
from riemannian_modules.engine import linearize, simulate
from riemannian_modules.errors import DomainError, SignatureError, WiringError
from riemannian_modules.plot import envelope
from riemannian_modules.region import box
from riemannian_modules.spec import System, load_system, save_system
from riemannian_modules.spec.read import system_from_data
from riemannian_modules.spec.write import system_to_data
from tests.cli.commands import run

EYE = np.eye(1)


def lag(step=None, pole=0.5):
    return rm.DiscreteStateSpace([[pole]], [[1.0]], [[1.0]], sampling_time=step)


class Sampled(rm.StepMap):
    """A controller that is sampled five times a second."""

    state, inputs, outputs = rm.space("z"), rm.space("u"), rm.space("y")
    parameters = {"k": 0.3}
    sampling_time = (0.2, "s")

    def equations(self, x, u, p):
        return {"z": np.tanh(p.k * x.z + u.u)}, {"y": x.z}


def step_of(module):
    return module.signature.sampling_time


@pytest.mark.parametrize(
    "make",
    [
        lag,
        lambda h: rm.UnitDelay(sampling_time=h),
        lambda h: rm.DiscreteObserver(EYE, EYE, EYE, EYE, sampling_time=h),
        lambda h: Sampled(sampling_time=h),
    ],
)
def test_every_discrete_module_states_its_sampling_time(make):
    for given in (0.2, (0.2, "s")):
        module = make(given)
        assert step_of(module).argument == given
        assert step_of(module.with_parameters(module.theta)) == step_of(module)
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(DomainError, match="sampling_time"):
            make(wrong)
    for wrong in ("0.2", (0.2, "s", 1), True, (0.2, 3)):
        with pytest.raises(SignatureError, match="sampling_time"):
            make(wrong)


def test_a_class_states_its_sampling_time_and_an_object_another():
    assert str(step_of(Sampled())) == "0.2 s"
    assert str(step_of(Sampled(sampling_time=0.1, k=0.2))) == "0.1"
    assert step_of(rm.UnitDelay()) is None


@pytest.mark.parametrize("kind", [rm.Flow, rm.StaticMap])
def test_what_takes_no_steps_has_no_sampling_time(kind):
    class Timed(kind):
        state = rm.space("z") if kind is rm.Flow else rm.space()
        inputs, outputs = rm.space("u"), rm.space("y")
        sampling_time = 0.2

        def equations(self, x, u, p):
            return {"z": -x.z} if kind is rm.Flow else {}, {"y": u.u}

        def map(self, u, p):
            return {"y": u.u}

    with pytest.raises(SignatureError, match="discrete time"):
        Timed().signature  # noqa: B018


@pytest.mark.parametrize(
    "compose",
    [
        lambda a, b: rm.chain(slow=a, fast=b),
        lambda a, b: rm.chain(slow=a, between=rm.Tanh(1), delay=rm.UnitDelay(1), fast=b),
        lambda a, b: rm.Wiring(slow=a, fast=b).input("u", "slow.u", "fast.u").build(),
    ],
)
def test_modules_that_step_at_different_times_are_refused_with_both_names(compose):
    with pytest.raises(WiringError) as caught:
        compose(lag((0.2, "s")), lag((0.01, "s")))
    (fault,) = caught.value.faults
    assert "'slow' takes a step every 0.2 s and 'fast' every 0.01 s" in fault
    assert "Resampled(fast, (0.2, 's'))" in fault
    assert "20 of its steps" in fault


def test_each_other_sampling_time_of_a_composite_is_one_fault_with_its_mend():
    nested = rm.chain(a=lag(0.3), b=rm.Tanh(1))
    wiring = rm.Wiring(slow=lag(0.9), inner=nested, odd=lag(0.4), again=lag(0.4), any=lag())
    for name in ("slow.u", "odd.u", "again.u", "any.u", "inner.u"):
        wiring.input(name.replace(".", "_"), name)
    with pytest.raises(WiringError) as caught:
        wiring.build()
    first, second = caught.value.faults
    assert "Resampled(inner.a, 0.9)" in first
    assert "'odd' every 0.4" in second
    assert "no whole multiple" in second


def test_units_of_sampling_times_have_to_agree_and_are_not_converted():
    with pytest.raises(WiringError, match="nothing is converted"):
        rm.chain(lag((0.2, "s")), lag((0.2, "min")))
    with pytest.raises(WiringError, match="nothing is converted"):
        rm.chain(lag(0.2), lag((0.2, "s")), lag((0.2, "min")))
    assert str(step_of(rm.chain(lag(0.2), lag((0.2, "s"))))) == "0.2 s"


def test_a_module_without_a_sampling_time_takes_that_of_its_composite():
    composite = lag() >> rm.Tanh(1) >> lag((0.2, "s")) >> rm.UnitDelay(1)
    assert str(step_of(composite)) == "0.2 s"
    assert step_of(composite.with_parameters(composite.theta)) == step_of(composite)
    assert step_of(lag() >> lag()) is None
    # 0.1 + 0.2 is no 0.3 in floats; who writes it means 0.3.
    assert step_of(lag(0.1 + 0.2) >> lag(0.3)).fits(step_of(lag(0.3)))
    with pytest.raises(WiringError):
        composite >> lag(0.1)
    with pytest.raises(WiringError, match=r"'inner\.discretestatespace"):
        rm.Wiring(inner=composite, b=lag(0.1)).input("u", "inner.u", "b.u").build()


@pytest.mark.parametrize("count", [1, 3, 20])
def test_resampling_is_the_fast_simulation_seen_at_the_slow_times(count):
    """Inputs held over each slow step; outputs are those at its beginning."""
    rng = np.random.default_rng(count)
    fast = rm.chain(
        a=rm.Affine([[0.7]]), s=Sampled(sampling_time=0.1, k=0.9), d=lag(0.1, 0.8), out=rm.Tanh(1)
    )
    slow = rm.Resampled(fast, 0.1 * count)
    held = rng.standard_normal(6)
    x, theta = rng.standard_normal(2), fast.theta
    states, outputs = [x], []
    for value in held:
        outputs.append(fast.output(x, np.array([value]), theta))
        for _ in range(count):
            x = fast.forward(x, np.array([value]), theta)[0]
        states.append(x)
    times = np.arange(7) * 0.1 * count
    got = simulate(slow, times, states[0], {"u": (times, np.append(held, 0.0))})
    # A pair (times, values) is joined by lines; a step sees what it is at its beginning.
    np.testing.assert_allclose(got.states, states, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(got.outputs[:-1], outputs, rtol=1e-12, atol=1e-14)
    assert slow.feedthrough == fast.feedthrough


def test_a_resampled_module_steps_with_the_slow_one():
    both = rm.chain(slow=lag((0.2, "s")), fast=rm.Resampled(lag((0.01, "s")), (0.2, "s")))
    assert str(step_of(both)) == "0.2 s"
    expected = [[0.5, 0.0], [2 * (1 - 0.5**20), 0.5**20]]
    np.testing.assert_allclose(linearize(both).A, expected, rtol=1e-14)


def test_a_proof_about_a_resampled_module_is_that_of_its_power():
    # The trace of all steps is one linear map, so the factor is the power itself.
    answer = certify(rm.Resampled(lag(0.5), 1.5), factor=0.125)
    assert type(answer).__name__ == "Proved"
    assert answer.bound.factor == 0.125


@pytest.mark.parametrize(
    ("module", "longer"),
    [(lag(), 0.2), (lag(0.2), 0.1), (lag(0.2), 0.5), (lag((0.2, "s")), (0.4, "min")),
     (rm.Lag(1.0), 0.2), (rm.Tanh(1), 0.2), (lag(0.2), None)],
)  # fmt: skip
def test_what_cannot_be_resampled_is_refused(module, longer):
    with pytest.raises(SignatureError, match="Resampled"):
        rm.Resampled(module, longer)


@pytest.mark.parametrize(
    "module",
    [
        Sampled(),
        lag((0.2, "s")),
        rm.chain(rm.Tanh(1), lag(0.5), rm.UnitDelay(1)),
        rm.Resampled(rm.chain(Sampled(), rm.UnitDelay(1)), (0.6, "s")),
        rm.chain(a=rm.Resampled(lag(0.1), 0.5), b=lag(0.5)),
    ],
)
def test_files_hold_the_sampling_time(module, tmp_path):
    save_system(module, tmp_path / "m.json")
    read = load_system(tmp_path / "m.json").module
    assert step_of(read) == step_of(module)
    # A traced module reads back as its expressions, and is written the same from then on.
    again = system_from_data(json.loads(json.dumps(system_to_data(System(read))))).module
    assert again.signature == read.signature


def test_simulated_times_are_those_of_the_steps():
    module = lag((0.2, "s"))
    got = simulate(module, 0.2 * np.arange(1001) + 7.0, [1.0])
    np.testing.assert_allclose(got.states[:, 0], 0.5 ** np.arange(1001))
    for wrong in ([0.0, 1.0, 2.0], [0.0, 0.2, 0.6], [0.0, 0.2 + 1e-6]):
        with pytest.raises(DomainError, match=r"0\.2 s.*0\.2 \* np\.arange"):
            simulate(module, wrong, [1.0])


def test_the_command_line_steps_until_the_time_that_is_asked_for(tmp_path):
    save_system(lag((0.2, "s")), tmp_path / "m.json")
    out = tmp_path / "out"
    result = run("simulate", tmp_path / "m.json", "--t-end", "0.6", "--out", out)
    assert result.exit_code == 0, result.output
    times = np.loadtxt(out / "trajectory.csv", delimiter=",", skiprows=1)[:, 0]
    np.testing.assert_allclose(times, [0.0, 0.2, 0.4, 0.6])


def test_a_proof_says_how_long_a_step_is():
    region = box(z=(-1, 1))
    assert "at each step of 0.2 s" in str(certify(Sampled(), region))
    assert "at each step," in str(certify(lag()))
    for answer in (certify_network(lag((0.2, "s"))), certify_slopes(lag(0.5), norm=linf())):
        assert "at each step of 0." in str(answer)


def test_the_proved_curve_falls_by_the_factor_at_each_step_whatever_its_length():
    module = lag(0.25)
    answer = certify(module)
    figure = envelope(module, answer, [[1.0], [-1.0]], 0.25 * np.arange(9))
    curve = figure.axes[0].lines[0]
    np.testing.assert_allclose(curve.get_ydata(), answer.bound.factor ** np.arange(9))
    assert figure.axes[0].get_xlabel() == "time"
