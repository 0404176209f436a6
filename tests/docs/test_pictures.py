"""The documentation's pictures: made by the gallery's code, shown somewhere, and small."""

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


def shown_pictures():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    return {name for page in pages for name in re.findall(r"images/(\w+)\.png", page.read_text())}


def test_every_picture_is_made_by_the_script_shown_and_small(script):
    found = {path.stem: path.stat().st_size for path in IMAGES.glob("*.png")}
    assert set(found) == {*script.names(), *script.ELSEWHERE}
    assert set(found) == shown_pictures()
    assert max(found.values()) < 60_000


def test_the_script_runs_code_and_commands_and_stops_at_a_failing_one(
    script, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    page = "```python\nopen('here', 'w').close()\n```\n\n```sh\nriemannian-modules {}\n```\n"
    script.run_page(page.format("schema"))
    assert (tmp_path / "here").exists()
    with pytest.raises(SystemExit, match="no_such_file"):
        script.run_page(page.format("show no_such_file.json"))
