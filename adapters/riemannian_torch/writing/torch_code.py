"""Exact expressions as torch code: values as NumPy's, gradients those of the selected branch.

Torch differentiates both sides of a ``where``, and zero times an infinite slope is no number. So
the symbols of a side are let through only where it is selected; elsewhere they are constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import numpy as np
import sympy as sp
import torch
from torch import Tensor
from typing_extensions import override

from riemannian_modules.arithmetic.compile import SymbolGroups, Writer, float_text, small_power
from riemannian_modules.errors import UnsupportedError

TensorNumber: TypeAlias = Tensor | float
NumberColumns: TypeAlias = Sequence[TensorNumber]


def _lifted(of_tensors: Callable[[Any], Any], of_floats: Callable[[Any], Any]) -> Any:
    """A function of tensors that takes constants too."""

    def apply(x: TensorNumber) -> TensorNumber:
        return of_tensors(x) if isinstance(x, Tensor) else float(of_floats(x))

    return apply


def _tensor(x: TensorNumber) -> Tensor:
    """A constant in double, for torch would take its default type; it widens no other's."""
    return x if isinstance(x, Tensor) else torch.tensor(x, dtype=torch.float64)


_UNARY = {
    "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh",
    "cosh": "cosh", "tanh": "tanh", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "arcsinh": "asinh", "arctanh": "atanh", "arccosh": "acosh", "expm1": "expm1",
    "log1p": "log1p", "absolute": "abs", "sign": "sign",
}  # fmt: skip


def sqrt(x: TensorNumber) -> TensorNumber:
    """The square root; its slope at zero, which is infinite, is taken as zero."""
    if not isinstance(x, Tensor):
        return float(np.sqrt(x))
    return torch.where(x > 0, torch.sqrt(torch.where(x > 0, x, 1.0)), torch.sqrt(x.detach()))


def cbrt(x: TensorNumber) -> TensorNumber:
    """The cube root of any real number."""
    if not isinstance(x, Tensor):
        return float(np.cbrt(x))
    size = torch.where(x == 0, 1.0, torch.abs(x)) ** (1.0 / 3.0)
    return torch.where(x == 0, 0.0 * x, torch.sign(x) * size)


def maximum(x: TensorNumber, y: TensorNumber) -> TensorNumber:
    """The larger; where they are equal the slope is the second's."""
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        return max(x, y)
    return torch.where(_is_above(x, y), x, y)


def minimum(x: TensorNumber, y: TensorNumber) -> TensorNumber:
    """The smaller; where they are equal the slope is the second's."""
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        return min(x, y)
    return torch.where(_is_above(y, x, x), x, y)


def _is_above(x: TensorNumber, y: TensorNumber, first: TensorNumber | None = None) -> Tensor:
    """Where x > y, or the one that is chosen then is no number."""
    chosen = x if first is None else first
    above: Any = x > y
    return above | torch.isnan(chosen) if isinstance(chosen, Tensor) else above


def step(x: TensorNumber) -> TensorNumber:
    """1 where x > 0, else 0."""
    return (x > 0).to(x.dtype) if isinstance(x, Tensor) else float(x > 0)


def softplus(x: TensorNumber) -> TensorNumber:
    """``log(1 + exp(x))``."""
    if not isinstance(x, Tensor):
        return float(np.logaddexp(0.0, x))
    return torch.logaddexp(x, torch.zeros_like(x))


def power(x: TensorNumber, y: TensorNumber) -> TensorNumber:
    """``x**y``; ``max(x, 0)**y`` for an exponent that is no whole number."""
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        return float(np.power(0.0 if x < 0 and np.floor(y) != y else x, y))
    base, exponent = _tensor(x), _tensor(y)
    is_out = (base < 0) & (torch.floor(exponent) != exponent)
    return torch.pow(torch.where(is_out, 0.0, base), y)


def xlogy(x: TensorNumber, y: TensorNumber) -> TensorNumber:
    """``x log(y)``, zero where x is."""
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        return 0.0 if x == 0 else float(x * np.log(y))
    return torch.xlogy(_tensor(x), _tensor(y))


def power_log(x: TensorNumber, y: TensorNumber) -> TensorNumber:
    """``x**y log(x)``, zero at zero."""
    base = _tensor(x)
    positive = torch.where(base > 0, base, 1.0)
    return torch.where(base > 0, torch.pow(positive, y) * torch.log(positive), 0.0)


def where(condition: Tensor | bool, x: TensorNumber, y: TensorNumber) -> TensorNumber:  # noqa: FBT001
    """X where the condition holds, else y."""
    if not isinstance(condition, Tensor):
        return x if condition else y
    return torch.where(condition, _tensor(x), y)


def only(condition: Tensor | bool, x: TensorNumber) -> TensorNumber:  # noqa: FBT001
    """x, with gradients only where the condition holds."""
    if not isinstance(x, Tensor) or not isinstance(condition, Tensor):
        return x
    return torch.where(condition, x, x.detach())


def _both(x: Any, y: Any) -> Any:
    return x & y


def _either(x: Any, y: Any) -> Any:
    return x | y


def _opposite(x: Any) -> Any:
    return ~x if isinstance(x, Tensor) else not x


class _only(sp.Function):  # noqa: N801 - a function's name
    """A symbol of a side of a choice, by the condition under which that is selected."""

    nargs = 2


@final
class _Torch:
    """How terms are written for torch."""

    is_float = True

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {
            name: _lifted(getattr(torch, theirs), getattr(np, name))
            for name, theirs in _UNARY.items()
        }
        self.namespace |= {
            f.__name__: f
            for f in (sqrt, cbrt, maximum, minimum, step, softplus, power, power_log, xlogy)
        }
        self.namespace |= {
            "erf": _lifted(torch.erf, _erf),
            "arctan2": torch.atan2,
            "where": where,
            "only": only,
            "less": lambda x, y: x < y,
            "less_equal": lambda x, y: x <= y,
            "greater": lambda x, y: x > y,
            "greater_equal": lambda x, y: x >= y,
            "logical_and": _both,
            "logical_or": _either,
            "logical_not": _opposite,
            "inf": float("inf"),
        }

    def number(self, value: Any) -> str:
        return float_text(value)

    def power(self, base: str, exponent: Any) -> str:
        small = small_power(base, exponent)
        if small is not None:
            return small
        if exponent.is_Integer:
            return f"{base}**{float_text(exponent)}"
        return f"power({base}, {self.number(exponent)})"

    def call(self, name: str, parts: list[str]) -> str:
        return f"{name}({', '.join(parts)})"


def _erf(x: float) -> float:
    from scipy.special import erf

    return float(erf(x))


@final
class _TorchWriter(Writer):
    """Writes choices so that gradients come from the selected side alone."""

    @override
    def _text(self, term: Any) -> str:
        if isinstance(term, _only):
            return self.target.call("only", [self.names[a] for a in term.args])
        return super()._text(term)


def _let_through(term: Any) -> Any:
    """The term with the symbols of each side of a choice marked by when it is selected."""
    choices: Any = term.atoms(sp.Piecewise)
    if not choices:
        return term
    table: dict[Any, Any] = {}
    for choice in sorted(choices, key=sp.count_ops):  # inner ones first
        rest: Any = sp.true
        pairs: list[tuple[Any, Any]] = []
        for side in choice.args:
            value, condition = (part.xreplace(table) for part in side)
            here: Any = sp.And(rest, condition)
            marked = {s: _only(here, s) for s in value.free_symbols}
            pairs.append((value.xreplace(marked) if here != sp.true else value, condition))
            rest = sp.And(rest, sp.Not(condition))
        table[choice] = sp.Piecewise(*pairs, evaluate=False)
    return term.xreplace(table)


def torch_function(
    where_from: str, expressions: Sequence[Any], groups: SymbolGroups
) -> Callable[..., tuple[TensorNumber, ...]]:
    """A function of one sequence of tensors for each group of symbols.

    Args:
        where_from: The module's name, for messages.
        expressions: What it gives; constants come back as floats.
        groups: The symbols.

    Raises:
        UnsupportedError: For a term that has no form in torch.
    """
    writer = _TorchWriter(_Torch(), groups)
    writer.names[sp.true], writer.names[sp.false] = "True", "False"
    try:
        results = [writer.write(_let_through(e)) for e in expressions]
    except UnsupportedError as error:
        raise UnsupportedError(f"{where_from}: {error}") from None
    lines = [
        f"{', '.join(f'{prefix}{i}' for i in range(len(group)))}, = {prefix}"
        for prefix, group in zip("xup", groups, strict=True)
        if group
    ]
    body = "".join(f"    {line}\n" for line in [*lines, *writer.lines])
    source = f"def written(x, u, p):\n{body}    return ({''.join(r + ', ' for r in results)})\n"
    namespace = dict(writer.target.namespace)
    exec(compile(source, f"<{where_from} in torch>", "exec"), namespace)
    return namespace["written"]
