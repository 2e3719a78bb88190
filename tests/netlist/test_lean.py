"""Netlists for ngspice alone are the same circuits."""

import numpy as np
import pytest

from cosim.engine.session import NgspiceSession
from cosim.netlist.lean import lean
from cosim.process.gf180mcu import GF180MCU

AREAS = "ad=0.9p as=0.9p pd=5u ps=5u"
CIRCUIT = f""".title mirrors of all transistors
.include "{GF180MCU().folder}/design.ngspice"
.lib "{GF180MCU().folder}/{GF180MCU.LIBRARY}" CORNER
.subckt pair in out vdd vss
Xp in in vdd vdd pfet_03v3 {AREAS} l=1u m=2 w=2.07u
Xq out in vdd vdd pfet_06v0 {AREAS} l=0.5u w=4u
Xn in in vss vss nfet_03v3 l=0.28u w=1u
Xo out in vss vss nfet_06v0 {AREAS} l=0.7u m=1 w=2u
.ends pair
Vdd vdd 0 3.3
Xa a b vdd 0 pair
Xb b c vdd 0 pair
.op
.end
"""


@pytest.mark.parametrize("corner", ["typical", "ss"])
def test_lean_netlist_has_the_same_operating_point(corner: str) -> None:
    """The same models, at the same values; devices come in another order, and round otherwise."""
    netlist = CIRCUIT.replace("CORNER", corner)
    short = lean(netlist)
    assert short.count("\nM") == 4 and "nfet_03v3 w=1u l=0.28u as=0 ad=0" in short
    analyse = NgspiceSession.start().analyse
    whole, thin = analyse(netlist), analyse(short)
    for node in ("a", "b", "c", "vdd#branch"):
        np.testing.assert_allclose(thin[node], whole[node], rtol=1e-9)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("l=0.28u w=1u", "l=0.28u w=width"),
        ("l=0.28u w=1u", "l=0.28u w=1u\n+ m=2"),
        ("l=0.28u w=1u", "l=0.28u w=1u unknown=1"),
        ("nfet_03v3 ", "own_nfet "),
    ],
)
def test_what_is_not_surely_one_transistor_stays(line: str, says: str) -> None:
    changed = CIRCUIT.replace("CORNER", "typical").replace(line, says)
    assert lean(changed).count("\nM") == 3 and says in lean(changed)


def test_transistors_with_mismatch_stay() -> None:
    drawn = CIRCUIT.replace(".lib", ".param sw_stat_global=1 sw_stat_mismatch=1\n.lib")
    assert lean(drawn) == drawn
