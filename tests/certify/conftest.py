"""Every answer that these tests get is held against the recorded one."""

from tests.recorded_answers import recorded

__all__ = ["recorded"]
