"""Matrices A, B, C, D with named coordinates and a time: what linear analysis computes with.

Source: Kailath (1980), Linear Systems, chapter 2.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.door import did_you_mean, text
from riemannian_modules.engine.balance import balanced
from riemannian_modules.engine.poles import Poles, Stability, poles_of
from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_modules.modules.module import Point, Signature, Time
from riemannian_modules.shown import Facts, Shown, listed
from riemannian_modules.spaces import Array, Port, Space

SINGULAR = 1e14  # the condition of balanced equations of which rounding leaves nothing


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StateSpaceModel(abc.ABC, Shown):
    """``d dx = A d x + B d u, d y = C d x + D d u`` for small deviations d from a point.

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

    @abc.abstractmethod
    @override
    def facts(self) -> Facts: ...

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
    def _poles(self) -> Poles:
        return poles_of(self.A, self.signature.time)

    @property
    def is_discrete(self) -> bool:
        """Whether dx is the successor; a model without state counts as continuous."""
        return self.signature.time is Time.DISCRETE

    @property
    def step(self) -> float:
        """The time from one step to the next; 1 in continuous time or where it is not said."""
        return self.signature.step

    @property
    def time_unit(self) -> str:
        """What times are counted in: "time", the sampling time's unit, or "step"."""
        given = self.signature.sampling_time
        return (given.unit or "time" if given else "step") if self.is_discrete else "time"

    @property
    def highest_frequency(self) -> float:
        """Half the sampling rate, in radians per unit of time; infinite in continuous time."""
        return np.pi / self.step if self.is_discrete else np.inf

    def dc_gain(self) -> Array:
        """The outputs' steady response to unit steps of the inputs, shape (q, m).

        Raises:
            DomainError: If the model has no steady response: a pole at 0 (at 1 in discrete time).
        """
        n, border = len(self.A), 1.0 if self.is_discrete else 0.0
        M = border * np.eye(n) - self.A
        found = self._poles
        is_near = np.abs(found.values - border) <= found.errors
        # Many poles that are one have large errors, and M may be regular all the same.
        if is_near.any() and np.linalg.cond(balanced(M)[0]) > SINGULAR:
            raise DomainError(
                "dc_gain: the model has no steady response, for it has a pole at "
                f"{border:g}, as far as rounding can tell. Ask for `bode` at low frequencies, or "
                "for that of `channel(output, into).minimal()` where the pole is hidden."
            )
        return self.D + self.C @ np.linalg.solve(M, self.B)

    def channel(self, output: str | None = None, into: str | None = None) -> Self:
        """The model of one input and one output.

        Args:
            output: The output's coordinate; may be left out where there is one.
            into: The input's coordinate, likewise.

        Raises:
            SignatureError: For an unknown name, or none where there are several.
        """
        return self._part([_place("output", self.outputs, output)], [
            _place("input", self.inputs, into)])  # fmt: skip

    def _part(self, rows: Sequence[int], columns: Sequence[int]) -> Self:
        s, p = self.signature, self.point
        return replace(
            self, B=self.B[:, columns], C=self.C[rows], D=self.D[np.ix_(rows, columns)],
            signature=replace(s, inputs=_of(s.inputs, columns), outputs=_of(s.outputs, rows)),
            point=Point(p.x, p.u[columns], p.theta),
        )  # fmt: skip

    def require_stable(self, where: str, because: str) -> None:
        """Check that all poles are stable beyond rounding; ``because`` says why.

        Raises:
            DomainError: If they are not.
        """
        if self.stability is not Stability.STABLE:
            raise DomainError(
                f"{where}: expected a stable model, for {because}; it is {self._poles}."
            )

    def as_continuous(self) -> tuple[Array, Array, Array, Array]:
        """A, B, C, D with the same response at ``i tan(w step / 2)`` (Tustin's transform).

        In continuous time these are the model's own.

        Raises:
            UnsupportedError: For a discrete model with a pole at -1, where the transform has its
                own.
        """
        if not self.is_discrete:
            return self.A, self.B, self.C, self.D
        identity = np.eye(len(self.A))
        shifted = self.A + identity
        if len(shifted) and np.linalg.cond(shifted) > 1e13:
            raise UnsupportedError(
                "A pole of this discrete model lies at -1, at half the sampling rate, where its "
                "response is infinite; nothing is computed over all frequencies. Move the pole."
            )
        inner: Any = np.linalg.solve(shifted, np.hstack([self.A - identity, self.B]))
        outer: Any = np.linalg.solve(shifted.T, self.C.T).T
        n, root = len(self.A), np.sqrt(2.0)
        return inner[:, :n], root * inner[:, n:], root * outer, self.D - self.C @ inner[:, n:]

    def from_continuous(self, frequencies: Array) -> Array:
        """The model's own frequencies for those of `as_continuous`."""
        return 2.0 * np.arctan(frequencies) / self.step if self.is_discrete else frequencies


_ARGUMENTS = {"output": "output", "input": "into"}


def _place(kind: str, known: tuple[str, ...], name: str | None) -> int:
    if name is None and len(known) == 1:
        return 0
    if name is None:
        raise SignatureError(
            f"Expected the name of one {kind}, for the model has {len(known)}: {listed(known)}. "
            f"Name one: {_ARGUMENTS[kind]}={known[0] if known else 'y'!r}; the others stay open."
        )
    if text(kind, name) not in known:
        raise SignatureError(
            f"Unknown {kind} {name!r}{did_you_mean([name], known)}; known are: {listed(known)}."
        )
    return known.index(name)


def _of(space: Space, places: Sequence[int]) -> Space:
    ports = [Port(c, (), port.unit) for port in space.ports for c in port.coordinates()]
    return Space(tuple(ports[i] for i in places))
