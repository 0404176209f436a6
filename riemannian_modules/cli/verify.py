"""`riemannian-modules verify`: a certificate's claim proved again from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from riemannian_modules.cli.arguments import misuse
from riemannian_modules.cli.console import output, working
from riemannian_modules.cli.exit_codes import code_of_answer
from riemannian_modules.cli.explain import explanation


def verify(
    certificate: Annotated[Path, typer.Argument(help="A certificate that `certify` saved (JSON).")],
) -> None:
    """Prove a certificate's claim again from its data alone; nothing in the file is believed.

    Nothing is searched: the metric and the boxes of the file are put to the test once more, in
    interval arithmetic. Prints the statement that was proved.

    For example:

        riemannian-modules certify --out results

        riemannian-modules verify results/certificate.json

    Exit codes: 0 proved, 4 not proved by this file, 1 no sound certificate.
    """
    from riemannian_modules.certify import verify as check

    if not certificate.is_file():
        what = "is a folder" if certificate.is_dir() else "does not exist"
        raise misuse("CERTIFICATE", f"expected a certificate file, but {certificate} {what}.")
    with working("verifying"):
        answer = check(certificate)
    question = "Do the data of this file, and nothing else, prove its claim?"
    advice = (
        "Make it again with `riemannian-modules certify`: its data do not prove what it claims."
    )
    output().print(explanation(answer, str(certificate), question, advice))
    raise typer.Exit(code_of_answer(answer))
