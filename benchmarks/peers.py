"""Other tools, each in an environment of its own, asked through JSON on their standard input.

``RIEMANNIAN_PEERS`` holds their interpreters, separated as in PATH; `peers.txt` says how to make
the environments. A tool that none of them has is told as not installed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

SETTING = "RIEMANNIAN_PEERS"
TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool: what it is called, what is imported, the script that asks it, what it leaves out."""

    name: str
    package: str
    script: str
    omits: str


PEERS = (
    Peer("immrax", "immrax", "peer_immrax.py", "no certificate; rounding not covered"),
    Peer("auto_LiRPA", "auto_LiRPA", "peer_auto_lirpa.py", "no certificate; rounding not covered"),
    Peer("python-flint", "flint", "peer_flint.py", "no certificate; arithmetic only"),
)


def interpreters() -> list[str]:
    """The interpreters that are given, and this one."""
    given = [path for path in os.environ.get(SETTING, "").split(os.pathsep) if path]
    return [*given, sys.executable]


@lru_cache
def interpreter_for(package: str) -> str | None:
    """The first interpreter that has a package, found without importing it."""
    probe = f"import importlib.util as u, sys; sys.exit(u.find_spec({package!r}) is None)"
    for interpreter in interpreters():
        if subprocess.run([interpreter, "-I", "-c", probe], check=False).returncode == 0:
            return interpreter
    return None


def ask(peer: Peer, tasks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A tool's answers, one a task; ``{"failed": reason}`` where there is none."""
    interpreter = interpreter_for(peer.package)
    if interpreter is None:
        return [{"failed": "not installed"} for _ in tasks]
    script = Path(__file__).parent / peer.script
    try:
        done = subprocess.run(
            [interpreter, "-I", str(script)], input=json.dumps(tasks), capture_output=True,
            text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [{"failed": f"no answer in {TIMEOUT_S:g} s"} for _ in tasks]
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1][:200]
        return [{"failed": reason} for _ in tasks]
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return [{**answer, "version": told["version"]} for answer in told["answers"]]
