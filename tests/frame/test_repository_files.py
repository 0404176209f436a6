"""What the repository says of itself agrees, and its README can be read on a package index."""

import re
import tomllib

import pytest

import riemannian_modules
from tests.shared import ROOT
from tests.test_architecture import FLOORS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")


def index_text() -> str:
    """The README as the package's description has it."""
    text = README
    for rule in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    return text


def test_the_citation_agrees_with_the_package():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert str(citation["version"]) == riemannian_modules.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation["title"] == PROJECT["project"]["name"]
    (paper,) = citation["references"]
    assert paper["identifiers"][0]["value"] in README
    assert paper["url"] == PROJECT["project"]["urls"]["Paper"]
    assert paper["title"] in README


def test_the_description_on_an_index_has_no_picture_or_link_that_would_break():
    text = index_text()
    assert "](" in text
    assert [target for target in LINK.findall(text) if not target.startswith("https://")] == []
    assert "```mermaid" not in text  # shown there as it is written
    assert "<!--" not in text
    assert "controller ───► actuator" in text  # a picture of signs is shown anywhere
    assert len(text) > 0.9 * len(README)


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md"]
)
def test_links_between_files_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.S)
    local = [target for target in LINK.findall(text) if "://" not in target]
    assert [target for target in local if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("page", ["SECURITY.md", "CONTRIBUTING.md", "README.md"])
def test_files_that_are_named_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:riemannian_modules|contraction_checker|tests|docs|benchmarks|adapters)/[\w/.]+)`",
        text,
    )
    assert [path for path in named if "NAME" not in path and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("folder", [".github/ISSUE_TEMPLATE", "docs/notebooks"])
def test_templates_and_notebooks_are_in_place(folder):
    assert any((ROOT / folder).iterdir())


def test_every_extra_that_the_install_page_names_exists():
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    table = text[text.index("## Extras") : text.index("## PyTorch without CUDA")]
    rows = re.findall(r"^\| (`.*?`) \|", table, re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(PROJECT["project"]["optional-dependencies"])


def test_the_install_page_names_the_python_versions_of_the_package():
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert f"Python {oldest} or later" in text
    for classifier in PROJECT["project"]["classifiers"]:
        version = classifier.removeprefix("Programming Language :: Python :: ")
        assert version == classifier or version in text


def test_every_test_that_contributing_names_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text))
    # Those without a path are of the file that their table is introduced by.
    named |= {("tests/certify/test_network.py", name) for name in re.findall(r"`(test_\w+)`", text)}
    assert len(named) > 20
    assert "`::" not in text
    gone = [
        f"{path}::{name}"
        for path, name in sorted(named)
        if not re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.M)
    ]
    assert gone == []


def test_the_floors_that_contributing_shows_are_those_of_the_house():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", text, re.M)
    shown = [set(re.findall(r"`(\w+)`", rooms)) for _, rooms in rows]
    assert [int(floor) for floor, _ in rows] == list(range(len(rows)))
    assert shown == [rooms - {""} for rooms in FLOORS]


def test_every_floor_has_its_rooms():
    core = ROOT / "riemannian_modules"
    rooms = {path.stem for path in core.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert set().union(*FLOORS) - {""} == rooms - {"__init__", "__pycache__", "py"}


def test_the_checker_is_held_to_what_everything_else_is_held_to():
    tools, name = PROJECT["tool"], "contraction_checker"
    assert name in tools["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert name in tools["pyright"]["include"]
    assert "ignore" not in tools["pyright"]
    ruff = tools["ruff"]
    spared = [*ruff["lint"]["per-file-ignores"], *ruff["extend-exclude"]]
    assert [pattern for pattern in spared if name in pattern or pattern.startswith("**")] == []
    hushed = re.compile(r"noqa|type: ?ignore|pyright:|fmt: (off|skip)|\bAny\b|\bcast\b")
    for path in sorted((ROOT / name).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert not hushed.search(text), path
        assert text.count("\n") < 400, path
