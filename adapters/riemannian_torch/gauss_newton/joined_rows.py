"""The rows of a parameter that several uses of it give, or several groups of samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from riemannian_torch.gauss_newton.convolution_rows import ConvolutionRows
from riemannian_torch.gauss_newton.looked_up_rows import LookedUpRows
from riemannian_torch.gauss_newton.rows import DenseRows, OuterRows, Rows


def added(rows: Sequence[Rows]) -> Rows:
    """The rows of a parameter that is used in several places: their sum, sample by sample."""
    if len(rows) == 1:
        return rows[0]
    images = _of_one_convolution(rows)
    if images:
        a, d = (torch.cat(parts, 1) for parts in ([r.a for r in images], [r.d for r in images]))
        return ConvolutionRows(a, d, images[0].shape, images[0].how)
    rows = [r.outer() if isinstance(r, LookedUpRows) else r for r in rows]
    outer = [r for r in rows if isinstance(r, OuterRows)]
    if len(outer) == len(rows):
        a, d = (torch.cat(parts, 1) for parts in ([r.a for r in outer], [r.d for r in outer]))
        return OuterRows(a, d, outer[0].shape)
    return DenseRows(torch.stack([r.formed().rows for r in rows]).sum(0))


def stacked(rows: Sequence[Rows | None], counts: Sequence[int]) -> Rows:
    """The rows of several groups of samples, one below the other; None for a group without."""
    present = [r for r in rows if r is not None]
    if len(rows) == 1:
        return present[0]
    images = _of_one_convolution(present)
    if len(images) == len(rows) and len({r.a.shape[1] for r in images}) == 1:
        d, one = torch.cat([r.d for r in images]), all(_is_same(r.a, images[0].a) for r in images)
        a = images[0].a if one else torch.cat([r.a for r in images])
        return ConvolutionRows(a, d, images[0].shape, images[0].how)
    outer = [r for r in present if isinstance(r, OuterRows)]
    tables = [r for r in present if isinstance(r, LookedUpRows)]
    if len(outer) == len(rows) and all(_is_same(r.a, outer[0].a) for r in outer):
        return OuterRows(outer[0].a, torch.cat([r.d for r in outer]), outer[0].shape)
    if len(tables) == len(rows) and len({r.index.shape[1] for r in tables}) == 1:
        index, d = torch.cat([r.index for r in tables]), torch.cat([r.d for r in tables])
        return LookedUpRows(index, d, tables[0].entries)
    if len(outer) == len(present):
        places = max(r.a.shape[1] for r in outer)
        a = _padded([r.a if isinstance(r, OuterRows) else None for r in rows], counts, places)
        d = _padded([r.d if isinstance(r, OuterRows) else None for r in rows], counts, places)
        return OuterRows(a, d, outer[0].shape)
    formed = [None if r is None else r.formed().rows[:, None] for r in rows]
    return DenseRows(_padded(formed, counts, 1)[:, 0])


def _of_one_convolution(rows: Sequence[Rows]) -> list[ConvolutionRows]:
    """The rows where all are of one convolution over images of one size, none otherwise."""
    found = [r for r in rows if isinstance(r, ConvolutionRows)]
    if len(found) < len(rows) or len({(r.how, r.a.shape[3:]) for r in found}) > 1:
        return []
    return found


def _is_same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors that live are one: columns of the same samples have inputs in common."""
    return (a.data_ptr(), a.shape, a.stride()) == (b.data_ptr(), b.shape, b.stride())


def _padded(parts: Sequence[Tensor | None], counts: Sequence[int], places: int) -> Tensor:
    """Parts (B_i, T_i, ...) below each other as (sum B_i, places, ...), zeros elsewhere."""
    some = next(p for p in parts if p is not None)
    whole = some.new_zeros(sum(counts), places, *some.shape[2:])
    start = 0
    for part, count in zip(parts, counts, strict=True):
        if part is not None:
            whole[start : start + count, : part.shape[1]] = part
        start += count
    return whole
