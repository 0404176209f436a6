"""The public names of the library, what they take, and which of it their docstrings tell."""

import enum
import importlib
import importlib.util
import inspect
import re

import riemannian_modules as rm
from tests.shared import ROOT

_SPEC = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "reference_pages.py")
assert _SPEC is not None
assert _SPEC.loader is not None
PAGES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(PAGES)

CORE_ROOMS = [room for room in PAGES.ROOMS if room.startswith(PAGES.CORE)]
# Their constructors are not for users: one is subclassed, the other made by wiring.
NOT_CALLED = {rm.RiemannianModule, rm.ModuleGraph}


def public_objects(room: str) -> dict[str, object]:
    module = importlib.import_module(room)
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == room
    ]
    return {name: getattr(module, name) for name in names if not name.startswith("_")}


def arguments(public: object) -> list[str]:
    """The names of what a function or a constructor takes."""
    if not callable(public) or public in NOT_CALLED:
        return []
    if inspect.isclass(public):
        if issubclass(public, enum.Enum) or not inspect.isfunction(public.__init__):
            return []
        return list(inspect.signature(public.__init__).parameters)[1:]
    return list(inspect.signature(public).parameters)


def told_arguments(public: object) -> set[str]:
    """The names under ``Args:`` and ``Attributes:``, of a class and of its constructor."""
    texts = [inspect.getdoc(public) or ""]
    if inspect.isclass(public):
        texts.append(inspect.getdoc(public.__init__) or "")
    sections = re.findall(r"^(?:Args|Attributes):\n((?: +.*\n?|\n)+)", "\n\n".join(texts), re.M)
    return set(re.findall(r"^ {4}(\w+):", "\n".join(sections), re.M))


def untold(objects: dict[str, object]) -> dict[str, list[str]]:
    left = {
        name: [a for a in arguments(value) if a not in told_arguments(value)]
        for name, value in objects.items()
        if not (inspect.isclass(value) and issubclass(value, rm.errors.RiemannianError))
    }
    return {name: missing for name, missing in left.items() if missing}
