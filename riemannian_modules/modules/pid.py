"""The PID controller in parallel form, its derivative filtered.

Source: Astrom and Murray (2021), Feedback Systems, second edition, section 11.1.
"""

from __future__ import annotations

from typing import Any, final

from typing_extensions import override

from riemannian_modules.modules.arguments import finite_number, positive_number
from riemannian_modules.modules.traced import Flow
from riemannian_modules.spaces import Signals, space


@final
class PID(Flow):
    """``u = Kp e + Ki int e dt + Kd s / (tau s + 1) e`` with ``e = reference - measurement``.

    Parameters Kp, Ki (Kp's unit by s), Kd (Kp's unit times s) and the filter's time constant tau
    (s); states "integral" of e and "filtered" e.
    """

    state = space("integral filtered")
    inputs = space("reference measurement")
    outputs = space("u")

    def __init__(self, Kp: float, Ki: float = 0.0, Kd: float = 0.0, tau: float = 0.01) -> None:
        """Make the controller.

        Args:
            Kp: Gain of the error, in units of the control by units of the measurement.
            Ki: Gain of the error's integral, Kp's unit by s.
            Kd: Gain of the error's filtered derivative, Kp's unit times s.
            tau: Time constant of the derivative's filter, in s, positive.

        Raises:
            DomainError: For a filter time constant that is not positive, NaN or infinite numbers.
        """
        super().__init__()
        self.parameters = pid_parameters("PID", Kp, Ki, Kd, tau)

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        e = u["reference"] - u["measurement"]
        derivative = (e - x["filtered"]) / p["tau"]
        control = p["Kp"] * e + p["Ki"] * x["integral"] + p["Kd"] * derivative
        return {"integral": e, "filtered": derivative}, {"u": control}


def pid_parameters(where: str, Kp: float, Ki: float, Kd: float, tau: float) -> dict[str, float]:
    """The gains and the filter's time constant, finite and this one positive, by name."""
    gains = {"Kp": Kp, "Ki": Ki, "Kd": Kd}
    mend = "An unfiltered derivative is no proper system; a small tau comes near it."
    return {
        **{name: finite_number(f"{where}: {name}", value) for name, value in gains.items()},
        "tau": positive_number(f"{where}: tau", tau, mend),
    }
