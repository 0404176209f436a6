"""The worked example of the page on certificates is a certificate, and the checker proves it."""

import json
import re
from pathlib import Path

import contraction_checker as checker

PAGE = Path(__file__).parents[2] / "docs" / "certificates.md"


def test_the_worked_example_is_proved_as_the_page_shows(tmp_path, capsys):
    text = PAGE.read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.S)
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(json.loads(example)))
    assert checker.main([str(path)]) == 0
    (shown,) = re.findall(r"certificate.json\n(PROVED.*?)```", text, re.S)
    assert capsys.readouterr().out == shown
