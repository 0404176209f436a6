"""Batches with events are their runs one by one, each up to an end of its own."""

import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings

import riemannian_modules as rm
from riemannian_modules.engine import at_times, event, read_trajectory, simulate, stop
from riemannian_modules.errors import DomainError
from riemannian_modules.results import load_result, save_result
from tests.strategies import rngs

TIMES = np.linspace(0.0, 1.0, 11)


class Fall(rm.Flow):
    """A fall against a wind, with the energy as output."""

    state, inputs, outputs = rm.space("h v"), rm.space("wind"), rm.space("e")
    parameters = {"g": 9.81}

    def equations(self, x, u, p):
        return {"h": x.v, "v": u.wind - p.g}, {"e": x.h * p.g + x.v**2 / 2}


EVENTS = (
    stop("h", direction=-1, reset={"v": "0"}, name="ground"),
    event("v + 1"),
    at_times([0.25], {"v": "v - 1"}),
)
HEIGHTS = np.array([0.1, 1.0, 20.0])


def falls(**options):
    starts = np.stack([HEIGHTS, np.zeros(3)], 1)
    winds = {"wind": np.array([0.5, 0.0, 1.0])}
    return simulate(Fall(), TIMES, starts, winds, events=EVENTS, **options)


@given(rngs)
@settings(max_examples=10, deadline=None)
def test_each_run_is_what_it_is_alone(rng):
    starts, winds = rng.uniform(0.05, 8.0, (2, 3, 2)), rng.uniform(-1.0, 1.0, 3)
    gravities = rng.uniform(5.0, 15.0, (2, 1))
    many = simulate(Fall(), TIMES, starts, {"wind": winds}, {"g": gravities}, events=EVENTS)
    assert many.batch == (2, 3)
    for i, j in np.ndindex(2, 3):
        alone = simulate(
            Fall(), TIMES, starts[i, j], {"wind": winds[j]}, {"g": gravities[i, 0]}, events=EVENTS
        )
        one = many.run(i, j)
        for name in ("times", "states", "inputs", "outputs"):
            assert np.array_equal(getattr(one, name), getattr(alone, name))
        assert [(e.name, e.time) for e in one.events] == [(e.name, e.time) for e in alone.events]
        assert np.array_equal(many.final_state[i, j], alone.final_state)


def test_each_run_ends_at_a_time_of_its_own():
    run = falls()
    assert run.ends is not None
    assert run.ends.times[0] == pytest.approx(np.sqrt(2 * 0.1 / 9.31), rel=1e-9)
    assert run.ends.times[2] == 1.0
    over = run.ends.times[:, None] < TIMES
    for values in (run.states, run.outputs):
        assert np.array_equal(np.isnan(values).all(-1), over)
        assert np.array_equal(np.isnan(values).any(-1), over)
    assert np.isfinite(run.inputs).all()
    assert [[e.name for e in events] for events in run.events_of_runs] == [
        ["v + 1", "ground"], ["v + 1", "dose", "ground"], ["v + 1", "dose"],
    ]  # fmt: skip
    said = str(run)
    assert "2 of 3 runs" in said
    assert f"{run.ends.times[0]:.6g}" in said
    assert "7 events" in said


def test_a_batch_that_no_event_ends_has_no_ends():
    run = simulate(Fall(), TIMES, [[50.0, 0.0], [60.0, 0.0]], events=[EVENTS[0]])
    assert run.ends is None
    assert np.isfinite(run.states).all()
    assert run.events_of_runs == ((), ())


def test_an_executor_gives_the_same():
    with ProcessPoolExecutor(2) as pool:
        spread = falls(executor=pool)
    here = falls()
    assert np.array_equal(spread.states, here.states, equal_nan=True)
    assert np.array_equal(spread.ends.times, here.ends.times)
    assert [len(e) for e in spread.events_of_runs] == [len(e) for e in here.events_of_runs]


def test_it_is_pickled_saved_drawn_and_read_back(tmp_path):
    run = falls()
    save_result(run, tmp_path / "run.json")
    run.to_csv(tmp_path / "run.csv")
    kept = pickle.loads(pickle.dumps(run)), load_result(tmp_path / "run.json")
    for again in (*kept, read_trajectory(tmp_path / "run.csv", Fall())):
        assert np.array_equal(again.states, run.states, equal_nan=True)
        assert np.array_equal(again.outputs, run.outputs, equal_nan=True)
        for name in ("times", "states", "inputs", "outputs"):
            assert np.array_equal(getattr(again.ends, name), getattr(run.ends, name))
    assert [[e.time for e in r] for r in kept[1].events_of_runs] == [
        [e.time for e in r] for r in run.events_of_runs
    ]
    lengths = [
        np.isfinite(line.get_ydata()).sum()
        for line in run.plot(["h"]).axes[0].lines
        if len(line.get_ydata())
    ]
    assert lengths == [2, 5, 11]


def test_a_file_whose_states_are_missing_before_an_end_is_refused(tmp_path):
    path = tmp_path / "run.csv"
    falls().to_csv(path)
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    path.write_text("\n".join([lines[0], ",".join([*cells[:2], "", "", *cells[4:]]), *lines[2:]]))
    with pytest.raises(DomainError, match="missing before its end"):
        read_trajectory(path, Fall())
