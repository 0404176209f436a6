"""The command line: show, simulate, fit and certify system files, and verify certificates."""

from riemannian_modules.cli.exit_codes import (
    FAILURE,
    INTERRUPTED,
    MISUSE,
    PROVED,
    REFUTED,
    UNDECIDED,
)
from riemannian_modules.cli.program import app, main

__all__ = ["FAILURE", "INTERRUPTED", "MISUSE", "PROVED", "REFUTED", "UNDECIDED", "app", "main"]
