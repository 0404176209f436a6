"""Draw the gallery's pictures anew: ``python -m tests.docs.gallery``."""

import os
import tempfile
from pathlib import Path

from PIL import Image

from tests.docs.test_tutorials import PICTURE, run_page
from tests.shared import ROOT


def main() -> None:
    """Run the page in an empty folder, and keep what it shows."""
    page = ROOT / "docs" / "gallery.md"
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run_page(text, str(page))
        made = {path.name: path for path in Path(folder).rglob("*.png")}
        for name in PICTURE.findall(text):
            few_colours = Image.open(made[name]).convert("RGB").quantize(128)
            few_colours.save(ROOT / "docs" / "images" / name, optimize=True)
        os.chdir(ROOT)


if __name__ == "__main__":
    main()
