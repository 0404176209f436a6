"""A system of linear maps and slope-restricted functions: the form that multipliers speak of.

``v = C x + D w + c,  w = phi(v)`` entry by entry,  ``out = A x + B w + a``, where out is the
derivative or successor of the state x, or the outputs of a static map with inputs x. The constants
a and c, which hold biases and the inputs of a system with a state, cancel in differences: a claim
holds for all of them alike.

Source: Fazlyab, Robey, Hassani, Morari and Pappas (2019), arXiv:1906.04893; El Ghaoui, Gu,
    Travacca, Askari and Tsai (2021), Implicit deep learning, SIAM J. Math. Data Sci. 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, ClassVar, cast, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.claims.norms import L2, Norm
from riemannian_modules.claims.plain_data import number_from_data, refuse_unknown
from riemannian_modules.claims.region_data import region_from_data, region_to_data
from riemannian_modules.claims.slope_table import SLOPES
from riemannian_modules.claims.slopes_matrix import Matrix, matrix_from_data, matrix_to_data
from riemannian_modules.claims.statement import sides_in_words
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.errors import CertificateError
from riemannian_modules.modules.signature import Time
from riemannian_modules.recomputed import Recomputed
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array

Slope = str | tuple[float, float]
LARGEST = 4_000  # neurons in one certificate that is read
MOST_SIDES = 20  # named in words
_SECTOR = "2 sum t_i (dw_i - alpha_i dv_i)(beta_i dv_i - dw_i)"
_QUADRATIC = {
    "flow": f"2 dx' M (A dx + B dw) + {_SECTOR} <= 2 b |dx|_M^2",
    "step": f"|A dx + B dw|_M^2 + {_SECTOR} <= b^2 |dx|_M^2",
    "map": f"|A dx + B dw|_M^2 + {_SECTOR} <= b^2 |dx|_N^2",
}


@final
@dataclass(frozen=True, eq=False, repr=False)
class SlopesForm(Shown, Recomputed, ClaimedSystem):
    """``v = C x + D w``, slopes of ``w = phi(v)``, ``out = A x + B w``, in differences.

    Attributes:
        time: Continuous (out is dx/dt), discrete (out is the successor) or static (outputs).
        A: (q, n); q = n unless static.
        B: (q, m).
        C: (m, n).
        D: (m, m).
        slopes: For each w, the name of its function or bounds (alpha, beta) of its slope.
        names: Coordinates of the region, states before inputs.
        lower: Lower sides of the region.
        upper: Upper sides.
    """

    time: Time
    A: Matrix
    B: Matrix
    C: Matrix
    D: Matrix
    slopes: tuple[Slope, ...]
    names: tuple[str, ...]
    lower: Array
    upper: Array

    horizontal: ClassVar[None] = None  # type: ignore[misc]
    symbols: ClassVar[tuple[Any, ...]] = ()  # type: ignore[misc]

    @property
    @override
    def coordinates(self) -> tuple[str, ...]:
        return self.names

    @property
    @override
    def size(self) -> int:
        return len(self.A)

    @property
    @override
    def input_size(self) -> int:
        return self.A.shape[1]

    @property
    @override
    def region_in_words(self) -> str:
        bounded = int((np.isfinite(self.lower) | np.isfinite(self.upper)).sum())
        if bounded > MOST_SIDES:
            return f"a box with {bounded} bounded sides, as in the certificate"
        return sides_in_words(self.names, self.lower, self.upper)

    @override
    def in_symbols(self, norm: Norm) -> str:
        if isinstance(norm, L2):
            return _QUADRATIC[self.kind]
        return f"{norm.in_symbols(self.kind)}, J = A + B (I - S D)^-1 S C for slopes S"

    @override
    def to_data(self) -> dict[str, Any]:
        return form_to_data(self)

    @override
    def region_to_data(self) -> dict[str, Any]:
        return region_to_data(self.names, self.lower, self.upper)

    @cached_property
    def slope_bounds(self) -> tuple[Array, Array]:
        """The vectors alpha (m,) and beta (m,)."""
        pairs = [SLOPES[s] if isinstance(s, str) else s for s in self.slopes]
        table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        return table[:, 0].copy(), table[:, 1].copy()

    @cached_property
    def depths(self) -> Array | None:
        """For each neuron, how many lie before it at most; None where they form a loop."""
        reads = self.D != 0
        depth = np.zeros(len(self.slopes))
        for _ in range(len(self.slopes) + 1):
            deeper = np.where(reads, depth[None, :] + 1, 0).max(1, initial=0)
            if np.array_equal(deeper, depth):
                return depth
            depth = deeper
        return None

    @cached_property
    def touched(self) -> NDArray[np.intp]:
        """The rows of C that are not zero: the neurons that x reaches at once."""
        return np.flatnonzero((self.C != 0).any(axis=1))


def form_to_data(form: SlopesForm) -> dict[str, Any]:
    """The system part of a certificate."""
    runs = [(slope, len(list(group))) for slope, group in groupby(form.slopes)]
    activations: list[Any] = []
    for slope, count in runs:
        if isinstance(slope, str):
            activations.append([slope, count])
        else:
            activations.extend([list(slope)] * count)
    matrices = {"A": form.A, "B": form.B, "C": form.C, "D": form.D}
    return {
        "type": "slopes",
        "size": int(form.A.shape[1]),
        **{name: matrix_to_data(matrix) for name, matrix in matrices.items()},
        "activations": activations,
    }


def form_from_certificate(data: Mapping[str, Any], time: Time) -> SlopesForm:
    """The form that `form_to_data` wrote, over the region of its certificate.

    Raises:
        CertificateError: If the data is inconsistent.
    """
    known = {"type", "size", "A", "B", "C", "D", "activations"}
    system = refuse_unknown(data["system"], known, "system")
    if set(system) != known:
        raise CertificateError(f"system: expected the keys {sorted(known)}, got {sorted(system)}.")
    n = system["size"]
    if type(n) is not int or n < 1:
        raise CertificateError(f"system.size: expected a whole number above 0, got {n!r:.40}.")
    outputs = n if time is not Time.STATIC else _outputs(data["claim"].get("norm"))
    names, lower, upper = _sides(data["region"])
    if len(names) < n or (time is Time.STATIC and len(names) != n):
        raise CertificateError(f"region.sides: expected a side for each of {n} coordinates.")
    slopes = _slopes_from_data(system["activations"])
    m = len(slopes)
    shapes = {"A": (outputs, n), "B": (outputs, m), "C": (m, n), "D": (m, m)}
    A, B, C, D = (
        matrix_from_data(system[name], shape, f"system.{name}") for name, shape in shapes.items()
    )
    return SlopesForm(time, A, B, C, D, slopes, names, lower, upper)


def _outputs(norm: object) -> int:
    """A static map has as many outputs as its norm measures."""
    rows = norm.get("metric") if isinstance(norm, dict) else None
    if not isinstance(rows, list) or not rows:
        raise CertificateError("claim.norm: expected an l2 norm with a dense metric.")
    return len(rows)


def _sides(region: object) -> tuple[tuple[str, ...], Array, Array]:
    rows = region.get("sides") if isinstance(region, dict) else None
    entries: list[Any] = rows if isinstance(rows, list) else []
    first: list[Any] = [row[0] if isinstance(row, list) and row else None for row in entries]
    names = tuple(name for name in first if isinstance(name, str))
    if not names or len(set(names)) != len(first):
        raise CertificateError(
            "region.sides: expected rows [name, lower, upper] by distinct names."
        )
    lower, upper, constraints, _ = region_from_data(region, names)
    if constraints:
        raise CertificateError("region: expected a box alone, for layers whose slopes are bounded.")
    return names, lower, upper


def _slopes_from_data(data: object) -> tuple[Slope, ...]:
    slopes: list[Slope] = []
    for entry in cast("list[Any]", data) if isinstance(data, list) else [data]:
        run = [entry, 1] if isinstance(entry, str) else entry
        pair = cast("list[Any]", run) if isinstance(run, list) else []
        if len(pair) == 2 and isinstance(pair[0], str):
            name, count = pair
            if name not in SLOPES or type(count) is not int or not 1 <= count <= LARGEST:
                raise CertificateError(
                    f"system.activations: expected a name of {sorted(SLOPES)} and how often, got "
                    f"{entry!r:.60}."
                )
            slopes += [name] * count
        elif len(pair) == 2:
            low, high = (number_from_data(e, "system.activations") for e in pair)
            if not (np.isfinite([low, high]).all() and low <= high):
                raise CertificateError(f"system.activations: {entry!r:.60} are no slopes.")
            slopes.append((low, high))
        else:
            raise CertificateError(f"system.activations: expected slopes, got {entry!r:.60}.")
    if len(slopes) > LARGEST:
        raise CertificateError(
            f"system.activations: expected at most {LARGEST}, got {len(slopes)}."
        )
    return tuple(slopes)
