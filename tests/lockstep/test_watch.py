"""No wrong answer without a word: loops from stable to unstable, by every scheme.

Wrong is what is more than 5 % of the closed form's range away from it.
"""

from contextlib import nullcontext

import numpy as np
import pytest

import cosim
from cosim.engine.worker import WorkerPool
from cosim.errors import CouplingError
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import BUILT_IN, Explicit, Extrapolated, Linearised, Scheme
from cosim.lockstep.stepping import BY_NGSPICE, Stepping
from cosim.simulation.second_run import SecondRun
from tests.lockstep.circuits import coupled
from tests.lockstep.loops import LOOPS, TAU_SECOND, divider

WRONG_PART = 0.05
STEPS = 100


def test_there_are_enough_of_them() -> None:
    """Asked for: 30."""
    assert len(LOOPS) >= 30


@pytest.mark.parametrize("scheme", BUILT_IN)
@pytest.mark.parametrize("name", LOOPS)
def test_wrong_answers_are_told(pool: WorkerPool, scheme: type[Scheme], name: str) -> None:
    """By an error, an event, or the second run that the front door takes of what is held; and what
    is right is called neither divergent nor dependent on its steps.
    """
    loop = LOOPS[name]
    stop = loop.stop * TAU_SECOND
    job = coupled(loop.body, [loop.block], scheme=scheme, stop=stop, step=stop / STEPS, saved=["x"])
    try:
        points, finished = pool.run_one(job)
    except CouplingError as error:
        stopped = error
    else:
        stopped = None
    if stopped is not None:
        assert stopped.block == "loop"
        assert name.startswith(("divider -", "divider 1.5", "clipped divider -"))
        assert scheme is not Linearised
        return
    exact = loop.solution(points.time_second / TAU_SECOND)
    wrong = np.abs(points.values[:, 0] - exact).max() / np.ptp(exact)
    if scheme is Linearised:
        assert wrong < 0.01
        grave = [event.kind for event in finished.events if event.grave]
        assert grave == (["unstable"] if name == "divider 1.5" else [])
        return
    second = SecondRun(job, lambda: nullcontext(pool))
    second.see(points)
    findings = second.findings()
    assert wrong < WRONG_PART or finished.events or findings, f"{wrong:.3g}, and not a word"
    assert wrong < WRONG_PART or findings
    assert wrong > 0.01 or not findings


def test_positive_feedback_below_1_does_not_diverge(pool: WorkerPool) -> None:
    """Its error is 19 times that of a step, and falls with the step: told, but no divergence."""
    loop = divider(0.95)
    errors = []
    for steps in (200, 800):
        step = 20 * TAU_SECOND / steps
        job = coupled(loop.body, [loop.block], scheme=Explicit, stop=20 * TAU_SECOND,
                      step=step, saved=["x"])  # fmt: skip
        points, finished = pool.run_one(job)
        assert any(event.grave for event in finished.events)
        exact = loop.solution(points.time_second / TAU_SECOND)
        errors.append(np.abs(points.values[:, 0] - exact).max() / np.ptp(exact))
    assert errors[1] < errors[0] / 2


@pytest.mark.parametrize("scheme", [Explicit, Extrapolated])
def test_divergence_is_stopped_soon_and_named(pool: WorkerPool, scheme: type[Scheme]) -> None:
    loop, stop = divider(-2.0), 20 * TAU_SECOND
    job = coupled(loop.body, [loop.block], scheme=scheme, stop=stop, step=stop / 400, saved=["x"])
    with pytest.raises(
        CouplingError, match=r"(?s)'loop' diverges.*'linearised'.*cannot help"
    ) as told:
        pool.run_one(job)
    assert told.value.loop_gain == pytest.approx(-2, abs=0.3)
    assert told.value.last_time_second < stop / 10


RELAY = "R1 u x 1k\nC1 x 0 1n\n.ic v(x)=0.5"


@pytest.mark.parametrize("scheme", BUILT_IN)
@pytest.mark.parametrize("stepping", [BY_NGSPICE, Stepping(tolerance_volt=1e-3)])
@pytest.mark.parametrize(
    ("body", "options"),
    [(f"{RELAY}\nI1 0 x 0.3m", "reltol=1e-6 vntol=1e-9"), (RELAY, "reltol=1e-3")],
    ids=["pushed", "ngspice's own tolerances"],
)
def test_sliding_relay_is_an_error(
    pool: WorkerPool, scheme: type[Scheme], stepping: Stepping, body: str, options: str
) -> None:
    """Where ngspice shortens its steps, it switches at every second point, and as fast again."""
    block = Block(lambda v: -np.sign(v), ["x"], ["u"], name="relay")
    job = coupled(body, [block], scheme=scheme, stop=20e-6, step=5e-8, saved=["x"],
                  stepping=stepping, options=options)  # fmt: skip
    with pytest.raises(CouplingError, match=r"'relay' switches without end.*hysteresis"):
        pool.run_one(job)


@pytest.mark.parametrize(
    ("scheme", "advice"),
    [("explicit", ", or the scheme 'linearised'."), ("linearised", "Take shorter steps.")],
)
def test_a_coarse_coupling_is_advised_what_is_left_to_do(scheme: str, advice: str) -> None:
    """A square law behind an edge of one step."""
    netlist = cosim.Netlist(
        "edge\nV1 in 0 PWL(0 0 1u 0 1.05u 1)\nR1 in a 1k\nC1 a 0 20p\nR2 u out 1k\nC2 out 0 20p\n"
        "R3 out 0 10k\n.end\n"
    )
    block = cosim.Block(lambda volts: volts**2, inputs=["a"], outputs=["u"])
    with pytest.warns(UserWarning, match="coupling error of block") as warned:
        cosim.simulate(netlist, [block], stop="3u", max_step="50n", scheme=scheme, confirm=False)
    assert advice in str(warned[0].message)
