"""A named parameter of a live model, read anew each time that it is asked for its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from torch import nn

from riemannian_modules.spaces import Array
from riemannian_torch.tensors import array


@final
@dataclass(frozen=True, slots=True, eq=False)
class LiveParameter:
    """Looks like an array to NumPy, and holds the values that the model has at that moment."""

    model: nn.Module
    name: str

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:  # noqa: FBT001
        """The values now, in float64 unless ``dtype`` says otherwise; always a copy."""
        values = array(self.model.get_parameter(self.name)).copy()
        return values if dtype is None else values.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return repr(np.asarray(self))
