"""The version is written in one place, and everything that shows it reads it there."""

import tomllib

import riemannian_modules as rm
from tests.cli.commands import run
from tests.shared import ROOT


def test_the_command_line_and_the_package_show_the_same_version():
    result = run("--version")
    assert result.exit_code == 0
    assert result.output.strip() == rm.__version__


def test_the_metadata_is_built_from_the_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert "version" in project["project"]["dynamic"]
    place = ROOT / project["tool"]["hatch"]["version"]["path"]
    assert f'__version__ = "{rm.__version__}"' in place.read_text()
