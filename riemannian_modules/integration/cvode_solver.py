"""CVODE in the interface of SciPy's solvers: Gear's formulas of order 1 to 5, in compiled code.

Of a large problem it factorises sparse matrices; within a step it gives its own interpolant.
Source: Hindmarsh, Brown, Grant, Lee, Serban, Shumaker and Woodward (2005), ACM TOMS 31, 363-396;
its Python face is scikit-sundae, without which this file cannot be imported (see `cvode`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.polynomial.chebyshev import chebpts1, chebvander
from scipy.integrate import DenseOutput, OdeSolver
from scipy.sparse import csc_array
from sksundae import cvode as sundials
from typing_extensions import override

from riemannian_modules.spaces import Array

LARGEST_STEP_COUNT = 10_000_000  # never reached: each call takes one step
MOST_STANDING = 3  # calls in a row that may leave the time where it was
ORDER = 5  # the highest of Gear's formulas here, and so the degree of an interpolant
NODES = chebpts1(ORDER + 1)
# From values there to Chebyshev's coefficients.
FIT: Array = np.linalg.inv(chebvander(NODES, ORDER)).astype(np.float64)
LEAST_SPAN = 16.0  # spacings of the end's time; CVODE refuses to begin for less than two


@final
class CVODE(OdeSolver):
    """Gear's method of SUNDIALS; built by whoever is given the class, as SciPy's solvers are.

    Attributes:
        nfev: Evaluations of the derivative so far.
        njev: Jacobians so far.
    """

    def __init__(
        self,
        fun: Callable[[float, Array], Any],
        t0: float,
        y0: Array,
        t_bound: float,
        max_step: float = math.inf,
        rtol: float = 1e-3,
        atol: float | Array = 1e-6,
        jac: Callable[[float, Array], Any] | None = None,
    ) -> None:
        """Begin at ``y0`` (n,), which ``fun(t, y)`` (n,) moves.

        Args:
            fun: The derivative.
            t0: The start.
            y0: The state there.
            t_bound: The end; it may be moved on once it is reached.
            max_step: The longest step.
            rtol: Relative local error.
            atol: Absolute local error, one for all or (n,).
            jac: The Jacobian (n, n): an array, or sparse of one structure everywhere; by
                differences where None.

        Raises:
            ValueError: If the end is not more than rounding away.
        """
        super().__init__(fun, t0, y0, t_bound, vectorized=False)
        if abs(t_bound - t0) < LEAST_SPAN * np.spacing(max(abs(t0), abs(t_bound))):
            raise ValueError(f"CVODE cannot step from {t0!r} to {t_bound!r}: they are too close.")
        self._has_stepped, self._fault = False, None
        options: dict[str, Any] = {} if jac is None else self._linear_algebra(jac, jac(t0, self.y))
        if math.isfinite(max_step):
            options["max_step"] = float(max_step)

        def derivative(t: float, y: Array, out: Array) -> None:
            self._fill(out, lambda: fun(t, y))

        with warnings.catch_warnings():
            # It says that it does not approximate a Jacobian whose structure and values it gets.
            warnings.simplefilter("ignore")
            self._sundials = sundials.CVODE(
                derivative, rtol=float(rtol), atol=np.broadcast_to(atol, len(self.y)).copy(),
                max_num_steps=LARGEST_STEP_COUNT, **options,
            )  # fmt: skip

    def _linear_algebra(self, jac: Callable[[float, Array], Any], first: Any) -> dict[str, Any]:
        """How CVODE gets a Jacobian of the kind of ``first``, and solves with it."""
        is_dense = isinstance(first, np.ndarray)

        def jacobian(t: float, y: Array, _: Array, out: Array) -> None:
            self._fill(out, lambda: jac(t, y) if is_dense else jac(t, y).data)

        if is_dense:
            return {"jacfn": jacobian, "linsolver": "dense"}
        structure = csc_array(first)
        places = structure.indices.astype(np.int32), structure.indptr.astype(np.int32)
        sparsity = csc_array((structure.data, *places), structure.shape)
        return {"jacfn": jacobian, "linsolver": "sparse", "sparsity": sparsity}

    def _fill(self, out: Array, value: Callable[[], Any]) -> None:
        """Write a value into SUNDIALS' array; a fault in the first step is kept until it is over.

        What SuperLU_MT has not factorised once, scikit-sundae 1.2 cannot free without a crash.
        """
        try:
            out[:] = value() if self._fault is None else 0.0
        except BaseException as fault:
            if self._has_stepped:
                raise
            self._fault = fault
            out[:] = 0.0

    @override
    def _step_impl(self) -> tuple[bool, str | None]:
        if not self._has_stepped:
            self._sundials.init_step(self.t, self.y)
        # After an interpolation it first tells again where it stands.
        for _ in range(MOST_STANDING):
            told = self._sundials.step(self.t_bound, "onestep", self.t_bound)
            self._has_stepped = True
            if self._fault is not None:
                raise self._fault
            self.nfev, self.njev = told.nfev, told.njev
            if not told.success:
                return False, told.message
            if told.t != self.t:
                self.t, self.y = told.t, told.y
                return True, None
        return False, self.TOO_SMALL_STEP

    @override
    def _dense_output_impl(self) -> DenseOutput:
        middle, half = 0.5 * (self.t_old + self.t), 0.5 * (self.t - self.t_old)
        found = [self._sundials.step(float(t), "normal", None) for t in middle + half * NODES]
        if not all(told.success for told in found):
            raise ValueError(f"CVODE gives no values inside of its step to {self.t!r}.")
        return _Interpolant(self.t_old, self.t, FIT @ np.array([told.y for told in found]), self.y)


@final
class _Interpolant(DenseOutput):
    """CVODE's interpolant of a step, a polynomial of at most its order.

    It is read off once: SUNDIALS gives that of the last step alone, and a delay looks back further.
    """

    def __init__(self, t_old: Any, t: float, coefficients: Array, y: Array) -> None:
        super().__init__(t_old, t)
        self._coefficients, self._y = coefficients, y

    @override
    def _call_impl(self, t: Array) -> Array:
        place = (2.0 * t - (self.t + self.t_old)) / (self.t - self.t_old)
        basis = chebvander(place, ORDER).reshape(*t.shape, ORDER + 1)
        y = (basis @ self._coefficients).T
        return np.where(t == self.t, self._y if t.ndim == 0 else self._y[:, None], y)
