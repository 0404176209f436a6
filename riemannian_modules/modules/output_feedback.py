"""Output feedback about an operating point: an observer, and state feedback of what it estimates.

Source: Astrom and Murray (2021), Feedback Systems, second edition, section 8.3.
"""

from __future__ import annotations

from typing import Any, final

from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.modules.arguments import finite_matrix, matrix_of_shape, vector_of_size
from riemannian_modules.modules.module import Time
from riemannian_modules.modules.ports import space_of_size
from riemannian_modules.modules.sampling_time import checked_sampling_time
from riemannian_modules.modules.traced import TracedModule
from riemannian_modules.spaces import Signals, SpaceLike, space


class ObserverFeedback(TracedModule):
    """``dz = A e + B v + L (y - y0 - C e)``, ``u = u0 + v``, with ``e = z - x0``, ``v = -K e``.

    The state z estimates the plant's. With the plant's matrices the loop's poles are those of
    ``A - B K`` and of ``A - L C``. No feedthrough. Subclasses say in which time.
    """

    def __init__(
        self,
        A: ArrayLike,
        B: ArrayLike,
        C: ArrayLike,
        K: ArrayLike,
        L: ArrayLike,
        *,
        measurements: SpaceLike | None = None,
        controls: SpaceLike | None = None,
        at: ArrayLike | None = None,
    ) -> None:
        """Make the controller of a plant with n states, m controls and q measurements.

        Args:
            A: (n, n), in 1/s for continuous time.
            B: (n, m).
            C: (q, n); for a plant with feedthrough D, its ``C - D K``.
            K: The gain of the estimate, (m, n).
            L: The gain of the prediction's error, (n, q).
            measurements: Input ports of q coordinates together; "measurement" by default.
            controls: Output ports of m coordinates together; "u" by default.
            at: The operating point: the plant's state x0, controls u0 and measurements y0 in a row,
                (n + m + q,); zeros by default.

        Raises:
            SignatureError: If shapes or spaces do not fit.
            DomainError: For NaN or infinite entries.
        """
        super().__init__()
        where = type(self).__name__
        n, m = finite_matrix(f"{where}: B", B).shape
        q = len(finite_matrix(f"{where}: C", C))
        shapes = {"A": (n, n), "B": (n, m), "C": (q, n), "K": (m, n), "L": (n, q)}
        given = {"A": A, "B": B, "C": C, "K": K, "L": L}
        self.state = space(z=n)
        self.inputs = space_of_size(f"{where}: measurements", measurements, "measurement", q)
        self.outputs = space_of_size(f"{where}: controls", controls, "u", m)
        rest = vector_of_size(f"{where}: at", at, n + m + q)
        self.parameters = {
            **{k: matrix_of_shape(f"{where}: {k}", given[k], s) for k, s in shapes.items()},
            "x0": rest[:n], "u0": rest[n : n + m], "y0": rest[n + m :],
        }  # fmt: skip

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        e = x.vector - p["x0"]
        v = -(p["K"] @ e)
        dz = p["A"] @ e + p["B"] @ v + p["L"] @ (u.vector - p["y0"] - p["C"] @ e)
        return dz + p["x0"] if self.time is Time.DISCRETE else dz, p["u0"] + v


@final
class OutputFeedback(ObserverFeedback):
    """An observer and feedback of its estimate, in continuous time."""

    time = Time.CONTINUOUS


@final
class DiscreteOutputFeedback(ObserverFeedback):
    """An observer and feedback of its estimate, in discrete time."""

    time = Time.DISCRETE

    def __init__(
        self,
        A: ArrayLike,
        B: ArrayLike,
        C: ArrayLike,
        K: ArrayLike,
        L: ArrayLike,
        *,
        measurements: SpaceLike | None = None,
        controls: SpaceLike | None = None,
        at: ArrayLike | None = None,
        sampling_time: float | tuple[float, str] | None = None,
    ) -> None:
        """Make the controller as `ObserverFeedback` does; errors are the same.

        Args:
            A: (n, n).
            B: (n, m).
            C: (q, n); for a plant with feedthrough D, its ``C - D K``.
            K: The gain of the estimate, (m, n).
            L: The gain of the prediction's error, (n, q).
            measurements: Input ports of q coordinates together; "measurement" by default.
            controls: Output ports of m coordinates together; "u" by default.
            at: The operating point: the plant's state x0, controls u0 and measurements y0 in a row,
                (n + m + q,); zeros by default.
            sampling_time: How long a step takes, as 0.2 or (0.2, "s"); None fits any.
        """
        super().__init__(A, B, C, K, L, measurements=measurements, controls=controls, at=at)
        self.sampling_time = checked_sampling_time(type(self).__name__, sampling_time)
