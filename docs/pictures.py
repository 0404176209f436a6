"""Make the pictures of docs/images anew: `python docs/pictures.py`, in half a minute.

Each picture is made by the gallery's own code and commands; those of a folder that a command filled
stand back behind those that the page names itself. `benchmark_certification.png` is saved by
`python -m benchmarks certification`.
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
ELSEWHERE = ("benchmark_certification",)
COLOURS = 256  # of a picture's palette, which makes its file half as large
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.M | re.S)


def names() -> list[str]:
    """The pictures that the gallery shows, in its order."""
    return re.findall(r"\]\(images/(\w+)\.png\)", GALLERY.read_text(encoding="utf-8"))


def run_page(text: str) -> None:
    """Run a page's blocks and commands in the folder in which this process is."""
    from typer.testing import CliRunner

    from riemannian_modules.cli import app

    space = {"__name__": "__page__"}
    for language, code in _BLOCK.findall(text):
        if language == "python":
            exec(compile(code, GALLERY.name, "exec"), space)
            continue
        for command in code.splitlines():
            result = CliRunner().invoke(app, shlex.split(command)[1:])
            if result.exit_code:
                sys.exit(f"{command}: {result.output}")


def main() -> None:
    """Make all pictures."""
    start = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            run_page(GALLERY.read_text(encoding="utf-8"))
        finally:
            os.chdir(start)
        made = sorted(Path(folder).rglob("*.png"), key=lambda path: -len(path.parts))
        found = {path.stem: path for path in made}
        for name in names():
            picture = Image.open(found[name]).convert("RGB")
            few = picture.quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
