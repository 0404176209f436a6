"""The answers of the cases, as data: a change of the layout changes none of them.

`answers.json` says for each test of `tests/cases` and `tests/certify` what its requests came to, in
their order: proved, by which rule and with which bound, or refuted. What stays open is named and
not held: it may be decided one day. To write it, run twice, the second time on a busy machine:

    pytest tests/cases tests/certify -p no:xdist --record-answers

A second run keeps what both say: what depends on the time is not held.
"""

import functools
import json
import sys
from pathlib import Path

import pytest

from riemannian_modules.certify import Proved, Refuted

FILE = Path(__file__).with_name("answers.json")
ASKED = ("certify", "certify_network", "certify_slopes")
CASES = ("tests.cases.", "tests.certify.")
NO_WORSE = 1e-9  # part of a bound: the last digits of a metric that a program finds vary
OPEN = ["open"]


def summary(answer):
    """What is kept of an answer: its kind, and of a proof the rule, what it bounds, the bound."""
    if isinstance(answer, Proved):
        data = answer.certificate.data
        return ["proved", data["evidence"]["rule"], data["claim"]["kind"], data["claim"]["bound"]]
    return ["refuted"] if isinstance(answer, Refuted) else OPEN


def holds(now, then):
    """Whether an answer is the recorded one, at the same bound or a better one."""
    if then == OPEN:
        return True
    if now[:3] != then[:3]:
        return False
    return len(then) < 4 or now[3] <= then[3] + NO_WORSE * abs(then[3])


def _watched(answers, ask):
    @functools.wraps(ask)
    def asked(*args, **kwargs):
        place = len(answers)
        answers.append(OPEN)  # what raises stays so: the tests name the errors
        answer = ask(*args, **kwargs)
        answers[place] = summary(answer)
        return answer

    return asked


@pytest.fixture(autouse=True)
def recorded(request, monkeypatch):
    """Hold every answer that a test gets against the recorded one."""
    if hasattr(getattr(request, "function", None), "hypothesis"):
        yield  # its examples are others each time
        return
    answers = []
    for name, module in list(sys.modules.items()):
        if name.startswith(CASES):
            for asked in ASKED:
                if callable(vars(module).get(asked)):
                    monkeypatch.setattr(module, asked, _watched(answers, vars(module)[asked]))
    yield
    table = request.config.stash.setdefault(TABLE, _read())
    name = request.node.nodeid
    if request.config.getoption("--record-answers"):
        if any(answer != OPEN for answer in answers):
            then = table.get(name, answers)
            table[name] = [
                a if holds(a, b) and holds(b, a) else OPEN
                for a, b in zip(answers, then, strict=True)
            ]
            rows = (f" {json.dumps(n)}: {json.dumps(table[n])}" for n in sorted(table))
            FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
        return
    then = table.get(name, [])
    assert len(answers) >= len(then), f"{name}: asked {len(answers)} times, {len(then)} recorded"
    for k, (a, b) in enumerate(zip(answers, then, strict=False)):
        assert holds(a, b), f"{name}, request {k}: {b} is recorded, got {a}"


TABLE = pytest.StashKey[dict]()


def _read():
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
