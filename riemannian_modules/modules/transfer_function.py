"""Transfer functions of one input and one output, in controllable canonical form.

Source: Kailath (1980), Linear Systems, section 2.1.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.arguments import finite_vector
from riemannian_modules.modules.hidden_pole import without_hidden_poles
from riemannian_modules.modules.traced import Flow
from riemannian_modules.spaces import Array, Signals, space


@final
class TransferFunction(Flow):
    """``y = num(s) / den(s) u``, proper, highest powers first.

    With ``den = s^n + a_1 s^(n-1) + ... + a_n``: ``dx_1 = u - a_1 x_1 - ... - a_n x_n``,
    ``dx_(i+1) = x_i``, ``y = b_0 dx_1 + b_1 x_1 + ... + b_n x_n``. Parameters are "num", the
    coefficients of its degree and below, and "den", a_1 to a_n, both divided by the leading
    coefficient that was given. A strictly proper one has no b_0 and no feedthrough.

    Factors that num and den have in common are cancelled where one of them is unstable, and the
    state has as many entries less: (s - 1) / ((s - 1)(s + 2)) is 1 / (s + 2). They are found in
    exact arithmetic on the given numbers; where a zero is merely near an unstable pole, a
    `HiddenPoleWarning` says how near.
    """

    def __init__(
        self, num: ArrayLike, den: ArrayLike, *, input: str = "u", output: str = "y"
    ) -> None:
        """Make the system from coefficients, highest powers first.

        Args:
            num: Coefficients of the numerator; leading zeros are dropped.
            den: Coefficients of the denominator, not zero, of no smaller degree.
            input: Name of the input port.
            output: Name of the output port.

        Raises:
            SignatureError: If it is improper: the numerator of higher degree than the denominator.
            DomainError: If the denominator is zero; for NaN or infinite coefficients.
        """
        super().__init__()
        numerator = _polynomial("TransferFunction: num", num)
        denominator = _polynomial("TransferFunction: den", den)
        if not denominator.any():
            raise DomainError("TransferFunction: den: expected a polynomial, got zero.")
        numerator, denominator = without_hidden_poles(numerator, denominator)
        n = len(denominator) - 1
        if len(numerator) - 1 > n:
            raise SignatureError(
                f"TransferFunction: expected num of at most den's degree {n}, got degree "
                f"{len(numerator) - 1}; an improper system differentiates its input and has no "
                "state space. Add a fast pole, as a PID's filter does."
            )
        values = {"num": numerator / denominator[0], "den": denominator[1:] / denominator[0]}
        self.parameters = {name: value for name, value in values.items() if value.size}
        self.state = space(x=n) if n else space()
        self.inputs, self.outputs = space(input), space(output)

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        n, num, v = self.state.size, p["num"], u.vector[0]
        degree = len(num) - 1
        if n == 0:
            return {}, np.stack([num[0] * v])
        first = v - p["den"] @ x.vector
        dx = np.concatenate([np.stack([first]), x.vector[:-1]])
        # Coefficients of s^(n-1) to 1 belong to x_1 to x_n, and that of s^n to dx_1.
        low = num[1:] if degree == n else num
        y = low @ x.vector[n - len(low) :]
        return dx, np.stack([y + num[0] * first if degree == n else y])


def _polynomial(where: str, coefficients: ArrayLike) -> Array:
    """Coefficients without leading zeros; zero is [0]."""
    vector = finite_vector(where, coefficients)
    if not vector.size:
        raise SignatureError(f"{where}: expected at least one coefficient, got none.")
    return np.trim_zeros(vector, "f") if vector.any() else vector[:1]
