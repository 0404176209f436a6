"""Make the pictures of docs/images anew: `python docs/pictures.py`, in half a minute.

Each picture is made by the code and commands of the page that shows it, the gallery or a tutorial;
those of a folder that a command filled stand back behind those that the page names itself.
`benchmark_certification.png` is saved by `python -m benchmarks certification`,
`benchmark_optimizers.png` by `python -m benchmarks.optimizers.page`.
"""

import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"
GALLERY = DOCS / "gallery.md"
PAGES = (GALLERY, *sorted((DOCS / "tutorials").glob("*.md")))
ELSEWHERE = ("benchmark_certification", "benchmark_optimizers")
COLOURS = 256  # of a picture's palette, which makes its file half as large
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.M | re.S)


def names_on(page: Path) -> list[str]:
    """The pictures that a page makes and shows, in its order."""
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r"\]\((?:\.\./)?images/(\w+)\.png\)", text)
    return [name for name in shown if page == GALLERY or f'"{name}.png"' in text]


def names() -> list[str]:
    """The pictures of all pages."""
    return [name for page in PAGES for name in names_on(page)]


def run_page(text: str, source: str = GALLERY.name) -> None:
    """Run a page's blocks and commands in the folder in which this process is."""
    from typer.testing import CliRunner

    from riemannian_modules.cli import app

    space = {"__name__": "__page__"}
    for language, code in _BLOCK.findall(text):
        if language == "python":
            exec(compile(code, source, "exec"), space)
            continue
        for command in code.splitlines():
            result = CliRunner().invoke(app, shlex.split(command)[1:])
            if result.exit_code:
                sys.exit(f"{command}: {result.output}")


def make(page: Path) -> None:
    """Make the pictures of a page."""
    start = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            run_page(page.read_text(encoding="utf-8"), page.name)
        finally:
            os.chdir(start)
        made = sorted(Path(folder).rglob("*.png"), key=lambda path: -len(path.parts))
        found = {path.stem: path for path in made}
        for name in names_on(page):
            picture = Image.open(found[name]).convert("RGB")
            few = picture.quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Make all pictures."""
    for page in PAGES:
        if names_on(page):
            make(page)


if __name__ == "__main__":
    main()
