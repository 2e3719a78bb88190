"""The operating point with blocks is solved, and to a block with a state it is one point."""

import itertools

import numpy as np
import pytest
import torch

from cosim.engine.worker import WorkerPool
from cosim.errors import CouplingError
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import BUILT_IN, Explicit, Linearised, Scheme
from tests.lockstep.circuits import coupled

DIVIDER = "Vd d 0 0.5\nR1 u x 1k\nR2 d x 1k\nC1 x 0 10p"


@pytest.mark.parametrize("scheme", BUILT_IN)
@pytest.mark.parametrize("gain", [-8.0, -0.5, 0.9, 3.0])
def test_linear_loop_starts_at_its_solution(
    pool: WorkerPool, scheme: type[Scheme], gain: float
) -> None:
    """x = (u + d) / 2, u = 1 + 2 g x, however large the loop's gain g."""
    block = Block(lambda v: 1 + 2 * gain * v, ["x"], ["u"], name="gain")
    job = coupled(DIVIDER, [block], scheme=scheme, stop=1e-9, step=1e-10, saved=["x"])
    solution = 0.75 / (1 - gain)
    if gain == 3.0:  # an unstable loop, with its capacitor too: it cannot stay there for long
        job = coupled(DIVIDER, [block], scheme=scheme, stop=1e-12, step=1e-12, saved=["x"])
    points, _ = pool.run_one(job)
    assert points.values[0, 0] == pytest.approx(solution, abs=2e-6)


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_nonlinear_loop_of_two_blocks(pool: WorkerPool, scheme: type[Scheme]) -> None:
    """a = tanh(3 b), b = 1 - a^3, through resistors; each as the other's input."""
    blocks = [
        Block(lambda v: np.tanh(3 * v), ["pb"], ["a"], name="first"),
        Block(lambda v: 1 - v**3, ["pa"], ["b"], name="second"),
    ]
    body = "R1 a pa 1k\nR2 b pb 1k\nC1 pa 0 1p\nC2 pb 0 1p"
    points, _ = pool.run_one(
        coupled(body, blocks, scheme=scheme, stop=1e-12, step=1e-12, saved=["pa", "pb"])
    )
    a, b = points.values[0]
    assert a == pytest.approx(np.tanh(3 * b), abs=5e-6)
    assert b == pytest.approx(1 - a**3, abs=5e-6)


class Latch(torch.nn.Module):
    def forward(self, volts: torch.Tensor) -> torch.Tensor:
        return torch.tanh(3 * volts)


LATCH = "R1 u x 1k\nC1 x 0 1n\nR2 x 0 100k"
TWO = "R1 u x 1k\nC1 x 0 1n\nR2 v y 1k\nC2 y 0 1n"
UNSTABLE = {
    # name: (body, blocks, gain, the nodes of the loop)
    "latch on its ridge": (LATCH, [Block(Latch(), ["x"], ["u"], name="latch")], 2.97, "node 'u'"),
    "loop through two blocks": (
        TWO,
        [
            Block(lambda v: 2 * np.tanh(v), ["x"], ["v"], name="latch"),
            Block(lambda v: 3 * v, ["y"], ["u"], name="other"),
        ],
        np.sqrt(6),
        "node 'v', node 'u'",
    ),
    "two loops through one block": (  # of which det(1 - gain) > 0 tells nothing
        TWO, [Block(lambda v: 2 * np.tanh(v), ["x", "y"], ["u", "v"], name="latch")], 2, "node",
    ),
}  # fmt: skip


@pytest.mark.parametrize("scheme", BUILT_IN)
@pytest.mark.parametrize("name", UNSTABLE)
def test_unstable_operating_point_is_told(
    pool: WorkerPool, scheme: type[Scheme], name: str
) -> None:
    """ngspice rests on it to the end of the transient."""
    body, blocks, gain, nodes = UNSTABLE[name]
    points, finished = pool.run_one(
        coupled(body, blocks, scheme=scheme, stop=1e-6, step=1e-8, saved=["x"])
    )
    assert np.abs(points.values).max() < 1e-6
    (event,) = (event for event in finished.events if event.kind == "unstable")
    assert event.grave
    assert event.block == "latch"
    assert nodes in event.message
    assert finished.coupling[0].loop_gain == pytest.approx(gain, rel=1e-3)


STABLE = {
    "latch that has fallen": (f"{LATCH}\n.ic v(x)=0.5", UNSTABLE["latch on its ridge"][1]),
    "loop of opposite signs": (
        TWO,
        [
            Block(lambda v: 2 * np.tanh(v), ["x"], ["v"], name="latch"),
            Block(lambda v: -3 * v, ["y"], ["u"], name="other"),
        ],
    ),
    "rotation": (TWO, [Block(lambda v: 2 * np.array([v[1], -v[0]]), ["x", "y"], ["u", "v"])]),
}


@pytest.mark.parametrize("scheme", BUILT_IN)
@pytest.mark.parametrize("name", STABLE)
def test_stable_operating_point_is_not_said_to_be_unstable(
    pool: WorkerPool, scheme: type[Scheme], name: str
) -> None:
    body, blocks = STABLE[name]
    job = coupled(body, blocks, scheme=scheme, stop=1e-7, step=1e-8, saved=["x"])
    _, finished = pool.run_one(job)
    assert not [event for event in finished.events if event.kind == "unstable"]


def test_no_operating_point_is_an_error(pool: WorkerPool) -> None:
    """u = -sign(x), x = u: none exists."""
    block = Block(lambda v: np.where(v > 0, -1.0, 1.0), ["x"], ["u"], name="contrary")
    job = coupled("R1 u x 1k\nC1 x 0 1n", [block], scheme=Linearised, stop=1e-6, step=1e-8,
                  saved=["x"])  # fmt: skip
    with pytest.raises(CouplingError, match=r"No operating point.*'contrary'.*residual.*\.ic"):
        pool.run_one(job)


class Counter:
    """Gives the number of its calls, in volts, whatever it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, time: float, volts: np.ndarray) -> float:
        self.calls += 1
        return float(self.calls)


def closure_counter():  # type: ignore[no-untyped-def]
    calls = itertools.count(1)
    return lambda volts: float(next(calls))


class Remembering:
    """A loop of gain -8 with a state that would go wrong if it were called too often."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def reset(self) -> None:
        self.times = []

    def __call__(self, time: float, volts: np.ndarray) -> float:
        assert not self.times or time > self.times[-1]
        self.times.append(time)
        return 1 - 16 * volts[0] * min(1.0, 1.0 / len(self.times)) ** 8


def test_a_state_advances_once_a_point(pool: WorkerPool) -> None:
    """Also at t = 0, where ngspice solves several times for the operating point."""
    block = Block(Remembering(), ["x"], ["u"], name="remembering")
    body = "Vd d 0 0.5\nR1 u x 1k\nR2 d x 1k\nC1 x 0 10n"
    points, finished = pool.run_one(
        coupled(body, [block], scheme=Explicit, stop=1e-6, step=1e-7, saved=["x"])
    )
    assert points.values[0, 0] == pytest.approx(0.75 / 9, abs=2e-6)
    assert finished.coupling[0].calls == len(points.time_second)
    assert (np.diff(points.time_second) > 0).all()


@pytest.mark.parametrize("make", [Counter, closure_counter])
def test_calls_are_counted_once(pool: WorkerPool, make) -> None:  # type: ignore[no-untyped-def]
    """Sampled every 1 us for 10 us: 1 at 0, 2 at 1 us, and so on; nothing before."""
    block = Block(make(), ["x"], ["u"], name="counter", sample="1u", initial=0.25)
    points, _ = pool.run_one(
        coupled("R1 u x 1k\nC1 x 0 1p", [block], scheme=Linearised, stop=10.5e-6, step=3e-7,
                saved=["u"])
    )  # fmt: skip
    time, volts = points.time_second, points.values[:, 0]
    assert volts[0] == 0.25
    for instant in range(1, 11):
        at = np.flatnonzero(np.isclose(time, instant * 1e-6, rtol=1e-9, atol=0))
        assert len(at) == 1  # a point there, and exactly one
        assert volts[at[0]] == instant
        assert volts[at[0] + 1] == instant + 1
