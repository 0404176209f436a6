"""The published schema fits every certificate that is true, and none with an unknown key."""

import json
import re
from pathlib import Path

import pytest

from tests.certify.hand_written import TRUE, changed

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "certificate.schema.json").read_text(encoding="utf-8")
)
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def fits(data, schema):
    """The part of JSON Schema that ours is written in."""
    if "$ref" in schema:
        return fits(data, SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    if "oneOf" in schema:
        return sum(fits(data, option) for option in schema["oneOf"]) == 1
    if "const" in schema:
        return data == schema["const"] and type(data) is type(schema["const"])
    if "enum" in schema:
        return data in schema["enum"]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if isinstance(data, bool) or not any(isinstance(data, TYPES[kind]) for kind in kinds):
        return False
    if isinstance(data, dict):
        known = schema["properties"]
        return set(schema["required"]) <= set(data) <= set(known) and all(
            fits(value, known[key]) for key, value in data.items()
        )
    if isinstance(data, list):
        first = schema.get("prefixItems", [])
        if not schema.get("minItems", 0) <= len(data) <= schema.get("maxItems", len(data)):
            return False
        rest = data[len(first) :]
        return all(fits(v, s) for v, s in zip(data, first, strict=False)) and (
            not rest if schema["items"] is False else all(fits(v, schema["items"]) for v in rest)
        )
    if isinstance(data, str):
        return re.search(schema.get("pattern", ""), data) is not None
    return data is None or data >= schema.get("minimum", data)


@pytest.mark.parametrize("name", TRUE)
def test_true_certificates_fit(name):
    assert fits(TRUE[name], SCHEMA)


@pytest.mark.parametrize("name", TRUE)
@pytest.mark.parametrize("part", ["claim", "region", "system", "evidence"])
def test_unknown_keys_do_not_fit(name, part):
    assert not fits(changed(TRUE[name], (part, "other"), 1), SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 1),
        (("claim", "bound"), "0"),
        (("claim", "bound"), True),
        (("region", "sides", 0), ["x", 0]),
        (("evidence", "cuts"), []),
        (("evidence", "cuts"), [[-1, 0]]),
        (("claim", "kind"), "jump"),
    ],
)
def test_what_breaks_the_format_does_not_fit(path, value):
    assert not fits(changed(TRUE["tanh"], path, value), SCHEMA)
