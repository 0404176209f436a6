"""The certificate: a claim and its evidence as plain data, from which it is verified again."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from riemannian_modules.bound import Bound, LogNormBound
from riemannian_modules.certify.norms import L1, L2, LInf, Norm
from riemannian_modules.door import require
from riemannian_modules.errors import CertificateError
from riemannian_modules.space import Array
from riemannian_modules.whole_file import write_whole

FORMAT, VERSION = "riemannian-modules certificate", 1


@final
@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """JSON data: claim, region, metric, system (its expressions) and evidence.

    Numbers are written so that they read back as the same binary numbers; infinite sides are "inf".
    """

    data: Mapping[str, Any]

    @property
    def statement(self) -> str:
        """The claim in words."""
        return str(self.data["claim"]["statement"])

    def save(self, path: str | Path) -> Path:
        """Write the certificate; the file appears whole or not at all."""
        return write_whole(path, json.dumps(self.data, indent=1, allow_nan=False))


def load_certificate(path: str | Path) -> Certificate:
    """Read a certificate file; nothing in it is believed yet.

    Raises:
        CertificateError: If the file is missing, truncated, no JSON, or of another format or
            version.
    """
    require("load_certificate", path, (str, Path), "a path", CertificateError)
    source = Path(path)
    try:
        data = json.loads(
            source.read_text(encoding="utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_twins,
        )
    except OSError as fault:
        raise CertificateError(
            f"{source}: expected a certificate file, but it cannot be read ({fault.strerror}). "
            "Check the path."
        ) from None
    except (ValueError, RecursionError) as fault:
        raise CertificateError(
            f"{source}: expected a JSON certificate, but it cannot be read ({fault}). It may be "
            "truncated; make it again with `certify`."
        ) from None
    return Certificate(check_format(data, str(source)))


def _refuse_constant(name: str) -> float:
    raise json.JSONDecodeError(f"the constant {name} is no JSON", name, 0)


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of a key given twice, readers take different ones: the file would claim two things.
    table = dict(pairs)
    if len(table) != len(pairs):
        raise json.JSONDecodeError("a key is given twice", ", ".join(k for k, _ in pairs), 0)
    return table


def check_format(data: object, where: str) -> Mapping[str, Any]:
    """The data as a mapping, if it is a certificate of this version with all its parts."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CertificateError(f"{where}: expected a file of format {FORMAT!r}.")
    if data.get("version") != VERSION:
        raise CertificateError(f"{where}: expected version {VERSION}, got {data.get('version')!r}.")
    missing = sorted({"claim", "region", "system", "evidence"} - set(data))
    if missing:
        raise CertificateError(
            f"{where}: the parts {missing} are missing; the file may be truncated."
        )
    return data


def number_to_data(value: float) -> float | str:
    """A finite float as itself, an infinite one as "inf" or "-inf"."""
    return float(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def number_from_data(value: object, where: str) -> float:
    """The float that `number_to_data` wrote."""
    if value in ("inf", "-inf"):
        return math.inf if value == "inf" else -math.inf
    # Whole numbers that are no doubles would be rounded, and the claim with them.
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
        and float(value) == value
    ):
        return float(value)
    raise CertificateError(f"{where}: expected a number, 'inf' or '-inf', got {value!r}.")


def region_from_data(data: object, names: Sequence[str]) -> tuple[Array, Array]:
    """Lower and upper sides (dim,) of a region written as rows [name, lower, upper].

    Raises:
        CertificateError: If the rows are not those of ``names`` in order, or hold no sides.
    """
    rows = data if isinstance(data, list) else []
    got = [row[0] if isinstance(row, list) and len(row) == 3 else None for row in rows]
    if got != list(names):
        raise CertificateError(
            f"region: expected one row [name, lower, upper] for each of {list(names)}."
        )
    lower = np.array([number_from_data(row[1], f"region.{row[0]}") for row in rows])
    upper = np.array([number_from_data(row[2], f"region.{row[0]}") for row in rows])
    if not ((lower <= upper) & (lower < np.inf) & (upper > -np.inf)).all():
        raise CertificateError(
            "region: a lower side exceeds its upper side, or both are infinite: it would be empty."
        )
    return lower, upper


def norm_to_data(norm: Norm) -> dict[str, Any]:
    """A norm as data."""
    if isinstance(norm, L2):
        return {"type": "l2", "metric": norm.metric.tolist()}
    return {"type": "l1" if isinstance(norm, L1) else "linf", "weights": norm.weights.tolist()}


def norm_from_data(data: object, size: int, where: str) -> Norm:
    """The norm that `norm_to_data` wrote; its definiteness is for the caller to prove."""
    if isinstance(data, dict) and data.get("type") == "l2":
        return L2(array_from_data(data.get("metric"), (size, size), f"{where}.metric"))
    if isinstance(data, dict) and data.get("type") in ("l1", "linf"):
        weights = array_from_data(data.get("weights"), (size,), f"{where}.weights")
        if not (weights > 0).all():
            raise CertificateError(f"{where}: weights must be positive, got {weights.min()}.")
        return L1(weights) if data["type"] == "l1" else LInf(weights)
    raise CertificateError(
        f"{where}: expected a norm of type 'l2', 'l1' or 'linf', got {data!r:.60}."
    )


def array_from_data(data: object, shape: tuple[int, ...], where: str) -> Array:
    """A finite array of a known shape."""
    rows = data if isinstance(data, list) else []
    if len(rows) != shape[0]:
        raise CertificateError(f"{where}: expected finite numbers of shape {shape}.")
    if len(shape) > 1:
        return np.stack([array_from_data(row, shape[1:], where) for row in rows])
    array = np.array([number_from_data(value, where) for value in rows])
    if not np.isfinite(array).all():
        raise CertificateError(f"{where}: expected finite numbers, got {rows!r:.60}.")
    return array


def region_in_words(names: Sequence[str], lower: Sequence[float], upper: Sequence[float]) -> str:
    """The bounded sides of a region, with all digits: rounded ones would claim another region."""
    sides = [
        f"{name} in [{low!r}, {high!r}]"
        for name, low, high in zip(names, lower, upper, strict=True)
        if math.isfinite(low) or math.isfinite(high)
    ]
    return ", ".join(sides) or "everywhere"


def statement_of(
    kind: str, bound: Bound, norm: Norm, input_norm: Norm | None, overshoot: float, region: str
) -> str:
    """The claim in words; numbers with all their digits, for a rounded one could claim more."""
    name = {
        L2: "the l2 norm of a constant metric",
        L1: "a weighted l1 norm",
        LInf: "a weighted linf norm",
    }[type(norm)]
    # Six digits are off by less than 5e-6: with 1e-5 more they stay above.
    tail = (
        f", overshoot at most {overshoot * (1 + 1e-5):.6g} in Euclidean distance"
        if isinstance(norm, L2)
        else ""
    )
    if isinstance(bound, LogNormBound):
        verb = (
            f"shrinks at least as exp(-{-bound.rate!r} t)"
            if bound.rate < 0
            else f"grows at most as exp({bound.rate!r} t)"
        )
        return (
            "With the same inputs and parameters, the distance of any two trajectories "
            f"{verb} in {name}{tail}, as long as both stay "
            f"in the region ({region}). Differential condition on the whole region, rounding "
            "included; that the region is invariant is not part of the claim."
        )
    if kind == "step":
        return (
            "With the same inputs and parameters, for any two points of the region "
            f"({region}) one step changes their distance at most by the factor {bound.factor!r} in "
            f"{name}{tail}. Rounding included."
        )
    source = "a given metric" if input_norm is not None else "Euclidean distance"
    source = source if isinstance(norm, L2) else "the same norm"
    return (
        f"With the same parameters, the outputs of any two points of the region ({region}) are "
        f"apart, in {name}, by at most {bound.factor!r} times the distance of the inputs, in "
        f"{source}. Rounding included."
    )
