"""The ports that matrices ask for: named by the user, or one port of that size.

Source: none.
"""

from __future__ import annotations

from riemannian_modules.errors import SignatureError
from riemannian_modules.spaces import Space, SpaceLike, as_space, one_port


def space_of_size(where: str, given: SpaceLike | None, name: str, size: int) -> Space:
    """The given space, or one port of a name.

    Raises:
        SignatureError: If it has another size.
    """
    if given is None:
        return one_port(name, size) if size else Space()
    given = as_space(where, given)
    if given.size != size:
        raise SignatureError(
            f"{where}: the matrices ask for {size} coordinates, got {given.size} "
            f"({given.describe()})."
        )
    return given
