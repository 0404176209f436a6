"""YAML holds what JSON holds, in every version's eyes; the rest is refused with its line."""

import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.errors import SpecError
from riemannian_modules.region import box
from riemannian_modules.spec import System, load_system, save_system
from riemannian_modules.spec.write import system_to_data
from riemannian_modules.spec.yaml_text import decode_yaml, yaml_text
from tests.modules.instances import INSTANCES

finite = st.floats(allow_nan=False, allow_infinity=False)
tricky = st.sampled_from([
    "no", "on", "yes", "True", "null", "~", "", "1e5", "0x10", "1:30", "2001-01-01", "010", "1_000",
    ".inf", "=", "<<", "- a", "a: b", "k*x # c", "'", '"', "\\n", "*a", "&a", "!t", "%", "@", "µ",
])  # fmt: skip
words = tricky | st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=12)
leaves = st.none() | st.booleans() | st.integers() | finite | words
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(values)
def test_what_is_written_reads_back_with_every_digit(value):
    assert decode_yaml(yaml_text(value), "f") == value


@given(values)
def test_readers_of_the_older_yaml_take_text_for_text(value):
    # They read integers and floats as the same numbers too.
    assert yaml.safe_load(yaml_text(value)) == value


@given(values)
def test_json_is_read_as_json(value):
    assert decode_yaml(json.dumps(value, ensure_ascii=True), "f") == value


SCALARS = {
    "no": "no", "on": "on", "y": "y", "true": True, "False": False, "null": None, "~": None,
    "": None, "3": 3, "-3": -3, "+3": 3, "010": 10, "3.": 3.0, ".5": 0.5, "1e5": 1e5,
    "-1.5E-3": -1.5e-3, "1:30": "1:30", "2001-01-01": "2001-01-01", "0x10": "0x10",
    "1_000": "1_000", "inf": "inf", "-inf": "-inf", "1e": "1e", "-": "-",
    "k*x - 2": "k*x - 2", "=": "=",
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS.items())
def test_plain_scalars_are_those_of_the_core_schema(text, value):
    (found,) = decode_yaml(f"a: {text}" if text != "-" else "a: '-'", "f").values()
    assert found == value
    assert type(found) is type(value)


REFUSED = {
    "an integer of 5,001 digits": ("a:\n - " + "7" * 5001, "line 2, .*of 5001 digits"),
    "an exponent beyond doubles": ("a: 1e999", "1e999, which no double holds"),
    "an exponent below doubles": ("a: -1e-999", "no double holds"),
    "infinity": ("a: -.inf", r"line 1, column 4: .*-\.inf.*finite"),
    "NaN": ("a: .NaN", "finite"),
    "a key twice": ("a: 1\nb: 2\na: 3", "line 3, column 1: .*'a' twice"),
    "a key that is a number": ("1: a", "the key 1.*quotes"),
    "a key that is a list": ("? [a]\n: b", "the key"),
    "an alias": ("a: &x 1\nb: *x", "line 1, .*anchor"),
    "an alias of nothing": ("b: *x", "alias"),
    "a bomb of aliases": ("a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]", "anchor"),
    "a tag": ("a: !!python/object/apply:os.system [ls]", "the tag"),
    "a date by its tag": ("a: !!timestamp 2001-01-01", "the tag"),
    "two documents": ("a: 1\n---\na: 2", "document"),
    "half of a character": ('a: "\\ud800"', "line 1, .*half of a character"),
    "a tab for a blank": ("a:\n\tb: 1", "line 2"),
    "wrong indentation": ("a: 1\n  b: 2", "line 2"),
    "an open bracket": ("a: [1, 2", "line 1"),
    "an open quote": ('a: "b', "line 1"),
    "zeros": ("a: \0", "line 1: expected text"),
    "depth": ("[" * 5000, "levels"),
    "depth of mappings": ("{a: " * 3000, "levels"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_such_yaml_is_refused_in_a_line(text, said):
    with pytest.raises(SpecError, match=said) as refusal:
        decode_yaml(text, "f.yaml")
    assert str(refusal.value).startswith("f.yaml: ")
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 250


def test_a_text_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr("riemannian_modules.spec.yaml_text.LARGEST_YAML", 10)
    with pytest.raises(SpecError, match=r"at most 10 characters of YAML, got 11\. Write it"):
        decode_yaml("a: 12345678", "f")


@pytest.mark.parametrize("ending", [".yaml", ".YML"])
def test_every_kind_of_module_is_saved_as_yaml_too(tmp_path, ending):
    for instance in INSTANCES.values():
        system = System(instance.module, "no", region=box())
        save_system(system, tmp_path / f"a{ending}")
        read = load_system(tmp_path / f"a{ending}")
        assert system_to_data(read) == system_to_data(system)
        assert "{" not in (tmp_path / f"a{ending}").read_text().splitlines()[0]


def test_equations_in_yaml_written_by_hand(tmp_path):
    (tmp_path / "gene.yaml").write_text(
        "system:\n"
        "  type: Equations\n"
        "  state: {mrna: nM, protein: nM}\n"
        "  inputs: r\n"
        "  parameters: {a: 2, K: .7, d: 3e-1, k: 1.5}\n"
        "  definitions:\n"
        "    repression: 1/(1 + (r/K)^2)  # of the promoter\n"
        "  equations:\n"
        "    dmrna: a*repression - d*mrna\n"
        "    dprotein: >-\n"
        "      k*mrna\n"
        "      - d*protein\n"
        "region: {mrna: [0, inf], protein: ['0' , 5]}\n".replace("'0' ", "0")
    )
    system = load_system(tmp_path / "gene.yaml")
    assert system.region.sides == {"mrna": (0, math.inf), "protein": (0, 5)}
    assert [port.unit for port in system.module.signature.state.ports] == ["nM", "nM"]
    x, u = [2.0, 3.0], [0.7]
    p = system.module.point(x, u, system.module.theta)
    dx = system.module.forward(p.x, p.u, p.theta)[0]
    assert dx == pytest.approx([2 / 2 - 0.3 * 2, 1.5 * 2 - 0.3 * 3], rel=1e-15)
    assert isinstance(system.module, rm.Equations)
