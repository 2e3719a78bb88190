"""Meters: they tell blocks apart, change nothing, and their sum is the supply's current."""

import numpy as np
import pytest

from cosim.engine.isolated import analysed
from cosim.netlist.metering import metered

NETLIST = """.title two kinds of blocks, one of them with parts
.subckt load a vdd
R1 vdd a 1k
.ends load
.subckt network a vdd
.subckt buffer a vdd
Xload a vdd load
.ends buffer
Xrelu_0 a vdd load
Xrelu_1 a vdd load
Xstage_0_3 a vdd buffer
.ends network
Vdd vdd 0 3
Xamplifier_0 0 vdd load
Xamplifier_1 0 vdd load
Xnetwork 0 vdd network
.tran 1n 10n
.end
"""


@pytest.mark.parametrize(
    ("inside", "milliampere"),
    [
        (frozenset(), {"amplifier": 6, "network": 9}),
        (frozenset({"xnetwork"}), {"amplifier": 6, "relu": 6, "stage": 3}),
    ],
)
def test_currents_by_kind_are_ohm_s(inside: frozenset[str], milliampere: dict[str, float]) -> None:
    netlist, vectors = metered(NETLIST, inside)
    found = analysed(netlist)
    assert {kind: 1e3 * found[vector][-1] for kind, vector in vectors.items()} == pytest.approx(
        milliampere, rel=1e-6
    )
    total = sum(found[vector] for vector in vectors.values())
    np.testing.assert_allclose(total, -found["vdd#branch"], rtol=1e-6)
