"""Help that teaches: each command shows an example of itself, and the words in it are real."""

import re
import shlex

import pytest

from riemannian_modules.cli import app
from tests.cli.commands import run, words_of

COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands)


def examples(command):
    """The example lines of a command's docstring."""
    (found,) = [c.callback for c in app.registered_commands if c.callback.__name__ == command]
    return re.findall(r"^ +riemannian-modules (.*)$", found.__doc__, re.MULTILINE)


def test_every_command_is_walked():
    assert COMMANDS == ["certify", "fit", "schema", "show", "simulate", "verify"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_shows_an_example_of_it(command):
    help_text = words_of(run(command, "--help").output)
    assert "For example" in help_text
    own = [line for line in examples(command) if line.startswith(command)]
    assert own
    for line in own:
        assert line.partition(" > ")[0] in help_text
        options = [word for word in shlex.split(line) if word.startswith("--")]
        assert all(option in help_text for option in options), line


def test_the_programs_help_names_every_command_and_exit_code():
    help_text = words_of(run("--help").output)
    for word in (*COMMANDS, "0 done", "1 failure", "2 misuse", "3 refuted", "4 undecided", "130"):
        assert word in help_text, word
    assert "JSON or YAML" in help_text
