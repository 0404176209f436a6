"""The three ways in which a certificate can fail.

Whoever reads a proof has to keep them apart: a file that breaks the format says nothing at all, a
statement that is not proved may still be true, and a box without a point of the region needs no
proof.
"""


class MalformedError(Exception):
    """The file breaks the format."""


class NotProvedError(Exception):
    """Some statement is not proved."""


class OutsideError(Exception):
    """A box holds no point of the region, so that every statement about its points holds."""
