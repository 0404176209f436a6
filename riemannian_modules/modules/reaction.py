"""Reactions written as chemists write them: ``2 A + B -> C``, ``A <-> B``, ``∅ → α``.

Source: Feinberg, *Foundations of Chemical Reaction Network Theory* (2019), chapter 2; the arrows
are those of COPASI, Antimony and Catalyst.jl.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

from riemannian_modules.door import brief, repeated, require_mapping
from riemannian_modules.errors import SignatureError

# What stands between the sides; which of them go both ways, and which the wrong way.
_ARROW = re.compile(r"<[-=]+>|[-=]+>|<[-=]+|=+|[→⟶⇒⟹←⟵⇐⇌⇋⇄⇆↔⟷]")
_BOTH_WAYS = re.compile(r"<[-=]+>|=+|[⇌⇋⇄⇆↔⟷]")
_BACKWARDS = re.compile(r"<[-=]+|[←⟵⇐]")
_NOTHING = ("", "∅", "Ø", "0")
_TERM = re.compile(r"(?:(\d+/\d+|\d+(?:\.\d*)?|\.\d+)\s*\*?\s*)?([^\W\d]\w*)")


@final
@dataclass(frozen=True, slots=True)
class Reaction:
    """One direction of a reaction: its rate constant's name and value, and both of its sides."""

    name: str
    rate: Any
    reactants: Mapping[str, Fraction]
    products: Mapping[str, Fraction]


def read_network(
    reactions: Mapping[str, Any], external: Sequence[str]
) -> tuple[list[str], list[list[float]], list[list[float]], dict[str, Any]]:
    """Species, both matrices and the rates of reactions; species in the order in which they come.

    Args:
        reactions: By name, each as `read_reaction` takes it.
        external: Species whose amounts are inputs; they have the last columns.

    Returns:
        The other species' names; coefficients of reactants and of products, each (directions,
        species + external); rate constants by name.

    Raises:
        SignatureError: If a reaction cannot be read, a rate constant's name comes twice, or a
            reactant has a coefficient that is no whole number.
    """
    require_mapping("MassAction: reactions", reactions, "reactions by name")
    read = [r for name, given in reactions.items() for r in read_reaction(name, given)]
    twice = repeated(r.name for r in read)
    if twice:
        raise SignatureError(
            f"MassAction: the rate constants {sorted(twice)} come more than once. Name each apart."
        )
    for r in read:
        for species, order in r.reactants.items():
            if order.denominator > 1:
                raise SignatureError(
                    f"Reaction {r.name!r}: mass action has whole orders, but {species!r} comes "
                    f"with {float(order)!r} among the reactants. Multiply the reaction until they "
                    "are whole (its order is then that of the new reactants), or write the rate "
                    "law that is meant as a Flow."
                )
    found = dict.fromkeys(s for r in read for side in (r.reactants, r.products) for s in side)
    own = [name for name in found if name not in external]
    consumed, produced = (
        [[float(side.get(name, 0)) for name in (*own, *external)] for side in sides]
        for sides in ([r.reactants for r in read], [r.products for r in read])
    )
    return own, consumed, produced, {r.name: r.rate for r in read}


def read_reaction(name: str, given: object) -> list[Reaction]:
    """The directions of a reaction such as ``("2 A + B -> C", 0.3)``: one, or two.

    Args:
        name: The reaction's name.
        given: The reaction and its rate constant. One that goes both ways (``<->``, ``<=>``,
            ``⇌``, ``=``) takes two, forward and reverse: ``("A <-> B", (0.3, 0.1))``. Constants are
            named after the reaction, NAME, or NAME_forward and NAME_reverse; a mapping gives them
            names of its own: ``("A <-> B", {"k_on": 0.3, "k_off": 0.1})``.

    Raises:
        SignatureError: If the reaction cannot be read, or has another number of rate constants.
    """
    if not isinstance(given, (tuple, list)) or len(given) != 2 or not isinstance(given[0], str):
        raise SignatureError(
            f"Reaction {name!r}: expected a reaction and its rate constant, such as "
            f"('2 A + B -> C', 0.3), got {brief(given)}."
        )
    text, rate = given
    arrows = _ARROW.findall(text)
    if len(arrows) != 1:
        raise SignatureError(
            f"Reaction {name!r}: expected one '->' (or '<->' for both ways) between reactants and "
            f"products, got {text!r}. Write one reaction for each arrow."
        )
    left, right = text.split(arrows[0])
    if _BACKWARDS.fullmatch(arrows[0]):
        raise SignatureError(
            f"Reaction {name!r}: expected reactants on the left, got {text!r}. Write "
            f"'{right.strip()} -> {left.strip()}'."
        )
    sides = _side(name, text, left), _side(name, text, right)
    if not (sides[0] or sides[1]):
        raise SignatureError(f"Reaction {name!r}: expected a species, got {text!r}.")
    if _BOTH_WAYS.fullmatch(arrows[0]):
        names = f"{name}_forward", f"{name}_reverse"
        (forward, k), (reverse, back) = _rates(name, text, rate, names)
        return [Reaction(forward, k, *sides), Reaction(reverse, back, *reversed(sides))]
    ((own, k),) = _rates(name, text, rate, (name,))
    return [Reaction(own, k, *sides)]


def _rates(name: str, text: str, rate: Any, names: tuple[str, ...]) -> list[tuple[str, Any]]:
    """As many rate constants as there are directions, with their names."""
    if isinstance(rate, Mapping):
        found = [(str(key), value) for key, value in rate.items()]
    elif isinstance(rate, (tuple, list)):
        found = list(zip(names, rate, strict=False)) if len(rate) == len(names) else []
    else:
        found = [(names[0], rate)]
    if len(found) != len(names) or any(isinstance(value, str) for _, value in found):
        wanted, example = (
            ("goes both ways and takes two rate constants, forward and reverse", "(0.3, 0.1)")
            if len(names) == 2
            else ("goes one way and takes one rate constant", "0.3")
        )
        named = "{'k_on': 0.3, 'k_off': 0.1}" if len(names) == 2 else "{'k': 0.3}"
        raise SignatureError(
            f"Reaction {name!r}: {text.strip()!r} {wanted}, as ({text.strip()!r}, {example}); got "
            f"{brief(rate)}. Names of constants come with their values: {named}."
        )
    return found


def _side(name: str, text: str, side: str) -> dict[str, Fraction]:
    amounts: dict[str, Fraction] = {}
    for term in side.split("+") if side.strip() not in _NOTHING else ():
        match = _TERM.fullmatch(term.strip())
        if match is None:
            raise SignatureError(
                f"Reaction {name!r}: expected terms such as 'A' or '2 A' with '+' between them, or "
                f"nothing (or '∅'), got {term.strip()!r} in {text.strip()!r}. Names are letters, "
                "digits and '_': A_p for A*, Ca for Ca2+."
            )
        amounts[match[2]] = amounts.get(match[2], Fraction(0)) + Fraction(match[1] or 1)
    return amounts
