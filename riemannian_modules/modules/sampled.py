"""A discrete module in continuous time: it takes a step each sampling time and holds its outputs.

Between its ticks its states and outputs stand still; at a tick it reads its inputs, gives its
outputs and steps. `simulate` runs it beside plants and other controllers of any rate.

Source: Astrom and Wittenmark (1997), *Computer-Controlled Systems*, section 2.3 (zero-order hold).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import require
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.capability import RefusedForm
from riemannian_modules.modules.differential import Jacobian
from riemannian_modules.modules.module import LocalMetric, RiemannianModule, Time
from riemannian_modules.modules.ownership import Composite, Compound, owners_of, with_owners
from riemannian_modules.modules.sampling_time import checked_sampling_time
from riemannian_modules.spaces import Array, Space, batch_shape

HELD = "held"  # before the names of the outputs, as states


@final
class Sampled(RiemannianModule, Compound, RefusedForm):
    """``u -> held y``: each sampling time ``y = h(x, u), x+ = f(x, u)``, held between.

    Its states are those of the module and the held outputs, named "held.NAME"; its ports and its
    parameters are those of the module. No output follows an input at once, so it breaks loops. In
    `simulate` the first tick is the start of the run, the others follow at whole multiples of the
    sampling time, exactly. Its continuous part stands still: nothing is proved, linearised or
    mapped of it, which would leave the ticks out.

    Args:
        module: A module in discrete time, or a static one such as a quantiser; any composite, too.
        sampling_time: 0.1, or (0.1, "s"); left out, it is the module's own.

    Raises:
        SignatureError: If the module runs in continuous time, no sampling time is known, or the
            module has another one.
    """

    time = Time.CONTINUOUS

    def __init__(
        self, module: RiemannianModule, sampling_time: float | tuple[float, str] | None = None
    ) -> None:
        require("Sampled", module, RiemannianModule, "a module in discrete time, or a static one")
        s, where = module.signature, f"Sampled({type(module).__name__})"
        if s.time is Time.CONTINUOUS:
            raise SignatureError(
                f"{where}: expected a module in discrete time, or a static one, got one in "
                "continuous time. What flows stands in a composite as it is."
            )
        step = checked_sampling_time(where, sampling_time) or s.sampling_time
        if step is None:
            raise SignatureError(
                f"{where}: expected a sampling time, got none. Say Sampled(module, 0.1)."
            )
        if s.sampling_time is not None and not s.sampling_time.fits(step):
            raise SignatureError(
                f"{where}: the module takes a step every {s.sampling_time}, not every {step}. "
                "Leave the sampling time out, or put a Resampled around the module."
            )
        self.module, self.step = module, step
        self.inputs, self.outputs = s.inputs, s.outputs
        self.state = Space((*s.state.ports, *s.outputs.renamed(HELD).ports))
        self.parameters = module.parameters
        self.time_input = module.time_input

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        return np.zeros((*batch_shape(x, u, theta), x.shape[-1])), self.output(x, u, theta)

    @override
    def output(self, x: Array, u: Array, theta: Array) -> Array:
        held = x[..., self.state.size - self.outputs.size :]
        return np.broadcast_to(held, (*batch_shape(x, u, theta), self.outputs.size))

    def ticked(self, x: Array, u: Array, theta: Array) -> Array:
        """The state after a tick: the module's step, and its outputs held."""
        n = self.module.signature.state.size
        successor, y = self.module.forward(x[..., :n], u, theta)
        return np.concatenate([successor, y], -1)

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        batch, n, q = batch_shape(x, u, theta), self.state.size, self.outputs.size
        m, p = self.inputs.size, theta.shape[-1]
        shapes = ((n, n), (n, m), (q, n), (q, m), (n, p), (q, p))
        parts = [np.zeros((*batch, *shape)) for shape in shapes]
        parts[2][..., n - q :] = np.eye(q)
        return Jacobian(*parts)

    @cached_property
    @override
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """None: the outputs are held."""
        return frozenset()

    @override
    def local_metric(self) -> LocalMetric:
        own = super().local_metric()
        return LocalMetric(self.module.local_metric().parameters, own.state, own.outputs)

    @property
    @override
    def owners(self) -> Mapping[str, RiemannianModule]:
        """Those of the module."""
        return owners_of(self.module)

    @override
    def with_owners(self, changed: Mapping[int, RiemannianModule]) -> Self:
        return type(self)(with_owners(self.module, changed), self.step.argument)

    @override
    def with_parameters(self, theta: ArrayLike | Mapping[str, ArrayLike]) -> Self:
        return type(self)(self.module.with_parameters(theta), self.step.argument)

    @override
    def _refusal(self) -> str:
        return (
            f"Sampled({type(self.module).__name__}): between its ticks nothing moves, so its "
            "equations say nothing about what it does. Discretise the plant at the sampling time "
            "(a FlowMap, or DiscreteStateSpace) and prove that of the composite in discrete time."
        )


def has_ticks(module: RiemannianModule) -> bool:
    """Whether a module, or a leaf of a composite, acts at sampling times."""
    return isinstance(module, Sampled) or (
        isinstance(module, Composite) and any(map(has_ticks, module.nodes.values()))
    )
