"""Every adapter has its extra, stands in `all`, is packed into the wheel and is typed."""

import tomllib

import pytest

from tests.shared import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ADAPTERS = sorted(path.parent.name for path in ROOT.glob("adapters/*/__init__.py"))


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_adapter_is_declared(adapter):
    extra = adapter.removeprefix("riemannian_")
    extras = PROJECT["project"]["optional-dependencies"]
    assert extra in extras
    assert f"riemannian-modules[{extra}]" in extras["all"]
    packed = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert f"adapters/{adapter}" in packed
    assert (ROOT / "adapters" / adapter / "py.typed").is_file()
