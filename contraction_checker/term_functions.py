"""Elementary functions of terms, and their derivatives.

``f(t + dt) = f(t) + f'(t) dt``, for dt is infinitesimal. That a function is odd or even is used so
that equal terms are written alike; nothing else is known of it but what `terms` multiplies out. A
function that jumps has no derivative: whatever moves through it is refused. Derivatives of
functions with kinks are Clarke's: at the kink, everything between those of both sides.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

from contraction_checker.refusals import NotProvedError
from contraction_checker.term_powers import power, quotient
from contraction_checker.terms import (
    Generator,
    Term,
    add,
    as_term,
    even_function,
    generated,
    multiply,
    odd_function,
)

ODD = {"sin", "tan", "tanh", "sinh", "arcsin", "arctan", "arcsinh", "erf", "sign"}
EVEN = {"cos", "cosh"}
HALF = Fraction(1, 2)


def apply(word: str, operands: Sequence[Term]) -> Term:
    """A function of terms, of which any may move.

    Raises:
        NotProvedError: If what moves goes through a jump, or terms become too long.
        MalformedError: If an exponent is beyond 1024.
    """
    still = [t.still() for t in operands]
    if word in ("maximum", "minimum"):
        gap = (still[0] - still[1]).constant()
        if gap is not None:  # one of them is the larger everywhere
            is_second = gap < 0 if word == "maximum" else gap >= 0
            return operands[is_second]
    if word == "power":
        exponent = still[1].constant()
        if exponent is not None:
            return power(operands[0], exponent)
    value = _of_still(word, still)
    moving = [t - s for t, s in zip(operands, still, strict=True)]
    if not any(moving):
        return value
    slopes = DERIVATIVES[word](*still)
    return add((slope * dt for slope, dt in zip(slopes, moving, strict=True)), value)


def where(x: Term, y: Term, border: Term) -> Term:
    """The first where the border is positive, else the second; they have to meet at zero."""
    return y + (x - y) * apply("step", [border.still()])


def _of_still(word: str, operands: Sequence[Term]) -> Term:
    """A function of terms that do not move, written in one way."""
    if word in ODD - {"sign"}:
        return odd_function(word, operands[0])
    if word in EVEN:
        return even_function(word, operands[0])
    if word in ("step", "sign"):
        return _of_the_sign(word, operands[0])
    if word == "absolute":
        return _magnitude(operands[0])
    if word == "exp":  # exp(a m + b n) = (exp m)^a (exp n)^b
        parts = operands[0].parts.items()
        return multiply((generated(Generator("exp", "", m), c) for m, c in parts), as_term(1))
    return generated(Generator(word, operands=tuple(operands)))


def _of_the_sign(word: str, t: Term) -> Term:
    """``step`` or ``sign`` of a term, which are the same of c t for every c > 0."""
    leading = t.leading()
    if leading < 0:
        opposite = _of_the_sign(word, -t)
        return 1 - opposite if word == "step" else -opposite
    if leading in (0, 1):
        return (
            odd_function(word, t) if word == "sign" else generated(Generator(word, operands=(t,)))
        )
    return _of_the_sign(word, t * (1 / Fraction(leading)))


def _magnitude(t: Term) -> Term:
    if not t:
        return t
    return generated(Generator("absolute", operands=(-t if t.leading() < 0 else t,)))


def _jump(_: Term) -> list[Term]:
    raise NotProvedError("the map may jump")


def _slope_of_softplus(x: Term) -> list[Term]:
    return [(1 + odd_function("tanh", x * HALF)) * HALF]


def _slope_of_erf(x: Term) -> list[Term]:
    pi = generated(Generator("pi"))
    return [quotient(2, power(pi, HALF)) * apply("exp", [-(x * x)])]


def _slopes_of_power(x: Term, y: Term) -> list[Term]:
    return [y * apply("power", [x, y - 1]), apply("power", [x, y]) * apply("log", [x])]


def _slopes_of_maximum(x: Term, y: Term) -> list[Term]:
    first = apply("step", [x - y])
    return [first, 1 - first]


def _slopes_of_minimum(x: Term, y: Term) -> list[Term]:
    first = apply("step", [y - x])
    return [first, 1 - first]


# From a function's word to its derivative by each operand.
DERIVATIVES: dict[str, Callable[..., list[Term]]] = {
    "pi": list,
    "exp": lambda x: [apply("exp", [x])],
    "log": lambda x: [quotient(1, x)],
    "sin": lambda x: [even_function("cos", x)],
    "cos": lambda x: [-odd_function("sin", x)],
    "tan": lambda x: [1 + power(odd_function("tan", x), 2)],
    "tanh": lambda x: [1 - power(odd_function("tanh", x), 2)],
    "sinh": lambda x: [even_function("cosh", x)],
    "cosh": lambda x: [odd_function("sinh", x)],
    "arcsin": lambda x: [quotient(1, power(1 - x * x, HALF))],
    "arctan": lambda x: [quotient(1, 1 + x * x)],
    "arcsinh": lambda x: [quotient(1, power(1 + x * x, HALF))],
    "softplus": _slope_of_softplus,
    "erf": _slope_of_erf,
    "power": _slopes_of_power,
    "absolute": lambda x: [apply("sign", [x])],
    "maximum": _slopes_of_maximum,
    "minimum": _slopes_of_minimum,
    "step": _jump,
    "sign": _jump,
}
