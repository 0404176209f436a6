"""Systems whose bounds are known on balls, simplices and polytopes, as a user would write them."""

import numpy as np

import riemannian_modules as rm


class Radial(rm.Flow):
    """``x' = -x + |x|_M^2 x``: J has the values -1 + |x|_M^2, and -1 + 3 |x|_M^2 along x."""

    def __init__(self, M):
        self.M = np.asarray(M, dtype=float)
        self.state = rm.space(x=len(self.M))

    def equations(self, x, u, p):
        return {"x": -x.x + (x.x @ (self.M @ x.x)) * x.x}


class RadialStep(rm.StepMap):
    """``x+ = (1 + |x|^2) x / 2``: J has half of 1 + |x|^2, and of 1 + 3 |x|^2 along x."""

    def __init__(self, n):
        self.state = rm.space(x=n)

    def equations(self, x, u, p):
        return {"x": 0.5 * (1 + x.x @ x.x) * x.x}


class Harmonic(rm.Flow):
    """``x' = -2 x + grad (x^3 - 3 x y^2) / 6``: J has the values -2 +- r, r = |(x, y)|."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {"x": -2 * x.x + (x.x**2 - x.y**2) / 2, "y": -2 * x.y - x.x * x.y}


class Mixture(rm.Flow):
    """``x' = (A_0 + sum_i k_i A_i) x`` with uncertain parts k."""

    def __init__(self, *A):
        self.A = np.asarray(A, dtype=float)
        self.state, self.parameters = rm.space(x=self.A.shape[1]), {"k": np.zeros(len(A) - 1)}

    def equations(self, x, u, p):
        return {"x": (self.A[0] + sum(p.k[i] * A for i, A in enumerate(self.A[1:]))) @ x.x}


class Competition(rm.Flow):
    """``z' = -z + (1/2) diag(B z) z`` for shares z; in coordinates x = T z, T invertible."""

    def __init__(self, T, c):
        self.T, self.c = np.asarray(T, dtype=float), np.asarray(c, dtype=float)
        self.inverse = np.linalg.inv(self.T)
        self.state = rm.space(x=len(self.T))

    def equations(self, x, u, p):
        z = self.T @ x.x
        return {"x": self.inverse @ (-z + self.c * z**2)}


class Epidemic(rm.Flow):
    """Shares S and I of a population with births and deaths m, infection b, recovery g."""

    state = rm.space(s="", i="")
    parameters = {"m": 1.0, "b": 1.0, "g": 1.0}

    def equations(self, x, u, p):
        infected = p.b * x.s * x.i
        return {"s": p.m * (1 - x.s) - infected, "i": infected - (p.g + p.m) * x.i}


class Replicator(rm.Flow):
    """``x_i' = x_i (f_i - x^T f) - m (x_i - 1/n)``, f = A x: shares of strategies that mutate."""

    def __init__(self, A, m):
        self.A, self.m = np.asarray(A, dtype=float), m
        self.state = rm.space(x=len(self.A))

    def equations(self, x, u, p):
        f = self.A @ x.x
        return {"x": x.x * (f - x.x @ f) - self.m * (x.x - 1 / len(self.A))}


class Softmax(rm.StaticMap):
    """The shares ``exp(z_i) / sum_j exp(z_j)``."""

    def __init__(self, n):
        self.inputs, self.outputs = rm.space(z=n), rm.space(p=n)

    def map(self, u, p):
        e = np.exp(u.z)
        return {"p": e / e.sum()}


class Swelling(rm.StaticMap):
    """``y = (1 + |u|^2) u``, whose Jacobian has the values 1 + |u|^2, and 1 + 3 |u|^2 along u."""

    def __init__(self, n):
        self.inputs, self.outputs = rm.space(u=n), rm.space(y=n)

    def map(self, u, p):
        return {"y": (1 + u.u @ u.u) * u.u}


class Cycle(rm.Flow):
    """Reactions ``x_i -> x_(i+1)`` at the rate ``x_i (1 + x_(i+1))``, which keep the sum of x."""

    state = rm.space(x=3)

    def equations(self, x, u, p):
        v = x.x * (1 + np.stack([x.x[1], x.x[2], x.x[0]]))
        return {"x": np.stack([v[2], v[0], v[1]]) - v}


class Attention(rm.Flow):
    """``x' = -x + softmax(x)``, whose Jacobian is the gain of softmax less the identity."""

    def __init__(self, n):
        self.state = rm.space(x=n)

    def equations(self, x, u, p):
        e = np.exp(x.x)
        return {"x": -x.x + e / e.sum()}
