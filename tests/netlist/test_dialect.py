"""What people write and ngspice documents: read, and not blamed."""

from pathlib import Path

import pytest

from cosim.netlist.check import check, check_parsed
from cosim.netlist.parse import parse, read_netlist

LIBRARY = """* two corners
.lib slow
.param r0=2k
.endl slow
.lib fast
.param r0=1k
.endl fast
"""


@pytest.mark.parametrize("section", ["slow", "FAST"])
def test_library_section(section: str, tmp_path: Path) -> None:
    (tmp_path / "corners.lib").write_text(LIBRARY)
    file = tmp_path / "a.cir"
    file.write_text(f"title\n.lib 'corners.lib' {section}\nV1 a 0 1\nR1 a 0 {{r0}}\n.op\n.end\n")
    parsed = read_netlist(file)
    assert check_parsed(parsed) == []
    expected = "2k" if section == "slow" else "1k"
    assert parsed.top.parameters["r0"].expression == expected


def test_missing_library_section(tmp_path: Path) -> None:
    (tmp_path / "corners.lib").write_text(LIBRARY)
    text = "title\n.lib corners.lib typical\nV1 a 0 1\nR1 a 0 1k\n.op\n.end\n"
    (finding,) = check(text, tmp_path / "a.cir")
    assert finding.rule == "unknown-file" and "no section 'typical'" in finding.message


def test_finding_in_an_included_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "part.inc").write_text("R2 a 0 1k\nR3 a 0\n")
    text = "title\n.include part.inc\nV1 a 0 1\n.op\n.end\n"
    (finding,) = check(text, tmp_path / "a.cir")
    assert (finding.file, finding.line, finding.rule) == ("part.inc", 2, "missing-value")
    assert str(finding).startswith("part.inc, line 2, r3: missing-value.")


def test_latin_1_comment(tmp_path: Path) -> None:
    file = tmp_path / "a.cir"
    file.write_bytes("title\n* 20 µm, später\nV1 a 0 1\nR1 a 0 1k\n.op\n".encode("latin-1"))
    assert check_parsed(read_netlist(file)) == []


@pytest.mark.parametrize(
    "body",
    [
        "V1 1 0 1\nR1 1 2 1k\nR2 2 0 1k\n.save v(2) v(1,2)\n.op",
        "V1 a 0 1\nV2 b 0 1\nA1 [a b] c sum\nR1 c 0 1k\n.model sum summer(in_gain=[1 1])\n.op",
        "V1 a 0 1\nA1 %v(a) %v(c) g\nR1 c 0 1k\n.model g gain(gain=2)\n.op",
        "V1 a 0 1\nG1 0 c POLY(1) a 0 0 1m\nR1 c 0 1k\n.op",
        "V1 a 0 1\nR0 a 0 1\nF1 0 c POLY(1) V1 0 2\nR1 c 0 1k\n.op",
        "V1 a 0 1\nE1 c 0 value={2*v(a)}\nR1 c 0 1k\n.op",
        "V1 a 0 1\nE1 c 0 vol='2*v(a)'\nR1 c 0 1k\n.op",
        "V1 a 0 1\nE1 c 0 TABLE {v(a)} = (0,0) (1,2)\nR1 c 0 1k\n.op",
        "V1 a 0 1\nR1 a b r={1k+v(a)}\nR2 b 0 1k\n.op",
        "V1 a 0 1\nR1 a b 1k\nC1 b 0 C={1n*(1+v(b))}\n.tran 1n 1u",
        "V1 a 0 1\nR1 a b 1k tc=0.01,0.001\nR2 b 0 resistance=1k\n.op",
        "V1 a 0 1\nR1 a b rp l=10u w=1u\nR2 b 0 1k\n.model rp r rsh=100\n.op",
        "V1 a 0 1\nS1 a b a 0 sw1 on\nR2 b 0 1k\n.model sw1 sw vt=0.5 ron=1 roff=1g\n.op",
        "V1 a 0 1\nW1 a b V1 w1\nR2 b 0 1k\n.model w1 csw it=1m ron=1\n.op",
        "V1 a 0 1\nT1 a 0 b 0 z0=50 td=1n\nR2 b 0 50\n.tran 10p 5n",
        "V1 a 0 dc 0 ac 1 90 sin(0 1 1k)\nR2 a 0 50\n.tran 1u 5m",
        "V1 a 0 dc 0 trnoise(1m 1n 0 0)\nR2 a 0 50\n.tran 1n 5u",
        "V1 a 0 pulse 0 1 1u 1n 1n 1u 5u\nR2 a 0 50\n.tran 1n 5u",
        "V1 a 0 pwl(0 0 1u 1) r=0\nR2 a 0 50\n.tran 1n 5u",
        ".param w0=2u l0 = '2*w0'\nV1 a 0 1\nM1 a a 0 0 n w=w0 l={l0} m=2\n.model n nmos\n.op",
        "V1 a 0 1\nR1 a b 1k\nD1 b 0 d area=2 off\n.model d d (is=1e-14, rs=1)\n.op",
        "V1 a 0 1\nQ1 a a 0 0 q 2\n.model q npn\nR1 a 0 1k\n.op",
        "V1 a 0 ac 1\nR1 a b 1k\nC1 b 0 1n\n.meas ac f3 when vdb(b)=-3\n.ac dec 10 1 1g",
        "V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.save all @r1[i]\n.op",
        "V1 a 0 1\nR1 a b 10kOhm\nR2 b 0 1kohm\nC1 b 0 10uF\nL1 b 0 1mH\n.op",
        "V1 a 0 1\nR1 a b 1e3\nR2 b 0 1E+3\n.op",
        "V1 a 0 1 ; volts, 4k7\nR1 a b 1k // 1M\nR2 b 0 1k $ {ibb}\n.op",
        "V1 a 0 dc=5\nR1 a b r=1k\nR2 b 0 r=1k\nV2 c 0 dc=0 ac=1\nR3 c 0 1k\n.ac dec 1 1 1k",
        ".param pi=3.14159265 w={2*pi}\nV1 a 0 {w}\nR1 a 0 1k\n.op",
        ".param on=0 a=13 b=a*2\nV1 c 0 dc=2\nV2 x 0 1\nR1 x y R='v(c)*{a/10}' tc1=-1u tc2='3*1u'\n"
        ".if (on)\nC1 y 0 1n\n.else\nC1 y 0 C='(2+tanh(v(y)))*1n'\n.endif\nR2 y 0 1T\n.tran 1n 1u",
        "V1 a 0 '(3>2) ? (3+2)*((2>1)?1:1) : 42'\nV2 b 0 '1--1'\nV3 c 0 '!0.0 || 0.1'\nR1 a b 1\n"
        "R2 b c 1\n.op",
        ".param g=-2\nB1 a 0 V='-g**2'\nB2 b 0 V=(-(v(a)))\nB3 c 0 V=+-(5)\nR1 a b 1\nR2 b c 1",
        "I1 a 0 dc -100u\nV1 a t dc 0\nD1 t 0 1n4002\n.model 1n4002 d(is=1.3f)\n.op",
        "V1 a 0 1\nD1 a 0 d\n.model d d is='temper*1e-16'\n.op",
        ".subckt s p q\n.subckt r p q\nR1 p q 4k\n.ends\nX1 p q r\nR1 p q 4k\n.ends\n"
        "I1 0 a 1mA\nX1 a 0 s\n.op",
        "V1 a 0 DC 1 PWL 1n 1 2n 2\nR1 a 0 1k\n.meas tran x find v(a) when v(a)=par('0.9*2')\n"
        ".meas tran y param='x*2'\n.tran 1n 9n",
        "V1 a 0 DC 0 PULSE(0 3 0 0.5NS 0.5NS 20NS 50NS)\nabridge [a] [d] adc\na2 [d d] e nand\n"
        "a3 [e] [f] dac\nR1 f 0 1k\n.model adc adc_bridge(in_low = 1 in_high = 2)\n"
        ".model nand d_nand(rise_delay = 0.7e-9\n+ fall_delay = 0.7e-9)\n.model dac dac_bridge\n"
        ".tran 500p 640NS",
        ".title other\nV1 a 0 1\nR1 a 0 1k\n.op",
        ".subckt half i o\nR1 i o 1k\nR2 o 0 1k\n.ends\nV1 a 0 1\nX1 a b half\n.op",
        "V1 d 0 9\nR1 d a 1\nM1 a d 0 p off\n.model p vdmos nchan\n.op",
    ],
)  # fmt: skip
def test_dialect_is_not_blamed(body: str) -> None:
    assert [str(finding) for finding in check(f"title\n{body}\n.end\n")] == []


def test_conditional_parts() -> None:
    text = ".param a=3\n.if (a==1)\nR1 x 0 1\n.elseif (a>2)\nR1 x 0 2\n.else\nR1 x 0 3\n.endif\n"
    parsed = parse(f"title\nV1 x 0 1\n{text}.op\n")
    assert [element.values for element in parsed.top.elements if element.name == "r1"] == [("2",)]
    assert check_parsed(parsed) == []
