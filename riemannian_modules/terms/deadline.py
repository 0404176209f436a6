"""The time that a request may take, known to everything that works for it.

Searches look between their steps and end with what they have. What has nothing before its end, as
exact elimination, is given up.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from riemannian_modules.errors import ConvergenceError

_deadline: ContextVar[float] = ContextVar("_deadline", default=np.inf)


class OutOfTime(ConvergenceError):  # noqa: N818 - it is no fault
    """The time was over before a step had anything to give."""


@contextmanager
def limited_to(seconds: float) -> Generator[None]:
    """Give what is inside that much time at most; never more than what is around it has."""
    before = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(before)


@contextmanager
def unlimited() -> Generator[None]:
    """Let what is inside finish: what is proved is written down, however late it is."""
    before = _deadline.set(np.inf)
    try:
        yield
    finally:
        _deadline.reset(before)


def deadline() -> float:
    """When the time is over, of `time.monotonic`; inf where there is no limit."""
    return _deadline.get()


def time_left() -> float:
    """Seconds until then, negative afterwards."""
    return _deadline.get() - time.monotonic()


def require_time() -> None:
    """Go on only while there is time.

    Raises:
        OutOfTime: When it is over.
    """
    if time_left() < 0:
        raise OutOfTime("The time of the budget was over before anything was found.")
