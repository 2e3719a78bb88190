"""Five problems of another maker, through the front door, each with its solution and its order.

tau = 1 us in all of them; references are closed forms, or integrated to 1e-10.
"""

import importlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import cosim
from cosim.engine.worker import WorkerPool

TAU_SECOND = 1e-6
OPTIONS = ".options reltol=1e-6 vntol=1e-9 abstol=1e-14 trtol=1e6"
"""Steps of equal length: what is measured is the order in them."""
SCHEMES = {"explicit": 1, "extrapolated": 2, "linearised": 2}


@pytest.fixture(autouse=True)
def warm(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The front door, with a worker that is there already."""
    module = importlib.import_module("cosim.simulation.simulate")
    monkeypatch.setattr(module, "WorkerPool", lambda *_: nullcontext(pool))
    with warnings.catch_warnings():  # of coupling errors, which are what is measured
        warnings.simplefilter("ignore", UserWarning)
        yield


def simulated(
    body: str, blocks: Sequence[cosim.Block], stop: float, step: float, **how: object
) -> tuple[np.ndarray, np.ndarray, cosim.Trace]:
    """Times in tau [n], volts of what is recorded [n, signals], and the trace."""
    trace = cosim.simulate(
        cosim.Netlist(f"* case\n{OPTIONS}\n{body}\n"), blocks, stop=stop * TAU_SECOND,
        max_step=step * TAU_SECOND, confirm=False, progress=False, **how,  # type: ignore[arg-type]
    )  # fmt: skip
    return (
        trace.time_second / TAU_SECOND,
        np.stack([trace[n].values for n in trace.names], 1),
        trace,
    )


def order(error: Callable[[float], float], coarse: float) -> tuple[float, float]:
    """Order of an error between a step and a quarter of it, and the smaller error."""
    one, four = error(coarse), error(coarse / 4)
    return float(np.log(one / four) / np.log(4)), four


# -- stiff Van der Pol ----------------------------------------------------------------------------

MU = 100.0


class Conductance(torch.nn.Module):
    """The current of the nonlinear conductance, in mA."""

    def forward(self, volts: torch.Tensor) -> torch.Tensor:
        return MU * (volts - volts**3 / 3)


VAN_DER_POL = (
    "G1 0 x y 0 1m\nG3 0 x u 0 1m\nC1 x 0 1n\nRu u 0 1k\nG2 y 0 x 0 1m\nC2 y 0 1n\n"
    "Rx x 0 1t\nRy y 0 1t\n"
    ".ic v(x)=2 v(y)=66.6666666667"
)


def van_der_pol(t: np.ndarray) -> np.ndarray:
    """x' = y + mu (x - x^3 / 3), y' = -x."""
    found = solve_ivp(
        lambda _, s: [s[1] + MU * (s[0] - s[0] ** 3 / 3), -s[0]],
        (0, t[-1]), [2.0, 66.6666666667], method="Radau", rtol=1e-10, atol=1e-12, t_eval=t,
        jac=lambda _, s: [[MU * (1 - s[0] ** 2), 1.0], [-1.0, 0.0]],
    )  # fmt: skip
    return found.y[0]


def test_stiff_van_der_pol_on_its_slow_branch() -> None:
    """Steps of up to 600 times the fast time constant, tau / (3 mu)."""

    def error(step: float) -> float:
        t, x, _ = simulated(
            VAN_DER_POL, [cosim.Block(Conductance(), ["x"], ["u"])], 60, step, record=["x"]
        )
        return float(np.abs(x[:, 0] - van_der_pol(t)).max())

    found, smallest = order(error, 2.0)
    assert found == pytest.approx(2, abs=0.3)
    assert smallest < 2e-4


def test_stiff_van_der_pol_over_its_edge() -> None:
    """After 81 tau it jumps from 1 to -2 within a hundredth of tau; steps by a tolerance."""
    t, x, _ = simulated(
        VAN_DER_POL, [cosim.Block(Conductance(), ["x"], ["u"])], 120, 1.0, record=["x"],
        coupling_tolerance=0.01,
    )  # fmt: skip
    fine = np.linspace(0, 120, 240_001)
    exact = van_der_pol(fine)
    jump, expected = (at[np.argmax(curve < 0)] for at, curve in ((t, x[:, 0]), (fine, exact)))
    assert jump == pytest.approx(expected, rel=1e-4)
    after = t > jump + 1
    assert np.abs(x[after, 0] - np.interp(t[after] + expected - jump, fine, exact)).max() < 2e-4


# -- a ladder with a stage in torch ---------------------------------------------------------------


class Stage(torch.nn.Module):
    """The middle stage's current from the three voltages, in mA."""

    def forward(self, volts: torch.Tensor) -> torch.Tensor:
        return (volts[0] - 2 * volts[1] + volts[2])[None]


LADDER = (
    "Vin in 0 1\nR1 in a 1k\nC1 a 0 1n\nE1 bb 0 b 0 1\nR2 a bb 1k\nG1 0 b u 0 1m\nRu u 0 1k\n"
    "Rb b 0 1t\nC2 b 0 1n\nR3 bb c 1k\nC3 c 0 1n\n.ic v(a)=0 v(b)=0 v(c)=0"
)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ladder_whose_middle_stage_is_a_torch_module(scheme: str) -> None:
    matrix = np.array([[-2.0, 1, 0, 1], [1, -2, 1, 0], [0, 1, -1, 0], [0, 0, 0, 0]])

    def error(step: float) -> float:
        t, volts, _ = simulated(
            LADDER, [cosim.Block(Stage(), ["a", "b", "c"], ["u"])], 8, step, scheme=scheme,
            record=["a", "b", "c"],
        )  # fmt: skip
        exact = np.array([(expm(matrix * at) @ [0, 0, 0, 1])[:3] for at in t])
        return float(np.abs(volts - exact).max())

    found, smallest = order(error, 0.2)
    assert found == pytest.approx(SCHEMES[scheme], abs=0.3)
    assert smallest < (1e-2 if scheme == "explicit" else 2e-3)


# -- two blocks, each the other's input -----------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_two_blocks_coupled_through_the_netlist(scheme: str) -> None:
    """x' = tanh(2 y) - x, y' = sin(time) - x^3 - y: a loop through both."""
    body = "R1 u x 1k\nC1 x 0 1n\nR2 v y 1k\nC2 y 0 1n\n.ic v(x)=0 v(y)=1"
    blocks = [
        cosim.Block(lambda v: torch.tanh(2 * v), ["y"], ["u"], name="first"),
        cosim.Block(lambda time, v: np.sin(time / TAU_SECOND) - v**3, ["x"], ["v"], name="second"),
    ]

    def slope(t: float, state: np.ndarray) -> list[float]:
        x, y = state
        return [np.tanh(2 * y) - x, np.sin(t) - x**3 - y]

    def error(step: float) -> float:
        t, volts, _ = simulated(body, blocks, 6, step, scheme=scheme, record=["x", "y"])
        exact = solve_ivp(
            slope, (0, t[-1]), [0.0, 1.0], method="DOP853", rtol=1e-11, atol=1e-12, t_eval=t
        )
        return float(np.abs(volts - exact.y.T).max())

    found, smallest = order(error, 0.1)
    assert found == pytest.approx(SCHEMES[scheme], abs=0.3)
    assert smallest < (3e-2 if scheme == "explicit" else 1e-3)


# -- a relay with hysteresis ----------------------------------------------------------------------


class Relay:
    """+-1 V, switching where its input passes +-0.5 V."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.state = 1.0

    def __call__(self, volts: np.ndarray) -> float:
        if abs(volts[0]) > 0.5:
            self.state = -float(np.sign(volts[0]))
        return self.state


@pytest.mark.parametrize("step", [0.1, 0.025])
def test_relay_with_hysteresis(step: float) -> None:
    """x' = u - x from -0.5: it takes ln 3 from edge to edge, and some more to be noticed."""
    block = cosim.Block(Relay(), ["x"], ["u"], discontinuous=True)
    t, volts, trace = simulated(
        "R1 u x 1k\nC1 x 0 1n\n.ic v(x)=-0.5", [block], 12, step, record=["x", "u"]
    )
    x, u = volts.T
    switched = np.flatnonzero(np.diff(u))
    assert len(switched) >= 9
    late = []
    for first, last in zip(switched, [*switched[1:], len(t) - 1], strict=True):
        # From where it switched, the solution is known: to the other edge, and beyond.
        edge, end = -0.5 * np.sign(x[first]), np.sign(u[last])
        crossed = t[first] + np.log((end - x[first]) / (end - edge))
        if last < len(t) - 1:
            late.append(t[last] - crossed)
    assert min(late) > -1e-3 * step
    assert max(late) < 1.05 * step
    (event,) = (event for event in trace.events if event.kind == "jump")
    assert f"jumped {len(switched)} times" in event.message
    assert "late, one step" in event.message


# -- a sampled controller -------------------------------------------------------------------------


class Pid:
    """u = K e + I sum(e) + D (e - e'), e = 1 - x."""

    K, I, D = 2.0, 0.2, 0.3  # noqa: E741

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.sum, self.before = 0.0, 0.0

    def __call__(self, volts: np.ndarray) -> float:
        error = 1.0 - float(volts[0])
        self.sum += error
        change, self.before = error - self.before, error
        return self.K * error + self.I * self.sum + self.D * change


def test_sampled_pid_against_its_exact_discretisation() -> None:
    """x' = u - x, sampled each 0.4 tau: x <- x exp(-0.4) + u (1 - exp(-0.4))."""
    period, samples, decay = 0.4, 20, np.exp(-0.4)
    exact, controller = [0.0], Pid()
    for _ in range(samples):
        exact.append(decay * exact[-1] + (1 - decay) * controller(np.array([exact[-1]])))
    at = period * np.arange(samples + 1)

    def error(step: float) -> float:
        block = cosim.Block(Pid(), ["x"], ["u"], sample=period * TAU_SECOND)
        t, x, trace = simulated("R1 u x 1k\nC1 x 0 1n\n.ic v(x)=0", [block],
                                period * samples, step, record=["x"])  # fmt: skip
        assert {event.kind for event in trace.events} <= {"start"}
        met = np.abs(t[:, None] - at).argmin(axis=0)
        assert np.abs(t[met] - at).max() < 1e-6
        return float(np.abs(x[met, 0] - exact).max())

    found, smallest = order(error, 0.0125)
    assert found == pytest.approx(2, abs=0.05)
    assert smallest < 1e-6
