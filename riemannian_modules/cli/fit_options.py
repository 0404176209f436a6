"""What the options of `fit` say, over what the file's `fit` section says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from riemannian_modules.cli.arguments import misuse
from riemannian_modules.errors import SpecError

if TYPE_CHECKING:
    from riemannian_modules.spec.system import FitTask


@final
@dataclass(frozen=True, slots=True)
class FitOptions:
    """The options as they stand on the command line, each perhaps several times."""

    loss: str | None
    bounds: Sequence[str]
    fixed: Sequence[str]
    prior: Sequence[str]
    sigma: Sequence[str]
    weights: Sequence[str]
    absolute: bool

    def over(self, task: FitTask) -> FitTask:
        """The file's task with the options over it."""
        from riemannian_modules.cli.arguments import region_sides

        return replace(
            task,
            loss=self.loss or task.loss,
            bounds=region_sides(task.bounds, self.bounds, "--bounds"),
            fixed={**task.fixed, **dict(_fixed(text) for text in self.fixed)},
            prior={**task.prior, **dict(_named("--prior", text) for text in self.prior)},
            sigma={**task.sigma, **dict(_number_or_column("--sigma", t) for t in self.sigma)},
            weights={
                **task.weights,
                **dict(_number_or_column("--weights", t) for t in self.weights),
            },
            absolute=self.absolute or task.absolute,
        )


def keywords_of(
    task: FitTask, columns: Mapping[str, Any], parameters: Sequence[str]
) -> dict[str, Any]:
    """What `riemannian_modules.engine.fit` is called with.

    Args:
        task: What is asked for.
        columns: The table's columns that are no ports.
        parameters: The module's parameters, which a prior under "*" stands for.
    """
    from riemannian_modules.spec.fit_words import loss_named, prior_named

    priors = {
        name: _said("--prior", lambda text=text: prior_named(text, "prior"))
        for name, text in task.prior.items()
    }
    everyone = priors.pop("*", None)
    if everyone is not None:
        priors = dict.fromkeys(parameters, everyone) | priors

    def of_table(values: Mapping[str, float | str]) -> dict[str, Any] | None:
        found = {n: columns[v] if isinstance(v, str) else v for n, v in values.items()}
        return found or None

    return {
        "loss": _said("--loss", lambda: loss_named(task.loss, "loss")),
        "bounds": dict(task.bounds),
        "fixed": dict(task.fixed),
        "prior": priors,
        "sigma": of_table(task.sigma),
        "weights": of_table(task.weights),
        "absolute": task.absolute,
    }


def columns_of(task: FitTask) -> list[str]:
    """The table's columns that are no ports."""
    return [v for v in (*task.sigma.values(), *task.weights.values()) if isinstance(v, str)]


def _said(option: str, make: Any) -> Any:
    try:
        return make()
    except SpecError as fault:
        raise misuse(option, str(fault)) from None


def _named(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise misuse(option, f"expected NAME=VALUE, got {text!r}.")
    return name.strip(), value.strip()


def _fixed(text: str) -> tuple[str, Any]:
    if "=" not in text:
        return text.strip(), None
    name, value = _named("--fixed", text)
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        raise misuse(
            "--fixed", f"expected NAME or NAME=NUMBER such as k=1, got {text!r}."
        ) from None
    return name, numbers[0] if len(numbers) == 1 else numbers


def _number_or_column(option: str, text: str) -> tuple[str, float | str]:
    name, value = _named(option, text)
    try:
        return name, float(value)
    except ValueError:
        return name, value
