"""Netlists that plain ngspice answers wrongly with exit code 0: each must be an error here.

Each comes with the right answer, by hand, and what plain ngspice says instead.
"""

import subprocess
from pathlib import Path

import pytest

from cosim.engine.library import find_library
from cosim.errors import CosimError
from cosim.simulation.analysis import simulate

RC = "V1 a 0 1\nR1 a b 1k\nC1 b 0 1n\n"
DIODE = "R1 a b 1k\nD1 b 0 d\n.model d d\n"

WRONG = {
    # name: (netlist after its title, what the error says)
    "floating node between capacitors": ("V1 a 0 1\nC1 a b 1n\nC2 b 0 1n\n.op", "no-dc-path"),
    "current into a capacitor: no voltage": ("I1 0 a 1m\nC1 a 0 1n\n.op", "cut-set"),
    "1 mA into 2 mA: no voltage; says -1 mV": ("I1 0 a 1m\nI2 a 0 2m\n.op", "cut-set"),
    "source across an inductor: infinite": ("V1 a 0 1\nL1 a 0 1m\nR1 a 0 1\n.op", "voltage-loop"),
    "grown by a negative capacitor": (
        "V1 a 0 1\nR1 a b 1k\nC1 b 0 -1n\n.tran 10n 10u", "capacitance is -1n"
    ),
    "resistor of 0: taken for 1e-12": ("V1 a 0 1\nR1 a b 0\nR2 b 0 1k\n.op", "resistance is 0"),
    "transistor without width: open": (
        "V1 d 0 1\nM1 d d 0 0 n w=0 l=1u\n.model n nmos\n.op", "w is 0"
    ),
    "0.7 V of a diode, at reltol 0.9": (
        "V1 a 0 5\n" + DIODE + ".options reltol=0.9 vntol=1 abstol=1\n.op",
        "currents into node|not confirmed",
    ),
    "1 V behind a reverse diode; says 0.5 V": (
        "V1 a 0 1\nR1 a b 1meg\nD1 0 b d\n.model d d\n.options gmin=1e-6\n.op", "not confirmed"
    ),
    "half of 1 V; says 1/3": (
        "V1 a 0 1\nR1 a b 1meg\nR2 b 0 1meg\n.options rshunt=1meg\n.op",
        "currents into node|not confirmed",
    ),
    "initial condition of a misspelt node": (
        RC + ".ic v(bb)=0\n.tran 1n 1u", "bb: unknown-node"
    ),
    "nodeset of a misspelt node": (
        "V1 a 0 5\n" + DIODE + ".nodeset v(bb)=1\n.op", "bb: unknown-node"
    ),
    "initial condition that a source overrules": (
        RC + ".ic v(a)=3 v(b)=0\n.tran 10n 1u", "begins at 1 V|such a value"
    ),
    "misspelt model parameter": (
        "V1 a 0 1\nR1 a b 1k\nD1 b 0 d\n.model d d(is=1e-14 iss=1e-10)\n.op", "unknown"
    ),
    "misspelt option": ("V1 a 0 5\n" + DIODE + ".options reltl=1e-9\n.op", "'reltol'"),
    "misspelt method": (RC + ".options method=euler\n.tran 10n 1u", "no method 'euler'"),
    "misspelt subcircuit parameter": (
        ".subckt s p r=1k\nR1 p 0 {r}\n.ends\nV1 a 0 1\nX1 a s rr=5\n.op", "has no parameter 'rr'"
    ),
    "misspelt saved node": (RC + ".save v(b) v(bb)\n.tran 10n 1u", "bb: unknown-node"),
    "misspelt saved source": (RC + ".save v(b) i(v9)\n.tran 10n 1u", "unknown-element.*'v9'"),
    "misspelt saved device": (RC + ".save v(b) @r9[i]\n.tran 10n 1u", "unknown-element.*'r9'"),
    "resistor without a value: left out": (
        "V1 a 0 1\nR1 a b\nR2 b 0 1k\n.op", "missing-value"
    ),
    "two temperatures: neither": ("V1 a 0 1\nR1 a 0 1k tc1=0.01\n.temp 50 75\n.op", "temperature"),
    "sweep that goes back: 1 Hz to 1 GHz": (
        "V1 a 0 1 ac 1\nR1 a b 1k\nC1 b 0 1n\n.ac dec 10 1meg 1k", "bad-analysis"
    ),
    "measurement of another analysis": (
        RC + ".meas dc top max v(b)\n.tran 10n 1u", "bad-analysis.*measures 'dc'"
    ),
    "noise of a misspelt node: 0": (
        "V1 a 0 1 ac 1\nR1 a b 1k\nR2 b 0 1k\n.noise v(bb) V1 dec 1 1 1k", "bb: unknown-node"
    ),
    "two analyses of two kinds": (RC + ".op\n.tran 10n 1u", "two-analyses"),
    "PWL whose time goes back": (
        "V1 a 0 PWL(0 0 2u 1 1u 5)\nR1 a 0 1k\n.tran 10n 3u", "bad-waveform"
    ),
    "1 MHz sine in steps of 10 us": (
        "V1 a 0 SIN(0 1 1meg)\nR1 a 0 1k\n.tran 10u 1m", "too long for a sine"
    ),
    "response without a source": ("V1 a 0 1\nR1 a b 1k\nC1 b 0 1n\n.ac dec 1 1 1k", "AC value"),
    "division by 0; says 1e32 V": (
        "V1 b 0 0\nR0 b 0 1\nB1 a 0 V=1/V(b)\nR1 a 0 1k\n.op", "division by zero"
    ),
    "measurement that failed": (
        RC + ".meas tran reached when v(b)=2\n.tran 10n 1u", "measurement failed"
    ),
    "coupling of 1.5": (
        "V1 a 0 SIN(0 1 1k)\nR1 a b 1\nL1 b 0 1m\nL2 c 0 1m\nR2 c 0 1\nK1 L1 L2 1.5\n"
        ".tran 10u 2m 0 10u",
        "coupling is 1.5",
    ),
    "two transients in one": (RC + ".tran 10n 1u\n.tran 10n 9u", "line 6.*two-analyses.*Line 5"),
    "no analysis": (RC + ".print op v(b)", "asks for no analysis"),
    "trapezoidal ringing": (
        "I1 0 a PULSE(0 1m 1u 1p 1p 1 2)\nL1 a 0 1u\nR1 a 0 1meg\n.options trtol=1e6\n"
        ".tran 100n 5u",
        "own oscillation",
    ),
}  # fmt: skip
PRINTED = {".noi": "noise onoise_spectrum", ".op": "op all", ".tra": "tran v(a)", ".ac": "ac v(b)"}


def written(folder: Path, text: str) -> Path:
    path = folder / "netlist.cir"
    path.write_text(text)
    return path


def plain_exit_code(path: Path, text: str) -> int:
    """Of `ngspice -b`, of the same netlist with something to print."""
    library = find_library()
    if library.executable_path is None:
        pytest.skip("no plain ngspice beside the library; `make setup` installs one")
    printed = "".join(f".print {what}\n" for kind, what in PRINTED.items() if f"\n{kind}" in text)
    path.write_text(text.replace(".end\n", f"{printed}.end\n"))
    return subprocess.run(
        [str(library.executable_path), "-b", str(path)],
        capture_output=True, timeout=60, check=False,
    ).returncode  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answer_is_an_error(name: str, tmp_path: Path) -> None:
    body, says = WRONG[name]
    text = f".title case\n{body}\n.end\n"
    assert plain_exit_code(written(tmp_path, text), text) == 0
    with pytest.raises(CosimError, match=says):
        simulate(text, written(tmp_path, text))


def test_element_in_the_title_line_is_an_error(tmp_path: Path) -> None:
    """The source would be left out, and b at 0 V instead of 1 V."""
    text = "V1 b 0 1\nR1 b c 1k\nR2 c 0 1k\nR3 b 0 1k\n.op\n.end\n"
    assert plain_exit_code(written(tmp_path, text), text) == 0
    with pytest.raises(CosimError, match="title-is-element"):
        simulate(text, written(tmp_path, text))


def test_there_are_enough_of_them() -> None:
    """Asked for: at least 20."""
    assert len(WRONG) >= 20


SOUND = {
    "divider": ("V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.op", "b", 0.5),
    "bridge of subcircuits": (
        ".subckt s p q r=1k\nR1 p q {r}\nD1 q p d\n.model d d\n.ends\n"
        "V1 a 0 3\nX1 a b s r=2k\nX2 b 0 s\n.op", "b", 1.0,
    ),
    "charged capacitor": (
        "V1 a 0 1\nR1 a b 1k\nC1 b 0 1n\n.ic v(b)=0\n.options reltol=1e-5\n.tran 10n 1u 0 10n",
        "b", 0.63212,
    ),
    "resonator": (
        "C1 a 0 1n\nL1 a 0 1u\nR1 a 0 100k\n.ic v(a)=1\n.tran 1n 1.98692u 0 1n uic", "a", 0.9901,
    ),
    "square wave": (
        "V1 a 0 PULSE(0 1 0 1n 1n 50n 100n)\nR1 a b 1k\nC1 b 0 1f\n.tran 1n 1.025u", "b", 1.0
    ),
    "sine": ("V1 a 0 SIN(0 1 1meg)\nR1 a 0 1k\n.tran 10n 2.25u 0 10n", "a", 1.0),
    "amplifier": (
        "V1 d 0 3\nV2 g 0 0.8\nR1 d o 10k\nM1 o g 0 0 n w=10u l=1u\n"
        ".model n nmos vto=0.5 kp=1e-4\n.op", "o", 2.55,
    ),
    "bipolar": (
        "V1 c 0 5\nI1 0 b 10u\nQ1 c b 0 q\nR1 b 0 1g\n.model q npn bf=100 is=1e-15\n.op", "c", 5.0
    ),
    "controlled sources": (
        "V1 a 0 1\nR0 a 0 1k\nE1 b 0 a 0 2\nR1 b 0 1k\nG1 0 c b 0 1m\nR2 c 0 1k\nH1 e 0 V1 1k\n"
        "R3 e 0 1k\nF1 0 f V1 1\nR4 f 0 1k\nB1 g 0 V=V(a)*V(b)\nR5 g 0 1k\n.op", "g", 2.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_right_answer_is_none(name: str, tmp_path: Path) -> None:
    """No false alarm, and the answer is that by hand."""
    body, node, volt = SOUND[name]
    text = f".title case\n{body}\n.end\n"
    answer = simulate(text, written(tmp_path, text))
    assert answer.vectors[node][-1] == pytest.approx(volt, rel=2e-3)
