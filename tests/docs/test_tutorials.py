"""Every Python block in the documentation runs, page by page, top to bottom."""

import os
import re

import pytest

from tests.shared import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NEEDS = re.compile(r"^(?:from|import) (torch)\b", re.MULTILINE)


def blocks(text: str) -> list[tuple[int, str]]:
    """The Python blocks of a page, each with the line on which its code begins."""
    return [(text.count("\n", 0, m.start(1)) + 1, m.group(1)) for m in _BLOCK.finditer(text)]


def run_page(text: str, name: str) -> None:
    """Run a page's blocks in one namespace; tracebacks show the line on the page."""
    space = {"__name__": "__page__"}
    for line, code in blocks(text):
        exec(compile("\n" * (line - 1) + code, name, "exec"), space)


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT / "docs")) for p in PAGES])
def test_every_block_of_the_page_runs(page, tmp_path, monkeypatch, capsys):
    text = page.read_text(encoding="utf-8")
    for library in _NEEDS.findall(text):
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"backend": "Agg"}):
        run_page(text, str(page))
        plt.close("all")
    capsys.readouterr()
    assert os.getcwd() == str(tmp_path)


def test_a_page_with_a_broken_block_fails_at_its_line():
    text = "# Page\n\n```python\nx = 1\n```\n\ntext\n\n```python\nassert x == 1\nassert x == 2\n```\n"
    with pytest.raises(AssertionError) as caught:
        run_page(text, "page.md")
    assert caught.traceback[-1].lineno + 1 == 11


def test_blocks_of_other_languages_are_left_out():
    assert blocks("```sh\nls\n```\n```python\nx\n```\n") == [(5, "x\n")]


def test_every_fence_of_python_is_found():
    # A fence that the pattern misses (indented, with attributes) would never be run.
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert len(blocks(text)) == len(re.findall(r"^\s*```\s*python", text, re.MULTILINE)), page
