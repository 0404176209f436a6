"""What holds for the whole test run: threads and hypothesis profiles."""

import os

# Each xdist worker would start a BLAS thread for every core: they would only wait for each other.
# NumPy reads this when it is first imported, hence the place above the other imports.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import HealthCheck, settings

# Times are never asserted, so slow examples are no faults.
_UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("local", max_examples=40, **_UNTIMED)
# The gate takes the same examples each time; every night looks at others, and more.
settings.register_profile("ci", max_examples=15, derandomize=True, database=None, **_UNTIMED)
# A thousand of each would take longer than the night lasts.
settings.register_profile("thorough", max_examples=200, **_UNTIMED)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "local")
)


def pytest_addoption(parser):
    """Add the option that writes `answers.json` anew; see `recorded_answers`."""
    parser.addoption("--record-answers", action="store_true", help="write tests/answers.json anew")
