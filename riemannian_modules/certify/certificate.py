"""The certificate: a claim and its evidence as plain data, from which it is verified again."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.certify.norms import L1, L2, LInf, Norm
from riemannian_modules.errors import CertificateError
from riemannian_modules.space import Array

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
        target = Path(path)
        text = json.dumps(self.data, indent=1, allow_nan=False)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return target


def load_certificate(path: str | Path) -> Certificate:
    """Read a certificate file; nothing in it is believed yet.

    Raises:
        CertificateError: If the file is missing, truncated, no JSON, or of another format or
            version.
    """
    source = Path(path)
    try:
        data = json.loads(source.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise CertificateError(f"There is no certificate file {source}. Check the path.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as fault:
        raise CertificateError(
            f"{source}: expected a JSON certificate, but it cannot be read ({fault}). It may be "
            "truncated; make it again with `certify`."
        ) from None
    return Certificate(check_format(data, str(source)))


def _refuse_constant(name: str) -> float:
    raise json.JSONDecodeError(f"the constant {name} is no JSON", name, 0)


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
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise CertificateError(f"{where}: expected a number, 'inf' or '-inf', got {value!r}.")


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
    try:
        array = np.array(data, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(math.nan)
    if array.shape != shape or not np.isfinite(array).all():
        raise CertificateError(
            f"{where}: expected finite numbers of shape {shape}, got {array.shape}."
        )
    return array


def statement_of(kind: str, bound: Bound, norm: Norm, overshoot: float, region: str) -> str:
    """The claim in words."""
    name = {
        L2: "the l2 norm of a constant metric",
        L1: "a weighted l1 norm",
        LInf: "a weighted linf norm",
    }[type(norm)]
    tail = (
        f", overshoot at most {overshoot:.6g} in Euclidean distance" if isinstance(norm, L2) else ""
    )
    if isinstance(bound, LogNormBound):
        verb = (
            f"shrinks at least as exp(-{-bound.rate:.10g} t)"
            if bound.rate < 0
            else f"grows at most as exp({bound.rate:.10g} t)"
        )
        return (
            f"The distance of any two trajectories {verb} in {name}{tail}, as long as both stay "
            f"in the region ({region}). Differential condition on the whole region, rounding "
            "included; that the region is invariant is not part of the claim."
        )
    what = "one step changes" if kind == "step" else "the map changes"
    assert isinstance(bound, LipschitzBound)
    return (
        f"For any two points of the region ({region}) {what} their distance at most by the factor "
        f"{bound.factor:.10g} in {name}. Rounding included."
    )
