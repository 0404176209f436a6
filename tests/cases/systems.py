"""The reference cases as a user would write them: modules of the public interface."""

import numpy as np

import riemannian_modules as rm


class LinearFlow(rm.Flow):
    """``x' = A x``."""

    def __init__(self, A):
        self.A = np.asarray(A, dtype=float)
        self.state = rm.space(x=len(self.A))

    def equations(self, x, u, p):
        return {"x": self.A @ x.x}


class GradientFlow(rm.Flow):
    """``x' = -grad V``, V = log cosh(x + y) + log cosh(x - y) + 0.15 (x^2 + y^2)."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        a, b = np.tanh(x.x + x.y), np.tanh(x.x - x.y)
        return {"x": -a - b - 0.3 * x.x, "y": -a + b - 0.3 * x.y}


class GradientStep(rm.StepMap):
    """``x+ = x - h grad V`` with the V of `GradientFlow`."""

    state = rm.space(x="", y="")
    parameters = {"h": 0.5}

    def equations(self, x, u, p):
        a, b = np.tanh(x.x + x.y), np.tanh(x.x - x.y)
        return {"x": x.x - p.h * (a + b + 0.3 * x.x), "y": x.y - p.h * (a - b + 0.3 * x.y)}


class FiringRates(rm.Flow):
    """``x' = -x + tanh(A x + u)``."""

    def __init__(self, A):
        self.A = np.asarray(A, dtype=float)
        self.state, self.inputs = rm.space(x=len(self.A)), rm.space(u=len(self.A))

    def equations(self, x, u, p):
        return {"x": -x.x + np.tanh(self.A @ x.x + u.u)}


class SkewFeedback(rm.Flow):
    """``x' = -x + W tanh(x) + K y [1, 2]; y' = -2 y - y^3 - (K/4)(x1 + 2 x2)``."""

    state = rm.space(x=2, y="")

    def __init__(self, W, K):
        self.W, self.K = np.asarray(W, dtype=float), K

    def equations(self, x, u, p):
        back = np.array([1.0, 2.0])
        return {
            "x": -x.x + self.W @ np.tanh(x.x) + self.K * x.y * back,
            "y": -2 * x.y - x.y**3 - self.K / 4 * (back @ x.x),
        }


class Arm(rm.Flow):
    """Two-link manipulator, sliding variable: ``H(q2) s' + C(q2, qd) s + Kd s = 0``."""

    state, inputs = rm.space(s=2), rm.space(q2="rad", qd=2)
    parameters = {"a": 3.0, "b": 0.5, "d": 1.0, "Kd": 10.0}

    def equations(self, x, u, p):
        h = -p.b * np.sin(u.q2)
        C = np.stack(
            [np.stack([h * u.qd[1], h * (u.qd[0] + u.qd[1])]), np.stack([-h * u.qd[0], 0.0 * h])]
        )
        return {"s": np.linalg.solve(inertia(x, u, p), -(C @ x.s) - p.Kd * x.s)}


def inertia(x, u, p):
    """H(q2) of `Arm`."""
    c = np.cos(u.q2)
    return np.stack(
        [np.stack([p.a + 2 * p.b * c, p.d + p.b * c]), np.stack([p.d + p.b * c, p.d + 0.0 * c])]
    )


class PlanarShear(rm.Flow):
    """``x' = -x + 3 y^2; y' = -2 y``."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {"x": -x.x + 3 * x.y**2, "y": -2 * x.y}


def dense_net(*weights):
    """Layers ``W`` with ReLU between them, no biases."""
    layers = [rm.Affine(weights[0])]
    for W in weights[1:]:
        layers += [rm.ReLU(W.shape[1]), rm.Affine(W)]
    return rm.chain(*layers)


class TanhStep(rm.StepMap):
    """``x+ = W tanh(x)``."""

    def __init__(self, W):
        self.W = np.asarray(W, dtype=float)
        self.state = rm.space(x=len(self.W))

    def equations(self, x, u, p):
        return {"x": self.W @ np.tanh(x.x)}


class Pendulum(rm.Flow):
    """``q' = v; v' = -k q - g sin(q) - d v``."""

    state = rm.space(q="", v="")
    parameters = {"k": 6.0, "g": 4.0, "d": 3.0}

    def equations(self, x, u, p):
        return {"q": x.v, "v": -p.k * x.q - p.g * np.sin(x.q) - p.d * x.v}


class Lienard(rm.Flow):
    """``x' = z - (x^3/3 + k x); z' = -x``."""

    state = rm.space(x="", z="")
    parameters = {"k": 1.0}

    def equations(self, x, u, p):
        return {"x": x.z - (x.x**3 / 3 + p.k * x.x), "z": -x.x}


class Autoregulation(rm.Flow):
    """``m' = k / (1 + p^2) - m; p' = m - p``."""

    state = rm.space(m="", p="")
    parameters = {"k": 4.0}

    def equations(self, x, u, p):
        return {"m": p.k / (1 + x.p**2) - x.m, "p": x.m - x.p}


class HillRing(rm.Flow):
    """``x1' = k / (1 + xn^2) - x1; xi' = x(i-1) - xi``."""

    def __init__(self, n, k):
        self.n, self.k = n, k
        self.state = rm.space(x=n)

    def equations(self, x, u, p):
        first = self.k / (1 + x.x[-1] ** 2)
        return {"x": np.stack([first, *(x.x[i] for i in range(self.n - 1))]) - x.x}


class Transcription(rm.Flow):
    """``x' = u - delta x + k1 y - k2 (eT - y) x; y' = -k1 y + k2 (eT - y) x``."""

    state = rm.space(x="", y="")
    inputs = rm.space(u="")
    parameters = {"k1": 0.5, "k2": 5.0, "eT": 1.0, "delta": 20.0}

    def equations(self, x, u, p):
        bound = p.k2 * (p.eT - x.y) * x.x - p.k1 * x.y
        return {"x": u.u - p.delta * x.x - bound, "y": bound}


class CubicPi(rm.Flow):
    """``x' = -x^3 - x - kp x - w z + r; z' = w x``."""

    state = rm.space(x="", z="")
    inputs = rm.space(r="")
    parameters = {"kp": 2.0, "w": 2.0}

    def equations(self, x, u, p):
        return {"x": -(x.x**3) - x.x - p.kp * x.x - p.w * x.z + u.r, "z": p.w * x.x}


class VanDerPol(rm.Flow):
    """``x' = y; y' = (1 - x^2) y - x``."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {"x": x.y, "y": (1 - x.x**2) * x.y - x.x}


class Toggle(rm.Flow):
    """``x' = 10 / (1 + y^2) - x; y' = 10 / (1 + x^2) - y``."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {"x": 10 / (1 + x.y**2) - x.x, "y": 10 / (1 + x.x**2) - x.y}


class Needle(rm.Flow):
    """``x' = -x + w sqrt(pi) erf((x - 0.3141592) / w)``, w = 1e-5."""

    state = rm.space(x="")

    def equations(self, x, u, p):
        from scipy.special import erf

        w = 1e-5
        return {"x": -x.x + w * np.sqrt(np.pi) * erf((x.x - 0.3141592) / w)}


class RootGrowth(rm.Flow):
    """``x' = sqrt(1 - p + p^2) x`` with an uncertain p."""

    state = rm.space(x="")
    parameters = {"p": 0.5}

    def equations(self, x, u, p):
        return {"x": np.sqrt(1 - p.p + p.p**2) * x.x}


def ring(n, g):
    """The matrix of ``xi' = -xi + g x(i-1), x1' = -x1 - g xn``."""
    A = -np.eye(n) + g * np.eye(n, k=-1)
    A[0, -1] = -g
    return A
