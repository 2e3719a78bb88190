"""The front door's second opinion: what a wrong answer gets, by default and when asked for."""

import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import cosim
from cosim.engine.worker import WorkerPool
from cosim.lockstep.scheme import Explicit
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
        assert not simulated(scheme, **how).events


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
