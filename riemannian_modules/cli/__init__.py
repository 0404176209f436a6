"""The command line: show, simulate, fit and certify system files, and verify certificates."""

from riemannian_modules.cli.app import app, main
from riemannian_modules.cli.exit_codes import (
    FAILURE,
    INTERRUPTED,
    MISUSE,
    PROVED,
    REFUTED,
    UNDECIDED,
)

__all__ = ["FAILURE", "INTERRUPTED", "MISUSE", "PROVED", "REFUTED", "UNDECIDED", "app", "main"]
