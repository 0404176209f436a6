"""The site: built by the gate's own command, it shows every signature and refuses a broken link.

``RIEMANNIAN_SITE`` names a site that is built already, as in the gate.
"""

import html
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.public_face import PAGES, arguments, public_objects
from tests.shared import ROOT

pytest.importorskip("mkdocs")


def gate_command(folder: Path, site: Path) -> subprocess.CompletedProcess:
    """Run the line of `.ci/run` that builds the documentation, in a folder."""
    (line,) = re.findall(r'^step "docs" (mkdocs build.*)$', (ROOT / ".ci/run").read_text(), re.M)
    command = [sys.executable, "-m", *shlex.split(line), "--site-dir", str(site)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if built := os.environ.get("RIEMANNIAN_SITE"):
        return Path(built)
    folder = tmp_path_factory.mktemp("site")
    done = gate_command(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


def article(path: Path) -> str:
    """What a page shows, without its frame."""
    text = path.read_text(encoding="utf-8")
    return text[text.index("<article") : text.index("</article>")]


def words(text: str) -> str:
    return re.sub(r"\s+", "", html.unescape(re.sub(r"<[^>]+>", "", text)))


def page_faults(site: Path, room: str) -> list[str]:
    """One line for each public name whose page lacks it, its signature or an argument."""
    faults = []
    listed = {public.name: public for public in PAGES.public_names(room)}
    for name, public in public_objects(room).items():
        page = site / PAGES.page_of(listed[name]).removesuffix(".md") / "index.html"
        if not page.exists():
            faults.append(f"{room}.{name} has no page")
            continue
        shown, taken = article(page), arguments(public)
        place = shown.find(f'id="{listed[name].module}.{name}"')
        if place < 0:
            faults.append(f"{room}.{name} is not on its page")
            continue
        end = shown.find('<div class="doc doc-object', place)
        own = shown[place : end if end > 0 else None]
        # Overloads come first, what takes all of their arguments last.
        found = re.findall(r'<div class="doc-signature[^"]*">(.*?)</div>', own, re.S)
        signature = words(found[-1]) if found else ""
        if taken and not signature.startswith(f"{name}("):
            faults.append(f"{room}.{name} shows no signature")
            continue
        described = re.findall(r"<code>(?:<span [^>]*>)?(\w+)<", own)
        faults += [
            f"{room}.{name} shows no argument {a}"
            for a in taken
            if a not in described or not re.search(rf"[(,*]{a}[:=,)]", signature)
        ]
    return faults


@pytest.mark.parametrize("room", PAGES.ROOMS)
def test_every_page_shows_the_signature_and_each_argument(site, room):
    if not room.startswith(PAGES.CORE):
        pytest.importorskip(room.removeprefix("riemannian_"))
    assert page_faults(site, room) == []


@pytest.mark.parametrize("room", PAGES.ROOMS)
def test_a_page_without_its_arguments_is_found(tmp_path, room):
    if not room.startswith(PAGES.CORE):
        pytest.importorskip(room.removeprefix("riemannian_"))
    for page, names in PAGES.pages().items():
        path = tmp_path / page.removesuffix(".md") / "index.html"
        path.parent.mkdir(parents=True)
        headings = "".join(f'<h2 id="{p.module}.{p.name}">{p.name}</h2>' for p in names)
        path.write_text(f"<article>{headings}</article>")
    taking = {name for name, value in public_objects(room).items() if arguments(value)}
    assert len(page_faults(tmp_path, room)) == len(taking) > 0


def test_internals_have_no_page(site):
    shown = {
        path.parent.relative_to(site / "reference").parts[0]
        for path in (site / "reference").rglob("index.html")
        if path.parent != site / "reference"
    }
    assert shown & PAGES.INTERNAL == set()


TINY = f"""INHERIT: {ROOT / "mkdocs.yml"}
docs_dir: docs
hooks: []
plugins: [search]
nav: [index.md, other.md]
"""
PAGE = "# Tiny\n\n[a page](other.md), [a place](other.md#section)\n"


def tiny_build(folder: Path, broken: str) -> subprocess.CompletedProcess:
    """Build two pages under the settings of the real site, with one more line in the first."""
    (folder / "docs").mkdir()
    (folder / "mkdocs.yml").write_text(TINY, encoding="utf-8")
    (folder / "docs" / "index.md").write_text(f"{PAGE}\n{broken}\n", encoding="utf-8")
    (folder / "docs" / "other.md").write_text("# Other\n\n## Section\n", encoding="utf-8")
    return gate_command(folder, folder / "site")


def test_the_gate_lets_two_pages_pass_whose_links_hold(tmp_path):
    done = tiny_build(tmp_path, "")
    assert done.returncode == 0, done.stderr
    (tmp_path / "docs" / "left_out.md").write_text("# In no menu\n", encoding="utf-8")
    assert gate_command(tmp_path, tmp_path / "site").returncode != 0


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("[nowhere](nowhere.md)", "nowhere.md"),
        ("[no place](other.md#nowhere)", "#nowhere"),
        ("[no place here](#nowhere)", "#nowhere"),
        ("![no picture](images/nothing.png)", "nothing.png"),
        ("[absolute](/nowhere/)", "/nowhere/"),
    ],
)
def test_the_gate_refuses_a_broken_link(tmp_path, broken, message):
    done = tiny_build(tmp_path, broken)
    assert done.returncode != 0
    assert message in done.stderr


def test_the_gate_never_hushes_warnings():
    # With --quiet, MkDocs counts no warnings, so --strict lets everything pass.
    for script in filter(Path.is_file, (ROOT / ".ci").iterdir()):
        for line in script.read_text(encoding="utf-8").splitlines():
            assert not ("mkdocs" in line and re.search(r"(\s-q\b|--quiet)", line)), line
