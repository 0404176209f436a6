"""Random composites: layers, activations, traced flows, nested and shared."""

import numpy as np

import riemannian_modules as rm
from riemannian_modules.modules.activation import Softplus, Tanh
from riemannian_modules.modules.affine import Affine


class Leaky(rm.Flow):
    """``q' = u - k q``, twice, with a saturating readout."""

    state = rm.space(q=2)
    inputs = rm.space(u=2)
    outputs = rm.space(y=2)
    parameters = {"k": [1.0, 0.1]}

    def equations(self, x, u, p):
        return {"q": u.u - p.k * x.q}, {"y": x.q / (1.0 + x.q**2) + np.where(x.q > 0.3, x.q, 0.0)}


def random_module(rng, depth):
    """A module from a port ``u`` of size 2 to a port ``y`` of size 2."""
    kind = rng.integers(6 if depth else 4)
    if kind == 0:
        return Affine(rng.standard_normal((2, 2)), rng.standard_normal(2))
    if kind == 1:
        return Tanh(2)
    if kind == 2:
        return Softplus(2)
    if kind == 3:
        return Leaky(k=rng.uniform(0.5, 2.0, 2))
    if kind == 4:
        return random_module(rng, depth - 1) >> random_module(rng, depth - 1)
    return random_graph(rng, depth - 1)


def random_graph(rng, depth=2):
    """A composite whose modules feed later ones, with a loop back through a state."""
    parts = [random_module(rng, depth) for _ in range(rng.integers(1, 4))]
    if rng.integers(2):
        parts.append(parts[rng.integers(len(parts))])  # one module in two places
    names = [f"m{i}" for i in range(len(parts))]
    wiring = rm.Wiring(**dict(zip(names, parts, strict=True)), state=Leaky())
    free = []
    for i, name in enumerate(names):
        source = rng.integers(-2, i) if i else -2  # so that there is always an input
        if source == -2:
            free.append(f"{name}.u")
        else:
            wiring.connect("state.y" if source < 0 else f"{names[source]}.y", f"{name}.u")
    wiring.connect(f"{names[-1]}.y", "state.u")
    if free:
        wiring.input("u", *free)
    return wiring.output("y", f"{names[rng.integers(len(names))]}.y").build()
