"""The program `riemannian-modules`: its commands, and how their errors are told."""

from __future__ import annotations

from typing import Annotated, Any, final

import typer
from typer.core import TyperGroup

from riemannian_modules.cli.certify import certify
from riemannian_modules.cli.console import tell_error
from riemannian_modules.cli.exit_codes import FAILURE, INTERRUPTED, code_of_error
from riemannian_modules.cli.fit import fit
from riemannian_modules.cli.interruption import Interrupted, given_words
from riemannian_modules.cli.schema import schema
from riemannian_modules.cli.show import show
from riemannian_modules.cli.simulate import simulate
from riemannian_modules.cli.verify import verify
from riemannian_modules.errors import RiemannianError
from riemannian_modules.version import __version__

_WORDS = "riemannian_modules.words"


@final
class _Commands(TyperGroup):
    """Commands whose errors are told in words, without a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        given = given_words.set(ctx.meta[_WORDS])
        try:
            return super().invoke(ctx)
        except RiemannianError as error:
            tell_error(str(error))
            raise typer.Exit(code_of_error(error)) from None
        except BrokenPipeError:
            raise  # the reader, such as `head`, has seen enough; Typer ends in silence
        except OSError as error:
            tell_error(str(error))
            raise typer.Exit(FAILURE) from None
        except KeyboardInterrupt as stop:
            tell_error(str(stop if isinstance(stop, Interrupted) else Interrupted()))
            raise typer.Exit(INTERRUPTED) from None
        finally:
            given_words.reset(given)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit()


@app.callback()
def program(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Modules that compose, learn and are certified.

    A *system file* describes a module or a composite of modules in JSON or YAML
    (`riemannian-modules schema` prints the schema). Where no file is given, a bundled example
    runs: a gene of E. coli under the control of a small neural network.

    For example, look at the example, run it, prove that it contracts, and check the proof:

        riemannian-modules show

        riemannian-modules simulate --out results

        riemannian-modules certify --out results

        riemannian-modules verify results/certificate.json

    Ctrl-C ends any of them; it says what is saved, and the command that goes on.

    Exit codes: 0 done or proved, 3 refuted, 4 undecided, 2 misuse, 1 failure, 130 interrupted.
    """
    del context, version


for command in (show, simulate, fit, certify, verify, schema):
    app.command()(command)


def main() -> None:
    """Run the command line; the console script `riemannian-modules`."""
    app(prog_name="riemannian-modules")
