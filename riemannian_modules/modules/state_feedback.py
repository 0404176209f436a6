"""State feedback about an operating point, as LQR and pole placement give it.

Source: Astrom and Murray (2021), Feedback Systems, second edition, section 7.2.
"""

from __future__ import annotations

from typing import Any, final

from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.modules.arguments import finite_matrix, vector_of_size
from riemannian_modules.modules.ports import space_of_size
from riemannian_modules.modules.traced import StaticMap
from riemannian_modules.spaces import Signals, SpaceLike


@final
class StateFeedback(StaticMap):
    """``u = u0 - K (x - x0)``, a port for each state and each control; K, x0, u0 are parameters."""

    def __init__(
        self,
        K: ArrayLike,
        *,
        states: SpaceLike | None = None,
        controls: SpaceLike | None = None,
        x0: ArrayLike | None = None,
        u0: ArrayLike | None = None,
    ) -> None:
        """Make the feedback.

        Args:
            K: The gain, (m, n), in units of the controls by those of the states.
            states: Input ports of n coordinates together; "x" by default.
            controls: Output ports of m coordinates together; "u" by default.
            x0: The state (n,) at the operating point; zeros by default.
            u0: The controls (m,) there; zeros by default.

        Raises:
            SignatureError: If shapes or spaces do not fit.
            DomainError: For NaN or infinite entries.
        """
        super().__init__()
        gains = finite_matrix("StateFeedback: K", K)
        m, n = gains.shape
        self.inputs = space_of_size("StateFeedback: states", states, "x", n)
        self.outputs = space_of_size("StateFeedback: controls", controls, "u", m)
        self.parameters = {
            "K": gains,
            "x0": vector_of_size("StateFeedback: x0", x0, n),
            "u0": vector_of_size("StateFeedback: u0", u0, m),
        }

    @override
    def map(self, u: Signals, p: Signals) -> Any:
        return p["u0"] - p["K"] @ (u.vector - p["x0"])
