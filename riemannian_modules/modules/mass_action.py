"""Reaction networks with mass-action kinetics.

Source: Feinberg, *Foundations of Chemical Reaction Network Theory* (2019), chapter 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import names, number_array, require_mapping
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.kinetic_arguments import nonnegative
from riemannian_modules.modules.reaction import read_network
from riemannian_modules.modules.traced import Flow
from riemannian_modules.spaces import Port, Signals, Space


@final
class MassAction(Flow):
    """``c' = (produced - consumed)^T v`` with ``v_r = k_r prod_s c_s^consumed[r, s]``.

    Give either species, matrices and rates, or reactions, from which they are read.

    Args:
        species: Names of the species that react, separated by blanks: the states.
        consumed: Stoichiometric coefficients of the reactants, (reactions, species + external).
        produced: Those of the products, of the same shape; a yield such as 1.5 is one, too.
        rates: The rate constant of each reaction by its name, in the order of the rows.
        reactions: For each reaction's name the reaction and its rate constant, as in
            ``{"bind": ("2 A + B -> C", 0.3), "lose": ("C ->", 0.1)}``. ``"A ->"`` and ``"A -> ∅"``
            are losses, ``"-> A"`` is a gain. ``->``, ``=>`` and ``→`` go one way; ``<->``, ``<=>``,
            ``⇌`` and ``=`` go both ways and take two constants, ``("A <-> B", (0.3, 0.1))``: they
            are "NAME_forward" and "NAME_reverse", or have names of their own, ``{"k_on": 0.3,
            "k_off": 0.1}``.
        external: Names of species whose amounts are inputs; reactions do not change them. A
            production rate that is an input is an external species e in the reaction ``e -> e +
            product``.
        unit: Unit of the amounts, as "nM". A rate constant of a reaction of order k is in
            ``unit^(1-k)`` by the unit of time.

    Raises:
        SignatureError: If a reaction cannot be read, or the matrices are not of that shape, hold
            negative numbers, or orders other than 0, 1, 2, ...
        DomainError: If a rate constant is negative, NaN or infinite.
    """

    def __init__(
        self,
        species: str | None = None,
        consumed: ArrayLike | None = None,
        produced: ArrayLike | None = None,
        rates: Mapping[str, float] | None = None,
        *,
        reactions: Mapping[str, tuple[str, Any]] | None = None,
        external: str = "",
        unit: str = "",
    ) -> None:
        others = names("MassAction: external", external)
        given = (species, consumed, produced, rates)
        if reactions is None:
            own, rates = names("MassAction: species", species), {} if rates is None else rates
        elif any(part is not None for part in given):
            raise SignatureError(
                "MassAction: expected either reactions, or species, matrices and rates; got some "
                "of both. Leave one of them out."
            )
        else:
            own, consumed, produced, rates = read_network(reactions, others)
        self.state = Space(tuple(Port(name, (), unit) for name in own))
        self.inputs = Space(tuple(Port(name, (), unit) for name in others))
        require_mapping("MassAction: rates", rates, "rate constants by name")
        self.parameters = nonnegative("MassAction", **rates)
        shape = (len(rates), len(self.state) + len(self.inputs))
        self.consumed = _orders(consumed, shape)
        self.produced = _coefficients("produced", produced, shape)

    @staticmethod
    def of(
        reactions: Mapping[str, tuple[str, Any]], *, external: str = "", unit: str = ""
    ) -> MassAction:
        """The network of ``reactions``: the same as the constructor with that keyword."""
        return MassAction(reactions=reactions, external=external, unit=unit)

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> Any:
        amounts = [x[name] for name in self.state.names] + [u[name] for name in self.inputs.names]
        change: list[Any] = [0.0] * len(self.state)
        for name, consumed, produced in zip(p, self.consumed, self.produced, strict=True):
            rate = p[name]
            for amount, order in zip(amounts, consumed, strict=True):
                rate = rate * amount ** int(order) if order else rate
            for i, net in enumerate((produced - consumed)[: len(change)].tolist()):
                whole = int(net) if net.is_integer() else net
                change[i] = change[i] + whole * rate if net else change[i]
        return dict(zip(self.state.names, change, strict=True))


def _coefficients(name: str, given: ArrayLike | None, shape: tuple[int, int]) -> Any:
    matrix = number_array(f"MassAction: {name}", given)
    if matrix.shape != shape or not np.isfinite(matrix).all() or (matrix < 0).any():
        raise SignatureError(
            f"MassAction: {name!r} has to be a matrix {shape} (reactions, species and external) of "
            f"numbers of at least 0, got {matrix.tolist()}."
        )
    return matrix


def _orders(given: ArrayLike | None, shape: tuple[int, int]) -> Any:
    matrix = _coefficients("consumed", given, shape)
    if not (np.mod(matrix, 1.0) == 0.0).all():
        raise SignatureError(
            "MassAction: 'consumed' holds the reactions' orders, the whole numbers 0, 1, 2, ..., "
            f"got {matrix.tolist()}. Write other rate laws as a Flow."
        )
    return matrix
