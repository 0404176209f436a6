"""How much the oracles are asked: a million times with HYPOTHESIS_PROFILE=thorough, else less."""

import os

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
OPERATIONS = 1_000_000 if THOROUGH else 30_000
MATRICES = 1_000_000 if THOROUGH else 60_000
