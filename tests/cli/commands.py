"""How tests call the command line, and the small systems that they give it."""

import re
import shlex

from typer.testing import CliRunner

import riemannian_modules as rm
from riemannian_modules.cli import app
from riemannian_modules.region import box
from riemannian_modules.spec import System, save_system

PNG = b"\x89PNG"


class Cubic(rm.Flow):
    """``q' = a q - q^3 + u``."""

    state = rm.space("q")
    inputs = rm.space("u")
    outputs = rm.space("y")
    parameters = {"a": -1.0}

    def equations(self, x, u, p):
        return [p.a * x.q - x.q**3 + u.u], [x.q]


def run(*words):
    """The result of a command, its exit code and all that it prints among it."""
    return CliRunner().invoke(app, [str(word) for word in words])


def words_of(result):
    """What was printed, without the frames and line breaks of tables and boxes."""
    for mark in "│╭╮╰╯─┌┐└┘├┤┬┴┼┃┏┓┗┛┡┩━╇╈┳┻":
        result = result.replace(mark, " ")
    return " ".join(result.split())


def told_by_an_interrupt(said):
    """The saved files, whether it goes on, and the next command, of the one line that says so."""
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    found = re.fullmatch(
        r"error: interrupted; (nothing was saved.*?|saved in (.*?): (.*?))\. "
        r"(Begin again|Go on) with: riemannian-modules (.*)", line,
    )  # fmt: skip
    assert found, line
    saved = [] if found[3] is None else found[3].split(", ")
    return saved, found[4] == "Go on", shlex.split(found[5])


def save_cubic(path, a):
    """Save ``q' = a q - q^3 + u`` on ``-1 <= q <= 1``."""
    save_system(System(Cubic(a=a), "cubic", region=box(q=(-1, 1))), path)
    return path


def ring(gain=0.25):
    """Two cubics that feed each other, one through a gain, one through bends in series."""
    bends = {"bend": rm.Tanh(1), "again": rm.Tanh(1)}
    wiring = rm.Wiring(a=Cubic(), b=Cubic(a=-2.0), scale=rm.Gain(gain, 1), **bends)
    wiring.connect("a.y", "bend.u").connect("bend.y", "again.u").connect("again.y", "b.u")
    wiring.connect("b.y", "scale.u").connect("scale.y", "a.u")
    return wiring.build()
