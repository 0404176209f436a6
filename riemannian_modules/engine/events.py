"""Events of a run: a zero of a function, or times that are known, and what then happens.

Source: Goebel, Sanfelice and Teel (2012), *Hybrid Dynamical Systems*, chapter 1: a flow, and jumps
where its state meets a set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import brief, number_array, require_mapping
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.shown import Facts, Shown, listed
from riemannian_modules.spaces import Array

Formula = str | Callable[..., Any]  # in names of states, inputs, parameters and t; f(t, x, u, p)
Resets = Mapping[str, Formula | ArrayLike] | Callable[..., Any]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Event(Shown):
    """What happens in a run of `simulate`, and when; build with `event`, `stop` or `at_times`.

    Attributes:
        name: Its name in the trajectory.
        when: What is zero at the event; None where the times are known.
        times: The times where they are known, increasing.
        direction: 1 where ``when`` has to rise through zero, -1 where it has to fall, 0 for both.
        reset: The new values of states, by name; None where the state stays.
        ends: Whether the run ends there.
    """

    name: str
    when: Formula | None
    times: Array
    direction: int
    reset: Resets | None
    ends: bool

    @property
    def moves(self) -> bool:
        """Whether it resets the state or ends the run, rather than being noted down alone."""
        return self.ends or self.reset is not None

    @override
    def facts(self) -> Facts:
        way = {1: " rising", -1: " falling", 0: ""}[self.direction]
        zero = self.when if isinstance(self.when, str) else "a function"
        at = f"{len(self.times)} times" if self.when is None else f"{zero} = 0{way}"
        what = "ends the run" if self.ends else "is noted down"
        if isinstance(self.reset, Mapping):
            what = f"resets {listed([*self.reset])}" + (" and ends the run" if self.ends else "")
        elif self.reset is not None:
            what = "resets the state" + (" and ends the run" if self.ends else "")
        return Facts(f"Event {self.name!r} at {at}", (("", what),))


def event(
    when: Formula, *, direction: int = 0, reset: Resets | None = None, name: str = ""
) -> Event:
    """An event at each zero of a function, located on the solver's dense output.

    Args:
        when: What is zero at the event: a formula such as ``"q - 0.5"`` in the names of states,
            inputs, parameters and the time ``t``, or a function ``(t, x, u, p)`` of a time and of
            named values, which gives one number. Where it is zero at the start, that is no event;
            where the reset of another event carries it through zero, that is one.
        direction: 1 if it has to rise through zero, -1 if it has to fall, 0 for both.
        reset: New values of states by name, each a formula, a function ``(t, x, u, p)`` or a
            number, all of the state before; or one function that gives such a mapping. States that
            are not named stay.
        name: Its name in the trajectory; ``when`` itself, or "event", where there is none.

    Raises:
        SignatureError: For anything else.
    """
    return Event(_name(name, when), _formula("event: when", when), np.zeros(0),
                 _direction(direction), _resets("event", reset), ends=False)  # fmt: skip


def stop(
    when: Formula, *, direction: int = 0, reset: Resets | None = None, name: str = ""
) -> Event:
    """An event that ends the run: the trajectory's last time is that of its first zero.

    Args:
        when: As of `event`.
        direction: As of `event`.
        reset: As of `event`; the trajectory ends with the state after it.
        name: As of `event`.

    Raises:
        SignatureError: As `event`.
    """
    return Event(_name(name, when), _formula("stop: when", when), np.zeros(0),
                 _direction(direction), _resets("stop", reset), ends=True)  # fmt: skip


def at_times(times: ArrayLike, reset: Resets | None = None, *, name: str = "") -> Event:
    """An event at known times, such as a dose each day: ``at_times([0, 24], {"gut": "gut + 50"})``.

    Steps end at these times, so that none is missed, and those that lie outside of a run are left
    out.

    Args:
        times: The times in any order, each once, (k,), in the module's unit of time.
        reset: As of `event`.
        name: Its name in the trajectory.

    Raises:
        SignatureError: For what is no array (k,) of times, or no reset.
        DomainError: For NaN or infinite times, and times that stand twice.
    """
    t = number_array("at_times: times", times)
    if t.ndim != 1:
        raise SignatureError(f"at_times: expected times of shape (k,), got shape {t.shape}.")
    if not np.isfinite(t).all():
        raise DomainError("at_times: expected finite times, got NaN or infinity.")
    times, counts = np.unique(t, return_counts=True)
    if (counts > 1).any():
        raise DomainError(
            f"at_times: the time {times[counts > 1][0]:g} stands {counts.max()} times, but an "
            "event happens once at a time. Make an event of each, or put both into the reset."
        )
    return Event(name or "dose", None, times, 0, _resets("at_times", reset), ends=False)


def _name(name: str, when: Formula) -> str:
    return name or (when if isinstance(when, str) else getattr(when, "__name__", "event"))


def _direction(direction: int) -> int:
    if direction not in (-1, 0, 1) or isinstance(direction, bool):
        raise SignatureError(
            f"event: direction is 1 (rising), -1 (falling) or 0 (both), got {brief(direction)}."
        )
    return int(direction)


def _formula(where: str, given: Formula) -> Formula:
    if isinstance(given, str) or callable(given):
        return given
    raise SignatureError(
        f"{where}: expected a formula such as 'q - 0.5' or a function (t, x, u, p), got "
        f"{brief(given)}."
    )


def _resets(where: str, given: Resets | None) -> Resets | None:
    if given is None or callable(given):
        return given
    require_mapping(f"{where}: reset", given, "new values of states by name, or a function")
    return dict(given)


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Occurrence(Shown):
    """One event of a run.

    Attributes:
        name: The event's.
        time: When.
        before: The state before it, (n,).
        after: The state after it, (n,).
    """

    name: str
    time: float
    before: Array
    after: Array

    @override
    def facts(self) -> Facts:
        moved = int(np.count_nonzero(self.before != self.after))
        what = f"changed {moved} of {len(self.after)} states" if moved else "changed no state"
        return Facts(f"{self.name} at {self.time:.6g}", (("", what),))


def checked_events(module: RiemannianModule, events: object) -> tuple[Event, ...]:
    """What a user gives as events of a run.

    Raises:
        SignatureError: For anything but events, and for a module that does not flow.
    """
    given: tuple[Any, ...] = tuple(events) if isinstance(events, (list, tuple)) else (events,)
    wrong = [e for e in given if not isinstance(e, Event)]
    name = type(module).__name__
    if wrong:
        raise SignatureError(
            f"{name}: events: expected a list of events, got {brief(wrong[0])}. Make one with "
            "event('q - 0.5'), stop('q') or at_times([1.0])."
        )
    if given and module.time is not Time.CONTINUOUS:
        raise SignatureError(
            f"{name}: events happen between steps of continuous time, but it runs in "
            f"{module.time.value} time. Write what happens into its map, with np.where."
        )
    return given
