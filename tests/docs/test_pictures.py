"""The pictures of the documentation: each is made by the script, small, and shown somewhere."""

import importlib.util
import re

import pytest

from tests.shared import ROOT

IMAGES = ROOT / "docs" / "images"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_is_made_by_the_script_and_small(script):
    found = {path.stem: path.stat().st_size for path in IMAGES.glob("*.png")}
    assert set(found) == set(script.NAMES)
    assert max(found.values()) < 60_000


def test_every_picture_that_a_page_shows_is_there():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"images/(\w+)\.png", page.read_text())}
    assert shown <= {path.stem for path in IMAGES.glob("*.png")}


def test_the_script_still_draws_what_is_its_own(script):
    for name, draw in script.DRAWN.items():
        assert draw().axes, name


def test_the_pages_save_the_pictures_that_the_script_takes_from_them(script):
    for page, names in script.FROM_PAGES.items():
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert {name for name in names if f'"{name}.png"' not in text} == set()
