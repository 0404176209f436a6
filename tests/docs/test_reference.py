"""The reference leaves out no public name, and no docstring leaves out an argument."""

import ast
import inspect
import re

import pytest

from riemannian_modules.cli import app
from tests.docs.public_face import CORE_ROOMS, PAGES, public_objects, untold
from tests.shared import ROOT


def test_every_part_of_the_library_is_a_room_of_the_reference_or_internal():
    core = ROOT / PAGES.CORE
    parts = {path.parent.name for path in core.glob("*/__init__.py")}
    parts |= {path.stem for path in core.glob("[a-z]*.py")}
    rooms = {room.removeprefix(f"{PAGES.CORE}.") for room in CORE_ROOMS} - {PAGES.CORE}
    assert parts - rooms - PAGES.INTERNAL == set()
    assert rooms - parts == set()


@pytest.mark.parametrize("room", PAGES.ROOMS)
def test_every_public_name_has_a_page_and_a_line_in_the_index(room):
    if not room.startswith(PAGES.CORE):
        pytest.importorskip(room.removeprefix("riemannian_"))
    pages = [public for names in PAGES.pages().values() for public in names]
    listed = {public.name: public for public in pages if public.room == room}
    assert sorted(listed) == sorted(public_objects(room))
    unspoken = {name for name, value in public_objects(room).items() if not listed[name].summary}
    assert unspoken == set()


@pytest.mark.parametrize("room", PAGES.ROOMS)
def test_every_argument_of_a_public_name_is_told(room):
    if not room.startswith(PAGES.CORE):
        pytest.importorskip(room.removeprefix("riemannian_"))
    assert untold(public_objects(room)) == {}


def test_an_argument_that_is_not_told_is_found():
    class Told:
        """Words.

        Args:
            known: Is told.
        """

        def __init__(self, known, forgotten):
            pass

    class Inherits(Told):
        """Other words."""

    assert untold({"Told": Told}) == {"Told": ["forgotten"]}
    assert untold({"Inherits": Inherits}) == {"Inherits": ["known", "forgotten"]}


def test_names_that_differ_in_capitals_alone_share_a_page():
    shared = [{p.name for p in names} for names in PAGES.pages().values() if len(names) > 1]
    assert {"Box", "box"} in shared
    assert all(len({name.lower() for name in names}) == 1 for names in shared)


def test_what_the_documentation_imports_is_public():
    public = {room: set(public_objects(room)) for room in CORE_ROOMS}
    public[PAGES.CORE] |= {room.rpartition(".")[2] for room in CORE_ROOMS}
    found = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for room, names in re.findall(
            r"^from (riemannian_modules[\w.]*) import (\([^)]*\)|.*)", text, re.M
        ):
            wanted = {name.strip() for name in re.sub(r"[()\n]", " ", names).split(",")} - {""}
            found += [f"{page.name}: {room}.{n}" for n in wanted - public.get(room, set())]
    assert found == []


WORDS_OF_THE_HOUSE = r"\b(doors?|floors?|rooms?|settled?|THEORY)\b"


def test_pages_for_users_leave_out_the_words_of_the_house():
    found = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
        found += [f"{page.name}: {word}" for word in re.findall(WORDS_OF_THE_HOUSE, text)]
    for room in CORE_ROOMS:
        for name, public in public_objects(room).items():
            text = re.sub(r"`[^`]*`", "", inspect.getdoc(public) or "")
            found += [f"{room}.{name}: {word}" for word in re.findall(WORDS_OF_THE_HOUSE, text)]
    assert found == []


def spoken_texts(source: str) -> list[str]:
    """The texts of more than one word in a file that may reach a user: all but its docstrings."""
    tree = ast.parse(source)
    told = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and isinstance(node.body[0], ast.Expr)
    }
    constants = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in told]
    return [c.value for c in constants if isinstance(c.value, str) and " " in c.value.strip()]


def test_messages_and_help_leave_out_the_words_of_the_house():
    found = []
    for path in [*(ROOT / PAGES.CORE).rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]:
        for text in spoken_texts(path.read_text(encoding="utf-8")):
            # NumPy's and torch's functions, where many stand in a row, are called as they are.
            words = re.findall(WORDS_OF_THE_HOUSE, re.sub(r"\b(round )?floor ceil\b", "", text))
            found += [f"{path.name}: {text!r}"] if words else []
    for command in app.registered_commands:
        words = re.findall(WORDS_OF_THE_HOUSE, inspect.getdoc(command.callback) or "")
        found += [f"--help of {command.name}: {word}" for word in words]
    assert found == []


def test_a_word_of_the_house_in_a_message_is_found():
    texts = spoken_texts(
        "def f():\n    'A door.'\n    raise ValueError('no ' f'{x} on this floor')"
    )
    assert texts == [" on this floor"]
    assert re.findall(WORDS_OF_THE_HOUSE, " ".join(texts)) == ["floor"]
