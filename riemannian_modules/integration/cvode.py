"""CVODE of SUNDIALS, a solver that is installed apart.

Source: Hindmarsh and others (2005), ACM Transactions on Mathematical Software 31, 363-396.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from riemannian_modules.errors import UnsupportedError

if TYPE_CHECKING:
    from scipy.integrate import OdeSolver


def cvode() -> type[OdeSolver]:
    """CVODE for `simulate(..., method=cvode())`: Gear's method in compiled code.

    It gets the exact Jacobian as any other solver does, sparse of a large module, and finds events,
    corners and times of the result as they do. It is never chosen by itself, so that a request
    gives the same digits wherever it runs. Where it gives up, scikit-sundae prints why as well.

    Returns:
        A solver class in SciPy's interface.

    Raises:
        UnsupportedError: If scikit-sundae is not installed.
    """
    try:
        from riemannian_modules.integration.cvode_solver import CVODE
    except ModuleNotFoundError as error:
        if error.name != "sksundae":
            raise
        raise UnsupportedError(
            "cvode: needs scikit-sundae, which is not installed. Run `pip install scikit-sundae`, "
            "or leave `method` out for the solvers that come with SciPy."
        ) from None
    return CVODE
