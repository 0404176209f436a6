"""Data and prior together: the prior's pseudo-measurements are rows below those of the data.

Source: Golub, Heath and Wahba (1979), Technometrics 21, 215-223 (ridge regression as least squares
with more rows).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.loss import Loss
from riemannian_modules.engine.priors import Pull
from riemannian_modules.modules.differential import Jacobian
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.spaces import EMPTY, Array, Port, Space


@final
@dataclass(frozen=True, slots=True, eq=False)
class Pulls:
    """The priors of k entries of theta, each (k,); a linear one pulls to its side of the location.

    Attributes:
        places: Positions in theta.
        location: Of the entry, or of its logarithm.
        scale: Likewise.
        is_logarithm: Whether the logarithm is pulled.
        side: 0 for ``z^2 / 2``, 1 or -1 for ``side z``.
    """

    places: NDArray[np.intp]
    location: Array
    scale: Array
    is_logarithm: NDArray[np.bool_]
    side: Array

    @classmethod
    def of(cls, pulls: Mapping[int, Pull], start: Array) -> Pulls:
        """Those of each position; linear ones pull from the side on which the start lies."""
        rows = list(pulls.values())
        places = np.array([*pulls], dtype=np.intp)
        location = np.array([row.location for row in rows])
        is_linear = np.array([row.is_linear for row in rows], dtype=bool)
        side = np.where(start[places] >= location, 1.0, -1.0)
        return cls(
            places, location, np.array([row.scale for row in rows]),
            np.array([row.is_logarithm for row in rows], dtype=bool),
            np.where(is_linear, side, 0.0),
        )  # fmt: skip

    def turned(self, theta: Array, gradient: Array) -> Pulls:
        """The same where linear pulls that hold a parameter too weakly change their side.

        Args:
            theta: Where a descent ended, (p,).
            gradient: Of the loss there, with the pulls in it, (p,).
        """
        without = gradient[self.places] - self.side / self.scale
        stands = theta[self.places] == self.location
        turns = stands & (self.side * without * self.scale > 1.0 + 1e-9)
        return replace(self, side=np.where(turns, -self.side, self.side))

    def values(self, theta: Array) -> Array:
        """Z, (k,)."""
        t = theta[self.places]
        level = np.log(t, where=self.is_logarithm, out=t.copy())
        return (level - self.location) / self.scale

    def slopes(self, theta: Array) -> Array:
        """The derivative of z in its entry of theta, (k,)."""
        return 1.0 / (np.where(self.is_logarithm, theta[self.places], 1.0) * self.scale)

    def cost(self, theta: Array) -> float:
        """What the priors add to the loss."""
        z = self.values(theta)
        return float(np.sum(np.where(self.side == 0.0, 0.5 * z**2, self.side * z)))


NO_PULLS = Pulls.of({}, np.zeros(0))


@final
class PosteriorMap(RiemannianModule):
    """A map without state whose last input says what a row is: 0 for a sample, k for a prior's row.

    The rows of the prior hold the pulled parameters z, q of them in each row.
    """

    time = Time.STATIC

    def __init__(self, module: RiemannianModule, pulls: Pulls) -> None:
        s = module.signature
        self.module, self.pulls = module, pulls
        self.parameters = module.parameters
        self.inputs = Space((Port("inputs", (s.inputs.size,)), Port("row")))
        self.state, self.outputs = EMPTY, s.outputs

    def _split(self, u: Array) -> tuple[Array, NDArray[np.bool_], NDArray[np.intp]]:
        """The samples, which rows they are, and the numbers of the prior's rows."""
        is_sample = u[..., -1] == 0.0
        return u[is_sample, :-1], is_sample, u[~is_sample, -1].astype(np.intp) - 1

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        samples, is_sample, rows = self._split(u)
        y = np.empty((*u.shape[:-1], self.outputs.size))
        y[is_sample] = self.module.output(x, samples, theta)
        y[~is_sample] = in_rows(self.pulls.values(theta), self.outputs.size)[rows]
        return np.zeros((*u.shape[:-1], 0)), y

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        samples, is_sample, rows = self._split(u)
        q, p, batch = self.outputs.size, theta.shape[-1], u.shape[:-1]
        F = np.zeros((*batch, q, p))
        F[is_sample] = self.module.jacobian(x, samples, theta).F
        k = len(self.pulls.places)
        pulled = np.zeros((-(-k // q) * q, p))
        pulled[np.arange(k), self.pulls.places] = self.pulls.slopes(theta)
        F[~is_sample] = pulled.reshape(-1, q, p)[rows]
        m = u.shape[-1]
        return Jacobian(
            np.zeros((*batch, 0, 0)), np.zeros((*batch, 0, m)), np.zeros((*batch, q, 0)),
            np.zeros((*batch, q, m)), np.zeros((*batch, 0, p)), F,
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PosteriorLoss(Loss):
    """The loss of the samples, and what the priors cost.

    Attributes:
        likelihood: Of the samples, bound to them.
        rows: For each row of the data, 0 for a sample or the number of the prior's row.
        side: Of each pull, laid out in rows (K, q).
        is_pull: Which entries of those rows are pulls, (K, q).
    """

    likelihood: Loss
    rows: NDArray[np.intp]
    side: Array
    is_pull: NDArray[np.bool_]

    @override
    def of(self, data: Dataset) -> PosteriorLoss:
        rows = data.inputs[:, -1].astype(np.intp)
        samples = data.take(np.flatnonzero(rows == 0))
        return replace(self, rows=rows, likelihood=self.likelihood.of(samples))

    @override
    def estimating(self) -> Loss:
        return replace(self, likelihood=self.likelihood.estimating())

    def _prior(self) -> tuple[NDArray[np.bool_], Array, NDArray[np.bool_]]:
        """Which rows are samples; sides and pulls of the others."""
        is_sample = self.rows == 0
        which = self.rows[~is_sample] - 1
        return is_sample, self.side[which], self.is_pull[which]

    def _squares(self, z: Array, side: Array, is_pull: NDArray[np.bool_]) -> float:
        return float(np.sum(z**2, where=is_pull & (side == 0.0)))

    @override
    def check(self, where: str, targets: Array) -> None:
        self.likelihood.check(where, targets)

    @override
    def value(self, outputs: Array, targets: Array) -> float:
        is_sample, side, is_pull = self._prior()
        z = outputs[~is_sample]
        data = self.likelihood.value(outputs[is_sample], targets[is_sample])
        return data + 0.5 * self._squares(z, side, is_pull) + float(np.sum(side * z))

    @override
    def gradient(self, outputs: Array, targets: Array) -> Array:
        is_sample, side, is_pull = self._prior()
        g = np.empty(outputs.shape)
        g[is_sample] = self.likelihood.gradient(outputs[is_sample], targets[is_sample])
        g[~is_sample] = np.where(is_pull, np.where(side == 0.0, outputs[~is_sample], side), 0.0)
        return g

    @override
    def factor(self, outputs: Array, targets: Array) -> Array:
        is_sample, side, is_pull = self._prior()
        q = outputs.shape[-1]
        if len(outputs) != len(is_sample):  # asked for its rank alone
            rank = self.likelihood.factor(outputs, targets).shape[-1]
            return np.zeros((len(outputs), q, max(q, rank)))
        S = self.likelihood.factor(outputs[is_sample], targets[is_sample])
        whole = np.zeros((len(outputs), q, max(q, S.shape[-1])))
        whole[is_sample, :, : S.shape[-1]] = S
        is_square = (is_pull & (side == 0.0)).astype(np.float64)
        whole[~is_sample, :, :q] = is_square[..., None] * np.eye(q)
        return whole

    @override
    def dispersion(self, outputs: Array, targets: Array, parameters: float) -> float:
        is_sample = self.rows == 0
        return self.likelihood.dispersion(outputs[is_sample], targets[is_sample], parameters)

    @override
    def spread(self, outputs: Array, targets: Array) -> float:
        is_sample, side, is_pull = self._prior()
        data = self.likelihood.spread(outputs[is_sample], targets[is_sample])
        squares = self._squares(outputs[~is_sample], side, is_pull)
        return (int(is_sample.sum()) * data + squares) / len(outputs)


def in_rows(values: Array, q: int) -> Array:
    """Numbers (k,) in rows of q, (K, q), the last one filled up with zeros."""
    rows = np.zeros((-(-len(values) // q), q))
    rows.ravel()[: len(values)] = values
    return rows


def with_prior_rows(data: Dataset, pulls: Pulls) -> Dataset:
    """The samples, marked with 0 in a last column of inputs, and a row for every q pulls."""
    (B, q), m = data.targets.shape, data.inputs.shape[1]
    K = -(-len(pulls.places) // q)
    inputs = np.zeros((B + K, m + 1))
    inputs[:B, :m] = data.inputs
    inputs[B:, m] = np.arange(1, K + 1)
    return Dataset(
        inputs,
        np.concatenate([data.targets, np.zeros((K, q))]),
        np.concatenate([data.weighing, np.zeros((K, q))]),  # nothing is measured there
    )


def posterior_loss(likelihood: Loss, data: Dataset, pulls: Pulls) -> PosteriorLoss:
    """The loss of `with_prior_rows` of samples."""
    q = data.targets.shape[1]
    side = in_rows(pulls.side, q)
    is_pull = in_rows(np.ones(len(pulls.places)), q) > 0.0
    rows = np.concatenate([np.zeros(len(data), np.intp), np.arange(1, len(side) + 1)])
    return PosteriorLoss(likelihood, rows, side, is_pull)
