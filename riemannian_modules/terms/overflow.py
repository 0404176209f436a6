"""Numbers that floating point cannot hold, met by a search: an error of the library's own.

What a search finds is proved afterwards, so that it may fail in any way that is told. Where numbers
overflow, Python and NumPy's linear algebra raise errors that say nothing about the system.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import numpy as np

from riemannian_modules.errors import ConvergenceError


class BeyondFloats(ConvergenceError):  # noqa: N818 - it is no fault
    """A search whose numbers overflow, underflow or make a singular matrix."""


@contextmanager
def within_floats(what: str) -> Generator[None]:
    """Tell apart where floating point gives up on what is inside.

    Raises:
        BeyondFloats: In the place of the error that NumPy or Python gives.
    """
    try:
        yield
    except (ArithmeticError, np.linalg.LinAlgError) as fault:
        raise BeyondFloats(
            f"{what}: its numbers leave the range of floating point ({fault}). Bound the region's "
            "sides, shrink it, or write the system in units in which its numbers are near 1."
        ) from fault
