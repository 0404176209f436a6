"""Engines of integration at equal error: `simulate` beside CVODE, CasADi and SciPy by hand.

Each engine runs at the loosest tolerance, of two a decade from twenty times the error on, at which
it is within the error asked for: 1e-5 or 1e-8 of each state's largest value at five times. The
reference has rtol 1e-12. SciPy's solvers and CVODE get our compiled derivative and exact Jacobian,
CasADi the same equations as its own symbols. Times are the processor's. What is done once, tracing
or CasADi's symbols and code, is told apart, as ``first_s``. An engine that is not installed is told
and left out.
"""

import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.integrate import Radau, solve_ivp

from benchmarks.engine_cases import EngineCase, engine_cases
from benchmarks.timing import paired_times
from riemannian_modules.engine import simulate
from riemannian_modules.engine.vector_field import vector_field
from riemannian_modules.errors import RiemannianError
from riemannian_modules.integration.cvode import cvode

REPEATS = 3
ERRORS = (1e-5, 1e-8)
TOLERANCES = 10.0 ** -np.arange(4.0, 12.5, 0.5)
REFERENCE = 1e-12
SMALL = 50  # states up to which the reference is Radau's, and LSODA by hand is asked, beyond BDF
LOOSEST = 20.0  # times the error, beyond which no tolerance is tried
SHARE = 1e-2  # of rtol times the least amount that matters: the absolute tolerance

Run = Callable[[float], np.ndarray]
Found = tuple[float, float] | None  # a relative tolerance, and the error at it


def times_of(case: EngineCase) -> np.ndarray:
    return np.linspace(0.0, case.end, 6)


def by_simulate(method: Any = None) -> Callable[[EngineCase], Run]:
    def prepare(case: EngineCase) -> Run:
        def run(rtol: float) -> np.ndarray:
            atol = SHARE * rtol * case.least
            found = simulate(
                case.flow, times_of(case), case.start, rtol=rtol, atol=atol, method=method
            )
            return found.states

        run(1e-3)
        return run

    return prepare


def by_scipy(method: str) -> Callable[[EngineCase], Run]:
    def prepare(case: EngineCase) -> Run:
        field = vector_field(case.flow, case.flow.theta)
        problem = field.problem(lambda t: [], case.start)

        def run(rtol: float) -> np.ndarray:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = solve_ivp(
                    problem.rate, (0.0, case.end), case.start, method, times_of(case),
                    jac=problem.matrix, rtol=rtol, atol=SHARE * rtol * case.least,
                )  # fmt: skip
            return found.y.T

        run(1e-3)
        return run

    return prepare


def by_casadi(case: EngineCase) -> Run:
    """CasADi's interface to CVODES, with its symbols, derivatives and sparse linear solver."""
    import casadi

    casadi.GlobalOptions.setNumpyMode(-1)
    x = casadi.SX.sym("x", len(case.start))
    space = case.flow.signature.state
    parts = {
        port.name: (
            np.array([x[k] for k in range(*place.indices(x.numel()))]).reshape(port.shape)
            if port.shape
            else x[place.start]
        )
        for port, place in zip(space.ports, space.slices, strict=True)
    }
    found = case.flow.equations(SimpleNamespace(**parts), SimpleNamespace(), SimpleNamespace())
    entries = [np.ravel(np.array(found[name], dtype=object)) for name in space.names]
    ode = casadi.vertcat(*np.concatenate(entries).tolist())

    def engine(rtol: float) -> Any:
        options = {
            "reltol": rtol, "abstol": SHARE * rtol * case.least, "max_num_steps": 10**7,
        }  # fmt: skip
        problem = {"x": x, "ode": ode}
        return casadi.integrator("F", "cvodes", problem, 0.0, times_of(case)[1:].tolist(), options)

    engines: dict[float, Any] = {}

    def run(rtol: float) -> np.ndarray:
        if rtol not in engines:
            engines[rtol] = engine(rtol)
        ends = np.array(engines[rtol](x0=case.start)["xf"])
        return np.vstack([case.start, ends.T])

    run(1e-3)
    return run


def engines() -> dict[str, Callable[[EngineCase], Run]]:
    """Those that are installed, by name, beside `simulate` as it is."""
    found = {"LSODA by hand": by_scipy("LSODA"), "BDF by hand": by_scipy("BDF")}
    if find_spec("sksundae") is not None:
        found["CVODE"] = by_simulate(cvode())
    if find_spec("casadi") is not None:
        found["CasADi"] = by_casadi
    return found


def loosest(run: Run, exact: np.ndarray, error: float) -> Found:
    """The loosest tolerance that is within an error, and its error; None if none is."""
    scale = np.abs(exact).max(0)
    scale[scale == 0.0] = 1.0
    for rtol in (r for r in TOLERANCES.tolist() if r < LOOSEST * error):
        try:
            states = run(rtol)
        except (RiemannianError, RuntimeError):
            continue
        if states.shape == exact.shape and (
            (reached := float((np.abs(states - exact) / scale).max())) <= error
        ):
            return rtol, reached
    return None


def row(title: str, ours: Run, theirs: Run, mine: Found, other: Found) -> dict[str, object]:
    """Both at the tolerances and errors that were found."""
    if mine is None or other is None:
        return {"name": title, "failed": f"{'simulate' if mine is None else 'it'} is not so exact"}
    times = paired_times(
        lambda: ours(mine[0]), lambda: theirs(other[0]), REPEATS, time.process_time
    )
    return times.row(title) | {
        "our_error": mine[1], "reference_error": other[1],
        "our_rtol": mine[0], "reference_rtol": other[0],
    }  # fmt: skip


def rows_of(case: EngineCase) -> list[dict[str, object]]:
    is_small = len(case.start) <= SMALL
    exact = by_simulate(Radau if is_small else None)(case)(REFERENCE)
    ours = by_simulate()(case)
    mine = {error: loosest(ours, exact, error) for error in ERRORS}
    rows: list[dict[str, object]] = []
    for name, prepare in engines().items():
        if name == ("BDF by hand" if is_small else "LSODA by hand"):
            continue
        begin = time.process_time()
        theirs = prepare(case)
        first = {"first_s": time.process_time() - begin}
        for error in ERRORS:
            title = f"{case.name}, error {error:g}, {name}"
            rows.append(
                row(title, ours, theirs, mine[error], loosest(theirs, exact, error)) | first
            )
    return rows


def run() -> dict[str, object]:
    missing = {"CVODE", "CasADi"} - set(engines())
    rows = [{"name": name, "failed": "not installed"} for name in sorted(missing)]
    return {"rows": rows + [row for case in engine_cases() for row in rows_of(case)]}
