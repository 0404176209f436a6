"""A search that can be put down and taken up again: its tree, in memory or in a file.

The file is JSON: what the search is of (a fingerprint), the cuts in the order of their making, and
the bounds. Nothing in it is believed: what is proved from it is proved again, leaf by leaf.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.arithmetic.expression import Expressions
from riemannian_modules.arithmetic.expression_data import expressions_to_data
from riemannian_modules.claims.problem import Problem
from riemannian_modules.errors import CertificateError, RegionError
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.shown import Facts, Shown, brief_value, counted
from riemannian_modules.spaces import Array
from riemannian_modules.strict_json import read_json
from riemannian_modules.terms.atoms import AtomForm
from riemannian_modules.terms.cut_tree import CutTree, Ids
from riemannian_modules.whole_file import write_whole

FORMAT, VERSION = "riemannian-modules search", 1
_KEYS = {
    "format", "version", "fingerprint", "question", "lower", "upper", "boxes", "axes", "places",
    "bounds", "queue", "batches", "point", "sampled",
}  # fmt: skip


@final
@dataclass(eq=False, slots=True, repr=False)
class SearchState(Shown):
    """All that a search knows; `subdivide.partition` goes on from it.

    Attributes:
        origin: The fingerprint, or what it is of: problem, test and target.
        tree: The boxes so far.
        point: The worst point that was sampled, (dim,).
        sampled: The b that is needed there.
        queue: Boxes that were chosen to be cut and are not yet, in order.
        batches: How many batches were chosen so far.
        question: JSON data of the caller, saved along: the norm that was found, for one.
    """

    origin: str | tuple[Problem, Criterion, float | None]
    tree: CutTree
    point: Array
    sampled: float
    queue: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    batches: int = 0
    question: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def fingerprint(self) -> str:
        """A hash of the problem, the test and the target, which another search does not share."""
        if not isinstance(self.origin, str):
            self.origin = fingerprint_of(*self.origin)
        return self.origin

    @property
    def boxes(self) -> int:
        """How many boxes were measured."""
        return self.tree.count

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the search; the file appears whole or not at all, gzipped if named ``.gz``."""
        content = json.dumps(self.to_data(), allow_nan=False).encode()
        is_packed = Path(path).suffix == ".gz"
        # Without the time in it, the same search gives the same file.
        return write_whole(path, gzip.compress(content, 6, mtime=0) if is_packed else content)

    def to_data(self) -> dict[str, Any]:
        """The search as JSON's types, which `search_from_data` reads."""
        tree = self.tree
        cut = np.flatnonzero(tree.child > 0)
        cut = cut[np.argsort(tree.child[cut])]  # as they were made
        closed = np.flatnonzero(tree.axis < -1)
        return {
            "format": FORMAT, "version": VERSION, "fingerprint": self.fingerprint,
            "question": dict(self.question),
            "lower": _packed(tree.lower, "<f8"), "upper": _packed(tree.upper, "<f8"),
            # Those that cannot be cut are listed as cut across no side, last.
            "boxes": _packed(np.concatenate([cut, closed]), "<i4"),
            "axes": _packed(np.concatenate([tree.axis[cut], tree.axis[closed]]), "<i2"),
            "places": _packed(tree.place[cut], "<f8"),
            "bounds": _packed(tree.bound, "<f8"),
            "queue": _packed(self.queue, "<i4"), "batches": self.batches,
            "point": _packed(self.point, "<f8"),
            "sampled": _packed(np.array([self.sampled]), "<f8"),
        }  # fmt: skip

    @override
    def facts(self) -> Facts:
        return Facts(
            f"SearchState of {counted(self.boxes, 'box')}; certify(..., resume=...) goes on",
            (("worst sample", brief_value(self.sampled)), ("batches", str(self.batches))),
        )


def load_search(path: str | os.PathLike[str]) -> SearchState:
    """Read a search that was saved.

    Args:
        path: A file that `Budget(save=...)` or `SearchState.save` wrote.

    Raises:
        CertificateError: If the file cannot be read, is truncated, or its cuts are inconsistent.
    """
    data = read_json(path, CertificateError)
    try:
        return search_from_data(data)
    except (ValueError, TypeError, KeyError) as fault:
        raise CertificateError(
            f"{path}: expected the file of a search that can go on, but it cannot be read "
            f"({fault}). Check the path; if the file is damaged, search anew."
        ) from None


def search_from_data(data: Any) -> SearchState:
    """The search that `SearchState.to_data` wrote.

    Raises:
        ValueError: If it is of another format or version; TypeError or KeyError if parts are amiss.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"it is no {FORMAT!r}")
    if data.get("version") != VERSION or set(data) != _KEYS:
        raise ValueError(f"it is not of version {VERSION}")
    bounds, axes = _unpacked(data["bounds"], "<f8"), _unpacked(data["axes"], "<i2")
    boxes, places = _unpacked(data["boxes"], "<i4"), _unpacked(data["places"], "<f8")
    lower, upper = _unpacked(data["lower"], "<f8"), _unpacked(data["upper"], "<f8")
    queue, point = _unpacked(data["queue"], "<i4"), _unpacked(data["point"], "<f8")
    cuts = len(places)
    _expect(len(bounds) == 2 * cuts + 1 and len(boxes) == len(axes), "its lists do not fit")
    _expect(len(boxes) >= cuts and len(lower) == len(upper) == len(point), "its lists do not fit")
    _expect(not np.isnan(bounds).any() and not np.isnan(places).any(), "NaN is no bound or place")
    _expect(bool(((axes[:cuts] >= 0) & (axes[:cuts] < len(lower))).all()), "an axis is unknown")
    # Box k of the list was cut into 2 k + 1 and 2 k + 2: it has to be there before, and once only.
    _expect(bool((boxes[:cuts] <= 2 * np.arange(cuts)).all()), "a box is cut before it is made")
    _expect(len(np.unique(boxes)) == len(boxes), "a box is cut twice")
    _expect(bool(((boxes >= 0) & (boxes < len(bounds))).all()), "a box is unknown")
    tree = CutTree(lower, upper, float(bounds[0]))
    tree.add(boxes[:cuts].astype(np.int64), axes[:cuts].astype(np.int64), places, bounds[1:])
    tree.close(boxes[cuts:].astype(np.int64))
    _expect(tree.cuts_lie_inside(), "a cut lies outside of its box")
    leaves = (tree.axis == -1)[queue] if np.isin(queue, np.arange(tree.count)).all() else [False]
    _expect(bool(np.all(leaves)), "its queue holds what is no leaf")
    (sampled,) = _unpacked(data["sampled"], "<f8")
    if type(data["batches"]) is not int or not isinstance(data["question"], dict):
        raise ValueError("its lists do not fit")
    return SearchState(
        str(data["fingerprint"]), tree, point, float(sampled), queue.astype(np.int64),
        data["batches"], data["question"],
    )  # fmt: skip


def _expect(holds: bool, fault: str) -> None:  # noqa: FBT001 - it is the question itself
    if not holds:
        raise ValueError(fault)


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode()


def _unpacked(text: str, kind: str) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype=kind).astype(kind[1:])


def require_same(
    state: SearchState, problem: Problem, criterion: Criterion, target: float | None
) -> None:
    """Refuse to go on with a search of something else.

    Raises:
        RegionError: If the fingerprints differ, or the search left the problem's region.
    """
    fingerprint = fingerprint_of(problem, criterion, target)
    if state.fingerprint != fingerprint:
        raise RegionError(
            "resume: this search is of another problem: its system, region, norm or target differ "
            f"(fingerprints {state.fingerprint[:12]} and {fingerprint[:12]}). Ask for the same as "
            "then, or search anew without it."
        )
    # A fingerprint is a file's word only; leaves have to cover the region that is claimed.
    low, high = problem.lower, problem.upper
    same = np.array_equal(state.tree.lower, low) and np.array_equal(state.tree.upper, high)
    if not same or not ((low <= state.point) & (state.point <= high)).all():
        raise RegionError(
            "resume: expected a search of the problem's region, but its boxes or its sample are of "
            "another. The file was changed; search anew without it."
        )


def fingerprint_of(problem: Problem, criterion: Criterion, target: float | None) -> str:
    """A hash of what a search is of: expressions, region, test and target."""
    digest = hashlib.sha256()
    _digest(digest, ("problem", problem))
    _digest(digest, ("criterion", criterion))
    _digest(digest, ("target", None if target is None else float(target).hex()))
    return digest.hexdigest()


def _digest(digest: Any, value: Any) -> None:
    if isinstance(value, AtomForm):
        # Not what is known of its atoms' ranges, which may depend on the time that was left.
        _digest(digest, (value.shape, value.atoms, value.products, value.coefficients))
    elif isinstance(value, Expressions):
        digest.update(json.dumps(expressions_to_data(value), sort_keys=True).encode())
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode() + value.tobytes())
    elif is_dataclass(value):
        digest.update(type(value).__name__.encode())
        for f in fields(value):
            _digest(digest, (f.name, getattr(value, f.name)))
    elif isinstance(value, (tuple, list)):
        digest.update(f"({len(value)}".encode())
        for part in value:
            _digest(digest, part)
    elif isinstance(value, Mapping):
        _digest(digest, [(k, value[k]) for k in sorted(value, key=str)])
    else:
        digest.update((sp.srepr(value) if isinstance(value, sp.Basic) else repr(value)).encode())
