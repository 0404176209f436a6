"""Further systems, of the kinds that a user brings, as modules of the public interface."""

import numpy as np

import riemannian_modules as rm


class Sheared(rm.Flow):
    """``z' = A z`` seen in ``z = (x + y^k, y)``: a linear system under a nonlinear shear."""

    state = rm.space(x="", y="")

    def __init__(self, A, power):
        self.A, self.power = np.asarray(A, dtype=float), power

    def equations(self, x, u, p):
        (a, b), (c, d), k = *self.A, self.power
        z = x.x + x.y**k
        dy = c * z + d * x.y
        return {"x": a * z + b * x.y - k * x.y ** (k - 1) * dy, "y": dy}

    def coordinates(self, x, u, p):
        """dz = Theta dx."""
        one = 0.0 * x.y + 1.0
        return [[one, self.power * x.y ** (self.power - 1)], [0.0 * x.y, one]]

    def metric(self, P):
        """The metric Theta^T P Theta as a function of the point."""
        (p, q), (_, r), k = *np.asarray(P, dtype=float), self.power

        def M(x, u, parameters):
            s = k * x.y ** (k - 1)
            return [[p + 0 * s, p * s + q], [p * s + q, p * s * s + 2 * q * s + r]]

        return M


class Kuramoto(rm.Flow):
    """``theta_i' = w_i + (K / n) sum_j sin(theta_j - theta_i)``."""

    def __init__(self, n, K=1.0, w=None):
        self.K, self.w = K, np.linspace(-0.1, 0.1, n) if w is None else np.asarray(w, dtype=float)
        self.state = rm.space(theta=n)

    def equations(self, x, u, p):
        t, n = x.theta, len(self.w)
        pull = [sum(np.sin(t[j] - t[i]) for j in range(n) if j != i) for i in range(n)]
        return {"theta": self.w + self.K / n * np.stack(pull)}


def arc(n, gamma):
    """The region ``|theta_i - theta_j| <= gamma``."""
    region = rm.box()
    for i in range(n):
        for j in range(i):
            region = region.linear({f"theta[{i}]": 1.0, f"theta[{j}]": -1.0}, -gamma, gamma)
    return region


class ImplicitLayer(rm.Flow):
    """``z' = -z + tanh(A z + B u + b)``, at rest where z solves the implicit layer."""

    def __init__(self, A, B, b):
        self.A, self.B, self.b = (np.asarray(v, dtype=float) for v in (A, B, b))
        self.state, self.inputs = rm.space(z=len(self.A)), rm.space(u=self.B.shape[1])

    def equations(self, x, u, p):
        return {"z": -x.z + np.tanh(self.A @ x.z + self.B @ u.u + self.b)}


class ImplicitIteration(rm.StepMap):
    """``z+ = tanh(A z + B u + b)``: Picard's iteration for the implicit layer."""

    def __init__(self, A, B, b):
        self.A, self.B, self.b = (np.asarray(v, dtype=float) for v in (A, B, b))
        self.state, self.inputs = rm.space(z=len(self.A)), rm.space(u=self.B.shape[1])

    def equations(self, x, u, p):
        return {"z": np.tanh(self.A @ x.z + self.B @ u.u + self.b)}


class NeuralODE(rm.Flow):
    """``x' = -k x + W2 tanh(W1 x + B u + b)`` with an uncertain leak k."""

    parameters = {"k": 1.0}

    def __init__(self, W1, W2, B, b):
        self.W1, self.W2, self.B, self.b = (np.asarray(v, dtype=float) for v in (W1, W2, B, b))
        self.state, self.inputs = rm.space(x=len(self.W2)), rm.space(u=self.B.shape[1])

    def equations(self, x, u, p):
        return {"x": -p.k * x.x + self.W2 @ np.tanh(self.W1 @ x.x + self.B @ u.u + self.b)}


class Parametric(rm.Flow):
    """``x' = -(a + t) x + y; y' = -x - 2 a y`` with a signal t and a parameter a."""

    state, inputs = rm.space(x="", y=""), rm.space(t="")
    parameters = {"a": 1.0}

    def equations(self, x, u, p):
        return {"x": -(p.a + u.t) * x.x + x.y, "y": -x.x - 2 * p.a * x.y}


class Cascade(rm.Flow):
    """A kinase cascade: ``xi' = k s / (1 + s) - d xi`` with s the signal or the kinase before."""

    inputs = rm.space(signal="")

    def __init__(self, n, k=1.0, d=1.0):
        self.n, self.k, self.d = n, k, d
        self.state = rm.space(x=n)

    def equations(self, x, u, p):
        before = [u.signal, *(x.x[i] for i in range(self.n - 1))]
        return {"x": np.stack([self.k * s / (1 + s) for s in before]) - self.d * x.x}


class Repressor(rm.Flow):
    """``m' = k / (1 + (p / K)^4) - m; p' = g (m - p)``, an autoregulated gene."""

    state, inputs = rm.space(m="", p=""), rm.space(leak="")
    parameters = {"k": 2.0, "K": 1.0, "g": 0.5}

    def equations(self, x, u, p):
        return {"m": u.leak + p.k / (1 + (x.p / p.K) ** 4) - x.m, "p": p.g * (x.m - x.p)}


class Observer(rm.StepMap):
    """``e+ = A e - l (c e + 0.2 tanh(c e))``: the error of an observer with a bent sensor."""

    def __init__(self, A, c, gain):
        self.A, self.c, self.gain = (np.asarray(v, dtype=float) for v in (A, c, gain))
        self.state = rm.space(e=len(self.A))

    def equations(self, x, u, p):
        seen = self.c @ x.e
        return {"e": self.A @ x.e - self.gain * (seen + 0.2 * np.tanh(seen))}


class Denoiser(rm.StepMap):
    """``x+ = x - h (x - u + s tanh(D^T D x))``: a step of a smooth total-variation descent."""

    parameters = {"h": 0.25, "s": 1.0}

    def __init__(self, n):
        self.D = np.eye(n - 1, n, 1) - np.eye(n - 1, n)
        self.state, self.inputs = rm.space(x=n), rm.space(u=n)

    def equations(self, x, u, p):
        pull = self.D.T @ np.tanh(self.D @ x.x)
        return {"x": x.x - p.h * (x.x - u.u + p.s * pull)}


class Quadrotor(rm.Flow):
    """Ten states of a quadrotor in hover with a small neural controller.

    Positions r, velocities v, roll and pitch (phi, theta) and their rates (p, q), for which a pitch
    accelerates along x and a roll along -y; vertical motion has its own thrust. The controller
    feeds back a linear part and ``0.1 W2 tanh(W1 s)`` of the whole state.
    """

    state = rm.space(s=10)
    inputs = rm.space(wind=3)

    def __init__(self, A, B, gain, W1, W2):
        self.A, self.B, self.gain = (np.asarray(v, dtype=float) for v in (A, B, gain))
        self.W1, self.W2 = np.asarray(W1, dtype=float), np.asarray(W2, dtype=float)

    def equations(self, x, u, p):
        s = x.s
        control = -self.gain @ s + 0.1 * (self.W2 @ np.tanh(self.W1 @ s))
        push = np.stack([0.0 * s[0], 0.0 * s[0], 0.0 * s[0], *u.wind, *(0.0 * s[:4])])
        return {"s": self.A @ s + self.B @ control + push}


def hover():
    """A (10, 10) and B (10, 3) of the hover model: states r, v, (phi, theta), (p, q)."""
    A, B = np.zeros((10, 10)), np.zeros((10, 3))
    A[:3, 3:6] = np.eye(3)
    A[3, 7], A[4, 6] = 9.8125, -9.8125  # gravity, exact in binary
    A[3:6, 3:6] -= 0.125 * np.eye(3)  # drag
    A[6:8, 8:10] = np.eye(2)
    B[5, 0], B[8, 1], B[9, 2] = 1.0, 1.0, 1.0
    return A, B


class LimitCycle(rm.Flow):
    """``x' = x (1 - r^2) - y; y' = y (1 - r^2) + x``: a limit cycle of radius 1."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        away = 1 - x.x**2 - x.y**2
        return {"x": x.x * away - x.y, "y": x.y * away + x.x}


class Bistable(rm.Flow):
    """``x' = x - x^3 + u``: two equilibria attract."""

    state, inputs = rm.space(x=""), rm.space(u="")

    def equations(self, x, u, p):
        return {"x": x.x - x.x**3 + u.u}


class Relay(rm.StepMap):
    """``x+ = x / 2 - sign(x) / 4``, which jumps at 0."""

    state = rm.space(x="")

    def equations(self, x, u, p):
        return {"x": x.x / 2 - np.sign(x.x) / 4}


class SquareRoot(rm.Flow):
    """``x' = -sqrt(x)``, undefined for x < 0."""

    state = rm.space(x="")

    def equations(self, x, u, p):
        return {"x": -np.sqrt(x.x)}


class Logistic(rm.StepMap):
    """``x+ = r x (1 - x)``."""

    state = rm.space(x="")
    parameters = {"r": 2.0}

    def equations(self, x, u, p):
        return {"x": p.r * x.x * (1 - x.x)}


class ShearedStep(rm.StepMap):
    """``z+ = A z`` seen in ``z = (x + y^3, y)``."""

    state = rm.space(x="", y="")

    def __init__(self, A):
        self.A = np.asarray(A, dtype=float)

    def equations(self, x, u, p):
        (a, b), (c, d) = self.A
        z = x.x + x.y**3
        after = c * z + d * x.y
        return {"x": a * z + b * x.y - after**3, "y": after}


class Swinging(rm.Flow):
    """``x' = -(1 + qd) x`` with a signal q and its derivative qd: in ``exp(q) x`` it is ``-z``."""

    state, inputs = rm.space(x=""), rm.space(q="", qd="")

    def equations(self, x, u, p):
        return {"x": -(1 + u.qd) * x.x}


class OnAverage(rm.Flow):
    """``x' = (2 u - 1) x``, which contracts for u = 0 but not for every u of [-1, 1]."""

    state, inputs = rm.space(x=""), rm.space(u="")

    def equations(self, x, u, p):
        return {"x": (2 * u.u - 1) * x.x}


class Pole(rm.Flow):
    """``x' = -2 x + 1 / (1 - x)``, with a pole at 1."""

    state = rm.space(x="")

    def equations(self, x, u, p):
        return {"x": -2 * x.x + 1 / (1 - x.x)}


class MooreGreitzer(rm.Flow):
    """A jet engine's compressor under backstepping control; Aylward, Parrilo and Slotine (2008)."""

    state = rm.space(phi="", psi="")

    def equations(self, x, u, p):
        return {"phi": -x.psi - 1.5 * x.phi**2 - 0.5 * x.phi**3, "psi": 3 * x.phi - x.psi}
