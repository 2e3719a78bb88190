"""Netlists whose answer is wrong though ngspice sees no error: told, or refused. Each class has at
least two; and what is sound, or as it should be, is left alone.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from cosim.errors import CosimError
from cosim.simulation.analysis import simulate
from cosim.simulation.confirm import worst_difference
from cosim.simulation.events import waits_for_time
from cosim.simulation.frozen import frozen

MODELS = ".model n nmos vto=0.5 kp=2e-4\n.model p pmos vto=-0.5 kp=1e-4\n.model d d\n"
INVERTER = (
    MODELS + ".subckt inv i o vdd\nM1 o i 0 0 n w=1u l=1u\nM2 o i vdd vdd p w=2u l=1u\n.ends\n"
    "V1 vdd 0 3\n"
)
LATCH = INVERTER + "X1 q qb vdd inv\nX2 qb q vdd inv\n"
RC = "R1 a b 1k\nC1 b 0 1n\n"
PULSE = "(time>300.1u && time<300.3u) ? 1 : 0"
WRONG = {
    # name: (netlist, what is said of it)
    "latch on its ridge": (LATCH + ".op", "unstable.*'qb?' leaves 1.5 V"),
    "gain of a latch on its ridge": (
        LATCH + "V2 in 0 ac 1\nR1 in q 10meg\nR2 q vdd 20meg\nR3 q 0 20meg\n.ac dec 1 1 1k",
        "unstable",
    ),
    "Schmitt trigger on its ridge": (
        "V1 i 0 0\nB1 o 0 V=2.5*tanh(1000*(v(p)-v(i)))\nR1 o p 10k\nR2 p 0 10k\n.op", "unstable",
    ),
    "positive feedback: -10 times": (
        "V1 a 0 1\nR1 a p 1k\nR2 p o 10k\nE1 o 0 p 0 1e5\n.op", "unstable.*positive feedback",
    ),
    "negative resistance beats the load": (
        "V1 a 0 1 ac 1\nR1 a p 1k\nR2 p o 1k\nE1 o 0 p 0 3\nC1 p 0 1u\n.noise v(p) V1 dec 1 1 9",
        "unstable",
    ),
    "oscillator at rest": (
        INVERTER + "X1 a b vdd inv\nX2 b c vdd inv\nX3 c a vdd inv\nC1 a 0 10f\nC2 b 0 10f\n"
        "C3 c 0 10f\n.op",
        "unstable",
    ),
    "latch that stays on its ridge for 100 ns": (
        LATCH + "C1 q 0 10f\nC2 qb 0 10f\n.tran 1n 100n", "At the start.*unstable",
    ),
    "sweep of a Schmitt trigger": (
        "V1 i 0 0\nB1 o 0 V=2.5*tanh(100*(v(p)-v(i)))\nR1 o p 10k\nR2 p 0 10k\n.dc V1 -3 3 0.1",
        "two answers",
    ),
    "pulse of an expression": (f"B1 a 0 V={PULSE}\n{RC}.tran 10u 1m", "leaps over.*'b1'"),
    "pulse in a subcircuit": (
        f".subckt s o\nB1 o 0 V={PULSE}\n.ends\nX1 a s\n{RC}.tran 10u 1m", r"leaps over.*'x1\.b1'",
    ),
    "pulse by a parameter": (
        f".param w=0.2u\nB1 a 0 V={{(time>300.1u && time<300.1u+w) ? 1 : 0}}\n{RC}.tran 10u 1m",
        "leaps over.*'b1'",
    ),
    "pulse that scales a voltage": (
        f"V1 c 0 2\nB1 a 0 V=v(c)*({PULSE})\n{RC}.tran 10u 1m", "leaps over.*'b1'",
    ),
    "pulse of a function": (
        ".func gate(t0,w) {u(time-t0)-u(time-t0-w)}\n"
        f"B1 a 0 V=gate(300.1u,0.2u)\n{RC}.tran 10u 1m",
        "leaps over.*'b1'",
    ),
    "pulse of a function of a function": (
        ".func late(x) {u(time-x)}\n.func gate(x) {late(x)-late(x+0.2u)}\n"
        f"B1 a 0 V=gate(300.1u)\n{RC}.tran 10u 1m",
        "leaps over.*'b1'",
    ),
    "1 MHz of an expression in steps of 10 us": (
        "B1 a 0 V=sin(2*3.14159*1e6*time)\nR1 a 0 1k\n.tran 10u 1m", "leaps over|onfirmed",
    ),
    "1 MHz in a subcircuit in steps of 10 us": (
        ".subckt s o f=1meg\nV1 o 0 sin(0 1 {f})\n.ends\nX1 a s\nR1 a 0 1k\n.tran 10u 1m",
        "leaps over|onfirmed",
    ),
    "undamped tank in long steps": (
        "L1 a 0 1m ic=1m\nC1 a 0 1u ic=0\n.tran 100u 50m uic", "not confirmed.*largest step",
    ),
    "undamped tank by Gear's method": (
        "L1 a 0 1u\nC1 a 0 1n\nR1 a 0 1meg\n.options method=gear\n.ic v(a)=1\n.tran 5n 10u uic",
        "not confirmed",
    ),
    "5 uV at a tolerance of 1 uV": (
        "I1 0 a 1n\nR1 a 0 1g\nB1 a 0 I=v(a)*v(a)*40\n.op", "as small as `vntol`",
    ),
    "0.5 uV at a tolerance of 1 uV": (
        "I1 0 a 10p\nR1 a 0 1g\nB1 a 0 I=v(a)*v(a)*40\n.op", "as small as `vntol`",
    ),
}  # fmt: skip
SOUND = {
    "latch that has fallen": LATCH + "R1 q 0 10k\n.op",
    "CMOS inverter": INVERTER + "V2 a 0 1.4\nX1 a b vdd inv\nR1 b 0 1meg\n.op",
    "pnp": "V1 c 0 -5\nI1 b 0 10u\nQ1 c b 0 q\nR1 b 0 1g\n.model q pnp bf=100 is=1e-15\n.op",
    "follower": "V1 a 0 1\nE1 o 0 a o 1e5\nR1 o 0 1k\n.op",
    "integrator": "V1 a 0 0\nR1 a n 1k\nC2 n o 1n\nR3 n o 1g\nE1 o 0 0 n 1e5\nR4 o 0 1k\n.op",
    "tank with losses": "V1 a 0 5\nR1 a b 10\nL1 b c 1m\nC1 c 0 1u\nR2 c 0 1meg\n.op",
    "expression in fine steps": f"B1 a 0 V=sin(2*3.14159*1e6*time)\n{RC}.tran 10n 5u 0 10n",
    "pulse in fine steps": f"B1 a 0 V=(time>3u && time<4u) ? 1 : 0\n{RC}.tran 10n 10u 0 10n",
    "pulses in coarse steps": f"V1 a 0 pulse(0 1 1u 1n 1n 2u 5u)\n{RC}.tran 1u 20u",
    "tank in fine steps": "L1 a 0 1u\nC1 a 0 1n\n.ic v(a)=1\n.tran 2n 2u 0 2n uic",
    "inverters": (
        INVERTER + "V2 a 0 pulse(0 3 1n 0.1n 0.1n 5n 10n)\nX1 a b vdd inv\nX2 b c vdd inv\n"
        "C1 b 0 10f\nC2 c 0 10f\n.tran 0.1n 50n"
    ),
    "diode that stands still": f"V1 a 0 1\n{RC}D1 b 0 d\n.model d d\n.tran 10n 5u",
    "diode swept": "V1 a 0 5\nR1 a b 1k\nD1 b 0 d\n.model d d\n.dc V1 0 5 0.1",
}  # fmt: skip


def text(body: str) -> str:
    return f".title case\n{body}\n.end\n"


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answer_is_told(name: str, tmp_path: Path) -> None:
    body, says = WRONG[name]
    try:
        said = " ".join(simulate(text(body), tmp_path / "a.cir").warnings)
    except CosimError as error:
        said = str(error)
    assert re.search(says, said), said


@pytest.mark.parametrize("name", SOUND)
def test_sound_answer_is_confirmed(name: str, tmp_path: Path) -> None:
    answer = simulate(text(SOUND[name]), tmp_path / "a.cir")
    assert answer.warnings == ()
    assert answer.confirmation.how
    assert answer.confirmation.cost > 0


def test_a_pulse_in_an_included_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "source.inc").write_text(f".subckt s o\nB1 o 0 V={PULSE}\n.ends\n")
    body = f".include source.inc\nX1 a s\n{RC}.tran 10u 1m"
    with pytest.raises(CosimError, match=r"leaps over.*'x1\.b1'"):
        simulate(text(body), tmp_path / "a.cir")


def test_what_starts_from_initial_conditions_is_said_not_to_be_kicked(tmp_path: Path) -> None:
    body = f"V1 a 0 1\n{RC}.ic v(b)=0\n.tran 10n 5u 0 10n"
    how = simulate(text(body), tmp_path / "a.cir").confirmation.how
    assert "not kicked, as it starts from initial conditions" in how


def test_without_confirmation_the_ridge_is_kept(tmp_path: Path) -> None:
    """Proof that it is the confirmation that catches it: ngspice answers half the supply."""
    answer = simulate(text(LATCH + ".op"), tmp_path / "a.cir", confirmed=False)
    assert answer.vectors["q"][0] == pytest.approx(1.5)
    assert answer.confirmation.how == ""


@pytest.mark.parametrize("definition", [".func f(x)={x*g(time)}", ".param f(x)='x*g(time)'"])
def test_a_function_of_time_is_one_however_it_is_defined(definition: str) -> None:
    circuit = f"t\n.func g(x) {{x*x}}\n{definition}\nB1 a 0 V=f(1)\nR1 a 0 1\n"
    assert waits_for_time(circuit)
    assert not waits_for_time(circuit.replace("g(time)", "g(2)"))


def test_sources_stand_still_when_kicked() -> None:
    circuit = (
        "title\nV1 a 0 sin(0.5 1 1k)\nV2 b 0 dc 2 pulse(0 1 0 1n 1n 1u 2u)\nI1 0 c pwl(0 3 1 4) "
        "ac 1\nB1 d 0 V=v(a)*time\n.ic v(a)=1"
    )
    still = frozen(circuit).splitlines()
    assert [line.split() for line in still[1:]] == [
        ["V1", "a", "0", "dc", "0.5"],
        ["V2", "b", "0", "dc", "2"],
        ["I1", "0", "c", "dc", "3", "ac", "1"],
        ["B1", "d", "0", "V=v(a)*0"],
    ]


def test_difference_is_found_either_way() -> None:
    """A pulse that one of two has, an edge that is a step late, and a tenth of a gain."""
    coarse, fine = np.linspace(0, 1, 21), np.linspace(0, 1, 2001)
    flat = {"time": coarse, "a": np.zeros(21)}
    pulse = {"time": fine, "a": np.where(abs(fine - 0.515) < 2e-3, 1.0, 0.0)}
    for one, other in ((flat, pulse), (pulse, flat)):
        found = worst_difference({**one, "ref": one["time"]}, {**other, "ref": other["time"]})
        assert found is not None and found[1] == "a" and 0.5 < found[2] < 0.53
    edge = {"time": coarse, "a": (coarse > 0.5).astype(float)}
    late = {"time": fine, "a": (fine > 0.53).astype(float)}
    assert worst_difference(edge, late) is None
    sine = {"time": coarse, "a": np.sin(6 * coarse)}
    gain = {"time": coarse, "a": 1.1 * np.sin(6 * coarse)}
    found = worst_difference(sine, gain)
    assert found is not None and found[0] == pytest.approx(0.05, abs=0.02)
