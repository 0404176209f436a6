"""What one tracing collects: whose map it is, its domain conditions, and how large it grows.

A floating-point constant enters as the exact binary number that it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

from riemannian_modules.errors import TraceError

LARGEST_FORMULA = 200_000  # terms of one expression, shared parts counted as often as they stand
LARGEST_TRACE = 50_000  # operations; beyond this, differentiating scalar by scalar takes minutes


@final
@dataclass(frozen=True, slots=True)
class Guard:
    """A condition for a map to be defined: ``kind`` says what ``expression`` has to be."""

    kind: str  # "nonnegative", "positive" or "nonzero"
    expression: Any


@final
@dataclass(eq=False, slots=True)
class Tracer:
    """What one tracing collects: whose map it is and the domain conditions met so far."""

    module: str
    guards: list[Guard] = field(default_factory=list[Guard])
    operations: int = 0
    sizes: dict[Any, int] = field(default_factory=dict[Any, int])

    def count(self, operations: int) -> None:
        """Count scalar operations.

        Raises:
            TraceError: If there are more than are traced.
        """
        self.operations += operations
        if self.operations > LARGEST_TRACE:
            raise TraceError(
                f"{self.module}: the map has more than the {LARGEST_TRACE} scalar operations that "
                "are traced. Compose it of affine and activation modules, whose matrices stay "
                "matrices, or subclass RiemannianModule and write `jacobian` by hand."
            )

    def weighed(self, expression: Any) -> Any:
        """The expression itself, where it is not too large written out.

        Values that are used twice are shared while a map is traced, but stand twice in formulas:
        a loop that uses its value twice doubles them each time.

        Raises:
            TraceError: If it has more terms, written out, than are traced.
        """
        if self._size_of(expression) > LARGEST_FORMULA:
            raise TraceError(
                f"{self.module}: a formula of the map has more than {LARGEST_FORMULA} terms when "
                "it is written out, as loops give that use a value twice each time. Make each turn "
                "of the loop a module and chain them, or subclass RiemannianModule and write "
                "`jacobian` by hand."
            )
        return expression

    def _size_of(self, expression: Any) -> int:
        known = self.sizes.get(expression)
        if known is None:
            known = 1 + sum(self._size_of(part) if part.args else 1 for part in expression.args)
            self.sizes[expression] = known
        return known

    def refuse(self, operation: str, why: str = "") -> TraceError:
        """The error for an operation that has no exact expression here, with the reason if any."""
        reason = f": {why}" if why else ""
        return TraceError(
            f"{self.module}: cannot trace {operation}{reason}. Write the map with NumPy's "
            "arithmetic, elementary functions, indexing, np.stack, np.where, np.maximum and @; or "
            "compose it of affine and activation modules; or subclass RiemannianModule and write "
            "`jacobian` by hand."
        )

    def guard(self, kind: str, expression: Any) -> None:
        """Remember a domain condition, unless a constant fulfils it.

        Raises:
            TraceError: If a constant breaks it.
        """
        if expression.is_Rational:
            holds = {
                "nonnegative": expression >= 0,
                "positive": expression > 0,
                "nonzero": expression != 0,
            }
            if holds[kind]:
                return
            raise TraceError(
                f"{self.module}: {expression} should be {kind}, but it is a constant that is not."
            )
        self.guards.append(Guard(kind, expression))
