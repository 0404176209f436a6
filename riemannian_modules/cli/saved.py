"""A saved result on the command line: its facts, and its picture where it has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from riemannian_modules.cli.console import output, plain, remark
from riemannian_modules.cli.results import results_in
from riemannian_modules.errors import UnsupportedError

PICTURE = "result.png"


def show_result(result: Any, out: Path | None) -> None:
    """Print a result in its two lines; with a folder, save its picture or say why it has none."""
    from riemannian_modules.plot import save_figure
    from riemannian_modules.results import draw_result

    output().print(plain(repr(result)), highlight=False, soft_wrap=True)
    if out is None:
        return
    try:
        figure = draw_result(result)
    except UnsupportedError as refusal:
        remark(str(refusal))
        return
    with results_in(out) as draft:
        save_figure(figure, draft / PICTURE)
