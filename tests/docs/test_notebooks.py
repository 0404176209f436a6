"""Each tutorial is a notebook, without outputs, and up to date."""

import importlib.util
import json

import pytest

from tests.shared import ROOT

_SPEC = importlib.util.spec_from_file_location("notebooks", ROOT / "docs" / "notebooks.py")
assert _SPEC is not None
assert _SPEC.loader is not None
NOTEBOOKS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(NOTEBOOKS)


@pytest.mark.parametrize("page", NOTEBOOKS.TUTORIALS, ids=lambda page: page.stem)
def test_the_stored_notebook_is_the_tutorial_of_today(page):
    stored = NOTEBOOKS.notebook_of(page).read_text(encoding="utf-8")
    assert stored == NOTEBOOKS.notebook(page), "run: python docs/notebooks.py"
    assert NOTEBOOKS.link_line(page) in page.read_text(encoding="utf-8")


def test_there_is_no_notebook_without_a_tutorial():
    stored = {path.name for path in NOTEBOOKS.FOLDER.iterdir() if path.is_file()}
    assert stored == {NOTEBOOKS.notebook_of(page).name for page in NOTEBOOKS.TUTORIALS}


@pytest.mark.parametrize("page", NOTEBOOKS.TUTORIALS, ids=lambda page: page.stem)
def test_a_notebook_holds_all_of_the_code_and_no_outputs(page):
    content = json.loads(NOTEBOOKS.notebook(page))
    cells = content["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    text = page.read_text(encoding="utf-8")
    assert len(code) == text.count("\n```python\n") + text.count("\n```sh\n")
    for cell in code:
        source = "".join(cell["source"])
        assert source.startswith("!") or source in text
