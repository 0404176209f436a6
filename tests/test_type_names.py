"""One word, one meaning: no type of the library has a name that another type has, too."""

import ast
from collections import defaultdict

from tests.shared import ROOT

# Names that a part of the house still gives away twice; it is being rebuilt, and the list shrinks.
LEFT = {
    "Block",
    "Entries",
    "Found",
    "Jacobian",
    "Matrix",
    "Part",
    "Piece",
    "Place",
    "Places",
    "Point",
    "Polynomial",
    "Progress",
    "Reader",
    "Row",
    "Rows",
    "Side",
    "Squares",
    "Term",
    "Values",
}
REBUILT = tuple(
    f"riemannian_modules/{room}/" for room in ("certify", "claims", "evidence", "search", "terms")
)


def is_type(value: ast.expr) -> bool:
    """Whether an assignment's right-hand side reads as a type: a name, a subscript or a union."""
    return isinstance(value, (ast.Subscript, ast.Name, ast.Attribute)) or (
        isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr)
    )


def type_names(tree: ast.Module) -> set[str]:
    """The public classes and aliases at the top of a file; a constant is written in capitals."""
    found = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_type(value):
                found.add(name)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                found.add(name)
            case _:
                pass
    return {name for name in found if name[0].isupper() and not name.isupper()}


def repeated_names(sources: dict[str, str]) -> dict[str, list[str]]:
    """The names that are defined in more than one file, with the files."""
    places: dict[str, list[str]] = defaultdict(list)
    for file, text in sources.items():
        for name in type_names(ast.parse(text)):
            places[name].append(file)
    return {name: files for name, files in places.items() if len(files) > 1}


SOURCES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for root in ("riemannian_modules", "adapters")
    for path in sorted((ROOT / root).rglob("*.py"))
}


def test_no_type_has_the_name_of_another():
    assert {k: v for k, v in repeated_names(SOURCES).items() if k not in LEFT} == {}


def test_what_is_left_is_left_to_the_part_that_is_rebuilt():
    outside = {file: text for file, text in SOURCES.items() if not file.startswith(REBUILT)}
    assert repeated_names(outside) == {}


def test_a_name_with_two_meanings_is_found_however_it_is_defined():
    texts = ("class Row: ...", "Row = dict[str, int]", "Row = int | str", "Row: TypeAlias = int")
    for text in texts:
        assert repeated_names({"a": "class Row: ...", "b": text}) == {"Row": ["a", "b"]}
    for text in ("ROW = dict[str, int]", "Row = TypeVar('Row')", "_Row = int", "def Row(): ..."):
        assert repeated_names({"a": "class Row: ...", "b": text}) == {}
