"""Models that torch.export refuses, traced by torch.fx: each submodule is a part of its own."""

from __future__ import annotations

from riemannian_torch.reading.values import NotLayeredError


def read_traced(*_):
    raise NotLayeredError("not yet")
