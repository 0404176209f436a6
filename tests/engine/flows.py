"""Modules of known solutions, for the tests of simulation and linearisation."""

import numpy as np

import riemannian_modules as rm


class Pendulum(rm.Flow):
    state = rm.space(q="rad", v="rad/s")
    inputs = rm.space(torque="N m")
    outputs = rm.space(angle="rad")
    parameters = {"k": 6.0, "g": 4.0, "d": 3.0}

    def equations(self, x, u, p):
        dv = u.torque - p.k * x.q - p.g * np.sin(x.q) - p.d * x.v
        return {"q": x.v, "v": dv}, {"angle": x.q}


class LinearFlow(rm.Flow):
    """``dx = A x + B u, y = C x``."""

    def __init__(self, A, B, C):
        self.state, self.inputs = rm.space(x=len(A)), rm.space(u=B.shape[1])
        self.outputs = rm.space(y=len(C))
        self.parameters = {"A": A, "B": B, "C": C}

    def equations(self, x, u, p):
        return {"x": p.A @ x.x + p.B @ u.u}, {"y": p.C @ x.x}


class LinearStep(rm.StepMap):
    """``x+ = A x + B u, y = x``."""

    def __init__(self, A, B):
        self.state, self.inputs = rm.space(x=len(A)), rm.space(u=B.shape[1])
        self.parameters = {"A": A, "B": B}

    def equations(self, x, u, p):
        return {"x": p.A @ x.x + p.B @ u.u}


class Integrator(rm.Flow):
    state, inputs = rm.space("x"), rm.space("u")

    def equations(self, x, u, p):
        return {"x": u.u}


class Robertson(rm.Flow):
    """Robertson's autocatalysis (1966), the standard stiff problem."""

    state = rm.space("a b c")
    parameters = {"slow": 0.04, "fast": 1e4, "fastest": 3e7}

    def equations(self, x, u, p):
        one, two, three = p.slow * x.a, p.fast * x.b * x.c, p.fastest * x.b**2
        return {"a": two - one, "b": one - two - three, "c": three}


class Untraceable(rm.RiemannianModule):
    """The pendulum without exact expressions: written by hand, as an adapter would be."""

    time = rm.Time.CONTINUOUS
    state, inputs, outputs = Pendulum.state, Pendulum.inputs, Pendulum.outputs
    parameters = Pendulum.parameters

    def forward(self, x, u, theta):
        return Pendulum().forward(x, u, theta)

    def jacobian(self, x, u, theta):
        return Pendulum().jacobian(x, u, theta)
