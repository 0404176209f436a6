"""The page about what is proved lists the files that `verify` imports, and none that searches."""

import importlib.util

from tests.shared import ROOT
from tests.test_architecture import CORE, CORE_SOURCES, reached_from

spec = importlib.util.spec_from_file_location("trusted_files", ROOT / "docs" / "trusted_files.py")
trusted = importlib.util.module_from_spec(spec)
spec.loader.exec_module(trusted)


def test_every_file_that_verification_reaches_is_listed_with_its_lines():
    lines = {s.name: len(s.text.splitlines()) for s in CORE_SOURCES}
    reached = reached_from(CORE_SOURCES, f"{CORE}.evidence.verify") | {f"{CORE}.evidence.verify"}
    found = trusted.trusted_files()
    named = {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): n
             for name, n in found.items()}  # fmt: skip
    assert {m: lines[m] for m in reached if m != CORE}.items() <= named.items()
    assert not any(
        name.startswith(f"{CORE}/{room}/") for name in found for room in ("search", "cli")
    )


def test_the_page_asks_for_the_list_and_gets_it():
    page = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    assert trusted.PLACE in page
    shown = trusted.on_page_markdown(page, page=None, config=None, files=None)
    assert trusted.PLACE not in shown
    assert "`sparse_definite`" in shown
    assert trusted.on_page_markdown("another", page=None) == "another"
