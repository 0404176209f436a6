"""A flow's derivative at many points, whose axes come last, as one compiled function.

Source: none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from riemannian_modules.modules.module import RiemannianModule

# Beyond these, tracing takes longer than it saves and matrices are faster than scalars.
LARGEST_FUSED_STATE, LARGEST_FUSED_PARAMETERS = 50, 400

# ``(x (n, ...), u (m, ...), theta)`` gives dx, n arrays or numbers; theta is (p, ...) or p floats.
CompiledRate = Callable[[Array, Array, Any], Iterable[Any]]


def is_large(module: RiemannianModule) -> bool:
    """Whether arrays are faster than one compiled function."""
    s = module.signature
    return s.state.size > LARGEST_FUSED_STATE or s.parameters.size > LARGEST_FUSED_PARAMETERS


def compiled_rate(module: RiemannianModule) -> CompiledRate:
    """The derivative alone; compiling is remembered.

    Raises:
        TraceError, UnsupportedError: If some part of it has no exact form.
    """
    from riemannian_modules.arithmetic.compile import compile_floats

    e = module.expressions
    return compile_floats(e.dx, e.arguments)
