"""Every Python block and every command in the documentation runs, page by page, top to bottom."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from typer.testing import CliRunner

from riemannian_modules import modules
from riemannian_modules.certify import Proved, certify
from riemannian_modules.cli import app
from riemannian_modules.spec.read import system_from_data
from tests.shared import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^riemannian-modules (?P<arguments>.*?)(?:  # exit (?P<code>\d))?$")
_NEEDS = re.compile(r"^(?:from|import) (torch|control|basico)\b", re.MULTILINE)
PICTURE = re.compile(r"^!\[[^\]]+\]\(images/([^)]+)\)$", re.MULTILINE)


def blocks(text: str) -> list[tuple[int, str, str]]:
    """The blocks of a page: the line on which the code begins, the language, the code."""
    return [
        (text.count("\n", 0, m.start(2)) + 1, m.group(1), m.group(2)) for m in _BLOCK.finditer(text)
    ]


def run_command(line: str, place: str) -> None:
    """Run our own command line in this process; ``  # exit N`` says which exit code is meant."""
    found = _COMMAND.match(line)
    if found is None:
        return  # another program's
    arguments, _, target = found["arguments"].partition(" > ")
    result = CliRunner().invoke(app, shlex.split(arguments, comments=True))
    assert result.exit_code == int(found["code"] or 0), f"{place}: {line}\n{result.output}"
    if target:
        Path(target.strip()).write_text(result.stdout, encoding="utf-8")


def absent(code: str) -> set[str]:
    """The libraries of others that a block needs and that are not installed."""
    return {name for name in _NEEDS.findall(code) if importlib.util.find_spec(name) is None}


def run_page(text: str, name: str) -> set[str]:
    """Run a page's blocks in one namespace; tracebacks show the line on the page.

    A block that imports what is absent is left out, and what follows does without it.
    """
    space, missed = {"__name__": "__page__"}, set()
    for line, language, code in blocks(text):
        missed |= absent(code)
        if absent(code):
            continue
        if language == "python":
            exec(compile("\n" * (line - 1) + code, name, "exec"), space)
        else:
            for number, command in enumerate(code.splitlines(), line):
                run_command(command, f"{name}:{number}")
    return missed


# Whole tutorials that take long; what they show, the shorter pages show in part.
LONG = {"gallery.md", "tutorials/files.md", "tutorials/fit_time_course.md"}


def on_a_page(page):
    name = str(page.relative_to(ROOT / "docs"))
    return pytest.param(page, id=name, marks=[pytest.mark.slow] if name in LONG else [])


@pytest.mark.parametrize("page", [on_a_page(page) for page in PAGES])
def test_every_block_of_the_page_runs(page, tmp_path, monkeypatch):
    text = page.read_text(encoding="utf-8")
    if "torch" in absent(text):
        pytest.skip("PyTorch is absent")
    monkeypatch.chdir(tmp_path)
    with plt.rc_context({"backend": "Agg"}):
        missed = run_page(text, str(page))
        plt.close("all")
    if page.name == "gallery.md":
        made = {path.name for path in tmp_path.rglob("*.png")}
        assert set(PICTURE.findall(text)) <= made
        assert {p.name for p in (ROOT / "docs" / "images").iterdir()} >= set(PICTURE.findall(text))
    if missed:
        pytest.skip(f"all ran but what needs {', '.join(sorted(missed))}")


def test_every_built_in_module_is_in_the_table():
    text = (ROOT / "docs" / "tutorials" / "compose.md").read_text(encoding="utf-8")
    table = text[text.index("## Built-in modules") :]
    assert {name for name in modules.__all__ if not re.search(rf"`{name}\b", table)} == set()


def test_the_system_file_written_by_hand_is_read_and_certified():
    text = (ROOT / "docs" / "tutorials" / "files.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    system = system_from_data(json.loads(code))
    answer = certify(system.module, system.region, rate=system.certify.rate)
    assert isinstance(answer, Proved)


def test_a_page_with_a_broken_block_fails_at_its_line():
    text = (
        "# Page\n\n```python\nx = 1\n```\n\ntext\n\n```python\nassert x == 1\nassert x == 2\n```\n"
    )
    with pytest.raises(AssertionError) as caught:
        run_page(text, "page.md")
    assert caught.traceback[-1].lineno + 1 == 11


def test_a_block_without_its_library_is_left_out_and_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    text = "```python\nimport control\n```\n\n```python\nx = 1\n```\n"
    assert run_page(text, "page.md") == {"control"}


def test_a_command_with_another_exit_code_fails():
    with pytest.raises(AssertionError, match=r"page.md:2: riemannian-modules show no_such_file"):
        run_page("```sh\nriemannian-modules show no_such_file\n```\n", "page.md")
    run_page("```sh\nriemannian-modules show no_such_file  # exit 2\n```\n", "page.md")


def test_every_fence_is_found():
    # A fence that the pattern misses (indented, with attributes) would never be run.
    for page in [ROOT / "README.md", *PAGES]:
        text = page.read_text(encoding="utf-8")
        fences = re.findall(r"^\s*`{3,}\s*(?:python|py|sh|bash|console)\b", text, re.MULTILINE)
        assert len(blocks(text)) == len(fences), page
