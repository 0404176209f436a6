"""Limits on what a file may ask for, so that it is refused before it takes all time and memory.

None of them is needed for a proof to be right. They are those of docs/certificates.md.
"""

from fractions import Fraction

from contraction_checker.refusals import MalformedError

LARGEST_FILE = 1 << 29  # bytes of a file, and of what it unpacks to
DEEPEST_TERM = 200  # operations on one path of a term
LARGEST_EXPONENT = 1024
LONGEST_COEFFICIENT = 1 << 17  # bits
MOST_PRODUCTS = 200_000  # of two monomials, in one product of sums
HIGHEST_POWER_OF_A_SUM = 64
MOST_TESTS = 1 << 15  # of matrices, for one statement on one leaf


def small(exponent: Fraction | int) -> Fraction | int:
    """The exponent, if a power with it can be computed.

    Raises:
        MalformedError: If it is beyond 1024 in size.
    """
    if abs(exponent) > LARGEST_EXPONENT:
        raise MalformedError("an exponent beyond 1024")
    return exponent
