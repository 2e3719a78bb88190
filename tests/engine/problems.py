"""Differential equations for the coupling tests, integrated by ngspice: C x' = g u, u from a block.

The block's functions are module-level dataclasses, because they are pickled to the worker.
One unit of the problem's time is UNIT_SECOND of circuit time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PySpice.Spice.Netlist import Circuit
from scipy.integrate import solve_ivp

from cosim.engine.worker import Points, Simulation, WorkerPool
from cosim.lockstep.block import Block
from cosim.lockstep.exchange_client import through_files
from cosim.lockstep.scheme import Scheme

UNIT_SECOND = 10e-6
CAPACITANCE = 1e-9


@dataclass(frozen=True)
class Decay:
    """x' = -x; closed form exp(-t)."""

    def rate(self, t: float, x: float) -> float:
        return -x

    def tangents(self, t: float, x: float) -> tuple[float, float]:
        return -1.0, 0.0

    def solution(self, t: np.ndarray) -> np.ndarray:
        return np.exp(-t)


@dataclass(frozen=True)
class StiffCubic:
    """x' = -stiffness (x^3 - c^3) + c', c = 2 + cos t; closed form x = c.

    A nonlinear form of Prothero and Robinson, Math. Comp. 28, 145 (1974): along the solution
    the local rate is 3 stiffness c^2, between 3 and 27 times `stiffness`.
    """

    stiffness: float = 10.0

    def rate(self, t: float, x: float) -> float:
        c = 2 + np.cos(t)
        return -self.stiffness * (x**3 - c**3) - np.sin(t)

    def tangents(self, t: float, x: float) -> tuple[float, float]:
        c = 2 + np.cos(t)
        by_time = -3 * self.stiffness * c**2 * np.sin(t) - np.cos(t)
        return -3 * self.stiffness * x**2, by_time

    def solution(self, t: np.ndarray) -> np.ndarray:
        return 2 + np.cos(t)


@dataclass(frozen=True)
class TextbookMixture:
    """Probability-flow equation of the textbook VP SDE (beta 0.1 to 20) in tau = 1 - t, for data
    from two Gaussians at -0.7 and 0.7 with sd 0.05, whose score is known exactly.

    Song et al., ICLR 2021, appendix C. Near tau = 1 the score's slope is about -1 / 0.05^2.
    """

    mean: float = 0.7
    deviation: float = 0.05

    def rate(self, t: complex, x: complex) -> complex:
        t = 1 - t
        beta = 0.1 + t * 19.9
        alpha = np.exp(-0.25 * t**2 * 19.9 - 0.05 * t)
        variance = alpha**2 * self.deviation**2 + 1 - alpha**2
        centre = np.tanh(x * alpha * self.mean / variance) * alpha * self.mean
        return 0.5 * beta * (x + (centre - x) / variance)

    def tangents(self, t: float, x: float) -> tuple[float, float]:
        """By the complex-step derivative, exact to rounding."""
        step = 1e-30
        return (self.rate(t, x + 1j * step) / step).imag, (self.rate(t + 1j * step, x) / step).imag

    def solution(self, t: np.ndarray) -> np.ndarray:
        return _mixture_reference(self)(t)[0]


@cache
def _mixture_reference(problem: TextbookMixture) -> Callable[[np.ndarray], np.ndarray]:
    """DOP853 at 1e-12, from x = 1 at tau = 0."""
    solved = solve_ivp(
        problem.rate, (0, 1), [1.0], method="DOP853", dense_output=True, rtol=1e-12, atol=1e-14
    )
    return solved.sol


@dataclass(frozen=True)
class Rate:
    """A scalar problem as block functions of circuit time and volts."""

    problem: "Decay | StiffCubic | TextbookMixture"

    def value(self, time_second: float, volts: np.ndarray) -> np.ndarray:
        return np.array([self.problem.rate(time_second / UNIT_SECOND, volts[0])])

    def tangents(
        self, time_second: float, volts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        t = time_second / UNIT_SECOND
        by_state, by_time = self.problem.tangents(t, volts[0])
        return (
            self.value(time_second, volts),
            np.array([[by_state]]),
            np.array([by_time / UNIT_SECOND]),
        )


def block(rate: object) -> Block:
    return Block(rate, ("x",), ("u",), name="rate")


def simulation(
    coupled: Block, scheme: type[Scheme], initial: float, units: float, step: float, extra: str = ""
) -> Simulation:
    """x' = u over `units`, steps at most `step` units, as a netlist with its port."""
    circuit = Circuit("integrated")
    circuit.VCCS("rate", circuit.gnd, "x", "u", circuit.gnd, CAPACITANCE / UNIT_SECOND)
    circuit.C("state", "x", circuit.gnd, CAPACITANCE)
    coupled.port(scheme).add_to(circuit)
    stop, step_second = units * UNIT_SECOND, step * UNIT_SECOND
    netlist = (
        f"{circuit}{extra}\n.ic v(x)={initial!r}\n.options reltol=1e-9 vntol=1e-12 abstol=1e-15 "
        f"trtol=1e6\n.save v(x) v(u)\n.tran {step_second!r} {stop!r} 0 {step_second!r}\n.end\n"
    )
    return Simulation(0, netlist, stop, ("x", "u"), {}, (coupled,), scheme, (initial,))


def solve(pool: WorkerPool, job: Simulation) -> Points:
    """All points of one simulation; a failure is raised."""
    return pool.run_one(job)[0]


def served(job: Simulation, folder: Path, timeout_second: float) -> Simulation:
    """The same simulation, its block served through files."""
    (own,) = job.blocks
    return replace(job, blocks=(through_files(own, job.scheme, folder, timeout_second),))
