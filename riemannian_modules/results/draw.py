"""The picture of a result, whatever its kind is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riemannian_modules.errors import UnsupportedError
from riemannian_modules.results.kinds import kind_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_result(result: Any) -> Figure:
    """The picture that a kind of result has; `riemannian_modules.plot` has more, with choices.

    Args:
        result: What a function of the library returned.

    Returns:
        The figure; ``figure.savefig(path)`` writes it.

    Raises:
        UnsupportedError: For a kind without a picture; says why, and what to draw instead.
        DomainError: For a result with nothing to draw, such as an answer without open boxes.
    """
    kind = kind_of(result)
    if kind is None:
        raise UnsupportedError(
            f"draw_result: expected a result of the library, got a {type(result).__name__}."
        )
    return kind.draw(result)
