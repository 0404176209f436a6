"""Reaction networks with mass-action kinetics.

Source: Feinberg, *Foundations of Chemical Reaction Network Theory* (2019), chapter 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import brief, names, number_array, require_mapping
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.kinetic_arguments import nonnegative
from riemannian_modules.modules.traced import Flow
from riemannian_modules.space import Port, Signals, Space


@final
class MassAction(Flow):
    """``c' = (produced - consumed)^T v`` with ``v_r = k_r prod_s c_s^consumed[r, s]``.

    Give either species, matrices and rates, or reactions, from which they are read.

    Args:
        species: Names of the species that react, separated by blanks: the states.
        consumed: Stoichiometric coefficients of the reactants, (reactions, species + external).
        produced: Those of the products, of the same shape.
        rates: The rate constant of each reaction by its name, in the order of the rows.
        reactions: For each reaction's name the reaction and its rate constant, as in
            ``{"bind": ("2 A + B -> C", 0.3), "lose": ("C ->", 0.1)}``.
        external: Names of species whose amounts are inputs; reactions do not change them. A
            production rate that is an input is an external species e in the reaction ``e -> e +
            product``.
        unit: Unit of the amounts, as "nM". A rate constant of a reaction of order k is in
            ``unit^(1-k)`` by the unit of time.

    Raises:
        SignatureError: If the matrices are not of that shape, or hold other numbers than 0, 1, 2,
            ...
        DomainError: If a rate constant is negative, NaN or infinite.
    """

    def __init__(
        self,
        species: str | None = None,
        consumed: ArrayLike | None = None,
        produced: ArrayLike | None = None,
        rates: Mapping[str, float] | None = None,
        *,
        reactions: Mapping[str, tuple[str, float]] | None = None,
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
            own, consumed, produced, rates = _network(reactions, others)
        self.state = Space(tuple(Port(name, (), unit) for name in own))
        self.inputs = Space(tuple(Port(name, (), unit) for name in others))
        require_mapping("MassAction: rates", rates, "rate constants by name")
        self.parameters = nonnegative("MassAction", **rates)
        shape = (len(rates), len(self.state) + len(self.inputs))
        self.consumed = _coefficients("consumed", consumed, shape)
        self.produced = _coefficients("produced", produced, shape)

    @staticmethod
    def of(
        reactions: Mapping[str, tuple[str, float]], *, external: str = "", unit: str = ""
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
            for i, net in enumerate((produced - consumed)[: len(change)]):
                change[i] = change[i] + int(net) * rate if net else change[i]
        return dict(zip(self.state.names, change, strict=True))


def _coefficients(name: str, given: ArrayLike | None, shape: tuple[int, int]) -> Any:
    matrix = number_array(f"MassAction: {name}", given)
    if matrix.shape != shape or not (np.mod(matrix, 1.0) == 0.0).all() or (matrix < 0).any():
        raise SignatureError(
            f"MassAction: {name!r} has to be a matrix {shape} (reactions, species and external) of "
            f"the whole numbers 0, 1, 2, ..., got {matrix.tolist()}."
        )
    return matrix.astype(np.int64)


def _network(
    reactions: Mapping[str, tuple[str, float]], external: Sequence[str]
) -> tuple[list[str], list[list[int]], list[list[int]], dict[str, float]]:
    """Species, both matrices and rates of reactions; species in the order in which they come."""
    require_mapping("MassAction: reactions", reactions, "a reaction and its rate by name")
    for name, pair in reactions.items():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise SignatureError(
                f"Reaction {name!r}: expected a reaction and its rate constant, as in "
                f"('A + B -> C', 0.3), got {brief(pair)}."
            )
    sides = [_sides(name, text) for name, (text, _) in reactions.items()]
    found = dict.fromkeys(s for pair in sides for side in pair for s in side)
    own = [name for name in found if name not in external]
    consumed, produced = (
        [[pair[which].get(name, 0) for name in (*own, *external)] for pair in sides]
        for which in (0, 1)
    )
    return own, consumed, produced, {name: k for name, (_, k) in reactions.items()}


def _sides(name: str, text: str) -> tuple[dict[str, int], dict[str, int]]:
    sides = text.split("->")
    if len(sides) != 2:
        raise SignatureError(
            f"Reaction {name!r}: expected one '->' between reactants and products, got {text!r}."
        )
    return _side(name, sides[0]), _side(name, sides[1])


def _side(name: str, text: str) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for term in text.split("+") if text.strip() else ():
        match = re.fullmatch(r"\s*(\d*)\s*([A-Za-z_]\w*)\s*", term)
        if match is None:
            raise SignatureError(
                f"Reaction {name!r}: expected a term such as 'A' or '2 A', got {term.strip()!r}."
            )
        amounts[match[2]] = amounts.get(match[2], 0) + int(match[1] or 1)
    return amounts
