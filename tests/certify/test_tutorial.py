"""The tutorial's code runs as it stands and proves what its text says."""

import re
from pathlib import Path

from riemannian_modules.certify import Proved, verify

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "certify.md"


def test_the_tutorial_runs_and_proves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)
    names = {"__name__": "tutorial"}
    exec(compile("\n".join(blocks), str(TUTORIAL), "exec"), names)
    assert isinstance(names["answer"], Proved)
    assert isinstance(verify(tmp_path / "pendulum.json"), Proved)
