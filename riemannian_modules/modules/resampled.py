"""A discrete module at a longer sampling time: several of its steps are one, its inputs held.

The state goes through every step that it would take; what is left out is the outputs between, which
a slower neighbour does not see (what is faster than half the new rate folds back), and changes of
the inputs between, which a slower neighbour does not make.

Source: Chen and Francis (1995), *Optimal Sampled-Data Control Systems*, section 8.2 (lifting).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import require
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.capability import EnclosedMap, ExactForm, enclosure_of
from riemannian_modules.modules.differential import Jacobian
from riemannian_modules.modules.enclosure import Enclosure
from riemannian_modules.modules.module import LocalMetric, RiemannianModule, Time, equations_of
from riemannian_modules.modules.sampling_time import checked_sampling_time
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.spaces import Array, Signals

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


@final
class Resampled(RiemannianModule, EnclosedMap, ExactForm):
    """``x+ = f(f(...f(x, u)..., u), u), y = h(x, u)``: k steps of a module as one.

    States, ports and parameters are those of the module. Values cost k evaluations, Jacobians k
    Jacobians and their products; proofs trace all k steps.
    """

    time = Time.DISCRETE

    def __init__(self, module: RiemannianModule, sampling_time: float | tuple[float, str]) -> None:
        """Make one step of k of the module's.

        Args:
            module: A module in discrete time that states its sampling time; any composite, too.
            sampling_time: The longer one, k times the module's: 0.2, or (0.2, "s").

        Raises:
            SignatureError: If the module has no sampling time, or the longer one is no whole
                multiple of it in the same unit; or if it reads the time, as ``time_input``.
            DomainError: If the longer one is not positive and finite.
        """
        require("Resampled", module, RiemannianModule, "a module in discrete time")
        s, where = module.signature, f"Resampled({type(module).__name__})"
        longer = checked_sampling_time(where, sampling_time)
        if s.sampling_time is None or longer is None:
            raise SignatureError(
                f"{where}: expected a module in discrete time that states its sampling time, and "
                f"a longer one; got {s.time.value} time, {s.sampling_time} and {longer}. State it "
                "where the module is made: sampling_time=0.01."
            )
        steps = s.sampling_time.steps_in(longer)
        if steps is None:
            raise SignatureError(
                f"{where}: expected a whole multiple of the module's sampling time "
                f"{s.sampling_time}, got {longer}. A module is made slower this way, not faster: "
                "resample the faster one, or discretise this one again."
            )
        if steps > 1 and (clocks := time_ports(module)):
            raise SignatureError(
                f"{where}: the module reads the time of a run ({', '.join(clocks)}), which would "
                f"stand still for {steps} steps. Write the clock as a state, t+ = t + "
                f"{s.sampling_time.length:g}."
            )
        self.module, self.steps, self._longer = module, steps, longer.argument
        self.sampling_time = longer
        self.state, self.inputs, self.outputs = s.state, s.inputs, s.outputs
        self.parameters = module.parameters
        self.time_input = module.time_input

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        z, y = self.module.forward(x, u, theta)
        for _ in range(self.steps - 1):
            z = self.module.forward(z, u, theta)[0]
        return z, y

    @override
    def output(self, x: Array, u: Array, theta: Array) -> Array:
        return self.module.output(x, u, theta)

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        whole, z = self.module.jacobian(x, u, theta), x
        for _ in range(self.steps - 1):
            z = self.module.forward(z, u, theta)[0]
            J = self.module.jacobian(z, u, theta)
            whole = Jacobian(
                J.A @ whole.A, J.A @ whole.B + J.B, whole.C, whole.D, J.A @ whole.E + J.E, whole.F
            )
        return whole

    @override
    def enclose(self, x: Interval, u: Interval, theta: Interval) -> Enclosure:
        from riemannian_modules.arithmetic.interval_matrix import matmul

        whole = enclosure_of(self.module, x, u, theta)
        for _ in range(self.steps - 1):
            e = enclosure_of(self.module, whole.dx, u, theta)
            B = matmul(e.A, whole.B) + e.B
            whole = Enclosure(e.dx, whole.y, matmul(e.A, whole.A), B, whole.C, whole.D)
        return whole

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        from riemannian_modules.arithmetic.expression import flatten_result
        from riemannian_modules.arithmetic.symbolic_array import SymbolicArray

        tracer, first, z = x.vector.tracer, None, x
        for _ in range(self.steps):
            result = equations_of(self.module, z, u, p)
            dx, y = result if isinstance(result, tuple) and len(result) == 2 else (result, z.vector)
            first = y if first is None else first
            flat = flatten_result(dx, self.state, f"{type(self.module).__name__}: state", tracer)
            z = self.state.signals(SymbolicArray(np.array(flat, dtype=object), tracer))
        return z.vector, first

    @cached_property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """The module's own: outputs are those of the first step."""
        return self.module.feedthrough

    @override
    def local_metric(self) -> LocalMetric:
        return self.module.local_metric()

    @override
    def with_parameters(self, theta: ArrayLike | Mapping[str, ArrayLike]) -> Self:
        return type(self)(self.module.with_parameters(theta), self._longer)
