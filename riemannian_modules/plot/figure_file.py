"""Figures as files: PNG, SVG or PDF by the name's ending, whole or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from riemannian_modules.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure whole or not at all.

    Args:
        figure: A Matplotlib figure.
        path: The file; its ending decides the format.
    """
    content = io.BytesIO()
    figure.savefig(content, format=Path(path).suffix.removeprefix(".") or "png", dpi=150)
    write_whole(path, content.getvalue())
