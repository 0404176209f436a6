"""What takes too long for every change: the gate takes some of it, every night takes all."""

import pytest
from hypothesis import settings


def gate_without(names, *long):
    """Parameters for ``names``; those among ``long`` are marked as slow.

    A name of ``long`` that is no case is an error, so that no case is thought to run at night that
    has gone.
    """
    names = list(names)
    unknown = set(long) - set(names)
    if unknown or len(set(long)) >= len(names):
        raise ValueError(f"Expected some, not all, of {names}, got {sorted(unknown) or long}.")
    slow = pytest.mark.slow
    return [pytest.param(name, marks=slow) if name in long else name for name in names]


def examples(few, many):
    """Hypothesis settings: ``many`` examples where the profile asks for as many, else ``few``."""
    return settings(max_examples=many if settings().max_examples >= many else few, deadline=None)
