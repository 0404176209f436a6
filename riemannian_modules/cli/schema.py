"""`riemannian-modules schema`: the JSON schema of system files."""

from __future__ import annotations

import json

from riemannian_modules.cli.arguments import OutFolder
from riemannian_modules.cli.results import results_in, write_json


def schema(out: OutFolder = None) -> None:
    """Print the JSON schema of system files; editors check and complete a file with it.

    With `--out`, saves it as `system.schema.json`.

    For example:

        riemannian-modules schema > system.schema.json
    """
    from riemannian_modules.spec import system_schema

    if out is None:
        print(json.dumps(system_schema(), indent=2))
    else:
        with results_in(out) as draft:
            write_json(draft / "system.schema.json", system_schema())
