"""Hypothesis strategies that tests of every room draw from."""

import numpy as np
from hypothesis import strategies as st

rngs = st.integers(0, 2**32 - 1).map(np.random.default_rng)
