"""The house keeps its floors: what imports what, read from the sources."""

import ast
import importlib
import pkgutil
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

import contraction_checker
import contraction_checker.rules
from tests.shared import ROOT
from tests.source_imports import Source, read_sources, resolved_imports

CORE = "riemannian_modules"
CHECKER = "contraction_checker"

# A room imports only from the floors below it, lowest first.
FLOORS = (
    {"arrays", "errors", "version"},
    {"door", "recomputed", "shown", "whole_file", "canvas"},
    {"strict_json", "csv_table", "units"},
    {"spaces", "bound"},
    {"region", "arithmetic", "integration"},
    {"metrics"},
    {"modules"},
    {"graph"},
    {"engine", "claims"},
    {"terms"},
    {"evidence"},
    {"search"},
    {"certify"},
    {"spec"},
    {"plot"},
    {"examples", "results", "testing"},
    {"cli"},
    {"__main__", ""},  # "" is the package's own __init__
)
# An arrow, `a >> b`, is written between modules and makes a composite, which stands on a floor
# above: the method that it calls imports what it makes when it is called.
ARROW = (f"{CORE}.modules.module", f"{CORE}.graph.chains")
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room_of(module: str) -> str:
    return module.removeprefix(CORE).removeprefix(".").split(".")[0]


def is_core(module: str) -> bool:
    return module == CORE or module.startswith(CORE + ".")


def imports_of(sources: list[Source]) -> dict[str, set[str]]:
    """What each source imports, but for the one import that goes up."""
    importer, imported = ARROW
    return {
        name: imports - {imported} if name == importer else imports
        for name, imports in resolved_imports(sources).items()
    }


def floor_faults(sources: list[Source]) -> list[str]:
    """One line for each import that does not go down, and for each room without a floor."""
    faults = []
    for importer, imports in imports_of(sources).items():
        here = room_of(importer)
        if here not in FLOOR_OF:
            faults.append(f"{importer}: the room {here!r} has no floor; give it one in FLOORS")
            continue
        for imported in sorted(filter(is_core, imports)):
            there = room_of(imported)
            if there != here and FLOOR_OF.get(there, -1) >= FLOOR_OF[here]:
                faults.append(f"{importer} imports {imported}, which is not on a floor below")
    return faults


def import_cycle(sources: list[Source]) -> list[str]:
    """A closed path of imports among ``sources``, or nothing."""
    known = {source.name for source in sources}
    graph = {name: imports & known for name, imports in imports_of(sources).items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def foreign_roots(source: Source) -> set[str]:
    return {module.split(".")[0] for module, _ in source.imports()}


CORE_SOURCES = read_sources(ROOT / CORE)
CHECKER_SOURCES = read_sources(ROOT / CHECKER)
ADAPTERS = {
    path.name: read_sources(path)
    for path in sorted(ROOT.glob("adapters/*"))
    if path.is_dir() and (path / "__init__.py").exists()
}


def test_every_import_in_the_core_goes_down_a_floor():
    assert floor_faults(CORE_SOURCES) == []


def test_the_import_that_goes_up_is_still_there():
    importer, imported = ARROW
    assert imported in resolved_imports(CORE_SOURCES)[importer]


def test_the_core_has_no_import_cycles():
    assert import_cycle(CORE_SOURCES) == []


def folder_cycle(sources: list[Source], room: str) -> list[str]:
    """A closed path of imports among the folders (and files) right below a room, or nothing."""
    prefix = f"{CORE}.{room}."

    def place(module: str) -> str:
        return module.removeprefix(prefix).split(".")[0]

    graph: dict[str, set[str]] = {}
    for importer, imports in resolved_imports(sources).items():
        if importer.startswith(prefix):
            inside = {place(m) for m in imports if m.startswith(prefix)}
            graph.setdefault(place(importer), set()).update(inside - {place(importer)})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("room", sorted({"claims", "terms", "evidence", "search", "certify"}))
def test_floors_hold_inside_the_rooms_of_proofs(room):
    assert folder_cycle(CORE_SOURCES, room) == []


def reached_from(sources: list[Source], start: str) -> set[str]:
    """All modules that one imports, directly or not; a package's face hands on all of itself."""
    graph = resolved_imports(sources)
    found, waiting = set[str](), [start]
    while waiting:
        for module in filter(is_core, graph.get(waiting.pop(), ())):
            if module not in found:
                found.add(module)
                waiting.append(module)
    return found


def test_verification_reaches_no_search():
    """What a proof rests on can be read apart from how it was found."""
    reached = reached_from(CORE_SOURCES, f"{CORE}.evidence.verify")
    assert {room_of(m) for m in reached} & {"search", "certify", "engine", "plot"} == set()


def test_what_verification_reaches_solves_no_program_and_draws_no_sample():
    reached = reached_from(CORE_SOURCES, f"{CORE}.evidence.verify")
    proofs = {m for m in reached if room_of(m) in {"claims", "terms", "evidence"}}
    forbidden = {"cvxpy", "clarabel", "scipy.optimize", "numpy.random"}
    for source in CORE_SOURCES:
        if source.name in proofs:
            imported = {m for m, _ in source.imports()} | {f"{m}.{n}" for m, n in source.imports()}
            assert imported & forbidden == set(), source.name
            assert "np.random" not in source.text, source.name


def test_the_core_imports_neither_torch_nor_an_adapter():
    forbidden = {"torch", "riemannian_torch", *ADAPTERS}
    found = {s.name: foreign_roots(s) & forbidden for s in CORE_SOURCES}
    assert {name: roots for name, roots in found.items() if roots} == {}


def test_adapters_never_import_each_other():
    found = {
        source.name: foreign_roots(source) & (ADAPTERS.keys() - {adapter})
        for adapter, sources in ADAPTERS.items()
        for source in sources
    }
    assert {name: roots for name, roots in found.items() if roots} == {}


def test_the_certificate_checker_stands_on_the_standard_library_alone():
    assert CHECKER_SOURCES
    foreign = {s.name: foreign_roots(s) - {CHECKER} for s in CHECKER_SOURCES}
    found = {name: roots - sys.stdlib_module_names for name, roots in foreign.items()}
    assert {name: roots for name, roots in found.items() if roots} == {}


def test_nothing_of_ours_imports_the_certificate_checker():
    ours = [*CORE_SOURCES, *(source for sources in ADAPTERS.values() for source in sources)]
    assert [source.name for source in ours if CHECKER in foreign_roots(source)] == []


def order_faults(sources: list[Source], order: list[str]) -> list[str]:
    """One line for each import that does not lead to a file that is read before."""
    place = {name: k for k, name in enumerate(order)}
    return [
        f"{name} imports {imported}, which is read after it"
        for name, imports in resolved_imports(sources).items()
        for imported in sorted(imports & place.keys())
        if name in place and place[imported] >= place[name]
    ]


def test_the_certificate_checker_is_read_from_its_first_file_to_its_last():
    """Its docstring names every file, and each imports only what stands before it: no circles."""
    whole = next(s for s in CHECKER_SOURCES if s.name == CHECKER)
    table = ast.get_docstring(ast.parse(whole.text)) or ""
    told = [line for line in table.splitlines() if line.startswith("``")]
    order = [f"{CHECKER}.{line.split('``')[1]}" for line in told]
    entrances = {CHECKER, f"{CHECKER}.__main__"}
    assert sorted(order) == sorted({s.name for s in CHECKER_SOURCES} - entrances)
    assert order_faults(CHECKER_SOURCES, order) == []
    assert import_cycle(CHECKER_SOURCES) == []


def test_no_function_of_the_certificate_checker_hides_a_file_of_its_name():
    for package in (contraction_checker, contraction_checker.rules):
        for found in pkgutil.iter_modules(package.__path__):
            name = f"{package.__name__}.{found.name}"
            if found.name != "__main__":
                assert getattr(package, found.name) is importlib.import_module(name)


def test_an_import_of_what_is_read_later_is_found():
    sources = [Source("a.first", "import json\nfrom a.last import x"), Source("a.last", "")]
    assert len(order_faults(sources, ["a.first", "a.last"])) == 1
    assert order_faults(sources, ["a.last", "a.first"]) == []


@pytest.mark.parametrize("folder", [CORE, CHECKER, "adapters", "tests", "benchmarks", "examples"])
def test_no_file_is_a_drawer_for_everything(folder):
    nameless = {"util", "utils", "helper", "helpers", "common", "misc"}
    found = [path.name for path in (ROOT / folder).rglob("*") if path.stem.strip("_") in nameless]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "import riemannian_modules.graph",
        "from riemannian_modules.graph import Graph",
        "from riemannian_modules import graph",
        "from .. import graph",
        "from ..graph import Graph",
        "def f():\n    from riemannian_modules.certify import certificate",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import riemannian_modules.spec",
        "from riemannian_modules import Module",
    ],
)
def test_an_import_that_climbs_is_found_however_it_is_written(text):
    guilty = Source(f"{CORE}.metrics.dense", text)
    others = [Source(f"{CORE}.{room}", "") for room in ("graph", "spec")]
    assert len(floor_faults([guilty, *others])) == 1


def test_a_cycle_inside_a_room_is_found():
    sources = [
        Source(f"{CORE}.metrics", "", is_package=True),
        Source(f"{CORE}.metrics.dense", "from . import diagonal"),
        Source(f"{CORE}.metrics.diagonal", f"from {CORE}.metrics.dense import Dense"),
    ]
    assert set(import_cycle(sources)) == {f"{CORE}.metrics.dense", f"{CORE}.metrics.diagonal"}
