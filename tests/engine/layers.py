"""Small hand-written layers and random graphs of them, for tests of propagation."""

import numpy as np

import riemannian_modules as rm
from riemannian_modules.metrics import dense_metric, scaled_identity_metric
from riemannian_modules.modules.module import LocalMetric


class Layer(rm.RiemannianModule):
    """``y = tanh(W [a; b] + c)`` of two input ports, with its own metrics R and h if given."""

    time = rm.Time.STATIC

    def __init__(self, rng, sizes, n_out, local_columns=0, own_metric=False):
        self.inputs = rm.space(**{f"in{i}": n for i, n in enumerate(sizes)})
        self.outputs = rm.space(out=n_out)
        n_in = sum(sizes)
        self.parameters = {"W": rng.standard_normal((n_out, n_in)), "c": rng.standard_normal(n_out)}
        self.h = rng.standard_normal((n_out, local_columns))
        p = n_out * n_in + n_out
        root = rng.standard_normal((p, p))
        self.R = dense_metric(root @ root.T + p * np.eye(p)) if own_metric else None

    def _parts(self, theta):
        (q, n) = self.parameters["W"].shape
        return theta[..., : q * n].reshape(*theta.shape[:-1], q, n), theta[..., q * n :]

    def forward(self, x, u, theta):
        W, c = self._parts(theta)
        return np.zeros((*u.shape[:-1], 0)), np.tanh((W @ u[..., None])[..., 0] + c)

    def jacobian(self, x, u, theta):
        W, _ = self._parts(theta)
        slope = 1 - self.forward(x, u, theta)[1] ** 2
        q, n = W.shape[-2:]
        F = np.zeros((*u.shape[:-1], q, q * n + q))
        for i in range(q):
            F[..., i, i * n : (i + 1) * n] = slope[..., i, None] * u
            F[..., i, q * n + i] = slope[..., i]
        D, empty = slope[..., None] * W, np.zeros
        return rm.modules.differential.Jacobian(
            empty((0, 0)), empty((0, n)), empty((q, 0)), D, empty((0, q * n + q)), F
        )

    def local_metric(self):
        R = self.R or scaled_identity_metric(self.signature.parameters.size, 1.0)
        return LocalMetric(R, scaled_identity_metric(1, 1.0), self.h)


def random_graph(rng, count, local_columns=0, own_metric=False, shared=False):
    """A DAG of ``count`` layers, each fed by two earlier ones or the input, with two outputs."""
    nodes, wires = {}, []
    for i in range(count):
        sources = [int(rng.integers(-1, i)) for _ in range(2)]
        if shared and i == count - 1 and i > 0:
            nodes[f"n{i}"] = nodes["n0"]
        else:
            nodes[f"n{i}"] = Layer(rng, [2, 2], 2, local_columns, own_metric)
        wires.append(sources)
    wiring = rm.Wiring(**nodes)
    fed = []
    for i, sources in enumerate(wires):
        for k, source in enumerate(sources):
            if source < 0:
                fed.append(f"n{i}.in{k}")
            else:
                wiring = wiring.connect(f"n{source}.out", f"n{i}.in{k}")
    wiring = wiring.input("u", *fed)
    wiring = wiring.output("y", f"n{count - 1}.out").output("z", f"n{int(rng.integers(count))}.out")
    return wiring.build()
