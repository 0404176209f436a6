"""The program: checks one file, prints what is proved, and tells by its exit code.

Nothing that the file says can print a line of its own.
"""

import sys
import zlib
from collections.abc import Sequence

from contraction_checker.certificate import check
from contraction_checker.certificate_file import load
from contraction_checker.refusals import MalformedError, NotProvedError, OutsideError

PROVED, UNREADABLE, MISUSE, NOT_PROVED = 0, 1, 2, 4
DEEPEST_CALLS = 5_000
USAGE = "usage: python -m contraction_checker certificate.json[.gz]\n"
HELP = f"""{USAGE}
Proves the claim of a contraction certificate again, from its numbers alone: with
Python's integers and fractions, without any search, and without the library that
made the file. No float decides anything.

What is printed after PROVED is the claim, derived from the numbers and not from
the file's words: which system, on which region, in which norm, with which bound;
then each statement that it rests on. Read it: a proof is worth as much as the
claim that it is of. A part of more than 4,000 characters is shown by its size and
the SHA-256 of json.dumps(part, sort_keys=True).

exit codes:
  0  every statement of the certificate is proved
  1  the file cannot be read, or breaks the format
  2  the command was not used as meant
  4  some statement is not proved; the failing leaf and the reason are shown

The format, and what each rule proves, are told in docs/certificates.md. To read
the checker itself, begin with the list of its files in contraction_checker/__init__.py.
"""
# What wrong types and sizes raise where a file is not what it should be.
FAULTS = (
    OSError,
    EOFError,
    LookupError,
    ArithmeticError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
    MemoryError,
    zlib.error,
)


def main(arguments: Sequence[str]) -> int:
    """Check the file that the arguments name; return the exit code."""
    sys.setrecursionlimit(max(DEEPEST_CALLS, sys.getrecursionlimit()))
    if [*arguments] in (["-h"], ["--help"]):
        sys.stdout.write(HELP)
        return PROVED
    if len(arguments) != 1:
        sys.stderr.write(USAGE)
        return MISUSE
    try:
        lines = check(load(arguments[0]))
    except (NotProvedError, OutsideError) as fault:
        sys.stderr.write(f"NOT PROVED: {printable(str(fault))}\n")
        return NOT_PROVED
    except MalformedError as fault:
        sys.stderr.write(f"no certificate: Malformed: {printable(str(fault))}\n")
        return UNREADABLE
    except FAULTS as fault:
        sys.stderr.write(f"no certificate: {type(fault).__name__}: {printable(str(fault))}\n")
        return UNREADABLE
    sys.stdout.write("\n".join(["PROVED", *map(printable, lines)]) + "\n")
    return PROVED


def printable(text: str) -> str:
    """A text in which nothing but a character of our own can end a line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
