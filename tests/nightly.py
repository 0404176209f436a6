"""Cases that take too long for every change: the gate leaves them out, every night takes all."""

import pytest


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
