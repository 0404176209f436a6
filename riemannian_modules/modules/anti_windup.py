"""PI and PID controllers that know their actuator's limits: their integral does not wind up.

Source: Astrom and Hagglund (2006), Advanced PID Control, section 3.5; Hanus, Kinnaert and Henrotte
(1987), Automatica 23, 729-739.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.errors import DomainError
from riemannian_modules.modules.arguments import finite_number, positive_number
from riemannian_modules.modules.pid import pid_parameters
from riemannian_modules.modules.traced import Flow
from riemannian_modules.spaces import Signals, space


class LimitedPID(Flow):
    """``u = min(max(v, lower), upper)``, ``v = Kp e + integral + Kd s / (tau s + 1) e``.

    ``e = reference - measurement``. The state "integral", in units of the control, follows
    ``Ki e`` within the limits; subclasses say what it does beyond. With Kd = 0 at construction it
    is a PI controller and stays one: there are no states and parameters for the derivative. The
    limits are fixed numbers of the actuator, no parameters.
    """

    inputs = space("reference measurement")
    outputs = space("u")

    def __init__(self, values: Mapping[str, float], lower: float, upper: float) -> None:
        """Keep what `pid_parameters` has checked, and limits that are checked here."""
        super().__init__()
        where = type(self).__name__
        self.lower = finite_number(f"{where}: lower", lower)
        self.upper = finite_number(f"{where}: upper", upper)
        if not self.lower < self.upper:
            raise DomainError(
                f"{where}: expected lower < upper, got {self.lower} and {self.upper}. Swap them."
            )
        self.is_pid = values["Kd"] != 0.0
        self.state = space("integral filtered" if self.is_pid else "integral")
        kept = ("Kp", "Ki", "Kd", "tau") if self.is_pid else ("Kp", "Ki")
        self.parameters = {name: values[name] for name in kept}

    @abc.abstractmethod
    def integral_rate(self, wanted: Any, beyond: Any, p: Signals) -> Any:
        """The integral's rate from ``Ki e`` and from how far v lies beyond the limits."""

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        e = u["reference"] - u["measurement"]
        v, rates = p["Kp"] * e + x["integral"], {}
        if self.is_pid:
            rates["filtered"] = (e - x["filtered"]) / p["tau"]
            v = v + p["Kd"] * rates["filtered"]
        control = np.minimum(np.maximum(v, self.lower), self.upper)
        # Not v - control, of which an enclosure would not see that it is zero within the limits.
        beyond = np.maximum(v - self.upper, 0.0) + np.minimum(v - self.lower, 0.0)
        rates["integral"] = self.integral_rate(p["Ki"] * e, beyond, p)
        return rates, {"u": control}


@final
class BackCalculationPID(LimitedPID):
    """PI or PID whose integral is drawn back while the actuator saturates.

    ``integral' = Ki e - (v - u) / tracking``: beyond the limits the integral tends, with the time
    constant "tracking", to where v is the limit. Continuous, so that proofs can speak of it.
    """

    def __init__(
        self,
        Kp: float,
        Ki: float,
        Kd: float = 0.0,
        tau: float = 0.01,
        *,
        lower: float = -1.0,
        upper: float = 1.0,
        tracking: float | None = None,
    ) -> None:
        """Make the controller.

        Args:
            Kp: Gain of the error, in units of the control by units of the measurement.
            Ki: Gain of the error's integral, Kp's unit by s.
            Kd: Gain of the error's filtered derivative, Kp's unit times s; 0 for PI.
            tau: Time constant of the derivative's filter, in s, positive.
            lower: The actuator's lower limit, in units of the control.
            upper: Its upper limit.
            tracking: The time constant in s, positive; by default the integral's, Kp / Ki, of PI,
                and its geometric mean with the derivative's, Kd / Kp, of PID.

        Raises:
            DomainError: For limits or time constants that are no such, NaN or infinite numbers.
        """
        super().__init__(pid_parameters("BackCalculationPID", Kp, Ki, Kd, tau), lower, upper)
        time = _usual_tracking({**self.parameters}) if tracking is None else tracking
        checked = positive_number("BackCalculationPID: tracking", time)
        self.parameters = {**self.parameters, "tracking": checked}

    @override
    def integral_rate(self, wanted: Any, beyond: Any, p: Signals) -> Any:
        return wanted - beyond / p["tracking"]


@final
class ClampedPID(LimitedPID):
    """PI or PID whose integral stands still while the error would drive it further beyond a limit.

    ``integral' = Ki e``, and towards 0 where v lies beyond a limit and ``Ki e`` points further out:
    by the part of "band" that v lies beyond, 0 from there on. Without a band the rate would jump
    where v slides along the limit, which no solver follows. The band is a fixed number.
    """

    def __init__(
        self,
        Kp: float,
        Ki: float,
        Kd: float = 0.0,
        tau: float = 0.01,
        *,
        lower: float = -1.0,
        upper: float = 1.0,
        band: float | None = None,
    ) -> None:
        """Make the controller.

        Args:
            Kp: Gain of the error, in units of the control by units of the measurement.
            Ki: Gain of the error's integral, Kp's unit by s.
            Kd: Gain of the error's filtered derivative, Kp's unit times s; 0 for PI.
            tau: Time constant of the derivative's filter, in s, positive.
            lower: The actuator's lower limit, in units of the control.
            upper: Its upper limit.
            band: How far beyond a limit the integral stands still, in units of the control,
                positive; a hundredth of the limits' distance by default.

        Raises:
            DomainError: For limits, time constants or bands that are no such, NaN or infinite
                numbers.
        """
        super().__init__(pid_parameters("ClampedPID", Kp, Ki, Kd, tau), lower, upper)
        width = 0.01 * (self.upper - self.lower) if band is None else band
        self.band = positive_number("ClampedPID: band", width)

    @override
    def integral_rate(self, wanted: Any, beyond: Any, p: Signals) -> Any:
        part = beyond / self.band
        above, below = (np.minimum(np.maximum(side, 0.0), 1.0) for side in (part, -part))
        return wanted - np.maximum(wanted, 0.0) * above - np.minimum(wanted, 0.0) * below


def _usual_tracking(p: dict[str, Any]) -> float:
    """The time constant by the rules of thumb; 1 where the gains tell none."""
    integral = abs(p["Kp"] / p["Ki"]) if p["Ki"] else 0.0
    derivative = abs(p.get("Kd", 0.0) / p["Kp"]) if p["Kp"] else 0.0
    return float(np.sqrt(integral * derivative)) or integral or derivative or 1.0
