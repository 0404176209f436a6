"""The kinds of NumPy arrays that several packages speak of, beside `spaces.Array` of doubles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.intp]  # positions in another array
Complex = NDArray[np.complex128]
Numbers = Sequence[float]  # where one number is taken at a time, and arrays would cost more
