"""`cosim.op`, `dc`, `ac` and `noise` give no answer that rests on an unstable operating point."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import cosim
from cosim.errors import ConvergenceError

RIDGE = cosim.Netlist(
    "* latch\n.model n nmos vto=0.5 kp=2e-4\n.model p pmos vto=-0.5 kp=1e-4\nV1 vdd 0 3 ac 1\n"
    "M1 q qb 0 0 n w=1u l=1u\nM2 q qb vdd vdd p w=2u l=1u\n"
    "M3 qb q 0 0 n w=1u l=1u\nM4 qb q vdd vdd p w=2u l=1u\nV2 in 0 0\nR1 in 0 1k\n"
)
SCHMITT = cosim.Netlist(
    "* Schmitt trigger\nV1 i 0 0\nB1 o 0 V=2.5*tanh(100*(v(p)-v(i)))\nR1 o p 10k\nR2 p 0 10k\n"
)
AMPLIFIER = cosim.Netlist(
    "* common source\n.model n nmos vto=0.5 kp=2e-4\nV1 vdd 0 3\nV2 in 0 0.9 ac 1\n"
    "R1 vdd out 10k\nM1 out in 0 0 n w=10u l=1u\nC1 out 0 1p\n"
)
ANALYSES: dict[str, Callable[..., object]] = {
    "op": cosim.op,
    "dc": lambda netlist, **how: cosim.dc(netlist, "v2", 0, 1, 0.5, **how),
    "ac": lambda netlist, **how: cosim.ac(netlist, 1, 1e3, 1, **how),
    "noise": lambda netlist, **how: cosim.noise(
        netlist, netlist.nodes[2], "v1" if netlist is RIDGE else "v2", 1, 1e3, 1, **how
    ),
}


@pytest.mark.parametrize("name", ANALYSES)
def test_a_ridge_is_an_error(name: str) -> None:
    with pytest.raises(ConvergenceError, match=r"not confirmed.*unstable.*'qb?' leaves 1\.5"):
        ANALYSES[name](RIDGE)


def test_on_request_it_is_taken_as_it_is() -> None:
    assert float(cosim.op(RIDGE, confirm=False)["q"]) == pytest.approx(1.5, abs=0.01)
    assert np.allclose(cosim.dc(RIDGE, "v2", 0, 1, 0.5, confirm=False)["q"], 1.5, atol=0.01)


def test_a_sweep_with_two_answers_is_warned_of() -> None:
    """And is no error: at each of its points it is on a stable branch."""
    with pytest.warns(UserWarning, match="two answers"):
        cosim.dc(SCHMITT, "v1", -3, 3, 0.1)


@pytest.mark.parametrize("name", ANALYSES)
def test_what_is_sound_is_answered_without_a_word(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ANALYSES[name](AMPLIFIER, temperature=85)
