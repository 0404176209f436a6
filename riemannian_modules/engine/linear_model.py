"""A linear model with named coordinates: A, B, C, D at an operating point.

Source: Kailath (1980), Linear Systems, chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.engine.poles import Poles, Stability, poles_of
from riemannian_modules.modules.module import Point, Signature, Time
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_modules.space import Array

MOST_POLES = 60  # states of a model whose poles are printed, for they cost O(n^3)


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinearModel(Shown):
    """``d dx = A d x + B d u, d y = C d x + D d u`` for small deviations d from a point.

    In discrete time dx is the successor. Rows and columns are coordinates of the signature's
    spaces.

    Attributes:
        A: d dx / d x, shape (n, n).
        B: d dx / d u, shape (n, m).
        C: d y / d x, shape (q, n).
        D: d y / d u, shape (q, m).
        signature: Names, units and time.
        point: Where the module was linearised.
    """

    A: Array
    B: Array
    C: Array
    D: Array
    signature: Signature
    point: Point

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the rows and columns of A."""
        return self.signature.state.coordinates

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the columns of B and D."""
        return self.signature.inputs.coordinates

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the rows of C and D."""
        return self.signature.outputs.coordinates

    @property
    def poles(self) -> NDArray[np.complex128]:
        """The eigenvalues of A, the slowest first, shape (n,)."""
        return self._poles.values

    @property
    def stability(self) -> Stability:
        """Whether all poles lie strictly inside the stable region, or rounding cannot tell."""
        return self._poles.stability

    @property
    def is_stable(self) -> bool | None:
        """True or False as `stability` says, and None where rounding cannot tell."""
        return _ANSWERS[self.stability]

    @property
    def _poles(self) -> Poles:
        return poles_of(self.A, self.signature.time)

    def dc_gain(self) -> Array:
        """The outputs' steady response to unit steps of the inputs, shape (q, m).

        Raises:
            numpy.linalg.LinAlgError: If the model has no steady response: a pole at 0 (at 1 in
                discrete time).
        """
        n = len(self.A)
        M = -self.A if self.signature.time is Time.CONTINUOUS else np.eye(n) - self.A
        return self.D + self.C @ np.linalg.solve(M, self.B)

    def table(self) -> str:
        """All entries: a row each derivative (or successor) and output, a column each variable.

        Below, what the poles tell of stability.
        """
        mark = "'" if self.signature.time is Time.CONTINUOUS else "+"
        heads = ["", *self.states, "|", *self.inputs]
        rows = [heads]
        for names, left, right, end in (
            (self.states, self.A, self.B, mark), (self.outputs, self.C, self.D, ""),
        ):  # fmt: skip
            for name, a, b in zip(names, left, right, strict=True):
                rows.append([name + end, *map(_number, a), "|", *map(_number, b)])
        widths = [max(len(row[j]) for row in rows) for j in range(len(heads))]
        lines = [
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
                ]
            ).rstrip()
            for row in rows
        ]
        rule = "-" * max(map(len, lines))
        split = 1 + len(self.states)
        table = [lines[0], rule, *lines[1:split], rule, *lines[split:]]
        if self.states and np.isfinite(self.A).all():
            table.append(str(self._poles))
        return "\n".join(table)

    @override
    def facts(self) -> Facts:
        n, m, q = len(self.states), len(self.inputs), len(self.outputs)
        title = (
            f"LinearModel, {self.signature.time.value}: {counted(n, 'state')}, "
            f"{counted(m, 'input')}, {counted(q, 'output')}"
        )
        names = zip(
            ("states", "inputs", "outputs"), (self.states, self.inputs, self.outputs), strict=True
        )
        rows = [(name, listed(known)) for name, known in names if known]
        if 0 < n <= MOST_POLES and np.isfinite(self.A).all():
            poles = [
                f"{p.real:.5g}{p.imag:+.5g}j" if p.imag else f"{p.real:.5g}" for p in self.poles
            ]
            rows.insert(0, ("poles", listed(poles)))
            rows.insert(0, ("", str(self._poles)))
        return Facts(title, tuple(rows))


_ANSWERS = {Stability.STABLE: True, Stability.UNSTABLE: False, Stability.UNDECIDED: None}


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.5g}"
