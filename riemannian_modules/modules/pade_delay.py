"""A time delay, by Padé's approximation of a chosen order.

``exp(-s) = (1 - t) / (1 + t)`` with ``t = tanh(s / 2)``, whose continued fraction
``1 / (2/s + 1 / (6/s + 1 / (10/s + ...)))``, cut after n terms, gives the approximant [n/n]. Each
term is an integrator; scaled so that the energy stored is the sum of squares, the states are
balanced at every order: ``A + A^T = -C^T C``.
Source: Baker and Graves-Morris (1996), Padé Approximants, second edition, section 4.6 (Lambert's
continued fraction); Brockett (1970), Finite Dimensional Linear Systems, section 15 (ladders).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.door import whole_number
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.delay import positive_delay
from riemannian_modules.modules.traced import Flow
from riemannian_modules.spaces import Array, Signals, one_port

LARGEST_ORDER = 60


@final
class PadeDelay(Flow):
    """``y(t) = u(t - delay)`` in good approximation for frequencies up to about ``order / delay``.

    Gain 1 at every frequency, and the phase right to the order ``2 order + 1`` in frequency. It
    answers a step at once by ``(-1)^order`` times it, before it tells of the past. The delay is a
    parameter; exact are `Delay`, in `simulate`, and `DiscreteDelay`, in discrete time.
    """

    def __init__(
        self,
        delay: float,
        order: int = 4,
        size: int | str | tuple[Any, ...] = (),
        *,
        input: str = "u",
        output: str = "y",
    ) -> None:
        """Make it for ports of a size such as 3 or a shape such as (2, 3); a scalar by default.

        Args:
            delay: The delay, positive, in units of time.
            order: The order n of Padé's approximant [n/n], from 1 to 60; as many states each entry.
            size: The ports' size such as 3, or shape such as (2, 3), or both with a unit, as in
                `riemannian_modules.space`; a scalar by default.
            input: Name of the input port.
            output: Name of the output port.

        Raises:
            SignatureError: If the size is no size, or the order none from 1 to 60.
            DomainError: For a delay that is not positive and finite.
        """
        super().__init__()
        self.order = whole_number("PadeDelay: order", order, 1)
        if self.order > LARGEST_ORDER:
            raise SignatureError(
                f"PadeDelay: order: expected at most {LARGEST_ORDER}, got {order}. A delay over "
                "many periods of what passes is better made discrete: DiscreteDelay."
            )
        self.parameters = {"delay": positive_delay("PadeDelay: delay", delay)}
        self.inputs, self.outputs = one_port(input, size), one_port(output, size)
        self.state = one_port("x", (self.order, self.inputs.size))

    @cached_property
    def _matrices(self) -> tuple[Array, Array, Array, float]:
        return pade_matrices(self.order)

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        A, b, c, d = self._matrices
        y = c @ x["x"] + d * u.vector
        dx = A @ x["x"] + np.stack([entry * u.vector for entry in b])
        return {"x": dx / p["delay"]}, y


def pade_matrices(order: int) -> tuple[Array, Array, Array, float]:
    """A (n, n), b (n,), c (n,) and d of the approximant [n/n] of ``exp(-s)``, balanced."""
    n = order
    # f_k in the states q_1..q_n and the input: q_k' = (4 k - 2) f_k, f_k = q_(k+1) + f_(k+2), from
    # f_(n+1) = 0; and f_0 = u - f_1, the drop over the resistor.
    q = np.vstack([np.eye(n + 1)[:n], np.zeros((2, n + 1))])
    f = np.zeros((n + 2, n + 1))
    for k in range(n - 1, -1, -2):
        f[k] = q[k] + f[k + 2]
    start = 0 if n % 2 else 1  # which of f_0 and f_1 that chain has reached
    f[1 - start] = np.eye(n + 1)[n] - f[start]
    for k in range(3 - start, n + 1, 2):
        f[k] = f[k - 2] - q[k - 2]
    root = np.sqrt(2.0 * np.arange(1, n + 1) - 1.0)  # q_k = root_k x_k
    A = 2.0 * root[:, None] * f[1 : n + 1, :n] * root
    y = np.eye(n + 1)[n] - 2.0 * f[1]
    return A, 2.0 * root * f[1 : n + 1, n], y[:n] * root, float(y[n])
