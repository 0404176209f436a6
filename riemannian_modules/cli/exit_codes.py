"""Exit codes: what a script learns from a command without reading its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riemannian_modules.errors import (
    DomainError,
    MetricError,
    RegionError,
    SignatureError,
    SpecError,
    WiringError,
)

if TYPE_CHECKING:
    from riemannian_modules.certify import Answer

DONE = PROVED = 0
FAILURE = 1
MISUSE = 2
REFUTED = 3
UNDECIDED = 4
INTERRUPTED = 130  # as shells have it: 128 and the number of the signal

_MISUSES = (SpecError, SignatureError, RegionError, WiringError, DomainError, MetricError)


def code_of_answer(answer: Answer) -> int:
    """The exit code of a proof, a refutation, or a claim that is left open."""
    from riemannian_modules.certify import Proved, Refuted

    if isinstance(answer, Proved):
        return PROVED
    return REFUTED if isinstance(answer, Refuted) else UNDECIDED


def code_of_error(error: Exception) -> int:
    """Misuse where the file or an option is at fault, failure where the work did not succeed."""
    return MISUSE if isinstance(error, _MISUSES) else FAILURE
