"""The front door's second opinion: what a wrong answer gets, by default and when asked for."""

import importlib
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import cosim
from cosim.engine.worker import WorkerPool
from cosim.lockstep.scheme import Explicit
from cosim.simulation.block_events import missed_by_blocks
from cosim.simulation.second_run import SecondRun
from tests.lockstep.circuits import coupled
from tests.lockstep.loops import LOOPS, TAU_SECOND

RUNAWAY = LOOPS["lag 1.2"]
LATCH = (
    "* latch\n.model n nmos vto=0.5 kp=2e-4\n.model p pmos vto=-0.5 kp=1e-4\nV1 vdd 0 3\n"
    "M1 q qb 0 0 n w=1u l=1u\nM2 q qb vdd vdd p w=2u l=1u\nC1 q 0 10f\n"
    "M3 qb q 0 0 n w=1u l=1u\nM4 qb q vdd vdd p w=2u l=1u\nC2 qb 0 10f\n"
)
TANK = "* tank\nL1 a b 1m\nR1 b 0 1m\nC1 a 0 1u\nI1 0 a pulse(0 1m 0 1n 1n 10u 1)\n"


def simulated(scheme: str, **how: bool) -> cosim.Trace:
    stop = RUNAWAY.stop * TAU_SECOND
    netlist = cosim.Netlist(f"* runaway\n{RUNAWAY.body}\n")
    return cosim.simulate(
        netlist, [RUNAWAY.block], stop=stop, max_step=stop / 100, record=["x"], scheme=scheme,
        progress=False, **how,
    )  # fmt: skip


def test_what_is_held_is_confirmed_by_default() -> None:
    """6 % off, of which no point of the coupling tells."""
    with pytest.warns(UserWarning, match=r"in doubt: The answer depends on the steps: 'x' is 68"):
        trace = simulated("extrapolated")
    (event,) = (event for event in trace.events if event.kind == "unconfirmed")
    assert "its error is about 6." in event.message.replace("the error of the answer", "its error")
    assert event.time_second == pytest.approx(RUNAWAY.stop * TAU_SECOND)


@pytest.mark.parametrize(
    ("scheme", "how"), [("linearised", {}), ("extrapolated", {"confirm": False})]
)
def test_it_is_not_where_it_need_not_be(scheme: str, how: dict[str, bool]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events = simulated(scheme, **how).events
    assert {event.kind for event in events} <= {"start"}


class Tired:
    """Fails when it is called too often."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.calls = 0

    def __call__(self, volts: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.calls > 80:
            raise ValueError("tired")
        return 1 - volts


def test_a_second_run_that_fails_confirms_nothing(pool: WorkerPool) -> None:
    job = coupled("R1 u x 1k\nC1 x 0 1n", [cosim.Block(Tired(), ["x"], ["u"])],
                  scheme=Explicit, stop=5e-6, step=1e-7, saved=["x"])  # fmt: skip
    points, _ = pool.run_one(job)
    second = SecondRun(job, lambda: nullcontext(pool))
    second.see(points)
    (finding,) = second.findings()
    assert "could not be confirmed" in finding.message
    assert "'Tired' raised ValueError" in finding.message


@pytest.mark.parametrize(
    ("netlist", "stop", "how", "says"),
    [
        (LATCH, "100n", {"confirm": True}, "At the start of the transient.*unstable"),
        (TANK, "10m", {}, "not confirmed|Confirmed in part"),
    ],
)
def test_without_blocks(netlist: str, stop: str, how: dict[str, bool], says: str) -> None:
    with pytest.warns(UserWarning, match=says):
        trace = cosim.simulate(cosim.Netlist(netlist), stop=stop, progress=False, **how)
    (event,) = (event for event in trace.events if event.kind == "unconfirmed")
    assert np.isnan(event.time_second)


def pulse(first: float, last: float) -> cosim.Block:
    """1 V between two times (in tau), and feedback."""

    def output(time: float, volts: np.ndarray) -> np.ndarray:
        return -volts + (1.0 if first < time / TAU_SECOND < last else 0.0)

    return cosim.Block(output, ["x"], ["u"], name="pulse")


LAG = "R1 u x 1k\nC1 x 0 1n"
RAMP = "V1 x 0 PWL(0 0 10u 10)\nR1 u y 1k\nC1 y 0 1n"
WINDOW = cosim.Block(lambda v: np.where((v > 3.11) & (v < 3.3), 1.0, 0.0), ["x"], ["u"], name="w")
STEEP = cosim.Block(lambda v: 2 * np.tanh(0.99 * v), ["x"], ["u"], name="steep")
INVERTED = cosim.Block(lambda v: -v, ["x"], ["u"], name="inverted")
CASES: dict[str, tuple[str, cosim.Block, str]] = {
    "pulse of a block": (LAG, pulse(3.01, 3.21), "leaps over what block 'pulse'"),
    "short pulse of a block": (LAG, pulse(3.013, 3.043), "leaps over what block 'pulse'"),
    "ramp that passes a window": (RAMP, WINDOW, "leaps over what block 'w'"),
    "pulse of a source": (
        "B1 s 0 V=(time>3.01u && time<3.03u) ? 1 : 0\nR1 u x 1k\nR2 s x 1k\nC1 x 0 1n",
        INVERTED, "leaps over what source 'b1'|depends on the steps",
    ),
    "tank": (
        "I1 0 x pulse(0 1m 1u 1n 1n 1 2)\nL1 x m 1u\nR2 m 0 1m\nC1 x 0 1n\nR1 u x 100k",
        INVERTED, "depends on the steps",
    ),
    "algebraic loop of a gain that goes to 1": (
        "Vd d 0 SIN(0.5 0.5 200k)\nR1 u x 1k\nR2 d x 1k", STEEP, "depends on the steps",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_no_coupling_error_tells(
    name: str, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the scheme that is the most exact one."""
    module = importlib.import_module("cosim.simulation.simulate")
    monkeypatch.setattr(module, "WorkerPool", lambda *_: nullcontext(pool))  # warm
    body, block, says = CASES[name]
    step = 1e-7 if "algebraic" in name else 4e-7
    with pytest.warns(UserWarning, match=says):
        cosim.simulate(
            cosim.Netlist(f"* case\n{body}\n"), [block], stop=1e-5, max_step=step, record=["x"],
            progress=False,
        )  # fmt: skip


class Counting:
    """With a state that it does not tell of."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, time: float, volts: np.ndarray) -> float:
        self.calls += 1
        return 1 - np.exp(-self.calls / 9)


def test_what_has_a_state_is_not_asked_between_points(pool: WorkerPool) -> None:
    """And a pulse that the steps saw is not leapt over."""
    for block, step in ((cosim.Block(Counting(), ["x"], ["u"]), 1e-7), (pulse(3.01, 6.01), 4e-8)):
        job = coupled(LAG, [block], scheme=Explicit, stop=1e-5, step=step, saved=["x"])
        assert missed_by_blocks([block], pool.run_one(job)[0]) is None


def test_a_sweep_carries_the_doubts_of_its_points(tmp_path: Path) -> None:
    """Of the gains, one runs away; and a sweep that goes on keeps what was said before."""
    stop = RUNAWAY.stop * TAU_SECOND

    def blocks(gain: float) -> list[cosim.Block]:
        return [cosim.Block(lambda v: 1 + gain * v, ["x"], ["u"], name="loop")]

    def swept(**how: bool) -> cosim.Sweep:
        return cosim.sweep(
            cosim.Netlist(f"* gains\n{RUNAWAY.body}\n"), {"gain": [0, 1.2]}, blocks, stop=stop,
            max_step=stop / 100, record=["x"], scheme="extrapolated", progress=False,
            to=tmp_path / "sweep.h5", **how,
        )  # fmt: skip

    says = r"1 of 2 points of the sweep are in doubt: point 1 \(gain=1.2\): The answer depends on"
    with pytest.warns(UserWarning, match=says):
        found = swept()
    assert list(found.doubts) == [1]
    assert "1 in doubt" in repr(found)
    assert found.check().to_xarray()["doubt"].values[0] == ""
    with pytest.warns(UserWarning, match=says):
        assert swept(resume=True).doubts == found.doubts
