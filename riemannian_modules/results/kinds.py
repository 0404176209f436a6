"""The table of results: every kind that the library returns, one line each.

How it is kept in a file, and how it is drawn. A kind that is missing here fails a test, which finds
all kinds by inspection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, final

from riemannian_modules import certify, engine, plot
from riemannian_modules.arithmetic.expression import Expressions
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.claims.norms import L1, L2, FactorL2, FieldL2, LInf
from riemannian_modules.claims.wanted_norms import (
    FreeL1,
    FreeL2,
    FreeLearnedL2,
    FreeLInf,
    FreePolynomialL2,
    WrittenFactor,
    WrittenL2,
)
from riemannian_modules.engine.descend import Descent
from riemannian_modules.engine.estimate import Estimate
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.graph import ModuleGraph, Wiring
from riemannian_modules.metrics import Factor, Metric
from riemannian_modules.modules.differential import Differential, Jacobian
from riemannian_modules.modules.enclosure import Enclosure
from riemannian_modules.modules.module import LocalMetric, Point, RiemannianModule, Signature
from riemannian_modules.modules.sampling_time import SamplingTime
from riemannian_modules.region import Ball, Box, Linear
from riemannian_modules.results.keep import Fields, Keep, NotKept, Own
from riemannian_modules.results.proofs import (
    certificate_from_data,
    curve_from_data,
    curve_to_data,
    proof_from_saved,
    proof_to_data,
    trajectories_from_data,
)
from riemannian_modules.search.boxes.search_state import search_from_data
from riemannian_modules.spaces import Port, Signals, Space
from riemannian_modules.spec.read import system_from_data
from riemannian_modules.spec.system import FitTask, Goal, Simulation, System
from riemannian_modules.spec.write import system_to_data

Draw = Callable[[Any], Any]  # a result as a Matplotlib figure


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """How results of a type are kept, and how they are drawn, or why they are not."""

    type: type
    keep: Keep
    draw: Draw


def not_drawn(reason: str) -> Draw:
    """Refuse a picture: why, and what to use instead."""

    def refuse(result: Any) -> Any:
        raise UnsupportedError(f"draw_result: a {type(result).__name__} has no picture: {reason}")

    return refuse


def _drawn_module(module: RiemannianModule) -> Any:
    if isinstance(module, ModuleGraph):
        return plot.graph_figure(module)
    raise UnsupportedError(
        f"draw_result: a {type(module).__name__} has no picture: it is one module without wires. "
        "Draw a composite, or a trajectory of it."
    )


FOUND_AGAIN = "it takes no time to find again, and nobody could prove it from a file"
CLAIMED = "it is a claim without a certificate"
NUMBERS = not_drawn("its numbers say all; print it.")
SETTING = not_drawn("it is a setting, not a result; draw what is computed with it.")
PLAIN_SETTING = (Fields(), SETTING)
BY_TYPE: tuple[Kind, ...] = (
    # What is proved, estimated, refuted.
    Kind(
        certify.Proved, Own(proof_to_data, proof_from_saved), plot.bound_curve
    ),
    Kind(certify.Estimated, Fields(less=("tried",)), plot.undecided_boxes),
    Kind(
        certify.Refuted,
        NotKept("it has no certificate; keep its `witness`, at which `certify` refutes again."),
        not_drawn("it is one point; print it, or simulate from its `witness`."),
    ),
    Kind(certify.Tried, NotKept(f"{CLAIMED}; save the answer's certificate."), NUMBERS),
    Kind(
        certify.Certificate, Own(lambda c: dict(c.data), certificate_from_data),
        not_drawn("it is a claim; `verify` proves it, and its answer is drawn."),
    ),
    Kind(
        certify.Trajectories, Own(lambda t: dict(t.certificate.data), trajectories_from_data),
        not_drawn("it is a ball; draw trajectories in it with draw_envelope."),
    ),
    Kind(certify.Curve, Own(curve_to_data, curve_from_data), plot.rate_against_conditioning),
    Kind(
        certify.NetworkBound, NotKept(f"{CLAIMED}; save the answer of certify_network."),
        not_drawn("it needs the modules' wiring: network_graph(graph, bound) draws both."),
    ),
    Kind(certify.TableRow, NotKept("network_table reads it from the certificate."), NUMBERS),
    Kind(certify.LogNormBound, Fields(), NUMBERS),
    Kind(certify.LipschitzBound, Fields(), NUMBERS),
    Kind(certify.ConservationLaw, NotKept(f"{FOUND_AGAIN}; use conservation_laws."), NUMBERS),
    Kind(certify.Symmetry, NotKept(f"{FOUND_AGAIN}; use symmetries."), NUMBERS),
    Kind(certify.Horizontal, NotKept(f"{FOUND_AGAIN}; use quotient."), NUMBERS),
    Kind(
        certify.SearchState, Own(lambda s: s.to_data(), search_from_data),
        not_drawn("it is a search; draw the open boxes of its answer with undecided_boxes."),
    ),
    Kind(certify.SlopesForm, Fields(), NUMBERS),
    Kind(certify.Progress, Fields(), NUMBERS),
    Kind(plot.RateSlice, NotKept(f"{CLAIMED}; proved_slice proves it again."), plot.rate_slices),
    Kind(plot.Link, Fields(), not_drawn("it is one wire; draw the composite.")),
    # What is computed.
    Kind(engine.Trajectory, Fields(), lambda t: t.plot()),
    Kind(engine.SolverRun, Fields(), NUMBERS),
    Kind(engine.FitResult, Fields(), lambda f: f.plot()),
    *(Kind(t, Fields(), lambda f: f.plot()) for t in (engine.CourseFit, engine.CoursePrediction)),
    Kind(engine.MultiStart, Fields(), lambda f: f.plot()),
    Kind(engine.Information, Fields(), NUMBERS),
    *(
        Kind(t, Fields(), not_drawn("it is data; draw a fit of it with `CourseFit.plot`."))
        for t in (engine.CourseProblem, engine.Experiment, engine.Series)
    ),
    Kind(engine.FitProblem, Fields(), not_drawn("it is what a fit minimises; draw the fit.")),
    Kind(engine.Profile, Fields(), lambda p: p.plot()),
    Kind(engine.Prediction, Fields(), lambda p: p.plot()),
    Kind(engine.Identifiability, Fields(), lambda i: i.plot()),
    Kind(engine.Occurrence, Fields(), not_drawn("draw its trajectory, which marks it.")),
    Kind(engine.RunEnds, Fields(), not_drawn("draw its trajectory, whose lines stop there.")),
    Kind(engine.OperatingPoint, Fields(), NUMBERS),
    Kind(engine.LinearModel, Fields(), plot.linear_model_figure),
    Kind(engine.StepResponse, Fields(), plot.step_response_figure),
    Kind(engine.StepInfo, Fields(), not_drawn("draw the model's step_response().")),
    Kind(engine.FrequencyResponse, Fields(), plot.bode_figure),
    Kind(engine.Margins, Fields(), not_drawn("loop_figure(model) draws them into the Bode plot.")),
    Kind(engine.Nyquist, Fields(), plot.nyquist_figure),
    Kind(engine.RootLocus, Fields(), plot.root_locus_figure),
    *(Kind(t, Fields(), NUMBERS) for t in (engine.Gramians, engine.PeakGain, engine.Rank)),
    *(Kind(t, Fields(), not_drawn("draw the loop that is closed with its module.")) for t in (
        engine.Feedback, engine.Estimator,
    )),
    Kind(engine.Equilibria, Fields(), NUMBERS),
    Kind(engine.Branch, Fields(), plot.branch_figure),
    Kind(engine.SpecialPoint, Fields(), not_drawn("draw the branch that it lies on.")),
    Kind(engine.LayerwiseMetric, Fields(), NUMBERS),
    Kind(engine.Dataset, Fields(), not_drawn("its names are the module's: draw a fit of it.")),
    Kind(engine.SolvePlan, Fields(), not_drawn("it is one choice; print it.")),
    Kind(engine.Iteration, Fields(), not_drawn("it is one line; draw the fit.")),
    Kind(Estimate, Fields(), NUMBERS),
    Kind(Descent, NotKept("it is a step of a fit; save the fit's result."), NUMBERS),
    Kind(Metric, Fields(), plot.metric_figure),
    Kind(Factor, Fields(), NUMBERS),
    Kind(Jacobian, Fields(), NUMBERS),
    Kind(Differential, NotKept("it is code at a point; ask the module for it again."), NUMBERS),
    Kind(LocalMetric, Fields(), NUMBERS),
    Kind(Point, Fields(), NUMBERS),
    Kind(Enclosure, NotKept(f"{CLAIMED}; ask the module to enclose again."), NUMBERS),
    Kind(Interval, NotKept(f"{CLAIMED}; compute it again."), NUMBERS),
    Kind(Expressions, NotKept("save the module itself: save_system(module, path)."), NUMBERS),
    # What is described.
    Kind(
        RiemannianModule,
        Own(lambda m: system_to_data(System(m)), lambda d: system_from_data(d).module),
        _drawn_module,
    ),
    Kind(System, Own(system_to_data, system_from_data), lambda s: _drawn_module(s.module)),
    Kind(
        Wiring, NotKept("build() the composite and save that."),
        not_drawn("build() the composite and draw that."),
    ),
    Kind(Signals, NotKept("its vector is what counts; save that."), NUMBERS),
    *(Kind(t, Fields(), NUMBERS) for t in (Space, Port, Signature, Box, Linear, Ball)),
    # What is asked for.
    *(Kind(t, *PLAIN_SETTING) for t in (certify.Budget, Goal, Simulation, FitTask)),
    Kind(SamplingTime, *PLAIN_SETTING),
    *(Kind(t, *PLAIN_SETTING) for t in (L1, L2, LInf, FreeL1, FreeL2, FreeLInf)),
    *(Kind(t, *PLAIN_SETTING) for t in (FreePolynomialL2, FreeLearnedL2)),
    *(
        Kind(t, NotKept("it is a function; the certificate holds it in exact terms."), SETTING)
        for t in (WrittenL2, WrittenFactor, FieldL2, FactorL2)
    ),
    *(Kind(t, *PLAIN_SETTING) for t in (engine.HeldTable, engine.LinearTable, engine.Loss)),
    *(Kind(t, *PLAIN_SETTING) for t in (engine.Dose, engine.SteadyState, engine.Observable)),
    *(Kind(t, *PLAIN_SETTING) for t in (engine.Scale, engine.Noise)),
    Kind(engine.Event, *PLAIN_SETTING),
    Kind(engine.Jumping, NotKept("it is a function of time; write its call down."), SETTING),
    Kind(engine.MiniBatches, NotKept("it draws random numbers; write its call down."), SETTING),
    *(Kind(t, *PLAIN_SETTING) for t in (engine.Coupling, engine.Schedule, engine.Progress)),
    *(Kind(t, *PLAIN_SETTING) for t in (engine.Prior, engine.Tolerances)),
)  # fmt: skip


@cache
def _table() -> dict[type, Kind]:
    return {kind.type: kind for kind in BY_TYPE}


def kind_of(result: object) -> Kind | None:
    """The kind of a result: that of its type, or of the first type that it inherits from."""
    return kind_of_type(type(result))


def kind_of_type(given: type) -> Kind | None:
    """The kind of results of a type."""
    return next((_table()[part] for part in given.__mro__ if part in _table()), None)
