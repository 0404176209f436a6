"""The exception tree: every error that the library raises on purpose.

```
RiemannianError
├── WiringError        faults found when a graph is built, all of them at once
├── SignatureError     wrong names, shapes or units of states, ports and parameters
├── DomainError        NaN, infinite or out-of-domain numbers
├── TraceError         an operation that cannot be traced, or a map too large to trace
├── MetricError        a matrix that is no metric: singular, indefinite, of the wrong size
├── RegionError        a region that is empty, reversed or of the wrong names
├── ConvergenceError   a solver, integrator or fit that did not arrive
├── CertificateError   a certificate that is truncated, of another version or inconsistent
├── OutputError        a file of results that cannot be written
├── SpecError          a system file that cannot be read; names the place in the file
└── UnsupportedError   something that is refused by name rather than done wrongly
```

Each is also the built-in error that a Python user expects (ValueError, TypeError, RuntimeError,
OSError, NotImplementedError).
Every message says where, what was expected, what came, and how to mend it.
"""

from __future__ import annotations


class RiemannianError(Exception):
    """The root: catch this to catch everything that the library raises on purpose."""


class WiringError(RiemannianError, ValueError):
    """The wiring of a graph is faulty; ``faults`` holds every fault found, one line each."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"The wiring has {count}:\n" + "\n".join(f"- {fault}" for fault in faults))


class HiddenPoleWarning(UserWarning):
    """An unstable pole is cancelled by a zero in the numbers' first digits, not in all of them."""


class SignatureError(RiemannianError, ValueError):
    """Names, shapes or units do not fit a module's signature."""


class DomainError(RiemannianError, ValueError):
    """A number is NaN, infinite or outside the domain of what is done with it."""


class TraceError(RiemannianError, TypeError):
    """A user's map cannot be traced into expressions."""


class MetricError(RiemannianError, ValueError):
    """A matrix or operator is not a metric of the size that is needed."""


class RegionError(RiemannianError, ValueError):
    """A region is empty, reversed or speaks of unknown coordinates."""


class ConvergenceError(RiemannianError, RuntimeError):
    """An iteration did not reach what was asked of it."""


class CertificateError(RiemannianError, ValueError):
    """A certificate file is truncated, inconsistent or of an unknown version."""


class SpecError(RiemannianError, ValueError):
    """A system file does not describe a system."""


class OutputError(RiemannianError, OSError):
    """A result cannot be written where it was asked for; nothing half-written is left."""


class UnsupportedError(RiemannianError, NotImplementedError):
    """The request is understood and refused, because it would give a wrong or unproved answer."""
