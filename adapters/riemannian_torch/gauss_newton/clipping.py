"""What a training loop has done to its gradients between backward and step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from riemannian_torch.gauss_newton.number import Scalar, number, where_positive
from riemannian_torch.gauss_newton.processes import Processes
from riemannian_torch.gauss_newton.rows import Rows

_NOISE = 0.02  # by which a factor may miss 1 in bfloat16


def clipping(
    rows: Mapping[Tensor, Rows], shares: Tensor, scale: float, processes: Processes
) -> Scalar:
    """By what the gradients have been multiplied; a common factor is the step's too.

    Read off the vectors among the parameters, ``<U s, grad> / <U s, U s>``. A gradient that is not
    finite gives such a factor, and then no step is taken.

    Args:
        rows: Of each parameter.
        shares: The gradient's coefficients s in terms of the rows, (B,).
        scale: What a GradScaler has multiplied all gradients by.
        processes: That train the model.
    """
    least = min((p.ndim for p in rows), default=0)
    read = {p: p.grad for p in rows if p.grad is not None and p.ndim <= max(least, 1)}
    if not read:
        return 1.0
    own = {p: processes.part(rows[p], p).combined(shares) for p in read}
    size, both = (
        number(torch.stack([processes.inner(o, x[p]) for p, o in own.items()]).sum())
        for x in (own, read)
    )
    size = scale * size
    factor = where_positive(size, both / where_positive(size, size, 1.0), 1.0)
    return where_positive(_NOISE - abs(factor - 1.0), 1.0, factor)
