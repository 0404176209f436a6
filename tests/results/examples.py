"""An example of every kind of result, one line each; a test fails for a kind that is missing."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

import riemannian_modules as rm
from riemannian_modules import certify, engine, plot
from riemannian_modules.arithmetic.expression import Expressions
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.claims import norms, wanted_norms
from riemannian_modules.engine.estimate import Estimate
from riemannian_modules.metrics import Factor, Metric
from riemannian_modules.modules.differential import Differential, Jacobian
from riemannian_modules.modules.enclosure import Enclosure
from riemannian_modules.modules.module import LocalMetric, Point, Signature
from riemannian_modules.modules.sampling_time import SamplingTime
from riemannian_modules.region import Ball, Linear
from riemannian_modules.spec.system import FitTask, Goal, Simulation, System
from tests.certify.branching_problems import Swirl
from tests.metrics.examples import FACTORS, METRICS, plain
from tests.modules.instances import INSTANCES, Instance, Layer, Pendulum, loop

PLACE = rm.box(q=(-1, 1), torque=(0, 0))
AT = {"q": 0.1, "v": -0.2}


class Reaction(rm.Flow):
    """``A <-> B`` with rates 1 and 2; the total is conserved."""

    state = rm.space(A="mM", B="mM")

    def equations(self, x, u, p):
        return {"A": 2 * x.B - x.A, "B": x.A - 2 * x.B}


class Ring(rm.Flow):
    """Two states that feed each other weakly."""

    state = rm.space("x y")

    def equations(self, x, u, p):
        return {"x": -x.x + 0.25 * np.tanh(x.y), "y": -2 * x.y + 0.25 * x.x}


@cache
def proof() -> certify.Proved:
    answer = certify.certify(Pendulum(), PLACE, norm=certify.l2(), rate=1.0)
    assert isinstance(answer, certify.Proved)
    return answer


@cache
def undecided() -> certify.Estimated:
    budget, place = certify.Budget(boxes=5, seconds=60.0), rm.box(x=(-1, 1.5), u=(0, 3))
    answer = certify.certify(Swirl(), place, norm=certify.l2(np.eye(2)), rate=0.5, budget=budget)
    assert isinstance(answer, certify.Estimated), answer
    return answer


def network() -> rm.ModuleGraph:
    node = Cell()
    wiring = rm.Wiring(a=node, b=Cell(k=2.0))
    return wiring.connect("a.y", "b.u").connect("b.y", "a.u").build()


class Cell(rm.Flow):
    """``q' = -k q + u / 4``."""

    state = rm.space("q")
    inputs = rm.space("u")
    outputs = rm.space("y")
    parameters = {"k": 1.0}

    def equations(self, x, u, p):
        return [-p.k * x.q + 0.25 * u.u], [x.q]


class Cusp(rm.Flow):
    """``x' = r + x - x^3``: three points at rest between two folds."""

    state = rm.space("x")
    parameters = {"r": 0.0}

    def equations(self, x, u, p):
        return {"x": p.r + x.x - x.x**3}


def open_loop() -> engine.LinearModel:
    return engine.linearize(rm.TransferFunction([1.0], [1.0, 0.4, 1.0]))


def branch() -> engine.Branch:
    return engine.continuation(Cusp(), "r", (-1.0, 1.0), [1.0])


def map_fit() -> engine.FitResult:
    module = rm.Affine(np.zeros((1, 2)), np.zeros(1))
    u = np.random.default_rng(0).standard_normal((9, 2))
    y = u @ [[2.0], [-1.0]] + 0.5 + 0.1 * np.sin(9.0 * u[:, :1])
    prior = {"W[0,1]": engine.NormalPrior(-1.0, 1.0)}
    return engine.fit(module, {"u": u, "y": y}, prior=prior, progress=engine.NoProgress())


@cache
def course_fit() -> engine.CourseFit:
    """``x' = -k x`` from 2, measured four times, k between two bounds."""
    decay = rm.Equations({"dx": "-k*x"}, state="x", parameters={"k": 0.4})
    t = np.array([0.5, 1.0, 2.0, 4.0])
    values = 2.0 * np.exp(-0.5 * t) + np.array([0.01, -0.02, 0.01, 0.0])
    once = engine.experiment({"x": (t, values, 0.02)}, x0={"x": 2.0})
    return engine.fit_trajectories(
        decay, once, bounds={"k": (0.1, 2.0)}, progress=engine.NoProgress()
    )


def map_plan() -> engine.SolvePlan:
    fitted = map_fit()
    return engine.Joint().plan(fitted.module, fitted.data)


def layerwise() -> engine.LayerwiseMetric:
    row = rm.chain(rm.Affine(np.eye(2)), rm.Tanh(2), rm.Affine(np.eye(2)))
    return engine.propagate(row, row.point(u=np.ones((3, 2))), 0.1, np.eye(2))


def at_point(module: rm.RiemannianModule) -> tuple[Any, Any, Any]:
    point = module.point(AT)
    return point.x, point.u, point.theta


def differential_of(instance: Instance) -> Differential:
    point = instance.module.point(*instance.around)
    return instance.module.differential(point.x, point.u, point.theta)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def nothing() -> Interval:
    return Interval.point(np.zeros(0))


def interval() -> Interval:
    return Interval(np.array([-1.0, 0.0]), np.array([1.0, 2.0]))


LOSSES = (
    engine.SquaredLoss, engine.BernoulliLoss, engine.CategoricalLoss, engine.GaussianLoss,
    engine.HuberLoss, engine.SoftL1Loss, engine.CauchyLoss, engine.StudentLoss,
)  # fmt: skip
PRIORS = (
    engine.NormalPrior(1.0, 0.2), engine.LogNormalPrior(2.0, 0.7), engine.UniformPrior(0.0, 1.0),
)  # fmt: skip

# One line a kind.
EXAMPLES: dict[type, Callable[[], Any]] = {
    certify.Proved: proof,
    certify.Estimated: undecided,
    certify.Refuted: lambda: certify.certify(rm.StateSpace([[1.0]], [[1.0]], [[1.0]]), rate=0.5),
    certify.Tried: lambda: certify.certify(loop()).tried[0],
    certify.Certificate: lambda: proof().certificate,
    certify.Trajectories: lambda: certify.prove_trajectories(
        certify.certify(Ring(), rm.box(x=(-1, 1), y=(-1, 1)))
    ),
    certify.Curve: lambda: certify.rate_against_condition(Ring(), None, [1.0, 4.0]),
    certify.NetworkBound: lambda: certify.network_bound(network(), -np.ones(2), np.ones(2)),
    certify.TableRow: lambda: certify.network_table(certify.certify_network(network()))[0],
    certify.LogNormBound: lambda: certify.LogNormBound(-0.1),
    certify.LipschitzBound: lambda: rm.Affine([[2.0]]).contraction_rate(),
    certify.ConservationLaw: lambda: certify.conservation_laws(Reaction())[0],
    certify.Symmetry: lambda: certify.symmetries(rm.Integrator(2))[0],
    certify.Horizontal: lambda: certify.across_laws(Reaction()),
    certify.SearchState: lambda: undecided().search,
    certify.SlopesForm: lambda: certify.implicit_layer([[0.5]], [[0.1]], [[1.0]]),
    certify.Progress: lambda: certify.Progress(3, 0.5, np.inf, 0.1, 2.0),
    certify.Budget: certify.Budget,
    plot.RateSlice: lambda: plot.proved_slice(proof(), ["q", "v"], seconds=0.2, boxes=4),
    plot.Link: lambda: plot.links_of(loop())[0],
    engine.Trajectory: lambda: engine.simulate(
        loop(), np.linspace(0, 1, 5), None, {"reference": 0.1}
    ),
    engine.SolverRun: lambda: engine.simulate(Pendulum(), [0.0, 1.0], [1.0, 0.0]).solver,
    engine.FitResult: map_fit,
    engine.CourseFit: course_fit,
    engine.CourseProblem: lambda: course_fit().problem,
    engine.CoursePrediction: lambda: course_fit().predict("x^2", [1.0, 3.0, 5.0]),
    engine.MultiStart: lambda: engine.multi_start(course_fit(), 2),
    engine.Information: lambda: course_fit().information,
    engine.Experiment: lambda: course_fit().problem.experiments[0],
    engine.Series: lambda: course_fit().problem.experiments[0].series[0],
    engine.Dose: lambda: engine.Dose(1.0, {"x": "amount"}),
    engine.SteadyState: lambda: engine.SteadyState("rest"),
    engine.Observable: lambda: engine.Observable("x", "factor", sigma=0.1),
    engine.Scale: engine.LogScale,
    engine.Noise: engine.NormalNoise,
    engine.FitProblem: lambda: map_fit().problem,
    engine.Profile: lambda: map_fit().profile("W[0,1]"),
    engine.Prediction: lambda: map_fit().predict([[0.0, 1.0], [1.0, 1.0]]),
    engine.Identifiability: lambda: map_fit().identifiability(),
    engine.OperatingPoint: lambda: engine.equilibrium(Pendulum()),
    engine.LinearModel: lambda: engine.linearize(Pendulum()),
    engine.StepResponse: lambda: open_loop().step_response(),
    engine.StepInfo: lambda: open_loop().step_info(),
    engine.FrequencyResponse: lambda: open_loop().bode(),
    engine.Margins: lambda: open_loop().margins(),
    engine.Nyquist: lambda: open_loop().nyquist(),
    engine.RootLocus: lambda: open_loop().root_locus(),
    engine.Gramians: lambda: open_loop().gramians(),
    engine.PeakGain: lambda: open_loop().h_infinity(),
    engine.Rank: lambda: open_loop().controllability(),
    engine.Feedback: lambda: open_loop().lqr(1.0, 1.0),
    engine.Estimator: lambda: open_loop().kalman(1.0, 1.0),
    engine.Equilibria: lambda: engine.equilibria(Cusp(), starts=20),
    engine.Branch: branch,
    engine.SpecialPoint: lambda: branch().special[0],
    engine.LayerwiseMetric: layerwise,
    engine.Dataset: lambda: map_fit().data,
    engine.Iteration: lambda: map_fit().history[0],
    engine.SolvePlan: map_plan,
    Estimate: lambda: map_fit().uncertainty,
    Metric: lambda: METRICS["joint over layers"](np.random.default_rng(0), plain)[0],
    Factor: lambda: FACTORS["joined"](np.random.default_rng(0), plain)[0],
    Jacobian: lambda: Pendulum().jacobian(*at_point(Pendulum())),
    Differential: lambda: Pendulum().differential(*at_point(Pendulum())),
    LocalMetric: lambda: Pendulum().local_metric(),
    Point: lambda: Pendulum().point(AT),
    Enclosure: lambda: rm.Tanh(2).enclose(nothing(), interval(), nothing()),
    Interval: interval,
    Expressions: lambda: Layer().expressions,
    rm.RiemannianModule: loop,
    System: lambda: System(loop(), "held", region=rm.box({"plant.q": (-1, 1)})),
    rm.Wiring: lambda: rm.Wiring(a=rm.Tanh(2)),
    type(rm.space("q").signals(np.ones(1))): lambda: rm.space("q v").signals(np.ones(2)),
    rm.Space: lambda: rm.space(q="rad", W=(2, 3)),
    rm.Port: lambda: rm.Port("W", (2, 3), "m"),
    SamplingTime: lambda: SamplingTime(0.2, "s"),
    Signature: lambda: Pendulum().signature,
    rm.Box: lambda: rm.box(q=(-1, np.inf)).linear({"q": 1.0, "v": 2.0}, upper=3.0),
    Linear: lambda: rm.box().linear({"q": 1.0}, upper=3.0).constraints[0],
    Ball: lambda: rm.ball({"q": 0, "v": 0}, 1.0, np.eye(2)).constraints[0],
    Goal: lambda: Goal(rate=0.5),
    Simulation: lambda: Simulation(
        2.0, 5, {"q": 1.0}, {"u": engine.held_table([0.0], [1.0]), "w": "sin(t)"},
        (engine.stop("q - 2", name="far"),), atol={"q": 1e-9},
    ),
    FitTask: lambda: FitTask(
        "readings.csv", bounds={"k": (0.0, np.inf)}, sigma={"y": "error"}, fixed={"n": None},
        prior={"k": "normal:1,0.2"},
    ),
    norms.L1: lambda: certify.l1([1.0, 2.0]),
    norms.L2: lambda: certify.l2(np.eye(2)),
    norms.LInf: lambda: certify.linf([1.0, 2.0]),
    wanted_norms.FreeL1: certify.l1,
    wanted_norms.FreeL2: certify.l2,
    wanted_norms.FreeLInf: certify.linf,
    wanted_norms.FreePolynomialL2: lambda: certify.l2(degree=2),
    wanted_norms.FreeLearnedL2: certify.learned_l2,
    wanted_norms.WrittenL2: lambda: certify.l2(metric_of),
    wanted_norms.WrittenFactor: lambda: certify.coordinates(metric_of),
    engine.HeldTable: lambda: engine.held_table([0.0, 1.0], [2.0, 3.0]),
    engine.Event: lambda: engine.event("h", direction=-1, reset={"v": "-0.9 * v"}),
    engine.Jumping: lambda: engine.jumping(np.sign, [0.0]),
    engine.Occurrence: lambda: engine.Occurrence("dose", 1.5, np.zeros(2), np.ones(2)),
    engine.RunEnds: lambda: engine.RunEnds(
        np.array([1.0, 2.0]), np.zeros((2, 3)), np.ones((2, 1)), np.zeros((2, 0))
    ),
    engine.LinearTable: lambda: engine.linear_table([0.0, 1.0], [2.0, 3.0]),
    engine.Loss: engine.PoissonLoss,
    engine.Coupling: engine.Joint,
    engine.Schedule: lambda: engine.FullBatch(3),
    engine.Progress: engine.NoProgress,
    engine.Prior: lambda: engine.LaplacePrior(0.0, 2.0),
    engine.Tolerances: lambda: engine.Tolerances(loss=1e-6),
}  # fmt: skip

# Every final type of a family is an example too.
FAMILIES: dict[str, Callable[[], Any]] = {
    **{f"metric: {n}": lambda m=m: m(rng(), plain)[0] for n, m in METRICS.items()},
    **{f"factor: {n}": lambda f=f: f(rng(), plain)[0] for n, f in FACTORS.items()},
    **{f"module: {n}": lambda i=i: i.module for n, i in INSTANCES.items()},
    "differential: staged": Pendulum().output_then_differential(*at_point(Pendulum()))[1],
    **{f"differential: {n}": lambda i=i: differential_of(i) for n, i in INSTANCES.items()},
    **{loss.__name__: loss for loss in LOSSES},
    **{t.__name__: t for t in (engine.LinearScale, engine.Log10Scale, engine.LaplaceNoise)},
    **{type(prior).__name__: lambda p=prior: p for prior in PRIORS},
    "MiniBatches": lambda: engine.MiniBatches(4),
    "Layerwise": engine.Layerwise,
    "TerminalProgress": engine.TerminalProgress,
}  # fmt: skip


def metric_of(x: Any) -> Any:
    """A metric, or coordinates, as a function of the point."""
    return [[1.0, x[0]], [0.0, 1.0]]
